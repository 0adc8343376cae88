"""NOT PRIVATE. Shadow fits: the generator run on tables whose members are known, to learn what members look like (attacks B4, B5)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.access import Progress, silent
from tabsynth.errors import FolderError, OptionError
from tabsynth.schema import Schema
from tabsynth.validate.attacks import focal, statistics
from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.attacks._view import Attack, views
from tabsynth.validate.check import Finding
from tabsynth.validate.features import Encoder, unit_codes

Generate = Callable[[pd.DataFrame, int], pd.DataFrame]
"""The generator under attack: (rows, seed) to synthetic rows, both conformed. Fits afresh at each call, and can be sent to a process.

How many rows it returns is part of what is attacked. If the release says nothing exact about the number of its training rows, neither
may this: return a fixed number, or the generator's own noisy estimate, never as many rows as were given.
"""

SLOW = ("classifier", "logan")
"""Attacks of `ATTACKS` that are better left out here: they train a model for every shadow fit."""
WITHOUT_REFERENCE = ("dcr", "nndr", "monte_carlo", "neighbourhood", "density")
"""Attacks of `ATTACKS` that use no reference rows."""
UNITS = 2_000
"""At most this many members, and as many non-members, of each shadow fit are learned from."""
FILE = "shadows.json"
_TYPES = {"integer": "Int64", "float": "float64", "boolean": "boolean", "date": "datetime64[s]", "datetime": "datetime64[s]"}


@dataclass(frozen=True)
class Shadow:
    """One shadow fit.

    Parameters
    ----------
    members : ndarray of bool, shape (units of the pool,)
        The units, as `unit_codes` numbers them, whose rows the generator was fitted on.
    synthetic : DataFrame
        What it made of them.
    """

    members: np.ndarray
    synthetic: pd.DataFrame


def run(
    generate: Generate,
    schema: Schema,
    pool: pd.DataFrame,
    size: int,
    runs: int,
    *,
    settings: Mapping[str, Any],
    folder: str | Path | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = silent,
) -> list[Shadow]:
    """Fit the generator `runs` times, each time on the rows of `size` units drawn at random from the pool.

    Parameters
    ----------
    pool : DataFrame
        Rows the attacker has, conformed; none of them a member of the release.
    settings, folder, seed, workers, progress
        As in `fits`. The first runs of a longer series are those of a shorter one, so a folder can be added to.

    Raises
    ------
    OptionError
        If the pool has too few units, or `runs` or `size` is below 1.
    FolderError
        If the folder holds other runs.
    """
    units = unit_codes(pool, schema)
    count = units.max(initial=-1) + 1
    if not (runs >= 1 and 1 <= size <= count):
        raise OptionError(f"{runs} shadow fits of {size} units from {count}: give at least 1 fit, of 1 unit to all of them.")
    members = [np.isin(np.arange(count), _rng(seed, 1, i).permutation(count)[:size]) for i in range(runs)]
    draws = [np.flatnonzero(chosen[units]) for chosen in members]
    made = fits(
        generate, schema, pool, draws, settings={**settings, "size": size}, folder=folder, seed=seed, workers=workers,
        progress=progress,
    )  # fmt: skip
    return [Shadow(*each) for each in zip(members, made, strict=True)]


def fits(
    generate: Generate,
    schema: Schema,
    pool: pd.DataFrame,
    draws: Sequence[np.ndarray],
    *,
    settings: Mapping[str, Any],
    folder: str | Path | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = silent,
) -> list[pd.DataFrame]:
    """Synthetic tables from fits on given rows of the pool, each with a seed of its own.

    Parameters
    ----------
    draws : sequence of ndarray of int
        For each fit, row numbers of the pool.
    settings : mapping
        Plain data that names the generator and, with pool and seed, decides what each draw is: kept runs are used again only where
        all three are the same.
    folder : path, optional
        Where each finished fit is kept as a Parquet file, so that work that was interrupted goes on where it stopped. It holds
        synthetic rows only.
    workers : int
        Processes; 1 runs everything in this one.

    Raises
    ------
    FolderError
        If the folder holds other runs, or other things.
    OptionError
        If the generator returns a table without the schema's columns.
    """
    from joblib import Parallel, delayed

    paths = _opened(folder, _fingerprint(schema, pool, settings, seed), len(draws))
    done = {i: _read(path, schema) for i, path in enumerate(paths) if path and path.exists()}
    seeds = [int(_rng(seed, 2, i).integers(2**31)) for i in range(len(draws))]
    left = [i for i in range(len(draws)) if i not in done]
    jobs = (delayed(_fit)(i, generate, pool.iloc[draws[i]].reset_index(drop=True), seeds[i], schema, paths[i]) for i in left)
    progress("shadow fits", len(done) / len(draws))
    for i, synthetic in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
        done[i] = synthetic
        progress("shadow fits", len(done) / len(draws))
    return [done[i] for i in range(len(draws))]


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng([*key])


def _fit(
    number: int, generate: Generate, rows: pd.DataFrame, seed: int, schema: Schema, path: Path | None
) -> tuple[int, pd.DataFrame]:
    """One fit, in whatever process; its file is there whole or not at all."""
    synthetic = generate(rows, seed)
    if tuple(synthetic.columns) != schema.names:
        raise OptionError("the generator returned a table without the schema's columns in the schema's order; conform it first.")
    if path:
        partial = path.with_suffix(f".{os.getpid()}.partial")
        synthetic.to_parquet(partial, index=False)
        os.replace(partial, path)
    return number, synthetic


def _read(path: Path, schema: Schema) -> pd.DataFrame:
    """A kept table with the types it had."""
    frame = pd.read_parquet(path, dtype_backend="numpy_nullable")
    columns = {c.name: frame[c.name].astype(_TYPES.get(c.kind, object)) for c in schema.columns}
    return pd.DataFrame({name: v.where(v.notna(), None) if v.dtype == object else v for name, v in columns.items()})


def _fingerprint(schema: Schema, pool: pd.DataFrame, settings: Mapping[str, Any], seed: int) -> str:
    rows = pd.util.hash_pandas_object(pool.astype(str), index=False).to_numpy().tobytes()
    text = json.dumps([schema.fingerprint, hashlib.sha256(rows).hexdigest(), settings, seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _opened(folder: str | Path | None, fingerprint: str, runs: int) -> list[Path | None]:
    """Where each run is kept; refuses a folder that is not empty and not of the same runs."""
    if folder is None:
        return [None] * runs
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / FILE
    if mark.is_file():
        try:
            same = json.loads(mark.read_text(encoding="utf-8"))["fingerprint"] == fingerprint
        except (ValueError, LookupError, TypeError):
            same = False
        if not same:
            raise FolderError(
                f"{folder} holds shadow fits of another table, seed or setting; name a new folder, or the same settings as before."
            )
    elif any(folder.iterdir()):
        raise FolderError(f"{folder} holds something else than shadow fits; name a new or empty folder.")
    else:
        partial = mark.with_suffix(".partial")
        partial.write_text(json.dumps({"format": "tabsynth.shadows", "version": 1, "fingerprint": fingerprint}) + "\n")
        os.replace(partial, mark)
    return [folder / f"{i:05d}.parquet" for i in range(runs)]


def shadow(
    schema: Schema,
    challenge: Challenge,
    pool: pd.DataFrame,
    shadows: Sequence[Shadow],
    attacks: Mapping[str, Attack],
    cliques: Sequence[focal.Clique] = (),
) -> Finding:
    """Attack B4: what the scores of members look like, learned from shadow fits and applied to the release; ``attacks.shadow``.

    Parameters
    ----------
    challenge : Challenge
        Judged as a whole; nothing is learned from it.
    pool : DataFrame
        Of the shadow fits: ``challenge.reference``.
    shadows : sequence of Shadow
        From `run`; 5 to 30 are usual. At least a quarter of the pool's units must be left out of each.
    attacks : mapping from name to Attack
        Whose scores are weighed, together with `focal.score`: ``ATTACKS`` without those in `SLOW`.
    cliques : sequence of tuple of int, optional
        The tables that the release is known to have measured (`focal.cliques_of`); by default pairs of columns.

    References
    ----------
    Shokri, Stronati, Song and Shmatikov (2017), IEEE S&P (shadow models); the MIDST challenge (2025), CITADEL & UQAM's
    meta-classifier over such scores.
    """
    title = f"Membership learned from {len(shadows)} shadow fits of the same generator on reference rows, of units (AUC)"
    note = "This attacker can run the generator with the same settings and has reference rows. He knows of no member."
    cliques = cliques or focal.pairs(len(schema.modelled))
    learned = [_shadow_scores(schema, pool, each, attacks, cliques) for each in shadows]
    judged = _scores(schema, challenge.rows, challenge.units, challenge.synthetic, challenge.reference, attacks, cliques)
    return _finding("attacks.shadow", title, note, learned, judged, challenge, attacks)


def shadow_synthetic(schema: Schema, challenge: Challenge, shadows: Sequence[Shadow], attacks: Mapping[str, Attack]) -> Finding:
    """Attack B5: as `shadow` for an attacker without reference rows, whose pool are the synthetic rows; ``attacks.shadow_synthetic``.

    Parameters
    ----------
    shadows : sequence of Shadow
        From `run` on ``challenge.synthetic``.
    attacks : mapping from name to Attack
        Those of ``ATTACKS`` in `WITHOUT_REFERENCE`.

    References
    ----------
    Guepin, Meeus, Cretu and de Montjoye (2023), Synthetic is all you need, arXiv 2307.01701.
    """
    title = f"Membership learned from {len(shadows)} shadow fits of the same generator on its own synthetic rows, of units (AUC)"
    note = "This attacker can run the generator with the same settings and has nothing but the synthetic rows."
    learned = [_shadow_scores(schema, challenge.synthetic, each, attacks, ()) for each in shadows]
    nobody = challenge.reference.iloc[:0]
    judged = _scores(schema, challenge.rows, challenge.units, challenge.synthetic, nobody, attacks, ())
    return _finding("attacks.shadow_synthetic", title, note, learned, judged, challenge, attacks)


def _shadow_scores(
    schema: Schema, pool: pd.DataFrame, shadow: Shadow, attacks: Mapping[str, Attack], cliques: Sequence[focal.Clique]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and membership of equally many members and non-members of one shadow fit; with cliques, half of the non-members stay reference."""
    rng, units = _rng(int(shadow.members.sum()), 3), unit_codes(pool, schema)
    inside, outside = (rng.permutation(np.flatnonzero(side)) for side in (shadow.members, ~shadow.members))
    size = min(len(inside), len(outside) // 2 if cliques else len(outside), UNITS)
    if size < 2:
        raise OptionError(f"a shadow fit on {len(inside)} of {len(units)} units leaves too few out; fit on fewer units.")
    asked = np.concatenate([inside[:size], outside[:size]])
    place = np.full(len(shadow.members), -1)
    place[asked] = np.arange(2 * size)
    rows = place[units] >= 0
    rest = np.isin(units, outside[size:]) & bool(cliques)
    synthetic = shadow.synthetic.iloc[rng.permutation(len(shadow.synthetic))]
    known = pool.iloc[rng.permutation(np.flatnonzero(rest))]
    return _scores(schema, pool[rows], place[units][rows], synthetic, known, attacks, cliques), np.repeat([True, False], size)


def _scores(
    schema: Schema,
    rows: pd.DataFrame,
    units: np.ndarray,
    synthetic: pd.DataFrame,
    reference: pd.DataFrame,
    attacks: Mapping[str, Attack],
    cliques: Sequence[focal.Clique],
) -> np.ndarray:
    """Ranks, from 0 to 1, of the units' scores among themselves: shape (units, scores). Ranks, because tables differ in size."""
    encoder = Encoder.fit(schema, reference, synthetic)
    tables = rows, synthetic, reference
    found = [
        _ranks(statistics.pooled(attack.score(view), units))
        for view, _ in views(*(encoder.transform(table) for table in tables))
        for attack in attacks.values()
        if view.scaling in attack.scalings
    ]
    if cliques:
        found.append(_ranks(statistics.pooled(focal.score(*focal.discretised(schema, *tables), cliques), units)))
    return np.stack(found, axis=1)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Midranks as shares; all equal where some score could not be computed."""
    from scipy.stats import rankdata

    return np.full(len(scores), 0.5) if np.isnan(scores).any() else rankdata(scores) / len(scores)


def _finding(
    name: str,
    title: str,
    note: str,
    learned: Sequence[tuple[np.ndarray, np.ndarray]],
    judged: np.ndarray,
    challenge: Challenge,
    attacks: Mapping[str, Attack],
) -> Finding:
    """Boosted trees trained on the shadow fits, applied to the challenge."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    features, member = (np.concatenate(part) for part in zip(*learned, strict=True))
    model = HistGradientBoostingClassifier(max_iter=100, max_depth=3, learning_rate=0.05, random_state=0)
    with threadpool_limits(1):
        scores = model.fit(features, member).predict_proba(judged)[:, 1]
    summary = statistics.summary(scores, challenge.member, np.arange(len(challenge.member)))
    summary["details"] = {
        "threat": "Knowledge of the algorithm",
        "shadows": len(learned),
        "shadow_units": len(member),
        "attacks": list(attacks),
        **summary["details"],
    }
    return Finding(name, title, reference=0.5, reference_is="chance", note=note, **summary)
