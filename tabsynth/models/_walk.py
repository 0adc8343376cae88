"""Noisy tables -> a Markov random field and rows that follow it. No privacy is spent here.

Every noisy table moves the potential of its cells towards agreement with what was measured, held back by a Gaussian prior whose width is
learned from the table itself (empirical Bayes), so that clear structure is followed and noise is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.access import Marginal
from tabsynth.models import _tables
from tabsynth.models._field import Clique, Field, Groups, Tables
from tabsynth.models._links import Link, apart, links
from tabsynth.models._widths import DRIFT, USUAL, drawn, spreads

Cells = tuple[int, ...]
"""The columns of a table, by number, in increasing order."""

Score = Callable[[np.ndarray], np.ndarray]
"""Rows of codes -> a number for each."""

AVERAGED, SETTLING = 4, 12
EMPTY = 30.0
"""What the log-potential of a cell loses that is held to be empty."""

THIN = 0.15
"""A cell with less than that share of what was expected is no way through for rows."""

ALONE, LINKED, CHANCE, SURELY = 40.0, 4.0, 25.0, 3.0
"""A cell, or a stretch of a line, is held to be empty if more than `CHANCE` rows were expected there and more than `ALONE` times what was counted and its noise;
`LINKED` times are enough where the table then falls into parts. A cell that counts `SURELY` of noise is no part of a stretch."""

BALANCE_MEAN, BALANCE_OFFERS = 8, 6
BALANCE_TABLES, BALANCE_CELLS = 1_000, 4_000_000
FLOOR = 1e-7


@dataclass(frozen=True)
class Evidence:
    """A noisy table, perhaps of groups of codes, and what the rows said when it came.

    Parameters
    ----------
    attrs : tuple of int
    groups : sequence of ndarray of int64 or None
        For each column, the group of each code; None where every code is its own.
    shape : tuple of int
        Groups of each column.
    counts, expected : ndarray, shape (cells of groups,)
        The noisy counts, and those of the field before it knew them, at least one half.
    variance : ndarray, shape (cells of groups,)
        Of noise and chance together.
    spread : ndarray, shape (cells of groups,)
        Prior variance of the correction to a cell's log-potential.
    empty : ndarray of bool, shape (cells of groups,)
        Cells that are held to be empty.
    clique : int
        Which of the field's cliques has its potential, for three or more columns.
    """

    attrs: Cells
    groups: Groups | None
    shape: tuple[int, ...]
    counts: np.ndarray
    expected: np.ndarray
    variance: np.ndarray
    spread: np.ndarray
    empty: np.ndarray
    clique: int

    def by_code(self, values: np.ndarray) -> np.ndarray:
        """Values of the cells of groups, for every cell of codes."""
        values = values.reshape(self.shape)
        return values if self.groups is None else values[np.ix_(*self.groups)]


class Walk:
    """A field and `rows` rows that keep walking through it while its potentials are fitted.

    Parameters
    ----------
    shares : sequence of ndarray
        Each column's distribution; the field starts with the columns independent.
    total : float
        Number of rows the tables are about.
    rows : int
        Number of rows that walk.
    rng : Generator
    known : Walk, optional
        One over tables of the same columns: the field starts as it ended, and `shares` are those of its rows.

    Attributes
    ----------
    shares : list of ndarray
        As given, none of them zero.
    doubt : callable, optional
        Added to the field's log-density: what it is held to lack.
    """

    def __init__(
        self, shares: Sequence[np.ndarray], total: float, rows: int, rng: np.random.Generator, known: Walk | None = None
    ) -> None:
        self.sizes = np.array([len(p) for p in shares], dtype=np.int64)
        self.total = total
        self.rng = rng
        self.doubt: Score | None = None
        self._told: list[tuple[Cells, Marginal, Groups | None]] = []
        self._evidence: list[Evidence] = []
        self._moved: list[np.ndarray] = []
        self._fitted = 0
        self.shares = [np.maximum(p, FLOOR) for p in shares]
        self.known, self._usual = known, DRIFT if known else USUAL
        if known is None:
            self.field = Field(self.sizes, np.log(np.maximum(np.concatenate(shares), FLOOR)), {})
            self.codes = np.stack([_tables.draw(p, rows, rng) for p in shares], axis=1).astype(np.int32)
            self._links: list[Link] = []
        else:
            self.field, self._links = known.field, known._links
            self.codes = known.codes[np.resize(rng.permutation(len(known.codes)), rows)]
            self._step(self.codes)

    def following(self, total: float, rows: int) -> Walk:
        """A walk about other tables of the same columns, of `total` rows, that starts where this one is."""
        shares = [c / c.sum() for c in self.expect([(i,) for i in range(len(self.sizes))])]
        return Walk(shares, total, rows, self.rng, self)

    def expect(self, attrs: Sequence[Cells], groups: Sequence[Groups | None] | None = None) -> list[np.ndarray]:
        """The field's counts of these tables, averaged over a few steps, for `total` rows; of groups of codes where they are given."""
        tables = Tables(self.sizes, attrs, groups)
        counts = np.zeros(tables.cells)
        for _ in range(AVERAGED):
            self._step(self.codes)
            counts += tables.count(self.codes)
        return tables.split(counts * (self.total / (AVERAGED * len(self.codes))))

    def learn(
        self,
        noisy: Marginal,
        attrs: Cells,
        expected: np.ndarray,
        *,
        groups: Sequence[np.ndarray] | None = None,
        spread: float | None = None,
        by: int | None = None,
    ) -> None:
        """Take in a noisy table.

        Parameters
        ----------
        noisy : Marginal
        attrs : tuple of int
            Its columns.
        expected : ndarray, one axis for each column
            What `expect` said of it.
        groups : sequence of ndarray, optional
            For each column, the group of each code; where there are none, every code is its own. `expected` may be of codes or of groups.
        spread : float, optional
            The prior's width; estimated unless given.
        by : int, optional
            The axis whose codes get a width each: what few rows hold may depend on much.
        """
        if groups and expected.shape != noisy.counts.shape:
            owner = np.ravel_multi_index(np.ix_(*groups), noisy.counts.shape)
            expected = np.bincount(owner.ravel(), expected.ravel(), noisy.counts.size).reshape(noisy.counts.shape)
        self._told.append((attrs, noisy, groups))
        expected = expected + 0.5
        variance = noisy.sigma**2 + expected
        if spread is None:
            spread = spreads(noisy.counts - expected, expected, variance, by, self._usual)
        width = np.broadcast_to(spread, expected.shape)
        empty = self._empty(noisy, attrs, groups, expected) if len(attrs) == 2 else np.zeros(expected.shape, dtype=bool)
        start = np.where(noisy.counts > SURELY * noisy.sigma, np.log(np.maximum(noisy.counts, 1) / expected), 0.0)
        parts = (np.where(empty, 0, noisy.counts), expected, variance, width, empty)
        clique = len(self.known.field.cliques if self.known else ()) + sum(len(e.attrs) > 2 for e in self._evidence)
        self._evidence.append(Evidence(attrs, groups, expected.shape, *(x.ravel() for x in parts), clique))
        self._moved.append(start.ravel())

    def _empty(self, noisy: Marginal, attrs: Cells, groups: Groups | None, expected: np.ndarray) -> np.ndarray:
        """Cells of a pair that are held to be empty."""
        empty = _empty(noisy.counts, expected, noisy.sigma, LINKED)
        open_ = ~empty & (noisy.counts > THIN * expected)
        pair = {attrs: open_ if groups is None else open_[np.ix_(*groups)]}
        return empty if apart(pair, self.shares) else _empty(noisy.counts, expected, noisy.sigma, ALONE)

    def run(self, steps: int, first: float, last: float) -> None:
        """Fit the potentials by persistent contrastive divergence; the rate falls geometrically from `first` to `last`.

        A cell's potential w, zero at first, climbs (noisy - counted) - variance / (expected * spread) * w: the gradient of the log-posterior with
        Gaussian noise and prior w ~ N(0, spread), divided by the cell's Fisher information, expected / variance (cells
        that fill up count as expected as they do).
        """
        self._take_in()
        scale = len(self.codes) / self.total
        tables = Tables(self.sizes, [e.attrs for e in self._evidence], [e.groups for e in self._evidence])
        noisy, expected, variance, spread = (
            np.concatenate([getattr(e, name) for e in self._evidence]) * scale**power
            for name, power in (("counts", 1), ("expected", 1), ("variance", 2), ("spread", 0))
        )
        moved, fixed = np.concatenate(self._moved), np.concatenate([e.empty for e in self._evidence])
        recent = expected.copy()
        ends = np.cumsum([e.counts.size for e in self._evidence])[:-1]
        for rate in np.geomspace(first, last, steps):
            self._step(self.codes)
            counts = tables.count(self.codes)
            recent += (counts - recent) / 5
            held = np.maximum(recent, expected)
            prior = variance / (held * spread)
            change = rate * (noisy - counts - prior * moved) / (held + prior + 3)
            change[fixed] = 0
            moved += change
            for e, part in zip(self._evidence, np.split(change, ends), strict=True):
                self._add(e, part)
        self._moved = np.split(moved, ends)

    def settle(self, ordered: Sequence[int]) -> None:
        """Move the potentials of single columns until these hold what all tables that were taken in say of them together.

        Each table says something of its columns, too, and together they are more precise than the first look that the field started with. Stretches of
        codes in an order that do not stand out from what noise is left then are empty; so many codes of each column are `ordered`.
        """
        aims, columns = self._columns(ordered), [(i,) for i in range(len(self.sizes))]
        small = self.total / len(self.codes) / 8
        for rate in np.geomspace(0.5, 0.1, SETTLING):
            counts = np.concatenate(self.expect(columns))
            self.field.single += (rate * np.log((aims + small) / (counts + small))).astype(np.float32)

    def _columns(self, ordered: Sequence[int]) -> np.ndarray:
        """Rows of each code of each column, one column after the other, from all tables that count its codes one by one."""
        out = []
        for i in range(len(self.sizes)):
            held, rows = self._held(i), self.shares[i] * self.total
            if held:
                counts, sigma = _tables.column_counts(held)
                rows = drawn(counts, sigma, rows) if self.known else _tables.emptied(counts, sigma, ordered[i])
            out.append(rows * (self.total / rows.sum()))
        return np.concatenate(out)

    def _held(self, i: int) -> list[tuple[Marginal, int]]:
        """Tables that count each code of a column, with its axis."""
        told = [(m, a.index(i), groups) for a, m, groups in self._told if i in a]
        codes = np.arange(self.sizes[i])
        return [(m, axis) for m, axis, groups in told if groups is None or np.array_equal(groups[axis], codes)]

    def noise(self, i: int) -> float:
        """Standard deviation, in rows, of what is known of each code of a column."""
        return _tables.column_counts(self._held(i))[1]

    def _take_in(self) -> None:
        """Give the field a potential for each table that is new, and close the cells that are held to be empty.

        The cells of a link start with the counts that are sure: jumps would else lose its rows, of whom hardly any were expected, before they are
        learned.
        """
        new = self._evidence[self._fitted :]
        if not new:
            return
        unrelated = {e.attrs: np.zeros(self.sizes[list(e.attrs)], np.float32) for e in new if len(e.attrs) == 2}
        cliques = [Clique(e.attrs, e.groups, np.zeros(e.shape, np.float32)) for e in new if len(e.attrs) > 2]
        self.field = Field(self.sizes, self.field.single, unrelated | self.field.pairs, [*self.field.cliques, *cliques])
        pairs = apart(self._allowed(), self.shares)
        self._links = links(pairs, self.shares)
        for k, e in enumerate(new, start=self._fitted):
            self._moved[k] *= e.attrs in pairs
            self._add(e, np.where(e.empty, -EMPTY, self._moved[k]))
        self._fitted = len(self._evidence)

    def _add(self, e: Evidence, change: np.ndarray) -> None:
        """Add to the potential of a table's cells."""
        if len(e.attrs) > 2:
            self.field.add_to_clique(e.clique, change.reshape(e.shape))
        else:
            self.field.add(e.attrs, e.by_code(change).astype(np.float32))

    def balanced(self) -> np.ndarray:
        """As many rows as walk, whose low-order tables are those of the walk's distribution almost without sampling noise.

        The tables are averaged over some steps; then rows are offered their next steps and take those that bring the tables of
        all rows together closer to that average.
        """
        attrs = _balanced_tables(self.sizes, [e.attrs for e in self._evidence if len(e.attrs) < 3])
        groups: list[Groups | None] = [c.groups for c in self.field.cliques]
        tables = Tables(self.sizes, [*(c.attrs for c in self.field.cliques), *attrs], groups + [None] * len(attrs))
        mean = np.zeros(tables.cells, dtype=np.float32)
        walking = self.codes.copy()
        for _ in range(BALANCE_MEAN):
            self._step(walking)
            mean += tables.count(walking) / np.float32(BALANCE_MEAN)
        rows = walking.copy()
        counts = tables.count(rows)
        for _ in range(BALANCE_OFFERS):
            self._step(walking)
            tables.exchange(rows, walking[self.rng.permutation(len(walking))], counts, mean)
        return rows

    def _allowed(self) -> dict[tuple[int, int], np.ndarray]:
        """For each measured pair with empty cells, where rows can be."""
        out = self.known._allowed() if self.known else {}
        for e in self._evidence:
            if len(e.attrs) == 2 and e.empty.any():
                open_ = e.by_code(~e.empty & (e.counts > THIN * e.expected))
                out[e.attrs] = out[e.attrs] & open_ if e.attrs in out else open_
        return out

    def _step(self, codes: np.ndarray) -> None:
        step(self.field, self.doubt, codes, self.rng)
        for link in self._links:
            self._jump(link, codes)

    def _jump(self, link: Link, codes: np.ndarray) -> None:
        """Offer each row another part of a link, by the rule of Metropolis and Hastings."""
        own, offered = codes[:, link.columns], link.offer(len(codes), self.rng)
        part = link.part(own)
        rows = np.flatnonzero((part >= 0) & (part != link.part(offered)))
        old, new = codes[rows], codes[rows]
        new[:, link.columns] = offered[rows]
        gain = self.field.energy(new, link.columns) - self.field.energy(old, link.columns)
        gain += link.log_share(own[rows]) - link.log_share(offered[rows])
        if self.doubt is not None:
            gain += self.doubt(new) - self.doubt(old)
        taken = self.rng.random(len(rows)) < np.exp(np.minimum(gain, 0))
        codes[rows[taken]] = new[taken]


