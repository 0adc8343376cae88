"""NOT PRIVATE. Membership over all attacks: one chosen on one half and reported on the other, and a test of all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tabsynth.tradeoff import Tradeoff, gaussian_tpr
from tabsynth.validate.attacks import bounds, statistics
from tabsynth.validate.attacks._power import COPIES, PLANTED, WHOLE, by_guarantee, confirmed
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.intervals import delong

PRIORS = (0.5, 0.1, 0.01)
"""Shares of members among the people asked about, at which the precision is stated."""
LEVEL = 0.05
ALARM_ERROR = 1e-3
"""Chance that attacks on a generator which keeps its guarantee seem to contradict it, over all attacks and rates together."""
_TITLE = "Members identified by the strongest attack"
_FEW = "Nothing to judge: at least two members, two non-members and one attack with scores are needed."


def split(member: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the units on which `headline` chooses its attack, and of those on which it reports it."""
    return statistics.halves(member, np.random.default_rng([seed, 2]))


def headline(
    scores: Mapping[str, np.ndarray],
    member: np.ndarray,
    seed: int,
    mu: float,
    familywise_p: float | None = None,
    *,
    unseen: int = 1,
) -> Finding:
    """Are all attacks within the tolerance? And the strongest one: chosen on one half of the units, reported on the other.

    The verdict uses all units and every attack, with ties in random order (`bounds.untied`). Fail: some attack exceeds the tolerance
    curve, at a false positive rate of 1 % or 10 % (`bounds.exceeds`); 2.5 % for all attacks and both rates together (Bonferroni). Pass: otherwise, if every attack's upper bound at one rate lies below. A family passes wrongly only if the
    attack that exceeds the tolerance does, so each bound has the whole error (intersection-union test: Berger 1982, Technometrics
    24(4)), and the highest of them bounds the strongest attack. That rate is 1 % where so many units can settle it, else 10 %
    (`bounds.needed`); which of the two depends on nothing but sizes and policy.

    Parameters
    ----------
    scores : mapping from attack name to ndarray of float, shape (units,)
    member : ndarray of bool, shape (units,)
    mu : float
        Tolerance curve: what a mu-GDP release would allow.
    familywise_p : float, optional
        Value of `familywise`, for the details. It decides nothing here: a leak can be real and yet within the tolerance.
    unseen : int
        How many units that the generator never saw it takes for one non-member: 2 where half of them are reference rows.
    """
    choosing, reporting = split(member, seed)
    if not scores or len(np.unique(member[choosing])) < 2:
        return Finding("attacks.membership", _TITLE, None, note=_FEW)
    rng, k = np.random.default_rng([seed, 12]), len(scores)
    n, n_others = int(member[reporting].sum()), int((~member[reporting]).sum())
    ranks = {name: bounds.untied(s, rng) for name, s in scores.items()}
    fpr = judged_at(mu, int((~member).sum()), k)

    def strength(name: str) -> tuple[float, float]:
        half = ranks[name][choosing], member[choosing]
        return statistics.tpr_at_fpr(*half, fpr)["tpr"], delong(*half)[0]

    chosen = max(ranks, key=strength)
    rate = statistics.tpr_at_fpr(ranks[chosen][reporting], member[reporting], fpr)
    upper = max(bounds.tpr_upper(r, member, fpr, bounds.PASS_ERROR) for r in ranks.values())
    above = exceeding(ranks, member, mu)
    tolerance, least = gaussian_tpr(mu, fpr), bounds.needed(mu, max(bounds.RATES), k)
    return Finding(
        "attacks.membership", f"{_TITLE}, at a false positive rate of {fpr:.0%}", rate["tpr"], tuple(rate["interval"]), fpr,
        "chance", verdict="fail" if above else "pass" if upper < tolerance else "inconclusive",
        note=f"Tolerated: {tolerance:.1%}, the most that a {mu:g}-GDP release allows at this rate.",
        details={
            "chosen": chosen, "fpr": fpr, "tp": rate["tp"], "n_members": n, "fp": rate["fp"], "n_nonmembers": n_others,
            "upper_all": upper, "attacks": k, "tolerance": tolerance, "mu_tolerance": mu, "familywise_p": familywise_p,
            "above": above, "surely": lowest(ranks, member, ALARM_ERROR), "settleable": least is not None,
            "precision": [statistics.precision(rate["tp"], n, rate["fp"], n_others, prior) for prior in PRIORS],
            "mde_auc": statistics.mde_auc(int(member.sum()), int((~member).sum()), k),
            "needed_nonmembers": unseen * least if least and (~member).sum() < least else None,
        },
    )  # fmt: skip


