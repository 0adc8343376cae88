"""Columns that may be missing in the same rows, told by one small table each: in a table of all their codes, noise would hide it."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tabsynth.access import Counts, Marginal
from tabsynth.models._field import WIDEST
from tabsynth.models._walk import LINKED, Cells, Walk

PRICE = 0.08
"""Largest share of the budget for these tables."""
LEAST = 0.02
"""Columns are left out that less than that share of the rows lack, or have."""
NEAR = 3.0
"""Columns are counted together if the rows that lack them differ by at most that many standard deviations of the noise."""
SURE = 3.5
"""Where no rows are mixed, two columns are held to be together unless the noise of a pair's cell exceeds `SURE` - 1 of its standard deviations."""


def measure(data: Counts, walk: Walk, budget: float) -> None:
    """Buy the tables that are clear enough for `PRICE` of the budget, the cheapest first, and let the walk take in each pair of their columns."""
    names = list(data.domain)
    flags = [(np.arange(size) == size - 1).astype(np.int64) for size in walk.sizes]
    prices = {cells: _price(data, walk, cells, budget) for cells in _alike(data, walk)}
    ranked = sorted(prices, key=lambda cells: prices[cells])
    chosen = ranked[: int(np.searchsorted(np.cumsum([prices[c] for c in ranked]), PRICE * budget, side="right"))]
    if not chosen:
        return
    groups = {names[i]: flags[i] for cells in chosen for i in cells}
    tables = data.measure([tuple(names[i] for i in cells) for cells in chosen], costs=[prices[c] for c in chosen], groups=groups)
    told = [
        (cells, m, axes) for cells, m in zip(chosen, tables, strict=True) for axes in itertools.combinations(range(len(cells)), 2)
    ]
    pairs = [(cells[i], cells[j]) for cells, _, (i, j) in told]
    parts = [[flags[i] for i in pair] for pair in pairs]
    for (_, m, axes), pair, part, expected in zip(told, pairs, parts, walk.expect(pairs, parts), strict=True):
        walk.learn(_summed(m, axes), pair, expected, groups=part)


def _summed(table: Marginal, axes: tuple[int, int]) -> Marginal:
    """The table of two columns of a table whose columns all have two codes."""
    others = tuple(k for k in range(table.counts.ndim) if k not in axes)
    noise = table.sigma * 2 ** (len(others) / 2)
    return Marginal(tuple(table.attrs[k] for k in axes), table.counts.sum(axis=others), noise)


def _alike(data: Counts, walk: Walk) -> list[Cells]:
    """Columns, two to `WIDEST` at a time, that the same number of rows may lack; more of them are in several tables, all with the first."""
    share = np.array([p[-1] if has else 0.0 for p, has in zip(walk.shares, data.nullable.values(), strict=True)])
    out: list[list[int]] = [[]]
    for i in sorted(np.flatnonzero((share > LEAST) & (share < 1 - LEAST)), key=lambda i: share[i]):
        first = out[-1][:1]
        noise = math.hypot(*(walk.noise(j) for j in (i, *first))) / walk.total
        if not first or share[i] - share[first[0]] > NEAR * noise:
            out.append([int(i)])
        elif len(out[-1]) < WIDEST:
            out[-1].append(int(i))
        else:
            out.append([*first, int(i)])
    return [tuple(sorted(part)) for part in out if len(part) > 1]


def _price(data: Counts, walk: Walk, cells: Cells, budget: float) -> float:
    """What noise costs that hides no mixed rows: those of two independent columns are `LINKED` * `SURE` times that of a pair."""
    mixed = walk.total * min(p * (1 - p) for p in (walk.shares[i][-1] for i in cells))
    noise = mixed / (LINKED * SURE * 2 ** (len(cells) / 2 - 1))
    return budget * (data.sigma(budget) / noise) ** 2
