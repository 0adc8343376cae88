"""Tables of two and more columns, compared with what a walk expects of them: which are worth measuring. The comparison is paid for, the rest is free."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.access import Counts
from tabsynth.models import _tables
from tabsynth.models._field import Groups
from tabsynth.models._walk import Cells, Walk

TELLS = 0.5
"""One column tells the other where a pair is at least that far from what was expected, as a part of the largest distance."""


@dataclass(frozen=True)
class Look:
    """Tables that were compared together.

    Parameters
    ----------
    attrs : sequence of tuples of int
        Columns of each.
    groups : Groups or None
        For every column of the data, the group of each code in which they are counted; None for the codes themselves.
    expected : sequence of ndarray
    gain : ndarray
        How much farther than chance they are from what was expected, in rows.
    noise : float
        Standard deviation of a gain.
    """

    attrs: Sequence[Cells]
    groups: Groups | None
    expected: Sequence[np.ndarray]
    gain: np.ndarray
    noise: float

    def measure(self, data: Counts, walk: Walk, numbers: Sequence[int], costs: Sequence[float]) -> None:
        """Buy some of the tables and let the walk take them in."""
        noisy = data.measure([_named(data, self.attrs[q]) for q in numbers], costs=costs, groups=_by_name(data, self.groups))
        for q, m in zip(numbers, noisy, strict=True):
            groups = None if self.groups is None else [self.groups[i] for i in self.attrs[q]]
            walk.learn(m, self.attrs[q], self.expected[q], groups=groups)


def look(data: Counts, walk: Walk, attrs: Sequence[Cells], groups: Groups | None, cost: float) -> Look:
    """Noisy distances of tables to what the walk expects, all together for `cost`.

    The rows that walk are a sample, too: a part of their chance, most of which goes in the average over steps, is taken off.
    """
    expected = walk.expect(attrs, None if groups is None else [[groups[i] for i in a] for a in attrs])
    own = 0.0 if groups is None else walk.total / (2 * len(walk.codes))
    candidates = _tables.candidates([_named(data, a) for a in attrs], expected)
    noisy = data.score(candidates, cost=cost, groups=_by_name(data, groups))
    gain = noisy - [_tables.chance_distance(e, (1 + own) * e) for e in expected]
    return Look(attrs, groups, expected, gain, data.sigma(cost / len(attrs)))


def worth(looks: Sequence[Look], clear: float, noise: float, sigma: float, base: int, most: int) -> list[tuple[Look, int]]:
    """The tables to measure: the `base` pairs that gain most, and what else is worth it.

    A table of many columns counts with what it gains beyond every one looked at that it contains. Its gain has to exceed `clear` times its noise
    (twice that for more than two columns, for these are many). Beyond the first ones it also has to exceed `noise` times the noise of measuring it with all that
    were chosen before, or one of its two columns has to tell the other.

    Parameters
    ----------
    looks : sequence of Look
        Those of fewer columns first.
    clear, noise : float
    sigma : float
        Noise of one cell if all were spent on it. As `_tables.split` shares a budget, a table's noise in L1 norm is in proportion to its price,
        size**(2/3), and to the square root of the sum of all prices.
    base, most : int
        Pairs chosen by their gain alone, and most tables.
    """
    seen: dict[Cells, float] = {}
    found: list[tuple[float, Look, int]] = []
    for each in looks:
        for q, (attrs, gain) in enumerate(zip(each.attrs, each.gain, strict=True)):
            inner = (c for k in range(2, len(attrs)) for c in itertools.combinations(attrs, k))
            net = gain - max((seen.get(c, 0.0) for c in inner), default=0.0)
            seen[attrs] = max(gain, 0.0)
            if net > clear * (1 if len(attrs) == 2 else 2) * each.noise:
                found.append((net, each, q))
    found.sort(key=lambda one: -one[0])
    first = [one for one in found if len(one[1].attrs[one[2]]) == 2][:base]
    chosen, prices = [(each, q) for _, each, q in first], sum(_price(each, q) for _, each, q in first)
    rest = [one for one in found if one[1:] not in chosen]
    for net, each, q in sorted(rest, key=lambda one: -one[0] / _price(*one[1:])):
        price = _price(each, q)
        cost = noise * math.sqrt(2 / math.pi) * sigma * math.sqrt(prices + price) * price
        if net > cost or (len(each.attrs[q]) == 2 and told(net - clear * each.noise, each.expected[q]) > TELLS):
            chosen.append((each, q))
            prices += price
    return chosen[:most]


def _price(each: Look, q: int) -> float:
    return each.expected[q].size ** (2 / 3)


def told(gain: float, expected: np.ndarray) -> float:
    """How nearly one of two columns tells the other, from 0 to 1: their distance to what is expected, over the largest there can be.

    Where b = f(a), the L1 distance of the pair's table to independence is 2 n (1 - sum of b's squared shares).
    """
    rows = max(expected.sum(), 1.0)
    shares = [expected.sum(axis=axis) / rows for axis in range(2)]
    return float(np.clip(gain / (2 * rows * min(1 - (p**2).sum() for p in shares) + 1), 0, 1))


def grouped(data: Counts, walk: Walk, most: int) -> Groups:
    """Groups of every column's codes for tables of three columns: at most about `most`, at least 4."""
    columns = zip(data.domain, walk.shares, strict=True)
    return [np.arange(len(p)) if len(p) <= most else _tables.coarse(p, data.ordered[a], most) for a, p in columns]


def halves(data: Counts, walk: Walk) -> Groups:
    """Two groups of every column's codes for tables of many columns: around the median, or the most frequent label and the others."""
    out = []
    for a, p in zip(data.domain, walk.shares, strict=True):
        inner = np.cumsum(p[: data.ordered[a]])
        cut = int(np.searchsorted(inner, inner[-1] / 2)) + 1 if len(inner) else 0
        low = np.arange(len(p)) < min(cut, len(inner) - 1) if len(inner) > 1 else np.arange(len(p)) == p.argmax()
        out.append((~low).astype(np.int64))
    return out


def _named(data: Counts, attrs: Cells) -> tuple[str, ...]:
    names = list(data.domain)
    return tuple(names[i] for i in attrs)


def _by_name(data: Counts, groups: Groups | None) -> dict[str, np.ndarray] | None:
    return None if groups is None else dict(zip(data.domain, groups, strict=True))
