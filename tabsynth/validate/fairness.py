"""NOT PRIVATE. Whether groups of people fare as in the real rows: their share, their outcomes, and what a classifier makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import unit_codes
from tabsynth.validate.groups import LEAST, TABLES, Groups, Judged, grouped, judged_by
from tabsynth.validate.intervals import Interval, bootstrap
from tabsynth.validate.utility import question

_REAL = "trained on the real training rows"
_REPRESENTATION = ("fairness.representation", "Largest change of a group's share of the rows, synthetic against holdout")
_OUTCOME = ("fairness.outcome", "Largest change of the share of positives in a group, synthetic against holdout")
_MEASURES = {
    "fairness.parity": "Largest gap between groups in the share named positive (demographic parity difference)",
    "fairness.opportunity": "Largest gap between groups in the share of positives found (equal opportunity difference)",
    "fairness.false_positives": "Largest gap between groups in the share of negatives named positive (predictive equality difference)",
    "fairness.accuracy": "Largest gap between groups in the area under the ROC curve",
}
_TOO_FEW = f"No protected column has two groups in which at least {LEAST} units of the holdout are positive and {LEAST} negative."


def fairness(evidence: Evidence) -> list[Finding]:
    """By group of each protected column of the schema: representation, outcomes, and gradient boosting's treatment.

    The classifiers are those of the utility check: one trained on the synthetic rows, one on the real training rows, both tested on the
    holdout. Each names as many holdout rows as there are positives in it (rows tied at the cut share what is left), so that their
    selection rates agree overall. The gap of a measure is that between the highest and the lowest of a column's groups; the finding is the
    largest of the columns' gaps. Groups that are too small (`LEAST`) are listed, and in no gap. Labels are groups, missing is one,
    and numbers are cut at the training rows' quartiles.

    Intervals are bootstraps of the holdout by privacy unit, each by itself, with the two groups of the gap held fixed; they take the
    classifiers as trained. Whether training on synthetic rows widens a gap is judged by resampling both classifiers' gaps together,
    and by how far the gap moves among classifiers trained on `PARTS` parts of the real training rows: two real samples differ, too.
    A part has fewer rows, so that this variance is divided by `PARTS` (as if it fell with the number of rows), and Student's t allows
    for their small number. There is no verdict, because no threshold is established.

    References
    ----------
    Dwork et al. (2012), ITCS (statistical parity); Hardt, Price and Srebro (2016), NeurIPS, definition 2.2 (equal opportunity);
    Corbett-Davies et al. (2017), KDD (predictive equality). Ganev, Oprisanu and De Cristofaro (2022), ICML: differentially private
    synthetic rows can widen gaps as well as close them.
    """
    if not evidence.schema.protected:
        note = "The schema names no protected columns. Add the columns whose groups are to be compared, such as protected: [sex, race]."
        return [Finding("fairness", "Fairness between groups", None, note=note)]
    groups = [grouped(evidence.schema[name], evidence) for name in evidence.schema.protected]
    return [_representation(evidence, groups), *_predicted(evidence, [g for g in groups if g.column != evidence.target])]


def _representation(evidence: Evidence, groups: list[Groups]) -> Finding:
    sizes = {name: len(getattr(evidence, name)) for name in TABLES}
    if not all(sizes.values()):
        return Finding(*_REPRESENTATION, None, note="A table has no rows.")
    counts = {name: np.concatenate([g.counts(name) for g in groups]) for name in TABLES}
    shares = {name: counts[name] / sizes[name] for name in TABLES}

    def holdout(weights: np.ndarray) -> np.ndarray:
        return np.concatenate([np.bincount(g.codes["holdout"], weights, len(g.labels)) for g in groups]) / weights.sum()

    intervals = bootstrap(holdout, unit_codes(evidence.holdout, evidence.schema), np.random.default_rng([evidence.seed, 22]))
    names = [{"column": g.column, "group": label} for g in groups for label in g.labels]
    rows = [
        name | {"rows": {t: counts[t][i] for t in TABLES}, **{t: shares[t][i] for t in TABLES}, "interval": _pair(intervals[i])}
        for i, name in enumerate(names)
    ]
    lost = [name for i, name in enumerate(names) if counts["train"][i] >= LEAST and not counts["synthetic"][i]]
    changes = shares["synthetic"] - shares["holdout"]
    most = int(np.abs(changes).argmax())
    note = f"No synthetic row, but at least {LEAST} training rows: {_listed(lost)}." if lost else ""
    return Finding(
        *_REPRESENTATION, abs(changes[most]), _change(shares["synthetic"][most], intervals[most]),
        float(np.abs(shares["train"] - shares["holdout"]).max()), "training rows vs holdout", note=note,
        details={"groups": rows, "lost": lost, "most": names[most]},
    )  # fmt: skip


def _change(value: float, holdout: Interval | None) -> Interval | None:
    """Interval of the size of a change from the holdout's share to `value`, given that share's interval."""
    if holdout is None:
        return None
    low, high = sorted((value - holdout[0], value - holdout[1]))
    return (low, high) if low >= 0 else (-high, -low) if high <= 0 else (0.0, max(high, -low))


def _predicted(evidence: Evidence, groups: list[Groups]) -> list[Finding]:
    """Outcome and treatment, or why there are none."""
    note = "" if groups else "The only protected column is the one to predict; name others in protected."
    if evidence.target is None:
        note = "No target column was named. Add the column to predict to the schema, such as target: readmitted."
    if not note:
        note = question(evidence).note
    if note:
        return [Finding(check, title, None, note=note) for check, title in (_OUTCOME, *_MEASURES.items())]
    known = {name: getattr(evidence, name)[evidence.target].notna().to_numpy() for name in TABLES}
    groups = [Groups(g.column, g.labels, {name: g.codes[name][known[name]] for name in TABLES}) for g in groups]
    columns = [judged_by(evidence, each) for each in groups]
    return [_outcome(evidence, columns), *(_treatment(evidence, columns, check) for check in _MEASURES)]


def _outcome(evidence: Evidence, columns: list[Judged]) -> Finding:
    """A group's change counts where the group is judged and the synthetic table has rows enough of it."""
    rows, changes = [], []
    for c in columns:
        enough = c.judged & (c.groups.counts("synthetic") >= 2 * LEAST)
        for g, label in enumerate(c.groups.labels):
            shares = {name: c.positives[name][g] for name in TABLES}
            rows.append({
                "column": c.groups.column, "group": label, "judged": bool(enough[g]), "units": {"positive": c.units[0][g],
                "negative": c.units[1][g]}, **shares, "interval": _pair(c.outcome_intervals[g]),
            })  # fmt: skip
            if enough[g]:
                changes.append((abs(shares["synthetic"] - shares["holdout"]), abs(shares["train"] - shares["holdout"]), rows[-1]))
    task = question(evidence)
    details = {"target": evidence.target, "positive": task.positive, "least": LEAST, "groups": rows}
    if not changes:
        note = f"In no group are at least {LEAST} units of the holdout positive and {LEAST} negative, with {2 * LEAST} synthetic rows."
        return Finding(*_OUTCOME, None, note=note, details=details)
    value, _, most = max(changes, key=lambda change: change[0])
    reference = max((usual for _, usual, _ in changes if np.isfinite(usual)), default=None)
    details["most"] = {name: most[name] for name in ("column", "group")}
    return Finding(
        *_OUTCOME, value, _change(most["synthetic"], most["interval"]), reference, "training rows vs holdout", details=details
    )


