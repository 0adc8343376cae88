"""From a sensitive table to a release folder: split, fit, sample, evaluate, report. Joins the parts; adds none of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth import folders
from tabsynth.access import Progress, silent
from tabsynth.card import environment, now, version
from tabsynth.digest import digest
from tabsynth.errors import OptionError, TabsynthWarning
from tabsynth.fit import check_options, count_noise, fit, promised
from tabsynth.history import caution, history
from tabsynth.policy import Policy
from tabsynth.prior import prior as read_prior
from tabsynth.publish import publish
from tabsynth.published import json_bytes, read_document
from tabsynth.release import Release, check_new, check_seed, new_folder, write_json
from tabsynth.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.validate import Finding

REPORT, REPORT_VERSION = "tabsynth.report", 1
WIDE = 0.1
"""Share of the rows from which on a value that a column cannot tell from noise is said before the fit."""
FURTHER = 2
"""Tables that are drawn from a fitted model beside the one that is released, to see how much attacks vary."""


def evaluate(
    train: Any,
    holdout: Any,
    synthetic: Any,
    schema: Schema | str | Path,
    *,
    target: str | None = None,
    seed: int = 0,
    card: dict[str, Any] | None = None,
    policy: Policy | str | Path = "default",
    progress: Progress = silent,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Everything the internal report says, as plain data. NOT private: it is computed from real rows.

    Parameters
    ----------
    train, holdout, synthetic : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
        Training and holdout rows must have been split at random by privacy unit, before anything else.
    schema : Schema or path of a YAML file
    target : str, optional
        The column to predict; the schema's target by default.
    seed : int
        Of every random choice.
    card : dict, optional
        The release's card; without it the report says that no guarantee is on file.
    policy : Policy, name or path of a YAML file
        Thresholds of the verdicts, with their sources; the report lists them and what was changed.
    progress : callable, optional
    tell : callable, optional
        Told which claims tables of this size can settle, and at the end the report's first line where nobody should use or release the
        table. CONFIDENTIAL: the number of rows is, and so is what is wrong.

    Returns
    -------
    dict
        Conforms to ``schemas/report.schema.json``.

    Raises
    ------
    OptionError, SchemaError, PolicyError, DataError
        If an argument, the schema, the policy or a table cannot be used.
    """
    from tabsynth.conform import read

    schema = schema if isinstance(schema, Schema) else Schema.load(schema)
    check_seed(seed)
    target, policy = schema.to_predict(target), known_policy(policy)
    tables = [read(data, schema) for data in (train, holdout, synthetic)]
    _tell_apart(tell, tables, schema)
    _tell_outlook(tell, *tables[:2], dataclasses.replace(schema, target=target), policy, card)
    report = assess(*tables, schema, target=target, seed=seed, card=card, policy=policy, progress=progress)
    _tell_headline(tell, report)
    return report


def _tell_outlook(
    tell: Callable[[str], None] | None,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    schema: Schema,
    policy: Policy,
    card: dict[str, Any] | None,
) -> None:
    from tabsynth.validate import settle

    if tell:
        tell(settle.told(settle.setting(train, holdout, schema, policy, card)))


def _tell_width(tell: Callable[[str], None] | None, noise: float, rows: int, columns: int) -> None:
    """What can be told of a column from so few rows, where that is little."""
    share = 3 * noise / max(rows, 1)
    if tell and share > WIDE:
        seen = f"only if at least {share:.0%} of the rows have it" if share < 1 else "in no case"
        tell(
            f"WARNING: {rows:,} training rows are few for {columns} columns at this budget: counts are off by about {noise:,.0f} rows, so a value is told from "
            f"noise {seen}. The synthetic columns will lie near the middle of what is known of them. Fewer columns, more rows or more epsilon help, "
            "and so does a public table or an earlier release to start from (--prior)."
        )


def _tell_apart(tell: Callable[[str], None] | None, tables: Sequence[pd.DataFrame], schema: Schema) -> None:
    """Columns of which no synthetic value occurs in any real row."""
    from tabsynth.normalise import apart, told

    for found in apart(dict(zip(("members", "non_members", "synthetic"), tables, strict=True)), schema) if tell else ():
        tell(told(found))


