"""Bounds of the true positive rate at a threshold that is estimated, and the verdicts made of them: false alarms and power.

Chances are computed, not simulated, wherever that is possible: the threshold's rate is Beta, and the members above it are Binomial
given that rate. Families are at most as many times as wrong as one look (union bound).
"""

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from tabsynth.tradeoff import Tradeoff, gaussian_tpr
from tabsynth.validate.attacks import ATTACKS, PROFILED, bounds, membership
from tabsynth.validate.intervals import clopper_pearson

SIZES = (40, 64, 200, 1_000, 5_000)
FAMILY = sum(len(attack.scalings) for attack in ATTACKS.values()) + 1
"""Attacks on rows; on units there are three times as many more as `PROFILED` has."""
LEAKS = {
    "none": Tradeoff(0.0, 0.0),
    "epsilon 0.1": Tradeoff(0.1, 1e-6, mu=0.0252),
    "epsilon 1": Tradeoff(1.0, 1e-6, mu=0.2365),
    "tolerance": Tradeoff(2.2, 1e-6, mu=0.5),
    "large": Tradeoff(9.0, 1e-6, mu=1.5),
    "pure": Tradeoff(1.0, 0.0),
    "approximate": Tradeoff(0.5, 1e-2),
}


def chance(units: int, fpr: float, error: float, limit: float, tpr) -> float:
    """That `tpr_lower` lies above `limit`: integral over the threshold's rate."""
    count = bounds.raised(fpr, units, error / 2)
    if count is None:
        return 0.0
    least = next(c for c in range(units + 1) if clopper_pearson(c, units, 1 - error)[0] > limit)
    rates, chances = thresholds(units, count)
    return float(chances @ binom.sf(least - 1, units, tpr(rates)))


