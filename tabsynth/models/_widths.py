"""How wide the prior of a table's corrections is, told by the table itself (empirical Bayes). No privacy is spent here."""

from __future__ import annotations

import math

import numpy as np

from tabsynth.simplex import nonnegative

USUAL, DRIFT, DOUBT = 0.1, 0.01, 3.0
"""What the variance of effects on log-potentials is held to be before a table is seen, also where the walk starts from a known one; and the standard
deviation of either guess."""
CLEAR = 5.0
"""A count that many standard deviations from what a known table tells of it is another one."""


def spreads(
    deviation: np.ndarray, expected: np.ndarray, variance: np.ndarray, by: int | None, usual: float
) -> np.ndarray | float:
    """`spread_of` of the table, or of each code of its axis `by`, shaped to be multiplied with the table."""
    if by is None:
        return spread_of(deviation, expected, variance, usual)
    codes = range(expected.shape[by])
    each = [spread_of(*(x.take(c, by) for x in (deviation, expected, variance)), usual) for c in codes]
    return np.expand_dims(each, [axis for axis in range(expected.ndim) if axis != by])


def spread_of(deviation: np.ndarray, expected: np.ndarray, variance: np.ndarray, usual: float) -> float:
    """Variance t of effects w where deviation = expected * w + noise: moments, weighted by their precision, iterated.

    Where the noise leaves t open, as in cells of whom hardly any rows were expected, it is about `usual`.
    """
    spread = usual
    for _ in range(5):
        weight = expected**2 / (variance + expected**2 * spread) ** 2
        known = (weight * expected**2).sum()
        error = math.sqrt(2 * (weight**2 * (variance + expected**2 * spread) ** 2).sum()) / known
        told = float((weight * (deviation**2 - variance)).sum() / known)
        spread = max(1e-4, (told / error**2 + usual / DOUBT**2) / (1 / error**2 + 1 / DOUBT**2))
    return spread


def drawn(counts: np.ndarray, sigma: float, expected: np.ndarray) -> np.ndarray:
    """Noisy counts, those that are not clear of what was expected drawn towards it as far as `spread_of` takes their differences for noise."""
    variance = sigma**2 + expected + 0.5
    apart = counts - expected
    hidden = np.abs(apart) < CLEAR * np.sqrt(variance)
    known = (
        (expected + 0.5) ** 2 * spread_of(apart[hidden], expected[hidden] + 0.5, variance[hidden], DRIFT) if hidden.any() else 0.0
    )
    return nonnegative(expected + np.where(hidden, known / (known + variance), 1.0) * apart)
