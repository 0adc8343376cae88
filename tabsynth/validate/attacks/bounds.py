"""NOT PRIVATE. What a sample says about the rate of members found at the threshold that a share of *all* non-members pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from tabsynth.tradeoff import gaussian_tpr
from tabsynth.validate.intervals import clopper_pearson

RATES = (0.01, 0.1)
"""False positive rates at which membership is judged."""
FAIL_ERROR = 0.025
"""Chance that attacks which are all within the tolerance fail, over all attacks and `RATES` together."""
PASS_ERROR = 0.05
"""Chance that a family of attacks passes of which one exceeds the tolerance."""
COPIED = 0.05
"""Share of copied members that a test has to see, where the tolerance forbids it."""
_MOST = 50_000
_SURE = 0.9
_RAISED = 0.01
"""Chance that the threshold of `exceeds` has a higher rate than it is named after. Less finds copies better, more finds small shifts."""


def untied(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ranks from 0, ties in random order, which favours nobody: an attacker who has to choose among equals tosses a coin."""
    ranks = np.empty(len(scores))
    ranks[np.lexsort((rng.random(len(scores)), scores))] = np.arange(len(scores))
    return ranks


def tpr_upper(scores: np.ndarray, member: np.ndarray, fpr: float, error: float) -> float:
    """Upper bound of the true positive rate at the threshold that *all* non-members, not only those at hand, pass with rate `fpr`.

    Wrong with probability at most `error`: half of it for the threshold, which is lowered until its false positive rate is surely
    no less than `fpr`, half for the Clopper-Pearson bound there. The rate R of the (c + 1)-th largest of m non-members has the
    distribution Beta(c + 1, m - c), so P(R < fpr) = P(Binomial(m, fpr) > c). Where R >= fpr the members there are at least as
    many as at `fpr`, and the bound fails with probability at most ``error / 2``.

    Parameters
    ----------
    scores : ndarray of float, shape (units,)
        Higher means "member". Independent draws, those of members alike and those of non-members alike; `untied`.
    member : ndarray of bool, shape (units,)
    """
    count = lowered(fpr, int((~member).sum()), error / 2)
    return 1.0 if count is None else clopper_pearson(above(scores, member, count)[0], int(member.sum()), 1 - error)[1]


def tpr_lower(scores: np.ndarray, member: np.ndarray, fpr: float, error: float) -> float:
    """Lower bound of the same rate, wrong with probability at most `error`: the mirror image of `tpr_upper`.

    The threshold is raised until its false positive rate R is surely at most `fpr`: P(R > fpr) = P(Binomial(m, fpr) <= c) is at most
    ``error / 2``. Where R <= fpr the members there are no more than at `fpr`, and the Clopper-Pearson bound exceeds their rate
    with probability at most ``error / 2``. So against a generator whose trade-off curve T no score exceeds, the bound lies above
    T(fpr) with probability at most `error`. Ties can only lower R and the bound. 0 where there are too few non-members. Under
    exchangeable labels (a random split, no leak) it depends on ranks alone, and the chance is the same as for independent draws.
    """
    count = raised(fpr, int((~member).sum()), error / 2)
    return 0.0 if count is None else clopper_pearson(above(scores, member, count)[0], int(member.sum()), 1 - error)[0]


def above(scores: np.ndarray, member: np.ndarray, count: int) -> tuple[int, int]:
    """How many members and non-members score above the ``count + 1``-th largest score of a non-member."""
    others = np.sort(scores[~member])[::-1]
    threshold = others[min(count, len(others) - 1)]
    return int((scores[member] > threshold).sum()), int((others > threshold).sum())


@cache
def lowered(fpr: float, nonmembers: int, error: float) -> int | None:
    """Smallest count for which the threshold of `above` has a rate of at least `fpr` with probability ``1 - error``, if any."""
    from scipy.stats import binom

    count = int(binom.isf(error, nonmembers, fpr))
    return count if count < nonmembers else None


@cache
def raised(fpr: float, nonmembers: int, error: float) -> int | None:
    """Largest count for which the threshold of `above` has a rate of at most `fpr` with probability ``1 - error``, if any."""
    from scipy.stats import binom

    count = int(binom.ppf(error, nonmembers, fpr))  # the smallest with a chance of at least `error` to have no more
    count -= bool(binom.cdf(count, nonmembers, fpr) > error)
    return count if count >= 0 else None


