"""NOT PRIVATE. Confidence intervals for proportions, their differences, areas under the ROC curve, and by bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

Interval = tuple[float, float]


def clopper_pearson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Exact two-sided interval of a proportion.

    Parameters
    ----------
    successes, trials : float
        Counts; fractions are allowed (the bounds are beta quantiles).
    level : float
        Coverage is at least this for every true proportion. One-sided bounds at level a are the ends of the interval at 2a - 1.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26(4).
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Score interval of a proportion: Wilson (1927), JASA 22(158)."""
    z = normal_quantile(level)
    p, shrink = successes / trials, 1 + z * z / trials
    centre = (p + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def residual_risk(
    successes: float, trials: float, control_successes: float, control_trials: float, level: float = 0.95
) -> tuple[float, Interval]:
    """Attack's success on members in excess of that on a control set: ``(attack - control) / (1 - control)``, with its interval.

    Rates are the centres of Wilson's score intervals, and their half-widths are propagated to first order. Below 0 where the
    control set is the easier one; anonymeter prints value and interval cut to [0, 1]. The normal approximation is its weakness:
    for a decision take `newcombe`.

    References
    ----------
    Giomi, Boenisch, Wehmeyer and Tasnadi (2023), PoPETs 2023(2) (anonymeter).
    """
    (low, high), (least, most) = wilson(successes, trials, level), wilson(control_successes, control_trials, level)
    attack, control = (low + high) / 2, (least + most) / 2
    value = (attack - control) / (1 - control)
    half = math.hypot(high - attack, (most - control) * (1 - attack) / (1 - control)) / (1 - control)
    return value, (value - half, value + half)


def newcombe(first: int, first_trials: int, second: int, second_trials: int, level: float = 0.95) -> Interval:
    """Interval of the difference ``first / first_trials - second / second_trials`` of two independent proportions.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17(8), method 10 (hybrid of two Wilson score intervals).
    """
    p, q = first / first_trials, second / second_trials
    p_low, p_high = wilson(first, first_trials, level)
    q_low, q_high = wilson(second, second_trials, level)
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def delong(
    scores: np.ndarray, member: np.ndarray, units: np.ndarray | None = None, level: float = 0.95
) -> tuple[float, Interval]:
    """Area under the ROC curve of `scores` for telling members from non-members, with its interval.

    Parameters
    ----------
    scores : ndarray of float, shape (n,)
        Higher means "member"; ties count one half.
    member : ndarray of bool, shape (n,)
        At least one of each.
    units : ndarray of int, shape (n,), optional
        Rows with the same value are dependent; a unit is all members or all non-members. Without it, every row is a unit.

    Returns
    -------
    auc, (low, high)
        Normal interval on the logit scale. Where the estimated variance is zero (perfect separation, all ties, one unit), the
        Clopper-Pearson interval of ``auc`` for as many trials as the smaller class has units.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3); Obuchowski (1997), Biometrics 53(2), for dependent rows.
    """
    from scipy.stats import rankdata

    units = np.arange(len(scores)) if units is None else units
    ranks = rankdata(scores)
    n, m = int(member.sum()), int((~member).sum())
    placements = np.empty(len(scores))  # share of the other class that a row beats (members) or is beaten by (non-members)
    placements[member] = (ranks[member] - rankdata(scores[member])) / m
    placements[~member] = 1 - (ranks[~member] - rankdata(scores[~member])) / n
    auc = float(placements[member].mean())
    variance, smaller = 0.0, math.inf
    for group, size in ((member, n), (~member, m)):
        sums = np.bincount(np.unique(units[group], return_inverse=True)[1], placements[group] - auc)
        smaller = min(smaller, len(sums))
        variance += len(sums) / max(len(sums) - 1, 1) * float(np.sum(sums**2)) / size**2
    if smaller < 2 or variance < 1e-12 or not 0 < auc < 1:
        return auc, clopper_pearson(auc * smaller, smaller, level)
    half = normal_quantile(level) * math.sqrt(variance) / (auc * (1 - auc))
    logit = math.log(auc / (1 - auc))
    return auc, (_expit(logit - half), _expit(logit + half))


def bootstrap(
    statistic: Callable[[np.ndarray], tuple[float, ...]], units: np.ndarray, rng: np.random.Generator, number: int = 400
) -> list[Interval | None]:
    """95 % percentile intervals of statistics of a table, resampling its units with replacement.

    Parameters
    ----------
    statistic : callable
        From row weights, shape (rows,), to one or more numbers (NaN where a replicate has none).
    units : ndarray of int, shape (rows,)
        Unit of each row, as 0, 1, ...; all rows of a unit are drawn together.

    Returns
    -------
    list of (low, high) or None
        One for each number; None where no replicate had a value.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    return percentiles(replicates(statistic, units, rng, number))


def percentiles(draws: np.ndarray) -> list[Interval | None]:
    """95 % of each statistic's replicates, shape (number, statistics); None where it has none."""
    out: list[Interval | None] = []
    for values in draws.T:
        known = values[np.isfinite(values)]
        out.append(tuple(float(v) for v in np.quantile(known, (0.025, 0.975))) if len(known) else None)
    return out


def replicates(
    statistic: Callable[[np.ndarray], tuple[float, ...]], units: np.ndarray, rng: np.random.Generator, number: int = 400
) -> np.ndarray:
    """The statistics of resampled tables, shape (number, statistics); the same generator draws the same tables. See `bootstrap`."""
    count = int(units.max()) + 1
    shares = np.full(count, 1 / count)
    return np.array([statistic(rng.multinomial(count, shares)[units].astype(float)) for _ in range(number)])


def needed_factor(settled: Callable[[float], bool], most: float = 10_000.0) -> float | None:
    """Smallest multiple of the trials (to a tenth) at which a question would be settled, or None up to `most`.

    Parameters
    ----------
    settled : callable
        From a multiple above 1 to whether so many times the trials, with rates as they were seen, would decide.
    """
    factor = 1.1
    while factor <= most and not settled(factor):
        factor *= 1.1
    return factor if factor <= most else None


@cache
def normal_quantile(level: float = 0.95) -> float:
    """z such that a standard normal lies within +-z with probability `level`."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))


def _expit(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))
