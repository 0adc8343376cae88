"""Exact discrete Gaussian noise from the operating system's randomness.

The distribution on the integers with P[X = k] proportional to exp(-k**2 / (2 sigma**2)) (Canonne, Kamath and Steinke, "The Discrete
Gaussian for Differential Privacy", NeurIPS 2020, Definition 1), drawn by inversion: with U uniform on [0, 1), |X| is the
smallest k with U < P[|X| <= k]. The probabilities are computed once in integer arithmetic with a bound on their error. The first 64
bits of U settle nearly every draw; where they fall on a threshold, more bits of U are drawn and the thresholds are computed
to match, so the result is exact, tails included. No step is floating point.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tabsynth.errors import OptionError

WORD = 64
MAX_SIGMA = 2.0**17
RandomBytes = Callable[[int], bytes]


def discrete_gaussian(shape: tuple[int, ...], sigma: float, *, random: RandomBytes = os.urandom) -> np.ndarray:
    """Draw independent discrete Gaussians centred at 0.

    Parameters
    ----------
    shape : tuple of int
    sigma : float
        The parameter sigma (the standard deviation, up to a vanishing difference from 1 on), at most 2**17; its binary value is
        taken as exact.
    random : callable, optional
        Returns that many random bytes. Anything but the operating system's source is for tests and gives no privacy.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    OptionError
        If `sigma` is not in (0, 2**17].
    """
    if not 0 < sigma <= MAX_SIGMA:
        raise OptionError(
            f"noise of scale {sigma:g} is outside (0, {MAX_SIGMA:g}]; raise epsilon, lower unit.max_rows or model fewer columns."
        )
    size = int(np.prod(shape, dtype=np.int64))
    magnitude = _magnitude(size, Fraction(sigma) ** 2, random, WORD)
    negative = np.unpackbits(np.frombuffer(random(-(-size // 8)), dtype=np.uint8), count=size).astype(bool)
    return np.where(negative, -magnitude, magnitude).reshape(shape)


def gaussian(shape: tuple[int, ...], *, random: RandomBytes = os.urandom) -> np.ndarray:
    """Draw independent standard normal numbers in floating point, from 53 random bits each (Box and Muller, Ann. Math. Stat. 1958).

    Parameters
    ----------
    shape, random
        See `discrete_gaussian`.

    Returns
    -------
    ndarray of float64
    """
    size = int(np.prod(shape, dtype=np.int64))
    pairs = -(-size // 2)
    u = (np.frombuffer(random(16 * pairs), dtype=np.uint64) >> np.uint64(11)).astype(np.float64).reshape(2, pairs)
    radius, angle = np.sqrt(-2 * np.log((u[0] + 1) * 2.0**-53)), u[1] * (2 * np.pi * 2.0**-53)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size].reshape(shape)


def _magnitude(size: int, variance: Fraction, random: RandomBytes, bits: int) -> np.ndarray:
    """|X|, looked up with the first `bits` (at most 64) bits of each U and resolved further where those do not decide."""
    low, high = _table(variance, bits)
    u = np.frombuffer(random(8 * size), dtype=np.uint64) >> np.uint64(WORD - bits)
    k = np.searchsorted(low, u, side="right")
    unsettled = (k == len(low)) | ((k > 0) & (u <= high[np.maximum(k - 1, 0)]))
    for i in np.flatnonzero(unsettled):
        k[i] = _resolve(int(u[i]), bits, variance, random)
    return k


def _resolve(prefix: int, bits: int, variance: Fraction, random: RandomBytes) -> int:
    """The draw whose U starts with the `bits` bits of `prefix`, drawing further bits until it is decided."""
    while True:
        prefix = prefix << WORD | int.from_bytes(random(WORD // 8), "big")
        bits += WORD
        low, high = thresholds(variance, bits)
        k = bisect_right(low, prefix)
        if k < len(low) and (k == 0 or prefix > high[k - 1]):
            return k


@lru_cache(maxsize=64)
def _table(variance: Fraction, bits: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = thresholds(variance, bits)
    top = 2**bits - 1
    return np.array([min(t, top) for t in low], dtype=np.uint64), np.array([min(t, top) for t in high], dtype=np.uint64)


def thresholds(variance: Fraction, bits: int) -> tuple[list[int], list[int]]:
    """Bounds on P[|X| <= k] in units of 2**-bits: ``low[k] <= floor(P * 2**bits) <= high[k]``, for every k that `bits` can tell.

    Weights exp(-k**2 / (2 variance)) follow from the recurrence w[k+1] = w[k] r[k], r[k+1] = r[k] exp(-1 / variance) in
    fixed point with `bits` + 160 binary digits. After k steps r is off by at most k units and w by k**2, so the sum of up to 2**22
    weights is off by less than 2**67 units; weights are dropped once below 2**-(bits + 56), which leaves out less than
    2**-(bits + 38). Both stay under the 2**-(bits + 32) that low and high allow for.
    """
    import mpmath

    digits = bits + 160
    with mpmath.workprec(digits + 32):
        decay = [
            int(mpmath.floor(mpmath.exp(-mpmath.mpf(variance.denominator) * j / (2 * variance.numerator)) * 2**digits))
            for j in (1, 2)
        ]
    weight, ratio = 1 << digits, decay[0]
    floor = 1 << (digits - bits - 56)
    cumulative = [weight]
    while weight > floor:
        weight = weight * ratio >> digits
        ratio = ratio * decay[1] >> digits
        cumulative.append(cumulative[-1] + 2 * weight)
    total = cumulative[-1]
    slack = total >> (bits + 32)
    return [(c - slack << bits) // total for c in cumulative], [(c + slack << bits) // total for c in cumulative]
