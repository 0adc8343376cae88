"""On which grid of numbers a column's values lie: whole numbers, tenths, quarters, hundreds, or none. The list of grids is public."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabsynth.codec import Grid, on_step
from tabsynth.curator._masses import threshold
from tabsynth.schema import Column

COARSEST, FINEST = 6, -9
"""Powers of ten between which steps are looked for."""
TRIED = 10_000
SEEN = 0.01
"""Least share of the values that coarser steps than the finest are worth telling apart for."""


def steps(column: Column) -> np.ndarray:
    """Public steps, coarse ones first: 1, 1/2 and 1/4 of each power of ten, as far as the column's own step allows them."""
    every = np.array([float(f"{m}e{e - 2}") for e in range(COARSEST, FINEST - 1, -1) for m in (100, 50, 25)])
    own = column.step
    return every if own is None else np.unique([s for s in every if _divides(own, s)] + [own])[::-1]


def _divides(fine: float, coarse: float) -> bool:
    ratio = coarse / fine
    return round(ratio) >= 1 and math.isclose(ratio, round(ratio), rel_tol=1e-9)


def classes(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Number of the coarsest step that each value is a multiple of: 0 for zero itself, 1 for the first step, and so on, then none.

    It depends on the value alone, so that one row lies in one class.
    """
    values = np.asarray(values, dtype=float)
    out = np.full(len(values), len(grid) + 1)
    out[values == 0] = 0
    left = np.flatnonzero(values)
    for i, step in enumerate(grid, 1):
        on = on_step(values[left], step) == values[left]
        out[left[on]] = i
        left = left[~on]
    return out


@dataclass(frozen=True)
class Grids:
    """Noisy numbers of values in each of the `classes` of the column's `steps`."""

    steps: np.ndarray
    counts: np.ndarray
    sigma: float

    @property
    def _present(self) -> np.ndarray:
        return self.counts > threshold(len(self.counts), 0.05) * self.sigma

    def step(self, own: float | None) -> float | None:
        """The coarsest step that all classes that stand out share; the column's own where none does, or where values lie on none."""
        present = self._present
        seen = self.steps[present[1:-1]]
        if present[-1]:
            return own
        if len(seen):
            return next((float(s) for s in self.steps if all(_divides(s, p) for p in seen)), own)
        return own if not present[0] else float(own or 1.0)

    def mixed(self) -> bool:
        """Whether some values lie on a grid, or are zero, and others on none."""
        present = self._present
        return bool(present[-1] and present[:-1].any())

    def shares(self, step: float | None, heavy: np.ndarray, mass: np.ndarray) -> Grid:
        """How the values that are not `heavy` themselves share the steps, coarse steps first.

        Of the multiples of a step some are multiples of a coarser one by chance; only what goes beyond that is told apart.
        """
        taken = np.bincount(classes(heavy, self.steps), weights=mass, minlength=len(self.counts))
        left, noise = np.maximum(self.counts - taken, 0.0), threshold(len(self.counts), 0.05) * self.sigma
        total = left[1:].sum()
        if total <= noise:
            return ((step or 0.0, 1.0),)
        finest = len(self.steps) + 1 if step is None else int(np.argmin(np.abs(self.steps - step))) + 1
        found = []
        for i in range(finest, 0, -1):
            chance = np.zeros(len(left)) if i > len(self.steps) else self._by_chance(i)
            own = left[i] / max(chance[i], 1e-9) if i <= len(self.steps) else left[i]
            if i == finest or own > max(noise, SEEN * total):
                found.append((0.0 if i > len(self.steps) else float(self.steps[i - 1]), max(own, 1e-9)))
                left = np.maximum(left - own * chance, 0.0)
        whole = sum(share for _, share in found)
        return tuple((s, share / whole) for s, share in reversed(found))

    def _by_chance(self, i: int) -> np.ndarray:
        """Shares of the classes among the multiples of a step."""
        multiples = on_step(np.arange(1, TRIED + 1) * self.steps[i - 1], self.steps[i - 1])
        return np.bincount(classes(multiples, self.steps), minlength=len(self.counts)) / TRIED
