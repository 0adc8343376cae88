"""The internal report: NOT PRIVATE. Verdict first, then the evidence."""

from __future__ import annotations

import hashlib
from typing import Any

from markupsafe import Markup

from tabsynth.published import json_bytes
from tabsynth.report import attacks, fairness, figures, quality
from tabsynth.report.claims import available, by_check, claims, counted, why_missing
from tabsynth.report.evidence import evidence
from tabsynth.report.guarantee import ceilings, charge_shares, is_private, purchases, relied_on, unit_of, unit_words
from tabsynth.report.odds import odds
from tabsynth.report.page import check_format, is_number, percent, render
from tabsynth.report.threats import threats
from tabsynth.report.thresholds import context, thresholds
from tabsynth.report.values import values

_SHOWN = ("fidelity.tvd1", "fidelity.tvd2", "fidelity.tvd3", "fidelity.tails", "fidelity.categories", "expectations.schema", "audit.engine", "guarantee.card",
          *quality.TITLES,
          *attacks.SHOWN, *fairness.SHOWN)  # fmt: skip
_HEATMAP_COLUMNS = 60


def report(data: dict[str, Any]) -> str:
    """The internal report as one self-contained HTML page. It is NOT private: it shows statistics of real rows.

    Parameters
    ----------
    data : dict
        The contents of ``report.internal.json`` (``schemas/report.schema.json``).

    Raises
    ------
    OptionError
        If `data` is not a report of version 1.
    """
    check_format(data, "tabsynth.report")
    findings, what = by_check(data), counted(data)
    card = relied_on(data.get("card"), findings)
    membership, secrets = attacks.membership(findings, card), attacks.secrets(findings)
    utility = [f for check, f in findings.items() if check.startswith("utility.")]
    own = [*membership["attacks"], *membership["special"], *(secret["finding"] for secret in secrets), *utility]
    shown = {*_SHOWN, *(f["check"] for f in own)}
    made = claims(findings, data.get("card"), what, data.get("policy"))
    return render(
        "report.html",
        data=data,
        findings=findings,
        card=card,
        private=is_private(card),
        unit=unit_words(unit_of(data)),
        claims=made,
        headline=quality.headline(made, findings),
        values=values(findings, data.get("card"), lambda histogram: _picture(histogram, data.get("schema") or {})),
        written=_written(data),
        recounted=findings.get("guarantee.card"),
        thresholds=thresholds(data.get("policy")),
        context=context(data.get("policy")),
        evidence=evidence(findings, card, (data.get("schema") or {}).get("unit") or {}),
        regenerations=attacks.regenerations(findings.get("attacks.regenerations"), membership["described"]),
        what=what,
        threats=threats(findings),
        ceilings=ceilings(card),
        odds=odds(card),
        shares=charge_shares(card),
        purchases=purchases(card),
        **membership,
        scalings=attacks.SCALINGS,
        gates=attacks.gates(findings.get("attacks.controls")),
        worst=attacks.worst(findings.get("attacks.worst")),
        secrets=secrets,
        utility=utility,
        fairness=fairness.fairness(findings),
        other=[f for check, f in findings.items() if check not in shown],
        histograms=_histograms(findings.get("fidelity.tvd1"), data.get("schema") or {}),
        heatmap=_heatmap(findings.get("fidelity.tvd2")),
        utility_rocs=_utility_rocs(utility),
        figures=figures,
        available=available,
        why_missing=why_missing,
        by_column=_by_column,
        audit=findings.get("audit.engine"),
    )


def headline(data: dict[str, Any]) -> str:
    """The first line of the report where nobody should use or release its table; else empty. CONFIDENTIAL."""
    findings = by_check(data)
    return quality.headline(claims(findings, data.get("card"), counted(data), data.get("policy")), findings)


def _written(data: dict[str, Any]) -> str | None:
    """SHA-256 of the JSON file of this report, so that neither changes without the other; None for what no file can hold."""
    try:
        return hashlib.sha256(json_bytes(data)).hexdigest()
    except ValueError:
        return None


def _by_column(finding: dict[str, Any]) -> list[tuple[str | None, list[dict]]]:
    """The expectations of each column, in their order; None is the whole table."""
    groups: dict[str | None, list[dict]] = {}
    for expectation in finding["details"].get("expectations") or []:
        groups.setdefault(expectation.get("column"), []).append(expectation)
    return list(groups.items())


def _picture(data: dict[str, Any], schema: dict[str, Any]) -> Markup:
    """A column's shares, drawn as its kind asks for."""
    draw = figures.categories if _labelled(data, schema) else figures.histogram
    desc = "Bars: training rows. Ticks: holdout rows. Circles: synthetic rows."
    return draw(data, title=f"Shares of the values of {data.get('column')}", desc=desc)


def _labelled(data: dict[str, Any], schema: dict[str, Any]) -> bool:
    return ((schema.get("columns") or {}).get(data.get("column")) or {}).get("kind") in ("categorical", "boolean")


def _histograms(finding: dict[str, Any] | None, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """One picture per column, with the column's own distances, the furthest first."""
    details = (finding or {}).get("details") or {}
    distances = {c.get("column"): c for c in details.get("columns") or []}
    out = []
    for data in details.get("histograms") or []:
        name, picture = data.get("column"), _picture(data, schema)
        hidden = max(0, len(figures.bins(data)) - figures.MOST) if _labelled(data, schema) else 0
        unshown = sum(share is None for part in ("train", "holdout") for share in data.get(part) or [])
        out.append({"column": name, "picture": picture, "hidden": hidden, "unshown": unshown, **distances.get(name, {})})
    return sorted(out, key=lambda column: -column["value"] if is_number(column.get("value")) else 0.0)


def _heatmap(finding: dict[str, Any] | None) -> dict[str, Any] | None:
    pairs = ((finding or {}).get("details") or {}).get("pairs") or []
    columns = list(dict.fromkeys(name for pair in pairs for name in pair.get("columns", ())))
    if not 2 <= len(columns) <= _HEATMAP_COLUMNS:
        return None
    worst = max((p["value"] for p in pairs if is_number(p.get("value"))), default=None)
    desc = f"{len(pairs)} pairs; the largest distance is {percent(worst)}. The worst pairs are listed in the table below."
    return {"picture": figures.heatmap(columns, pairs, title="Distance of every pair of columns", desc=desc), "most": worst}


def _utility_rocs(utility: list[dict]) -> list[dict[str, Any]]:
    """One linear ROC per model that has curves."""
    out = []
    for finding in utility:
        roc = (finding.get("details") or {}).get("roc") or {}
        curves = [
            (f"curve-{name}", points) for name in ("real", "synthetic") if (points := figures.points(roc.get(name))) is not None
        ]
        if curves:
            title = f"ROC on the holdout: {finding.get('title') or finding['check']}"
            picture = figures.roc(
                curves, title=title, desc="Trained on synthetic rows and trained on real rows, with the chance diagonal."
            )
            out.append({"title": finding.get("title") or finding["check"], "picture": picture})
    return out
