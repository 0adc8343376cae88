"""Any table with the schema's columns -> the schema's types and public ranges, as an Ibis expression.

What does not fit is clamped or counted as missing, as the schema says; it never stops anything, because whether a row fits is
known only to the rows. A value is read alike however its column is stored (1, 1.0 and true as a boolean; 1 and 1.0 as a label):
one odd value may change the storage of all. Only operations that DuckDB, PostgreSQL and Spark agree on are used.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from tabsynth.schema import OTHER, Column, Schema
from tabsynth.tables import UNREADABLE, Workspace, check_columns, redacted

if TYPE_CHECKING:
    import ibis
    import pandas as pd

TRUE, FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")
EXACT = 2**52
"""Whole numbers beyond this are not told apart."""


def conform(table: ibis.Table, schema: Schema) -> ibis.Table:
    """The table with the schema's columns, types and ranges.

    Integers become int64, floats float64, texts and identifiers string (int64 where the labels are whole numbers), dates date,
    datetimes timestamp. Values outside their public range or list, or of the wrong type, are clamped or missing.

    Raises
    ------
    SchemaError
        If the columns are not the schema's.
    """
    check_columns(table.columns, schema)
    return table.select(**{c.name: _bounded(_parsed(table[c.name], c), c) for c in schema.columns})


def outside(data: Any, schema: Schema) -> dict[str, int]:
    """For each modelled column, how many values `conform` changes or discards; for the unit's key, how many rows lack it.

    Exact, so NOT private: for the operator's terminal, never for anything that is kept.
    """
    counts = {}
    with Workspace() as workspace:
        table = workspace.open(data)
        check_columns(table.columns, schema)
        for column in schema.modelled:
            raw = table[column.name]
            parsed = _parsed(raw, column)
            changed = ~_bounded(parsed, column).identical_to(parsed) | (raw.notnull() & parsed.isnull())
            counts[column.name] = changed.ifelse(1, 0).sum().fill_null(0)
        if key := schema.unit.key:
            counts[key] = table[key].isnull().ifelse(1, 0).sum().fill_null(0)
        with redacted(UNREADABLE):
            return {name: int(n) for name, n in table.aggregate(**counts).to_pyarrow().to_pylist()[0].items()}


def read(data: Any, schema: Schema) -> pd.DataFrame:
    """A whole table in memory, conformed.

    Returns
    -------
    DataFrame
        integer -> Int64, float -> float64, categorical -> object, boolean -> boolean, date and datetime -> datetime64[s],
        identifier -> object.
    """
    import pandas as pd
    import pyarrow as pa

    with Workspace() as workspace:
        table = conform(workspace.open(data), schema)
        with redacted(UNREADABLE):
            frame = table.to_pyarrow().to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get)
    return as_types(frame, schema)


def as_types(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Give each column of a conformed frame its pandas type (see `read`)."""
    import pandas as pd

    types = {"integer": "Int64", "float": "float64", "boolean": "boolean", "date": "datetime64[s]", "datetime": "datetime64[s]"}
    columns = {}
    for c in schema.columns:
        column = frame[c.name].astype(types.get(c.kind, object), copy=False)
        if column.dtype == object and column.isna().any():
            column = column.where(column.notna(), None)
        columns[c.name] = column
    return pd.DataFrame(columns, copy=False)


def _parsed(raw: ibis.Column, column: Column) -> ibis.Column:
    """The value in the column's type, or null where it has none."""
    match column.kind:
        case "integer":
            return _whole(raw)
        case "float":
            return _number(raw)
        case "boolean":
            return _truth(raw)
        case "date":
            return moment(raw).date()
        case "datetime":
            return _cut(moment(raw), column.resolution)
        case "categorical" if column.labels and isinstance(column.labels[0], int):
            return _whole(raw)
    return _label(raw)


