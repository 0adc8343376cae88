"""NOT PRIVATE. Attacks on the release: each one file; run together here, because they share one challenge and its distances."""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks import ldr, membership, nndr, replication, statistics
from tabsynth.validate.attacks._challenge import Challenge, design
from tabsynth.validate.attacks._neighbours import measure, search
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import SCALINGS, Encoder

ATTACKS = {
    "ldr": ("log distance ratio", ldr.score),
    "nndr": ("nearest-neighbour distance ratio", nndr.score),
}
_CALIBRATION = 5_000


def attacks(evidence: Evidence) -> list[Finding]:
    """Replication, every membership attack under every scaling, the headline on membership, and the controls.

    Where units have several rows, a unit's score is the mean of its rows' scores, and the headline and the controls are about
    units. Rows are also reported, with intervals of the AUC that allow for dependent rows.
    """
    challenge = design(evidence)
    encoder = Encoder.fit(evidence.schema, challenge.reference, challenge.synthetic)
    rows, synthetic, reference = (encoder.transform(t) for t in (challenge.rows, challenge.synthetic, challenge.reference))
    near = measure(rows, synthetic, reference)
    nearest = search(reference[:_CALIBRATION], synthetic, [slice(None)], ["standardised"])["standardised"][0][:, 0]
    findings = [replication.check(evidence, challenge, near["standardised"][0].synthetic[:, 0], nearest)]
    scores, placebo = {}, {}
    for attack, (words, score) in ATTACKS.items():
        for scaling in SCALINGS:
            seen, fake = (score(known) for known in near[scaling])
            findings.append(_finding(challenge, attack, words, scaling, "row", seen))
            pooled = statistics.pooled(seen, challenge.units)
            if challenge.clustered:
                findings.append(_finding(challenge, attack, words, scaling, "unit", pooled))
            placebo[f"{attack}, {scaling}"] = statistics.pooled(fake, challenge.units)
            if len(pooled) and np.isfinite(pooled).all():
                scores[f"{attack}.{scaling}{'.unit' if challenge.clustered else ''}"] = pooled
    findings.append(membership.headline(scores, challenge.member, evidence.seed))
    findings.append(membership.controls(evidence, challenge, rows, near["standardised"][0], placebo))
    return findings


def _finding(challenge: Challenge, attack: str, words: str, scaling: str, level: str, scores: np.ndarray) -> Finding:
    rows = level == "row"
    name = f"attacks.{attack}.{scaling}{'' if rows else '.unit'}"
    title = f"Membership by {words}, {scaling} columns, of {'rows' if rows else 'whole units'} (AUC)"
    if not (len(scores) and np.isfinite(scores).all()):
        return Finding(name, title, None, reference=0.5, note=f"Too few rows: {challenge.sizes}.")
    member, units = (challenge.row_member, challenge.units) if rows else (challenge.member, np.arange(len(challenge.member)))
    summary = statistics.summary(scores, member, units)
    summary["details"] = {"attack": attack, "scaling": scaling, "level": level, **summary["details"]}
    note = "Rows of one unit depend on each other: only the AUC's interval allows for it." if rows and challenge.clustered else ""
    return Finding(name, title, reference=0.5, reference_is="chance", note=note, **summary)
