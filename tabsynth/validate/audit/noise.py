"""Is the noise what it is said to be? Residuals that the tap shows, in units of their claimed standard deviation, held against the normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEVEL = 1e-4
"""Chance that sound noise is called wrong, over all stages and tests together."""


def residuals(stages: Mapping[str, Sequence[np.ndarray]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Tests of each stage's noise: its scale (chi-square), its shape (Kolmogorov and Smirnov), and that no two runs share any. All two-sided.

    Parameters
    ----------
    stages : mapping from stage to sequence of ndarray of float
        Residuals of each run (`tabsynth.validate.audit.transcripts`).

    Returns
    -------
    dict, list of str
        For each stage the number of residuals, their standard deviation and p values; and what is wrong.
    """
    found, wrong = {}, []
    for stage, runs in stages.items():
        found[stage] = tests = _tested(runs)
        bad = [name for name in ("scale", "shape", "shared") if tests[name] < LEVEL / (3 * len(stages))]
        wrong += [
            f"{stage}: the noise has another {name} than claimed (p = {tests[name]:.2g})" for name in bad if name != "shared"
        ]
        wrong += [f"{stage}: runs share noise (p = {tests['shared']:.2g})"] if "shared" in bad else []
    return found, wrong


def sampling(runs: Sequence[np.ndarray], rate: float) -> list[str]:
    """Are batches made by coins of their own, one for each unit and step, that fall with this rate? What is wrong, in sentences.

    How often units are in batches, how much the size of a batch varies, and how much it varies how often a unit is in one: all two-sided.

    Parameters
    ----------
    runs : sequence of ndarray of bool, shape (steps, units)
    rate : float
    """
    from scipy.stats import binomtest, chi2

    coins = np.array([run for run in runs if run.shape == runs[0].shape])
    ps = {"often": binomtest(int(coins.sum()), coins.size, rate).pvalue}
    for name, sums, of in (("evenly", coins.sum(2), coins.shape[2]), ("independently", coins.sum(1), coins.shape[1])):
        square = float(((sums - of * rate) ** 2).sum() / (of * rate * (1 - rate)))
        ps[name] = 2 * min(chi2.cdf(square, sums.size), chi2.sf(square, sums.size))
    return [f"gradient: units are not drawn as {name} as claimed (p = {p:.2g})" for name, p in ps.items() if p < LEVEL / 3]


def _tested(runs: Sequence[np.ndarray]) -> dict[str, Any]:
    from scipy.stats import chi2, kstest, norm

    z = np.concatenate(runs)
    square, n = float(z @ z), len(z)
    scale = 2 * min(chi2.cdf(square, n), chi2.sf(square, n))
    length = min(map(len, runs))
    table = np.stack([run[:length] for run in runs])
    products = (table[:-1] * table[1:]).ravel() if len(runs) > 1 else np.zeros(1)
    shared = 2 * norm.sf(abs(products.sum()) / np.sqrt(max(1, len(products))))
    return {
        "n": n,
        "deviation": float(np.sqrt(square / n)),
        "scale": float(scale),
        "shape": float(kstest(z, norm.cdf).pvalue),
        "shared": float(shared),
    }
