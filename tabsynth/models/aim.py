"""Adaptive measurements and a Markov random field: measure columns, then, in rounds, the pairs that are worst described.

In the family of AIM (McKenna, Mullins, Sheldon and Miklau, "AIM: An Adaptive and Iterative Mechanism for Differentially Private Synthetic Data",
VLDB 2022, algorithm 4), with four changes. Scores are noisy Gaussian distances of all pairs, so that a round chooses many. Inference is a
pairwise random field over any graph (`_walk`), so no pair is refused for making a clique too wide. Every table is
weighed against its own noise. The result is a set of rows that carry the field's tables, and the field itself to draw more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import MAX_ROWS, Codes, Counts, Marginal, Progress
from tabsynth.models import _tables
from tabsynth.models._field import Field
from tabsynth.models._state import State, require
from tabsynth.models._walk import Cells, Walk
from tabsynth.simplex import nonnegative

STRONGEST, MOST_LINKS = 1e6, 2**26
"""Largest log-potential of a field that is loaded; and most columns times the pairs of the one that has most of them."""


@dataclass(frozen=True)
class AIM:
    """Settings, all public.

    Parameters
    ----------
    target : str, optional
        A column to keep the relations of: every other column is measured together with it from the start.
    columns : float
        Share of the budget for that first look, times the square root of the number of columns; at most 0.6. What single columns
        say about the target is most of what a wide table can tell at its noise.
    look, alone : float
        Shares of that first look's budget for the target alone, and for the other columns alone where they have to be grouped.
    told : float
        Columns are grouped until the rows that are not of the target's most frequent code are, spread over the groups, that many times
        the noise.
    rounds : int
    scores : float
        Share of the budget for the scores of all pairs in one round.
    pairs : float
        Most pairs measured in a round, for each column.
    noise : float
        A pair is measured if its distance is at least that many times the noise it would be measured with.
    linked : float
        A table of two columns of which one tells the other is measured as well as a table of ``linked**1.5`` cells, however small it is.
    cells : int
        Pairs with more cells than that are never looked at: hardly one of them would stand out.
    clear : float
        A pair is chosen if its distance is at least that many standard deviations of its score's noise above chance.
    fewest, most : int
        As many rows walk as there are real ones (a noisy number), but at least `fewest`, and at most `most` codes in all their columns.
    steps : int
        Gibbs steps of the fit after each round; after the last round twice as many.
    kept : float
        Share of what is left of the budget that is not spent.
    """

    name: str = "aim"
    target: str | None = None
    columns: float = 0.057
    look: float = 0.02
    alone: float = 0.25
    told: float = 1.0
    rounds: int = 3
    scores: float = 0.007
    pairs: float = 2.0
    noise: float = 0.5
    linked: float = 25.0
    cells: int = 250_000
    clear: float = 2.0
    fewest: int = 8_192
    most: int = 1_000_000
    steps: int = 60
    kept: float = 0.0

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> FieldModel:
        """See `tabsynth.access.Synthesizer`. Spends ``1 - kept`` of ``data.left()``."""
        walk = self.walk(data, rng, progress)
        progress("balancing rows", 0.9)
        return FieldModel(walk.total, list(data.domain), walk.field, walk.balanced())

    def walk(self, data: Counts, rng: np.random.Generator, progress: Progress) -> Walk:
        """What `fit` does before rows are balanced."""
        kept = self.kept * data.left()
        budget = data.left() - kept
        progress("measuring columns", 0.0)
        walk = self._first(data, min(self.columns * len(data.domain) ** 0.5, 0.6) * budget, rng)
        walk.run(self.steps, 0.15, 0.05)
        for r in range(self.rounds):
            progress("comparing pairs", 0.1 + 0.7 * r / self.rounds)
            last = r == self.rounds - 1
            self._round(data, walk, self.scores * budget, self.rounds - r, kept)
            progress("fitting", 0.2 + 0.7 * r / self.rounds)
            walk.run((1 + last) * self.steps, 0.15, 0.02 if last else 0.05)
        return walk

    def _first(self, data: Counts, cost: float, rng: np.random.Generator) -> Walk:
        """Every column, each with the target where there is one."""
        names, sizes = list(data.domain), list(data.domain.values())
        star = self.target in names and len(names) > 1
        if star:
            noisy, groups = self._star(data, cost)
        else:
            noisy, groups = data.measure([(a,) for a in names], costs=_tables.split(cost, sizes)), {}
        total = _tables.total(noisy)
        shares = [_tables.column_shares([m for m in noisy if a not in groups or len(m.attrs) == 1], a) for a in names]
        walk = Walk(shares, total, max(min(round(total), self.most // len(names)), self.fewest), rng)
        attrs = [tuple(names.index(a) for a in m.attrs) for m in noisy]
        for a, m, expected in zip(attrs, noisy, walk.expect(attrs), strict=True):
            if len(a) == 1:
                walk.learn(m, a, expected, spread=1.0)
            else:
                parts = [groups.get(c, np.arange(data.domain[c])) for c in m.attrs]
                walk.learn(m, a, expected, groups=parts, by=m.attrs.index(self.target))
        return walk

    def _star(self, data: Counts, cost: float) -> tuple[list[Marginal], dict[str, np.ndarray]]:
        """Every column with the target, in groups of codes where the noise would hide the rows that are not of the target's main code.

        Such columns are counted alone first, to tell their groups by.

        Returns
        -------
        (tables, groups)
            The groups of the codes of such columns.
        """
        target, others = self.target, [a for a in data.domain if a != self.target]
        tables = data.measure([(target,)], costs=[self.look * cost])
        counts = nonnegative(tables[0].counts)
        most = max(4, int((counts.sum() - counts.max()) / (self.told * data.sigma(cost / len(others)))))
        wide = [a for a in others if data.domain[a] > most]
        alone = self.alone * cost * len(wide) / len(others)
        if wide:
            tables += data.measure([(a,) for a in wide], costs=_tables.split(alone, [data.domain[a] for a in wide]))
        shares = (_tables.distribution(m) for m in tables[1:])
        groups = {a: _tables.coarse(p, data.ordered[a], most) for a, p in zip(wide, shares, strict=True)}
        sizes = [(groups[a].max() + 1 if a in groups else data.domain[a]) * data.domain[target] for a in others]
        pairs = [tuple(b for b in data.domain if b in (a, target)) for a in others]
        costs = _tables.split((1 - self.look) * cost - alone, sizes)
        return tables + data.measure(pairs, costs=costs, groups=groups), groups

    def _round(self, data: Counts, walk: Walk, cost: float, rounds_left: int, kept: float) -> None:
        """Score all pairs, measure those worth it with this round's part of all but `kept` of the budget, and take them in."""
        names = list(data.domain)
        every = itertools.combinations(range(len(names)), 2)
        pairs: list[Cells] = [p for p in every if math.prod(walk.sizes[list(p)]) <= self.cells]
        expected, gain, chosen = walk.expect(pairs), np.zeros(0), list[int]()
        later = kept + (rounds_left - 1) * cost
        if pairs:
            noisy = data.score(_tables.candidates([tuple(names[i] for i in p) for p in pairs], expected), cost=cost)
            gain = noisy - [_tables.chance_distance(e) for e in expected]
            spend = (data.left() - later) / rounds_left
            least = self.clear * data.sigma(cost / len(pairs))
            chosen = self._worth(gain, [e.size for e in expected], least, data.sigma(spend))[: math.ceil(self.pairs * len(names))]
        if not chosen and rounds_left > 1:
            return
        attrs = [pairs[q] for q in chosen] or [(i,) for i in range(len(names))]
        beliefs = [expected[q] for q in chosen] or walk.expect(attrs)
        link = [self.linked * _told(gain[q], expected[q]) ** 2 for q in chosen] or [0.0] * len(names)
        prices = np.maximum([e.size ** (2 / 3) for e in beliefs], link)
        costs = (data.left() - later) / rounds_left * prices / prices.sum()
        noisy = data.measure([tuple(names[i] for i in a) for a in attrs], costs=costs.tolist())
        for a, m, e in zip(attrs, noisy, beliefs, strict=True):
            walk.learn(m, a, e)

    def _worth(self, gain: np.ndarray, sizes: Sequence[int], least: float, sigma: float) -> list[int]:
        """Tables whose gain, in rows, exceeds `least` and `noise` times that of measuring them together; the dearest last.

        `sigma` is the noise of one cell if all is spent on it. As `_tables.split` shares a budget, a table's noise in L1 norm is in proportion to
        its price, size**(2/3), and to the square root of the sum of all prices.
        """
        price = np.array(sizes) ** (2 / 3)
        order = np.argsort(-gain / price, kind="stable")
        noise = self.noise * math.sqrt(2 / math.pi) * sigma * np.sqrt(np.cumsum(price[order]))
        return [int(q) for q, n in zip(order, noise, strict=True) if gain[q] > max(least, n * price[q])]


