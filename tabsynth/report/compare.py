"""Several releases of one data set beside each other: NOT PRIVATE. Which may be released, then one picture, then the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_uppercase
from typing import Any

from tabsynth.errors import OptionError
from tabsynth.report import beside, frontier
from tabsynth.report.beside import Compared
from tabsynth.report.claims import FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS
from tabsynth.report.frontier import APART, BEATEN, ON, UNJUDGED, Entry, Measure
from tabsynth.report.guarantee import is_private, unit_of, unit_words
from tabsynth.report.page import check_format, number, percent, render
from tabsynth.report.together import together

MOST = 12
"""Releases that one page compares at most."""


def compare(documents: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Several internal reports on one data set as one self-contained HTML page. NOT private: it shows statistics of real rows.

    Parameters
    ----------
    documents : sequence of dict
        From 2 to 12 contents of ``report.internal.json`` (``schemas/report.schema.json``) with the same schema, unit and target.
    names : sequence of str
        What to call each.

    Raises
    ------
    OptionError
        If they are too few or too many, not reports, twice the same, or not comparable.
    """
    _check(documents, names)
    shown = [beside.compared(letter, name, data) for letter, name, data in zip(ascii_uppercase, names, documents, strict=False)]
    entries, leakage = [c.entry for c in shown], beside.leakage(shown)
    decisive = frontier.judged([beside.usefulness(shown), beside.fidelity(shown)])
    panels = [(measure, True) for measure in decisive] + [(measure, False) for measure in frontier.judged([leakage])]
    standing = frontier.standings(entries, decisive)
    return render(
        "compare.html",
        data=documents[0],
        unit=unit_words(unit_of(documents[0])),
        shown=shown,
        **_judgement(shown, standing, decisive),
        unclear=[(measure.title, beside.differ(entries, measure)) for measure in decisive],
        picture=frontier.frontier(entries, panels, standing, desc=_described(shown, panels)) if panels else None,
        mark=frontier.mark,
        drawn={*standing, *(line for measure, _ in panels for line in measure.lines)},
        together=together([c.card for c in shown]),
        unprotected=[called(c.entry) for c in shown if not is_private(c.card)],
        splits=_splits(shown),
        policies=any(data.get("policy") != documents[0].get("policy") for data in documents),
        groups=beside.groups(shown),
        numbers=beside.numbers(shown, leakage),
        claims=beside.by_claim(shown),
        differences=beside.differences(shown),
        columns=beside.columns(shown),
    )


def called(entry: Entry) -> str:
    """Letter and name."""
    return f"{entry.letter} ({entry.name})"


