"""Inference from the split, against every split there could have been."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from tabsynth.validate.attacks._randomised import attributable, stratified

LEVEL = 0.8


def _splits(units: int, members: int):
    for chosen in combinations(range(units), members):
        yield np.isin(np.arange(units), chosen)


@pytest.mark.parametrize(("anyhow", "because"), [(0, 0), (3, 0), (3, 4), (0, 5), (9, 0), (5, 4)])
def test_attributable_counts_are_covered_over_all_splits(anyhow, because):
    """Of 11 units, some are counted anyhow and some as members only: each end errs in at most a tenth of the 330 splits."""
    low, high, splits, interval = 0, 0, 0, cache(attributable)
    for member in _splits(11, 7):
        always, only = np.arange(11) < anyhow, (np.arange(11) >= anyhow) & (np.arange(11) < anyhow + because)
        counted, owed = always | (only & member), int((only & member).sum())
        ends = interval(int((counted & member).sum()), 7, int((counted & ~member).sum()), 4, LEVEL)
        low, high, splits = low + (ends[0] > owed), high + (ends[1] < owed), splits + 1
    assert low <= 0.1 * splits
    assert high <= 0.1 * splits


def test_without_an_effect_strata_raise_as_many_alarms_as_they_say():
    """Over all 792 splits of 12 units; plain counting cannot see what the strata show."""
    counted, strata = np.arange(12) % 4 == 0, np.repeat([0, 1, 2], 4)
    ends = [stratified(counted, member, strata, LEVEL)[1] for member in _splits(12, 7)]
    assert np.mean([low > 0 for low, _ in ends]) <= 0.1
    assert np.mean([high < 0 for _, high in ends]) <= 0.1
    sure, member = np.repeat([True, False], 100), np.tile(np.repeat([True, False], [60, 40]), 2)
    copied = sure | (np.arange(200) % 100 < 10)
    assert (
        stratified(copied, member, np.zeros(200, int), 0.95)[1][0]
        <= 0
        < stratified(copied, member, (~sure).astype(int), 0.95)[1][0]
    )


def test_one_stratum_is_the_plain_difference():
    rng = np.random.default_rng(0)
    counted, member = rng.random(500) < 0.3, rng.random(500) < 0.7
    value, (low, high) = stratified(counted, member, np.zeros(500, int), 0.95)
    assert value == pytest.approx(counted[member].mean() - counted[~member].mean())
    assert low < value < high
    ends = attributable(*(int(n) for side in (member, ~member) for n in (counted[side].sum(), side.sum())), 0.95)
    assert [low, high] == pytest.approx([end / member.sum() for end in ends], abs=0.03)


def test_nobody_to_compare_with_proves_nothing():
    assert stratified(np.ones(5, bool), np.ones(5, bool), np.zeros(5, int), 0.95) == (0.0, (-1.0, 1.0))
    assert attributable(5, 5, 0, 0, 0.95) == (0, 5)
    assert attributable(0, 5, 0, 5, 0.95)[1] == 0
