"""SDV metadata in and out.

The only module that imports sdv, and only when an SDV object is asked for: SDV is under the Business Source License, so nothing
else depends on it. Metadata as a plain dict or JSON file needs no sdv at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tabsynth.date_format import problem
from tabsynth.documents import read_json
from tabsynth.errors import OptionError, SchemaError
from tabsynth.schema import Column, Schema

if TYPE_CHECKING:
    from sdv.metadata import Metadata

_SDTYPES = {
    "integer": "numerical",
    "float": "numerical",
    "categorical": "categorical",
    "boolean": "boolean",
    "date": "datetime",
    "datetime": "datetime",
    "identifier": "id",
}
_FORMATS = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%d %H:%M:%S"}
_CLOCK = re.compile(r"%[-#]?[HIMSfpXcTRrs]")


def to_sdv(schema: Schema) -> Metadata:
    """A schema as SDV metadata (see `to_sdv_dict`).

    Raises
    ------
    OptionError
        If sdv is not installed.
    """
    try:
        from sdv.metadata import Metadata
    except ImportError:
        raise OptionError("to_sdv needs the package sdv, which is not installed; install it or use to_sdv_dict.") from None
    return Metadata.load_from_dict(to_sdv_dict(schema))


def to_sdv_dict(schema: Schema) -> dict[str, Any]:
    """A schema as the plain data of SDV metadata, version 2, with one table.

    Public ranges and lists become ``range_min``, ``range_max`` and ``range_values``; columns with `discover` get none. The unit's
    key becomes the sequence key; the first other identifier that is never missing becomes the primary key. `max_rows`, `target`,
    `protected`, `outside`, `reading`, `trim`, `ignore_case` and formats of identifiers have no place in SDV metadata.
    """
    table: dict[str, Any] = {"columns": {c.name: _to_column(c) for c in schema.columns}}
    keys = [c.name for c in schema.columns if not c.modelled and not c.nullable and c.name != schema.unit.key]
    if keys:
        table["primary_key"] = keys[0]
    if schema.unit.key:
        table["sequence_key"] = schema.unit.key
    return {"tables": {schema.name or "table": table}, "relationships": [], "METADATA_SPEC_VERSION": "V2"}


def from_sdv(
    metadata: Metadata | Mapping[str, Any] | str | os.PathLike, table: str | None = None, *, max_rows: int = 1
) -> Schema:
    """SDV metadata as a schema.

    Column names, kinds, keys and formats of dates are taken over. Ranges, value lists, decimals and missing values are not, even where the metadata
    states them, because SDV's detection reads them off the rows: every range and list becomes `discover`. Kinds may have been
    detected too, so read the result before using it, and write in what is public.

    Parameters
    ----------
    metadata : Metadata, mapping or path
        SDV metadata, its `to_dict`, or a JSON file of it; of one table or several.
    table : str, optional
        Which table, where there are several.
    max_rows : int
        Rows of one unit that are used at most, where the table has a sequence key: that becomes the unit's key.

    Raises
    ------
    SchemaError
        If this is not SDV metadata, the table is not in it, or its columns cannot be a schema.
    """
    name, spec = _table(_plain(metadata), table)
    primary, sequence = (_names(spec.get(key)) for key in ("primary_key", "sequence_key"))
    if len(sequence) > 1:
        raise SchemaError(f"table {name!r} has a sequence key of {len(sequence)} columns; join them to one identifier column.")
    columns = spec.get("columns")
    if not isinstance(columns, Mapping):
        raise SchemaError(f"table {name!r} of the SDV metadata has no columns; give metadata with a 'columns' entry.")
    unit = {"key": sequence[0], "max_rows": max_rows} if sequence else {}
    return Schema.from_dict(
        {"name": name, "unit": unit, "columns": {n: _from_column(n, c, {*primary, *sequence}) for n, c in columns.items()}}
    )


def _to_column(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"sdtype": _SDTYPES[column.kind]}
    if not column.modelled:
        return out
    form = column.format or _FORMATS.get(column.kind)
    if form:
        out["datetime_format"] = form
    for end, value in (("range_min", column.minimum), ("range_max", column.maximum)):
        if value is not None:
            out[end] = value.strftime(form) if form else value
    if column.labels:
        out["range_values"] = list(column.labels)
    if column.kind == "integer" or column.decimals is not None:
        out["decimal_places"] = column.decimals or 0
    return out | {"range_is_nullable": column.nullable}


def _from_column(name: str, column: Any, keys: set[str]) -> dict[str, Any]:
    """One column; ids, keys and every kind of personal detail SDV knows (names, addresses, ...) are identifiers."""
    if not isinstance(column, Mapping) or not isinstance(column.get("sdtype"), str):
        raise SchemaError(f"column {name!r} of the SDV metadata has no 'sdtype'; give one, such as numerical or categorical.")
    if name in keys:
        return {"kind": "identifier", "nullable": False}
    match column["sdtype"]:
        case "boolean":
            return {"kind": "boolean"}
        case "categorical" | "ordinal":
            return {"kind": "categorical", "discover": True}
        case "numerical":
            stored = str(column.get("computer_representation", ""))
            whole = column.get("decimal_places") == 0 or stored.startswith(("Int", "UInt"))
            return {"kind": "integer" if whole else "float", "discover": True}
        case "datetime":
            daily = (form := column.get("datetime_format")) and not _CLOCK.search(form)
            stated = {} if not form or form in _FORMATS.values() or problem(form) else {"format": form}
            return {"kind": "date" if daily else "datetime", "discover": True} | stated
    return {"kind": "identifier"}


def _plain(metadata: Any) -> Mapping[str, Any]:
    if isinstance(metadata, str | os.PathLike):
        metadata = read_json(metadata, SchemaError, "give the path of an SDV metadata file")
    elif hasattr(metadata, "to_dict"):
        metadata = metadata.to_dict()
    if not isinstance(metadata, Mapping):
        given = type(metadata).__name__
        raise SchemaError(f"this is a {given}, not SDV metadata; give a Metadata object, its dict or its JSON file.")
    return metadata


def _table(metadata: Mapping[str, Any], wanted: str | None) -> tuple[str, Mapping[str, Any]]:
    tables = metadata.get("tables", {wanted or "table": metadata})
    if not isinstance(tables, Mapping) or not tables or not all(isinstance(t, Mapping) for t in tables.values()):
        raise SchemaError("the SDV metadata describes no table; give metadata with a 'tables' or a 'columns' entry.")
    if wanted is None and len(tables) > 1:
        raise SchemaError(f"the SDV metadata has tables {', '.join(tables)}; say which one.")
    if wanted is not None and wanted not in tables:
        raise SchemaError(f"the SDV metadata has no table {wanted!r}; it has {', '.join(tables)}.")
    name = wanted or next(iter(tables))
    return name, tables[name]


def _names(key: Any) -> list[str]:
    return [] if key is None else [key] if isinstance(key, str) else list(key)
