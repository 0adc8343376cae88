"""What of a table the schema cannot take as it is: counted, and for the person at the terminal shown. CONFIDENTIAL: exact, NOT private.

For the operator's terminal alone, never for anything that is kept.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tabsynth.conform import MISSING, opened, parsed
from tabsynth.delimited import Csv
from tabsynth.looks import WRITINGS, formats, in_words, simplest, writings
from tabsynth.reading import Reading
from tabsynth.schema import Column, Schema
from tabsynth.tables import UNREADABLE, Workspace, check_columns, redacted

if TYPE_CHECKING:
    import ibis

LOUD = 0.05
"""Share of a column's values from which on the operator is warned."""
_SHOWN = 3
_BESIDE = re.compile(r"[^\d.,+-]{0,4}[+-]?[\d.,]+\s*[^\d.,]{0,4}")
_FRACTION = re.compile(r"\s*[+-]?\d*\.\d+\s*")
_TRIED = 200
"""Different values of one kind of misfit that are looked at for what they look like."""


@dataclass(frozen=True)
class Misfits:
    """How many values of a column are changed or discarded, by what is wrong with them; each value is counted once.

    Parameters
    ----------
    rows : int
        Rows of the table.
    unreadable : int
        There, but not of the column's kind: missing.
    below, above : int
        Outside the public range.
    unlisted : int
        Not among the public labels.
    missing : int
        Missing where the schema does not allow it. In the unit's key: rows that are left out.
    words : int
        Words for missing such as NA, in a column of another kind than texts. Nothing is lost by them.
    """

    rows: int
    unreadable: int = 0
    below: int = 0
    above: int = 0
    unlisted: int = 0
    missing: int = 0
    words: int = 0

    @property
    def total(self) -> int:
        """Values that are changed or discarded."""
        return self.unreadable + self.below + self.above + self.unlisted + self.missing

    @property
    def loud(self) -> bool:
        """Whether that is so large a share that the schema is probably wrong."""
        return self.total > LOUD * self.rows


FAULTS = tuple(each.name for each in fields(Misfits) if each.name != "rows")


def misfits(data: Any, schema: Schema) -> dict[str, Misfits]:
    """For each modelled column and the unit's key, what `tabsynth.conform` changes or discards.

    Raises
    ------
    DataError, SchemaError
        If the table cannot be read, or its columns are not the schema's.
    """
    with _opened(data, schema) as (table, how):
        return _count(table, schema, how)


def repeated(data: Any, schema: Schema) -> dict[str, tuple[int, int]]:
    """Identifiers that several rows share, where the schema protects each row alone: how many values, in how many rows.

    A person with several rows is then protected for each of them, and not for all together.

    Raises
    ------
    DataError, SchemaError
        As `misfits`.
    """
    names = [c.name for c in schema.columns if c.kind == "identifier"] if schema.unit.key is None else []
    if not names:
        return {}
    with _opened(data, schema) as (table, _), redacted(UNREADABLE):
        asked = {f"{i} {what}": getattr(table[name], what)() for i, name in enumerate(names) for what in ("nunique", "count")}
        found = table.aggregate(**asked).to_pyarrow().to_pylist()[0]
    each = {name: (int(found[f"{i} nunique"]), int(found[f"{i} count"])) for i, name in enumerate(names)}
    return {name: (different, rows) for name, (different, rows) in each.items() if different < rows}


def examples(data: Any, schema: Schema) -> dict[str, dict[str, str]]:
    """For each column with misfits and each fault, the most frequent values and what they look like. They quote rows.

    Raises
    ------
    DataError, SchemaError
        As `misfits`.
    """
    with _opened(data, schema) as (table, how):
        counted = _count(table, schema, how)
        told = {}
        for column in schema.modelled:
            wrong = [fault for fault in FAULTS[:4] if getattr(counted[column.name], fault)]
            if wrong:
                told[column.name] = {fault: _shown(table, column, fault, how) for fault in wrong}
        return told


@contextmanager
def _opened(data: Any, schema: Schema) -> Iterator[tuple[ibis.Table, Reading]]:
    """The table as it is read, which has the schema's columns, and how it is read."""
    with Workspace() as workspace:
        table, how = opened(workspace, data, schema)
        check_columns(table.columns, schema)
        yield table, how


