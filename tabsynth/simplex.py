"""Noisy counts -> the closest counts there can be. Post-processing: it spends no privacy."""

from __future__ import annotations

import numpy as np


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


def projected(noisy: np.ndarray, total: float) -> np.ndarray:
    """The closest non-negative values, in L2, that sum to `total` (above 0): float64, of the same shape."""
    x = np.asarray(noisy, dtype=float).ravel()
    descending = np.sort(x)[::-1]
    excess = (np.cumsum(descending) - total) / np.arange(1, len(x) + 1)
    last = np.flatnonzero(descending > excess)[-1]
    return np.maximum(x - excess[last], 0.0).reshape(np.shape(noisy))