def _told(gain: float, expected: np.ndarray) -> float:
    """How nearly one of two columns tells the other, from 0 to 1: their distance to what is expected, over the largest there can be.

    Where b = f(a), the L1 distance of the pair's table to independence is 2 n (1 - sum of b's squared shares).
    """
    shares = [expected.sum(axis=axis) / max(expected.sum(), 1.0) for axis in range(2)]
    return float(np.clip(gain / (2 * expected.sum() * min(1 - (p**2).sum() for p in shares) + 1), 0, 1))


@dataclass(frozen=True)
class FieldModel:
    """A random field and rows that carry its tables.

    Parameters
    ----------
    total : float
    columns : list of str
        In the order of the codes.
    field : Field
    rows : ndarray of int32, shape (walking rows, columns)
    """

    total: float
    columns: list[str]
    field: Field
    rows: Codes

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`.

        Up to as many rows as walked are drawn from those without replacement. Beyond that, further copies take one
        Gibbs step each, which leaves them distributed as they were but no longer equal.
        """
        own = len(self.rows)
        codes = np.empty((rows, len(self.columns)), dtype=np.int32)
        for at in range(0, rows, own):
            part = codes[at : at + own]
            part[...] = self.rows[rng.permutation(own)[: len(part)]]
        if rows > own:
            self.move(codes[own:], rng)
        return codes

    def move(self, codes: Codes, rng: np.random.Generator) -> None:
        """Walk on, in place."""
        self.field.step(codes, rng)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        pairs = self.field.pairs
        plain = {
            "total": self.total,
            "columns": self.columns,
            "sizes": self.field.sizes.tolist(),
            "pairs": [list(p) for p in pairs],
        }
        return plain, {"rows": self.rows, "single": self.field.single} | {f"pair_{k}": w for k, w in enumerate(pairs.values())}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> FieldModel:
        """See `tabsynth.access.Model`."""
        return cls._loaded(State(plain, arrays, ("columns", "sizes", "pairs")), domain)

    @classmethod
    def _loaded(cls, state: State, domain: Mapping[str, int], **more: Any) -> FieldModel:
        """The field and rows of a state, with what a refined model has `more`."""
        columns, sizes = state.equal("columns", list(domain)), state.equal("sizes", list(domain.values()))
        pairs = state.indices("pairs", 2, 0, len(sizes))
        require(
            len(set(pairs)) == len(pairs) and all(i < j for i, j in pairs), "pairs names a pair of columns twice or backwards"
        )
        most = max(np.bincount(np.array(pairs, dtype=np.int64).ravel(), minlength=1))
        require(most * len(sizes) <= MOST_LINKS, "a column has too many pairs")
        potentials = {
            (i, j): state.array(f"pair_{k}", "f4", (sizes[i], sizes[j]), -STRONGEST, STRONGEST) for k, (i, j) in enumerate(pairs)
        }
        single = state.array("single", "f4", (sum(sizes),), -STRONGEST, STRONGEST)
        shape = (state.shape("rows", 2, MAX_ROWS)[0], len(sizes))
        rows = state.array("rows", "i4", shape, 0, max(sizes) - 1)
        require(bool((rows.max(axis=0) < sizes).all()), "the array rows holds a code that its column does not have")
        return cls(state.end(), columns, Field(np.array(sizes), single, potentials), rows, **more)
