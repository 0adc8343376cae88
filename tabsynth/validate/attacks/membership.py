"""NOT PRIVATE. The headline on membership (an attack chosen on one half, reported on the other) and the controls that back it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tabsynth.validate.attacks import statistics
from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.attacks._neighbours import Near
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import Encoded, row_ids
from tabsynth.validate.intervals import delong, normal_quantile

MU = 0.5
"""Tolerance curve: what a 0.5-GDP release would allow (true positive rate 3.4 % at 1 %, 21.8 % at 10 %)."""
_TITLE = "Members identified by the strongest attack"


def headline(scores: Mapping[str, np.ndarray], member: np.ndarray, seed: int) -> Finding:
    """Choose the attack with the highest true positive rate (then AUC) on one half of the units, report it on the other half.

    Pass: the upper bounds of all attacks, simultaneous at 95 % (Bonferroni, from all units), lie under the tolerance curve.
    Fail: the chosen attack's lower bound lies above it. The false positive rate is 1 %, or 10 % with fewer than 1,000
    non-members to report on.

    Parameters
    ----------
    scores : mapping from attack name to ndarray of float, shape (units,)
    member : ndarray of bool, shape (units,)
    """
    rng = np.random.default_rng([seed, 2])
    choosing, reporting = _halves(member, rng)
    if not scores or len(np.unique(member[choosing])) < 2:
        return Finding(
            "attacks.membership", _TITLE, None, note="Too few rows: at least two members and two non-members are needed."
        )
    n_others, k = int((~member[reporting]).sum()), len(scores)
    fpr = 0.01 if statistics.printable(0.01, n_others) else 0.1

    def strength(name: str) -> tuple[float, float]:
        half = scores[name][choosing], member[choosing]
        return statistics.tpr_at_fpr(*half, fpr)["tpr"], delong(*half)[0]

    chosen = max(scores, key=strength)
    rate = statistics.tpr_at_fpr(scores[chosen][reporting], member[reporting], fpr)
    upper = max(statistics.tpr_upper(s, member, fpr, 0.05 / k) for s in scores.values())
    tolerance = statistics.gaussian_tpr(MU, fpr)
    verdict = "pass" if upper < tolerance else "fail" if rate["interval"][0] > tolerance else "inconclusive"
    return Finding(
        "attacks.membership", f"{_TITLE}, at a false positive rate of {fpr:.0%}", rate["tpr"], tuple(rate["interval"]), fpr,
        "chance", verdict=verdict, note=f"Tolerated: {tolerance:.1%}, the most that a {MU}-GDP release allows at this rate.",
        details={
            "chosen": chosen, "fpr": fpr, "tp": rate["tp"], "n_members": int(member[reporting].sum()), "fp": rate["fp"],
            "n_nonmembers": n_others, "upper_all": upper, "attacks": k, "tolerance": tolerance, "mu_tolerance": MU,
            "mde_auc": statistics.mde_auc(int(member.sum()), int((~member).sum()), k),
            "needed_nonmembers": statistics.needed_nonmembers(MU, fpr, k),
        },
    )  # fmt: skip


def controls(
    evidence: Evidence, challenge: Challenge, encoded: Encoded, near: Near, placebo: Mapping[str, np.ndarray]
) -> Finding:
    """Gates that hold when members and non-members differ in nothing but membership; outside them, no attack result counts.

    The bands of the AUCs are two-sided and hold for all of them together with 95 % (Bonferroni).

    Parameters
    ----------
    encoded : Encoded
        Features of the challenge rows.
    near : Near
        Standardised distances of the challenge rows.
    placebo : mapping from attack name to ndarray, shape (units,)
        Scores of the attacks with real reference rows in the synthetic rows' place.
    """
    gates = list(_overlap(evidence, challenge))
    aucs = {f"real rows as synthetic: {name}": (score, challenge.member) for name, score in placebo.items()}
    aucs["reference-only score"] = (statistics.pooled(-near.reference, challenge.units), challenge.member)
    aucs["member vs non-member classifier"] = _classified(challenge, encoded, np.random.default_rng([evidence.seed, 3]))
    usable = {name: (s, m) for name, (s, m) in aucs.items() if np.isfinite(s).all() and len(np.unique(m)) == 2}
    z = normal_quantile(1 - 0.05 / max(len(usable), 1))
    for name, (score, member) in usable.items():
        half = z * statistics.auc_null_sd(int(member.sum()), int((~member).sum()))
        gates.append(_gate(name, delong(score, member)[0], 0.5 - half, 0.5 + half))
    outside = sum(gate["ok"] is False for gate in gates)
    title = "Controls: members and non-members differ in nothing but membership"
    if not usable:
        return Finding("attacks.controls", title, None, note=f"Too few rows: {challenge.sizes}.", details={"gates": gates})
    note = "Members and non-members differ by themselves: the split is not random, so no attack result counts." if outside else ""
    return Finding(
        "attacks.controls", title, float(outside), reference=0.0, reference_is="all gates hold", verdict="fail" if outside else "pass",
        note=note, details={"gates": gates},
    )  # fmt: skip


def _overlap(evidence: Evidence, challenge: Challenge) -> Iterator[dict[str, Any]]:
    member = challenge.row_member
    members, others = row_ids([challenge.rows[member], challenge.rows[~member]], evidence.schema)
    yield _gate("exact rows shared by members and non-members", float(np.isin(members, others).sum()), None, None)
    if (key := evidence.schema.unit.key) is not None:
        shared = set(evidence.train[key].dropna()) & set(evidence.holdout[key].dropna())
        yield _gate("units in both training and holdout rows", float(len(shared)), 0.0, 0.0)


def _gate(name: str, value: float, low: float | None, high: float | None) -> dict[str, Any]:
    """`ok` is None for a gate without a band, which is for information."""
    return {"name": name, "value": value, "low": low, "high": high, "ok": None if low is None else low <= value <= high}


def _classified(challenge: Challenge, encoded: Encoded, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unit scores, on one half, of a classifier trained on the other half to tell members from non-members."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    learning, judging = _halves(challenge.member, rng)
    if len(np.unique(challenge.member[learning])) < 2:
        return np.array([]), np.array([], bool)
    features = np.hstack([encoded.numeric["standardised"], encoded.codes])
    train, test = np.isin(challenge.units, learning), np.isin(challenge.units, judging)
    model, codes = HistGradientBoostingClassifier(max_iter=50, random_state=0), np.searchsorted(judging, challenge.units[test])
    with threadpool_limits(1):
        scores = model.fit(features[train], challenge.row_member[train]).predict_proba(features[test])[:, 1]
    return statistics.pooled(scores, codes), challenge.member[judging]


def _halves(member: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices of two random halves of the units, ascending, each with half of the members and half of the non-members."""
    first, second = [], []
    for side in (member, ~member):
        order = rng.permutation(np.flatnonzero(side))
        first.append(order[: len(order) // 2])
        second.append(order[len(order) // 2 :])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))
