"""Any table with the schema's columns -> the schema's types and public ranges, as an Ibis expression.

What does not fit is clamped or counted as missing, as the schema says; it never stops anything, because whether a row fits is
known only to the rows. A value is read alike however its column is stored (1, 1.0 and true as a boolean; 1 and 1.0 as a label):
one odd value may change the storage of all. Only operations that DuckDB, PostgreSQL and Spark agree on are used.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.delimited import Csv, is_delimited
from tabsynth.reading import Reading
from tabsynth.schema import OTHER, Column, Schema
from tabsynth.tables import UNREADABLE, Workspace, check_columns, redacted
from tabsynth.texts import as_written, plain_moment, spelled

if TYPE_CHECKING:
    import ibis
    import pandas as pd

TRUE, FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")
MISSING = ("", "na", "n/a", "nan", "nat", "null", "none", "?", "-")
"""Texts that are read as missing where numbers or dates are expected."""
EXACT = 2**52
"""Up to this, whole numbers stored as floats are exact."""
WIDEST = 2**63 - 1024
"""The largest whole number that fits both 64 bits and a float; what lies beyond counts as this."""
SHORT_LIST = 256
"""A value is compared with each of so few labels."""


def conform(table: ibis.Table, schema: Schema, how: Reading) -> ibis.Table:
    """The table with the schema's columns, types and ranges.

    Integers become int64, floats float64, texts and identifiers string (int64 where the labels are whole numbers), dates date,
    datetimes timestamp. Values outside their public range or list, or of the wrong type, are clamped or missing.

    Parameters
    ----------
    table : ibis Table
    schema : Schema
    how : Reading
        How its texts are written; see `opened`.

    Raises
    ------
    SchemaError
        If the columns are not the schema's.
    """
    check_columns(table.columns, schema)
    return table.select(**{c.name: _bounded(parsed(table[c.name], c, how), c) for c in schema.columns})


def opened(workspace: Workspace, data: Any, schema: Schema | None = None) -> tuple[ibis.Table, Reading]:
    """A table as it is stored, and how its texts are written: as is said of the file, else as the schema says. Of CSV and TSV alone."""
    if isinstance(data, str | os.PathLike) and is_delimited(Path(data)):
        data = Csv(data)
    if not isinstance(data, Csv):
        return workspace.open(data), Reading()
    data = data.completed(schema.reading) if schema else data
    return workspace.open(data), data


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
        table, how = opened(workspace, data, schema)
        table = conform(table, schema, how)
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


def parsed(raw: ibis.Column, column: Column, how: Reading) -> ibis.Column:
    """The value in the column's type, or null where it has none."""
    raw = as_written(raw, column, how)
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
    return spelled(_label(raw), column)


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
        value = ibis.ifelse(_in_list(value, column.labels) | value.isnull(), value, replacement)
    elif column.numeric and column.minimum is not None:
        low, high = (ibis.literal(b, type=value.type()) for b in (column.minimum, column.maximum))
        below, above = (low, high) if column.outside == "clamp" else (ibis.null(value.type()),) * 2
        own = (value.isin([ibis.literal(v, type=value.type()) for v, _ in column.special]), value) if column.special else None
        value = ibis.cases(*([own] if own else []), (value < low, below), (value > high, above), else_=value)
    if not column.nullable and (fill := _first(column)) is not None:
        value = value.fill_null(ibis.literal(fill, type=value.type()))
    return value


def _in_list(value: ibis.Column, labels: Sequence[str | int]) -> ibis.BooleanValue:
    """Whether the value is one of the labels. A long list is cut where it is sorted, so that each value is compared with a part of it."""
    import ibis

    ordered, size = sorted(labels), math.isqrt(len(labels))
    if len(ordered) <= SHORT_LIST:
        return value.isin(ordered)
    parts = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    cuts = ((value < after[0], value.isin(part)) for part, after in itertools.pairwise(parts))
    return ibis.cases(*cuts, else_=value.isin(parts[-1]))


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
        word = raw.strip().lower()
        yes, no = word.isin(TRUE) | yes, word.isin(FALSE) | no
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
    """Whole numbers as int64; those beyond `WIDEST` (infinities too) become that bound, fractions null."""
    import ibis

    stored = raw.type().is_signed_integer()
    value, bound = (raw.cast("int64"), WIDEST) if stored else (_number(raw), float(WIDEST))
    value = ibis.cases((value > bound, bound), (value < -bound, -bound), else_=value)
    return value if stored else ibis.ifelse(value == value.floor(), value, None).cast("int64")


def moment(raw: ibis.Column) -> ibis.Column:
    """The value as a timestamp, or null where it is no date."""
    import ibis

    kind = raw.type()
    if not (kind.is_temporal() or kind.is_string()) or kind.is_time():
        return ibis.null("timestamp")
    value = plain_moment(raw, None) if kind.is_string() else raw.try_cast("timestamp")
    known = value.between(ibis.literal(dt.datetime(1, 1, 1)), ibis.literal(dt.datetime(9999, 12, 31, 23, 59, 59)))
    return ibis.ifelse(known, value, None)
