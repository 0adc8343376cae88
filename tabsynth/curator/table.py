"""PrivateTable: the only door to the real rows. What comes out is noise, and is on the ledger before it is drawn.

Neighbours differ by all rows of one unit (added or removed), at most ``schema.unit.max_rows`` = k of them, so a contingency table moves by
at most s = k in L2 norm and an L1 distance by at most k (`PrivateTable.gram` has its own s). The noise is discrete Gaussian with
variance (s / mu)**2 + LATTICE**2 for a step that is to be mu-Gaussian-DP. Why that is enough, exactly and in any number of
dimensions: let Z be continuous Gaussian of standard deviation s / mu around the true integers, and draw from the discrete Gaussian of parameter LATTICE centred at Z. That is post-processing of
Z, so mu-Gaussian-DP; and its distribution is the one used here up to a factor 1 +- 2 * exp(-2 pi**2 LATTICE**2) < 1 +- 1e-33 a value
(Peikert, "An Efficient and Parallel Gaussian Sampler for Lattices", CRYPTO 2010, Theorem 3.1; by Poisson summation), which
`ledger.SAFETY` covers many times over. The total number of rows is never an exact number anywhere.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.access import Attrs, Candidate, Marginal
from tabsynth.codec import Codec
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Ledger
from tabsynth.curator.noise import discrete_gaussian
from tabsynth.curator.source import Source
from tabsynth.curator.tap import Event, Tap, flat
from tabsynth.errors import Unaccounted
from tabsynth.schema import Schema

if TYPE_CHECKING:
    import torch

LATTICE = 2.0
MAX_SCORE = 2**18
"""Sums of products of scores stay whole numbers that a double holds exactly."""
MAX_ROWS = 2**53
"""Estimates of tables of at most so many rows: distances to them stay far inside 64 bits."""


def _one_at_a_time(call: Callable) -> Callable:
    """Two threads share one connection and one codec, so a call waits for the end of another one's."""

    @functools.wraps(call)
    def alone(self: PrivateTable, *arguments: Any, **more: Any) -> Any:
        with self._alone:
            return call(self, *arguments, **more)

    return alone


