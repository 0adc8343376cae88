"""Intervals against published values, an independent implementation, and their own promise: coverage."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from tabsynth.validate.intervals import bootstrap, clopper_pearson, delong, newcombe, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(50, 1000, 0.037, 0.065), (10, 1000, 0.005, 0.018), (10, 200, 0.024, 0.090), (0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0)],
)
def test_clopper_pearson_matches_published_values(successes, trials, low, high):
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 17), (16, 500), (4999, 5000)])
def test_proportions_match_statsmodels(successes, trials, level):
    assert clopper_pearson(successes, trials, level) == pytest.approx(
        proportion_confint(successes, trials, 1 - level, "beta"), abs=1e-12
    )
    assert wilson(successes, trials, level) == pytest.approx(
        proportion_confint(successes, trials, 1 - level, "wilson"), abs=1e-12
    )


def test_clopper_pearson_covers_at_least_its_level():
    for trials in (1, 7, 40):
        intervals = np.array([clopper_pearson(k, trials) for k in range(trials + 1)])
        for p in np.linspace(0.001, 0.999, 97):
            covered = (intervals[:, 0] <= p) & (p <= intervals[:, 1])
            assert binom.pmf(np.arange(trials + 1), trials, p)[covered].sum() >= 0.95 - 1e-12


def test_newcombe_matches_the_paper_and_statsmodels():
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)  # Newcombe (1998), table II, example (a)
    assert newcombe(0, 10, 0, 10) == pytest.approx((-0.2775, 0.2775), abs=5e-5)  # example (h) has equal zero counts
    assert newcombe(5, 56, 0, 29) == pytest.approx(confint_proportions_2indep(5, 56, 0, 29, method="newcomb"), abs=1e-10)


def test_newcombe_covers():
    rng = np.random.default_rng(0)
    for p, q, n, m in ((0.001, 0.001, 2000, 1000), (0.05, 0.02, 300, 300), (0.5, 0.4, 60, 90)):
        draws = zip(rng.binomial(n, p, 2000), rng.binomial(m, q, 2000), strict=True)
        covered = np.mean([low <= p - q <= high for low, high in (newcombe(k, n, j, m) for k, j in draws)])
        assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 2000)


def test_delong_is_the_area_under_the_curve_with_ties():
    rng = np.random.default_rng(1)
    member = rng.random(200) < 0.4
    scores = np.round(rng.normal(size=200) + member, 1)
    auc, (low, high) = delong(scores, member)
    assert auc == pytest.approx(roc_auc_score(member, scores))
    assert low < auc < high


def _coverage(cluster: bool, sd_between: float, replicates: int = 600) -> float:
    """Share of intervals that hold the true AUC of two shifted normals, 40 units of up to 5 rows a side."""
    from scipy.stats import norm

    rng, hits = np.random.default_rng(2), 0
    truth = norm.cdf(1 / np.sqrt(2 * (1 + sd_between**2)))
    for _ in range(replicates):
        units = np.repeat(np.arange(80), rng.integers(1, 6, 80))
        member = units < 40
        scores = member + rng.normal(size=len(units)) + rng.normal(0, sd_between, 80)[units]
        low, high = delong(scores, member, units if cluster else None)[1]
        hits += low <= truth <= high
    return hits / replicates


def test_delong_covers_with_independent_and_with_dependent_rows():
    error = np.sqrt(0.95 * 0.05 / 600)
    assert abs(_coverage(False, 0.0) - 0.95) < 3 * error
    assert abs(_coverage(True, 1.5) - 0.95) < 3 * error
    assert _coverage(False, 1.5) < 0.95 - 5 * error  # without units the intervals are too short: the test can tell


def test_delong_of_degenerate_scores_is_wide_not_a_point():
    member = np.repeat([True, False], 10)
    for scores in (member.astype(float), -member.astype(float), np.zeros(20)):
        auc, (low, high) = delong(scores, member)
        assert low <= auc <= high
        assert high - low > 0.25
    assert delong(np.array([1.0, 0.0]), np.array([True, False]))[1] == pytest.approx((0.025, 1.0))


def test_bootstrap_covers_a_mean_of_dependent_rows_only_by_unit():
    rng, hits = np.random.default_rng(3), {True: 0, False: 0}
    for _ in range(200):
        units = np.repeat(np.arange(40), rng.integers(1, 8, 40))
        values = rng.normal(size=40)[units]
        for by_unit in hits:
            groups = units if by_unit else np.arange(len(units))
            (low, high), nothing = bootstrap(lambda w, v=values: (w @ v / w.sum(), np.nan), groups, rng, 200)
            hits[by_unit] += low <= 0 <= high
            assert nothing is None
    assert hits[True] / 200 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 200)  # percentile intervals of 40 units are a little short
    assert hits[False] / 200 < 0.85
