"""NOT PRIVATE. One number of a column in the three tables, how far it is off, and how surely: for `tabsynth.validate.columns`.

References
----------
Newcombe (1998), Statistics in Medicine 17(8), for differences of shares; David and Nagaraja (2003), Order Statistics, section 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.validate.intervals import newcombe

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
SPREAD = 1.5
"""The standard deviation may be off by so many times the tolerance."""
FAR = 2.0
"""An end is off from this multiple of its distance from the median on."""
SEEN = 2.0
"""A number settles nothing if its interval reaches further than so many tolerances to either side: three times what is tolerated passes."""
MOMENTS_AND_ENDS = 4
_CORE = ("mean", "share")
_NORMAL = 2.5631
"""Standard deviations between the 10 % and the 90 % quantile of a normal distribution."""


@dataclass(frozen=True)
class Rows:
    """One column of one table, without what is missing where it is numeric.

    Parameters
    ----------
    values : ndarray, shape (n,)
    units : ndarray of int, shape (n,), or None
        The privacy unit of each value, as 0, 1, ...: rows of one unit depend on each other. None where each row is a unit.
    """

    values: np.ndarray
    units: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def known(self) -> Rows:
        """Without what is missing, on an axis."""
        there = ~np.isnan(self.values)
        return Rows(self.values[there], None if self.units is None else pd.factorize(self.units[there])[0])

    def having(self, values: np.ndarray) -> Rows:
        """Other values of the same rows."""
        return Rows(values, self.units)

    @property
    def number(self) -> int:
        """How many units there are."""
        return len(self.values) if self.units is None else int(self.units.max(initial=-1)) + 1

    def people(self, *masks: np.ndarray) -> int:
        """The fewest units that have a row of one of the masks and are not none."""
        counts = [int(m.sum()) if self.units is None else len(np.unique(self.units[m])) for m in masks]
        return min((count for count in counts if count), default=0)

    def variance_of_mean(self, values: np.ndarray) -> float:
        """Of the mean of numbers that belong to the rows, by unit; infinite for a single unit."""
        if self.number < 2:
            return math.inf
        away = values - values.mean()
        sums = away if self.units is None else np.bincount(self.units, away)
        return float((sums**2).sum()) / len(values) ** 2 * self.number / (self.number - 1)

    def worth(self, holds: np.ndarray) -> float:
        """As many independent rows would know the share of a mask as well; where all agree, one a unit."""
        share = float(holds.mean())
        if self.units is None or not 0 < share < 1:
            return float(self.number)
        found = self.variance_of_mean(holds.astype(float))
        return min(float(len(self)), share * (1 - share) / found) if found > 0 else float(len(self))


@dataclass(frozen=True)
class Number:
    """One number of one column in the three tables.

    Parameters
    ----------
    what : {'mean', 'standard deviation', 'quantile', 'bottom', 'top', 'share'}
    of : str
        The rank of a quantile, the value of a share.
    train, holdout, synthetic : float or None
    off : float
        The synthetic table's difference from the training rows, in tolerances.
    usual : float or None
        The holdout's, likewise.
    surely : float
        The least it is off, at the level of all numbers together.
    unsure : float
        How far the interval reaches to either side, in tolerances.
    people : (int, int)
        Fewest units, of those that there are, behind the number of the training and of the holdout rows: for the small-cell rule.
    """

    what: str
    of: str
    train: float | None
    holdout: float | None
    synthetic: float | None
    off: float
    usual: float | None
    surely: float
    unsure: float
    people: tuple[int, int]

    @property
    def verdict(self) -> str:
        """`fail` where it is surely beyond the tolerance, `pass` where it is within and three times as much would have been noticed.

        Only mean, median and shares have to be that sure. Another number whose interval is wider says nothing: so long are the tails.
        """
        if self.surely > 1:
            return "fail"
        core, wide = self.what in _CORE or (self.what, self.of) == ("quantile", "50 %"), self.unsure > SEEN
        return "inconclusive" if (core and wide) or (self.off > 1 and not wide) else "pass"


def share(of: str, tables: Sequence[Rows], masks: Sequence[np.ndarray], z: float, tolerance: float, *, spike: bool) -> Number:
    shares = [float(mask.mean()) if len(mask) else 0.0 for mask in masks]
    least = tolerance if spike else min(max(shares[0] / 2, tolerance / 3), tolerance)
    worth = [table.worth(mask) if len(mask) else 0.0 for table, mask in zip(tables, masks, strict=True)]
    people = tables[0].people(masks[0], ~masks[0]), tables[1].people(masks[1], ~masks[1])
    if not (worth[0] and worth[2]):
        return Number("share", of, *shares, 0.0, None, 0.0, math.inf, people)
    low, high = newcombe(shares[2] * worth[2], worth[2], shares[0] * worth[0], worth[0], math.erf(z / 2**0.5))
    usual = abs(shares[1] - shares[0]) / least if worth[1] else None
    off = abs(shares[2] - shares[0]) / least
    return Number("share", of, *shares, off, usual, max(0.0, low, -high) / least, (high - low) / 2 / least, people)


def _scale(values: np.ndarray) -> float:
    """A column's own scale: see the module."""
    low, high = np.quantile(values, (0.1, 0.9))
    deviation = float(values.std())
    return min(deviation, max(float(high - low) / _NORMAL, deviation / 4)) or abs(float(values[0])) * 1e-9 or 1e-9


