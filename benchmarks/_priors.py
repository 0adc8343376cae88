"""Small tables with and without a prior:  python benchmarks/columns.py --priors

A few rows train, and as many others are the prior; what both become is held beside all further rows. `wide` is made up: 167 numbers that six hidden ones
drive, in a public range of 0 to 10,000, and an outcome. In `adult, young` the prior is a wrong one: those of 10,000 others who are under 40.

`mean` is the error of the columns' means in standard deviations, median and worst; `correlation` the mean absolute difference of all correlations of
numbers; `auc` that of a logistic regression on the numbers, where the target has two values.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tabsynth
from tabsynth.schema import Schema, Unit

HEADER = "| table | rows x columns | what | fit s | mean: median, worst (sd) | correlation | AUC |"
ROWS = {"wide": 569, "heart_uci": 400, "support2": 569, "adult": 500, "credit_default": 1_000, "adult, young": 10_000}
HIDDEN, NUMBERS, FRESH = 6, 167, 2_000
WHAT = ("real rows", "prior itself", "without", "with")


def wide(rng: np.random.Generator) -> tuple[Schema, pd.DataFrame]:
    """Numbers of three shapes that hang together, and an outcome."""
    n = 2 * ROWS["wide"] + FRESH
    hidden, weight = rng.normal(size=(n, HIDDEN)), rng.normal(size=(HIDDEN, NUMBERS)) / HIDDEN**0.5
    seen = hidden @ weight + rng.normal(size=(n, NUMBERS)) * 0.6
    shapes: list[Callable[[np.ndarray], np.ndarray]] = [lambda x: np.exp(2 + x), lambda x: 5_000 + 800 * x, lambda x: 50 + 15 * x]
    table = {f"x{i}": np.clip(shapes[i % 3](seen[:, i]).round(1), 0, 10_000) for i in range(NUMBERS)}
    numbers = {name: {"kind": "float", "minimum": 0, "maximum": 10_000, "decimals": 1} for name in table}
    schema = Schema.from_dict({"name": "wide", "target": "y", "columns": numbers | {"y": {"kind": "boolean"}}})
    return schema, pd.DataFrame(table | {"y": hidden[:, 0] + hidden[:, 1] + rng.normal(size=n) * 0.5 > 0})


def measure(load: Callable[[str], tuple[Schema, pd.DataFrame] | None], name: str, what: str, seed: int) -> dict[str, Any] | None:
    """One of `WHAT` beside rows that nobody has seen; None where the table is not here."""
    rng, rows = np.random.default_rng(seed), ROWS[name]
    if (loaded := wide(rng) if name == "wide" else load(name.partition(",")[0])) is None:
        return None
    schema, table = replace(loaded[0], columns=loaded[0].modelled, unit=Unit()), loaded[1]
    table = table[[c.name for c in schema.columns]].iloc[rng.permutation(len(table))].reset_index(drop=True)
    train, prior, fresh = (
        table.iloc[a:b].reset_index(drop=True) for a, b in ((0, rows), (rows, 2 * rows), (2 * rows, len(table)))
    )
    if name.endswith("young"):
        prior = prior[prior.age < 40].reset_index(drop=True)
    started = time.perf_counter()
    if what in WHAT[:2]:
        made = train if what == WHAT[0] else prior
    else:
        made = tabsynth.fit(train, schema, epsilon=1, prior=prior if what == "with" else None, seed=seed).sample(rows, seed=seed)
    seconds = round(time.perf_counter() - started, 1)
    return {"ended": "finished", "rows": rows, "columns": len(schema.columns), "fit_s": seconds} | judged(made, fresh, schema)


def judged(made: pd.DataFrame, fresh: pd.DataFrame, schema: Schema) -> dict[str, float | None]:
    """Means, correlations and prediction."""
    numbers = [c.name for c in schema.columns if c.kind in ("integer", "float") and c.name != schema.target]
    ours, theirs = (t[numbers].astype(float) for t in (made, fresh))
    errors = ((ours.mean() - theirs.mean()).abs() / theirs.std()).fillna(np.inf)
    apart = (ours.corr().fillna(0) - theirs.corr()).abs().to_numpy()[np.triu_indices(len(numbers), 1)]
    known, y = [t[schema.target].notna().to_numpy() for t in (made, fresh)], None
    labels = [t[schema.target][k].astype(str).to_numpy() for t, k in zip((made, fresh), known, strict=True)]
    if len(set(labels[0])) == len(set(labels[1])) == 2:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500)).fit(
            ours[known[0]].fillna(-1), labels[0]
        )
        y = float(roc_auc_score(labels[1] == model.classes_[1], model.predict_proba(theirs[known[1]].fillna(-1))[:, 1]))
    told = {"mean_median": errors.median(), "mean_worst": errors.max(), "correlation": np.nanmean(apart)}
    return {key: round(float(value), 4) for key, value in told.items()} | {"auc": y and round(y, 4)}


def line(run: dict[str, Any]) -> str:
    """One row of the printed table."""
    auc = "–" if run["auc"] is None else f"{run['auc']:.3f}"
    means = f"{run['mean_median']:.3f}, {run['mean_worst']:.3f}"
    return f"| {run['table']} | {run['rows']:,} x {run['columns']} | {run['what']} | {run['fit_s']:.0f} | {means} | {run['correlation']:.3f} | {auc} |"
