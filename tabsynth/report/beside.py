"""What is shown of several releases beside each other, read off their reports: measures and rows of tables. NOT PRIVATE."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tabsynth.report import frontier
from tabsynth.report.claims import FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS, Claim, available, by_check, claims, counted
from tabsynth.report.frontier import Entry, Measure, Measured
from tabsynth.report.guarantee import highest_tpr, is_private, relied_on
from tabsynth.report.page import interval, is_number, is_pair, number, percent, plain, rate

_WIDE = 4
"""Releases side by side in one table."""
_COLUMNS = 12
"""Columns of the data whose distances are listed."""
_ATTRIBUTES = 6
_NUMBERS = (
    "quality.columns", "quality.relations", "quality.useful",
    "utility.boosting.auc", "utility.boosting.ap", "utility.logistic.auc", "utility.logistic.ap",
    "fidelity.tvd1", "fidelity.tvd2", "fidelity.tvd3", "fidelity.tails", "fidelity.categories", "expectations.schema",
    "attacks.replication", "attacks.ensemble", "attacks.singling_out", "attacks.linkability",
    "fairness.representation", "fairness.outcome",
)  # fmt: skip
_SETS = {"fidelity.tvd3": "triples of columns", "fidelity.tvd2": "pairs of columns", "fidelity.tvd1": "single columns"}


@dataclass(frozen=True)
class Compared:
    """One release on the page."""

    entry: Entry
    data: dict[str, Any]
    findings: dict[str, dict]
    claims: list[Claim]

    @property
    def card(self) -> dict[str, Any] | None:
        """Its card, if one is on file; without its guarantee where that does not follow from its own charges."""
        return relied_on(self.data.get("card"), self.findings)

    @property
    def verdict(self) -> str:
        """The worst of the claims' verdicts."""
        return next(v for v in (FAIL, INCONCLUSIVE, NOT_TESTED, NONE, PASS) if any(claim.verdict == v for claim in self.claims))

    def titles(self, *verdicts: str) -> list[str]:
        """The claims with one of the verdicts."""
        return [claim.title for claim in self.claims if claim.verdict in verdicts]

    def measured(self, check: str) -> Measured | None:
        """The value of a check, with its interval and reference."""
        finding = self.findings.get(check)
        if not available(finding):
            return None
        reference = finding["reference"] if is_number(finding.get("reference")) else None
        return Measured(
            finding["value"], _pair(finding.get("interval")), reference, _pair(finding["details"].get("reference_interval"))
        )


def compared(letter: str, name: str, data: dict[str, Any]) -> Compared:
    """One report, read for the page."""
    stated = by_check(data)
    card = relied_on(data.get("card"), stated)
    made = claims(stated, data.get("card"), counted(data), data.get("policy"))
    given = card["guarantee"] if is_private(card) else {}
    delta = given.get("delta") if is_number(given.get("delta")) else math.inf
    failed = frozenset(claim.title for claim in made if claim.verdict == FAIL)
    return Compared(Entry(letter, name, given.get("epsilon", math.inf), delta, failed), data, stated, made)


def _pair(pair: Any) -> tuple[float, float] | None:
    return tuple(pair) if is_pair(pair) else None


def usefulness(shown: Sequence[Compared]) -> Measure:
    """What boosting makes of synthetic rows, and of real ones."""
    values = [c.measured("utility.boosting.auc") for c in shown]
    return Measure("Usefulness: AUC of boosting (higher is better)", values, higher=True, share=False)


def fidelity(shown: Sequence[Compared]) -> Measure:
    """Of the largest sets of columns that any release has a distance for."""
    check = next((check for check in _SETS if any(c.measured(check) for c in shown)), "fidelity.tvd1")
    return Measure(f"Distance of {_SETS[check]} (lower is better)", [c.measured(check) for c in shown])


def leakage(shown: Sequence[Compared]) -> Measure:
    """The strongest attack's rate and its ceiling; its AUC where the rates belong to different shares of false alarms."""
    fprs = {c.findings["attacks.membership"]["details"].get("fpr") for c in shown if c.measured("attacks.membership")}
    fpr = fprs.pop() if len(fprs) == 1 else None
    if not is_number(fpr) or not 0 < fpr < 1:
        return Measure("Leakage: AUC of the strongest attack", [_auc(c) for c in shown], chance=0.5, share=False)
    rates = [c.measured("attacks.membership") for c in shown]
    values = [
        value and Measured(value.value, value.interval, highest_tpr(c.card, fpr)) for c, value in zip(shown, rates, strict=True)
    ]
    return Measure(f"Leakage: members named at {rate(fpr)} false alarms", values, chance=fpr, reference="curve-claimed", log=True)


def _auc(one: Compared) -> Measured | None:
    """AUC of the strongest attack over everybody."""
    details = one.findings.get("attacks.worst", {}).get("details", {})
    return Measured(details["auc_all"], _pair(details.get("interval_all"))) if is_number(details.get("auc_all")) else None