class PrivateTable:
    """Implements `tabsynth.access.Counts` over real rows.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
    schema : Schema
    ledger : Ledger
        Pays for everything.
    tap : callable, optional
        Told every exact answer, for an audit. What is fitted then is not private.
    """

    def __init__(self, data: Any, schema: Schema, ledger: Ledger, *, tap: Tap | None = None) -> None:
        self.schema = schema
        self.ledger = ledger
        self.tap = tap
        self._alone = threading.RLock()
        self._source = Source(data, schema)
        self._codec: Codec | None = None

    def __enter__(self) -> PrivateTable:
        return self

    @_one_at_a_time
    def __exit__(self, *_: object) -> None:
        self._source.close()

    @property
    def domain(self) -> Mapping[str, int]:
        """Number of codes of each modelled column."""
        if self._codec is None:
            raise Unaccounted("the table has no codes yet; call encode with a codec first.")
        return self._codec.domain

    @property
    def ordered(self) -> Mapping[str, int]:
        """How many of each column's first codes lie in an order: bins do, labels and a missing value do not."""
        return self._codec.ordered

    @property
    def nullable(self) -> Mapping[str, bool]:
        """Whether each column has a code for missing, its last."""
        return self._codec.nullable

    @property
    def budget(self) -> float:
        """The whole budget, in rho."""
        return self.ledger.budget.rho

    def left(self) -> float:
        """Budget left, in rho."""
        return self.ledger.left()

    def sigma(self, cost: float) -> float:
        """Standard deviation, in rows, of the noise that `cost` rho buys; rounded up."""
        return self._sigma(cost, 1.0)

    @_one_at_a_time
    def encode(self, codec: Codec) -> None:
        """Fix the codes that `measure` and `score` count. The codec is made of public and bought facts."""
        self._codec = codec
        self._source.encode(codec)
        if self.tap:
            self.tap(Event("schema", lambda source: source.encode(codec)))

    @_one_at_a_time
    def cells(self, edges: Mapping[str, np.ndarray], *, cost: Mapping[str, float], note: str) -> dict[str, Marginal]:
        """Noisy histogram of each column's axis over the cells between sorted edges; ``cost[column]`` in rho each.

        A column may be named with a view of it (``sold_at:weekday``; `tabsynth.times.view`). However it is viewed, a row has one place
        and falls into one cell at most.
        """
        sigmas = {name: self._charge(1, cost[name], f"{note} of {name}") for name in edges}
        noisy = self._answers("cells", lambda source: list(source.cells(edges).values()), list(sigmas.values()))
        return {name: Marginal((name,), table, sigmas[name]) for name, table in zip(edges, noisy, strict=True)}

    @_one_at_a_time
    def grids(self, steps: Mapping[str, np.ndarray], *, cost: Mapping[str, float]) -> dict[str, Marginal]:
        """Noisy numbers of each column's values by the coarsest of its public steps that they are multiples of.

        The class of a value depends on the value alone, so a row lies in one class of each column: one more or one fewer moves each
        column's vector by at most 1 in L2 norm, as in `cells`; ``cost[column]`` in rho each.
        """
        sigmas = {name: self._charge(1, cost[name], f"grid of {name}") for name in steps}
        noisy = self._answers("grids", lambda source: list(source.grids(steps).values()), list(sigmas.values()))
        return {name: Marginal((name,), table, sigmas[name]) for name, table in zip(steps, noisy, strict=True)}

    @_one_at_a_time
    def labels(self, column: str, *, cost: float, failure: float) -> dict[str, int]:
        """Values of a categorical column, by partition selection: those whose noisy count passes a threshold, sorted, with that count.

        A value held by one unit alone passes with probability at most `failure`: it has at most k rows, a unit has at most k such
        values, and a discrete Gaussian exceeds t with probability at most exp(-t**2 / (2 sigma**2)) (Canonne et al. 2020, Lemma 9).
        The rest of the answer is post-processing of a Gaussian histogram.
        (Korolova et al., "Releasing Search Queries and Clicks Privately", WWW 2009, is the idea.)
        """
        sigma = self._charge(1, cost, f"categories of {column}", failure=failure)
        k = self.schema.unit.max_rows
        threshold = k + sigma * math.sqrt(2 * math.log(k / failure))
        there = list(self._source.labels(column))

        def counts(source: Source) -> list[np.ndarray]:
            held = source.labels(column)
            return [np.array([held.get(label, 0) for label in there], dtype=np.int64)]

        (noisy,) = self._answers("labels", counts, [sigma], least=threshold)
        return {label: int(n) for label, n in sorted(zip(there, noisy, strict=True)) if n > threshold}

    @_one_at_a_time
    def listed(self, lists: Mapping[str, Sequence[str | int]], *, cost: float) -> dict[str, Marginal]:
        """Noisy count of every value of public lists of categorical columns; `cost` rho each.

        The values are public and those that no row holds are answered too, so a list is a contingency table of one column: a row
        holds one of them or none.
        """
        sigmas = [self._charge(1, cost, f"labels of {name}") for name in lists]

        noisy = self._answers("listed", lambda source: list(source.listed(lists).values()), sigmas)
        return {name: Marginal((name,), *each) for name, *each in zip(lists, noisy, sigmas, strict=True)}

    @_one_at_a_time
    def measure(
        self, cliques: Sequence[Attrs], *, costs: Sequence[float], groups: Mapping[str, np.ndarray] | None = None
    ) -> list[Marginal]:
        """Noisy contingency tables, one pass over the rows; each costs its own rho. See `tabsynth.access.Counts`.

        A row still falls into one cell of a grouped table.
        """
        groups = self._checked(groups)
        sigmas = [self._charge(1, cost, f"table of {' x '.join(clique)}") for clique, cost in zip(cliques, costs, strict=True)]

        noisy = self._answers("measure", lambda source: source.counts(cliques, groups), sigmas)
        return [Marginal(*each) for each in zip(cliques, noisy, sigmas, strict=True)]

    @_one_at_a_time
    def score(
        self, candidates: Sequence[Candidate], *, cost: float, groups: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Noisy L1 distance of each candidate's estimate to the real table, in rows; all together cost `cost` rho."""
        groups = self._checked(groups)
        sizes = dict(self.domain) | {name: int(group.max()) + 1 for name, group in groups.items()}
        for candidate in candidates:
            shape, estimate = tuple(sizes[a] for a in candidate.attrs), candidate.estimate
            counts = estimate.dtype.kind in "iu" and estimate.shape == shape and estimate.min() >= 0
            if not (counts and estimate.sum(dtype=float) <= MAX_ROWS):
                raise Unaccounted(
                    f"the estimate for {candidate.attrs} is not a table of whole counts, one for each cell, of at most "
                    f"{MAX_ROWS} rows, so its distance is not accounted for."
                )
        sigma = self._charge(len(candidates), cost / len(candidates), f"fit of {len(candidates)} tables")

        def distances(source: Source) -> list[np.ndarray]:
            tables = source.counts([c.attrs for c in candidates], groups)
            apart = [np.abs(table - c.estimate.astype(np.int64)).sum() for table, c in zip(tables, candidates, strict=True)]
            return [np.array(apart, dtype=np.int64)]

        return self._answers("score", distances, [sigma])[0]

    @_one_at_a_time
    def gram(self, scores: Mapping[str, np.ndarray], *, limit: int, cost: float) -> tuple[np.ndarray, float]:
        """Noisy sum over the rows of v v^T for public integer scores v of the codes, and its sigma; see `tabsynth.access.Counts`.

        Only the entries (i, j), i < j, of two different columns a < b are answered, each once. With x_a the squared length of a's
        part of v, one row moves them by sqrt(sum over a < b of x_a x_b) in L2 norm. The x_a sum to at most `limit`, so this is at most
        ``limit * sqrt((A - 1) / (2 A))`` for A columns (all x_a equal is the worst), and k rows move them by k times that.
        """
        for name, table in scores.items():
            if (
                table.dtype.kind not in "iu"
                or table.ndim != 2
                or len(table) != self.domain[name]
                or table.max(initial=0) > MAX_SCORE
                or table.min(initial=0) < -MAX_SCORE
            ):
                raise Unaccounted(f"the scores of {name!r} are not one row of whole numbers up to {MAX_SCORE} for each code.")
        if not (isinstance(limit, int) and limit >= 1 and len(scores) >= 2):
            raise Unaccounted(
                f"a limit of {limit!r} on {len(scores)} columns' scores; give a whole number above 0 and two columns."
            )
        sensitivity = limit * math.sqrt((len(scores) - 1) / (2 * len(scores)))
        self._charge(1, cost, "cross-products of the columns")
        sigma = self._sigma(cost, sensitivity)
        owner = np.repeat(np.arange(len(scores)), [table.shape[1] for table in scores.values()])
        upper = owner[:, None] < owner
        answer = np.zeros(upper.shape, dtype=np.int64)
        (answer[upper],) = self._answers("gram", lambda source: [source.gram(scores, limit)[upper]], [sigma])
        return answer + answer.T, sigma

    @_one_at_a_time
    def gradients(self, critic: torch.nn.Module, *, steps: int, rate: float, clip: float, share: float) -> GradientStream:
        """Noisy gradients of a critic; see `tabsynth.access.CountsAndGradients`. The whole stream is charged here.

        A unit's rows count together, so the noise does not grow with `max_rows`. The price is a share of the whole budget and not of
        what is left, because the ledger's argument takes the noise of a stream as fixed before the first answer.
        """
        from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

        if not 0 < clip < math.inf:
            raise Unaccounted(f"the clipping norm is {clip!r}; give a number above 0.")
        multiplier = self.ledger.multiplier(rate, steps, share * self.budget)
        step = PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier))
        self.ledger.charge(SelfComposedDpEvent(step, steps), f"{steps} gradient steps")
        codes, units = self._source.rows()
        sizes = list(self.domain.values())
        paid = {"steps": steps, "rate": rate, "clip": clip, "multiplier": multiplier}
        return GradientStream(codes, units, sizes, critic, **paid, tap=self.tap)

    def _checked(self, groups: Mapping[str, np.ndarray] | None) -> Mapping[str, np.ndarray]:
        """Groups of codes, which have to be public whole numbers from 0, one for each code."""
        for name, group in (groups or {}).items():
            if group.dtype.kind not in "iu" or group.shape != (self.domain[name],) or group.min() < 0:
                raise Unaccounted(f"the groups of {name!r} are not one whole number from 0 for each code.")
        return groups or {}

    def _sigma(self, cost: float, sensitivity: float) -> float:
        """Noise scale that `cost` buys for an answer that one row moves by `sensitivity` in L2 norm; rounded up."""
        return math.hypot(self.schema.unit.max_rows * sensitivity / math.sqrt(2 * cost), LATTICE) * (1 + 1e-12)

    def _charge(self, answers: int, cost: float, note: str, *, failure: float = 0.0) -> float:
        """Pay `cost` rho for each of `answers` answers and return the noise scale that this buys."""
        from dp_accounting import GaussianDpEvent, SelfComposedDpEvent

        if not cost > 0:
            raise Unaccounted(f"{note!r} is offered rho {cost}; every answer costs something.")
        event = GaussianDpEvent(1 / math.sqrt(2 * cost))
        self.ledger.charge(event if answers == 1 else SelfComposedDpEvent(event, answers), note, failure=failure)
        return self.sigma(cost)

    def _answers(
        self, kind: str, ask: Callable[[Source], list[np.ndarray]], sigmas: Sequence[float], *, least: float = -math.inf
    ) -> list[np.ndarray]:
        """The exact answers with noise, which has been paid for; the caller shows nobody those up to `least`."""
        exact = ask(self._source)
        noisy = [table + discrete_gaussian(table.shape, sigma) for table, sigma in zip(exact, sigmas, strict=True)]
        if self.tap:
            scale = np.repeat(sigmas, [table.size for table in exact])
            self.tap(Event(kind, lambda source: flat(ask(source)), flat(exact), flat(noisy), scale, least))
        return noisy
