"""Buy what the schema does not say: category lists and shares of long ones (`_lists`), ranges, and bins for wide numeric columns.

Where a numeric column's values lie comes from one noisy histogram over magnitudes (1, 2, 5, 10, ... of either sign) within the public range,
so that it matters little how wide that is. Cells that hold much are cut again (in the spirit of PrivTree: Zhang, Xiao and Xie, SIGMOD
2016), down to single values, so heavy values stand alone and empty stretches cost nothing; those that do not stand out are empty
(`_masses`). Neighbouring cells are then grouped into bins of similar mass. All that happens after the noise is post-processing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabsynth.access import Marginal
from tabsynth.cells import shared, slopes
from tabsynth.codec import Bins, Codec, Labels, public_coder
from tabsynth.curator import _grids, _groups, _masses
from tabsynth.curator._axis import SINGLES, Axis
from tabsynth.curator._grids import Grids
from tabsynth.curator._lists import lists
from tabsynth.curator._moments import moments
from tabsynth.curator.table import PrivateTable
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import Column
from tabsynth.simplex import projected
from tabsynth.times import Times, is_temporal

ROUNDS, FALLING = 6, 0.6
"""Most rounds of cutting after the first histogram; each gets that much of what the one before did."""
GRID, FIRST = 0.1, 0.35
"""Shares of a column's price: for the grid its values lie on, and of the rest for the first histogram, where rounds may follow."""
BINS = 32
"""Most bins a column."""
LEAST, ALONE = 4.0, 16.0
"""A bin holds that many times the noise that its own measurement will have; a single value for which a bin more is made, so that its relations are told, too."""
FINE, SPIKE = 128, 3.0
"""Cells are looked into that hold one part in twice `FINE`, if that is `ALONE` times the noise. A single value that does, and has `SPIKE` times the density of the cells beside it, is a bin more."""

AFTER, MAYBE = 2, 1.0
"""So many of the first cells beyond those that stand out may hold a tail, if they are that many standard deviations above zero together."""
SHARE, MOST = 0.03, 0.25
"""Each column with something to buy gets this share of the budget (more where columns are few, a datetime twice), all together at most `MOST`."""


Coder = Labels | GroupedLabels | Bins | Times


def discover(table: PrivateTable, known: Mapping[str, Coder] | None = None) -> Codec:
    """Buy what is missing and return the codec that the public and the bought facts make.

    Spends at most `MOST` of the budget. Which columns need something, and in how many rounds, is public.

    Parameters
    ----------
    table : PrivateTable
    known : mapping from a column to its coder, optional
        What is known beside the schema.
    """
    schema = table.schema
    coders: dict[str, Coder | None] = {c.name: public_coder(c) for c in schema.modelled} | dict(known or {})
    needy = [c for c in schema.modelled if coders[c.name] is None]
    weights = {c.name: 2 if c.kind == "datetime" else 1 for c in needy}
    cost = table.left() * min(max(SHARE, MOST / len(schema.modelled)), MOST / sum(weights.values())) if needy else 0.0
    coders |= lists(table, [c for c in needy if c.kind == "categorical"], cost)
    coders |= _bins(table, {c.name: c for c in needy if c.numeric and not is_temporal(c)}, cost)
    timed = {c.name: c for c in needy if is_temporal(c)}
    coders |= moments(table, timed, {name: cost * weights[name] for name in timed})
    return Codec(schema, coders)


Counted = tuple[np.ndarray, "float | np.ndarray"]
"""Noisy counts of cells, and the noise of all or of each."""


@dataclass
class _Tree:
    """The cells of one column so far, sorted: from `start` up to but without `end`, and what they are estimated to hold.

    `spread` is the standard deviation of each estimate's noise, `cut` says which cells the next round looks into.
    """

    axis: Axis
    start: np.ndarray
    end: np.ndarray
    mass: np.ndarray
    spread: np.ndarray
    cut: np.ndarray
    found: bool = True

    def whole(self) -> bool:
        """Whether every cell holds a single value, so that nothing is left to cut."""
        return bool(self.axis.single(self.start, self.end).all())

    def edges(self) -> np.ndarray:
        """Edges of the cells that the next round asks for."""
        at = [np.append(self.axis.children(a, b), b) for a, b in zip(self.start[self.cut], self.end[self.cut], strict=True)]
        return np.unique(np.concatenate(at))

    def mark(self, sigma: float, new: np.ndarray) -> None:
        """Look next into the new cells that are heavy, and clear of noise as large as theirs was."""
        total = self.mass.sum()
        heavy = (self.mass > max(3 * sigma, total / (2 * BINS))) | (self.mass > max(ALONE * sigma, total / (2 * FINE)))
        divisible = ~self.axis.single(self.start, self.end)
        divisible[divisible] = [
            len(self.axis.cuts(a, b)) > 0 for a, b in zip(self.start[divisible], self.end[divisible], strict=True)
        ]
        self.cut = heavy & divisible & new & self.found


