"""A prior: a table that is public, or an earlier release, for a fit to start from. Nothing in it is protected, and it costs no budget."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth import folders
from tabsynth.conform import opened, read
from tabsynth.delimited import Csv
from tabsynth.digest import digest
from tabsynth.errors import DataError, FolderError, SchemaError
from tabsynth.release import hashes, read_card
from tabsynth.schema import Schema, Unit
from tabsynth.tables import Workspace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prior:
    """Public rows, and what the card says of them.

    Parameters
    ----------
    rows : DataFrame
        Conformed.
    schema : Schema
        Their columns: those that are modelled. Every row is a unit of its own.
    about : dict
        ``rows`` and ``sha256`` of their values; of an earlier release also ``release``, with the SHA-256 of its card and its guarantee.
    """

    rows: pd.DataFrame
    schema: Schema
    about: dict[str, Any]


def prior(given: Any, schema: Schema) -> Prior:
    """Read a prior and check that it has the columns of the schema; those that are not modelled may be missing.

    Parameters
    ----------
    given : DataFrame, path of a CSV or Parquet file, `tabsynth.Csv`, path of a release folder, or Prior
        One that has been read comes back as it is.
    schema : Schema
        That of the private table.

    Raises
    ------
    DataError, SchemaError, FolderError
        If it cannot be read, has other columns, or no rows.
    """
    if isinstance(given, Prior):
        return given
    released = _release(given)
    try:
        rows, columns = _rows(released[0] if released else given, schema)
    except (DataError, SchemaError) as error:
        raise type(error)(f"the prior: {error}") from error
    if not len(rows):
        raise DataError("the prior has no rows; give a table with some, or leave it out.")
    about = {"rows": len(rows), "sha256": digest(rows, columns)} | (released[1] if released else {})
    return Prior(rows, columns, about)


def _rows(table: Any, schema: Schema) -> tuple[pd.DataFrame, Schema]:
    with Workspace() as workspace:
        there = opened(workspace, table, schema)[0].columns
    modelled = tuple(c for c in schema.columns if c.modelled)
    shown = tuple(c for c in schema.columns if c.modelled or c.name in there)
    rows = read(table, replace(schema, columns=shown, unit=Unit()))
    return rows[[c.name for c in modelled]], replace(schema, columns=modelled, unit=Unit())


def _release(given: Any) -> tuple[Path, dict[str, Any]] | None:
    """The table of a release folder and what its card says; None where no folder is given."""
    if isinstance(given, Csv) or not isinstance(given, str | os.PathLike) or not Path(given).is_dir():
        return None
    folder = folders.public(given)
    if not (folder / folders.TABLE).is_file():
        raise FolderError(
            f"the prior {given} is a folder without {folders.TABLE}; give a table or the output folder of tabsynth release."
        )
    guarantee = read_card(folder / folders.CARD)["guarantee"]
    told = {name: guarantee[name] for name in ("epsilon", "delta", "unit")}
    return folder / folders.TABLE, {"release": {"card_sha256": hashes(folder, (folders.CARD,))[folders.CARD], **told}}
