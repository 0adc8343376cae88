"""The thresholds that a report was judged by: in words, with their sources and what was changed."""

from __future__ import annotations

from typing import Any

from tabsynth.report.page import percent, plain, short

CONTEXT = {"recipients": "Recipients", "purpose": "Purpose", "access": "Access", "controls": "Controls on recipients"}
_MEANING = {
    "epsilon": ("Formal guarantee", "epsilon, at most", short),
    "membership_mu": ("Membership", "no more members found than mu-Gaussian differential privacy allows, with mu at most", short),
    "copies": ("Copies", "exact copies beyond those of unseen people, at most", percent),
    "attribute": (
        "Attribute inference",
        "guessed right more often than for unseen people, in percentage points, at most",
        percent,
    ),
    "residual_risk": ("Singling out, linkage", "risk beyond that of unseen people, at most", percent),
    "column_values": ("Columns", "a mean, spread or quantile off by this part of the column\u2019s own scale, at most", short),
    "column_shares": (
        "Columns",
        "the share of missing, zero or a frequent value off by half of itself and by this, at most",
        percent,
    ),
    "relations": ("Relations", "part of a relation of two columns that is lost, at most", percent),
    "broken_links": ("Relations", "rows with a combination that real rows hardly have, at most", percent),
    "useful": ("Useful for the target", "part of what real rows teach about the target, at least", percent),
    "small_cell": ("Small cells", "people that a count or share has to stand for, at least", plain),
}
_AT_LEAST = ("small_cell", "useful")


def thresholds(policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What the report shows of each threshold: claim, meaning, value, shipped value, whether it is looser, source, reason."""
    rows = []
    for name, (claim, meaning, write) in _MEANING.items():
        given = ((policy or {}).get("thresholds") or {}).get(name)
        if given is None:
            continue
        value, shipped = given["value"], given["shipped"]
        looser = value < shipped if name in _AT_LEAST else value > shipped
        rows.append({
            "claim": claim, "meaning": meaning, "value": write(value), "shipped": write(shipped), "changed": value != shipped,
            "looser": looser, "kind": given["kind"], "source": given["source"], "reason": given["reason"],
        })  # fmt: skip
    return rows


def context(policy: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What was stated about where the table goes, and that nothing was where nothing was."""
    stated = (policy or {}).get("context") or {}
    return [(title, stated.get(name, "").strip() or "not stated") for name, title in CONTEXT.items()]
