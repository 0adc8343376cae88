"""NOT PRIVATE. Membership over all attacks: one chosen on one half and reported on the other, and a test of all of them together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tabsynth.validate.attacks import statistics
from tabsynth.validate.check import Finding
from tabsynth.validate.intervals import delong

PRIORS = (0.5, 0.1, 0.01)
"""Shares of members among the people asked about, at which the precision is stated."""
LEVEL = 0.05
_TITLE = "Members identified by the strongest attack"
_FEW = "Nothing to judge: at least two members, two non-members and one attack with scores are needed."


def split(member: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the units on which `headline` chooses its attack, and of those on which it reports it."""
    return statistics.halves(member, np.random.default_rng([seed, 2]))


def headline(
    scores: Mapping[str, np.ndarray], member: np.ndarray, seed: int, mu: float, familywise_p: float | None = None
) -> Finding:
    """Choose the attack with the highest true positive rate (then AUC) on one half of the units, report it on the other half.

    Pass: the upper bounds of all attacks, simultaneous at 95 % (Bonferroni, from all units), lie under the tolerance curve.
    Fail: the chosen attack's lower bound lies above it. The false positive rate is 1 %, or 10 % with fewer than 1,000
    non-members to report on.

    Parameters
    ----------
    scores : mapping from attack name to ndarray of float, shape (units,)
    member : ndarray of bool, shape (units,)
    mu : float
        Tolerance curve: what a mu-GDP release would allow.
    familywise_p : float, optional
        Value of `familywise`, for the details. It decides nothing here: a leak can be real and yet within the tolerance.
    """
    choosing, reporting = split(member, seed)
    if not scores or len(np.unique(member[choosing])) < 2:
        return Finding("attacks.membership", _TITLE, None, note=_FEW)
    n, n_others, k = int(member[reporting].sum()), int((~member[reporting]).sum()), len(scores)
    fpr = 0.01 if statistics.printable(0.01, n_others) else 0.1

    def strength(name: str) -> tuple[float, float]:
        half = scores[name][choosing], member[choosing]
        return statistics.tpr_at_fpr(*half, fpr)["tpr"], delong(*half)[0]

    chosen = max(scores, key=strength)
    rate = statistics.tpr_at_fpr(scores[chosen][reporting], member[reporting], fpr)
    upper = max(statistics.tpr_upper(s, member, fpr, 0.05 / k) for s in scores.values())
    tolerance = statistics.gaussian_tpr(mu, fpr)
    verdict = "pass" if upper < tolerance else "fail" if rate["interval"][0] > tolerance else "inconclusive"
    return Finding(
        "attacks.membership", f"{_TITLE}, at a false positive rate of {fpr:.0%}", rate["tpr"], tuple(rate["interval"]), fpr,
        "chance", verdict=verdict, note=f"Tolerated: {tolerance:.1%}, the most that a {mu:g}-GDP release allows at this rate.",
        details={
            "chosen": chosen, "fpr": fpr, "tp": rate["tp"], "n_members": n, "fp": rate["fp"], "n_nonmembers": n_others,
            "upper_all": upper, "attacks": k, "tolerance": tolerance, "mu_tolerance": mu, "familywise_p": familywise_p,
            "precision": [statistics.precision(rate["tp"], n, rate["fp"], n_others, prior) for prior in PRIORS],
            "mde_auc": statistics.mde_auc(int(member.sum()), int((~member).sum()), k),
            "needed_nonmembers": statistics.needed_nonmembers(mu, fpr, k),
        },
    )  # fmt: skip


def familywise(scores: Mapping[str, np.ndarray], member: np.ndarray, seed: int) -> Finding:
    """How often useless attacks would look as good as the best of these: the p value of `statistics.familywise` over all units.

    No verdict: this says whether there is any leak, `headline` whether it is within the tolerance.

    Parameters
    ----------
    scores : mapping from attack name to ndarray of float, shape (units,)
    member : ndarray of bool, shape (units,)
    """
    title = "Chance that attacks which know nothing would do as well as the best of these (p value, all attacks together)"
    if not scores or min(member.sum(), (~member).sum()) < 2:
        return Finding("attacks.familywise", title, None, note=_FEW)
    result = statistics.familywise(scores, member, np.random.default_rng([seed, 4]), level=LEVEL)
    better, k = [row["attack"] for row in result["attacks"] if row["p"] <= LEVEL], len(scores)
    if better:
        note = (
            f"{len(better)} of {k} attacks did better than chance, allowing for {k} having been tried: members can be told from "
            "non-members to some degree. Whether that is within the tolerance is judged by the attack reported above."
        )
    else:
        note = f"No attack did better than chance beyond what trying {k} of them explains. That is not proof that none could."
    return Finding(
        "attacks.familywise", title, result["p"], reference=LEVEL, reference_is="level below which a leak is certain enough",
        better="higher", note=note, details={**result, "level": LEVEL},
    )  # fmt: skip
