"""Draft a schema from a table's column names and storage types: facts about the file, not about the rows in it.

Asked to, it proposes types and formats from the values too, each marked as such, and takes public facts from a codebook.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.delimited import Csv, found, is_delimited
from tabsynth.escapes import visible
from tabsynth.reading import Reading
from tabsynth.schema import Column, Schema, column_to_dict
from tabsynth.tables import Workspace, extension
from tabsynth.yaml_file import write_yaml

if TYPE_CHECKING:
    import ibis.expr.datatypes as dtypes

NOTE = """\
# Drafted from the column names and storage types of {name}{more}.{read} A range or a list of values read off
# the data would be released without being paid for. What is public (from a codebook, a form, a law) belongs here; write it in:
#   minimum and maximum   public range of a number or date        labels   public list of values
#   format   how dates are written, such as '%d/%m/%Y'            trim, ignore_case: true   blanks around labels, their case do not matter
# What stays `discover: true` is bought with privacy budget, about 3 % of it a column.
# `kind` is one of integer, float, categorical, boolean, date, datetime, identifier (never modelled, newly minted).{text}
# If one person can have several rows, set unit.key to the column that names the person (kind: identifier) and unit.max_rows to
# how many rows of each person may be used. Otherwise each row is protected by itself.
# Then see what of the data does not fit:   tabsynth schema check THIS_FILE {name}
"""
TEXT = """
# A CSV file stores text only, so every column is drafted as categorical: change the kind of numbers and dates (or draft with --propose)."""
CONFIRM = "proposed from the rows: confirm that this is public"


@dataclass(frozen=True)
class _Drafted:
    """A column, and the comments above it."""

    column: Column
    notes: tuple[str, ...] = ()


def draft(data: Any, *, propose: bool = False, codebook: Any = None) -> str:
    """A schema to complete by hand, as YAML with comments.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
    propose : bool
        Read types and formats (never ranges or lists) off the values, and mark each as to be confirmed.
    codebook : path, `tabsynth.Csv` or DataFrame, optional
        A table that describes the columns (`tabsynth.codebook`). It is taken to be public.

    Raises
    ------
    DataError
        If a table cannot be read.
    SchemaError
        If the codebook cannot be used.
    """
    path = data.path if isinstance(data, Csv) else Path(data) if isinstance(data, str | Path) else None
    text = path is not None and (isinstance(data, Csv) or is_delimited(path))
    drafted, how = {name: _by_type(name, kind) for name, kind in _stored(data).items()}, Reading()
    if text:
        data = data if isinstance(data, Csv) else Csv(path)
        how = Reading(**found(data).said | data.said)
    written = Reading()
    if propose:
        from tabsynth.propose import propose as look

        proposals, written = look(data)
        drafted = {name: _proposed(each, proposals[name]) for name, each in drafted.items()}
    absent = []
    if codebook is not None:
        from tabsynth.codebook import described, read_codebook

        said = read_codebook(codebook)
        drafted, absent = _described(drafted, said, described)
    if all(each.column.kind == "identifier" for each in drafted.values()):
        drafted = {name: _Drafted(Column(name, "categorical", discover=True)) for name in drafted}
    file = path.name.encode(errors="replace").decode() if path else "a DataFrame"
    name = file[: -len(extension(path))] if path else "table"
    more = (", where marked its values" if propose else "") + (", and a codebook" if codebook is not None else "")
    more = more or " alone"
    head = NOTE.format(
        name=visible(file),
        more=more,
        read="" if propose else " No value was read.",
        text=TEXT if text and not (propose or codebook is not None) else "",
    )
    head += "".join(f"# The codebook describes {visible(each)}, which the table does not have.\n" for each in absent)
    return head + _written(name, drafted, Reading(**how.said | written.said), written)


def _written(name: str, drafted: Mapping[str, _Drafted], how: Reading, proposed: Reading) -> str:
    """The YAML text, with each column's comments above it."""
    schema = Schema(name, tuple(each.column for each in drafted.values()), reading=how)
    plain = schema.to_dict()
    plain.pop("columns")
    lines = write_yaml(plain, default_flow_style=None).splitlines()
    if proposed.said:
        lines.insert(
            next(i for i, line in enumerate(lines) if line.startswith("reading:")), f"# {CONFIRM}: {', '.join(proposed.said)}"
        )
    lines.append("columns:")
    for each in drafted.values():
        lines += [f"  # {visible(note)}" for note in each.notes]
        lines += [f"  {line}" for line in _entry(each.column.name, column_to_dict(each.column))]
    return "\n".join(lines) + "\n"


