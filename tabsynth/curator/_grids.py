"""On which grid of numbers a column's values lie: whole numbers, tenths, quarters, hundreds, or none. The list of grids is public."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabsynth.cells import Grid, on_step
from tabsynth.curator._masses import threshold
from tabsynth.schema import Column

COARSEST, FINEST = 6, -9
"""Powers of ten between which steps are looked for."""
TRIED = 10_000
SEEN = 0.01
"""Least share of the values that coarser steps than the finest are worth telling apart for."""


def steps(column: Column) -> np.ndarray:
    """Public grids, coarse ones first, as far as the column's own step allows them.

    Multiples of 1, 1/2 and 1/4 of each power of ten; and what lies just below multiples of 1 to 10,000: 99, 999, x.99, x.95.

    Returns
    -------
    ndarray of float64, shape (grids, 2)
        Step and offset of each.
    """
    every = [(float(f"{m}e{e - 2}"), 0.0) for e in range(COARSEST, FINEST - 1, -1) for m in (100, 50, 25)]
    every += [(10.0**e, round(10.0**e - below, 2)) for e in range(5) for below in (0.01, 0.05, 1.0) if below < 10**e]
    own = column.step
    if own is not None:
        every = [g for g in {*every, (own, 0.0)} if _divides(own, *g)]
    return np.array(sorted(every, key=lambda g: (-g[0], g[1])))


def _divides(fine: float, step: float, offset: float) -> bool:
    """Whether all of a grid's values are multiples of a finer step."""
    return step >= fine * (1 - 1e-9) and all(
        math.isclose(x / fine, round(x / fine), rel_tol=1e-9, abs_tol=1e-9) for x in (step, offset)
    )


def classes(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Number of the first grid that each value lies on: 0 for zero itself, 1 for the first grid, and so on, then none.

    It depends on the value alone, so that one row lies in one class.
    """
    values = np.asarray(values, dtype=float)
    out = np.full(len(values), len(grid) + 1)
    out[values == 0] = 0
    left = np.flatnonzero(values)
    for i, (step, offset) in enumerate(grid, 1):
        on = on_step(values[left], step, offset) == values[left]
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
            return next((float(s) for s, offset in self.steps if not offset and all(_divides(s, *g) for g in seen)), own)
        return own if not present[0] else float(own or 1.0)

    def mixed(self) -> bool:
        """Whether some values lie on a grid, or are zero, and others on none."""
        present = self._present
        return bool(present[-1] and present[:-1].any())

    def shares(self, step: float | None, heavy: np.ndarray, mass: np.ndarray) -> Grid:
        """How the values that are not `heavy` themselves share the grids, coarse ones first.

        Of the multiples of a step some lie on a coarser grid by chance; only what goes beyond that is told apart.
        """
        noise = threshold(len(self.counts), 0.05) * self.sigma
        left = self.counts - np.bincount(classes(heavy, self.steps), weights=mass, minlength=len(self.counts))
        total = left[left > noise].sum()
        finest = len(self.steps)
        if step is not None:
            finest = int(np.flatnonzero(np.isclose(self.steps[:, 0], step) & (self.steps[:, 1] == 0))[0])
        grids = [*map(tuple, self.steps.tolist()), (0.0, 0.0)]
        found = []
        for i in range(finest, -1, -1):
            if i < finest and left[i + 1] <= max(noise, SEEN * total):
                continue
            chance = self._by_chance(i) if grids[i][0] else (np.arange(len(left)) == i + 1) * 1.0
            own = max(left[i + 1], 0.0) / chance[i + 1]
            found.append((*grids[i], own))
            left = left - own * chance
        whole = sum(own for *_, own in found)
        return tuple((s, o, float(own / whole) if whole else 1.0) for s, o, own in reversed(found))

    def _by_chance(self, i: int) -> np.ndarray:
        """Shares of the classes among the values of a grid."""
        step, offset = self.steps[i]
        values = on_step(offset + step * np.arange(1, TRIED + 1), step, offset)
        return np.bincount(classes(values, self.steps), minlength=len(self.counts)) / TRIED