def judged_at(mu: float, nonmembers: int, attacks: int) -> float:
    """The lowest false positive rate at which so many units can settle whether attacks are within the tolerance, or 10 %."""
    for fpr in bounds.RATES:
        least = bounds.needed(mu, fpr, attacks)
        if least is not None and nonmembers >= least:
            return fpr
    return max(bounds.RATES)


def outlook(units: int, attacks: int, mu: float, guarantee: Tradeoff | None) -> tuple[str | None, int | None]:
    """What would settle whether so many useless attacks are within the tolerance, with so many members and as many non-members.

    Returns
    -------
    str or None
        ``guarantee`` or ``measurement``; None where it would probably stay open.
    int or None
        Units that the generator never saw with which a measurement would settle it, half of them being reference rows.
    """
    fpr, least = judged_at(mu, units, attacks), bounds.needed(mu, max(bounds.RATES), attacks)
    if guarantee is not None and guarantee.tpr(fpr) <= gaussian_tpr(mu, fpr):
        by = "guarantee"
    else:
        by = "measurement" if least is not None and units >= least else None
    return by, least and 2 * least


def lowest(ranks: Mapping[str, np.ndarray], member: np.ndarray, error: float) -> list[dict[str, Any]]:
    """The highest lower bound over all attacks at each rate of `bounds.RATES`: fpr, attack, lower; all wrong together with `error`."""
    look = error / (len(ranks) * len(bounds.RATES))
    out = []
    for fpr in bounds.RATES:
        found = {name: bounds.tpr_lower(r, member, fpr, look) for name, r in ranks.items()}
        attack = max(found, key=found.get)
        out.append({"fpr": fpr, "attack": attack, "lower": found[attack]})
    return out


def exceeding(ranks: Mapping[str, np.ndarray], member: np.ndarray, mu: float, attacks: int | None = None) -> list[dict[str, Any]]:
    """The attacks that are beyond the tolerance curve at a rate of `bounds.RATES`: fpr, attack, and what `bounds.exceeds` tells.

    Of all attacks (as many as there are ranks, or `attacks`) at all rates, none is named wrongly but with `bounds.FAIL_ERROR`.
    """
    look = bounds.FAIL_ERROR / ((attacks or len(ranks)) * len(bounds.RATES))
    looked = {(fpr, name): bounds.exceeds(r, member, fpr, mu, look) for fpr in bounds.RATES for name, r in ranks.items()}
    return [{"fpr": fpr, "attack": name, **found} for (fpr, name), found in looked.items() if found]


def contradicted(finding: Finding, guarantee: Tradeoff | None) -> bool:
    """Whether some attack surely finds more members than the guarantee allows."""
    surely = finding.details.get("surely", ())
    return guarantee is not None and any(low["lower"] > guarantee.tpr(low["fpr"]) for low in surely)


def settled(finding: Finding, evidence: Evidence, sees: Callable[[str], bool], *, clustered: bool) -> Finding:
    """The headline, which passes by measurement only if the test would see a leak, and else only if the guarantee settles it.

    Parameters
    ----------
    finding : Finding
        Of `headline`.
    evidence : Evidence
    sees : callable
        Whether the same attacks fail with a leak of `_power.PLANTED` in the synthetic table's place. The training rows always have
        to be seen, 5 % copies where the tolerance forbids them at the rate judged.
    clustered : bool
        Units have several rows: a few copied rows expose no unit as a whole then, and nothing says that the tolerance forbids them.
    """
    if finding.value is None:
        return finding
    d, guarantee = finding.details, evidence.guarantee
    copies = min(1.0, PLANTED[COPIES] * len(evidence.synthetic) / len(evidence.train))
    forbidden = not clustered and bounds.copied(d["fpr"], copies) > d["tolerance"]
    required = (WHOLE, COPIES) if forbidden else (WHOLE,)
    finding = confirmed(finding, {leak: sees(leak) for leak in PLANTED}, required)
    allowed = None if guarantee is None or contradicted(finding, guarantee) else guarantee.tpr(d["fpr"])
    return by_guarantee(finding, allowed, d["tolerance"])


def fails(scores: np.ndarray, member: np.ndarray, seed: int, mu: float, attacks: int) -> bool:
    """Whether `headline` fails by these scores, as those of one of so many attacks."""
    ranks = {"": bounds.untied(scores, np.random.default_rng([seed, 12]))}
    return bool(exceeding(ranks, member, mu, attacks))


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
