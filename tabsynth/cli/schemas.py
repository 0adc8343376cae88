"""Commands on schemas: draft, check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabsynth.cli._options import output, reads, table
from tabsynth.cli._tell import done, show, tell_misfits


@click.group()
def schema() -> None:
    """Draft or check a schema."""


@schema.command()
@click.argument("data", type=table)
@click.option("--propose", is_flag=True, help="Read types and formats off the values too; each is marked, for you to confirm.")
@click.option(
    "--from",
    "codebook",
    type=table,
    help="CSV or Parquet file that describes the columns: name, type, range, labels. It is taken to be public.",
)
@reads("data")
def draft(data: Any, propose: bool, codebook: Path | None) -> None:
    """Print a schema to complete by hand, from the column names and storage types of DATA alone, unless more is asked for."""
    from tabsynth.draft import draft as write

    show(write(data, propose=propose, codebook=codebook).rstrip("\n"), keep="\n")


@schema.command()
@click.argument("schema_file", metavar="SCHEMA", type=table)
@click.argument("data", type=table, required=False)
@output
@reads("data")
def check(schema_file: Path, data: Any, quiet: bool, as_json: bool) -> None:
    """Check SCHEMA, whether DATA has its columns, and which values do not fit it: how many, the most frequent, and what they look like."""
    from tabsynth import Schema

    loaded = Schema.load(schema_file)
    if data is not None:
        tell_misfits(data, loaded, quiet, examples=True)
    bought = [c.name for c in loaded.columns if c.discover]
    unit = f"{loaded.unit.key}, at most {loaded.unit.max_rows} rows" if loaded.unit.key else "row"
    done(quiet, as_json, {"columns": len(loaded.columns), "unit": unit, "discover": bought, "fingerprint": loaded.fingerprint},
         f"{schema_file}: {len(loaded.columns)} columns, unit of privacy: {unit}, to be bought: {', '.join(bought) or 'nothing'}.")  # fmt: skip
