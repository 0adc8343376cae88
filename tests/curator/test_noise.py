"""The noise is the discrete Gaussian it claims to be: no less, no more."""

import math
import os
import time
from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import pytest
from conftest import codec_of
from scipy import stats
from test_random_source import MOST, alike

from tabsynth import Schema
from tabsynth.access import Candidate
from tabsynth.codec import Bins, Codec, Labels, public_coder
from tabsynth.curator import noise
from tabsynth.curator import table as table_module
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.noise import discrete_gaussian, gaussian, thresholds
from tabsynth.curator.table import PrivateTable
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
    n = 30_000
    started = time.perf_counter()
    theirs = np.array(theirs_of([0] * n))
    slow = time.perf_counter() - started
    discrete_gaussian((1,), sigma)
    started = time.perf_counter()
    ours = discrete_gaussian((40 * n,), sigma)
    fast = (time.perf_counter() - started) / 40
    assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > LEVEL
    low, high = -math.ceil(4 * sigma), math.ceil(4 * sigma)
    table = [np.bincount(np.clip(x, low, high) - low, minlength=high - low + 1) for x in (ours, theirs)]
    assert stats.chi2_contingency(np.array(table)[:, np.sum(table, axis=0) > 10]).pvalue > LEVEL
    assert slow / fast > 50, f"only {slow / fast:.0f} times as fast"


def test_undecided_prefixes_are_resolved_exactly():
    """With only 4 bits looked up at first, nearly half of the draws need more: the distribution stays the same."""
    magnitude = noise._magnitude(15_000, Fraction(9), os.urandom, 4)
    sign = np.where(np.random.default_rng(0).random(len(magnitude)) < 0.5, -1, 1)
    assert chi_square(magnitude * sign, 3.0) > LEVEL


@pytest.mark.parametrize(("u", "expected"), [(0, 0), (2**64 - 1, None)])
def test_extreme_bits(u, expected):
    """All zeros is the centre; all ones lies beyond the table of 64 bits, so further bits decide how far out."""
    stream = iter([u.to_bytes(8, "little")])
    drawn = noise._magnitude(1, Fraction(9), lambda size: next(stream, b"\xff" * (size - 1) + b"\x00"), 64)[0]
    assert drawn == expected if expected is not None else drawn > 9 * 3


@pytest.mark.parametrize(
    ("variance", "bits"), [(Fraction(9), 64), (Fraction(9), 128), (Fraction(1, 7), 64), (Fraction(10**5), 64)]
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
    """P[|X| >= 3.5 sigma] at sigma = 10, two-sided binomial test over 4 million draws."""
    draws = np.abs(discrete_gaussian((4_000_000,), 10.0))
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


class Upwards:
    """Random bytes whose every U starts with `ones` ones, so every draw lies in the tail beyond 2**-ones; the rest is random."""

    def __init__(self, ones: int) -> None:
        self.words, part = divmod(ones - 64, 64)
        self.first = ((1 << part) - 1) << (64 - part)
        self.begun = False
        self.word = 0

    def resolve(self, *given):
        """`noise._resolve`, which asks for the words of one draw, as many as decide it."""
        self.word = 0
        return RESOLVE(*given)

    def __call__(self, size: int) -> bytes:
        if not self.begun:
            self.begun = True
            return b"\xff" * size
        self.word += 1
        if size != 8 or self.word > self.words + 1:
            return os.urandom(size)
        if self.word <= self.words:
            return b"\xff" * 8
        return (int.from_bytes(os.urandom(8), "big") | self.first).to_bytes(8, "big")


RESOLVE = noise._resolve


@pytest.mark.parametrize(("sigma", "ones"), [(3.0, 66), (3.0, 78), (25.0, 78), (6.0, 150), (40.0, 300), (60.0, 1000)])
def test_beyond_ten_sigma_the_sampler_itself_draws_what_it_should(sigma, ones, monkeypatch):
    """Draws given that U >= 1 - 2**-ones, which is where |X| is some 9, 10, 14, 20 or 37 sigma or more, against exact probabilities."""
    monkeypatch.setattr(noise, "thresholds", noise.lru_cache(thresholds))
    upwards = Upwards(ones)
    monkeypatch.setattr(noise, "_resolve", upwards.resolve)
    draws = np.abs(discrete_gaussian((4000,), sigma, random=upwards))
    with mpmath.workprec(ones + 400):
        count = math.ceil(sigma * math.sqrt(2 * math.log(2) * (ones + 100)))
        weights = [mpmath.exp(-(mpmath.mpf(k) ** 2) / (2 * mpmath.mpf(sigma) ** 2)) * (2 if k else 1) for k in range(count)]
        above = np.array([*np.cumsum(weights[::-1])[::-1][1:], mpmath.mpf(0)]) / mpmath.fsum(weights)
        beyond = np.array([float(min(mpmath.mpf(1), tail * 2**ones)) for tail in above])
    probability = -np.diff(beyond, prepend=1.0)
    first = np.flatnonzero(probability)[0]
    assert draws.min() >= first
    assert first > 8.9 * sigma if ones < 78 else first > 9.8 * sigma
    seen, expected = np.bincount(draws, minlength=count)[first:count], probability[first:] * len(draws)
    common = expected >= 20
    assert common.sum() >= 2
    observed = np.append(seen[common], len(draws) - seen[common].sum())
    assert stats.chisquare(observed, np.append(expected[common], len(draws) - expected[common].sum())).pvalue > LEVEL


@pytest.fixture(scope="module")
def wide() -> tuple[Schema, pd.DataFrame]:
    """Three columns with 33 codes each, one with 1,000,000 values, and one with 20,000 labels that are not public."""
    code = {"kind": "integer", "minimum": 0, "maximum": 31}
    columns = {"a": code, "b": code, "c": code, "d": {"kind": "integer", "minimum": 0, "maximum": 10**6}}
    schema = Schema.from_dict({"name": "wide", "columns": columns | {"e": {"kind": "categorical", "discover": True}}})
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.integers(0, 32, 20_000) for name in "abc"})
    return schema, frame.assign(d=rng.integers(0, 10**6, 20_000), e=[f"label {i}" for i in range(20_000)])


