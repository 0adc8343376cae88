"""How far a table's single columns are off another's: mean, deviation, quantiles, missing, zero, frequent values; and which of that noise explains.

An error of a mean or quantile is relative to the real value; where that is near 0 (less than a tenth of the column's scale in size) or
the column is a date, whose origin means nothing, it is relative to the scale. The scale is the standard deviation of the real values clipped to their
1st and 99th percentiles, so that no outlier sets it; where that is 0, the standard deviation itself; where that is 0 too, one step of the column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tabsynth.codec import Bins, Labels
from tabsynth.curator.table import LATTICE
from tabsynth.release import Release
from tabsynth.schema import Column
from tabsynth.times import DAY, Times

QUANTILES = {"p1": 0.01, "p10": 0.1, "p50": 0.5, "p90": 0.9, "p99": 0.99}
NUMBERS = ("mean", "sd", *QUANTILES)
FREQUENT = 0.01
"""A value is looked at by itself where more than this share of the real or of the other rows has it."""
NEAR = 0.1
BINS = 20
WIDTHS = 3.0
"""Standard deviations on either side that count as explained."""


def axis(values: pd.Series, column: Column) -> np.ndarray:
    """Values of a conformed numeric column as floats (days or seconds since 1970 for times), NaN for missing."""
    if column.kind in ("date", "datetime"):
        seconds = values.to_numpy().astype("datetime64[s]").astype(np.float64)
        return np.where(values.isna(), np.nan, seconds / (86_400 if column.kind == "date" else 1))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def scale(known: np.ndarray, step: float | None) -> float:
    """The size that errors are compared with where the real value is near 0 (see the module)."""
    clipped = np.clip(known, *np.quantile(known, [0.01, 0.99]))
    return float(clipped.std() or known.std() or step or 1.0)


def numbers(known: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation and quantiles of at least one value; a quantile is one of the values."""
    at = np.quantile(known, list(QUANTILES.values()), method="inverted_cdf")
    return {"mean": float(known.mean()), "sd": float(known.std())} | dict(zip(QUANTILES, map(float, at), strict=True))


def relative(real: Mapping[str, float], other: Mapping[str, float], size: float, *, origin: bool) -> dict[str, float]:
    """Error of each number; `origin` says that 0 means something."""
    out = {}
    for name, value in real.items():
        near = not origin and name != "sd"
        out[name] = abs(other[name] - value) / (size if near or abs(value) < NEAR * size else abs(value))
    return out


def shares(values: pd.Series) -> pd.Series:
    """Share of each value that is there, among all rows."""
    return values.value_counts(normalize=False) / max(len(values), 1)


def compare(column: Column, real: pd.Series, other: pd.Series) -> dict[str, float]:
    """Errors of one column: relative for numbers, differences of shares for the rest, total variation distance.

    Parameters
    ----------
    real, other : Series
        Of tables that were conformed to the schema (`tabsynth.conform.read`).

    Returns
    -------
    dict
        ``missing``, ``values`` (the largest difference in the share of a frequent value), ``tvd``; for numeric columns also ``zero`` and, where both have
        known values, those in `NUMBERS`. A numeric column that is wholly missing in one table only has infinite errors.
    """
    out = {"missing": abs(real.isna().mean() - other.isna().mean())}
    a, b = shares(real), shares(other)
    frequent = a.index[a > FREQUENT].union(b.index[b > FREQUENT])
    out["values"] = (
        float((a.reindex(frequent, fill_value=0) - b.reindex(frequent, fill_value=0)).abs().max()) if len(frequent) else 0.0
    )
    out["tvd"] = distance(column, real, other)
    if column.numeric:
        x, y = axis(real, column), axis(other, column)
        out["zero"] = abs(float((x == 0).mean()) - float((y == 0).mean()))
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if len(x) and len(y):
            out |= relative(numbers(x), numbers(y), scale(x, column.step), origin=column.kind in ("integer", "float"))
        elif len(x) or len(y):
            out |= dict.fromkeys(NUMBERS, math.inf)
    return {name: float(value) for name, value in out.items()}


def distance(column: Column, real: pd.Series, other: pd.Series) -> float:
    """Total variation distance; of numeric columns between `BINS` bins of the real quantiles, where heavy values stand alone."""
    if not column.numeric:
        a, b = (shares(v.astype(object).where(v.notna(), "(missing)").astype(str)) for v in (real, other))
        return float((a.subtract(b, fill_value=0)).abs().sum() / 2)
    x, y = axis(real, column), axis(other, column)
    cuts = np.unique(np.quantile(x[~np.isnan(x)], np.linspace(0, 1, BINS + 1))) if (~np.isnan(x)).any() else np.array([0.0])
    cuts = np.unique(np.concatenate([cuts, np.nextafter(cuts, np.inf)]))
    held = [
        np.bincount(np.where(np.isnan(v), 0, 1 + np.searchsorted(cuts, v, side="right")), minlength=len(cuts) + 2) for v in (x, y)
    ]
    return float(np.abs(held[0] / max(len(x), 1) - held[1] / max(len(y), 1)).sum() / 2)


