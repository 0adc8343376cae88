"""Noisy counts of cells that lie within one another -> masses that are zero where the rows are none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

EMPTY, LONE = 2.5, 4.5
"""A cell in clear structure whose count lies below so many times its noise is taken for empty: usually, and where nothing is known of its
neighbourhood, so that whether anything is there at all hangs on it."""
CLEAR = 0.8
"""Structure is clear where no more than 1 - `CLEAR` of the squared deviations from an even spread can be noise."""


def family(measured: np.ndarray, expected: np.ndarray, sigma: np.ndarray, total: float, *, empty: float = EMPTY) -> np.ndarray:
    """Masses of cells that share a total.

    Parameters
    ----------
    measured, sigma : ndarray, shape (m,)
        Noisy counts and the standard deviation of their noise.
    expected : ndarray, shape (m,)
        Shares that an even spread would give, of sum 1.
    total : float
        What the masses add up to, in rows.
    empty : float
        As `EMPTY`; more where there are many cells. 0 if none may be taken for empty.

    Returns
    -------
    ndarray of float64, shape (m,)

    Notes
    -----
    The deviations from the even spread are shrunk by the positive-part James-Stein factor (Efron and Morris, JASA 1973), so that what
    could be noise goes. Where much is left, the spread is not even, and a count that does not stand out from noise counts as none.
    """
    m = len(measured)
    even = max(total, 0.0) * expected
    if m == 1 or total <= 0:
        return even
    deviation = measured + (total - measured.sum()) * sigma**2 / (sigma**2).sum() - even
    spread = float((deviation**2 / sigma**2).sum())
    kept = max(0.0, 1 - (m - 3 if m > 3 else m - 1) / spread) if spread > 0 else 0.0
    mass = even + kept * deviation
    least = max(empty, math.sqrt(2 * math.log(m)) + 0.5) * sigma
    mass[(empty > 0) & (measured < least) & ((even - measured > least) | (kept > CLEAR))] = 0.0
    mass = np.maximum(mass, 0.0)
    return mass * (total / mass.sum()) if mass.sum() > 0 else even


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
            new[mine] = family(sums[mine], wide[mine] / wide[mine].sum(), sigma * np.sqrt(held[mine]), mass[p], empty=empty)
        parent, mass = level, new
    return mass