def _tell_headline(tell: Callable[[str], None] | None, report: dict[str, Any]) -> None:
    """The report's first line, where nobody should use or release the table."""
    from tabsynth.report import headline

    if tell and (line := headline(report)):
        tell(line)


def known_policy(policy: Policy | str | Path) -> Policy:
    """The policy itself, or the one of that name or file."""
    return policy if isinstance(policy, Policy) else Policy.load(policy)


def assess(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    *,
    target: str | None,
    seed: int,
    card: dict[str, Any] | None,
    policy: Policy,
    further: Sequence[pd.DataFrame] = (),
    progress: Progress = silent,
) -> dict[str, Any]:
    """`evaluate` for tables that are conformed already, with `further` tables from the same model."""
    from tabsynth import validate

    started = time.monotonic()
    tables = {"train": train, "holdout": holdout, "synthetic": synthetic}
    findings = validate.evaluate(
        *tables.values(), schema, target=target, seed=seed, card=card, policy=policy, further=further, progress=progress
    )
    return internal(REPORT, REPORT_VERSION, started, schema, tables, seed, findings) | {
        "target": target,
        "card": card,
        "card_sha256": card and hashlib.sha256(json_bytes(card)).hexdigest(),
        "policy": policy.to_dict(),
    }


def internal(
    kind: str, number: int, started: float, schema: Schema, tables: dict[str, pd.DataFrame], seed: int, findings: list[Finding]
) -> dict[str, Any]:
    """What every document of findings holds; they are NOT private. `started` is a time of the monotonic clock."""
    return {
        "format": kind,
        "version": number,
        "private": False,
        "created": now(),
        "tabsynth": version(),
        "schema": schema.to_dict(),
        "tables": {name: _extent(table, schema) for name, table in tables.items()},
        "seed": seed,
        "findings": [dataclasses.asdict(f) for f in findings],
        "environment": environment(),
        "seconds": round(time.monotonic() - started, 1),
    }


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write ``report.internal.json`` and ``report.internal.html`` into the confidential part of an output folder."""
    from tabsynth.report import report as render

    place = folder / folders.CONFIDENTIAL
    place.mkdir(exist_ok=True)
    write_json(place / folders.REPORT, report)
    (place / folders.REPORT_PAGE).write_bytes(render(report).encode())


def release(
    data: Any,
    schema: Schema | str | Path,
    out: str | Path,
    *,
    epsilon: float,
    delta: float = 1e-6,
    model: str = "auto",
    rows: int | None = None,
    holdout: float = 0.3,
    same_split: str | Path | None = None,
    target: str | None = None,
    seed: int = 0,
    prior: Any = None,
    policy: Policy | str | Path = "default",
    force: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Split by unit, fit, sample, evaluate against the holdout, and write the release folder.

    Parameters
    ----------
    data : DataFrame or path
    schema : Schema or path
    out : path
        A new folder: ``release/`` (may leave) with ``synthetic.parquet``, ``model/``, ``card.json`` and ``card.html``, and
        ``confidential/`` (must not leave) with ``report.internal.html`` and ``report.internal.json``.
    epsilon, delta, model, target, seed, prior
        As in `tabsynth.fit`.
    rows : int, optional
        Synthetic rows; by default a noisy estimate of the number of training rows.
    holdout : float
        Share of the units kept out of the fit for the evaluation.
    same_split : path, optional
        Folder of an earlier release of the same table, to divide it in the same way, whatever `holdout` says: the two can then be
        compared without the luck of the split. What they tell about the same people adds up, and choosing among them is not covered.
    policy : Policy, name or path of a YAML file
        As in `evaluate`.
    force : bool
        Replace `out` if tabsynth wrote it. A release of the same data set that is replaced is remembered in the internal report.
    tell : callable, optional
        As in `evaluate`; told before the fit.

    Returns
    -------
    dict
        The card.

    Warns
    -----
    TabsynthWarning
        If `out` or `same_split` holds an earlier release of the same data set: the guarantee of none covers choosing among them.
    """
    from tabsynth.conform import read

    schema, policy = schema if isinstance(schema, Schema) else Schema.load(schema), known_policy(policy)
    out = check_new(out, force=force)
    if not (isinstance(holdout, int | float) and 0 < holdout < 1):
        raise OptionError(f"holdout is {holdout!r}; give a share above 0 and below 1, such as 0.3.")
    earlier = None if same_split is None else _earlier_split(Path(same_split))
    options = {"epsilon": epsilon, "delta": delta, "model": model, "target": target}
    target = options["target"] = check_options(schema, **options, rows=rows, seed=seed, prior=prior is not None)
    prior = None if prior is None else read_prior(prior, schema)
    progress("reading", 0.0)
    division = earlier or {"holdout": holdout, "seed": secrets.randbits(63)}
    frame = read(data, schema)
    data_set = history(frame, [out, *([] if same_split is None else [same_split])])
    if data_set["earlier"]:
        warnings.warn(caution(len(data_set["earlier"])), TabsynthWarning, stacklevel=2)
    train, kept_out = split(frame, schema, **division)
    expected = promised(schema, **options, prior=prior is not None)
    if prior is None:
        _tell_width(tell, count_noise(schema, epsilon=epsilon, delta=delta), len(train), len(schema.modelled))
    _tell_outlook(tell, train, kept_out, dataclasses.replace(schema, target=target), policy, expected)
    fitted = fit(train, schema, **options, seed=seed, prior=prior, progress=part(progress, 0.05, 0.45))
    synthetic = fitted.sample(rows, seed=seed)
    with new_folder(out, force=force) as folder:
        card = publish(folder / folders.PUBLIC, fitted, synthetic, asked=rows is not None, seed=seed)
        report = assess(
            train,
            kept_out,
            synthetic,
            schema,
            target=target,
            seed=seed,
            card=card,
            policy=policy,
            further=redraw(fitted, card),
            progress=part(progress, 0.5, 0.98),
        )
        write_report(folder, report | {"split": division, "data_set": data_set})
    _tell_headline(tell, report)
    progress("done", 1.0)
    return card