def noise(release: Release, column: str) -> tuple[float, float]:
    """Standard deviation, in rows, of the noise in a count of one code of the column, and of one in a part of a bin; from the card alone.

    The first is that of the best table that the card lists for the column: a table with other columns is added up over their codes. The second is that
    of all rounds of bins together; 0 where none were bought.
    """
    domain, k = release.codec.domain, release.schema.unit.max_rows
    found, rounds = [math.inf], []
    for charge in release.card["ledger"]["charges"]:
        for multiplier, _ in charge["gaussians"]:
            sigma = math.hypot(k * multiplier, LATTICE)
            if charge["note"] in (f"range of {column}", f"bins of {column}", f"counts of {column}:day"):
                rounds.append(sigma)
            if charge["note"].startswith("table of ") and column in (
                names := charge["note"].removeprefix("table of ").split(" x ")
            ):
                found.append(sigma * math.prod(domain.get(name, 1) for name in names if name != column) ** 0.5)
    return min(found), math.hypot(*rounds)


def explained(release: Release, column: Column, real: pd.Series, other: pd.Series, *, noisy: bool = True) -> dict[str, bool]:
    """Which statistics of `other` lie within the interval around the real ones that sampling, noise and the coder's cells explain.

    For a share p of n rows, the variance is ``p (1 - p) / m + s**2 (1 + k p**2) / n**2`` for m other rows, k codes and noise s, with the mean of both shares in the
    first part. For the mean it is
    ``sd**2 / m + s**2 sum((x - mean)**2) / n**2``, over the means x of the codes that hold real rows: an empty code explains nothing,
    however far away it is. For the standard deviation the delta method on squares. A quantile has to lie between the real quantiles that are
    `WIDTHS` deviations of its share away, widened to the ends of the coder's cells that they are in.

    Parameters
    ----------
    noisy : bool
        Without, what sampling alone explains: holds for a holdout.
    """
    coder = release.codec.coders[column.name]
    days = isinstance(coder, Times) and column.kind == "datetime"
    coder = coder.day if isinstance(coder, Times) else coder
    counted, within = noise(release, column.name) if noisy else (0.0, 0.0)
    if math.isinf(counted):
        counted = 0.0
    n, m, codes = max(len(real), 1), max(len(other), 1), coder.size
    rows = 1 / m if noisy else 1 / m + 1 / n
    # a value inside a bin is known by the tree's noise too
    parts = math.hypot(counted, within) if isinstance(coder, Bins) else counted

    def share(p: float, q: float, s: float) -> bool:
        middle = (p + q) / 2  # a value that one table lacks may be rare in it by chance
        return abs(p - q) <= WIDTHS * math.sqrt(middle * (1 - middle) * rows + s**2 * (1 + codes * p**2) / n**2) + 1 / m

    out = {"missing": share(real.isna().mean(), other.isna().mean(), counted)}
    a, b = shares(real), shares(other)
    frequent = a.index[a > FREQUENT].union(b.index[b > FREQUENT])
    out |= {f"= {value}": share(a.get(value, 0.0), b.get(value, 0.0), parts) for value in frequent}
    if not column.numeric or isinstance(coder, Labels):
        return out
    x, y = (axis(values, column) / (DAY if days else 1) for values in (real, other))
    out["zero"] = share(float((x == 0).mean()), float((y == 0).mean()), parts)
    x, y = np.sort(x[~np.isnan(x)]), y[~np.isnan(y)]
    if not (len(x) and len(y)):
        return out | (dict.fromkeys(NUMBERS, False) if len(x) or len(y) else {})
    return out | _numbers_explained(x, y, coder, (counted, within), rows * n / len(x), 0.0 if days else column.step or 0.0)


def _numbers_explained(
    x: np.ndarray, y: np.ndarray, coder: Bins, sigmas: tuple[float, float], rows: float, step: float
) -> dict[str, bool]:
    found, other, n, (counted, within) = numbers(x), numbers(y), len(x), sigmas
    cell = np.clip(np.searchsorted(coder.edges, x, side="right") - 1, 0, len(coder.mass) - 1)
    code = np.searchsorted(coder.starts, cell, side="right") - 1
    held = np.bincount(code, minlength=len(coder.starts))
    there = held > 0
    first, second = (np.bincount(code, x**power, len(held))[there] / held[there] for power in (1, 2))
    mean, sd, s = found["mean"], found["sd"], counted / n
    inside = {
        "mean": abs(other["mean"] - mean) <= WIDTHS * math.sqrt(sd**2 * rows + s**2 * ((first - mean) ** 2).sum()) + step / 2
    }
    spread = (x - mean) ** 2 - sd**2
    moved = ((second - 2 * mean * first + mean**2 - sd**2) ** 2).sum()
    of_sd = math.sqrt(spread.var() * rows + s**2 * moved) / (2 * sd) if sd else 0.0
    inside["sd"] = abs(other["sd"] - sd) <= WIDTHS * of_sd + step / 2
    for name, p in QUANTILES.items():
        below = np.count_nonzero(there[: code[min(int(p * n), n - 1)] + 1])
        variance = p * (1 - p) * rows + s**2 * ((1 - p) ** 2 * below + p**2 * (there.sum() - below)) + (within / n) ** 2
        ends = np.clip(p + WIDTHS * math.sqrt(variance) * np.array([-1, 1]), 0, 1)
        at = np.clip(
            np.searchsorted(coder.edges, np.quantile(x, ends, method="inverted_cdf"), side="right") - 1, 0, len(coder.mass) - 1
        )
        inside[name] = coder.edges[at[0]] - step <= other[name] <= coder.edges[at[1] + 1]
    return {name: bool(value) for name, value in inside.items()}
