"""Scores -> numbers: strict thresholds, what may be printed, and the golden values of the reference notes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tabsynth.validate.attacks import statistics
from tabsynth.validate.attacks.statistics import tpr_at_fpr


def _scores(members, others):
    return np.array([*members, *others], float), np.repeat([True, False], [len(members), len(others)])


def test_a_tie_with_the_threshold_is_not_a_hit():
    scores, member = _scores([5, 5, 5, 9], [5] * 10)
    assert tpr_at_fpr(scores, member, 0.1)["tp"] == 1
    assert tpr_at_fpr(scores, member, 0.1)["fp"] == 0
    scores, member = _scores([1] * 4, [1] * 10)
    assert tpr_at_fpr(scores, member, 0.1)["tpr"] == 0  # interpolation would print .1


@pytest.mark.parametrize(("fpr", "fp"), [(0.1, 3), (0.01, 0), (0.0, 0), (0.001, 0)])
def test_the_threshold_is_the_next_non_member(fpr, fp):
    scores, member = _scores([29.5, 27.5, 26.5], range(1, 31))
    rate = tpr_at_fpr(scores, member, fpr)
    assert rate["fp"] == fp
    assert rate["tp"] == (2 if fpr == 0.1 else 0)
    assert rate["fpr"] == fpr


@pytest.mark.parametrize("others", [10, 30, 70, 100, 290, 1000, 10_000])
def test_never_more_false_positives_than_allowed(others):
    rng = np.random.default_rng(others)
    for fpr, one_in in zip(statistics.RATES, (10, 100, 1000, 10**9), strict=True):
        rate = tpr_at_fpr(*_scores(rng.normal(size=50), rng.normal(size=others)), fpr)
        assert rate["fp"] == others // one_in
        assert rate["fp"] / others <= rate["fpr_upper"]


def test_useless_scores_reach_their_false_positive_rate_on_average():
    rng = np.random.default_rng(0)
    found = [tpr_at_fpr(*_scores(rng.normal(size=200), rng.normal(size=200)), 0.1)["tpr"] for _ in range(400)]
    expected = 21 / 201  # the chance to beat the 21st of 200 others
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(400)


def test_which_rate_may_be_printed():
    assert [statistics.printable(0.01, n) for n in (999, 1000)] == [False, True]
    assert [statistics.printable(0.001, n) for n in (9_999, 10_000)] == [False, True]
    assert statistics.printable(0.0, 1)
    rng = np.random.default_rng(0)
    scores, member = _scores(rng.normal(size=500), rng.normal(size=1500))
    details = statistics.summary(scores, member, np.arange(2000))["details"]
    assert [rate["fpr"] for rate in details["tpr"]] == [0.1, 0.01, 0.0]
    assert [bool(rate["note"]) for rate in details["tpr"]] == [False, True, True]
    clustered = statistics.summary(scores, member, np.arange(2000) // 2)["details"]
    assert [rate["fpr"] for rate in clustered["tpr"]] == [0.1, 0.0]  # 750 units of non-members are not 1,000
    assert clustered["mde_auc"] > details["mde_auc"]


def test_golden_values():
    assert [statistics.auc_null_sd(n, n) for n in (200, 1000, 2000, 5000)] == pytest.approx(
        [0.029, 0.0129, 0.0091, 0.0058], abs=1e-4
    )
    assert [statistics.mde_auc(n, n) for n in (200, 1000, 2000, 5000)] == pytest.approx([0.548, 0.521, 0.515, 0.510], abs=6e-4)
    assert [statistics.mde_auc(n, n, 12) for n in (200, 1000, 2000, 5000)] == pytest.approx(
        [0.576, 0.534, 0.524, 0.515], abs=6e-4
    )
    assert [statistics.gaussian_tpr(0.5, f) for f in (0.01, 0.1)] == pytest.approx([0.034, 0.218], abs=1e-3)
    assert [statistics.gaussian_tpr(1.666, f) for f in (0.001, 0.01, 0.1)] == pytest.approx([0.0772, 0.2545, 0.650], abs=6e-4)


def test_the_needed_size_lets_chance_pass_nine_times_in_ten():
    """Three independent useless attacks, 300 repetitions, 4 standard errors below; sizes are rounded up by up to a tenth."""
    needed = statistics.needed_nonmembers(0.5, 0.1, 3)
    tolerance = statistics.gaussian_tpr(0.5, 0.1)
    rng = np.random.default_rng(0)

    def passes(size):
        member = np.repeat([True, False], size)
        return all(statistics.tpr_upper(rng.normal(size=2 * size), member, 0.1, 0.05 / 3) < tolerance for _ in range(3))

    assert np.mean([passes(needed) for _ in range(300)]) > 0.9 - 4 * np.sqrt(0.09 / 300)
    assert np.mean([passes(needed // 2) for _ in range(300)]) < 0.7


def test_roc_is_made_of_strict_thresholds():
    rng = np.random.default_rng(1)
    scores, member = _scores(rng.normal(0.5, 1, 2000), rng.normal(size=3000))
    curve = statistics.roc(scores, member)
    assert len(curve["fpr"]) == len(curve["tpr"]) <= 101
    assert curve["fpr"] == sorted(curve["fpr"])
    assert curve["tpr"] == sorted(curve["tpr"])
    assert (curve["fpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0.0, 1.0, 1.0)
    assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(roc_auc_score(member, scores), abs=0.005)
    tied = statistics.roc(np.zeros(20), np.repeat([True, False], 10))
    assert set(zip(tied["fpr"], tied["tpr"], strict=True)) == {(0.0, 0.0), (1.0, 1.0)}


def test_pooled_is_the_mean_of_a_units_rows():
    assert statistics.pooled(np.array([1.0, 5.0, 3.0]), np.array([0, 1, 0])).tolist() == [2.0, 5.0]