def _entry(name: str, entry: Mapping[str, Any]) -> list[str]:
    return write_yaml({name: entry}, default_flow_style=None).splitlines()


def _stored(data: Any) -> dict[str, dtypes.DataType]:
    """The storage type of each column; that of a DataFrame's objects is what a Parquet file of it would have."""
    import ibis.expr.datatypes as dtypes
    import pandas as pd
    import pyarrow as pa

    with Workspace() as workspace:
        types = dict(workspace.open(data).schema().items())
    if isinstance(data, pd.DataFrame):
        for name in types:
            if data[name].dtype == object:
                with contextlib.suppress(pa.ArrowException, UnicodeEncodeError, NotImplementedError):
                    types[name] = dtypes.DataType.from_pyarrow(pa.array(data[name], from_pandas=True).type)
    return types


def _by_type(name: str, stored: dtypes.DataType) -> _Drafted:
    """What name and storage type say."""
    from tabsynth.public_facts import names_somebody, numbers_rows, suggested

    column = _column(name, stored)
    if column.kind in ("integer", "categorical"):
        whole = "%d" if stored.is_integer() else None
        if numbers_rows(name):
            return _Drafted(
                Column(name, "identifier", format=whole),
                ("by its name a row number that some program wrote: leave it out of the data",),
            )
        if names_somebody(name):
            return _Drafted(Column(name, "identifier", format=whole), (_somebody(name),))
    if (hint := suggested(name)) and column.kind in ("integer", "float", "categorical"):
        what, entry = hint
        return _Drafted(column, (f"if these are {what}, this is public everywhere:", *_entry(name, entry)))
    return _Drafted(column)


def _somebody(name: str) -> str:
    key = write_yaml({"unit": {"key": name, "max_rows": 5}}, default_flow_style=True).strip()[1:-1]
    return f"by its name an identifier (else change the kind). If it names a person who can have several rows: {key}"


def _column(name: str, stored: dtypes.DataType) -> Column:
    if stored.is_boolean():
        return Column(name, "boolean")
    if stored.is_decimal() and stored.scale is not None and stored.scale <= 12:
        return (
            Column(name, "float", discover=True, decimals=stored.scale)
            if stored.scale
            else Column(name, "integer", discover=True)
        )
    for kind, is_stored in (("integer", stored.is_integer()), ("date", stored.is_date()), ("datetime", stored.is_timestamp())):
        if is_stored:
            return Column(name, kind, discover=True)
    return Column(name, "float" if stored.is_numeric() else "categorical", discover=True)


def _proposed(drafted: _Drafted, proposal: Any) -> _Drafted:
    """What the values suggest, beside what name and storage type say; these come first where they say more."""
    column = drafted.column
    if column.kind == "identifier":
        if proposal.column.kind != "integer" or column.format:
            return drafted
        return _Drafted(replace(column, format="%d"), (*drafted.notes, f"{CONFIRM}: whole numbers"))
    kept = proposal.column.kind == column.kind and column.kind in ("boolean", "date", "datetime")
    chosen = column if kept or column.decimals is not None else proposal.column
    notes = () if kept else (f"{CONFIRM}: {'; '.join(proposal.notes)}",)
    return _Drafted(chosen, (*notes, *drafted.notes))


def _described(drafted: Mapping[str, _Drafted], said: Mapping[str, Any], described: Any) -> tuple[dict[str, _Drafted], list[str]]:
    """What a codebook says of each column, found by its name in any spelling; and names that the table does not have."""
    from tabsynth.public_facts import plain_name

    loosely = {plain_name(name): row for name, row in said.items()}
    out, used = {}, set()
    for name, each in drafted.items():
        row = said.get(name) or loosely.get(plain_name(name))
        if row is None:
            out[name] = replace(each, notes=("not in the codebook", *each.notes))
            continue
        used.add(row["name"])
        column = described(row, each.column)
        out[name] = _Drafted(column, each.notes if column.discover else ())
    return out, [name for name in said if name not in used]
