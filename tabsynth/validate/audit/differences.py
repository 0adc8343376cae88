"""The deterministic difference test: nothing that a release shows besides noisy numbers may tell two neighbouring tables apart.

Twenty fits in each world, through the public door. Names, types, codes, edges, settings, numbers of steps and charges, files and their sizes,
default sizes, warnings and exceptions are each compared as they are, and in order of size where they are numbers.
"""

from __future__ import annotations

import json
import math
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tabsynth.access import Synthesizer
from tabsynth.curator.ledger import Budget
from tabsynth.fit import fit_with
from tabsynth.release import Release
from tabsynth.validate.audit.neighbours import Pair

FITS = 20
LEVEL = 1e-6
"""Chance that a feature which tells nothing is found to, over all features together; telling two worlds of 20 apart has 1 in 10**11."""


def differences(algorithm: Synthesizer, pair: Pair, budget: Budget, *, fits: int = FITS, seed: int = 0) -> list[str]:
    """What tells the two worlds apart.

    Parameters
    ----------
    fits : int
        In each world, all with seeds of their own that are the same in both.

    Returns
    -------
    list of str
        One sentence for each feature found; empty, as it should be.
    """
    worlds = [[shown(algorithm, table, pair, budget, seed + i) for i in range(fits)] for table in pair.tables]
    names = sorted({name for world in worlds for run in world for name in run})
    found = []
    for name in names:
        p = _apart(*([run.get(name) for run in world] for world in worlds))
        if p < LEVEL / len(names):
            found.append(f"{name} tells the tables of {pair.name} apart in {2 * fits} of {2 * fits} fits")
    return found


def shown(algorithm: Synthesizer, table: Any, pair: Pair, budget: Budget, seed: int) -> dict[str, str | float]:
    """All that one fit shows besides what its noisy numbers are."""
    with warnings.catch_warnings(record=True) as told, tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("always")
        steps: list[str] = []
        try:
            release = fit_with(algorithm, table, pair.schema, budget, seed=seed, progress=lambda what, _done: steps.append(what))
            features = _of_release(release, Path(folder) / "model")
        except Exception as error:
            features = {"exception": f"{type(error).__name__}: {error}"}
    return features | {"warnings": " ".join(sorted(str(w.message) for w in told)), "steps": len(steps)}


def _of_release(release: Release, folder: Path) -> dict[str, str | float]:
    release.save(folder)
    plain, arrays = release.model.state()
    features = _leaves("card", {k: v for k, v in release.card.items() if k != "created"})
    features |= _leaves("codes", release.codec.to_dict()) | _leaves("model", plain)
    features |= {"default rows": float(release.model.total), "types": str([str(t) for t in release.sample(4, seed=0).dtypes])}
    for name, array in arrays.items():
        features |= {f"shape of {name}": str(array.shape), f"type of {name}": str(array.dtype)}
    return features | {f"size of {path.name}": path.stat().st_size for path in folder.rglob("*")}


def _leaves(name: str, value: Any) -> dict[str, str | float]:
    """Everything in nested plain data; lists are both kept whole and taken apart."""
    if isinstance(value, dict):
        parts = {f"{name}, {key}": part for key, part in value.items()}
    elif isinstance(value, list | tuple) and any(isinstance(part, dict | list | tuple) for part in value):
        parts = {f"{name}, {i}": part for i, part in enumerate(value)}
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {name: value if number else json.dumps(value, default=str)}
    kinds = (
        {f"{name}: keys": json.dumps(list(map(str, value)), default=str)}
        if isinstance(value, dict)
        else {f"{name}: length": len(value)}
    )
    return kinds | {k: v for key, part in parts.items() for k, v in _leaves(key, part).items()}


def _apart(without: Sequence[Any], having: Sequence[Any]) -> float:
    """Chance that values which say nothing separate the worlds so well; 1 where they do not separate them wholly."""
    p = _grouped(without, having)
    numbers = [v for v in (*without, *having) if isinstance(v, int | float)]
    if len(numbers) == len(without) + len(having) and (max(without) < min(having) or max(having) < min(without)):
        p = min(p, 2 / math.comb(len(numbers), len(without)))
    return p


def _grouped(without: Sequence[Any], having: Sequence[Any]) -> float:
    """As if worlds were dealt out at random among the runs: how often would no value be in both?"""
    if set(without) & set(having):
        return 1.0
    ways = np.zeros(len(without) + 1, dtype=object)
    ways[0] = 1
    for size in Counter((*without, *having)).values():
        ways[size:] = ways[size:] + ways[: len(ways) - size].copy() if size < len(ways) else ways[size:]
    return float(ways[-1] / math.comb(len(without) + len(having), len(without)))
