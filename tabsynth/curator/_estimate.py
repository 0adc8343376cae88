"""Noisy counts of cells that lie within one another -> masses that are zero where the rows are none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tabsynth.simplex import nonnegative

EMPTY, LONE = 2.5, 4.5
"""Counts together stand out where they are so many times their noise: usually, and where nothing is known of the neighbourhood, so that
whether anything is there at all hangs on it."""
FEW = 0.2
"""Cells that are expected to hold less than their noise, and together no more than this share, hold nothing where they do not stand out."""


def family(measured: np.ndarray, expected: np.ndarray, sigma: np.ndarray, total: float, empty: float = EMPTY) -> np.ndarray:
    """Masses of cells that share a total.

    Parameters
    ----------
    measured, sigma : ndarray, shape (m,)
        Noisy counts and the standard deviation of their noise.
    expected : ndarray, shape (m,)
        What an even spread would give, up to a factor.
    total : float
        What the masses add up to, in rows.
    empty : float
        As `EMPTY`.

    Returns
    -------
    ndarray of float64, shape (m,)

    Notes
    -----
    Cells that stand out above an even spread are taken aside, until none is left that does. What is left is as good as even; where it
    does not stand out even together, it is taken for empty, and so is a cell that falls clearly short of it and does not stand out.
    """
    expected = _even(1.0, expected)
    if len(measured) == 1 or total <= 0:
        return max(total, 0.0) * expected
    mass, low, left = np.zeros(len(measured)), np.ones(len(measured), dtype=bool), total
    least = max(empty, math.sqrt(2 * math.log(len(measured))) + 1)
    while low.any():
        high = np.flatnonzero(low)[measured[low] - _even(left, expected[low]) > least * sigma[low]]
        if not len(high):
            break
        low[high] = False
        inside, outside = (sigma[low] ** 2).sum(), (sigma[~low] ** 2).sum()
        left = ((total - measured[~low].sum()) * inside + measured[low].sum() * outside) / (inside + outside)
    mass[~low] = _shrunk(measured[~low], expected[~low], sigma[~low], total - left)
    if low.all() or left > empty * math.sqrt((sigma[low] ** 2).sum()):
        mass[low] = _shrunk(measured[low], expected[low], sigma[low], left)
        slight = low & (total * expected < sigma / 2) & (measured < least * sigma)
        if expected[slight].sum() < FEW * expected[low].sum():
            mass[slight] = 0.0
        short = low.copy()
        short[low] = _even(left, expected[low]) - measured[low] > least * sigma[low]
        mass[short & (measured < empty * sigma)] = 0.0
    held = mass != 0
    if not (mass > 0).any():
        return total * expected
    mass[held] = nonnegative(mass[held])
    return mass * (total / mass.sum())


def _even(total: float, expected: np.ndarray) -> np.ndarray:
    """An even spread of a total."""
    whole = expected.sum()
    return total * (expected / whole if whole > 0 else np.full(len(expected), 1 / len(expected)))


def _shrunk(measured: np.ndarray, expected: np.ndarray, sigma: np.ndarray, total: float) -> np.ndarray:
    """Counts that add up to a total, drawn towards an even spread by the positive-part James-Stein factor (Efron and Morris, JASA 1973)."""
    m = len(measured)
    if m < 2:
        return np.full(m, total)
    even = _even(total, expected)
    deviation = measured + (total - measured.sum()) * sigma**2 / (sigma**2).sum() - even
    spread = float((deviation**2 / sigma**2).sum())
    kept = max(0.0, 1 - (m - 3 if m > 3 else m - 1) / spread) if spread > 0 else 0.0
    return even + kept * deviation


def nested(
    measured: np.ndarray, expected: np.ndarray, labels: Sequence[np.ndarray], sigma: float, total: float, empty: float = EMPTY
) -> np.ndarray:
    """Masses of cells, estimated from the largest groups of neighbours down: thin but broad mass stands out in its group.

    Parameters
    ----------
    measured, expected : ndarray, shape (m,)
        Noisy counts of equal noise `sigma`, and what each cell would hold of an even spread, up to a factor.
    labels : sequence of ndarray of int, shape (m,)
        Groups of cells, from large to small, each within one of the group before.
    sigma, total, empty : float
        As in `family`.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    levels = [np.unique(label, return_inverse=True)[1] for label in labels] + [np.arange(len(measured))]
    parent, mass = np.zeros(len(measured), dtype=np.int64), np.array([total])
    for level in levels:
        groups = level.max() + 1
        sums, wide, held = (np.bincount(level, v, minlength=groups) for v in (measured, expected, np.ones(len(level))))
        above = np.zeros(groups, dtype=np.int64)
        above[level] = parent
        new = np.zeros(groups)
        for p in np.unique(above):
            mine = above == p
            new[mine] = family(sums[mine], wide[mine], sigma * np.sqrt(held[mine]), mass[p], empty)
        parent, mass = level, new
    return mass
