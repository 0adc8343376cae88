"""Draft a schema from a table's column names and storage types: facts about the file, not about the rows in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.delimited import Csv
from tabsynth.escapes import visible
from tabsynth.schema import Column, Schema
from tabsynth.tables import Workspace, extension

if TYPE_CHECKING:
    import ibis.expr.datatypes as dtypes

NOTE = """\
# Drafted from the column names and storage types of {name} alone. No value was read: a range or a list of values read off
# the data would be released without being paid for. What is public (from a codebook, a form, a law) belongs here; write it in:
#   minimum and maximum   public range of a number or date        labels   public list of values
# What stays `discover: true` is bought with privacy budget, about 3 % of it a column.
# `kind` is one of integer, float, categorical, boolean, date, datetime, identifier (never modelled, newly minted).{text}
# If one person can have several rows, set unit.key to the column that names the person (kind: identifier) and unit.max_rows to
# how many rows of each person may be used. Otherwise each row is protected by itself.
"""
TEXT = "\n# A CSV file stores text only, so every column is drafted as categorical: change the kind of numbers and dates."


def draft(data: Any) -> str:
    """A schema to complete by hand, as YAML with comments.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`

    Raises
    ------
    DataError
        If the table cannot be read.
    """
    path = data.path if isinstance(data, Csv) else Path(data) if isinstance(data, str | Path) else None
    with Workspace() as workspace:
        types = workspace.open(data).schema()
    columns = tuple(_column(column, kind) for column, kind in types.items())
    file = path.name.encode(errors="replace").decode() if path else "a DataFrame"
    name = file[: -len(extension(path))] if path else "table"
    text = TEXT if path and extension(path) != ".parquet" else ""
    return NOTE.format(name=visible(file), text=text) + Schema(name, columns).dump()


def _column(name: str, stored: dtypes.DataType) -> Column:
    if stored.is_boolean():
        return Column(name, "boolean")
    for kind, is_stored in (("integer", stored.is_integer()), ("date", stored.is_date()), ("datetime", stored.is_timestamp())):
        if is_stored:
            return Column(name, kind, discover=True)
    return Column(name, "float" if stored.is_numeric() else "categorical", discover=True)
