"""The attacks' findings, put in the order in which the report shows them. Reads findings, computes nothing from rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

from tabsynth.report import figures
from tabsynth.report.guarantee import highest_tpr, is_private
from tabsynth.report.page import is_number
from tabsynth.tradeoff import gaussian_tpr

SCALINGS = ("raw", "standardised", "rank")
SHOWN = ("attacks.replication", "attacks.membership", "attacks.familywise", "attacks.controls", "attacks.worst",
         "attacks.singling_out", "attacks.linkability", "attacks.regenerations")  # fmt: skip
"""Findings with a place of their own, beside the membership attacks and `ATTRIBUTE`."""
ATTRIBUTE = "attacks.attribute."
_LEVELS = {
    "unit": "Whole units: the mean of their rows\u2019 scores",
    "profile": "Whole units: their aggregates",
    "row": "Single rows",
}
"""In the order shown: where there are units, all verdicts are about them."""
_NAME = re.compile(
    rf"attacks\.(?P<attack>(?!attribute\.)[a-z0-9_]+)\.(?P<scaling>{'|'.join(SCALINGS)})(\.(?P<level>unit|profile))?"
)


@dataclass(frozen=True)
class Level:
    """The membership attacks on rows, on whole units, or on their aggregates.

    Parameters
    ----------
    name : {'row', 'unit', 'profile'}
    title : str
    rows : list of (str, dict)
        What an attack looks at, and its findings by scaling.
    findings : list of dict
        All of them, the smallest adjusted p first where there is one.
    """

    name: str
    title: str
    rows: list[tuple[str, dict[str, dict]]]
    findings: list[dict]

    @property
    def sizes(self) -> dict[str, Any]:
        """Details that are the same for all: members, non-members, smallest AUC that would have been noticed."""
        return next((f["details"] for f in self.findings if is_number(f["details"].get("n_members"))), {})


def membership(findings: dict[str, dict], card: dict[str, Any] | None) -> dict[str, Any]:
    """What the membership section shows: attacks by level, attackers who know more, and the ROC picture.

    Parameters
    ----------
    findings : dict
        By check name; details without nulls.
    card : dict, optional
    """
    placed = {check: place for check in findings if (place := _place(check)) is not None}
    together, chosen = _details(findings, "attacks.familywise"), _chosen(findings)
    adjusted = {f"attacks.{row.get('attack')}": row.get("p") for row in together.get("attacks") or []}
    levels = [_level(name, placed, findings, adjusted) for name in _LEVELS if any(place[2] == name for place in placed.values())]
    special = [
        f for check, f in findings.items() if check.startswith("attacks.") and check not in placed and "tpr" in f["details"]
    ]
    attacks = [f for level in levels for f in level.findings]
    judged = [f for level in levels for f in level.findings if len(levels) == 1 or level.name != "row" or f["check"] == chosen]
    judged += [f for f in special if f["check"] == chosen]
    return {
        "levels": levels,
        "attacks": attacks,
        "special": special,
        "adjusted": adjusted,
        "noticed": {check for check, p in adjusted.items() if is_number(p) and p <= together.get("level", 0)},
        "chosen": chosen,
        "described": {f["check"]: _described(f) for f in attacks + special},
        "reach": _reach(attacks + special),
        "roc": _roc(judged, chosen, findings, card),
    }


def _details(findings: dict[str, dict], check: str) -> dict[str, Any]:
    return (findings.get(check) or {}).get("details") or {}


def _place(check: str) -> tuple[str, str, str] | None:
    """Attack, scaling and level of a membership attack's name; None for every other finding."""
    found = _NAME.fullmatch(check)
    return (found["attack"], found["scaling"], found["level"] or "row") if found else None


def _level(name: str, placed: dict[str, tuple], findings: dict[str, dict], adjusted: dict[str, Any]) -> Level:
    grid: dict[str, dict[str, dict]] = {}
    for check, (attack, scaling, level) in placed.items():
        if level == name:
            grid.setdefault(attack, {})[scaling] = findings[check]
    rows = [(_words(next(iter(cells.values()))), cells) for cells in grid.values()]
    order = {check: i for i, check in enumerate(adjusted)}
    flat = sorted((f for cells in grid.values() for f in cells.values()), key=lambda f: order.get(f["check"], len(order)))
    return Level(name, _LEVELS[name], rows, flat)


def _words(finding: dict[str, Any]) -> str:
    """What the attack looks at: its title without what the table's heading says."""
    start, _, _ = finding["title"].partition(f", {_place(finding['check'])[1]} ")
    words = start.removeprefix("Membership by ")
    return words[:1].upper() + words[1:]


