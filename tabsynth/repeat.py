"""Repeat the internal report of a release from the original table: does the report say what the tables say?"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tabsynth.access import Progress, silent
from tabsynth.errors import FolderError
from tabsynth.pipeline import assess, part, redraw, split
from tabsynth.policy import Policy
from tabsynth.published import departure
from tabsynth.release import Release
from tabsynth.schema import Schema
from tabsynth.verify import TOLERANCE, Result


def repeat(folder: str | Path, data: Any, *, progress: Progress = silent) -> list[Result]:
    """Split the original table as the report says, evaluate again with the same seed and policy, and compare all findings.

    Parameters
    ----------
    folder : path
        A release with its ``report.internal.json``.
    data : DataFrame or path of a CSV or Parquet file
        The table that the release was made from.

    Returns
    -------
    list of Result
        Whether the tables are the same, and whether the findings are: verdicts exactly, numbers up to rounding.

    Raises
    ------
    FolderError, DataError, SchemaError
        If there is no such report, or the table cannot be read.
    """
    from tabsynth.conform import read

    folder = Path(folder)
    told = _told(folder / "report.internal.json")
    schema, card = Schema.from_dict(told["schema"]), told["card"]
    progress("reading", 0.0)
    train, holdout, _ = split(read(data, schema), schema, told["split"]["holdout"], told["split"]["seed"])
    again = assess(
        train,
        holdout,
        read(folder / "synthetic.parquet", schema),
        schema,
        target=told["target"],
        seed=told["seed"],
        card=card,
        policy=Policy.restore(told["policy"]),
        further=redraw(Release.load(folder / "model"), card),
        progress=part(progress, 0.1, 1.0),
    )
    return [_tables(told["tables"], again["tables"]), _findings(told["findings"], again["findings"])]


def _told(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FolderError(f"there is no {path}; give the folder that tabsynth release wrote, with its internal report.")
    try:
        told = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise FolderError(f"{path} cannot be read as JSON; restore it.") from None
    if wrong := departure(told, "report"):
        raise FolderError(f"{path} does not conform to tabsynth.report, version 1: {wrong}; restore it.")
    if missing := [name for name in ("split", "card", "policy") if not told.get(name)]:
        raise FolderError(f"{path} has no {missing[0]}: it was not written by tabsynth release, so it cannot be repeated.")
    return told


def _tables(told: dict[str, Any], found: dict[str, Any]) -> Result:
    check = "the table splits into the training and holdout rows of the report"
    different = [name for name in found if found[name]["sha256"] != told[name].get("sha256")]
    seen = f"{', '.join(different)} differ" if different else f"{found['train']['rows']} and {found['holdout']['rows']} rows"
    return Result(check, not different, seen)


def _findings(told: list[dict[str, Any]], found: list[dict[str, Any]]) -> Result:
    """Compare verdicts, values and intervals; the details behind them are not compared."""
    check = "evaluating again gives the findings of the report"
    then, now = ({finding["check"]: finding for finding in findings} for findings in (told, found))
    different = [name for name in then | now if name not in then or name not in now or not _same(then[name], now[name])]
    seen = f"{len(different)} of {len(then)} differ: {', '.join(different[:5])}" if different else f"{len(then)} findings"
    return Result(check, not different, seen)


def _same(then: dict[str, Any], now: dict[str, Any]) -> bool:
    numbers = ([each["value"], each["reference"], *(each["interval"] or (None, None))] for each in (then, now))
    return then["verdict"] == now["verdict"] and all(
        a is b or (None not in (a, b) and math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE))
        for a, b in zip(*numbers, strict=True)
    )
