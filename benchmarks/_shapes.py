"""Made-up columns of known shape, to see what a public range that is too wide does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tabsynth.schema import Schema

FACTORS = (1, 50, 1_000, 1_000_000)
"""How many times too wide the public range is."""
QUANTILES = {"p1": 0.01, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
DECIMALS = 2

Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A distribution and the range that holds all but a few in 100,000 of its values; those beyond count as its ends."""

    draw: Draw
    low: float
    high: float

    def values(self, n: int, seed: int, *, whole: bool = False) -> np.ndarray:
        """`n` values inside the range, to two decimals or whole."""
        drawn = np.clip(self.draw(np.random.default_rng([seed, n]), n), self.low, self.high)
        return np.rint(drawn).astype(np.int64) if whole else drawn.round(DECIMALS)

    def schema(self, factor: int, *, whole: bool = False) -> Schema:
        """A table of this column alone, with a range `factor` times as wide."""
        kind = {"kind": "integer"} if whole else {"kind": "float", "decimals": DECIMALS}
        column = kind | {"minimum": self.low * factor, "maximum": self.high * factor, "nullable": False}
        return Schema.from_dict({"name": "shape", "columns": {"x": column}})


def _zero_inflated(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(3, 1, n))


SHAPES = {
    "lognormal": Shape(lambda rng, n: rng.lognormal(3.8, 1, n), 0, 5_000),
    "gamma": Shape(lambda rng, n: rng.gamma(2, 50, n), 0, 1_000),
    "pareto": Shape(lambda rng, n: 10 * (1 + rng.pareto(2, n)), 0, 5_000),
    "zero-inflated": Shape(_zero_inflated, 0, 2_000),
    "negative": Shape(lambda rng, n: -rng.lognormal(3.8, 1, n), -5_000, 0),
    "mixed sign": Shape(lambda rng, n: 100 * rng.standard_t(3, n), -5_000, 5_000),
}
"""Name -> shape. The lognormal has mean 74."""


def statistics(values: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation and quantiles."""
    at = np.quantile(values, list(QUANTILES.values()), method="inverted_cdf")
    return {"mean": float(values.mean()), "sd": float(values.std())} | dict(zip(QUANTILES, map(float, at), strict=True))
