"""The one door that joins the curator and a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.access import Model, Progress, Synthesizer, silent
from tabsynth.card import card, version
from tabsynth.errors import OptionError
from tabsynth.models import FROM_PRIOR, choose, settings, synthesizer
from tabsynth.prior import Prior
from tabsynth.prior import prior as read_prior
from tabsynth.release import Release, check_rows, check_seed
from tabsynth.schema import Schema

if TYPE_CHECKING:
    from tabsynth.codec import Codec
    from tabsynth.curator.ledger import Budget
    from tabsynth.curator.table import PrivateTable
    from tabsynth.curator.tap import Tap

FAILURE_SHARE = 0.1
"""Part of delta set aside for partition selection where the schema has category lists to buy."""


def fit(
    data: Any,
    schema: Schema | str | Path,
    *,
    epsilon: float,
    delta: float = 1e-6,
    model: str = "auto",
    target: str | None = None,
    seed: int = 0,
    prior: Any = None,
    progress: Progress = silent,
) -> Release:
    """Fit a private generator to a sensitive table.

    Parameters
    ----------
    data : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
        With the schema's columns; it may have no rows. A DataFrame's dtypes count as public. How a value is read does not depend on
        them, except where pandas changed the value itself: beside a missing value it stores whole numbers as floats, which rounds
        those beyond 2**53 (store such identifiers as text).
    schema : Schema or path of a YAML file
        What is public about the table.
    epsilon, delta : float
        The guarantee to keep.
    model : str
        ``auto`` or a name in `tabsynth.models.MODELS`.
    target : str, optional
        The column whose relations matter most; the schema's target by default.
    seed : int
        For the model's own random choices. The privacy noise comes from the operating system and has no seed.
    prior : DataFrame, path, `tabsynth.Csv` or release folder, optional
        A table with the same columns that is public, or an earlier release: the fit starts from it, and takes from it the ranges, bins
        and lists that it would have to buy. It counts as public and is not protected. For the models of `tabsynth.models.FROM_PRIOR`.
    progress : callable, optional
        Told the step and the fraction done.

    Returns
    -------
    Release

    Raises
    ------
    OptionError, SchemaError, DataError, FolderError
        If an argument, the schema or the table cannot be used.

    Notes
    -----
    Guarantee: the release is (epsilon, delta)-differentially private for adding or removing all rows of one unit, as
    ``release.card["guarantee"]`` states. Whatever the rows of a DataFrame hold, and however many there are, the fit runs. A file is
    read to its end before anything is spent. If it is malformed or damaged anywhere it is refused as a whole; else the text of
    one record changes that record alone. That a file is refused is not covered by the guarantee.
    """
    schema = schema if isinstance(schema, Schema) else Schema.load(schema)
    options = {"epsilon": epsilon, "delta": delta, "model": model, "rows": None, "target": target, "seed": seed}
    target = check_options(schema, **options, prior=prior is not None)
    name, chosen = plan(schema, model, prior is not None)
    budget = _budget(schema, epsilon, delta)
    known = None if prior is None else read_prior(prior, schema)
    return fit_with(synthesizer(name, target), data, schema, budget, chosen=chosen, seed=seed, prior=known, progress=progress)


def fit_with(
    algorithm: Synthesizer,
    data: Any,
    schema: Schema,
    budget: Budget,
    *,
    chosen: str = "",
    seed: int = 0,
    prior: Prior | None = None,
    progress: Progress = silent,
    tap: Tap | None = None,
) -> Release:
    """What `fit` does, with an algorithm whose settings are chosen, and for an audit with a tap.

    Parameters
    ----------
    algorithm : Synthesizer
    data, schema, seed, progress
        As in `fit`.
    budget : Budget
    chosen : str
        How the algorithm was chosen, for the card.
    prior : Prior, optional
    tap : callable, optional
        Told every exact answer (`tabsynth.curator.tap`). The card says then that the release was audited and is not private.
    """
    from tabsynth.curator.ledger import Ledger
    from tabsynth.curator.table import PrivateTable
    from tabsynth.curator.tap import Event

    ledger = Ledger(budget)
    progress("reading", 0.0)
    with PrivateTable(data, schema, ledger, tap=tap) as table:
        codec, model, told = learn(algorithm, table, seed, progress, prior)
    progress("done", 1.0)
    about = {"name": algorithm.name, "chosen": chosen, "seed": seed, "settings": settings(algorithm)}
    known = None if prior is None else prior.about | {"columns": told}
    release = Release(codec, model, card(schema, ledger, codec, about, prior=known, tapped=tap is not None))
    if tap:
        tap(Event("output", lambda _source: None, output=release))
    return release


def learn(
    algorithm: Synthesizer, table: PrivateTable, seed: int, progress: Progress = silent, prior: Prior | None = None
) -> tuple[Codec, Model, list[str]]:
    """Everything between the rows and the fitted model: codes are fixed, then the algorithm buys what it needs.

    Returns
    -------
    (codec, model, columns)
        Those whose codes a prior told and that would else have been bought.
    """
    from tabsynth.curator.discover import discover
    from tabsynth.curator.prior import PriorTable, codec_of

    rng = np.random.default_rng(seed)

    def fitting(what: str, done: float) -> None:
        progress(what, 0.25 + 0.75 * done)

    if prior is None:
        progress("buying ranges, bins and lists", 0.05)
        codec = discover(table)
        progress("encoding", 0.2)
        table.encode(codec)
        return codec, algorithm.fit(table, rng, fitting), []
    progress("reading the prior", 0.05)
    with PriorTable(prior.rows, prior.schema) as known:
        codec, told = codec_of(known, table)
        known.encode(replace(codec, schema=prior.schema))
        table.encode(codec)
        return codec, algorithm.fit(table, rng, fitting, known), told


def plan(schema: Schema, model: str, prior: bool = False) -> tuple[str, str]:
    """The model that will be used and how it was chosen, before any row is read.

    Raises
    ------
    OptionError
        If there is no such model, or it cannot start from a prior and there is one.
    """
    if model == "auto":
        name, why = choose(len(schema.modelled), prior)
        return name, f"auto: {why}"
    if prior and model not in FROM_PRIOR:
        raise OptionError(
            f"the model {model!r} cannot start from a prior; use {' or '.join(FROM_PRIOR)}, or leave the prior out."
        )
    synthesizer(model, None)
    return model, "asked for"


def count_noise(schema: Schema, *, epsilon: float, delta: float) -> float:
    """What the budget buys a column, before any row is read: the standard deviation, in rows, of how many rows have each of its values, if the whole
    budget were shared evenly by the columns. Relations cost more, so this is the least there will be."""
    return schema.unit.max_rows * (2 * _budget(schema, epsilon, delta).rho / len(schema.modelled)) ** -0.5


def promised(
    schema: Schema, *, epsilon: float, delta: float, model: str, target: str | None = None, prior: bool = False
) -> dict[str, Any]:
    """The parts of the card that state guarantee and model, as far as they are known before the fit: the whole budget is spent.

    A model that takes private gradients promises no mu: its steps do not add up to a Gaussian guarantee.
    """
    name, budget = plan(schema, model, prior)[0], _budget(schema, epsilon, delta)
    mu = None if name == "ctgan" else (2 * budget.rho) ** 0.5
    return {
        "tabsynth": version(),
        "guarantee": {"private": True, "epsilon": epsilon, "delta": delta, "mu": mu},
        "ledger": {"failure_delta": budget.failure},
        "model": {"name": name, "settings": settings(synthesizer(name, target))},
    }


def _budget(schema: Schema, epsilon: float, delta: float) -> Budget:
    from tabsynth.curator.ledger import Budget

    buys_lists = any(c.discover and c.kind == "categorical" for c in schema.columns)
    return Budget(epsilon, delta, FAILURE_SHARE if buys_lists else 0.0)


def check_options(
    schema: Schema, *, epsilon: Any, delta: Any, model: str, rows: Any, target: str | None, seed: Any, prior: bool = False
) -> str | None:
    """Refuse arguments out of their range before any work is done; return the column to predict (the schema's by default).

    Raises
    ------
    OptionError
        With one sentence on what is allowed.
    """
    from tabsynth.curator.ledger import Budget

    Budget(epsilon, delta)
    plan(schema, model, prior)
    check_rows(rows)
    check_seed(seed)
    return schema.to_predict(target)
