"""A tree of the strongest pairs: measure every column, find which pairs matter, measure those, infer, sample.

McKenna, Miklau and Sheldon, "Winning the NIST Contest" (Journal of Privacy and Confidentiality 2021), section 3, with Gaussian noise in
place of the exponential mechanism: the distances of all pairs to independence are released at once, and the maximum spanning tree of
those noisy scores is post-processing. Pairs whose gain would drown in the noise of measuring them are left out, so the
tree may be a forest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import Attrs, Codes, Counts, Marginal, Progress
from tabsynth.models import _forest, _graph, _tables
from tabsynth.models._state import State, require


@dataclass(frozen=True)
class MST:
    """Settings, all public.

    Parameters
    ----------
    singles, scores : float
        Shares of the budget for the columns' histograms and for the scores of all pairs; the rest measures the chosen pairs.
    noise_weight : float
        How much of a pair table's expected L1 noise counts against choosing it; inference removes the rest.
    clear : float
        A pair is chosen if its gain is at least that many standard deviations of its score's noise.
    target : str, optional
        A column to keep the relations of: the gain of its pairs counts `target_weight` times.
    target_weight : float
    iterations : int
        Of mirror descent.
    """

    name: str = "mst"
    target: str | None = None
    target_weight: float = 2.0
    singles: float = 0.2
    scores: float = 0.1
    noise_weight: float = 0.5
    clear: float = 2.0
    iterations: int = 500

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> TreeModel:
        """See `tabsynth.access.Synthesizer`. Spends exactly ``data.left()``."""
        domain, budget = data.domain, data.left()
        progress("measuring columns", 0.0)
        one = data.measure([(a,) for a in domain], costs=_tables.split(self.singles * budget, list(domain.values())))
        total = _tables.total(one)
        shares = {m.attrs[0]: _tables.distribution(m, data.ordered[m.attrs[0]]) for m in one}
        progress("comparing pairs", 0.1)
        edges = self._choose(data, shares, total, budget)
        progress("measuring pairs", 0.3)
        chosen = edges or [(a,) for a in domain]
        two = data.measure(chosen, costs=_tables.split(data.left(), [_size(domain, c) for c in chosen]))
        progress("inferring the model", 0.4)
        order = _forest.outward(list(domain), edges)
        start = _conditionals(order, shares, two)
        fitted = _graph.fit(domain, [*one, *two], total, start, iterations=self.iterations)
        return TreeModel(total, list(domain), order, [_normalised(fitted[attrs]) for attrs in start])

    def _choose(self, data: Counts, shares: Mapping[str, np.ndarray], total: float, budget: float) -> list[Attrs]:
        """The spanning forest with the largest gain, by noisy distances to independence."""
        pairs = list(itertools.combinations(data.domain, 2))
        if not pairs:
            return []
        expected = [total * np.outer(shares[a], shares[b]) for a, b in pairs]
        noisy = data.score(_tables.candidates(pairs, expected), cost=self.scores * budget)
        sigma = data.sigma((1 - self.singles - self.scores) * budget / (len(data.domain) - 1))
        noise = math.sqrt(2 / math.pi) * sigma
        gain = [d - _tables.chance_distance(e) - self.noise_weight * noise * e.size for d, e in zip(noisy, expected, strict=True)]
        clear = np.array(gain) > self.clear * data.sigma(self.scores * budget / len(pairs))
        weight = [self.target_weight if self.target in pair else 1.0 for pair in pairs]
        order = np.argsort(-np.multiply(gain, weight), kind="stable")
        return _forest.spanning(pairs[i] for i in order if clear[i])


@dataclass(frozen=True)
class TreeModel:
    """A forest: for each column in `order`, its distribution given its parent's code.

    Parameters
    ----------
    total : float
    columns : list of str
        In the order of the codes.
    order : list of tuple of str
        ``(column,)`` for a root, ``(parent, column)`` for the others, parents first.
    tables : list of ndarray
        Probabilities, shape (codes,) for a root and (parent's codes, codes) for the others.
    """

    total: float
    columns: list[str]
    order: list[Attrs]
    tables: list[np.ndarray]

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`. Systematic within each parent code, so that the tables' own noise is the only one."""
        drawn: dict[str, np.ndarray] = {}
        for attrs, table in zip(self.order, self.tables, strict=True):
            if len(attrs) == 1:
                drawn[attrs[0]] = _tables.draw(table, rows, rng)
                continue
            parent, child = attrs
            codes = np.empty(rows, dtype=np.int64)
            for value, row in enumerate(table):
                here = np.flatnonzero(drawn[parent] == value)
                codes[here] = _tables.draw(row, len(here), rng)
            drawn[child] = codes
        return np.stack([drawn[c] for c in self.columns], axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        plain = {"total": self.total, "columns": self.columns, "order": [list(a) for a in self.order]}
        return plain, {f"table_{i}": t for i, t in enumerate(self.tables)}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> TreeModel:
        """See `tabsynth.access.Model`."""
        state = State(plain, arrays, ("columns", "order"))
        columns, order = state.equal("columns", list(domain)), state["order"]
        lists = isinstance(order, list) and all(isinstance(attrs, list) and 1 <= len(attrs) <= 2 for attrs in order)
        require(lists and all(isinstance(a, str) for attrs in order for a in attrs), "order is not a list of columns and pairs")
        _forest.check_outward(((attrs[0] if attrs[1:] else None, attrs[-1]) for attrs in order), domain)
        tables = [state.shares(f"table_{i}", tuple(domain[a] for a in attrs)) for i, attrs in enumerate(order)]
        return cls(state.end(), columns, [tuple(attrs) for attrs in order], tables)


def _size(domain: Mapping[str, int], attrs: Attrs) -> int:
    return math.prod(domain[a] for a in attrs)


def _conditionals(order: Sequence[Attrs], shares: Mapping[str, np.ndarray], two: Sequence[Marginal]) -> dict[Attrs, np.ndarray]:
    """The tree in closed form from the noisy tables alone: exact for a tree, up to their inconsistency."""
    joint = {}
    for m in two:
        table = _tables.distribution(m)
        joint |= {m.attrs: table, m.attrs[::-1]: table.T}
    out = {}
    for attrs in order:
        out[attrs] = shares[attrs[0]] if len(attrs) == 1 else _given(joint[attrs], shares[attrs[1]])
    return out


def _given(joint: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Rows of a joint table as conditional probabilities; an empty row takes the column's own distribution."""
    weight = joint.sum(axis=1, keepdims=True)
    return np.where(weight > 0, joint / np.where(weight > 0, weight, 1), fallback)


def _normalised(table: np.ndarray) -> np.ndarray:
    weight = table.sum(axis=-1, keepdims=True)
    return np.where(weight > 0, table / np.where(weight > 0, weight, 1), 1 / table.shape[-1])
