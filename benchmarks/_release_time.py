"""How long a whole release of a made-up table takes, and what of it goes to the report:  python benchmarks/columns.py --release-time"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth import pipeline
from tabsynth.schema import Schema

ROWS, COLUMNS = 50_000, 20
WANTED = 90.0
"""Seconds that the report may take."""
HEADER = "| rows | columns | engine | fit s | report s | all s | CPU s | load before, after | slowest steps |"


def table(rows: int, columns: int, seed: int = 0) -> tuple[pd.DataFrame, Schema]:
    """Half of the columns are labels (of 2 to 11), a quarter whole numbers, a quarter decimals; all follow one hidden number."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    values: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    for i in range(columns):
        own = hidden * rng.uniform(0, 1) + rng.normal(size=rows)
        if i % 2 == 0:
            labels = [f"l{j}" for j in range(2 + i // 2)]
            values[f"c{i}"] = np.array(labels)[np.searchsorted(np.quantile(own, np.linspace(0, 1, len(labels) + 1)[1:-1]), own)]
            kinds[f"c{i}"] = {"kind": "categorical", "labels": labels, "nullable": False}
        elif i % 4 == 1:
            values[f"c{i}"] = np.clip(np.rint(50 + 15 * own), 0, 120).astype(np.int64)
            kinds[f"c{i}"] = {"kind": "integer", "minimum": 0, "maximum": 120, "nullable": False}
        else:
            values[f"c{i}"] = np.clip(np.exp(4 + own), 0, 10_000).round(2)
            kinds[f"c{i}"] = {"kind": "float", "minimum": 0, "maximum": 10_000, "decimals": 2, "nullable": False}
    return pd.DataFrame(values), Schema.from_dict({"name": "made-up", "target": "c0", "columns": kinds})


class Clock:
    """A `Progress` that notes when each step began."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []

    def __call__(self, what: str, _done: float) -> None:
        if not self.steps or self.steps[-1][0] != what:
            self.steps.append((what, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """Seconds of each step, up to the beginning of the next one; steps of one name are added up."""
        out: dict[str, float] = {}
        for (what, start), (_, end) in zip(self.steps, self.steps[1:], strict=False):
            out[what] = out.get(what, 0.0) + end - start
        return {what: round(s, 1) for what, s in out.items()}


def processor() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def measure(rows: int, columns: int, engine: str) -> dict[str, Any]:
    """One release at epsilon 1 with the default policy; `report_s` runs from the end of the fit to the written pages."""
    frame, schema = table(rows, columns)
    clock, cpu, started = Clock(), processor(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        pipeline.release(frame, schema, Path(folder) / "out", epsilon=1, model=engine, progress=clock)
    ended = time.perf_counter()
    fitted = next(at for what, at in reversed(clock.steps[:-1]) if what == "done")
    return {
        "fit_s": round(fitted - started, 1),
        "report_s": round(ended - fitted, 1),
        "all_s": round(ended - started, 1),
        "cpu_s": round(processor() - cpu, 1),
        "load_after": round(os.getloadavg()[0], 2),
        "steps": clock.seconds(),
    }


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    slowest = sorted(result["steps"].items(), key=lambda step: -step[1])[:4]
    cells = [f"{result['rows']:,}", str(result["columns"]), result["engine"]]
    cells += [f"{result[name]:.0f}" for name in ("fit_s", "report_s", "all_s", "cpu_s")]
    cells += [f"{result['load']:g}, {result['load_after']:g}", ", ".join(f"{what} {s:.0f}" for what, s in slowest)]
    return f"| {' | '.join(cells)} |"