def exceeds(ranks: np.ndarray, member: np.ndarray, fpr: float, mu: float, error: float) -> dict[str, float] | None:
    """Whether a score finds more members than the tolerance curve `mu` allows, tested where the false positive rate is about surely `fpr`.

    Exact, unlike a comparison of `tpr_lower` with one point of the curve, which throws most of its error away: the threshold is
    raised until its rate R is at most `fpr` with 99 %, and the members above it are counted. For a score whose true positive rate
    exceeds the curve G at no rate, the chance of c of them or more is at most ``E P(Binomial(members, G(R)) >= c)``, R being Beta
    distributed; `critical` is the smallest c for which that is at most `error`.

    Returns
    -------
    dict or None
        None where it does not. Else what was seen: tpr, fpr_seen, and `least`, the smallest rate that is too high.
    """
    members, others = int(member.sum()), int((~member).sum())
    count = raised(fpr, others, _RAISED)
    if count is None:
        return None
    (found, wrong), least = above(ranks, member, count), critical(members, others, count, mu, error)
    return {"tpr": found / members, "fpr_seen": wrong / others, "least": least / members} if found >= least else None


@cache
def critical(members: int, nonmembers: int, count: int, mu: float, error: float) -> int:
    """The smallest number of members above the ``count + 1``-th non-member that a mu-GDP generator shows with probability `error` at most."""
    from scipy.stats import binom, norm

    chance, rates = _steps(nonmembers, count)
    allowed = norm.cdf(norm.ppf(rates) + mu)
    low, high = 0, members + 1
    while low < high:
        middle = (low + high) // 2
        enough = chance @ binom.sf(middle - 1, members, allowed) <= error
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _steps(nonmembers: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the rate of the ``count + 1``-th non-member: how likely each is, and its upper end, so that chances are overstated."""
    from scipy.stats import beta

    tail = np.geomspace(1e-9, 1e-2, 200)
    ends = np.concatenate([[0.0], tail, np.linspace(1e-2, 1 - 1e-2, 400)[1:-1], 1 - tail[::-1], [1.0]])
    return np.diff(ends), beta.ppf(ends[1:], count + 1, nonmembers - count)


def seen(units: int, fpr: float, mu: float, error: float, tpr: Callable[[np.ndarray], np.ndarray]) -> float:
    """Chance that `exceeds` holds for a score whose true positive rate is a known function of the false one, up to the integral's steps.

    Parameters
    ----------
    units : int
        Members, and as many non-members.
    tpr : callable
        Of arrays of rates.
    """
    from scipy.stats import binom

    count = raised(fpr, units, _RAISED)
    if count is None:
        return 0.0
    chance, rates = _steps(units, count)
    return float(chance @ binom.sf(critical(units, units, count, mu, error) - 1, units, tpr(rates)))


@cache
def needed(mu: float, fpr: float, attacks: int) -> int | None:
    """Challenge size (members = non-members, to a twentieth) that settles whether attacks are within the tolerance curve `mu`.

    That is: attacks no better than chance, and independent of each other, all pass with probability 90 %; and where the
    tolerance forbids that 5 % of the members are copied, that is seen with probability 90 %. None where 50,000 are not enough: the
    tolerance is too close to chance.
    """
    from scipy.stats import betabinom

    tolerance, look = gaussian_tpr(mu, fpr), FAIL_ERROR / (attacks * len(RATES))
    forbidden = copied(fpr) > tolerance
    size = round(1 / fpr)
    while size <= _MOST:
        count = lowered(fpr, size, PASS_ERROR / 2)
        if count is not None:
            found = betabinom.ppf(1 - (1 - _SURE) / attacks, size, count + 1, size - count)
            passes = clopper_pearson(found, size, 1 - PASS_ERROR)[1] < tolerance
            if passes and (not forbidden or seen(size, fpr, mu, look, copied) >= _SURE):
                return size
        size += max(1, size // 20)
    return None


def copied(fpr: float | np.ndarray, share: float = COPIED) -> float | np.ndarray:
    """True positive rate where a share of the members is copied, and nothing is known of the others."""
    return share + (1 - share) * fpr