def thresholds(units: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates of the threshold, and how likely each is: 20,000 steps, in the tails much smaller ones; upper ends, so chances are overstated."""
    tails = np.geomspace(1e-12, 1e-5, 500)
    ends = np.concatenate([[0.0], tails, np.linspace(1e-5, 1 - 1e-5, 20_000)[1:-1], 1 - tails[::-1], [1.0]])
    return beta.ppf(ends, count + 1, units - count)[1:], np.diff(ends)


def curve(leak: Tradeoff):
    return np.vectorize(lambda fpr: leak.tpr(min(max(fpr, 1e-15), 1 - 1e-15)))


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("units", SIZES)
def test_a_guarantee_that_holds_is_contradicted_once_in_10_000_reports_at_most(units, leak):
    """Attacks that are as strong as the guarantee allows, all of them, and independent: the worst case."""
    family = FAMILY + 3 * len(PROFILED)
    look = membership.ALARM_ERROR / (family * len(bounds.RATES))
    tpr = curve(LEAKS[leak])
    alarm = sum(family * chance(units, fpr, look, LEAKS[leak].tpr(fpr), tpr) for fpr in bounds.RATES)
    assert membership.ALARM_ERROR <= 1e-3
    assert alarm <= 1e-4


@pytest.mark.parametrize("units", SIZES)
def test_attacks_on_the_tolerance_curve_fail_in_one_report_of_forty_at_most_and_not_much_more_rarely(units):
    """For independent attacks; the integral of the product has fewer steps, each of which overstates the chance."""
    for family in (1, FAMILY):
        look = bounds.FAIL_ERROR / (family * len(bounds.RATES))
        on_it = []
        for fpr in bounds.RATES:
            count = bounds.raised(fpr, units, 0.01)
            if count is not None:
                rates, chances = thresholds(units, count)
                least = bounds.critical(units, units, count, 0.5, look)
                on_it.append(float(chances @ binom.sf(least - 1, units, norm.cdf(norm.ppf(rates) + 0.5))))
        assert family * sum(on_it) <= 0.025
        assert units < 1_000 or family * sum(on_it) > 0.025 / 2


def drawn(seed: int, units: int, mu: float = 0.0):
    member = np.repeat([True, False], units)
    return np.random.default_rng(seed).normal(size=2 * units) + mu * member, member


@pytest.mark.parametrize("units", [300, 2_000])
def test_an_attack_on_the_tolerance_curve_rarely_fails(units):
    """200 tables, 2.5 % and 3 standard errors; an interval at the threshold as it was seen fails 16 to 19 % of them."""
    verdicts = [
        membership.headline({"x": scores}, member, 0, 0.5).verdict
        for scores, member in (drawn(s, units, 0.5) for s in range(200))
    ]
    assert verdicts.count("fail") <= 200 * (0.025 + 3 * np.sqrt(0.025 * 0.975 / 200))


@pytest.mark.parametrize("digits", [None, 0])
def test_both_bounds_hold_together_as_often_as_they_say(digits):
    """500 tables of 300 and 300, error 10 % for each side, rounded scores among them; 4 standard errors."""
    fpr, low, high = 0.1, 0, 0
    population, side = drawn(10**6, 200_000, 0.7)
    rounded = population if digits is None else population.round(digits)
    truth = bounds.above(bounds.untied(rounded, np.random.default_rng(0)), side, 20_000)[0] / 200_000
    for seed in range(500):
        scores, member = drawn(seed, 300, 0.7)
        ranks = bounds.untied(scores if digits is None else scores.round(digits), np.random.default_rng(seed))
        low += bounds.tpr_lower(ranks, member, fpr, 0.1) > truth
        high += bounds.tpr_upper(ranks, member, fpr, 0.1) < truth
    assert max(low, high) <= 50 + 4 * np.sqrt(500 * 0.09)
    assert min(low, high) >= 1


def test_the_thresholds_are_the_tightest_that_are_sure():
    for units in SIZES:
        for fpr in bounds.RATES:
            for error in (0.025, 1e-3, 1e-6):
                count = np.arange(units)
                sure = np.flatnonzero(beta.sf(fpr, count + 1, units - count) <= error)
                assert bounds.raised(fpr, units, error) == (sure[-1] if len(sure) else None)
                sure = np.flatnonzero(beta.cdf(fpr, count + 1, units - count) <= error)
                assert bounds.lowered(fpr, units, error) == (sure[0] if len(sure) else None)


def test_ties_are_in_random_order_and_nothing_else_moves():
    ranks = bounds.untied(np.array([2.0, 1.0, 2.0, 0.0]), np.random.default_rng(0))
    assert ranks[[3, 1]].tolist() == [0, 1]
    assert sorted(ranks[[0, 2]]) == [2, 3]
    first = [bounds.untied(np.zeros(2), np.random.default_rng(seed))[0] for seed in range(400)]
    assert abs(np.mean(first) - 0.5) < 4 * 0.5 / 20


def test_a_leak_among_ties_does_not_hide():
    """Half of the members and 2 % of the others share the highest score: a coin among them finds 25 % at 1 %."""
    member = np.repeat([True, False], 3_000)
    scores = np.where(member, np.arange(6_000) % 2 == 0, np.arange(6_000) % 50 == 0).astype(float)
    found = membership.headline({"tied": scores}, member, 0, 0.5)
    assert found.verdict == "fail"
    assert found.details["above"][0]["tpr"] > 0.05


def test_one_attack_beyond_the_tolerance_keeps_a_family_from_passing():
    """The error of a pass is one attack's, however many are harmless: 100 tables, 5 % and 3 standard errors."""
    passed = 0
    for seed in range(100):
        rng, member = np.random.default_rng(seed), np.repeat([True, False], 700)
        scores = {str(k): rng.normal(size=1_400) for k in range(9)}
        passed += membership.headline(scores | {"leak": rng.normal(size=1_400) + 0.5 * member}, member, 0, 0.5).verdict == "pass"
    assert passed <= 100 * (0.05 + 3 * np.sqrt(0.05 * 0.95 / 100))


def test_the_needed_size_lets_chance_pass_and_sees_copies_nine_times_in_ten():
    """40 tables of 31 independent useless attacks, and 40 with 5 % copies as one of 31; 4 standard errors."""
    needed = bounds.needed(0.5, 0.01, 31)
    passed = failed = 0
    for seed in range(40):
        rng, member = np.random.default_rng(seed), np.repeat([True, False], needed)
        ranks = [bounds.untied(rng.normal(size=2 * needed), rng) for _ in range(31)]
        upper = max(bounds.tpr_upper(r, member, 0.01, bounds.PASS_ERROR) for r in ranks)
        passed += upper < gaussian_tpr(0.5, 0.01)
        copies = rng.normal(size=2 * needed) + 100 * (member & (rng.random(2 * needed) < 0.05))
        failed += membership.fails(copies, member, seed, 0.5, 31)
    assert min(passed, failed) >= 36 - 4 * 1.9
    assert bounds.needed(0.5, 0.1, 31) < needed < 3_000


def test_the_power_is_what_a_simulation_shows():
    """4 standard errors of 500 tables."""
    expected = bounds.seen(700, 0.1, 0.5, 0.001, lambda rates: norm.cdf(norm.ppf(rates) + 0.8))
    hits = [bounds.exceeds(*drawn(seed, 700, 0.8), 0.1, 0.5, 0.001) is not None for seed in range(500)]
    assert 0.2 < expected < 0.95
    assert abs(np.mean(hits) - expected) < 4 * np.sqrt(expected * (1 - expected) / 500)


def test_a_small_table_is_judged_at_ten_percent_and_a_large_one_at_one():
    sizes = [bounds.needed(0.5, fpr, 9) for fpr in bounds.RATES]
    assert [membership.judged_at(0.5, n, 9) for n in (10, sizes[1], sizes[0] - 1, sizes[0])] == [0.1, 0.1, 0.1, 0.01]
    assert membership.judged_at(0.01, 10**6, 9) == 0.1


def test_a_family_on_the_tolerance_curve_fails_as_rarely_as_one_attack():
    """60 tables with 31 independent attacks each: 2.5 % and 3 standard errors; looks that are not counted fail half of them."""
    failed = 0
    for seed in range(60):
        rng, member = np.random.default_rng(seed), np.repeat([True, False], 1_000)
        failed += bool(membership.exceeding({str(k): rng.normal(size=2_000) + 0.5 * member for k in range(31)}, member, 0.5))
    assert failed <= 60 * (0.025 + 3 * np.sqrt(0.025 * 0.975 / 60))
