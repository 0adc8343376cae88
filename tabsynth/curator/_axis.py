"""Where an axis of numbers is cut: public edges, chosen from its kind, its public range and its step alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabsynth.cells import on_step
from tabsynth.codec import FARTHEST
from tabsynth.schema import Column

SINGLES = 128
"""A range of at most this many steps is cut into single values at once."""
PARTS = 40
"""Most parts that a cell is cut into; up to twice as many where those are single values."""
FINEST = 1e-13
"""A cell narrower than this, in terms of its distance from zero, is not cut: doubles hardly tell more apart."""

CLOSE, FAR = 9, 18
"""Numbers without a public range: 1-2-5 steps from 10**-CLOSE to 10**FAR, powers of ten beyond, to 10**(+-LAST)."""
LAST = 100


@dataclass(frozen=True)
class Axis:
    """A column's axis: `step` parts its values, None where they are not parted; `exact` asks whether single values of it are heavy."""

    column: Column
    step: float | None
    exact: bool = False

    def after(self, at: np.ndarray) -> np.ndarray:
        """The next value after each position."""
        return np.nextafter(at, np.inf) if self.step is None else on_step(at + self.step, self.step)

    def single(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Which cells from `start` up to but without `end` hold one value."""
        return end <= self.after(start)

    def short(self) -> bool:
        """Whether the public range has so few values that they are all asked for at once."""
        low, high = self.ends()
        return self.step is not None and (high - low) / self.step < SINGLES

    def first(self) -> np.ndarray:
        """Edges of the first cells, both ends included: whatever lies beyond an end counts as in the outer cell."""
        low, high = self.ends()
        if self.short():
            return on_step(low + self.step * np.arange(round((high - low) / self.step) + 2), self.step)
        inner = magnitudes(self.column, self.step)
        if self.column.minimum is None:
            return inner
        inner = inner[(inner > low) & (inner < high)]
        if len(inner) < 2:
            inner = self.cuts(low, high)
        own = [low, high, *self.after(np.array([low, high]))] if self.step or self.exact else [low, self.after(np.float64(high))]
        return np.unique(np.append(inner, own))

    def ends(self) -> tuple[float, float]:
        """Lowest and highest value: the public range, or the ends of `magnitudes`."""
        if self.column.minimum is None:
            edges = magnitudes(self.column, self.step)
            return float(edges[0]), float(edges[-1])
        return self.column.to_axis(self.column.minimum), self.column.to_axis(self.column.maximum)

    def cuts(self, low: float, high: float) -> np.ndarray:
        """Round positions within (low, high): multiples of the smallest round unit that leaves at most `PARTS` parts."""
        if self.step is not None and (high - low) / self.step <= 2 * PARTS:
            return on_step(low + self.step * np.arange(1, round((high - low) / self.step)), self.step)
        if self.step is None and high - low <= FINEST * max(abs(low), abs(high)):
            return np.array([])
        unit = self._unit((high - low) / PARTS)
        at = np.arange(math.floor(low / unit), math.ceil(high / unit) + 1.0)
        at = on_step(at * unit, unit)
        return at[(at > low) & (at < high)]

    def children(self, low: float, high: float) -> np.ndarray:
        """Starts of the parts of a cell, the first one's included; where values may be heavy, each cut is a part of its own."""
        starts = np.append(low, self.cuts(low, high))
        if self.exact and self.step is None:
            starts = np.unique(np.append(starts, self.after(starts)))
        return starts[starts < high]

    def _unit(self, least: float) -> float:
        step = self.step or 1.0
        return round_up(least / step) * step


def round_up(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least so much."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def magnitudes(column: Column, step: float | None = None) -> np.ndarray:
    """Public edges that any numbers' range can be told by: zero and 1-2-5 steps of either sign for numbers."""
    positive = np.array(
        [10.0**e for e in range(-LAST, -CLOSE)]
        + [float(f"{m}e{e}") for e in range(-CLOSE, FAR) for m in (1, 2, 5)]
        + [10.0**e for e in range(FAR, LAST + 1)]
    )
    low, high = FARTHEST[column.kind]
    positive = positive[(positive >= (step or 0)) & (positive < high)]
    zero = step or np.nextafter(0, 1)
    both = np.concatenate([-positive, [0.0, zero], positive, [float(low), float(high)]])
    return np.unique(both if step is None else on_step(both, step))