def _check(documents: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """Refuse what cannot be compared."""
    if len(documents) != len(names):
        raise OptionError(f"there are {len(documents)} reports and {len(names)} names; give one name for each report.")
    if not 2 <= len(documents) <= MOST:
        raise OptionError(f"{len(documents)} given to compare; give from 2 to {MOST} reports of one data set.")
    for data, name in zip(documents, names, strict=True):
        try:
            check_format(data, "tabsynth.report")
        except OptionError as error:
            raise OptionError(f"{name}: {error}") from None
    for i, (data, name) in enumerate(zip(documents, names, strict=True)):
        if data in documents[:i]:
            raise OptionError(f"{names[documents.index(data)]} and {name} are the same report; give each release once.")
        if unit_of(data) != unit_of(documents[0]):
            raise OptionError(
                f"{names[0]} and {name} protect different units of privacy; give releases that protect the same unit."
            )
        if place := _departs(documents[0].get("schema"), data.get("schema"), "schema"):
            raise OptionError(f"{names[0]} and {name} have different schemas, at {place}; give releases of one schema.")
        if data.get("target") != documents[0].get("target"):
            raise OptionError(f"{names[0]} and {name} predict different target columns; evaluate them for one target.")


def _departs(one: Any, other: Any, place: str) -> str:
    """Where the first difference lies, as the path of an entry; empty where there is none."""
    if one == other:
        return ""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{place}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{place}[{i}]", *pair) for i, pair in enumerate(zip(one, other, strict=True))]
    else:
        pairs = []
    return next((found for path, a, b in pairs if (found := _departs(a, b, path))), place[:200])


def _judgement(shown: Sequence[Compared], standing: Sequence[str], decisive: Sequence[Measure]) -> dict[str, list]:
    """What the comparison says about all, and about each."""
    entries = [c.entry for c in shown]
    beaten, spared = frontier.beaten_by(entries, decisive), frontier.no_gain_over(entries, decisive)
    remarks = [_remarks(kind, *who, entries) for kind, *who in zip(standing, beaten, spared, strict=True)]
    return {"lead": _lead(shown, standing, beaten, spared), "remarks": remarks}


def _lead(shown: Sequence[Compared], standing: Sequence[str], beaten: list[list[int]], spared: list[list[int]]) -> list[str]:
    """What to take from the page, in a sentence or two."""
    letters = [c.entry.letter for c in shown]
    beats = [f"{letter} is beaten by {listed(letters[i] for i in by)}." for letter, by in zip(letters, beaten, strict=True) if by]
    dear = [letter for letter, cheaper, better in zip(letters, spared, beaten, strict=True) if cheaper and not better]
    on = [letter for letter, kind in zip(letters, standing, strict=True) if kind == ON]

    def named(*verdicts: str) -> list[str]:
        return [called(c.entry) for c in shown if c.verdict in verdicts]

    return [
        *_told(named(PASS, NONE), "passed every claim made for it", "passed every claim made for them"),
        *_told(named(INCONCLUSIVE, NOT_TESTED), *["left at least one claim undecided or untested"] * 2),
        *_told(named(FAIL), *["failed at least one claim"] * 2),
        *_told([c.entry.letter for c in shown if not is_private(c.card)], "has no formal guarantee", "have no formal guarantee"),
        *_told(on, "lies on the frontier", "lie on the frontier"),
        *(beats or ["None is clearly beaten by another."]),
        *_told(
            dear, "has a weaker guarantee than another for no clear gain", "have weaker guarantees than others for no clear gain"
        ),
    ]


def _told(who: Sequence[str], one: str, many: str) -> list[str]:
    """A sentence about some of the releases, or nothing."""
    return [f"{listed(who)} {one if len(who) == 1 else many}."] if who else []


def listed(texts: Iterable[str]) -> str:
    """One, two and three."""
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _remarks(kind: str, beaten: Sequence[int], spared: Sequence[int], entries: Sequence[Entry]) -> list[str]:
    """What the comparison says about one release: its standing, who beats it, and who costs less for as much."""
    if kind == BEATEN:
        by = listed(called(entries[j]) for j in beaten)
        reasons = "its guarantee is at least as strong, it is clearly better in every measure, and it fails no other claim"
        return [f"Beaten by {by}: {reasons}."]
    if kind == UNJUDGED:
        return ["Not judged against the others: a number for usefulness or fidelity is missing."]
    out = ["On the frontier: no other release beats it."]
    if kind == APART:
        out = ["No other release beats it, but without a guarantee it stands apart from the frontier."]
    if spared:
        out.append(f"Its guarantee is weaker than that of {listed(called(entries[j]) for j in spared)}, for no clear gain.")
    return out


def _described(shown: Sequence[Compared], panels: Sequence[tuple[Measure, bool]]) -> str:
    """The picture in words."""
    parts = []
    for measure, _ in panels:
        write = percent if measure.share else number
        told = [f"{c.entry.letter} {write(v.value)}" for c, v in zip(shown, measure.values, strict=True) if v]
        parts.append(f"{measure.title}: {', '.join(told)}.")
    return " ".join(parts)


def _splits(shown: Sequence[Compared]) -> str:
    """What was not alike for all: the splits, the evaluation (seed, or real rows by their own distance), or nothing."""

    def trace(c: Compared) -> list[Any]:
        rows = [((c.data.get("tables") or {}).get(part) or {}).get("rows") for part in ("train", "holdout")]
        return [c.data.get("split"), rows, c.findings.get("fidelity.tvd1", {}).get("reference")]

    if all(trace(c)[:2] == trace(shown[0])[:2] for c in shown):
        same = all(c.data.get("seed") == shown[0].data.get("seed") and trace(c) == trace(shown[0]) for c in shown)
        return "" if same else "evaluation"
    return "splits"