def opened(schema, frame, tap) -> PrivateTable:
    table = PrivateTable(frame, schema, Ledger(Budget(10, 1e-6, 0.1)), tap=tap)
    bought = {"d": Bins(np.array([0.0, 1e6]), np.array([0]), np.ones(1), True), "e": Labels(("x",), True)}
    table.encode(Codec(schema, {c.name: bought.get(c.name) or public_coder(c) for c in schema.modelled}))
    return table


CUBE = ("a", "b", "c")
QUESTIONS = {
    "cells": lambda t: t.cells({"d": np.arange(1.0, 150_001)}, cost={"d": 1e-4}, note="cells")["d"].counts,
    "labels": lambda t: t.labels("e", cost=1e-4, failure=1e-8),
    "listed": lambda t: t.listed({"e": [f"label {i}" for i in range(20_000)]}, cost=1e-4)["e"].counts,
    "measure": lambda t: [m.counts for m in t.measure([CUBE] * 5, costs=[1e-4] * 5)],
    "score": lambda t: t.score([Candidate(("a",), np.zeros(33, dtype=np.int64))] * 20_000, cost=1.0),
    "gram": lambda t: t.gram(dict.fromkeys("ab", np.tile(np.arange(400) % 7, (33, 1))), limit=10, cost=1e-3)[0],
}
"""What the curator answers with discrete noise, so that there are 20,000 answers or more."""


def two_sided(residual: np.ndarray) -> float:
    """p-value of the hypothesis that the variance is 1 (chi-square)."""
    statistic, n = (residual**2).sum(), len(residual)
    return 2 * min(stats.chi2.cdf(statistic, n), stats.chi2.sf(statistic, n))


@pytest.mark.parametrize("kind", QUESTIONS)
def test_residuals_are_what_was_claimed_and_neither_less_nor_more(wide, kind):
    """Tapped: noisy minus exact, over the claimed sigma, is standard normal.

    With 150,000 answers a scale that is off by 2 % lies 11 standard errors out, with 20,000 one that is off by 6 % lies 12. The lattice
    is a fiftieth of a sigma at most, so a residual within its cell is as good as continuous for the Kolmogorov-Smirnov test.
    """
    events = []
    with opened(*wide, events.append) as table:
        QUESTIONS[kind](table)
    (event,) = [e for e in events if e.kind == kind]
    assert event.sigma.min() > 50
    residual = (event.noisy - event.exact + np.random.default_rng(0).uniform(-0.5, 0.5, len(event.exact))) / event.sigma
    assert two_sided(residual) > LEVEL
    assert stats.kstest(residual, "norm").pvalue > LEVEL
    off = 0.02 if len(residual) > 140_000 else 0.06
    assert two_sided(residual * (1 - off)) < LEVEL, "too little noise"
    assert two_sided(residual * (1 + off)) < LEVEL, "too much noise"
    assert stats.kstest(residual * (1 - 3 * off), "norm").pvalue < LEVEL
    assert stats.kstest(residual * (1 + 3 * off), "norm").pvalue < LEVEL


