"""NOT PRIVATE. Attacks B2 on B3: the most vulnerable units, each attacked with shadow fits on one table with and without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.access import Progress, silent
from tabsynth.errors import OptionError
from tabsynth.schema import Schema
from tabsynth.validate.attacks import worst
from tabsynth.validate.attacks.epsilon import epsilon_from_rates
from tabsynth.validate.attacks.focal import discretised
from tabsynth.validate.attacks.shadows import Generate, fits
from tabsynth.validate.check import Finding
from tabsynth.validate.features import Encoder, unit_codes
from tabsynth.validate.intervals import delong

CANDIDATES = 20_000
"""At most this many training rows are looked at for the most vulnerable."""
ALL_MASKS = 10
"""Up to so many columns every set of columns is a query; beyond, 1,000 random sets are."""
MASKS = 1_000
BINS = 20
LEVEL = 0.05
SURE = 0.001
"""Chance that a generator which keeps its claim fails, over all targets: to say that a guarantee does not hold takes more than a bound at 5 %."""


@dataclass(frozen=True)
class Target:
    """A unit that is attacked.

    Parameters
    ----------
    rows : ndarray of int
        All its rows, as numbers of the training table; the most vulnerable one first.
    vulnerability : float
        Of that row (`worst.vulnerability`).
    """

    rows: np.ndarray
    vulnerability: float


def most_vulnerable(schema: Schema, train: pd.DataFrame, reference: pd.DataFrame, count: int = 10, seed: int = 0) -> list[Target]:
    """The units with the most unusual training rows, the most vulnerable first; vulnerability is measured against reference rows."""
    rng = np.random.default_rng([seed, 31])
    looked = np.sort(rng.permutation(len(train))[:CANDIDATES])
    encoder = Encoder.fit(schema, reference, train.iloc[:0])
    rows, known = (encoder.transform(t) for t in (train.iloc[looked], reference.iloc[rng.permutation(len(reference))]))
    parts = [(table.numeric["standardised"], table.hot()) for table in (rows, known)]
    level = worst.vulnerability(*parts, (parts[0][0].shape[1], rows.codes.shape[1]))
    units, found = unit_codes(train, schema), {}
    for i in np.argsort(-level, kind="stable"):
        if len(found) == count:
            break
        found.setdefault(units[looked[i]], (looked[i], float(level[i])))
    targets = []
    for unit, (row, value) in found.items():
        others = np.flatnonzero(units == unit)
        targets.append(Target(np.concatenate([[row], others[others != row]]), value))
    return targets


def queries(columns: int, rng: np.random.Generator) -> np.ndarray:
    """Sets of columns, bool of shape (queries, columns): all of them, or 1,000 at random; the empty set counts all rows."""
    if columns <= ALL_MASKS:
        return np.array(list(product([False, True], repeat=columns)))
    return np.vstack([np.zeros(columns, bool), rng.random((MASKS, columns)) < rng.uniform(0, 1, (MASKS, 1))])


def counts(target: np.ndarray, synthetic: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """For each set of columns, how many synthetic rows agree with the target in all of them; shape (queries,).

    Parameters
    ----------
    target : ndarray of int, shape (columns,)
    synthetic : ndarray of int, shape (rows, columns)
    masks : ndarray of bool, shape (queries, columns)

    References
    ----------
    Houssiau et al. (2022), TAPAS, arXiv 2211.06550; Meeus et al. (2023), Achilles' Heels, arXiv 2306.10308.
    """
    patterns, times = np.unique(synthetic != target, axis=0, return_counts=True)
    agreeing = patterns.astype(np.float32) @ masks.T.astype(np.float32) == 0
    return times @ agreeing


def check(
    schema: Schema,
    train: pd.DataFrame,
    reference: pd.DataFrame,
    generate: Generate,
    *,
    settings: Mapping[str, Any],
    delta: float,
    claimed: float | None = None,
    size: int = 1_000,
    targets: int = 10,
    runs: int = 200,
    folder: str | Path | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = silent,
) -> Finding:
    """Lower bounds on epsilon from fits on one table of reference rows, with and without each of the most vulnerable units.

    For each target a random forest learns from one half of the fits which of the two tables was fitted, from the counts of
    `counts`, and is judged on the other half at probability 1/2. The fits without any target serve all targets. The bounds hold for
    all targets together with 95 % (Bonferroni); they are about the generator on that table, whatever the release was fitted on.

    Parameters
    ----------
    train, reference : DataFrame
        Conformed; no unit in both. Targets come from the training rows, all other rows from the reference.
    settings, folder, seed, workers, progress
        As in `shadows.fits`.
    delta : float
        Of the claim, or of the statement wanted.
    claimed : float, optional
        Epsilon that the generator claims for this delta: it fails where a lower bound that is wrong with probability `SURE` lies above.
    size : int
        Reference units in the table (all of them, if there are fewer).
    runs : int
        Fits with each target, and fits without; ``(targets + 1) * runs`` in all.

    Returns
    -------
    Finding
        ``attacks.worst.targeted``; the value is the highest lower bound, ``details["ceiling"]`` what a perfect attack would show.
    """
    if runs < 4 or targets < 1 or not len(reference) or not len(train):
        raise OptionError(f"{runs} runs and {targets} targets: give at least 4 runs, 1 target, and training and reference rows.")
    chosen = most_vulnerable(schema, train, reference, targets, seed)
    units, rng = unit_codes(reference, schema), np.random.default_rng([seed, 32])
    base = np.flatnonzero(np.isin(units, rng.permutation(units.max() + 1)[:size]))
    pool = pd.concat([reference.iloc[base], *(train.iloc[t.rows] for t in chosen)], ignore_index=True)
    ends = len(base) + np.cumsum([len(t.rows) for t in chosen])
    tables = [np.arange(len(base)), *(np.append(np.arange(len(base)), np.arange(e - len(t.rows), e)) for e, t in zip(ends, chosen, strict=True))]  # fmt: skip
    draws = [rows for rows in tables for _ in range(runs)]
    kept = {**settings, "targets": len(chosen), "runs": runs}
    made = fits(
        generate, schema, pool, draws, settings=kept, folder=folder, seed=seed, workers=workers,
        progress=lambda what, done: progress(what, 0.9 * done),
    )  # fmt: skip
    error, rows = LEVEL / len(chosen), []
    for i, target in enumerate(chosen, 1):
        progress("attacks on the most vulnerable", 0.9 + 0.1 * i / len(chosen))
        both = made[:runs] + made[i * runs : (i + 1) * runs]
        found = _attacked(schema, pool.iloc[[tables[i][len(base)]]], pool.iloc[: len(base)], both, runs, seed)
        rows.append(
            {"target": i, "vulnerability": target.vulnerability, "rows": len(target.rows), **_judged(*found, delta, error)}
        )
    return _finding(rows, delta, claimed, len(pool.iloc[: len(base)]))


def _attacked(
    schema: Schema, target: pd.DataFrame, base: pd.DataFrame, made: list[pd.DataFrame], runs: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and truth ("with") for the half of the fits that the forest was not trained on."""
    from sklearn.ensemble import RandomForestClassifier

    masks = queries(len(schema.modelled), np.random.default_rng([seed, 33]))
    features = []
    for synthetic in made:
        codes = discretised(schema, target, synthetic, base, BINS)
        features.append(counts(codes[0][0], codes[1], masks))
    having, table = np.repeat([False, True], runs), np.array(features)
    learning = np.arange(2 * runs) % runs < runs // 2
    forest = RandomForestClassifier(100, min_samples_leaf=2, random_state=0)
    forest.fit(table[learning], having[learning])
    return forest.predict_proba(table[~learning])[:, 1], having[~learning]


