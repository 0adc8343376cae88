"""Where a private critic finds what tables of pairs cannot hold, by rows and epsilon:  python benchmarks/critic.py

A made-up table: three coins, of which the third is the parity of the others in 95 % of the rows, and a fourth that means nothing. Every pair of
columns is independent, so a model of pairs gives 50 %. Also the time of a gradient step.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from _machine import keep

import tabsynth
from tabsynth.curator.gradients import GradientStream
from tabsynth.models import _critic

AGREE = 0.95
ADULT = [19, 9, 19, 16, 16, 7, 15, 6, 5, 2, 10, 12, 21, 42, 2]
"""Codes of Adult's columns at epsilon 3."""


def parity(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """The table."""
    x = rng.integers(0, 2, (rows, 4))
    x[:, 2] = (x[:, 0] + x[:, 1] + (rng.random(rows) > AGREE)) % 2
    return pd.DataFrame(x, columns=list("abcd"))


def kept(model: str, rows: int, epsilon: float) -> dict[str, float]:
    """Share of synthetic rows in which the third coin is the parity, and seconds of the fit."""
    columns = {c: {"kind": "integer", "minimum": 0, "maximum": 1, "nullable": False} for c in "abcd"}
    schema = tabsynth.Schema.from_dict({"name": "parity", "columns": columns})
    table = parity(rows, np.random.default_rng(rows))
    started = time.perf_counter()
    release = tabsynth.fit(table, schema, epsilon=epsilon, model=model)
    seconds = time.perf_counter() - started
    sample = release.sample(20_000)
    agree = float(((sample["a"] + sample["b"]) % 2 == sample["c"]).mean())
    return {"model": model, "rows": rows, "epsilon": epsilon, "agree": round(agree, 3), "fit_s": round(seconds, 1)}


def step(batch: int, per_unit: int) -> dict[str, float]:
    """Milliseconds of a gradient step on Adult's columns, with that many rows in the mean batch and for each unit."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows = 10 * batch
    codes = np.stack([rng.integers(0, k, rows) for k in ADULT])
    net = _critic.network(sum(ADULT), 64, seed=0)
    stream = GradientStream(codes, np.arange(rows) // per_unit, ADULT, net, steps=60, rate=0.1, clip=1.0, multiplier=1.0)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        stream.step(net)
        times.append(time.perf_counter() - started)
    return {"batch": batch, "rows_per_unit": per_unit, "ms": round(1000 * float(np.median(times)), 1)}


def main() -> None:
    """Measure and keep."""
    steps = [step(batch, per_unit) for batch in (1_709, 4_096) for per_unit in (1, 3)]
    print(*steps, sep="\n")
    runs = [kept("aim", 20_000, 1.0)]
    for rows in (5_000, 20_000, 100_000):
        for epsilon in (0.5, 1.0, 3.0):
            runs.append(kept("ctgan", rows, epsilon))
            print(runs[-1])
    keep("critic", {"steps": steps, "runs": runs, "real": AGREE})


if __name__ == "__main__":
    main()
