"""What a public range that is too wide does to one column:  python benchmarks/columns.py --ranges

Each cell is the median, over repeats with rows and noise of their own, of the relative error of a statistic (relative to the real value or, where that is
smaller than a tenth of the column's scale, to the scale; see `_columns.py`). A cell is right if it is at most 1.5 times that of the same column, n and epsilon
with the tight range, where an error below 1 % counts as 1 %: repeats are few.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from _columns import relative, scale
from _shapes import DECIMALS, FACTORS, SHAPES, statistics

import tabsynth

EPSILONS, SIZES = (1.0, 0.3, 10.0), (10_000, 500, 200_000)
WORSE, SMALL = 1.5, 0.01
SHOWN = ("mean", "sd", "p50", "p99", "p99.9")
HEADER = f"| shape | n | epsilon | {' | '.join(f'{name}: 1x, 50x, 1,000x, 1,000,000x' for name in SHOWN)} | right |"


def keys() -> list[tuple[str, bool, int, float]]:
    """Shape, whole numbers or not, rows, epsilon: every shape with decimals, two of them whole too."""
    kinds = [(name, False) for name in SHAPES] + [("lognormal", True), ("mixed sign", True)]
    return [(name, whole, n, epsilon) for n in SIZES for epsilon in EPSILONS for name, whole in kinds]


def measure(name: str, whole: bool, n: int, epsilon: float, repeats: int = 3) -> dict[str, Any]:
    """Median errors of one shape at each range."""
    shape, errors = SHAPES[name], {}
    for factor in FACTORS:
        schema, found = shape.schema(factor, whole=whole), []
        for seed in range(repeats):
            real = shape.values(n, seed, whole=whole)
            release = tabsynth.fit(pd.DataFrame({"x": real}), schema, epsilon=epsilon, model="independent", seed=seed)
            synthetic = release.sample(n, seed=seed)["x"].to_numpy(dtype=np.float64)
            size = scale(real.astype(np.float64), 1.0 if whole else 10.0**-DECIMALS)
            found.append(relative(statistics(real.astype(np.float64)), statistics(synthetic), size, origin=True))
        errors[str(factor)] = {s: float(f"{median(f[s] for f in found):.4g}") for s in found[0]}
    return {"repeats": repeats, "errors": errors}


def right(errors: dict[str, dict[str, float]]) -> tuple[int, int]:
    """How many of the cells with a wide range are right, and of how many."""
    tight = errors["1"]
    cells = [wide[s] <= WORSE * max(tight[s], SMALL) for factor, wide in errors.items() if factor != "1" for s in wide]
    return sum(cells), len(cells)


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    errors = result["errors"]
    cells = [f"{result['shape']}{', whole' if result['whole'] else ''}", f"{result['n']:,}", f"{result['epsilon']:g}"]
    cells += [", ".join(f"{errors[str(f)][s]:.3g}" for f in FACTORS) for s in SHOWN]
    good, of = right(errors)
    return f"| {' | '.join(cells)} | {good} of {of} |"


def summary(runs: list[dict[str, Any]]) -> str:
    """How many cells are right, by the number of rows and by epsilon."""
    lines = []
    for field in ("n", "epsilon"):
        for value in sorted({r[field] for r in runs}):
            counts = [right(r["errors"]) for r in runs if r[field] == value]
            lines.append(f"- {field} {value:,g}: {sum(c[0] for c in counts)} of {sum(c[1] for c in counts)} cells right")
    return "\n".join(lines)
