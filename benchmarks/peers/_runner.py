"""What every peer's runner shares. Runs inside the peer's own environment, so it imports numpy and pandas only.

A runner is called with one JSON file: what to fit (`Job`). It writes the synthetic table and a JSON file of what it measured.
Ranges and labels come from the schema, which is public: a runner gives them to its peer wherever the peer takes them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MISSING = "(missing)"
EXACT, BINS = 256, 64
MANY, PATIENCE = 1_000_000, 60
BEGAN = time.perf_counter()


@dataclass(frozen=True)
class Job:
    """One fit: `columns` maps a name to its public labels or its (minimum, maximum): whole numbers where its values are."""

    method: str
    train: str
    columns: dict[str, dict[str, Any]]
    epsilon: float
    delta: float
    seed: int
    rows: int
    synthetic: str
    result: str
    folder: str

    def labels(self) -> dict[str, list[str]]:
        """Labels as text, with one for a missing value where the schema allows it."""
        return {
            name: [*map(str, c["labels"]), *([MISSING] if c["nullable"] else [])]
            for name, c in self.columns.items()
            if "labels" in c
        }

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of each numeric column."""
        return {name: (c["minimum"], c["maximum"]) for name, c in self.columns.items() if "labels" not in c}

    def table(self) -> pd.DataFrame:
        """The training table: labels as text, numbers inside their public range, NaN where one is missing."""
        labels = self.labels()
        missing = {name: [""] for name in self.ranges()}
        table = pd.read_csv(self.train, dtype=dict.fromkeys(labels, str), keep_default_na=False, na_values=missing)
        table = table[list(self.columns)]
        for name, allowed in labels.items():
            table[name] = table[name].replace("", MISSING)
            if not table[name].isin(allowed).all():
                raise ValueError(f"column {name} holds a label that the schema does not list")
        for name, (low, high) in self.ranges().items():
            whole = isinstance(low, int) and table[name].notna().all()
            table[name] = table[name].astype("int64" if whole else "float64").clip(low, high)
        return table

    def write(self, table: pd.DataFrame) -> None:
        """The synthetic table, in the training table's columns and spelling."""
        table = table[list(self.columns)].copy()
        for name in self.labels():
            table[name] = table[name].astype(object).where(table[name].astype(str) != MISSING, "")
        for name, (low, _high) in self.ranges().items():
            if isinstance(low, int):
                table[name] = table[name].round()
        table.to_csv(self.synthetic, index=False)


class Discrete:
    """Codes for peers that take categories only, from public facts alone.

    A column of up to 256 whole numbers keeps each; a longer one has 64 bins that widen from its minimum on (so that a spike of zeros
    and the largest value are cells of their own), and a value inside a bin is drawn uniformly.
    """

    def __init__(self, job: Job) -> None:
        self._labels, self._starts = job.labels(), {}
        self._order = list(job.columns)
        self._rng = np.random.default_rng(job.seed)
        for name, (low, high) in job.ranges().items():
            span = high - low
            inner = np.arange(span + 1) if span < EXACT else np.geomspace(1, span + 1, BINS + 1).round() - 1
            self._starts[name] = np.unique(np.append(inner, span + 1)).astype("int64") + low
        self.sizes = {n: len(self._labels[n]) if n in self._labels else len(self._starts[n]) - 1 for n in self._order}

    def encode(self, table: pd.DataFrame) -> pd.DataFrame:
        """Codes, 0 to size - 1."""
        codes = {n: pd.Categorical(table[n], categories=labels).codes for n, labels in self._labels.items()}
        codes |= {n: np.searchsorted(starts, table[n], side="right") - 1 for n, starts in self._starts.items()}
        return pd.DataFrame(codes).astype("int64")[self._order]

    def decode(self, codes: pd.DataFrame) -> pd.DataFrame:
        """Values of codes."""
        values = {n: np.asarray(labels, dtype=object)[codes[n]] for n, labels in self._labels.items()}
        values |= {n: self._rng.integers(starts[codes[n]], starts[codes[n] + 1]) for n, starts in self._starts.items()}
        return pd.DataFrame(values)[self._order]


Sample = Callable[[int], pd.DataFrame]


def run(fit: Callable[[Job, pd.DataFrame], Sample], *, package: str, unpaid: dict[str, list[str]]) -> None:
    """Fit, sample, write, measure.

    Parameters
    ----------
    fit : function of the job and the training table
        Returns a function that draws a table of so many rows.
    package : str
        Whose version is recorded.
    unpaid : dict of str to list of str
        For each method, what it takes from the real rows without noise or without charging for it.
    """
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    table = job.table()
    started = time.perf_counter()
    sample = fit(job, table)
    fitted = time.perf_counter()
    synthetic = sample(job.rows)
    sampled = time.perf_counter()
    job.write(synthetic)
    wall = time.perf_counter() - BEGAN
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = {
        "wall_s": round(wall, 2),
        "fit_s": round(fitted - started, 2),
        "sample_s": round(sampled - fitted, 3),
        "rows_per_s": round(job.rows / (sampled - fitted)),
        "rate_rows": job.rows,
        "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in usage), 1),
        "peak_mb": round(max(u.ru_maxrss for u in usage) / 1024),
        "unpaid": unpaid[job.method],
        "versions": {name: metadata.version(name) for name in (package, "numpy", "pandas")},
    }
    Path(job.result).write_text(json.dumps(result))
    if (sampled - fitted) * MANY / job.rows < PATIENCE:
        started = time.perf_counter()
        sample(MANY)
        result |= {"rows_per_s": round(MANY / (time.perf_counter() - started)), "rate_rows": MANY}
        Path(job.result).write_text(json.dumps(result))