@pytest.mark.parametrize("sigma", [2.0, 25.0])
def test_the_sampler_is_not_off_by_two_percent(sigma):
    """A million draws: the chi-square over the values sees 2 % of the scale on either side."""
    draws = discrete_gaussian((1_000_000,), sigma)
    assert chi_square(draws, sigma) > LEVEL
    assert chi_square(draws, sigma * 0.98) < LEVEL
    assert chi_square(draws, sigma * 1.02) < LEVEL


def test_tables_of_one_call_of_two_calls_and_of_two_fits_have_independent_noise(wide):
    """Residuals of 36,000 cells each: no two vectors resemble each other at any shift, neither in value nor in size."""
    schema, frame = wide
    events = []
    for _ in range(2):
        with opened(schema, frame, events.append) as table:
            table.measure([CUBE, CUBE], costs=[1e-4, 2e-4])
            table.measure([CUBE], costs=[1e-4])
    residuals = [part for e in events if e.kind == "measure" for part in np.split(e.noisy - e.exact, len(e.exact) // 33**3)]
    assert len(residuals) == 6
    assert alike(residuals) < MOST


def test_all_that_comes_out_is_whole_numbers_drawn_alike_for_neighbouring_tables(monkeypatch):
    """No floating-point value could tell neighbours apart: both get int64 noise of the same shapes and scales on int64 counts."""
    columns = {"a": {"kind": "integer", "minimum": 0, "maximum": 3}, "b": {"kind": "boolean"}}
    schema = Schema.from_dict({"name": "few", "columns": columns | {"e": {"kind": "categorical", "labels": ["x", "y"]}}})
    seen = []

    def spy(shape, sigma):
        seen[-1].append((shape, sigma))
        return discrete_gaussian(shape, sigma)

    monkeypatch.setattr(table_module, "discrete_gaussian", spy)
    frame = pd.DataFrame({"a": [0, 1, 2, 1], "b": [True, False, True, True], "e": ["x", "y", "x", None]})
    for rows in (frame, frame[:-1]):
        seen.append([])
        events = []
        with PrivateTable(rows, schema, Ledger(Budget(10, 1e-6, 0.1)), tap=events.append) as table:
            table.encode(codec_of(schema))
            answers = [
                table.cells({"a": np.array([1.0, 2.5])}, cost={"a": 0.01}, note="cells")["a"].counts,
                table.listed({"e": ("x", "none")}, cost=0.01)["e"].counts,
                *(m.counts for m in table.measure([("a", "b"), ("e",)], costs=[0.01, 0.02])),
                table.measure([("a", "e")], costs=[0.01], groups={"a": np.array([0, 1, 1, 0, 1], dtype=np.uint8)})[0].counts,
                table.score([Candidate(("b",), np.array([1, 2, 3], dtype=np.int8))], cost=0.01),
                table.gram({"a": np.ones((5, 2), dtype=np.int8), "b": np.ones((3, 1), dtype=np.int64)}, limit=4, cost=0.01)[0],
            ]
            assert all(isinstance(label, str) for label in table.labels("e", cost=0.01, failure=1e-8))
        assert {a.dtype for a in answers} == {np.dtype(np.int64)}
        asked = [e for e in events if e.kind != "schema"]
        assert {e.kind for e in asked} == set(QUESTIONS)
        assert {x.dtype for e in asked for x in (e.exact, e.noisy)} == {np.dtype(np.int64)}
    assert seen[0] == seen[1]


def test_continuous_noise_is_neither_less_nor_more_than_claimed():
    """300,000: 2 % of the scale is 15 standard errors of the variance; Kolmogorov-Smirnov sees 6 %."""
    x = gaussian((300_001,))
    assert two_sided(x) > LEVEL
    assert stats.kstest(x, "norm").pvalue > LEVEL
    for factor in (0.98, 1.02):
        assert two_sided(x * factor) < LEVEL
        assert stats.kstest(x * (3 * factor - 2), "norm").pvalue < LEVEL


def test_the_two_numbers_of_a_pair_and_two_calls_are_independent():
    """Both numbers of a pair share a radius: neither values nor sizes correlate."""
    x, y = gaussian((60_000,)), gaussian((60_000,))
    assert alike([*np.split(x, 2), *np.split(y, 2)]) < MOST


@pytest.mark.parametrize(("words", "radius"), [(b"\x00", math.sqrt(106 * math.log(2))), (b"\xff", 0.0)])
def test_the_largest_continuous_noise_is_finite_and_as_far_out_as_53_bits_reach(words, radius):
    """8.57 sigma, beyond which a normal number lies once in 10**17: less than any delta that is asked for can tell."""
    x = gaussian((4,), random=lambda size: words * size)
    assert np.hypot(x[:2], x[2:]) == pytest.approx(radius)
    assert np.isfinite(x).all()
