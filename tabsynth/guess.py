"""A schema for tables that have none, from their storage types and VALUES. Not for a release: what is read off rows is not private."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tabsynth.conform import EXACT, FALSE, MISSING, TRUE, moment, number, opened
from tabsynth.errors import DataError
from tabsynth.reading import Reading
from tabsynth.schema import Column, Schema, Unit
from tabsynth.tables import UNREADABLE, Workspace, redacted
from tabsynth.texts import plain_moment, plain_number

if TYPE_CHECKING:
    import ibis

UNIQUE = "nearly every row has another value: leave it out if it is an identifier"


def guess(tables: Mapping[str, Any], unit: str | None = None) -> Schema:
    """How to read tables with the same columns: one kind a column, which all its values in all the tables have.

    Numbers stay whole numbers as long as they all are, text whose values are all numbers or all dates is read as such (unless a
    number starts with a superfluous zero: that is a code), and everything else is text, one label a value. No column has a range
    or a list, so nothing is clamped. Empty texts and words such as NA or ? decide nothing.

    Parameters
    ----------
    tables : mapping from a name for messages to a DataFrame, the path of a CSV or Parquet file, or a `tabsynth.Csv`
    unit : str, optional
        The column that names the unit of privacy; no other column is taken for an identifier.

    Raises
    ------
    DataError
        If a table cannot be read, or tables store a column in types that do not go together.
    """
    with Workspace() as workspace:
        found = {name: tallies(*opened(workspace, data)) for name, data in tables.items()}
    columns = []
    for column in next(iter(found.values())):
        kind = "identifier" if column == unit else _common(column, {name: tallies[column] for name, tallies in found.items()})
        first = next(iter(found.values()))[column]
        told = UNIQUE if kind == "categorical" and first["distinct"] > 0.9 * first["known"] > 10 else ""
        columns.append(Column(column, kind, discover=kind not in ("identifier", "boolean"), description=told))
    most = max(tallies[unit]["rows"] for tallies in found.values()) if unit else 1
    return Schema("guessed", tuple(columns), Unit(unit, max(1, most)))


def tallies(table: ibis.Table, how: Reading) -> dict[str, Counter]:
    """For each column, how many values there are and how many of them each kind fits."""
    names = table.columns
    counts = {f"{i} rows": table.count() for i in range(len(names))}
    for i, name in enumerate(names):
        counts |= {f"{i} {what}": holds.ifelse(1, 0).sum().fill_null(0) for what, holds in _fits(table[name], how).items()}
        if table[name].type().is_string() or table[name].type().is_integer():
            counts[f"{i} distinct"] = table[name].nunique()
    with redacted(UNREADABLE):
        counted = table.aggregate(**counts).to_pyarrow().to_pylist()[0]
    out = {name: Counter(typed=not table[name].type().is_string()) for name in names}
    for key, count in counted.items():
        place, what = key.split(" ")
        out[names[int(place)]][what] = int(count)
    return out


def _fits(raw: ibis.Column, how: Reading) -> dict[str, ibis.Column]:
    """Which values are there, and which of them can be read as which kind; only the kinds that its storage type can hold."""
    import ibis

    kind = raw.type()
    texts = kind.is_string()
    value = number(plain_number(raw, how) if texts else raw)
    when = moment(plain_moment(raw, how.date_format) if texts else raw)
    small = ibis.ifelse(value.abs() < EXACT, value, None)
    whole = small == small.floor()
    text = raw.cast("string").strip().lower()
    if kind.is_boolean():
        return {"known": raw.notnull(), "boolean": raw.notnull()}
    if kind.is_numeric():
        bits = {} if kind.is_floating() else {"boolean": raw.isin((0, 1))}
        return {"known": value.notnull(), "float": value.notnull(), "integer": whole} | bits
    known, dates = raw.notnull(), {"datetime": when.notnull(), "date": when == when.truncate("D")}
    if not kind.is_string():
        return {"known": known} | dates
    known &= ~text.isin(MISSING)
    numbers = known & value.notnull() & ~text.re_search("^[+-]?0[0-9]")
    return {
        "known": known,
        "float": numbers,
        "integer": numbers & whole,
        "boolean": text.isin(TRUE + FALSE),
    } | dates


def narrowest(fits: Counter) -> str:
    """The narrowest kind that all values have."""
    order = ("integer", "float", "boolean", "date", "datetime")
    return next((kind for kind in order if fits["known"] and fits[kind] == fits["known"]), "categorical")


def _common(column: str, tallies: Mapping[str, Counter]) -> str:
    """One kind for a column of several tables; refused where a table that does not store text would be read as text."""
    kind = narrowest(sum(tallies.values(), Counter()))
    kinds = {name: narrowest(fits) for name, fits in tallies.items() if fits["known"]}
    if kind == "categorical" and any(tallies[name]["typed"] and own != kind for name, own in kinds.items()):
        said = ", ".join(f"{own} in {name}" for name, own in kinds.items())
        raise DataError(
            f"column {column!r} is stored differently: {said}; store it alike in all tables, give a schema, or have both read alike (--normalise)."
        )
    return kind
