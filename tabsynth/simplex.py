"""Noisy counts -> the closest counts there can be. Post-processing: it spends no privacy."""

from __future__ import annotations

import math

import numpy as np

TOGETHER = 2.5
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
    """`nonnegative`, after cells were emptied that stand out neither alone nor together from noise of standard deviation `sigma`.

    An empty cell would else keep the positive half of its noise, and what has many empty cells, as a wide range does, a wrong mean. Alone a cell
    has to reach what the largest of as many Gaussians usually does; the others have to exceed `TOGETHER` standard deviations of their sum.

    Parameters
    ----------
    noisy : ndarray of numbers, any shape
    sigma : float

    Returns
    -------
    ndarray of float64, same shape
    """
    x = np.asarray(noisy, dtype=float)
    low = x < sigma * math.sqrt(2 * math.log(max(x.size, 1)))
    if low.all() or x[low].sum() > TOGETHER * sigma * math.sqrt(low.sum()):
        return nonnegative(x)
    out = np.zeros(x.shape)
    out[~low] = projected(x[~low], max(float(x.sum()), 1.0))
    return out


def projected(noisy: np.ndarray, total: float) -> np.ndarray:
    """The closest non-negative values, in L2, that sum to `total` (above 0): float64, of the same shape."""
    x = np.asarray(noisy, dtype=float).ravel()
    descending = np.sort(x)[::-1]
    excess = (np.cumsum(descending) - total) / np.arange(1, len(x) + 1)
    last = np.flatnonzero(descending > excess)[-1]
    return np.maximum(x - excess[last], 0.0).reshape(np.shape(noisy))
