"""Types and formats that a table's VALUES have, for a person to confirm. Never a range, a list, or a share of anything.

That a column holds whole numbers, or dates of some format, is nearly always public; whoever confirms it says so. Nothing here runs in a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tabsynth.conform import MISSING, opened
from tabsynth.delimited import Csv
from tabsynth.guess import tallies
from tabsynth.looks import WRITINGS, formats, in_words, simplest, writings
from tabsynth.reading import Reading
from tabsynth.schema import Column
from tabsynth.tables import UNREADABLE, Workspace, redacted
from tabsynth.texts import BLANK, plain_number

if TYPE_CHECKING:
    import ibis

_SOME = 200
_ROWS = 20
"""Rows from which on it means something that all values differ."""
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Proposal:
    """A column as its values suggest, and what they suggest, in words."""

    column: Column
    notes: tuple[str, ...]


def propose(data: Any) -> tuple[dict[str, Proposal], Reading]:
    """For each column what its values look like, and how numbers are written in a CSV or TSV file where that is not plain.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`

    Raises
    ------
    DataError
        If the table cannot be read.
    """
    with Workspace() as workspace:
        table, how = opened(workspace, data)
        with redacted(UNREADABLE):
            texts = {name: _texts(table, name) for name in table.columns if table[name].type().is_string()}
            counted, written = tallies(table, how), Reading()
            ways = _ways(texts, counted) if isinstance(how, Csv) else []
            if len(ways) == 1 and how.decimal is None and how.thousands is None:
                written = ways[0]
                counted = tallies(table, replace(how, **written.said))
            both = Reading(**how.said | written.said)
            found = {name: _proposal(table[name], counted[name], texts.get(name), both, ways) for name in table.columns}
    return found, written


def _texts(table: ibis.Table, name: str) -> tuple[ibis.Column, list[str]]:
    """A column's texts without the words for missing, and some of them."""
    import ibis

    text = table[name]
    text = ibis.ifelse(text.strip().lower().isin(MISSING), None, text)
    some = table.select(value=text).filter(lambda t: t.value.notnull()).distinct().limit(_SOME)
    return text, [row["value"] for row in some.to_pyarrow().to_pylist()]


def _ways(texts: Mapping[str, tuple[ibis.Column, list[str]]], counted: Mapping[str, Mapping[str, Any]]) -> list[Reading]:
    """The ways to write numbers that all columns share which are numbers in no plain way; none where a column has decimal points."""
    shared = None
    for name, (text, some) in texts.items():
        tally = counted[name]
        if tally["known"] and tally["float"] == tally["known"] and tally["integer"] < tally["known"]:
            return []
        if tally["float"] < tally["known"] and (found := writings(text, some)):
            shared = found if shared is None else [way for way in shared if way in found]
    return simplest(shared or [])


def _proposal(
    raw: ibis.Column, tally: Mapping[str, Any], texts: tuple[ibis.Column, list[str]] | None, how: Reading, ways: list[Reading]
) -> Proposal:
    from tabsynth.guess import narrowest

    name, kind = raw.get_name(), narrowest(tally)
    if not tally["known"]:
        return Proposal(Column(name, "categorical", discover=True), ("no value at all: leave the column out, or say what it is",))
    if kind == "categorical" and texts and (forms := formats(*texts)):
        return _dates(name, forms)
    if kind == "categorical":
        return _labels(raw, tally, texts, ways if texts and writings(*texts) else [])
    if kind == "float":
        decimals = _decimals(raw, texts, how)
        told = "numbers" if decimals is None else f"numbers with at most {decimals} decimals"
        return Proposal(Column(name, "float", discover=True, decimals=decimals), (told,))
    if kind != "integer":
        told = {
            "boolean": "yes or no (comes out as true and false; to keep other words, kind: categorical with them as labels)",
            "date": "ISO dates",
            "datetime": "ISO dates and times",
        }[kind]
        return Proposal(Column(name, kind, discover=kind != "boolean"), (told,))
    told = ["whole numbers"]
    if tally["boolean"] == tally["known"]:
        told.append("if it is yes or no: kind: boolean, which comes out as true and false")
    if tally["distinct"] == tally["known"] >= _ROWS:
        told.append("every row has another one: if it names a row or a person, {kind: identifier, format: '%d'}")
    return Proposal(Column(name, "integer", discover=True), tuple(told))


def _dates(name: str, forms: list[str]) -> Proposal:
    kind = "datetime" if any(f"%{part}" in forms[0] for part in "HI") else "date"
    if len(forms) == 1:
        return Proposal(Column(name, kind, discover=True, format=forms[0]), (f"{in_words(forms[0])}",))
    choices = " or ".join(f"{in_words(form)} (format: '{form}')" for form in forms)
    return Proposal(
        Column(name, kind, discover=True), (f"{choices}: the values fit each; write in the right one, or none is read",)
    )


def _labels(raw: ibis.Column, tally: Mapping[str, Any], texts: Any, ways: list[Reading]) -> Proposal:
    name = raw.get_name()
    if tally["distinct"] == tally["known"] >= _ROWS:
        return Proposal(Column(name, "identifier"), ("an identifier: every row has another text",))
    told = ["texts"]
    if len(ways) > 1:
        told = [
            f"numbers, with {' or '.join(WRITINGS[way] for way in ways)}: say which in the reading block, and change the kind"
        ]
    trim, cases = _spelling(raw) if texts else (False, False)
    if trim:
        told.append("some have blanks around them")
    if cases:
        told.append("some differ in upper and lower case only: ignore_case: true, if that means nothing")
    if 10 < 0.9 * tally["known"] < tally["distinct"]:
        told.append("nearly every row has another one: kind: identifier, or leave it out, for little of it can be bought")
    return Proposal(Column(name, "categorical", discover=True, trim=trim), tuple(told))


def _decimals(raw: ibis.Column, texts: tuple[ibis.Column, list[str]] | None, how: Reading) -> int | None:
    """The fewest digits after the point that hold every number, where those are few."""
    value = plain_number(texts[0], how).try_cast("float64") if texts else raw.cast("float64")
    table = value.name("value").as_table()
    value = table.value
    off = {str(d): ((value.round(d) - value).abs() > 1e-9).ifelse(1, 0).sum().fill_null(0) for d in range(_MOST_DECIMALS + 1)}
    found = table.aggregate(**off).to_pyarrow().to_pylist()[0]
    return next((int(d) for d, n in found.items() if n == 0), None)


def _spelling(raw: ibis.Column) -> tuple[bool, bool]:
    """Whether some texts have blanks around them, and whether some differ in case only."""
    table = raw.name("text").as_table()
    text, bare = table.text, table.text.re_replace(f"^{BLANK}+|{BLANK}+$", "")
    found = table.aggregate(trim=(text != bare).any(), cases=bare.lower().nunique() < bare.nunique()).to_pyarrow().to_pylist()[0]
    return bool(found["trim"]), bool(found["cases"])
