"""NOT PRIVATE. How much of what real rows teach about the target do synthetic rows teach?"""

from __future__ import annotations

import math

import numpy as np

from tabsynth.validate.check import Evidence, Finding

CHECK = "quality.useful"
LEAST = 0.02
"""Where a model trained on real rows is not surely better than guessing by this, there is nothing to keep."""
_TYPICAL = 0.2, 0.1
"""What is taken for granted before a fit: what real rows add to an AUC of one half, and how many have the rarer class."""


def useful(evidence: Evidence) -> list[Finding]:
    """The share of train-real's lift over guessing that train-synthetic keeps, by the ROC AUC of the better of two models each.

    Its interval resamples the holdout by unit, the same units for both; so it fails where all of a 95 % interval lies below
    ``policy["useful"]``, which is one in forty for a table that keeps exactly that much and hardly ever happens to one that keeps all.
    To be run after `utility.utility`, whose scores it uses; nothing without a target.
    """
    if evidence.target is None:
        return []
    title = "Part of what real rows teach about the target that synthetic rows teach too"
    found = {source: _best(evidence, source) for source in ("train", "synthetic")}
    if None in found.values():
        return [Finding(CHECK, title, None, better="higher", note="The models could not be trained or tested.", verdict=None)]
    (real, reals), (made, mades) = found["train"], found["synthetic"]
    surely = float(np.nanquantile(reals, 0.025)) - 0.5
    tolerated = evidence.policy["useful"]
    details = {"target": evidence.target, "real": real, "synthetic": made, "tolerated": tolerated}
    if surely < LEAST:
        note = "Real rows do not surely teach anything about the target, so there is nothing to keep."
        return [Finding(CHECK, title, None, better="higher", note=note, details=details, verdict="inconclusive")]
    value, kept = (made - 0.5) / (real - 0.5), (mades - 0.5) / np.maximum(reals - 0.5, LEAST)
    low, high = (float(q) for q in np.nanquantile(kept, (0.025, 0.975)))
    verdict = "fail" if high < tolerated else "pass" if low >= tolerated else "inconclusive"
    details["needed_nonmembers"] = _needed(value, (high - low) / 2, tolerated, evidence) if verdict == "inconclusive" else None
    return [
        Finding(CHECK, title, value, (low, high), 1.0, "trained on the real training rows", "higher", verdict, details=details)
    ]


def _best(evidence: Evidence, source: str) -> tuple[float, np.ndarray] | None:
    """AUC and its replicates of the better model trained on the rows of `source`."""
    from tabsynth.validate import utility

    tried = [key[1] for key in evidence.memo if isinstance(key, tuple) and key[0] == "replicates" and key[2] == source]
    truth = utility.question(evidence).answers["holdout"]
    rated = {
        model: utility.measure_of(truth, utility.scores_of(evidence, model, source))(np.ones(len(truth)))[0] for model in tried
    }
    if not rated:
        return None
    best = max(rated, key=rated.__getitem__)
    return rated[best], evidence.memo["replicates", best, source]


def _needed(value: float, half: float, tolerated: float, evidence: Evidence) -> int | None:
    """Holdout units with which the interval would probably end before the tolerated part."""
    from tabsynth.validate.features import unit_codes

    gap, units = abs(value - tolerated), int(unit_codes(evidence.holdout, evidence.schema).max()) + 1
    return math.ceil((half / gap) ** 2 * units) if gap > half / 100 else None


def needed(tolerated: float) -> int:
    """Holdout units that probably settle it where all is kept and the target is a usual one, by Hanley and McNeil (1982)."""
    lift, rare = _TYPICAL
    return math.ceil((1.96 * 0.3 / lift / (1 - tolerated)) ** 2 / rare)