def _judged(scores: np.ndarray, having: np.ndarray, delta: float, error: float) -> dict[str, Any]:
    called = scores > 0.5
    auc, interval = delong(scores, having)
    fp, fn = int((called & ~having).sum()), int((~called & having).sum())
    bounds, surely = (
        epsilon_from_rates(fp, int((~having).sum()), fn, int(having.sum()), delta, e) for e in (error, error * SURE / LEVEL)
    )
    return {
        "auc": auc, "auc_interval": list(interval), "fp": fp, "without": int((~having).sum()), "fn": fn, "with": int(having.sum()),
        "epsilon": bounds.epsilon, "ceiling": bounds.ceiling, "error": error, "surely": surely.epsilon,
    }  # fmt: skip


def _finding(rows: list[dict[str, Any]], delta: float, claimed: float | None, size: int) -> Finding:
    highest = max(row["epsilon"] for row in rows)
    details = {
        "threat": "Knowledge of the algorithm and of all rows but one unit's", "targets": rows, "delta": delta, "claimed": claimed,
        "ceiling": rows[0]["ceiling"], "base_rows": size,
        "auc": float(np.mean([row["auc"] for row in rows])), "highest_auc": max(row["auc"] for row in rows),
    }  # fmt: skip
    note = (
        f"{len(rows)} targets, the bounds hold for all of them together; a perfect attack with as many fits would show "
        f"{rows[0]['ceiling']:.2f}. A low value is no proof that epsilon is low."
    )
    return Finding(
        "attacks.worst.targeted", "Epsilon that shadow fits with and without the most vulnerable units prove at least",
        highest, reference=claimed, reference_is="" if claimed is None else "claimed epsilon",
        verdict="fail" if claimed is not None and max(row["surely"] for row in rows) > claimed else None, note=note, details=details,
    )  # fmt: skip
