"""A codebook: what a file that describes a table says of its columns, as entries of a schema. It is taken to be public.

Its first line names its columns; they are recognised in any case, with blanks, points or underscores: `HEADERS`. A row describes one column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tabsynth.column import Column, column_from_dict
from tabsynth.conform import opened
from tabsynth.errors import SchemaError
from tabsynth.public_facts import plain_name
from tabsynth.tables import UNREADABLE, Workspace, redacted

HEADERS = {
    "name": ("name", "variable", "variable name", "var", "column", "column name", "field", "field name", "attribute", "item"),
    "type": ("type", "data type", "datatype", "kind", "storage", "field type", "variable type"),
    "range": ("range", "valid range", "allowed range", "limits"),
    "minimum": ("minimum", "min", "low", "lower", "lower limit", "from", "text validation min"),
    "maximum": ("maximum", "max", "high", "upper", "upper limit", "to", "text validation max"),
    "labels": (
        "labels",
        "values",
        "value labels",
        "allowed values",
        "levels",
        "categories",
        "codes",
        "choices",
        "permitted values",
    ),
    "decimals": ("decimals", "decimal places", "digits"),
    "format": ("format", "date format"),
    "nullable": ("nullable", "missing", "missing allowed", "null"),
    "description": ("description", "label", "meaning", "question", "definition", "field label", "variable label"),
}
"""What each column of a codebook may be called."""
_TYPES = {
    "integer": "int|integer|whole( number)?|count|bigint|smallint|tinyint|long|(u?int|u)(8|16|32|64)",
    "float": "float|double|double precision|decimal|number|numeric|num|real|continuous|money|(float|f)(32|64)",
    "categorical": "text|string|str|char|varchar|character( varying)?|factor|nominal|ordinal|enum|categor(y|ical)|dropdown|radio|object",
    "boolean": "bool|boolean|logical|yes ?no|true ?false|binary",
    "date": "date",
    "datetime": "date ?time|time ?stamp( .*)?",
    "identifier": "id|identifier|key|primary key|uuid",
}
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_MOMENT = r"\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+)?"
_RANGE = re.compile(rf"[\[(]?\s*({_MOMENT}|{_NUMBER})\s*(?:-|–|—|to|\.\.+|:|,|;)\s*({_MOMENT}|{_NUMBER})\s*[\])]?")
_NO = ("no", "n", "false", "0", "not allowed", "never")


def read_codebook(data: Any) -> dict[str, dict[str, str]]:
    """What a codebook says of each column that it describes, as texts by the names in `HEADERS`.

    Parameters
    ----------
    data : path, `tabsynth.Csv` or DataFrame

    Raises
    ------
    SchemaError
        If no column of it holds names.
    DataError
        If it cannot be read.
    """
    with Workspace() as workspace:
        table, _ = opened(workspace, data)
        places = {what: name for what, names in HEADERS.items() for name in table.columns if _plain(name) in names}
        if "name" not in places:
            raise SchemaError(
                f"the codebook has columns {', '.join(table.columns[:8])}, none of which is called name, variable, column or field; "
                "rename the one that holds the names of the table's columns."
            )
        with redacted(UNREADABLE):
            rows = table.select(**{what: table[name].cast("string") for what, name in places.items()}).to_pyarrow().to_pylist()
    said = [{what: text.strip() for what, text in row.items() if text and text.strip()} for row in rows]
    return {row["name"]: row for row in said if "name" in row}


def described(row: Mapping[str, str], drafted: Column) -> Column:
    """A column as its row of a codebook describes it; what that does not say is as drafted.

    Raises
    ------
    SchemaError
        If what it says cannot be.
    """
    bounds, labels = _bounds(row), _labels(row["labels"]) if "labels" in row else []
    entry: dict[str, Any] = _typed(row.get("type", "")) or {"kind": _by_range(bounds, drafted)}
    if labels and entry["kind"] in ("integer", "float", "categorical"):
        entry = {"kind": "categorical", "labels": labels}
    elif entry["kind"] in ("integer", "float", "date", "datetime"):
        entry |= _ends(bounds, entry["kind"]) if len(bounds) == 2 else {"discover": True}
    elif entry["kind"] == "categorical":
        entry["discover"] = True
    if entry["kind"] == "float" and row.get("decimals", "").isdigit():
        entry["decimals"] = int(row["decimals"])
    if entry["kind"] == drafted.kind:
        entry = {name: value for name in ("decimals", "format", "trim") if (value := getattr(drafted, name))} | entry
    if "%" in row.get("format", "") and entry["kind"] in ("date", "datetime"):
        entry["format"] = row["format"]
    if row.get("nullable", "").lower() in _NO:
        entry["nullable"] = False
    if "description" in row:
        entry["description"] = row["description"]
    try:
        return column_from_dict(drafted.name, entry)
    except SchemaError as error:
        raise SchemaError(f"the codebook: {error}") from None


def _by_range(bounds: Mapping[str, str], drafted: Column) -> str:
    """The kind of a column whose type is not known."""
    if len(bounds) < 2 or drafted.numeric:
        return drafted.kind
    return "float" if re.fullmatch(_NUMBER, bounds["minimum"]) else "datetime" if len(bounds["minimum"]) > 10 else "date"


def _plain(header: str) -> str:
    return plain_name(header.replace(".", " "))


def _typed(text: str) -> dict[str, Any]:
    """The kind that a type names, with its decimals, as in DECIMAL(10,2); empty where it is not known."""
    sized = re.fullmatch(r"(.*?)\s*\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)", text)
    name = re.sub(r"\b(int|uint|float|u|f) (\d+)$", r"\1\2", plain_name(sized[1] if sized else text))
    kind = next((kind for kind, pattern in _TYPES.items() if re.fullmatch(pattern, name)), None)
    if kind == "float" and sized and sized[2]:
        return {"kind": "float", "decimals": int(sized[2])} if int(sized[2]) else {"kind": "integer"}
    return {"kind": kind} if kind else {}


def _bounds(row: Mapping[str, str]) -> dict[str, str]:
    """The ends of the range, as texts."""
    if found := _RANGE.fullmatch(row.get("range", "")):
        return {"minimum": found[1], "maximum": found[2]}
    return {end: row[end] for end in ("minimum", "maximum") if re.fullmatch(f"{_MOMENT}|{_NUMBER}", row.get(end, ""))}


def _ends(bounds: Mapping[str, str], kind: str) -> dict[str, Any]:
    """The ends of the range, as values of a kind."""
    if kind in ("date", "datetime") or not all(re.fullmatch(_NUMBER, text) for text in bounds.values()):
        return dict(bounds)
    return {end: float(text) if "." in text else int(text) for end, text in bounds.items()}


def _labels(text: str) -> list[str | int]:
    """The codes in a list such as ``1=male; 2=female``, ``1, Male | 2, Female`` or ``[a, b, c]``."""
    text = text.strip("[]{}() ")
    mark = next((mark for mark in "|;\n" if mark in text), ",")
    pieces = [piece.strip() for piece in text.split(mark)]
    cut = r"\s*=\s*|\s*:\s+" if mark == "," else r"\s*=\s*|\s*:\s+|\s*,\s*"
    codes = [re.split(cut, piece)[0].strip().strip("\"'") for piece in pieces]
    codes = list(dict.fromkeys(code for code in codes if code))
    return (
        [int(code) for code in codes] if codes and all(re.fullmatch(r"-?(0|[1-9]\d*)", code) for code in codes) else list(codes)
    )
