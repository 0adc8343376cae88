"""Repeat the internal report of a release from the original table: does the report say what the tables say?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabsynth import folders
from tabsynth.access import Progress, silent
from tabsynth.errors import FolderError
from tabsynth.history import any_order
from tabsynth.pipeline import assess, part, redraw, split
from tabsynth.policy import Policy
from tabsynth.published import read_document
from tabsynth.recount import Result, alike
from tabsynth.release import Release
from tabsynth.schema import Schema


def repeat(folder: str | Path, data: Any, *, progress: Progress = silent) -> list[Result]:
    """Split the original table as the report says, evaluate again with the same seed and policy, and compare all findings.

    Parameters
    ----------
    folder : path
        The output folder of a release, with its confidential part.
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
        The table that the release was made from.

    Returns
    -------
    list of Result
        Whether the data set and its two parts are those of the report, and whether all findings are: words exactly, numbers up to rounding. That the report
        is about this release and the page is its own, `tabsynth.verify` looks at.

    Raises
    ------
    FolderError, DataError, SchemaError
        If there is no such report, or the table cannot be read.
    """
    from tabsynth.conform import read

    told = _told(folders.report(folder))
    schema, card = Schema.from_dict(told["schema"]), told["card"]
    progress("reading", 0.0)
    frame = read(data, schema)
    train, holdout = split(frame, schema, **told["split"])
    again = assess(
        train,
        holdout,
        read(folders.public(folder) / folders.TABLE, schema),
        schema,
        target=told["target"],
        seed=told["seed"],
        card=card,
        policy=Policy.restore(told["policy"]),
        further=redraw(Release.load(folder), card),
        progress=part(progress, 0.1, 1.0),
    )
    same = Result("the data set is that of the report", any_order(frame) == told["data_set"]["sha256"], f"{len(frame)} rows")
    return [same, _tables(told["tables"], again["tables"]), _findings(told["findings"], again["findings"])]


def _told(path: Path) -> dict[str, Any]:
    told = read_document(path, ("tabsynth.report",), "the output folder of tabsynth release, with its confidential part")
    if missing := [name for name in ("split", "card", "policy", "data_set") if not told.get(name)]:
        raise FolderError(f"{path} has no {missing[0]}: it was not written by tabsynth release, so it cannot be repeated.")
    return told


def _tables(told: dict[str, Any], found: dict[str, Any]) -> Result:
    check = "the table splits into the training and holdout rows of the report"
    different = [name for name in found if found[name]["sha256"] != told[name].get("sha256")]
    seen = f"{', '.join(different)} differ" if different else f"{found['train']['rows']} and {found['holdout']['rows']} rows"
    return Result(check, not different, seen)


def _findings(told: list[dict[str, Any]], found: list[dict[str, Any]]) -> Result:
    check = "evaluating again gives the findings of the report"
    then, now = ({finding["check"]: finding for finding in findings} for findings in (told, found))
    different = [name for name in then | now if not alike(then.get(name), now.get(name))]
    seen = f"{len(different)} of {len(then)} differ: {', '.join(different[:5])}" if different else f"{len(then)} findings"
    return Result(check, not different, seen)
