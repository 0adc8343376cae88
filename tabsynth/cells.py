"""Values within the cells of an axis: with the slope that neighbouring cells tell, and on the grids that values lie on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Grid = tuple[tuple[float, float, float], ...]
"""Step, offset and share of the values that are a multiple of the step plus the offset; coarse ones first; a step of 0 is any value."""

STEEPEST = 5.0
"""Most by which the logarithm of a density is taken to change within a cell."""
HARDLY = 0.02
MOST_DIGITS = 15
MOST_GRIDS, SMALLEST_STEP, LARGEST_STEP = 80, 1e-12, 1e12
"""Most parts of a grid that is loaded, and how fine and coarse they may be."""


def slopes(edges: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio of the densities at the ends of each cell, as its neighbours tell.

    An inner cell's density runs from its left neighbour's to its right one's; an outer cell, or one beside an empty cell, continues
    what the other neighbour says. Where single values stand alone between cells, the next ones count.

    Parameters
    ----------
    edges : ndarray of float64, shape (m + 1,)
    mass : ndarray of float64, shape (m,)

    Returns
    -------
    ndarray of float64, shape (m,)
        From -`STEEPEST` to `STEEPEST`; 0 where nothing is known.
    """
    width = np.diff(edges)
    out = np.zeros(len(mass))
    beside = np.minimum(np.append(np.inf, width[:-1]), np.append(width[1:], np.inf))
    wide = np.flatnonzero((width > 0) & ((8 * width >= beside) | (len(width) == 1)))
    if len(wide) < 2:
        return out
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = np.log(mass[wide] / width[wide])
        middle = edges[wide] / 2 + edges[wide + 1] / 2
        left, right = density - np.append(np.nan, density[:-1]), np.append(density[1:], np.nan) - density
        near, far = middle - np.append(np.nan, middle[:-1]), np.append(middle[1:], np.nan) - middle
        left, right = (np.where(np.isfinite(d), d, np.nan) for d in (left, right))
        both = (left + right) / (near + far)
        slope = np.where(np.isfinite(both), both, np.where(np.isfinite(left), left / near, right / far))
        out[wide] = np.clip(np.nan_to_num(slope * width[wide], nan=0.0), -STEEPEST, STEEPEST)
    return out


def sloped(share: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Places in [0, 1], shares of the mass of a density that falls or rises exponentially by `slope` from 0 to 1."""
    steep = np.abs(slope) > 1e-6
    safe = np.where(steep, slope, 1.0)
    return np.where(steep, np.log1p(share * np.expm1(safe)) / safe, share)


def shared(edges: np.ndarray, slope: float) -> np.ndarray:
    """Shares of the parts between the edges of a cell whose density falls or rises exponentially by `slope` from its first to its last."""
    at = (edges - edges[0]) / (edges[-1] - edges[0])
    below = np.expm1(at * slope) / np.expm1(slope) if abs(slope) > 1e-6 else at
    return np.diff(below)


def on_step(positions: np.ndarray, step: float, offset: float = 0.0) -> np.ndarray:
    """The nearest multiples of a step, plus an offset, as the nearest floating-point numbers to what their digits say."""
    digits = max(_digits(step), _digits(offset)) if offset else _digits(step)
    at = np.rint((np.asarray(positions) - offset) / step) * step + offset
    return at if digits > MOST_DIGITS else at.round(digits)


def _digits(number: float) -> int:
    """Digits after the point."""
    scaled = (number * 10.0**d for d in range(MOST_DIGITS + 1))
    return next((d for d, x in enumerate(scaled) if round(x) and math.isclose(x, round(x), rel_tol=1e-9)), MOST_DIGITS + 1)


def on_grid(at: np.ndarray, low: np.ndarray, high: np.ndarray, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Positions in [low, high), moved to a value of one of the grids.

    A grid is drawn by its share, times the values of it that the cell holds over those that a stretch as long holds on average: a narrow cell around a value of
    a coarse grid holds mostly that value. Where hardly a value lies on the finest grid alone (`HARDLY`), all but the cells of a single value take the nearest one
    of a coarser grid, even if it is just beyond the cell.
    """
    steps, offsets, shares = np.array(grid, dtype=float).T
    whole = np.maximum(high - low, np.finfo(float).tiny)
    ends = [
        np.ceil((end - o) / s - 1e-9) if s else np.zeros(len(at))
        for s, o in zip(steps, offsets, strict=True)
        for end in (low, high)
    ]
    held = [last - first for first, last in zip(ends[::2], ends[1::2], strict=True)]
    per_value = [n * s / whole if s else np.ones(len(at)) for n, s in zip(held, steps, strict=True)]
    weight = shares[:, None] * np.stack(per_value)
    if shares[-1] < HARDLY * shares.sum() and steps[-1] > 0 and len(grid) > 1:
        wide = whole > 1.5 * steps[-1]
        weight[-1, wide] = 0.0
        lost = wide & (weight.sum(axis=0) <= 0)
        weight[-2, lost] = 1.0
    upto = np.cumsum(weight, axis=0)
    chosen = np.minimum((upto <= rng.random(len(at)) * upto[-1]).sum(axis=0), len(grid) - 1)
    out = np.maximum(np.minimum(at, np.nextafter(high, -np.inf)), low)
    for i in np.flatnonzero(steps > 0):
        rows, (first, last) = chosen == i, ends[2 * i : 2 * i + 2]
        place = (out - offsets[i]) / steps[i]
        inside = np.clip(np.floor(place + 1e-9), first, np.maximum(last - 1, first))
        nearest = np.where(i == len(grid) - 1, first, np.rint(place))
        out[rows] = on_step(np.where(last > first, inside, nearest)[rows] * steps[i] + offsets[i], steps[i], offsets[i])
    return out


def grid_of(values: Any, own: float | None) -> Grid | None:
    """A grid from plain data that anybody may have written; None where it is none, or has values that the column's `own` step has not."""
    if not (isinstance(values, list) and len(values) <= MOST_GRIDS and all(isinstance(v, list) and len(v) == 3 for v in values)):
        return None
    if not all(type(number) in (int, float) and abs(number) <= LARGEST_STEP for part in values for number in part):
        return None
    if not values:
        return ()
    steps, offsets, shares = np.array(values, dtype=float).T
    shared = (np.diff(steps) <= 0).all() and (shares >= 0).all() and (shares <= 1).all() and shares.sum() > 0
    sized = ((steps >= SMALLEST_STEP) | ((steps == 0) & (own is None))).all() and ((offsets >= 0) & (offsets <= steps)).all()
    fine = own is None or all(np.isclose(x / own, np.rint(x / own), rtol=0, atol=1e-6).all() for x in (steps, offsets))
    return tuple((float(a), float(b), float(c)) for a, b, c in values) if shared and sized and fine else None
