"""NOT PRIVATE. Attack scores -> numbers with intervals: rates at strict thresholds, ROC curves, what a sample size can show."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from tabsynth.validate.intervals import clopper_pearson, delong, normal_quantile

RATES = (0.1, 0.01, 0.001, 0.0)
"""False positive rates at which the true positive rate is reported."""
_NEEDED = {0.1: 100, 0.01: 1_000, 0.001: 10_000, 0.0: 1}


def printable(fpr: float, nonmembers: int) -> bool:
    """Whether so many non-members can say anything about this rate: 100 for 10 %, 1,000 for 1 %, 10,000 for 0.1 %."""
    return nonmembers >= _NEEDED[fpr]


def tpr_at_fpr(scores: np.ndarray, member: np.ndarray, fpr: float) -> dict[str, Any]:
    """True positive rate at a strict threshold that admits at most a share `fpr` of the non-members.

    A row is called a member when its score is *above* the ``floor(fpr * n_nonmembers) + 1``-th largest non-member score, so tied
    scores are never split and nothing is interpolated.

    Returns
    -------
    dict
        fpr, tp, fp, tpr, interval (Clopper-Pearson, 95 %), fpr_upper (upper end of the 95 % interval of the rate reached), note.
    """
    others = scores[~member]
    tp, fp = _above(scores, member, math.floor(fpr * len(others)))
    n = int(member.sum())
    notes = [
        "threshold: the highest score of a non-member" if not fp else "",
        f"wide interval: {len(others)} non-members" if fpr and len(others) < 2 * _NEEDED[fpr] else "",
    ]
    return {
        "fpr": fpr,
        "tp": tp,
        "fp": fp,
        "tpr": tp / n,
        "interval": list(clopper_pearson(tp, n)),
        "fpr_upper": clopper_pearson(fp, len(others))[1],
        "note": "; ".join(filter(None, notes)),
    }


def tpr_upper(scores: np.ndarray, member: np.ndarray, fpr: float, error: float) -> float:
    """Upper bound of the true positive rate at the threshold that *all* non-members, not only those at hand, pass with rate `fpr`.

    Wrong with probability at most `error`: half of it for the threshold, which is lowered until its false positive rate is surely
    no less than `fpr` (the rate of an order statistic is beta distributed), half for the Clopper-Pearson bound there.
    """
    count = _surely(fpr, int((~member).sum()), error / 2)
    return 1.0 if count is None else clopper_pearson(_above(scores, member, count)[0], int(member.sum()), 1 - error)[1]


def _above(scores: np.ndarray, member: np.ndarray, count: int) -> tuple[int, int]:
    """How many members and non-members score above the ``count + 1``-th largest score of a non-member."""
    others = np.sort(scores[~member])[::-1]
    threshold = others[min(count, len(others) - 1)]
    return int((scores[member] > threshold).sum()), int((others > threshold).sum())


def _surely(fpr: float, nonmembers: int, error: float) -> int | None:
    """Smallest count for which the threshold of `_above` has a rate of at least `fpr` with probability ``1 - error``, if any."""
    from scipy.stats import beta

    counts = np.arange(nonmembers)
    enough = np.flatnonzero(beta.ppf(error, counts + 1, nonmembers - counts) >= fpr)
    return int(enough[0]) if len(enough) else None


def roc(scores: np.ndarray, member: np.ndarray, points: int = 101) -> dict[str, list[float]]:
    """ROC curve at strict thresholds, at most `points` of them, denser at low false positive rates."""
    others, members = np.sort(scores[~member])[::-1], np.sort(scores[member])
    n = len(others)
    counts = np.unique(np.concatenate([[0], np.round(np.geomspace(1, n, points - 2)) if n > 1 else []]).astype(int))
    thresholds = np.append(others, -np.inf)[counts]
    tpr = 1 - np.searchsorted(members, thresholds, side="right") / len(members)
    fpr = np.searchsorted(-others, -thresholds, side="left") / n
    return {"fpr": [*map(float, fpr), 1.0], "tpr": [*map(float, tpr), 1.0]}


def auc_null_sd(members: int, nonmembers: int) -> float:
    """Standard deviation of the AUC of a score that knows nothing: Hanley and McNeil (1982), Radiology 143(1)."""
    return math.sqrt((members + nonmembers + 1) / (12 * members * nonmembers))


def mde_auc(members: int, nonmembers: int, attacks: int = 1) -> float:
    """Smallest AUC that is significantly above chance at 5 % (one-sided, Bonferroni over `attacks`)."""
    return min(1.0, 0.5 + normal_quantile(1 - 0.1 / attacks) * auc_null_sd(members, nonmembers))


def gaussian_tpr(mu: float, fpr: float) -> float:
    """Highest true positive rate at `fpr` against a mu-GDP release: Dong, Roth and Su (2022), JRSS-B 84(1), definition 2.6."""
    from scipy.stats import norm

    return float(norm.sf(norm.isf(fpr) - mu))


@cache
def needed_nonmembers(mu: float, fpr: float, attacks: int) -> int:
    """Challenge size (members = non-members, to a tenth) at which attacks no better than chance all pass with probability 90 %.

    Passing means that `tpr_upper`, Bonferroni-corrected for so many attacks, lies under the tolerance curve `mu`.
    """
    from scipy.stats import betabinom

    tolerance, error, size = gaussian_tpr(mu, fpr), 0.05 / attacks, _NEEDED[fpr]
    while True:
        count = _surely(fpr, size, error / 2)
        if count is not None:
            found = betabinom.ppf(1 - 0.1 / attacks, size, count + 1, size - count)
            if clopper_pearson(found, size, 1 - error)[1] < tolerance:
                return size
        size += max(1, size // 10)


def pooled(scores: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Unit scores: the mean of the scores of a unit's rows, shape (units,); units are numbered 0, 1, ..."""
    return np.bincount(units, scores) / np.bincount(units)


def summary(scores: np.ndarray, member: np.ndarray, units: np.ndarray) -> dict[str, Any]:
    """AUC with interval, and the `details` every attack reports: sizes, rates that so many units can support, ROC curve.

    Returns
    -------
    dict
        value, interval, details; rates with too few non-member units behind them are left out.
    """
    value, interval = delong(scores, member, units)
    member_units, other_units = len(np.unique(units[member])), len(np.unique(units[~member]))
    details = {
        "n_members": int(member.sum()),
        "n_nonmembers": int((~member).sum()),
        "mde_auc": mde_auc(member_units, other_units),
        "tpr": [tpr_at_fpr(scores, member, fpr) for fpr in RATES if printable(fpr, other_units)],
        "roc": roc(scores, member),
    }
    return {"value": value, "interval": interval, "details": details}
