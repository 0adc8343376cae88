"""Buy what the schema does not say: category lists, ranges, and bins for wide numeric columns.

Ranges come from one noisy histogram over magnitudes (1, 2, 5, 10, ... of either sign). Bins come from a noisy tree (in the spirit of
PrivTree: Zhang, Xiao and Xie, SIGMOD 2016): the range is cut into cells, those that hold much are cut again, down to single values,
so heavy values stand alone and empty stretches cost nothing. Neighbouring cells are then grouped into bins of similar mass. All
that happens after the noise is post-processing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tabsynth.access import Marginal
from tabsynth.codec import Bins, Codec, Labels, public_coder
from tabsynth.curator._moments import moments
from tabsynth.curator.table import PrivateTable
from tabsynth.schema import OTHER, Column
from tabsynth.simplex import nonnegative
from tabsynth.times import is_temporal

FIRST, BRANCH = 64, 8
SINGLE_ROUND = 128
FEWEST, BINS = 8, 32
CLEAR = 10.0
"""Bins a column, and how many times its noise a cell of a pair of columns should hold."""

VIRTUAL_STEPS = 2**20
FALLING = 0.6
SHARE, MOST = 0.03, 0.25
"""Each column with something to buy gets this share of the budget (a datetime two), all together at most `MOST`."""


def discover(table: PrivateTable) -> Codec:
    """Buy what is missing and return the codec that the public and the bought facts make.

    Spends at most `MOST` of the budget. Which columns need something, and in how many rounds, is public.
    """
    schema = table.schema
    coders: dict[str, Labels | Bins | None] = {c.name: public_coder(c) for c in schema.modelled}
    needy = [c for c in schema.modelled if coders[c.name] is None]
    weights = {c.name: 2 if c.kind == "datetime" else 1 for c in needy}
    cost = table.left() * min(SHARE, MOST / sum(weights.values())) if needy else 0.0
    listed = [c for c in needy if c.kind == "categorical"]
    for c in listed:
        values = [v for v in table.labels(c.name, cost=cost, failure=table.ledger.budget.failure / len(listed)) if v != OTHER]
        spare = (OTHER,) if c.outside == "other" or not values else ()
        coders[c.name] = Labels((*values, *spare), c.nullable)
    coders |= _bins(table, {c.name: c for c in needy if c.numeric and not is_temporal(c)}, cost)
    timed = {c.name: c for c in needy if is_temporal(c)}
    coders |= moments(table, timed, {name: cost * weights[name] for name in timed})
    return Codec(schema, coders)


@dataclass
class _Tree:
    """The cells of one column so far: from `start` up to but without `end`, in steps from `low`, with noisy counts (of `sigma`)."""

    column: Column
    low: float
    step: float
    start: np.ndarray
    end: np.ndarray
    count: np.ndarray
    split: np.ndarray
    rounds: int
    sigma: float = 0.0

    def positions(self, at: np.ndarray) -> np.ndarray:
        """Axis positions of step indices."""
        return self.column.on_grid(self.low + at * self.step)


def _bins(table: PrivateTable, columns: Mapping[str, Column], cost: float) -> dict[str, Bins]:
    unknown = {name: magnitudes(c) for name, c in columns.items() if c.minimum is None}
    spread = table.cells(unknown, cost=dict.fromkeys(unknown, cost / 4), note="range") if unknown else {}
    trees = {}
    for name, c in columns.items():
        low, high = (
            _span(unknown[name], spread[name], c.step) if name in unknown else (c.to_axis(c.minimum), c.to_axis(c.maximum))
        )
        trees[name] = _root(c, low, high)
    price = {name: cost * (0.75 if name in unknown else 1.0) * _falling(tree.rounds) for name, tree in trees.items()}
    for r in range(max((t.rounds for t in trees.values()), default=0)):
        growing = {name: t for name, t in trees.items() if r < t.rounds and t.split.any()}
        if not growing:
            break
        children = {name: _children(t, r) for name, t in growing.items()}
        edges = {name: _inner_edges(growing[name], cuts) for name, cuts in children.items()}
        noisy = table.cells(edges, cost={name: price[name][r] for name in growing}, note="bins")
        for name, tree in growing.items():
            _grow(tree, children[name], edges[name], noisy[name])
    noise = table.sigma(table.left() / (2 * len(table.schema.modelled)))
    return {name: _group(tree, noise) for name, tree in trees.items()}


def _falling(rounds: int) -> np.ndarray:
    """Shares of the rounds: the first ones see every row, the later ones only what is heavy."""
    share = FALLING ** np.arange(rounds)
    return share / share.sum()


def magnitudes(column: Column) -> np.ndarray:
    """Public edges that any column's range can be told by: years for dates, 1-2-5 steps of either sign for numbers."""
    if column.kind in ("date", "datetime"):
        return np.array([column.to_axis(_new_year(column, year)) for year in range(1850, 2151)])
    lowest, highest = (0, 15) if column.kind == "integer" else (-6, 15)
    positive = [m * 10.0**e for e in range(lowest, highest) for m in (1, 2, 5)]
    return np.array([-p for p in reversed(positive)] + [0.0] + positive)


