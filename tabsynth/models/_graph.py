"""Noisy marginals -> the graphical model that fits them best. The only import of mbi (and so of JAX, in float64)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from tabsynth.access import Attrs, Marginal
from tabsynth.errors import OptionError
from tabsynth.forks import threads_lost

FLOOR = 1e-9
FORKED = (
    "the model mst cannot be fitted in a process that was forked after JAX had been loaded, as it is by an earlier fit; start the processes by "
    "multiprocessing.get_context('spawn'), or fit another model, such as aim."
)


def fit(
    domain: Mapping[str, int], marginals: Sequence[Marginal], total: float, start: Mapping[Attrs, np.ndarray], *, iterations: int
) -> dict[Attrs, np.ndarray]:
    """Maximum-likelihood graphical model of noisy tables (McKenna, Sheldon and Miklau, ICML 2019, Algorithm 1).

    Parameters
    ----------
    domain : mapping of attribute to number of codes
    marginals : sequence of Marginal
    total : float
        Number of rows.
    start : mapping of clique to ndarray
        Probabilities whose product is where the iteration starts.
    iterations : int

    Returns
    -------
    dict of ndarray
        The model's probability table for each of the cliques in `start`.

    Raises
    ------
    OptionError
        In a process that was forked from one that had loaded JAX: JAX would wait there for threads that did not come along.
    """
    if threads_lost("jax"):
        raise OptionError(FORKED)
    import jax

    jax.config.update("jax_enable_x64", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mbi
        from mbi import estimation

    space = mbi.Domain.fromdict(dict(domain))
    measurements = [mbi.LinearMeasurement(m.counts.ravel().astype(float), m.attrs, stddev=m.sigma) for m in marginals]
    cliques = list(start)
    factors = {c: mbi.Factor(space.project(c), jax.numpy.log(np.maximum(start[c], FLOOR))) for c in cliques}
    potentials = mbi.CliqueVector(space, cliques, factors)
    model = estimation.MirrorDescent().estimate(space, measurements, total, warm_start=potentials, iters=iterations)
    return {c: np.asarray(model.project(c).datavector(flatten=False), dtype=float) / total for c in cliques}
