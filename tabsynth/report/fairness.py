"""What the findings on fairness say, by protected column: plain sentences first, then every group. Computes nothing from rows."""

from __future__ import annotations

import math
from typing import Any

from tabsynth.report.claims import why_missing
from tabsynth.report.page import interval, is_number, number, percent

MEASURES = {
    "fairness.parity": "named positive",
    "fairness.opportunity": "positives found",
    "fairness.false_positives": "negatives named positive",
    "fairness.accuracy": "area under the ROC curve",
}
SHOWN = ("fairness", "fairness.representation", "fairness.outcome", *MEASURES)
_SHARES = ("fairness.representation", "fairness.outcome")


def fairness(findings: dict[str, dict]) -> dict[str, Any]:
    """The section's data: each protected column with its sentences, gaps and groups; what is missing, and why.

    Parameters
    ----------
    findings : dict
        By check name.
    """
    mine = {check: findings[check] for check in SHOWN if check in findings}
    names = dict.fromkeys(row["column"] for finding in mine.values() for row in _rows(finding, "groups"))
    missing: dict[str, list[str]] = {}
    for check, finding in mine.items():
        if not is_number(finding.get("value")):
            missing.setdefault(why_missing(finding), []).append(check.removeprefix("fairness.").replace("_", " "))
    details = next((f["details"] for check in MEASURES if (f := mine.get(check)) and "named" in f["details"]), {})
    columns = [_column(mine, name) for name in names]
    gaps = [gap for column in columns for gap in column["gaps"].values()]
    shown = {"columns": columns, "measures": MEASURES, "most": _ceiling([gap | {"synthetic": gap.get("value")} for gap in gaps])}
    return {"any": bool(mine), "missing": missing, "details": details, **shown}


def _rows(finding: dict[str, Any] | None, part: str) -> list[dict[str, Any]]:
    return ((finding or {}).get("details") or {}).get(part) or []


def _column(findings: dict[str, dict], name: str) -> dict[str, Any]:
    def of(check: str, part: str) -> list[dict[str, Any]]:
        return [row for row in _rows(findings.get(check), part) if row.get("column") == name]

    groups: dict[str, dict[str, Any]] = {}
    for check in (*_SHARES, *MEASURES):
        for row in of(check, "groups"):
            groups.setdefault(row["group"], {"group": row["group"]})[check] = row
    gaps = {check: row for check in MEASURES for row in of(check, "columns")}
    shares = [group.get(check, {}) for check in _SHARES for group in groups.values()]
    return {
        "name": name,
        "groups": list(groups.values()),
        "gaps": gaps,
        "most": {check: _ceiling([group.get(check, {}) for group in groups.values()]) for check in _SHARES},
        "small": [label for label, group in groups.items() if group.get("fairness.opportunity", {}).get("judged") is False],
        "sentences": [
            *_lost(of("fairness.representation", "lost")),
            *_moved(
                of("fairness.representation", "groups"),
                "{group} is {holdout} of the holdout and {synthetic} of the synthetic rows.",
            ),
            *_moved(
                [row for row in of("fairness.outcome", "groups") if row.get("judged")],
                "In {group}, {holdout} of the holdout and {synthetic} of the synthetic rows are positive.",
            ),
            *_found(gaps.get("fairness.opportunity"), groups),
        ],
        "shares": bool(any(shares)),
    }


def _ceiling(rows: list[dict[str, Any]]) -> float:
    """End of an axis that holds the rows' shares: the next tenth above them."""
    numbers = [
        v for row in rows for v in (row.get("train"), row.get("holdout"), row.get("synthetic"), *(row.get("interval") or []))
    ]
    return min(1.0, math.ceil(10 * max(filter(is_number, numbers), default=1.0)) / 10) or 1.0


def _lost(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['group']}: the synthetic table has no row of this group, the training table has." for row in rows]


def _moved(rows: list[dict[str, Any]], words: str) -> list[str]:
    """The group whose share differs most between holdout and synthetic rows."""
    known = [row for row in rows if is_number(row.get("holdout")) and is_number(row.get("synthetic"))]
    if not known:
        return []
    most = max(known, key=lambda row: abs(row["synthetic"] - row["holdout"]))
    return [words.format(group=most["group"], **{table: percent(most[table]) for table in ("holdout", "synthetic")})]


def _found(gap: dict[str, Any] | None, groups: dict[str, dict[str, Any]]) -> list[str]:
    """What training on synthetic rows does to the share of positives that are found, in the two groups furthest apart."""
    pair = [groups.get((gap or {}).get(end), {}).get("fairness.opportunity", {}) for end in ("lowest", "highest")]
    if not gap or not all(is_number(row.get(source)) for row in pair for source in ("synthetic", "real")):
        return []
    low, high = pair
    change = {
        "wider": f"This gap is wider than the widest one trained on real rows by {_points(gap)}, which is more than noise.",
        "narrower": f"This gap is narrower than the widest one trained on real rows by {_points(gap)}, which is more than noise.",
    }.get(gap.get("change"), f"From the widest gap trained on real rows it differs by {_points(gap)}, which may be noise.")
    return [
        f"Trained on synthetic rows, the classifier finds {percent(low['synthetic'])} of the positives in the group "
        f"{low['group']} and {percent(high['synthetic'])} in {high['group']}; trained on real rows, {percent(low['real'])} and "
        f"{percent(high['real'])}.",
        change,
    ]


def _points(gap: dict[str, Any]) -> str:
    """The size of the difference, with its interval."""
    difference, pair = gap.get("difference"), gap.get("difference_interval")
    if not is_number(difference):
        return number(None)
    sign = -100 if difference < 0 else 100
    ends = sorted(sign * end for end in pair) if pair else None
    return f"{number(sign * difference, 1)} percentage points {interval(ends, 1)}".rstrip()
