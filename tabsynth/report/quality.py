"""What the report says of columns, relations, ranges and the target: claims, the first line, and what is drawn. Reads findings, computes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tabsynth.report.page import interval, is_number, number, percent, plain
from tabsynth.report.verdicts import FAIL, Claim, available, verdict_of, why_missing

COLUMNS, RELATIONS, RANGES, USEFUL = "quality.columns", "quality.relations", "quality.ranges", "quality.useful"
TITLES = {
    COLUMNS: "Columns keep their values",
    RELATIONS: "Relations are kept",
    RANGES: "Ranges and lists were found",
    USEFUL: "Useful for the target",
}
SECTION = "quality"
_NAMED, _LISTED = 3, 15
_MOST = 1_000
"""Further than so many times too far is told as that."""


def quality(findings: dict[str, dict], what: str) -> list[Claim]:
    """The claims on whether the table is any good; each only where it was looked at.

    Parameters
    ----------
    findings : dict
        By check name.
    what : {'rows', 'units'}
        What the tables count.
    """
    say = {COLUMNS: _columns, RELATIONS: _relations, RANGES: _ranges, USEFUL: _useful}
    out = []
    for check, sentence in say.items():
        if (finding := findings.get(check)) is not None:
            text = sentence(finding, what) if available(finding) else why_missing(finding)
            out.append(Claim(TITLES[check], verdict_of(finding), text, SECTION))
    return out


def headline(claims: Sequence[Claim], findings: dict[str, dict]) -> str:
    """The first line of a report whose table nobody should use or release; empty where there is no such reason."""
    failed = [claim for claim in claims if claim.verdict == FAIL]
    poor = [claim.title for claim in failed if claim.title in TITLES.values()]
    leaks = [claim.title for claim in failed if claim.title not in (*TITLES.values(), "Conforms to the schema")]
    reasons = [_reason(findings, check) for check, title in TITLES.items() if title in poor]
    told = []
    if leaks:
        told.append(f"Do not release this table: it fails {_listed(list(map(_quoted, leaks)))}.")
    if reasons:
        told.append(f"{'Do not use this table' if _useless(findings, poor) else 'Not fit for every use'}: {'; '.join(reasons)}.")
    return " ".join(told)


def _useless(findings: dict[str, dict], poor: Sequence[str]) -> bool:
    """Whether it is more than a column or a pair that is wrong."""
    relations = (findings.get(RELATIONS) or {}).get("details") or {}
    share = (findings.get(COLUMNS) or {}).get("value")
    many = TITLES[COLUMNS] in poor and is_number(share) and share >= 0.2
    return many or (TITLES[RELATIONS] in poor and bool(relations.get("together"))) or TITLES[USEFUL] in poor or len(poor) > 2


def _reason(findings: dict[str, dict], check: str) -> str:
    details = findings[check].get("details") or {}
    if check == COLUMNS:
        wrong, of = details.get("wrong") or [], len({row.get("column") for row in details.get("columns") or []})
        return f"{len(wrong)} of {of} columns {'does' if len(wrong) == 1 else 'do'} not keep {'its' if len(wrong) == 1 else 'their'} values ({_some(wrong)})"
    if check == RELATIONS:
        pairs = [*(details.get("wrong") or []), *(details.get("broken") or [])]
        named = _some([" and ".join(pair) for pair in pairs])
        return f"relations between columns are lost{f' ({named})' if pairs else ''}"
    if check == RANGES:
        return f"the budget did not find the range or list of {_some(details.get('lost') or [])}"
    return f"it teaches {percent(findings[check]['value'], 0)} of what real rows teach about {details.get('target')}"


def _quoted(text: Any) -> str:
    return f"\u201c{text}\u201d"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]


def worst_numbers(finding: dict[str, Any] | None) -> list[dict[str, Any]]:
    """One row for each number of each column, with what to call it; the furthest off first."""
    details = (finding or {}).get("details") or {}
    rows = [
        number | {"column": row.get("column"), "called": called(number, row.get("part"))}
        for row in details.get("columns") or []
        for number in row.get("numbers") or []
    ]
    order = {"fail": 0, "inconclusive": 1}
    return sorted(rows, key=lambda row: (order.get(row.get("verdict"), 2), -_or(row.get("surely")), -_or(row.get("off"))))


def _or(value: Any) -> float:
    return float(value) if is_number(value) else 0.0


def called(number: dict[str, Any], part: Any = "") -> str:
    """A number in words: mean, 90 % quantile, share of "yes"."""
    what, of = number.get("what"), number.get("of")
    before = f"{part}, " if part else ""
    if what == "quantile":
        return f"{before}{str(of).replace(' ', chr(160))} quantile"
    if what == "share":
        return before + ("missing" if of == "missing" else f"share of {_quoted(of)}")
    return f"{before}{what}"


def written(number: dict[str, Any], part: str) -> str:
    """A number of one of the tables: shares in percent."""
    value = number.get(part)
    if value is None:
        return "not shown"
    return percent(value) if number.get("what") == "share" else plain(value)


def off(number: dict[str, Any]) -> str:
    """How far it is off, in tolerances."""
    value = number.get("off")
    if not is_number(value):
        return "not shown"
    return f"over {_MOST:,}".replace(",", "\u202f") if value > _MOST else f"{value:.1f}"


def _example(row: dict[str, Any]) -> str:
    if row.get("what") in ("bottom", "top") and is_number(row.get("off")):
        far = number(int(min(row["off"], _MOST) * 2))
        return (
            f"{row['column']} ({row['called']} {written(row, 'synthetic')}, over {far} times as far out as in the training rows)"
        )
    return f"{row['column']} ({row['called']} {written(row, 'synthetic')}, in the training rows {written(row, 'train')})"


def _columns(finding: dict[str, Any], what: str) -> str:
    details, rows = finding["details"], worst_numbers(finding)
    of = len({row["column"] for row in rows})
    scale = f"{number(float(details.get('tolerated') or 0), 2)} of the column\u2019s own scale"
    tolerance = f"{scale}, and shares within {percent(details.get('tolerated_shares'), 0)}"
    if finding.get("verdict") == "pass":
        text = f"Mean, spread, quantiles, ends and frequent values of all {number(of)} columns are those of the training rows within {tolerance}."
        return text + (f" Furthest off: {_example(rows[0])}." if rows else "")
    chosen: dict[str, dict] = {}
    for row in rows:
        if row.get("verdict") == finding.get("verdict"):
            chosen.setdefault(row["column"], row)
    named = "; ".join(_example(row) for row in list(chosen.values())[:_NAMED])
    more = f"; and {len(chosen) - _NAMED} more" if len(chosen) > _NAMED else ""
    if finding.get("verdict") == "fail":
        return f"{len(chosen)} of {number(of)} columns {'has' if len(chosen) == 1 else 'have'} a number that is surely off by more than {tolerance}: {named}{more}."
    return f"No number is surely off by more than {tolerance}, but {len(chosen)} of {number(of)} columns are not decided: {named}{more}.{needed(details, what)}"


def needed(details: dict[str, Any], what: str) -> str:
    """How much would settle what is open."""
    count = details.get("needed_rows")
    if is_number(count):
        return f" A decision needs about {number(count)} training {what} and as many synthetic rows."
    return " No sample of usual size settles it."


def _relations(finding: dict[str, Any], what: str) -> str:
    d = finding["details"]
    told = f"Of the relations of {number(d.get('related'))} related pairs, {percent(finding['value'])} {'is' if d.get('related') == 1 else 'are'} kept"
    if not d.get("related"):
        told = "No two columns are related in the training rows"
    text = f"{told}; {number(d.get('compared'))} pairs were compared."
    if d.get("together"):
        text += f" That is surely less than {percent(1 - d['tolerated'], 0)}."
    if lost := [" and ".join(pair) for pair in d.get("wrong") or []]:
        text += f" Changed beyond what is tolerated: {_some(lost)}."
    if d.get("broken"):
        text += f" Links that real rows hardly ever break: {_broken(d)}."
    if finding.get("verdict") == "inconclusive":
        pairs = [
            " and ".join(pair["columns"])
            for pair in [*d.get("pairs", []), *d.get("links", [])]
            if pair["verdict"] == "inconclusive"
        ]
        text += f" Not decided: {_some(list(dict.fromkeys(pairs)))}.{needed(d, what)}"
    return text


def _broken(details: dict[str, Any]) -> str:
    texts = []
    for link in details.get("links") or []:
        if link["verdict"] == "fail":
            unseen = "not shown" if link["holdout"] is None else percent(link["holdout"])
            texts.append(
                f"{' and '.join(link['columns'])} ({percent(link['synthetic'])} of synthetic rows, {unseen} of holdout rows)"
            )
    return _some(texts)


def _ranges(finding: dict[str, Any], what: str) -> str:
    d = finding["details"]
    if not d.get("bought"):
        return "Every range and list is public: nothing had to be found."
    if lost := d.get("lost"):
        return (
            f"What was counted to find the range or list of {_some(lost)} did not stand out from the noise, so its values are made up. "
            "Give a public range or list, or spend more."
        )
    if silent := d.get("silent"):
        return f"{number(d['bought'])} ranges or lists were bought; the card does not say whether {_some(silent)} stood out from the noise."
    return f"All {number(d['bought'])} ranges and lists that had to be bought stood out from the noise."


def _useful(finding: dict[str, Any], what: str) -> str:
    d = finding["details"]
    text = (
        f"Of what a model trained on real rows knows of {d.get('target')} beyond guessing (AUC {number(d.get('real'))}), one trained on synthetic rows "
        f"knows {percent(finding['value'], 0)} {interval(finding.get('interval'), 0, shares=True)} (AUC {number(d.get('synthetic'))}); at least "
        f"{percent(d.get('tolerated'), 0)} is asked for."
    )
    if finding.get("verdict") != "inconclusive":
        return text
    count = d.get("needed_nonmembers")
    more = f" A decision needs about {number(count)} {what} that the generator never saw." if is_number(count) else ""
    return text + (more or " It is too close to what is asked for to be settled by a larger holdout.")


def noise(card: dict[str, Any] | None) -> dict[str, float]:
    """By column, how far noise alone moves one count of its most exact table: a standard deviation, as a share of the rows.

    Only of columns of which the card names a table that was counted, and where it says how many rows there are, noisily.
    """
    drawn, given = (card or {}).get("synthetic") or {}, (card or {}).get("guarantee") or {}
    most, rows = (given.get("unit") or {}).get("max_rows"), drawn.get("rows")
    if not (is_number(most) and is_number(rows) and rows and str(drawn.get("rows_is", "")).startswith("noisy")):
        return {}
    out: dict[str, float] = {}
    for charge in ((card or {}).get("ledger") or {}).get("charges") or []:
        note = str(charge.get("note"))
        start = next((start for start in ("table of ", "bins of ") if note.startswith(start)), None)
        for multiplier, _ in charge.get("gaussians") or [] if start else []:
            for name in note.removeprefix(start).split(" x "):
                out[name] = min(out.get(name, math.inf), multiplier * most / rows)
    return out
