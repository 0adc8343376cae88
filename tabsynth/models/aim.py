"""Adaptive measurements and a Markov random field: measure columns, then, in rounds, the pairs and larger tables that are worst described.

In the family of AIM (McKenna, Mullins, Sheldon and Miklau, "AIM: An Adaptive and Iterative Mechanism for Differentially Private Synthetic Data",
VLDB 2022, algorithm 4), with five changes. Scores are noisy Gaussian distances of all pairs, and of tables of three to five columns in groups of codes, so
that a round chooses many (`_looks`). Inference is a random field over any graph of them (`_walk`), so no table is refused for making a clique too wide. Every
table is weighed against its own noise. Cells that are surely empty stay empty, and rows jump between the parts of a link (`_links`);
which columns are missing together is counted apart (`_together`). The result is a set of rows that carry the field's tables, and the field itself to draw
more.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabsynth.access import MAX_ROWS, Codes, Counts, Marginal, Progress, silent
from tabsynth.models import _looks, _tables, _together
from tabsynth.models._field import WIDEST, Clique, Field
from tabsynth.models._state import State, require
from tabsynth.models._walk import Cells, Walk
from tabsynth.simplex import nonnegative

STRONGEST, MOST_LINKS = 1e6, 2**21
"""Largest log-potential of a field that is loaded; and most columns times the pairs, or cliques, of the one that has most of them."""

MOST_FIRST = 0.6
"""Largest share of the budget for the first look."""
KNOWN = {"pairs": 3.0, "most_pairs": 8.0}
"""Settings for a prior, whose tables cost nothing."""
NAMES = ("columns", "sizes", "pairs", "cliques")
"""What a model says of itself beside its arrays."""


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
    fine : float
        Where the noise of a column's counts, were all spent on columns evenly, is a larger part of the rows than that, columns get more, by the
        fourth root: relations would hardly show.
    look, alone : float
        Shares of that first look's budget: before it grows, for the target (else the first column) alone, which tells how many rows there are;
        and of what is then left, for the other columns alone where they have to be grouped.
    told : float
        Columns are grouped until the rows that are not of the target's most frequent code are, spread over the groups, that many times
        the noise.
    rounds : int
    scores : float
        Share of the budget for looking at tables in one round.
    pairs, most_pairs : float
        So many pairs, for each column, are chosen by their distance alone in a round, and so many tables at most.
    noise : float
        Further tables are measured if their distance is at least that many times the noise they would be measured with.
    linked : float
        A table of two columns of which one tells the other is measured as well as a table of ``linked**1.5`` cells, however small it is.
    tables : int
        Tables of three columns, or of a larger number, are looked at if there are no more of them.
    full, groups : float, int
        Tables of three columns are counted in at most `groups` groups of each column's codes, and so few that a cell holds `full` times its noise.
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
    fine: float = 5e-4
    look: float = 0.02
    alone: float = 0.25
    told: float = 1.0
    rounds: int = 3
    scores: float = 0.016
    pairs: float = 0.8
    most_pairs: float = 3.0
    noise: float = 2.0
    linked: float = 25.0
    tables: int = 1_600
    full: float = 5.0
    groups: int = 6
    cells: int = 250_000
    clear: float = 2.0
    fewest: int = 8_192
    most: int = 1_000_000
    steps: int = 60
    kept: float = 0.0

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress, prior: Counts | None = None) -> FieldModel:
        """See `tabsynth.access.Synthesizer`. Spends ``1 - kept`` of ``data.left()``.

        A `prior`, public counts over the same codes, is fitted first; what is measured then corrects that fit.
        """
        known = None if prior is None else replace(self, **KNOWN).walk(prior, rng, silent)
        walk = self.walk(data, rng, progress, known)
        progress("balancing rows", 0.9)
        return FieldModel(walk.total, list(data.domain), walk.field, walk.balanced())

    def walk(self, data: Counts, rng: np.random.Generator, progress: Progress, known: Walk | None = None) -> Walk:
        """What `fit` does before rows are balanced; from where another walk ended, if one is `known`."""
        kept = self.kept * data.left()
        budget = data.left() - kept
        progress("measuring columns", 0.0)
        walk = self._first(data, budget, rng, known)
        if known is None:
            _together.measure(data, walk, budget)
        walk.run(self.steps, 0.15, 0.05)
        for r in range(self.rounds):
            progress("comparing pairs", 0.1 + 0.7 * r / self.rounds)
            last = r == self.rounds - 1
            self._round(data, walk, self.scores * budget, self.rounds - r, kept)
            progress("fitting", 0.2 + 0.7 * r / self.rounds)
            walk.run((1 + last) * self.steps, 0.15, 0.02 if last else 0.05)
        walk.settle(list(data.ordered.values()))
        return walk

    def _first(self, data: Counts, budget: float, rng: np.random.Generator, known: Walk | None) -> Walk:
        """Every column, each with the target where there is one."""
        names, sizes = list(data.domain), list(data.domain.values())
        share = min(self.columns * len(names) ** 0.5, MOST_FIRST)
        star = self.target in names and len(names) > 1
        first = data.measure([(self.target if star else names[0],)], costs=[self.look * share * budget])
        coarse = data.sigma(budget / len(names)) / _tables.total(first) / self.fine
        cost = (min(share * max(coarse, 1.0) ** 0.25, MOST_FIRST) - self.look * share) * budget
        if star:
            noisy, groups = self._star(data, first, cost)
        else:
            noisy, groups = first + data.measure([(a,) for a in names], costs=_tables.split(cost, sizes)), {}
        total = _tables.total(noisy)
        rows = max(min(round(total), self.most // len(names)), self.fewest)
        if known is None:
            shares = [_tables.column_shares([m for m in noisy if a not in groups or len(m.attrs) == 1], a) for a in names]
            walk = Walk(shares, total, rows, rng)
        else:
            walk = known.following(total, rows)
        attrs = [tuple(names.index(a) for a in m.attrs) for m in noisy]
        for a, m, expected in zip(attrs, noisy, walk.expect(attrs), strict=True):
            if len(a) == 1:
                walk.learn(m, a, expected, spread=None if known else 1.0)
            else:
                parts = [groups.get(c, np.arange(data.domain[c])) for c in m.attrs]
                walk.learn(m, a, expected, groups=parts, by=m.attrs.index(self.target))
        return walk

    def _star(self, data: Counts, first: list[Marginal], cost: float) -> tuple[list[Marginal], dict[str, np.ndarray]]:
        """Every column with the target, which was counted `first`, in groups of codes where the noise would hide the rows that are not of its main code.

        Such columns are counted alone first, to tell their groups by.

        Returns
        -------
        (tables, groups)
            The groups of the codes of such columns.
        """
        target, others = self.target, [a for a in data.domain if a != self.target]
        tables, counts = list(first), nonnegative(first[0].counts)
        most = max(4, int((counts.sum() - counts.max()) / (self.told * data.sigma(cost / len(others)))))
        wide = [a for a in others if data.domain[a] > most]
        alone = self.alone * cost * len(wide) / len(others)
        if wide:
            tables += data.measure([(a,) for a in wide], costs=_tables.split(alone, [data.domain[a] for a in wide]))
        shares = (_tables.distribution(m) for m in tables[1:])
        groups = {a: _tables.coarse(p, data.ordered[a], most) for a, p in zip(wide, shares, strict=True)}
        sizes = [(groups[a].max() + 1 if a in groups else data.domain[a]) * data.domain[target] for a in others]
        pairs = [tuple(b for b in data.domain if b in (a, target)) for a in others]
        costs = _tables.split(cost - alone, sizes)
        return tables + data.measure(pairs, costs=costs, groups=groups), groups

    def _round(self, data: Counts, walk: Walk, cost: float, rounds_left: int, kept: float) -> None:
        """Look at tables, measure those worth it with this round's part of all but `kept` of the budget, and take them in."""
        looks = self._looks(data, walk, cost, rounds_left)
        spend = (data.left() - kept - (rounds_left - 1) * cost) / rounds_left
        base, most = (math.ceil(each * len(data.domain)) for each in (self.pairs, self.most_pairs))
        chosen = _looks.worth(looks, self.clear, self.noise, data.sigma(spend), base, most)
        if not chosen and rounds_left > 1:
            return
        if not chosen:
            singles = [(i,) for i in range(len(data.domain))]
            alone = _looks.Look(singles, None, walk.expect(singles), np.zeros(len(singles)), 0.0)
            chosen = [(alone, i) for i in range(len(singles))]
        prices = np.array([each.expected[q].size ** (2 / 3) for each, q in chosen])
        link = [_looks.told(each.gain[q], each.expected[q]) if len(each.attrs[q]) == 2 else 0 for each, q in chosen]
        prices = np.maximum(prices, self.linked * np.square(link))
        costs = spend * prices / prices.sum()
        for each in {id(each): each for each, _ in chosen}.values():
            own = [k for k, (other, _) in enumerate(chosen) if other is each]
            each.measure(data, walk, [chosen[k][1] for k in own], [float(costs[k]) for k in own])

    def _looks(self, data: Counts, walk: Walk, cost: float, rounds_left: int) -> list[_looks.Look]:
        """All pairs; once their clearest are known, also all tables of three columns, and of more, as far as these are few.

        Those of more columns have a price that shows only what most of the rows take part in, and are not looked at where not even that would show.
        """
        columns = range(len(data.domain))
        pairs: list[Cells] = [p for p in itertools.combinations(columns, 2) if math.prod(walk.sizes[list(p)]) <= self.cells]
        higher = {k: math.comb(len(columns), k) for k in range(3, WIDEST + 1)}
        first = rounds_left == self.rounds
        parts = {2: pairs} if pairs else {}
        parts |= {k: list(itertools.combinations(columns, k)) for k, n in higher.items() if not first and 0 < n <= self.tables}
        out = []
        noise = data.sigma((data.left() - rounds_left * cost) / (rounds_left * len(columns)))
        most = min(max(int((walk.total / (self.full * noise)) ** (1 / 3)), 4), self.groups)
        for k, attrs in parts.items():
            price = cost * (1.0 if first else {2: 0.45, 3: 0.45}.get(k, 0.05))
            if k > 2 and 4 * self.clear * data.sigma(price / len(attrs)) > walk.total:
                continue
            by = None if k == 2 else _looks.grouped(data, walk, most) if k == 3 else _looks.halves(data, walk)
            out.append(_looks.look(data, walk, attrs, by, price))
        return out


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
        pairs, cliques = self.field.pairs, self.field.cliques
        plain = {
            "total": self.total,
            "columns": self.columns,
            "sizes": self.field.sizes.tolist(),
            "pairs": [list(p) for p in pairs],
            "cliques": [list(c.attrs) for c in cliques],
        }
        arrays = {"rows": self.rows, "single": self.field.single} | {f"pair_{k}": w for k, w in enumerate(pairs.values())}
        for k, c in enumerate(cliques):
            arrays |= {f"clique_{k}": c.weight, f"groups_{k}": np.concatenate(c.groups).astype(np.int32)}
        return plain, arrays

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> FieldModel:
        """See `tabsynth.access.Model`."""
        return cls._loaded(State(plain, arrays, NAMES), domain)

    @classmethod
    def _loaded(cls, state: State, domain: Mapping[str, int], **more: Any) -> FieldModel:
        """The field and rows of a state, with what a refined model has `more`."""
        columns, sizes = state.equal("columns", list(domain)), state.equal("sizes", list(domain.values()))
        pairs = state.indices("pairs", 2, 0, len(sizes))
        require(
            len(set(pairs)) == len(pairs) and all(i < j for i, j in pairs), "pairs names a pair of columns twice or backwards"
        )
        _check_links(pairs, len(sizes))
        potentials = {
            (i, j): state.array(f"pair_{k}", "f4", (sizes[i], sizes[j]), -STRONGEST, STRONGEST) for k, (i, j) in enumerate(pairs)
        }
        cliques = _loaded_cliques(state, sizes)
        single = state.array("single", "f4", (sum(sizes),), -STRONGEST, STRONGEST)
        shape = (state.shape("rows", 2, MAX_ROWS)[0], len(sizes))
        rows = state.array("rows", "i4", shape, 0, max(sizes) - 1)
        require(bool((rows.max(axis=0) < sizes).all()), "the array rows holds a code that its column does not have")
        return cls(state.end(), columns, Field(np.array(sizes), single, potentials, cliques), rows, **more)


