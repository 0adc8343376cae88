"""NOT PRIVATE. Regenerations: how much the attacks' results vary over further tables from the same generator."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from tabsynth.validate.check import Finding


def regenerations(runs: Sequence[Sequence[Finding]]) -> dict[str, Any]:
    """Smallest, median and largest AUC and true positive rate of every attack, over tables attacked with one challenge and seed.

    Parameters
    ----------
    runs : sequence of the findings on one table each
        The table under judgement first; its headline says at which false positive rate. It is counted with the others here, and
        its own findings stay as they are.

    Returns
    -------
    dict
        tables: how many; fpr (None where the headline has none); attacks: a list of check, auc, tpr, each of the last two a dict
        of min, median, max, or None where no table gave the number.
    """
    by_name = [{finding.check: finding for finding in run} for run in runs]
    headline = by_name[0].get("attacks.membership")
    fpr = headline.details.get("fpr") if headline else None
    rows = []
    for first in runs[0]:
        if "tpr" in first.details and isinstance(first.details["tpr"], list):
            found = [run[first.check] for run in by_name if first.check in run]
            rates = [rate["tpr"] for f in found for rate in f.details.get("tpr", ()) if rate["fpr"] == fpr]
            rows.append({"check": first.check, "auc": _spread([f.value for f in found]), "tpr": _spread(rates)})
    return {"tables": len(runs), "fpr": fpr, "attacks": rows}


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    return {"min": min(known), "median": median(known), "max": max(known)} if known else None
