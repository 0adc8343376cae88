"""Inference by splitting again: exact levels, what prediction takes away, and that no leak is taken away with it."""

import itertools

import numpy as np
import pytest

from tabsynth.validate.attacks import _resplit
from tabsynth.validate.attacks._resplit import differences, unexplained


def test_differences_and_errors_by_hand():
    outcomes = np.array([[1.0, np.nan], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, np.nan]])
    member = np.array([True, True, True, False, False])
    found = differences(outcomes, member, None)
    assert found.values == pytest.approx([2 / 3 - 0, 1.0 - 0.0])
    first = (2 * (1 / 3) ** 2 + (2 / 3) ** 2 + 2) / 9 + (0 + 2) / 4  # two more deviations of 1 on each side
    assert found.errors[0] ** 2 == pytest.approx(first)
    assert found.errors[1] ** 2 == pytest.approx(2 / 4 + 2 / 1)


@pytest.mark.parametrize("questions", [1, 6])
def test_no_interval_misses_zero_more_often_than_stated_over_all_splits(questions):
    """All 252 ways to make 5 of 10 units members, with outcomes that depend on each other: at most 5 % are alarms, exactly."""
    rng = np.random.default_rng(questions)
    shared = rng.random((10, 1)) < 0.5
    outcomes = np.where(rng.random((10, questions)) < 0.7, shared, rng.random((10, questions)) < 0.5).astype(float)
    labels = np.array([np.isin(np.arange(10), chosen) for chosen in itertools.combinations(range(10), 5)])
    alarms = []
    for i, member in enumerate(labels):
        found = differences(outcomes, member, np.random.default_rng(i))
        alarms.append(any(found.interval(q)[0] > 0 or found.interval(q)[1] < 0 for q in range(questions)))
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 252 / 19)  # 999 random splits stand for all, each time anew


def test_units_that_all_do_alike_leave_the_rule_of_three():
    found = differences(np.ones((400, 1)), np.arange(400) < 200, np.random.default_rng(0))
    low, high = found.interval(0)
    assert (found.values[0], -low) == (0.0, high)
    assert 2.5 / 200 < high < 5 / 200


def table(rng, units=2_000):
    """Guesses that are right where a record is easy, which its features tell."""
    features = rng.normal(size=(units, 3))
    return features, (rng.random(units) < 1 / (1 + np.exp(-3 * features[:, 0]))).astype(float)


def test_prediction_makes_differences_less_variable_and_knows_nothing_of_the_split():
    rng = np.random.default_rng(0)
    features, right = table(rng)
    left = unexplained(right[:, None], features, np.random.default_rng(1))
    assert left.var() < 0.75 * right.var()
    noise = unexplained(rng.random((2_000, 1)), features, np.random.default_rng(1))
    assert noise.var() == pytest.approx(1 / 12, rel=0.03)  # what cannot be predicted is left alone


@pytest.mark.parametrize("share", [1.0, 0.05])
def test_a_leak_is_not_predicted_away(share):
    """Members are guessed right for sure (or one in twenty of them): the adjusted difference is what it was, within 3 errors."""
    rng = np.random.default_rng(3)
    features, right = table(rng, 6_000)
    member = rng.permutation(6_000) < 3_000
    leaked = np.where(member & (rng.random(6_000) < share), 1.0, right)
    plain, adjusted = (differences(y, member, None) for y in (leaked[:, None], unexplained(leaked[:, None], features, rng)))
    true = float((leaked - right)[member].mean())
    assert adjusted.errors[0] < 0.95 * plain.errors[0]
    assert abs(adjusted.values[0] - true) < 3 * adjusted.errors[0]


def test_who_was_not_asked_counts_on_neither_side():
    rng = np.random.default_rng(0)
    outcomes, member = rng.random((300, 2)), np.arange(300) < 100
    some = outcomes.copy()
    some[::3, 1] = np.nan
    left = unexplained(some, rng.normal(size=(300, 2)), rng)
    assert np.array_equal(np.isnan(left), np.isnan(some))
    kept = ~np.isnan(some[:, 1])
    expected = some[kept & member, 1].mean() - some[kept & ~member, 1].mean()
    assert differences(some, member, None).values[1] == pytest.approx(expected, abs=1e-6)


def test_labels_are_split_in_every_permutation():
    assert _resplit._PERMUTATIONS % 20 == 19  # the 5 % point is one of the values