def moments(axis: Sequence[Rows], z: float, tolerance: float, show: Callable[[Any], Any]) -> Iterator[Number]:
    """Mean and variance, each against the sum of the two samples' own variances."""
    known = [rows for rows in axis if len(rows)]
    mean = {id(rows): float(rows.values.mean()) for rows in known}
    spread = {id(rows): (rows.values - mean[id(rows)]) ** 2 for rows in known}
    scale, variance = _scale(axis[0].values), float(spread[id(axis[0])].mean()) or 1e-18
    wide, people = SPREAD * tolerance, (axis[0].number, axis[1].number)
    for what, of, up, down in (
        ("mean", lambda rows: rows.values, tolerance * scale, tolerance * scale),
        ("standard deviation", lambda rows: spread[id(rows)], ((1 + wide) ** 2 - 1) * variance, (1 - max(1 - wide, 0) ** 2) * variance),
    ):  # fmt: skip
        real, other, made = ((float(of(rows).mean()), rows.variance_of_mean(of(rows))) if len(rows) else None for rows in axis)
        error = z * math.sqrt(real[1] + made[1])
        move = made[0] - real[0]
        unit = up if move > 0 else down
        told = [None if each is None else each[0] if what == "mean" else math.sqrt(each[0]) for each in (real, other, made)]
        told = [None if t is None else show(t) if what == "mean" else float(f"{t:.6g}") for t in told]
        usual = None if other is None else abs(other[0] - real[0]) / (up if other[0] > real[0] else down)
        yield Number(what, "", *told, abs(move) / unit, usual, max(0.0, abs(move) - error) / unit, error / unit, people)


def quantiles(axis: Sequence[Rows], z: float, tolerance: float, show: Callable[[Any], Any]) -> Iterator[Number]:
    """Order statistics, with intervals that hold for every distribution."""
    real, other, made = (np.sort(rows.values) for rows in axis)
    scale, middle = _scale(real), _at(real, 0.5)
    for p in QUANTILES:
        told = [None if not len(values) else _at(values, p) for values in (real, other, made)]
        slack = min(p, 1 - p) / 4 if p != 0.5 else 0.05
        unit = tolerance * max(scale, abs(told[0] - middle))
        band = _at(real, p - slack), _at(real, p + slack)
        off, usual = (None if t is None else max(t - band[1], band[0] - t, 0.0) / unit for t in (told[2], told[1]))
        low, high = _between(axis[2], made, p, z)
        least, most = _between(axis[0], real, p - slack, z)[0], _between(axis[0], real, p + slack, z)[1]
        surely = max(low - most, least - high, 0.0) / unit
        width = (high - low) / 2 / unit if math.isfinite(high - low) else math.inf
        shown = [None if t is None else show(t) for t in told]
        people = tuple(_beyond(rows, t, p) for rows, t in zip(axis[:2], told, strict=False))
        yield Number("quantile", f"{100 * p:g} %", *shown, off, usual, surely, width, people)


def _beyond(rows: Rows, position: float | None, p: float) -> int:
    """The fewest units beyond a quantile, or at and beyond it."""
    if position is None:
        return 0
    values = rows.values if p <= 0.5 else -rows.values
    position = position if p <= 0.5 else -position
    return rows.people(values < position, values <= position)


def _at(values: np.ndarray, p: float) -> float:
    """The quantile of sorted values: the smallest with at least that share of them at or below."""
    return float(values[min(max(math.ceil(p * len(values)) - 1, 0), len(values) - 1)])


def _between(rows: Rows, values: np.ndarray, p: float, z: float) -> tuple[float, float]:
    """Interval of a quantile: two order statistics, or infinity where the sample has none so far out."""
    n, worth = len(values), rows.worth(rows.values <= _at(values, p))
    half = z * n * math.sqrt(p * (1 - p) / max(worth, 1.0))
    low, high = math.floor(n * p - half) - 1, math.ceil(n * p + half)
    return float(values[low]) if low >= 0 else -math.inf, float(values[high]) if high < n else math.inf


def ends(axis: Sequence[Rows], z: float, show: Callable[[Any], Any]) -> Iterator[Number]:
    """How far the ends lie from the median, as a multiple of the training rows': by `FAR` for one tolerance.

    For tails no longer than a Pareto distribution's with exponent 1, all of the k outermost synthetic rows lie beyond c times the real
    end with a chance of at most (1 + c n / m) ** -k, n and m the numbers of real and synthetic rows: it is told where that is below the level.
    """
    middle = float(np.median(axis[0].values))
    level = math.log(math.erfc(z / 2**0.5))
    for what, sign in (("bottom", -1), ("top", 1)):
        real, other, made = (np.sort(sign * (rows.values - middle))[::-1] for rows in axis)
        reach = max(float(real[0]), _scale(axis[0].values) * 1e-3)
        times = made[made > FAR * reach] / reach
        chances = -np.arange(1, len(times) + 1) * np.log1p(times * axis[0].number / len(made))
        sure = times[chances < level]
        told = [show(sign * float(v[0]) + middle) if len(v) else None for v in (real, other, made)]
        usual = max(float(other[0]) / reach, 0.0) / FAR if len(other) else None
        off, surely = max(float(made[0]) / reach, 0.0) / FAR, float(sure[0]) / FAR if len(sure) else 0.0
        people = tuple(
            rows.people(rows.values == rows.values[np.argmax(sign * rows.values)]) if len(rows) else 0 for rows in axis[:2]
        )
        yield Number(what, "", *told, off, usual, surely, math.inf, people)
