"""The noise is the discrete Gaussian it claims to be: no less, no more."""

import math
import os
import time
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import stats

from tabsynth.curator import noise
from tabsynth.curator.noise import discrete_gaussian, thresholds
from tabsynth.errors import OptionError

LEVEL = 1e-6
"""Level of each test: a right sampler fails one run in a million, so these draw from the operating system as the product does."""


def probabilities(sigma: float, reach: int) -> np.ndarray:
    """P[X = k] for k = -reach .. reach."""
    k = np.arange(-reach, reach + 1)
    weight = np.exp(-(k**2) / (2 * sigma**2))
    return weight / weight.sum()


def chi_square(draws: np.ndarray, sigma: float) -> float:
    """p-value of the draws against the discrete Gaussian of parameter sigma; cells with fewer than 20 expected are pooled."""
    reach = math.ceil(12 * sigma)
    expected = probabilities(sigma, reach) * len(draws)
    seen = np.bincount(draws + reach, minlength=2 * reach + 1).astype(float)
    common = expected >= 20
    observed = np.append(seen[common], seen[~common].sum())
    return stats.chisquare(observed, np.append(expected[common], expected[~common].sum()) * observed.sum() / len(draws)).pvalue


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.7, 25.0, 400.0])
def test_distribution_is_accepted_and_two_thirds_or_three_halves_of_its_scale_is_not(sigma):
    draws = discrete_gaussian((200_000,), sigma)
    assert chi_square(draws, sigma) > LEVEL
    assert chi_square(draws, sigma * 2 / 3) < LEVEL
    assert chi_square(draws, sigma * 3 / 2) < LEVEL


@pytest.mark.parametrize("sigma", [1.5, 20.0])
def test_same_distribution_as_opendp_and_a_hundred_times_as_fast(sigma):
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    theirs_of = dp.m.make_gaussian(*space, scale=sigma)
    n = 60_000
    started = time.perf_counter()
    theirs = np.array(theirs_of([0] * n))
    slow = time.perf_counter() - started
    discrete_gaussian((1,), sigma)
    started = time.perf_counter()
    ours = discrete_gaussian((50 * n,), sigma)
    fast = (time.perf_counter() - started) / 50
    assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > LEVEL
    low, high = -math.ceil(4 * sigma), math.ceil(4 * sigma)
    table = [np.bincount(np.clip(x, low, high) - low, minlength=high - low + 1) for x in (ours, theirs)]
    assert stats.chi2_contingency(np.array(table)[:, np.sum(table, axis=0) > 10]).pvalue > LEVEL
    assert slow / fast > 50, f"only {slow / fast:.0f} times as fast"


def test_undecided_prefixes_are_resolved_exactly():
    """With only 4 bits looked up at first, nearly half of the draws need more: the distribution stays the same."""
    magnitude = noise._magnitude(30_000, Fraction(9), os.urandom, 4)
    sign = np.where(np.random.default_rng(0).random(len(magnitude)) < 0.5, -1, 1)
    assert chi_square(magnitude * sign, 3.0) > LEVEL


@pytest.mark.parametrize(("u", "expected"), [(0, 0), (2**64 - 1, None)])
def test_extreme_bits(u, expected):
    """All zeros is the centre; all ones lies beyond the table of 64 bits, so further bits decide how far out."""
    stream = iter([u.to_bytes(8, "little")])
    drawn = noise._magnitude(1, Fraction(9), lambda size: next(stream, b"\xff" * (size - 1) + b"\x00"), 64)[0]
    assert drawn == expected if expected is not None else drawn > 9 * 3


@pytest.mark.parametrize(
    ("variance", "bits"), [(Fraction(9), 64), (Fraction(9), 128), (Fraction(1, 7), 64), (Fraction(10**6), 64)]
)
def test_thresholds_enclose_the_true_probabilities(variance, bits):
    """Against a direct sum in 600 binary digits."""
    low, high = thresholds(variance, bits)
    with mpmath.workprec(600):
        weights = [mpmath.exp(-mpmath.mpf(k * k) * variance.denominator / (2 * variance.numerator)) for k in range(3 * len(low))]
        total = weights[0] + 2 * mpmath.fsum(weights[1:])
        cumulative, spread = weights[0], 0
        for k in range(len(low)):
            true = int(mpmath.floor(cumulative / total * 2**bits))
            assert low[k] <= true <= high[k]
            spread += (high[k] - low[k]) * (true < 2**bits - 1)
            cumulative += 2 * weights[k + 1]
    assert spread == 0, "the enclosure is tight wherever it matters"


def test_far_tail_occurs_as_often_as_it_should():
    """P[|X| >= 3.5 sigma] at sigma = 10, two-sided binomial test over 10 million draws."""
    draws = np.abs(discrete_gaussian((10_000_000,), 10.0))
    expected = 1 - probabilities(10.0, 120)[120 - 34 : 120 + 35].sum()
    assert stats.binomtest(int((draws >= 35).sum()), len(draws), expected).pvalue > LEVEL


def test_draws_are_independent_of_each_other_and_of_the_last_call():
    a, b = discrete_gaussian((200_000,), 5.0), discrete_gaussian((200_000,), 5.0)
    for x, y in ((a, b), (a[1:], a[:-1])):
        assert abs(np.corrcoef(x, y)[0, 1]) < 6 / math.sqrt(len(x))
    assert abs(np.mean(np.sign(a))) < 6 / math.sqrt(len(a))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 1e9])
def test_scale_out_of_range_is_refused(sigma):
    with pytest.raises(OptionError, match="noise of scale"):
        discrete_gaussian((1,), sigma)