def _described(finding: dict[str, Any]) -> str:
    """An attack in words, with its scaling and level where it has any."""
    if _place(finding["check"]) is None:
        return finding["title"].removeprefix("Membership by ").removesuffix(" (AUC)")
    _, scaling, level = _place(finding["check"])
    return f"{_words(finding)}, {scaling}" + {"row": "", "unit": ", whole units", "profile": ", aggregates of units"}[level]


def _chosen(findings: dict[str, dict]) -> str | None:
    """The check name of the attack that the headline reports on."""
    name = _details(findings, "attacks.membership").get("chosen")
    return name if name is None or name in findings else f"attacks.{name}"


def _reach(attacks: list[dict]) -> float:
    """Half the width of an axis around .5 that holds every attack's interval."""
    ends = [v for f in attacks for v in [f.get("value"), *(f.get("interval") or ())] if is_number(v)]
    return max([0.05, *(1.1 * abs(v - 0.5) for v in ends)])


def _roc(
    attacks: list[dict], chosen: str | None, findings: dict[str, dict], card: dict[str, Any] | None
) -> figures.Markup | None:
    ordered = sorted(attacks, key=lambda f: f["check"] == chosen)
    curves = [
        ("curve-chosen" if f["check"] == chosen else "curve-other", points)
        for f in ordered
        if (points := figures.points(f["details"].get("roc"))) is not None
    ]
    if not curves:
        return None
    headline = findings.get("attacks.membership") or {}
    details, pair = headline.get("details") or {}, headline.get("interval")
    bounds = [("curve-claimed", partial(highest_tpr, card))] if is_private(card) else []
    if is_number(details.get("mu_tolerance")):
        bounds.append(("curve-tolerance", partial(gaussian_tpr, details["mu_tolerance"])))
    drawable = is_number(headline.get("value")) and is_number(details.get("fpr")) and pair
    return figures.roc(
        curves,
        title="Membership attacks: true-positive rate against false-positive rate",
        desc=f"{len(curves)} attacks on logarithmic axes, with the chance diagonal and the highest rate the guarantee allows.",
        log=True,
        bounds=bounds,
        point=(details["fpr"], headline["value"], pair) if drawable else None,
    )


def regenerations(finding: dict[str, Any] | None, described: dict[str, str]) -> list[dict[str, Any]]:
    """The attacks that were run on every table, in words, with the spread of their AUC and of their rate."""
    rows = ((finding or {}).get("details") or {}).get("attacks") or []
    return [{"name": described[row["check"]], **row} for row in rows if row.get("check") in described and row.get("auc")]


def gates(finding: dict[str, Any] | None) -> dict[str, Any]:
    """The control gates: all, those judged, those to show in the open, and how many are inside their band."""
    every = ((finding or {}).get("details") or {}).get("gates") or []
    judged = [gate for gate in every if gate.get("ok") is not None]
    return {
        "every": every,
        "judged": len(judged),
        "inside": sum(bool(gate["ok"]) for gate in judged),
        "open": [gate for gate in every if not gate.get("ok")],
    }


def worst(finding: dict[str, Any] | None) -> dict[str, Any]:
    """The worst-case groups: judged ones by vulnerability and those that stand out, all, and half the width of their axis."""
    groups = ((finding or {}).get("details") or {}).get("groups") or []
    shown = [g for g in groups if g.get("stands_out") or (is_number(g.get("auc")) and g["group"].startswith("vulnerability, "))]
    return {
        "shown": shown,
        "every": groups,
        "reach": _reach([{"value": g.get("auc"), "interval": g.get("interval")} for g in groups]),
    }


def secrets(findings: dict[str, dict]) -> list[dict[str, Any]]:
    """Attribute inference, one entry per column: finding, column, name and result of the attacker who is furthest ahead.

    Furthest ahead means by the lower end of the interval that holds for all attackers and columns together.
    """
    out = []
    for check, finding in findings.items():
        if check.startswith(ATTRIBUTE):
            attackers = finding["details"].get("attackers") or {}
            ahead = max(attackers, key=lambda name: lowest(attackers[name]), default=None)
            out.append({
                "finding": finding, "column": finding["details"].get("column") or check.removeprefix(ATTRIBUTE),
                "attackers": attackers, "ahead": ahead, "result": attackers.get(ahead),
            })  # fmt: skip
    return out


def lowest(result: dict[str, Any]) -> float:
    """Lower end of the interval that holds for all results of a family together."""
    low = (result.get("simultaneous") or [None])[0]
    return low if is_number(low) else float("-inf")


def highest(result: dict[str, Any]) -> float:
    """Upper end of the interval that holds for all results of a family together."""
    high = (result.get("simultaneous") or [None, None])[1]
    return high if is_number(high) else float("-inf")
