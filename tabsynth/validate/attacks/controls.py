"""NOT PRIVATE. Controls: gates that hold where members and non-members differ in nothing but membership."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.validate.attacks import statistics
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import Encoded, row_ids

if TYPE_CHECKING:
    from tabsynth.validate.attacks._challenge import Challenge

LEVEL = 0.01
"""Chance that the gates call a healthy split invalid, over all of them: one report of a hundred, not one of twenty."""


def check(
    evidence: Evidence, challenge: Challenge, encoded: Encoded, reference: np.ndarray, placebo: Mapping[str, np.ndarray]
) -> Finding:
    """Gates that hold when members and non-members differ in nothing but membership; outside them, no attack result counts.

    A failed gate makes the whole report void, so a healthy split may fail one in 1 % of reports only. The AUCs are judged by
    permutation tests (`statistics.familywise`), each gate's band being what the largest deviation over its family allows: the
    reference-only score and the placebos in one family at 0.5 %, two-sided, and the classifier, whose scores cover one half of the
    units only, in another at 0.5 %, one-sided: below 0.5 it says no more than that the two sides are balanced better than by chance
    (a stratified split), for then what one half of the units has too much of, the other has too little of. Overlaps of rows are for
    information: rows may agree by coincidence.

    Parameters
    ----------
    encoded : Encoded
        Features of the challenge rows.
    reference : ndarray, shape (challenge rows,)
        Distance to the nearest reference row; infinite where there is none.
    placebo : mapping from attack name to ndarray, shape (units,)
        Scores of the attacks with real reference rows in the synthetic rows' place. Those that are not finite are left out.
    """
    rng = np.random.default_rng([evidence.seed, 3])
    gates = list(_overlap(evidence, challenge))
    whole = {f"real rows as synthetic: {name}": score for name, score in placebo.items()}
    whole["reference-only score"] = statistics.pooled(-reference, challenge.units)
    learned, judged = _classified(challenge, encoded, rng)
    bands = [
        *_bands(whole, challenge.member, rng),
        *_bands({"member vs non-member classifier": learned}, judged, rng, two_sided=False),
    ]
    gates += bands
    outside = sum(gate["ok"] is False for gate in gates)
    title = "Controls: members and non-members differ in nothing but membership"
    if not bands:
        return Finding("attacks.controls", title, None, note=f"Too few rows: {challenge.sizes}.", details={"gates": gates})
    note = "Members and non-members differ by themselves: the split is not random, so no attack result counts." if outside else ""
    return Finding(
        "attacks.controls", title, float(outside), reference=0.0, reference_is="all gates hold", verdict="fail" if outside else "pass",
        note=note, details={"gates": gates},
    )  # fmt: skip


def _overlap(evidence: Evidence, challenge: Challenge) -> Iterator[dict[str, Any]]:
    member = challenge.row_member
    tables = challenge.rows[member], challenge.rows[~member], challenge.reference
    members, others, reference = row_ids(tables, evidence.schema)
    for name, first, second in (
        ("members and non-members", members, others),
        ("members and reference rows", members, reference),
        ("non-members and reference rows", others, reference),
    ):
        yield _gate(f"exact rows shared by {name}", float(np.isin(first, second).sum()), None, None)
    if (key := evidence.schema.unit.key) is not None:
        shared = set(evidence.train[key].dropna()) & set(evidence.holdout[key].dropna())
        yield _gate("units in both training and holdout rows", float(len(shared)), 0.0, 0.0)


def _bands(
    scores: Mapping[str, np.ndarray], member: np.ndarray, rng: np.random.Generator, two_sided: bool = True
) -> Iterator[dict[str, Any]]:
    """The gates of one family of AUCs, at half of `LEVEL`."""
    usable = {name: s for name, s in scores.items() if len(s) and np.isfinite(s).all()}
    if not usable or len(np.unique(member)) < 2:
        return
    result = statistics.familywise(usable, member, rng, level=LEVEL / 2, two_sided=two_sided, tail=False)
    found = {row["attack"]: row for row in result["attacks"]}
    for name in usable:
        half = result["critical"] * found[name]["auc_sd"]
        yield _gate(name, found[name]["auc"], max(0.0, 0.5 - half) if two_sided else 0.0, min(1.0, 0.5 + half))


def _gate(name: str, value: float, low: float | None, high: float | None) -> dict[str, Any]:
    """`ok` is None for a gate without a band, which is for information."""
    return {"name": name, "value": value, "low": low, "high": high, "ok": None if low is None else low <= value <= high}


def _classified(challenge: Challenge, encoded: Encoded, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unit scores, on one half, of a classifier trained on the other half to tell members from non-members."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    learning, judging = statistics.halves(challenge.member, rng)
    if len(np.unique(challenge.member[learning])) < 2:
        return np.array([]), np.array([], bool)
    features = np.hstack([encoded.numeric["standardised"], encoded.codes])
    train, test = np.isin(challenge.units, learning), np.isin(challenge.units, judging)
    model, codes = HistGradientBoostingClassifier(max_iter=50, random_state=0), np.searchsorted(judging, challenge.units[test])
    with threadpool_limits(1):
        scores = model.fit(features[train], challenge.row_member[train]).predict_proba(features[test])[:, 1]
    return statistics.pooled(scores, codes), challenge.member[judging]
