"""Scores -> numbers: strict thresholds, what may be printed, and the golden values of the reference notes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tabsynth.errors import InputError
from tabsynth.tradeoff import gaussian_tpr
from tabsynth.validate.attacks import statistics
from tabsynth.validate.attacks.epsilon import epsilon_from_rates, epsilon_one_run
from tabsynth.validate.attacks.statistics import familywise, tpr_at_fpr
from tabsynth.validate.intervals import clopper_pearson, residual_risk, wilson


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
    assert [bool(rate["note"]) for rate in details["tpr"]] == [False, True, False]
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
    assert [gaussian_tpr(0.5, f) for f in (0.01, 0.1)] == pytest.approx([0.034, 0.218], abs=1e-3)
    assert [gaussian_tpr(1.666, f) for f in (0.001, 0.01, 0.1)] == pytest.approx([0.0772, 0.2545, 0.650], abs=6e-4)


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


def _correlated(seed, units=120, attacks=8):
    """Scores that know nothing: alike, rounded, and constant ones among them."""
    rng, member = np.random.default_rng(seed), np.repeat([True, False], units // 2)
    shared = rng.normal(size=units)
    scores = {str(k): shared + rng.normal(size=units) for k in range(attacks)}
    return {**scores, "rounded": np.round(shared), "constant": np.zeros(units)}, member, rng


@pytest.mark.parametrize("two_sided", [False, True])
def test_familywise_holds_its_level_on_correlated_useless_attacks(two_sided):
    """500 tables: the share of p <= .05 at most 4 standard errors above .05, and not below .01: exact, not only conservative."""
    p = np.array([familywise(*_correlated(seed), 200, two_sided=two_sided)["p"] for seed in range(500)])
    assert 0.01 <= (p <= 0.05).mean() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 500)
    assert abs((p <= 0.5).mean() - 0.5) < 4 * np.sqrt(0.25 / 500)
    assert p.min() >= 1 / 201


@pytest.mark.parametrize("sign", [1, -1])
def test_familywise_finds_one_leaky_attack_among_thirty_and_is_one_sided(sign):
    """A shift of 0.4 deviations, AUC .611, 500 and 500 units: 6 standard deviations of the null."""
    rng, member = np.random.default_rng(0), np.repeat([True, False], 500)
    scores = {str(k): rng.normal(size=1000) for k in range(29)} | {"leaky": rng.normal(size=1000) + sign * 0.4 * member}
    found = familywise(scores, member, np.random.default_rng(1), 500)
    p = {row["attack"]: row["p"] for row in found["attacks"]}
    assert (p["leaky"] <= 1 / 501) == (sign == 1)
    assert min(p[str(k)] for k in range(29)) > 0.05
    assert found["p"] == min(p.values()) == found["attacks"][0]["p"]
    both = familywise(scores, member, np.random.default_rng(1), 500, two_sided=True)
    assert both["attacks"][0]["attack"] == "leaky"
    assert both["p"] == 1 / 501


def test_familywise_finds_a_leak_of_a_few():
    """One member in a hundred is surely known, which moves the AUC by .005, less than its standard deviation of .0058."""
    rng, member = np.random.default_rng(0), np.repeat([True, False], 5000)
    scores = {str(k): rng.normal(size=10_000) for k in range(10)}
    scores["tail"] = rng.normal(size=10_000)
    scores["tail"][:50] += 10
    found = familywise(scores, member, np.random.default_rng(1), 300)
    row = found["attacks"][0]
    assert (row["attack"], row["p"]) == ("tail", 1 / 301)
    assert row["auc_z"] < 2
    assert row["top"] > 65  # 50, and about half of the 50 places left
    blind = familywise(scores, member, np.random.default_rng(1), 300, tail=False)
    assert {r["attack"]: r["p"] for r in blind["attacks"]}["tail"] > 0.05


def test_familywise_statistics_are_exact():
    """Against all 70 labellings of eight units: standard deviations, AUC, ties at the cut shared, constant scores 0."""
    from itertools import combinations

    member = np.repeat([True, False], 4)
    scores = {"a": np.array([3.0, 1, 4, 1, 5, 9, 2, 6]), "top": np.array([9.0, 9, 1, 2, 9, 3, 4, 5]), "constant": np.ones(8)}
    rows = {row["attack"]: row for row in familywise(scores, member, np.random.default_rng(0), 50)["attacks"]}
    labellings = [np.isin(np.arange(8), chosen) for chosen in combinations(range(8), 4)]
    for name in ("a", "top"):
        aucs = np.array([roc_auc_score(labels, scores[name]) for labels in labellings])
        assert rows[name]["auc"] == pytest.approx(roc_auc_score(member, scores[name]))
        assert rows[name]["auc_sd"] == pytest.approx(aucs.std())
        assert rows[name]["auc_z"] == pytest.approx((rows[name]["auc"] - 0.5) / aucs.std(), abs=1e-5)
    assert rows["top"]["top"] == pytest.approx(2 / 3)  # one place for three equal scores, two of them members'
    assert rows["top"]["top_z"] == pytest.approx((2 / 3 - 1 / 2) / np.std([s[[0, 1, 4]].sum() / 3 for s in labellings]), abs=1e-5)
    assert (rows["constant"]["auc_z"], rows["constant"]["top_z"], rows["constant"]["p"]) == (0, 0, 1)


def test_the_critical_value_agrees_with_p():
    for seed in range(60):
        scores, member, rng = _correlated(seed)
        found = familywise(scores, member, rng, 100, level=0.2, two_sided=True)
        reached = [max(row["auc_z"], row["top_z"]) > found["critical"] for row in found["attacks"]]
        assert reached == [row["p"] <= 0.2 for row in found["attacks"]]


def test_precision_at_a_prior():
    """True positive rate 22.6 % at 1 %: 96 % of those named are members if half of all are, 19 % if one in a hundred is."""
    rows = [statistics.precision(226, 1000, 10, 1000, prior) for prior in (0.5, 0.01)]
    assert [row["precision"] for row in rows] == pytest.approx([0.958, 0.186], abs=1e-3)
    low, high = clopper_pearson(226, 1000, 0.975)
    least, most = clopper_pearson(10, 1000, 0.975)
    assert rows[0]["interval"] == pytest.approx([low / (low + most), high / (high + least)])
    nobody = statistics.precision(0, 100, 0, 100, 0.1)
    assert (nobody["precision"], nobody["interval"]) == (None, [0, 1])
    assert statistics.precision(5, 100, 0, 100, 0.1)["precision"] == 1


def test_the_interval_of_the_precision_covers():
    """At a threshold that is itself a non-member's score; 400 tables, 4 standard errors below 95 %."""
    from scipy.stats import norm

    rng, member = np.random.default_rng(0), np.repeat([True, False], 200)
    covered = 0
    for _ in range(400):
        scores = rng.normal(size=400) + member
        rate = tpr_at_fpr(scores, member, 0.1)
        threshold = np.sort(scores[~member])[::-1][20]
        tpr, fpr = norm.sf(threshold - 1), norm.sf(threshold)
        low, high = statistics.precision(rate["tp"], 200, rate["fp"], 200, 0.1)["interval"]
        covered += low <= tpr * 0.1 / (tpr * 0.1 + fpr * 0.9) <= high
    assert covered / 400 > 0.95 - 4 * np.sqrt(0.05 * 0.95 / 400)


