"""Columns of one number each, fitted alone: how far what comes out is from what went in."""

import contextlib
import functools
import math

import numpy as np
import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.curator import discover as discover_module
from tabsynth.curator import table as table_module
from tabsynth.curator.discover import discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.noise import discrete_gaussian
from tabsynth.curator.table import PrivateTable
from tabsynth.models import _tables

QUANTILES = (0.01, 0.5, 0.9, 0.99, 0.999)
FIGURES = ("mean", "sd", "p1", "p50", "p90", "p99", "p99.9")
DECIMALS = {"cents": 2, "zeros": 2, "negative": 1, "mixed": 1}
SIGMAS = 2.0
WHOLE = ("whole", "mixed whole")


def shapes(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of `n` numbers by name."""
    rng = np.random.default_rng(seed)
    tail = rng.lognormal(3, 1, n).round(2)
    return {
        "lognormal": rng.lognormal(3.8, 1, n),
        "cents": rng.lognormal(3.8, 1, n).round(2),
        "gamma": rng.gamma(2, 40, n),
        "whole": np.floor(rng.gamma(2, 400, n)),
        "pareto": (rng.pareto(2.5, n) + 1) * 20,
        "zeros": np.where(rng.random(n) < 0.6, 0, tail),
        "negative": -rng.gamma(2, 40, n).round(1),
        "mixed": rng.normal(5, 60, n).round(1),
        "mixed whole": np.rint(rng.standard_t(4, n) * 300),
    }


def described(name: str, x: np.ndarray, wide: float) -> dict:
    """A column whose public range is `wide` times what its values need."""
    low, high = min(x.min(), 0) * wide, max(x.max(), 0) * wide
    if name in WHOLE:
        return {"kind": "integer", "minimum": math.floor(low), "maximum": math.ceil(high), "nullable": False}
    decimals = {"decimals": DECIMALS[name]} if name in DECIMALS else {}
    return {"kind": "float", "minimum": float(low), "maximum": float(high), "nullable": False, **decimals}


@contextlib.contextmanager
def seeded(seed: int):
    """Noise that repeats."""
    with pytest.MonkeyPatch.context() as patch:
        noise = functools.partial(discrete_gaussian, random=np.random.default_rng(seed).bytes)
        patch.setattr(table_module, "discrete_gaussian", noise)
        yield


def fitted(values, column: dict, epsilon: float, seed: int = 0, rows: int | None = None):
    """The coder of a table of this column alone, values drawn as `independent` draws them, and the ledger."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": column}})
    ledger = Ledger(Budget(epsilon, 1e-6))
    with seeded(seed), PrivateTable(pd.DataFrame({"x": values}), schema, ledger) as table:
        codec = discover(table)
        table.encode(codec)
        share = _tables.distribution(table.measure([("x",)], costs=[table.left()])[0], table.ordered["x"])
    rng = np.random.default_rng(seed)
    drawn = codec.decode(_tables.draw(share, rows or max(len(values), 1000), rng)[:, None], rng)["x"]
    return codec.coders["x"], drawn, ledger


def figures(x) -> np.ndarray:
    """Mean, standard deviation and quantiles."""
    x = np.asarray(x, dtype=float)
    return np.array([x.mean(), x.std(), *np.quantile(x, QUANTILES)])


def errors(name: str, x: np.ndarray, wide: float, epsilon: float, repeats: int) -> np.ndarray:
    """Median over the noise of the absolute error of each figure."""
    column = described(name, x, wide)
    found = [np.abs(figures(fitted(x, column, epsilon, seed)[1]) - figures(x)) for seed in range(repeats)]
    return np.median(found, axis=0)


def floor(x: np.ndarray, epsilon: float) -> np.ndarray:
    """What sampling and the noise of one count explain of each figure's error, whatever the range.

    Two standard errors of the figure (bootstrap); or by how much it changes where the outer values, as many as `SIGMAS` standard
    deviations of the noise of the first histogram, are cut off or its quantile is read so many rows further on: no count tells those.
    """
    rng = np.random.default_rng(0)
    again = np.std([figures(rng.choice(x, len(x))) for _ in range(30)], axis=0)
    rho = Budget(epsilon, 1e-6).rho * discover_module.MOST * (1 - discover_module.GRID) * discover_module.FIRST
    share = min(SIGMAS / math.sqrt(2 * rho) / len(x), 0.5)
    real, cut = figures(x), figures(np.clip(x, *np.quantile(x, [share, 1 - share])))
    read = [np.abs(np.quantile(x, [max(q - share, 0), min(q + share, 1)]) - np.quantile(x, q)).max() for q in QUANTILES]
    return np.maximum(2 * again, np.maximum(np.abs(cut - real), [0, 0, *read]))