def _new_year(column: Column, year: int) -> dt.date:
    return dt.date(year, 1, 1) if column.kind == "date" else dt.datetime(year, 1, 1)


def _span(edges: np.ndarray, noisy: Marginal, step: float | None) -> tuple[float, float]:
    """From the lowest to the highest cell whose noisy count stands out; the fullest one where none does.

    An empty cell stands out with probability under 1 in 1,000, taken over all cells together.
    """
    inner = noisy.counts[1:-1]
    full = np.flatnonzero(inner > noisy.sigma * math.sqrt(2 * math.log(1000 * len(inner))))
    first, last = (full[0], full[-1]) if len(full) else (np.argmax(inner),) * 2
    return float(edges[first]), float(edges[last + 1]) - (step or 0.0)


def _root(column: Column, low: float, high: float) -> _Tree:
    """The whole range as one cell; a column without a step is cut into `VIRTUAL_STEPS`."""
    step = column.step or (high - low) / VIRTUAL_STEPS or 1.0
    size = round((high - low) / step) + 1 if column.step else VIRTUAL_STEPS
    rounds = 1 if size <= SINGLE_ROUND else 1 + math.ceil(math.log(size / FIRST, BRANCH))
    return _Tree(column, low, step, np.array([0]), np.array([size]), np.array([0.0]), np.array([True]), rounds)


def _children(tree: _Tree, r: int) -> list[np.ndarray]:
    """For every cell marked `split`, the cuts that divide it, its own two ends included."""
    cuts = []
    for a, b in zip(tree.start[tree.split], tree.end[tree.split], strict=True):
        parts = (b - a if b - a <= SINGLE_ROUND else FIRST) if r == 0 else min(BRANCH, b - a)
        cuts.append(a + np.arange(parts + 1) * (b - a) // parts)
    return cuts


def _inner_edges(tree: _Tree, cuts: list[np.ndarray]) -> np.ndarray:
    """Edges of the cells, without the two ends of the range, so that whatever lies beyond those falls into the outer cells."""
    at = np.unique(np.concatenate(cuts))
    return tree.positions(at[(at > tree.start.min()) & (at < tree.end.max())])


def _grow(tree: _Tree, cuts: list[np.ndarray], edges: np.ndarray, noisy: Marginal) -> None:
    """Replace the split cells by their measured children and mark the heavy ones among those for the next round."""
    first = len(tree.start) == 1
    start, end, count = [], [], []
    for family, parent in zip(cuts, tree.count[tree.split], strict=True):
        measured = noisy.counts[np.searchsorted(edges, tree.positions(family[:-1]), side="right")]
        start.append(family[:-1])
        end.append(family[1:])
        count.append(_shrunk(measured, np.diff(family), None if first else parent, noisy.sigma))
    keep, children = ~tree.split, sum(map(len, start))
    tree.start = np.concatenate([tree.start[keep], *start])
    tree.end = np.concatenate([tree.end[keep], *end])
    tree.count = np.concatenate([tree.count[keep], *count])
    tree.sigma = noisy.sigma
    heavy = tree.count > max(3 * noisy.sigma, tree.count.sum() / (2 * BINS))
    tree.split = heavy & (tree.end - tree.start > 1) & (np.arange(len(heavy)) >= len(heavy) - children)


def _shrunk(measured: np.ndarray, width: np.ndarray, parent: float | None, sigma: float) -> np.ndarray:
    """Better estimates of one cell's children: their sum agrees with the parent, and they are drawn towards a flat spread.

    The parent's count is as precise as one child's, so it outweighs the sum of m children m to 1. The deviations from a spread by
    width are shrunk by the positive-part James-Stein factor (Efron and Morris, JASA 1973, section 2), which leaves clear structure
    alone and removes what could be noise.
    """
    m = len(measured)
    total = float(measured.sum()) if parent is None else (m * parent + measured.sum()) / (m + 1)
    flat = total * width / width.sum()
    deviation = measured + (total - measured.sum()) / m - flat
    spread = float(deviation @ deviation)
    return flat + (max(0.0, 1 - (m - 3) * sigma**2 / spread) if m > 3 and spread > 0 else 1.0) * deviation


def _group(tree: _Tree, noise: float) -> Bins:
    """Group neighbouring cells into bins of similar mass; a heavy single value is a bin of its own.

    So many bins that a cell of a table of two such columns holds `CLEAR` times the noise it will be measured with, on average; and
    none so small that its own measurement does not stand out.
    """
    order = np.argsort(tree.start)
    start, end = tree.start[order], tree.end[order]
    mass = nonnegative(tree.count[order])
    bins = min(max(math.sqrt(mass.sum() / (CLEAR * noise)), FEWEST), BINS)
    alone = (mass >= mass.sum() / (2 * bins)) & (end - start == 1)
    enough = max(mass[~alone].sum() / max(bins - alone.sum(), FEWEST / 2), 4 * tree.sigma)
    starts, held = [0], 0.0
    for i, m in enumerate(mass):
        if i > starts[-1] and (alone[i] or held >= enough):
            starts.append(i)
            held = 0.0
        held += math.inf if alone[i] else m
    return Bins(tree.positions(np.append(start, end[-1])), np.array(starts), mass, tree.column.nullable)