def _bins(table: PrivateTable, columns: Mapping[str, Column], cost: float) -> dict[str, Bins]:
    axes = {name: Axis(c, c.step) for name, c in columns.items()}
    wide = [name for name, c in columns.items() if c.kind in ("integer", "float") and not axes[name].short()]
    steps = {name: _grids.steps(columns[name]) for name in wide}
    noisy = table.grids(steps, cost=dict.fromkeys(wide, GRID * cost)) if wide else {}
    grids = {name: _grids.Grids(steps[name], m.counts.astype(float), m.sigma) for name, m in noisy.items()}
    axes |= {name: Axis(columns[name], g.step(columns[name].step), g.mixed()) for name, g in grids.items()}
    edges = {name: axis.first() for name, axis in axes.items()}
    final = {name: len(e) <= SINGLES + 2 and bool(axes[name].single(e[:-1], e[1:]).all()) for name, e in edges.items()}
    paid = {name: cost * (1 - GRID * (name in grids)) for name in columns}
    price = {name: paid[name] * (1 if final[name] else FIRST) for name in columns}
    noisy = _range(table, edges, price)
    trees = {name: _root(axes[name], edges[name], *noisy[name]) for name in columns}
    again = {name: paid[name] - price[name] for name, tree in trees.items() if not (tree.found or final[name])}
    for name, (counts, sigma) in _range(table, {name: edges[name] for name in again}, again).items():
        trees[name] = _root(axes[name], edges[name], *_together([noisy[name], (counts, sigma)]))
        trees[name].cut[:] = False
    told: dict[str, list[Counted]] = {name: [first] for name, first in noisy.items()}
    falling = FALLING ** np.arange(ROUNDS)
    for share in (1 - FIRST) * falling / falling.sum():
        growing = {name: t for name, t in trees.items() if t.cut.any()}
        if not growing:
            break
        asked = {name: np.union1d(t.edges(), edges[name][1:-1]) for name, t in growing.items()}
        answers = table.cells(asked, cost={name: share * paid[name] for name in growing}, note="bins")
        for name, tree in growing.items():
            _grow(tree, asked[name], answers[name])
            told[name].append(_summed(asked[name], answers[name], edges[name]))
    trees = {name: _retold(t, edges[name], told[name]) if t.found and len(told[name]) > 1 else t for name, t in trees.items()}
    noise = table.sigma(table.left() / (2 * len(table.schema.modelled)))
    bins = {name: _group(tree, noise, grids.get(name)) for name, tree in trees.items()}
    return {name: _ended(b, edges[name], *_together(told[name])) if trees[name].found else b for name, b in bins.items()}


def _ended(bins: Bins, edges: np.ndarray, counts: np.ndarray, sigma: float) -> Bins:
    """The bins, with one more at either end where the next `AFTER` of the first cells may hold a tail that does not stand out: what a model measures of it, tells.

    Parameters
    ----------
    bins : Bins
    edges, counts : ndarray
        The first cells and all that was counted of them.
    sigma : float
    """

    def may_be(cells: np.ndarray) -> bool:
        return counts[cells].sum() > MAYBE * sigma * math.sqrt(len(cells))

    first, last = bins.edges[[0, -1]]
    above, below = np.flatnonzero(edges[:-1] >= last)[:AFTER], np.flatnonzero(edges[1:] <= first)[-AFTER:]
    if may_be(above):
        bins = bins.above(edges[above + 1], projected(counts[above], max(counts[above].sum(), 1.0)))
    if may_be(below):
        bins = bins.below(edges[below], projected(counts[below], max(counts[below].sum(), 1.0)))
    return bins


def _range(table: PrivateTable, edges: Mapping[str, np.ndarray], price: Mapping[str, float]) -> dict[str, Counted]:
    """Noisy counts of the cells between each column's edges, and their sigma; what lies beyond the ends is in the outer cells."""
    noisy = table.cells({name: e[1:-1] for name, e in edges.items()}, cost=price, note="range") if edges else {}
    return {name: (m.counts.astype(float), m.sigma) for name, m in noisy.items()}


def _together(told: Sequence[Counted]) -> tuple[np.ndarray, float]:
    """Counts of the same cells as one, weighted by their precision; and the noise of the cell that is known best."""
    weights = np.array([np.broadcast_to(sigma, len(counts)) ** -2.0 for counts, sigma in told])
    precision = weights.sum(axis=0)
    return (weights * [counts for counts, _ in told]).sum(axis=0) / precision, float(precision.max() ** -0.5)


def _root(axis: Axis, edges: np.ndarray, counts: np.ndarray, sigma: float) -> _Tree:
    """The first cells: those that stand out, or where none does, those that are likely before anything is known."""
    kept = _masses.standing(counts, sigma, axis.short())
    if found := bool(kept.any()):
        mass = _masses.filled(counts, kept, edges, sigma)
        kept = mass > 0
        if axis.short() and kept.sum() > 1:
            even = np.full(kept.sum(), 1 / kept.sum())
            mass[kept] = _masses.children(counts[kept], even, mass.sum(), sigma * math.sqrt(kept.sum()), sigma)
    else:
        kept = np.ones(len(counts), dtype=bool)
        if axis.column.minimum is None:
            kept = _masses.plausible(counts, sigma, _prior(edges))
        mass = kept * max(counts[kept].sum(), 1.0) / kept.sum()
    inner = slice(np.argmax(kept), len(kept) - np.argmax(kept[::-1]))
    start, end, mass = edges[:-1][inner], edges[1:][inner], mass[inner]
    tree = _Tree(axis, start, end, mass, np.full(len(mass), sigma), np.zeros(len(mass), dtype=bool), found)
    tree.mark(sigma, np.ones(len(mass), dtype=bool))
    return tree