def _count(table: ibis.Table, schema: Schema, how: Reading) -> dict[str, Misfits]:
    columns = [c for c in schema.columns if c.modelled or c.name == schema.unit.key]
    counts = {"rows": table.count()}
    for i, column in enumerate(columns):
        for fault, holds in _faults(table[column.name], column, how, key=not column.modelled).items():
            counts[f"{i} {fault}"] = holds.ifelse(1, 0).sum().fill_null(0)
    with redacted(UNREADABLE):
        found = table.aggregate(**counts).to_pyarrow().to_pylist()[0]
    rows = int(found.pop("rows"))
    each = {column.name: {"rows": rows} for column in columns}
    for name, n in found.items():
        place, fault = name.split()
        each[columns[int(place)].name][fault] = int(n)
    return {name: Misfits(**numbers) for name, numbers in each.items()}


def _faults(raw: ibis.Column, column: Column, how: Reading, *, key: bool = False) -> dict[str, ibis.Column]:
    """Which values have which fault."""
    value = parsed(raw, column, how)
    if key:
        return {"missing": value.isnull()}
    faults = {"unreadable": raw.notnull() & value.isnull()}
    if raw.type().is_string() and column.kind not in ("categorical", "boolean"):
        words = raw.strip().lower().isin(MISSING)
        faults = {"unreadable": faults["unreadable"] & ~words, "words": raw.notnull() & value.isnull() & words}
    if column.labels:
        faults["unlisted"] = value.notnull() & ~value.isin(column.labels)
    elif column.numeric and column.minimum is not None:
        import ibis

        low, high = (ibis.literal(bound, type=value.type()) for bound in (column.minimum, column.maximum))
        faults |= {"below": value < low, "above": value > high}
    if not column.nullable:
        faults["missing"] = raw.isnull() | faults.get("words", False)
    return faults


def _shown(table: ibis.Table, column: Column, fault: str, how: Reading) -> str:
    """The most frequent values with a fault, and what they look like."""
    wrong = table.filter(_faults(table[column.name], column, how)[fault])
    text = wrong[column.name].cast("string")
    with redacted(UNREADABLE):
        frequent = wrong.group_by(value=text).aggregate(n=lambda t: t.count()).order_by([lambda t: t.n.desc(), "value"])
        found = frequent.limit(_TRIED).to_pyarrow().to_pylist()
        values = [row["value"] for row in found]
        looks = (
            _looks(text, values, column, how)
            if fault == "unreadable"
            else _nearest(values, column)
            if fault == "unlisted"
            else ""
        )
    shown = ", ".join(f"{row['value'][:40]!r} ({row['n']:,})" for row in found[:_SHOWN])
    return f"{shown}{', ...' if len(found) > _SHOWN else ''}{f'; {looks}' if looks else ''}"


def _looks(text: ibis.Column, values: list[str], column: Column, how: Reading) -> str:
    """What unreadable values look like, and what to write in the schema for it."""
    if column.kind in ("date", "datetime") and (found := formats(text, values)):
        words = " or ".join(f"{in_words(form)} (format: {form!r})" for form in found)
        return f"they look like {words}; " + (
            "add the format to the column" if len(found) == 1 else "find out which, and add that format to the column"
        )
    if column.kind == "integer" and all(_FRACTION.fullmatch(value) for value in values):
        return "they have digits after the point; make the column's kind float"
    if column.kind in ("integer", "float") and (ways := simplest(writings(text, values))):
        words = " or ".join(f"{WRITINGS[way]} (reading: {way.said})" for way in ways)
        place = (
            "say so in the schema or by an option"
            if isinstance(how, Csv)
            else "convert the column, reading is about CSV and TSV files"
        )
        return f"they look like numbers with {words}; {place}"
    if column.kind in ("integer", "float") and all(_BESIDE.fullmatch(value) for value in values):
        return "they look like numbers with a sign such as $ or % beside them; take it off"
    if column.kind == "boolean" and len(values) <= _SHOWN:
        return "make the column's kind categorical, with these as labels if they are public"
    return ""


def _nearest(values: list[str], column: Column) -> str:
    """For the most frequent values that are not listed, the label that they may stand for."""
    labels = [str(label) for label in column.labels or ()]
    folded = {label.strip().lower(): label for label in labels}
    told = []
    for value in values[:_SHOWN]:
        bare = value.strip()
        if bare in labels:
            told.append(f"{value[:40]!r} is {bare!r} with blanks around it (trim: true)")
        elif same := folded.get(bare.lower()):
            more = "" if bare == value else " and with blanks around it (trim: true)"
            told.append(f"{value[:40]!r} is {same!r} in another case (ignore_case: true){more}")
        elif near := difflib.get_close_matches(bare.lower()[:40], folded, 1, 0.75):
            told.append(f"{value[:40]!r} is nearest to {folded[near[0]]!r}")
    return ", ".join(told)