def _treatment(evidence: Evidence, columns: list[Judged], check: str) -> Finding:
    """One measure: each column's gap for both classifiers, and every group's rates."""
    task, m, gaps, rows = question(evidence), list(_MEASURES).index(check), [], []
    for c in columns:
        size = len(c.groups.labels)
        intervals = [c.rate_intervals[(s * len(_MEASURES) + m) * size :][:size] for s in (0, 1)]
        rows += [
            {"column": c.groups.column, "group": label, "judged": bool(c.judged[g]), "synthetic": c.rates[0, m, g],
             "synthetic_interval": _pair(intervals[0][g]), "real": c.rates[1, m, g], "real_interval": _pair(intervals[1][g])}
            for g, label in enumerate(c.groups.labels)
        ]  # fmt: skip
        if c.judged.sum() > 1:
            gaps.append(_gap(c, m))
    details = {"target": evidence.target, "positive": task.positive, "named": int(task.answers["holdout"].sum()), "least": LEAST,
               "columns": gaps, "groups": rows}  # fmt: skip
    if not gaps:
        return Finding(check, _MEASURES[check], None, note=_TOO_FEW, details=details)
    widest = max(gaps, key=lambda gap: gap["value"])
    answers = task.answers["synthetic"]
    guess = "The synthetic rows have only one class: scored as a constant guess. " if answers.min() == answers.max() else ""
    return Finding(check, _MEASURES[check], widest["value"], widest["interval"], widest["reference"], _REAL,
                   note=guess + _said(gaps), details=details)  # fmt: skip


def _gap(c: Judged, m: int) -> dict[str, Any]:
    """One column's gap, with synthetic and with real training rows, and their difference."""
    (high, low), size = c.pairs[0, m].tolist(), len(_MEASURES)
    pairs = [c.gap_intervals[s * size + m] for s in (0, 1)]
    difference = c.difference_intervals[m]
    least, most = difference or (-1.0, 1.0)
    change = "wider" if least > 0 else "narrower" if most < 0 else "unclear"
    return {
        "column": c.groups.column, "highest": c.groups.labels[high], "lowest": c.groups.labels[low], "value": c.gap(0, m),
        "interval": _pair(_floored(pairs[0])), "reference": c.gap(1, m), "reference_interval": _pair(_floored(pairs[1])),
        "difference": c.gap(0, m) - c.gap(1, m), "difference_interval": _pair(difference), "change": change,
    }  # fmt: skip


def _said(gaps: list[dict[str, Any]]) -> str:
    """In words: which gaps training on synthetic rows widens or narrows by more than noise."""
    out = []
    for change in ("wider", "narrower"):
        if names := [gap["column"] for gap in gaps if gap["change"] == change]:
            words = "gap is" if len(names) == 1 else "gaps are"
            out.append(
                f"Trained on synthetic rows, the {words} {change} than trained on real ones, beyond noise: {', '.join(names)}."
            )
    return " ".join(out) or "Trained on synthetic rows, no gap differs from that trained on real ones by more than noise."


def _floored(pair: Interval | None) -> Interval | None:
    """The interval of a gap, which is never below 0."""
    return None if pair is None else (max(0.0, pair[0]), max(0.0, pair[1]))


def _pair(interval: Sequence[float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _listed(names: list[dict[str, str]]) -> str:
    return ", ".join(f"{name['column']} = {name['group']}" for name in names)