def _prior(edges: np.ndarray) -> np.ndarray:
    """Log-odds, before any count is seen, that a column without a public range lies in a cell: positive and about 100."""
    middle = edges[:-1] / 2 + edges[1:] / 2
    return -np.abs(np.log10(np.maximum(np.abs(middle), 1e-300)) - 2) - 2.0 * (middle < 0)


def _grow(tree: _Tree, edges: np.ndarray, noisy: Marginal) -> None:
    """Put the measured parts in the place of each cell that was cut."""
    parts, slope, held = [], slopes(np.append(tree.start, tree.end[-1]), tree.mass), np.flatnonzero(tree.mass)
    for i, (a, b) in enumerate(zip(tree.start, tree.end, strict=True)):
        if not tree.cut[i]:
            parts.append((np.array([a]), np.array([b]), tree.mass[[i]], tree.spread[[i]], np.array([False])))
            continue
        start = tree.axis.children(a, b)
        end = np.append(start[1:], b)
        counts = noisy.counts[np.searchsorted(edges, start, side="right")].astype(float)
        falls = int(i == held[-1]) - int(i == held[0])
        mass = _masses.children(counts, shared(np.append(start, b), slope[i]), tree.mass[i], tree.spread[i], noisy.sigma, falls)
        parts.append((start, end, mass, np.full(len(start), noisy.sigma), np.ones(len(start), dtype=bool)))
    tree.start, tree.end, tree.mass, tree.spread, new = (np.concatenate(column) for column in zip(*parts, strict=True))
    tree.mark(noisy.sigma, new)


def _summed(asked: np.ndarray, noisy: Marginal, edges: np.ndarray) -> Counted:
    """What a later histogram says of the first cells, and the noise of each: those that were not cut are counted again for nothing."""
    starts = np.append(0, np.searchsorted(asked, edges[1:-1]) + 1)
    parts = np.diff(np.append(starts, len(asked) + 1))
    return np.add.reduceat(noisy.counts.astype(float), starts), noisy.sigma * np.sqrt(parts)


def _retold(tree: _Tree, edges: np.ndarray, told: Sequence[Counted]) -> _Tree:
    """The tree with the masses that all histograms together give the first cells; the cells below share theirs as before."""
    new = _root(tree.axis, edges, *_together(told))
    if not new.found:
        return tree
    owner = np.searchsorted(new.start, tree.start, side="right") - 1
    inside = (owner >= 0) & (tree.start < new.end[-1])
    held = np.bincount(owner[inside], tree.mass[inside], len(new.start))
    kept, alone = inside & (held[owner] > 0), held <= 0
    scale = new.mass[owner[kept]] / held[owner[kept]]
    start, end, mass = (
        np.concatenate([getattr(new, name)[alone], getattr(tree, name)[kept] * by])
        for name, by in (("start", 1), ("end", 1), ("mass", scale))
    )
    order = np.argsort(start, kind="stable")
    return replace(new, start=start[order], end=end[order], mass=mass[order])


def _spikes(tree: _Tree) -> np.ndarray:
    """Which cells are far denser than those beside them."""
    width = tree.end - tree.start
    density = np.concatenate([[0.0], tree.mass / width, [0.0]])
    return tree.mass > SPIKE * np.maximum(density[:-2], density[2:]) * width


def _group(tree: _Tree, noise: float, grids: Grids | None) -> Bins:
    """Group neighbouring cells into bins of similar mass; a heavy single value is a bin of its own.

    As many as `_groups.wanted`, and none so small that its own measurement does not stand out.
    """
    mass, total, column = tree.mass, tree.mass.sum(), tree.axis.column
    bins = _groups.wanted(total, noise, BINS)
    single = tree.axis.single(tree.start, tree.end)
    alone = (mass >= max(total / (2 * bins), LEAST * noise)) & single
    enough = _groups.share(mass, alone, bins)
    if tree.found:
        enough = max(enough, LEAST * noise)
    alone |= single & _spikes(tree) & (mass >= max(total / (2 * FINE), ALONE * noise))
    starts = _groups.starts(mass, alone, enough)
    held = mass[starts[-1] :].sum()
    if len(starts) > 1 and held < enough / 2 and not alone[starts[-2:]].any():
        starts.pop()
    grid = grids.shares(tree.axis.step, tree.start[single], mass[single]) if grids else ()
    return Bins(np.append(tree.start, tree.end[-1]), np.array(starts), mass, column.nullable, grid, tree.found, column.sentinels)