def redraw(fitted: Release, card: dict[str, Any]) -> list[pd.DataFrame]:
    """`FURTHER` more tables like the one that the card describes, drawn with the seeds that follow its own."""
    drawn = card["synthetic"]
    return [fitted.sample(drawn["rows"], seed=drawn["seed"] + 1 + i) for i in range(FURTHER)]


def _earlier_split(folder: Path) -> dict[str, Any]:
    """Share and seed of the split of an earlier release."""
    wanted = "the output folder of a release, with its confidential part"
    told = read_document(folders.report(folder), (REPORT,), wanted)
    if "split" not in told:
        raise OptionError(f"{folder} does not tell how its table was split; give {wanted}.")
    return told["split"]


def split(frame: pd.DataFrame, schema: Schema, holdout: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and holdout rows, at most ``schema.unit.max_rows`` a unit in both, as a secret seed decides.

    Each unit is assigned by a coin of its own (a hash of its identifier and the secret seed; for rows a random number), so that one
    unit's coming or going moves no other. Rows without an identifier belong to nobody and are left out. Either half may be empty.
    """
    rng, key = np.random.default_rng(seed), schema.unit.key
    if key is None:
        coin = rng.random(len(frame))
    else:
        frame = frame[frame[key].notna()]
        frame = frame.iloc[rng.permutation(len(frame))].groupby(key, sort=False).head(schema.unit.max_rows).sort_index()
        coins = {u: hashlib.sha256(f"{seed}|{u}".encode()).digest()[:8] for u in frame[key].unique()}
        coin = frame[key].map({u: int.from_bytes(d, "big") / 2**64 for u, d in coins.items()}).to_numpy(dtype=float)
    held = coin < holdout
    return frame[~held].reset_index(drop=True), frame[held].reset_index(drop=True)


def part(progress: Progress, start: float, end: float) -> Progress:
    """A progress that reports 0 to 1 as `start` to `end` of another."""
    return lambda what, done: progress(what, start + (end - start) * done)


def _extent(table: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Size of a conformed table, and a hash of its values in their order."""
    key = schema.unit.key
    units = {"units": int(table[key].nunique())} if key else {}
    return {"rows": len(table)} | units | {"sha256": digest(table, schema)}