def differ(entries: Sequence[Entry], measure: Measure) -> str:
    """Which pairs of releases differ by more than their intervals explain, in words."""
    known = [i for i, value in enumerate(measure.values) if value is not None]
    pairs = [(i, j) for i in known for j in known if i < j]
    better = [(i, j) for i in known for j in known if measure.clearly_better(i, j)]
    alike = [f"{entries[i].letter} and {entries[j].letter}" for i, j in pairs if (i, j) not in better and (j, i) not in better]
    if not pairs:
        return "Fewer than two numbers to compare."
    if not better:
        return "Not clearly different from each other."
    if len(alike) <= len(better) or len(better) > 4:
        few = ", ".join(alike) if len(alike) <= 4 else f"{len(alike)} of {len(pairs)} pairs"
        return f"Not clearly different: {few}. All other pairs are." if alike else "All clearly different."
    than = ", ".join(f"{entries[i].letter} than {entries[j].letter}" for i, j in better)
    return f"Clearly better: {than}. No other pair is clearly different."


def groups(shown: Sequence[Compared]) -> list[range]:
    """Positions of the releases that stand in one table, in as even parts as can be."""
    parts = math.ceil(len(shown) / _WIDE)
    bounds = [round(len(shown) * i / parts) for i in range(parts + 1)]
    return [range(a, b) for a, b in pairwise(bounds)]


def by_claim(shown: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """Every claim that any release makes, with the verdict of each."""
    titles = list(dict.fromkeys(claim.title for c in shown for claim in c.claims))
    verdicts = [{claim.title: claim.verdict for claim in c.claims} for c in shown]
    return [(title, [known.get(title, NOT_TESTED) for known in verdicts]) for title in titles]


def numbers(shown: Sequence[Compared], leakage: Measure) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """The main numbers: title, which differ, and of each release value, interval and what to read it against."""
    guesses = {
        check: f["value"]
        for c in shown
        for check, f in c.findings.items()
        if check.startswith("attacks.attribute.") and available(f)
    }
    checks = [*_NUMBERS, *sorted(guesses, key=lambda check: -guesses[check])[:_ATTRIBUTES]]
    measures = [leakage]
    for check in checks:
        found = [c.findings[check] for c in shown if check in c.findings]
        if any(map(available, found)):
            values, share = [c.measured(check) for c in shown], not check.startswith("utility.") and check != "attacks.ensemble"
            measures.append(
                Measure(found[0].get("title") or check, values, higher=found[0].get("better") == "higher", share=share)
            )
    entries = [c.entry for c in shown]
    return [(m.title, differ(entries, m), [_written(value, m) for value in m.values]) for m in measures if frontier.judged([m])]


def _written(value: Measured | None, measure: Measure) -> tuple[str, str, str]:
    if value is None:
        return "\u2013", "", ""
    write = percent if measure.share else number
    reference = {"curve-claimed": "at most", "curve-real": "against"}[measure.reference]
    against = f"{reference} {write(float(value.reference))}" if value.reference is not None else ""
    return write(float(value.value)), interval(value.interval, 1 if measure.share else 3, shares=measure.share), against


def differences(shown: Sequence[Compared]) -> list[tuple[str, list[str]]]:
    """Settings, seeds and versions that are not the same for all."""
    flat = [dict(_flat(_made(c.data))) for c in shown]
    rows = [(key, [_said(known.get(key)) for known in flat]) for key in dict.fromkeys(key for known in flat for key in known)]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _made(data: dict[str, Any]) -> dict[str, Any]:
    """How a release and its report were made."""
    card, details = data.get("card") or {}, {f["check"]: f.get("details") or {} for f in data.get("findings") or []}
    tools = {"seed": data.get("seed"), "tabsynth": data.get("tabsynth")} | (data.get("environment") or {})
    return {
        "model": card.get("model"),
        "noise": card.get("noise"),
        "budget": (card.get("guarantee") or {}).get("epsilon_budget"),
        "synthetic": card.get("synthetic"),
        "fitted with": {"tabsynth": card.get("tabsynth")} | (card.get("environment") or {}),
        "split": data.get("split"),
        "policy": data.get("policy"),
        "evaluation": tools,
        "positive class": details.get("utility.boosting.auc", {}).get("positive"),
    }


def _flat(tree: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for key, value in tree.items():
        out += _flat(value, f"{before}{key}, ") if isinstance(value, dict) else [(f"{before}{key}", value)]
    return out


def _said(value: Any) -> str:
    if value is None:
        return "\u2013"
    return (plain(value) if isinstance(value, str | float) else json.dumps(value))[:120]


def columns(shown: Sequence[Compared]) -> list[tuple[str, list[tuple[Any, Any]]]]:
    """Value and reference of each release for the columns with the largest distances, the largest first."""
    known = [
        {d.get("column"): d for d in c.findings.get("fidelity.tvd1", {}).get("details", {}).get("columns") or []} for c in shown
    ]
    worst = {
        name: max((d[name]["value"] for d in known if name in d and is_number(d[name].get("value"))), default=-1.0)
        for name in dict.fromkeys(name for d in known for name in d)
    }
    kept = sorted((name for name in worst if worst[name] >= 0), key=lambda name: -worst[name])[:_COLUMNS]
    return [(name, [(d.get(name, {}).get("value"), d.get(name, {}).get("reference")) for d in known]) for name in kept]
