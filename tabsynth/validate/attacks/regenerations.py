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
        tables: how many; fpr (None where the headline has none); attacks: a list of check, auc, tpr for those run on every table,
        each of the last two a dict of min, median, max, or None where no table gave the number. An ensemble of more scores on one
        table than on another has another title, and is not among them.
    """
    by_name = [{finding.check: finding for finding in run} for run in runs]
    headline = by_name[0].get("attacks.membership")
    fpr = headline.details.get("fpr") if headline else None
    rows = []
    for first in runs[0]:
        same = all(first.check in run and run[first.check].title == first.title for run in by_name)
        if isinstance(first.details.get("tpr"), list) and same:
            found = [run[first.check] for run in by_name]
            rates = [rate["tpr"] for f in found for rate in f.details.get("tpr", ()) if rate["fpr"] == fpr]
            rows.append({"check": first.check, "auc": _spread([f.value for f in found]), "tpr": _spread(rates)})
    return {"tables": len(runs), "fpr": fpr, "attacks": rows}


def finding(runs: Sequence[Sequence[Finding]]) -> Finding:
    """`regenerations` as a finding of the report: how the attack that the headline chose does on the table where it does best.

    Parameters
    ----------
    runs : sequence of the findings on one table each
        As for `regenerations`; further tables may have been attacked with fewer attacks.
    """
    title = "Membership by the chosen attack, on the most revealing of several tables from the same model (AUC)"
    headline = next(finding for finding in runs[0] if finding.check == "attacks.membership")
    if headline.value is None:
        return Finding("attacks.regenerations", title, None, reference=0.5, note=headline.note)
    found = regenerations(runs)
    auc = next(row["auc"] for row in found["attacks"] if row["check"] == f"attacks.{headline.details['chosen']}")
    counted = [f.details["levels"] for run in runs for f in run if f.check == "attacks.replication" and f.value is not None]
    copies = [level for levels in counted for level in levels if level["rows"] == "all"]
    found["copies"] = [{name: level[name] for name in ("members", "n_members", "holdout", "n_holdout")} for level in copies]
    return Finding(
        "attacks.regenerations", title, auc["max"], reference=0.5, reference_is="chance",
        note=f"{len(runs)} tables, the one under judgement among them; median {auc['median']:.3f}, smallest {auc['min']:.3f}.",
        details=found,
    )  # fmt: skip


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    return {"min": min(known), "median": median(known), "max": max(known)} if known else None