def step(field: Field, doubt: Score | None, codes: np.ndarray, rng: np.random.Generator) -> None:
    """Move rows in place by one step that leaves the density field * exp(doubt) as it is.

    Each row is offered a reversible Gibbs step of the field, and takes it with the probability of Metropolis and Hastings.
    """
    if doubt is None:
        return field.step(codes, rng)
    offers = codes.copy()
    field.step(offers, rng, reversible=True)
    taken = rng.random(len(codes)) < np.exp(np.minimum(doubt(offers) - doubt(codes), 0))
    codes[taken] = offers[taken]


def _empty(counts: np.ndarray, expected: np.ndarray, sigma: float, times: float) -> np.ndarray:
    """Cells of a noisy table that are held to be empty, alone or with others of their line along an axis.

    It is not enough that noise alone could have made what was counted: a cell with a tenth of what is expected is rare, and not one that rows never
    enter. A stretch is all cells of a line that are not surely full, so that hardly any cell is left out for what its own noise was.
    """

    def scarce(rows: np.ndarray, seen: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return (rows > CHANCE) & (rows > times * (np.maximum(seen, 0) + noise))

    empty = scarce(expected, counts, np.full(counts.shape, sigma))
    for axis in range(counts.ndim if counts.ndim > 1 else 0):
        part = counts < SURELY * sigma
        cells, rows, seen = (
            np.where(part, x, 0).sum(axis=axis, keepdims=True) for x in (np.ones_like(expected), expected, counts)
        )
        empty |= part & scarce(rows, seen, sigma * np.sqrt(cells))
    return empty


def _balanced_tables(sizes: np.ndarray, measured: Sequence[Cells]) -> list[Cells]:
    """The measured tables, then all pairs and all triples as far as the limits on tables and cells allow."""
    columns = range(len(sizes))
    wanted = dict.fromkeys([*measured, *itertools.combinations(columns, min(2, len(sizes)))])
    triples = list(itertools.combinations(columns, 3))
    for attrs in triples if len(wanted) + len(triples) <= BALANCE_TABLES else ():
        wanted[attrs] = None
    cells = np.cumsum([math.prod(sizes[list(a)]) for a in wanted])
    return [a for a, c in zip(wanted, cells, strict=True) if c <= BALANCE_CELLS]
