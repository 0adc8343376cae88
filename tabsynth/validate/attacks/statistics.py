"""NOT PRIVATE. Attack scores -> numbers with intervals: strict rates, ROC curves, what a sample can show, tests of many attacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tabsynth.validate.attacks.bounds import above
from tabsynth.validate.intervals import clopper_pearson, delong, normal_quantile

RATES = (0.1, 0.01, 0.001, 0.0)
"""False positive rates at which the true positive rate is reported."""
_NEEDED = {0.1: 100, 0.01: 1_000, 0.001: 10_000, 0.0: 1}
_PERMUTATIONS = 100  # at a time
_TIE = 1e-4  # statistics closer than this count as equal, which covers sums in single precision and can only raise a p value


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
    tp, fp = above(scores, member, math.floor(fpr * len(others)))
    n = int(member.sum())
    notes = [
        "threshold: the highest score of a non-member" if fpr and not fp else "",
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


def precision(tp: int, members: int, fp: int, nonmembers: int, prior: float) -> dict[str, Any]:
    """Share of the people an attacker names who are members, where a share `prior` of those he asks about are.

    ``TPR * prior / (TPR * prior + FPR * (1 - prior))`` rises with the one rate and falls with the other, so its 95 % interval runs
    from the lower end for TPR with the upper end for FPR to the opposite: Clopper-Pearson intervals at 97.5 % each (Bonferroni).
    For the threshold of `tpr_at_fpr`, which is itself a non-member's score, the one for FPR still holds (its ends are quantiles of
    the beta distribution of such a rate, or outside them).

    Returns
    -------
    dict
        prior, precision (None where nobody was named), interval.
    """

    def share(tpr: float, fpr: float) -> float | None:
        named = tpr * prior + fpr * (1 - prior)
        return tpr * prior / named if named else None

    (low, high), (least, most) = clopper_pearson(tp, members, 0.975), clopper_pearson(fp, nonmembers, 0.975)
    return {"prior": prior, "precision": share(tp / members, fp / nonmembers), "interval": [share(low, most), share(high, least)]}


def familywise(
    scores: Mapping[str, np.ndarray],
    member: np.ndarray,
    rng: np.random.Generator,
    permutations: int = 2_000,
    *,
    level: float = 0.05,
    two_sided: bool = False,
    tail: bool = True,
) -> dict[str, Any]:
    """Permutation test over all attacks at once: does any know more than chance, allowing for how many were tried?

    The labels are permuted and the scores stay, so attacks may depend on each other in any way. Each attack has two statistics,
    standardised by their exact mean and standard deviation over all permutations (0 for a constant score): the members' sum of
    midranks (the AUC), and the number of members among the highest 1 % of all units (10 % below 1,000 units; ties at the cut
    share the places left), which sees leaks of a few. With T_b the highest of all in permutation b, an attack whose higher
    statistic is z has adjusted p ``(1 + #{T_b >= z}) / (permutations + 1)``. Where no attack knows anything, the chance that any
    p is at or below a level is at most that level, for every sample size (exact under exchangeability of the units).

    Parameters
    ----------
    scores : mapping from attack name to ndarray of float, shape (units,)
        At least one; higher means "member"; no NaN.
    member : ndarray of bool, shape (units,)
        At least one of each.
    level : float
        For `critical`.
    two_sided : bool
        Whether low scores of members count as much as high ones: for controls, not for leaks.
    tail : bool
        Whether the second statistic is used.

    Returns
    -------
    dict
        p (the smallest), critical (p is at or below `level` for statistics above it), permutations, attacks: a list, most
        significant first, of attack, auc, auc_sd (over permutations), auc_z, top (members among the highest), top_z, p. Both z are
        absolute values in the two-sided test.

    References
    ----------
    Westfall and Young (1993), Resampling-Based Multiple Testing (single-step max-T).
    """
    from scipy.stats import rankdata

    pairs = int(member.sum()) * int((~member).sum())
    values = [[kind(s) for kind in ((rankdata, _top) if tail else (rankdata,))] for s in scores.values()]
    weights, deviations = zip(*(_standardised(v, pairs) for attack in values for v in attack), strict=True)
    highest, observed = _permuted(np.array(weights), member, rng, permutations, two_sided)
    rows = []
    for i, (name, (ranks, *top)) in enumerate(zip(scores, values, strict=True)):
        z = observed[i * len(values[0]) : (i + 1) * len(values[0])]
        reached = permutations - int(np.searchsorted(highest, z.max() - _TIE))
        rows.append({
            "attack": name, "auc": 0.5 + float((ranks - ranks.mean())[member].sum()) / pairs,
            "auc_sd": deviations[i * len(z)] / pairs, "auc_z": float(z[0]), "top": float(top[0][member].sum()) if tail else None,
            "top_z": float(z[1]) if tail else None, "p": (1 + reached) / (permutations + 1),
        })  # fmt: skip
    rows.sort(key=lambda row: row["p"])
    allowed = math.floor(level * (permutations + 1))
    critical = float(highest[-allowed]) + _TIE if allowed else math.inf
    return {"p": rows[0]["p"], "critical": critical, "permutations": permutations, "attacks": rows}


def _permuted(
    weights: np.ndarray, member: np.ndarray, rng: np.random.Generator, permutations: int, two_sided: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The highest statistic of each permutation, ascending, and the statistics of the labels as they are."""

    def statistics(labels: np.ndarray) -> np.ndarray:
        z = labels.astype(np.float32) @ weights.T
        return np.abs(z) if two_sided else z

    highest = []
    for done in range(0, permutations, _PERMUTATIONS):
        labels = np.tile(member, (min(_PERMUTATIONS, permutations - done), 1))
        highest.append(statistics(rng.permuted(labels, axis=1)).max(axis=1))
    return np.sort(np.concatenate(highest)), statistics(member[None, :])[0]


def _top(scores: np.ndarray) -> np.ndarray:
    """1 for units among the highest 1 % (10 % below 1,000 units), 0 for others, and for ties at the cut an equal share between."""
    places = max(1, len(scores) // (100 if len(scores) >= 1_000 else 10))
    cut = np.sort(scores)[-places]
    above, tied = scores > cut, scores == cut
    return above + tied * ((places - above.sum()) / tied.sum())


def _standardised(values: np.ndarray, pairs: int) -> tuple[np.ndarray, float]:
    """Weights whose sum over random members has mean 0 and variance 1 (all 0 for equal values), and the sum's own deviation."""
    centred, units = values - values.mean(), len(values)
    deviation = math.sqrt(pairs / (units * (units - 1)) * float(centred @ centred))
    if deviation < 1e-9:
        return np.zeros(units, np.float32), 0.0
    return (centred / deviation).astype(np.float32), deviation


def halves(member: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of two random halves of the units, ascending, each with half of the members and half of the non-members."""
    first, second = [], []
    for side in (member, ~member):
        order = rng.permutation(np.flatnonzero(side))
        first.append(order[: len(order) // 2])
        second.append(order[len(order) // 2 :])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))