def _loaded_cliques(state: State, sizes: list[int]) -> list[Clique]:
    """The potentials of three and more columns of a state."""
    cliques = state.indices("cliques", range(3, WIDEST + 1), 0, len(sizes))
    require(all(i < j for c in cliques for i, j in itertools.pairwise(c)), "cliques names a column twice or backwards")
    _check_links(cliques, len(sizes))
    out = []
    for k, attrs in enumerate(cliques):
        shape = state.shape(f"clique_{k}", len(attrs), max(sizes))
        weight = state.array(f"clique_{k}", "f4", shape, -STRONGEST, STRONGEST)
        own = [sizes[i] for i in attrs]
        groups = np.split(state.array(f"groups_{k}", "i4", (sum(own),), 0, max(shape) - 1), np.cumsum(own)[:-1])
        require(all(g.max() + 1 == n for g, n in zip(groups, shape, strict=True)), "groups are not those of their clique")
        out.append(Clique(attrs, groups, weight))
    return out


def _check_links(found: Sequence[tuple[int, ...]], columns: int) -> None:
    """Refuse a graph that would need too much memory to be laid out."""
    most = max(np.bincount(np.array([i for each in found for i in each], dtype=np.int64), minlength=1))
    require(most * columns <= MOST_LINKS, "a column is in too many pairs or cliques")