def _cut(value: ibis.Column, resolution: str | None) -> ibis.Column:
    """Moments cut to whole multiples of a resolution."""
    if resolution == "quarter":
        return value.truncate("h") + (value.minute() // 15 * 15).as_interval("m")
    return value.truncate({"day": "D", "hour": "h", "minute": "m"}.get(resolution, "s"))


def _bounded(value: ibis.Column, column: Column) -> ibis.Column:
    """Clamp or discard what lies outside the public range or list; fill what may not be missing."""
    import ibis

    if column.kind == "categorical" and column.labels:
        replacement = ibis.literal(OTHER) if column.outside == "other" else ibis.null(value.type())
        value = ibis.ifelse(value.isin(column.labels) | value.isnull(), value, replacement)
    elif column.numeric and column.minimum is not None:
        low, high = (ibis.literal(b, type=value.type()) for b in (column.minimum, column.maximum))
        below, above = (low, high) if column.outside == "clamp" else (ibis.null(value.type()),) * 2
        value = ibis.cases((value < low, below), (value > high, above), else_=value)
    if not column.nullable and (fill := _first(column)) is not None:
        value = value.fill_null(ibis.literal(fill, type=value.type()))
    return value


def _first(column: Column) -> Any:
    """What a missing value counts as where missing is not allowed; None if that is not known yet."""
    if column.kind == "boolean":
        return False
    return column.labels[0] if column.labels else column.minimum


def number(raw: ibis.Column) -> ibis.Column:
    """The value as float64, or null where it is no number."""
    import ibis

    kind = raw.type()
    if kind.is_boolean():
        return raw.ifelse(1, 0).cast("float64")
    if not (kind.is_numeric() or kind.is_string()):
        return ibis.null("float64")
    value = raw.cast("float64") if kind.is_numeric() else raw.try_cast("float64")
    return ibis.ifelse(value.isnan(), None, value)


def _number(raw: ibis.Column) -> ibis.Column:
    """The value as float64, also where a truth value is stored as text."""
    import ibis

    if not raw.type().is_string():
        return number(raw)
    text = raw.lower()
    return ibis.coalesce(number(raw), ibis.cases((text == "true", 1.0), (text == "false", 0.0)))


def _truth(raw: ibis.Column) -> ibis.Column:
    """True or false from truth values, ones and zeros, and words for them."""
    import ibis

    kind = raw.type()
    if kind.is_boolean():
        return raw
    if not (kind.is_numeric() or kind.is_string()):
        return ibis.null("boolean")
    yes, no = number(raw) == 1, number(raw) == 0
    if kind.is_string():
        yes, no = raw.lower().isin(TRUE) | yes, raw.lower().isin(FALSE) | no
    return ibis.cases((yes, True), (no, False))


def _label(raw: ibis.Column) -> ibis.Column:
    """The value as text; a whole number has no point, wherever it is stored."""
    import ibis

    if raw.type().is_timestamp():
        return raw.try_cast("timestamp").cast("string")
    if not raw.type().is_floating():
        return raw.cast("string")
    value = number(raw)
    small = ibis.ifelse(value.abs() < 2.0**63, value, None)
    whole = ibis.ifelse(small == small.floor(), small, None).cast("int64")
    return ibis.coalesce(whole.cast("string"), value.cast("string"))


def _whole(raw: ibis.Column) -> ibis.Column:
    """Whole numbers as int64; those beyond 2**52 (infinities too) become that bound, fractions null."""
    import ibis

    stored = raw.type().is_signed_integer()
    value, bound = (raw.cast("int64"), EXACT) if stored else (_number(raw), float(EXACT))
    value = ibis.cases((value > bound, bound), (value < -bound, -bound), else_=value)
    return value if stored else ibis.ifelse(value == value.floor(), value, None).cast("int64")


def moment(raw: ibis.Column) -> ibis.Column:
    """The value as a timestamp, or null where it is no date."""
    import ibis

    kind = raw.type()
    if not (kind.is_temporal() or kind.is_string()) or kind.is_time():
        return ibis.null("timestamp")
    value = raw.try_cast("timestamp")
    known = value.between(ibis.literal(dt.datetime(1, 1, 1)), ibis.literal(dt.datetime(9999, 12, 31, 23, 59, 59)))
    return ibis.ifelse(known, value, None)
