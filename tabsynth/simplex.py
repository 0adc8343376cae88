"""Noisy counts -> the closest counts there can be. Post-processing: it spends no privacy."""

from __future__ import annotations

import math

import numpy as np

TOGETHER = 2.0
"""Counts that do not stand out alone are zero unless they are together so many times their noise."""


def nonnegative(noisy: np.ndarray) -> np.ndarray:
    """The closest non-negative values, in L2, with the same total (at least 1): a common amount taken off, the rest cut at zero.

    Unlike cutting alone this does not lift the total by the noise of empty cells (Michelot, JOTA 1986; Held, Wolfe and Crowder 1974).

    Parameters
    ----------
    noisy : ndarray of numbers, any shape

    Returns
    -------
    ndarray of float64, same shape
    """
    return projected(noisy, max(float(np.sum(noisy)), 1.0))


def standing_out(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """`nonnegative` of counts in an order, after stretches were emptied that do not stand out from noise of standard deviation `sigma`.

    An empty cell would else keep the positive half of its noise, and a wide range, which has many empty cells, get a wrong mean. A stretch that exceeds
    `TOGETHER` standard deviations of its sum is halved; if neither half does, its mass is thin and broad, and stays.

    Parameters
    ----------
    noisy : ndarray of numbers, shape (m,)
    sigma : float

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    x, kept = np.asarray(noisy, dtype=float), np.ones(len(noisy), dtype=bool)

    def clear(part: slice) -> bool:
        return bool(x[part].sum() > TOGETHER * sigma * math.sqrt(part.stop - part.start))

    def halve(part: slice) -> None:
        middle = (part.start + part.stop) // 2
        halves = [(half, clear(half)) for half in (slice(part.start, middle), slice(middle, part.stop))]
        if part.stop - part.start > 1 and any(stands for _, stands in halves):
            for half, stands in halves:
                kept[half] = stands
                if stands:
                    halve(half)

    halve(slice(0, len(x)))
    out = np.zeros(len(x))
    out[kept] = projected(x[kept], max(float(x.sum()), 1.0))
    return out


def projected(noisy: np.ndarray, total: float) -> np.ndarray:
    """The closest non-negative values, in L2, that sum to `total` (above 0): float64, of the same shape."""
    x = np.asarray(noisy, dtype=float).ravel()
    descending = np.sort(x)[::-1]
    excess = (np.cumsum(descending) - total) / np.arange(1, len(x) + 1)
    last = np.flatnonzero(descending > excess)[-1]
    return np.maximum(x - excess[last], 0.0).reshape(np.shape(noisy))