def test_golden_epsilons():
    """A perfect attack in 400 + 400 fits, ceilings, and the one-run audit of Steinke et al. (2023)."""
    perfect = epsilon_from_rates(0, 400, 0, 400, 1e-5)
    assert perfect.epsilon == perfect.ceiling == pytest.approx(4.681517, abs=1e-6)
    ceilings = [epsilon_from_rates(n // 2, n, n // 2, n, 1e-5) for n in (50, 100, 200, 1000, 2000, 5000, 10_000)]
    assert [b.ceiling for b in ceilings] == pytest.approx([2.57, 3.28, 3.98, 5.60, 6.29, 7.21, 7.90], abs=6e-3)
    assert {(b.epsilon, b.mu) for b in ceilings} == {(0, 0)}
    assert epsilon_one_run(1000, 600, 600, 1e-5) == pytest.approx(5.2704, abs=1e-4)
    assert epsilon_one_run(100, 100, 100, 1e-5) == pytest.approx(3.4902, abs=1e-4)
    assert epsilon_one_run(100, 100, 50, 1e-5) == epsilon_one_run(100, 0, 0, 1e-5) == 0
    with pytest.raises(InputError):
        epsilon_one_run(100, 50, 51, 1e-5)


def test_audits_of_a_mechanism_with_nothing_to_find_find_nothing():
    """Useless scores, 2 x 200 fits, threshold 0 fixed beforehand: both bounds must miss together, which happens 3 times in 1000."""
    rng = np.random.default_rng(0)
    wrong = rng.binomial(200, 0.5, size=(1000, 2))
    bounds = [epsilon_from_rates(fp, 200, fn, 200, 1e-5) for fp, fn in wrong]
    assert np.mean([b.mu > 0 for b in bounds]) < 0.01
    assert np.mean([b.epsilon > 0 for b in bounds]) < 0.01
    assert np.mean([epsilon_one_run(100, 50, v, 0.0) > 0 for v in rng.binomial(50, 0.5, 200)]) < 0.05 + 4 * 0.0155


def test_the_audit_of_a_gaussian_mechanism_stays_below_its_mu_and_comes_close():
    """mu = 2, threshold 1, 200 audits of 2 x 1000 fits: at most 5 % above (plus 4 standard errors), the mean above 1.7."""
    from scipy.stats import norm

    wrong = np.random.default_rng(0).binomial(1000, norm.sf(1), size=(200, 2))
    found = np.array([epsilon_from_rates(fp, 1000, fn, 1000, 1e-5).mu for fp, fn in wrong])
    assert (found > 2).mean() < 0.05 + 4 * 0.0155
    assert found.mean() > 1.7


def test_golden_residual_risk():
    """The published univariate example of anonymeter on Adult; the control's count is solved from its printed rate and error."""
    for successes, rate, half in ((16, 0.0355682, 0.0157767), (9.229, 0.02213, 0.01231)):
        low, high = wilson(successes, 500)
        assert ((low + high) / 2, (high - low) / 2) == pytest.approx((rate, half), abs=5e-6)
    value, (low, high) = residual_risk(16, 500, 9.229, 500)
    assert (value, max(low, 0), high) == pytest.approx((0.01374, 0, 0.0341), abs=5e-6)
    assert residual_risk(9, 500, 16, 500)[0] < 0
