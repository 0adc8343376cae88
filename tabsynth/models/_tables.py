"""Post-processing of noisy tables that several models share: no privacy is spent here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tabsynth.access import MAX_ROWS, Attrs, Candidate, Marginal
from tabsynth.simplex import nonnegative, standing_out

TINY = 1e-12


def total(marginals: Sequence[Marginal]) -> float:
    """Number of rows: the noisy tables' sums, weighted by inverse variance (sigma**2 per cell); from 1 to `MAX_ROWS`."""
    variances = np.array([m.sigma**2 * m.counts.size for m in marginals])
    sums = np.array([m.counts.sum() for m in marginals], dtype=float)
    return min(max(1.0, float(np.average(sums, weights=1 / variances))), float(MAX_ROWS))


def distribution(marginal: Marginal, ordered: int = 0) -> np.ndarray:
    """The probability table closest to a noisy one in L2; of one column, stretches of its first `ordered` codes are empty that do not stand out."""
    counts = emptied(marginal.counts, marginal.sigma, ordered)
    return counts / counts.sum()


def emptied(noisy: np.ndarray, sigma: float, ordered: int) -> np.ndarray:
    """`nonnegative`, after stretches of the first `ordered` codes were emptied that do not stand out from the noise."""
    counts = noisy.astype(float)
    if ordered:
        counts[:ordered] = standing_out(counts[:ordered], sigma)
    return nonnegative(counts)


def column_shares(marginals: Sequence[Marginal], column: str) -> np.ndarray:
    """One column's distribution from all noisy tables that hold it, weighted by the inverse variance of their sums."""
    counts = nonnegative(column_counts([(m, m.attrs.index(column)) for m in marginals if column in m.attrs])[0])
    return counts / counts.sum()


def column_counts(tables: Sequence[tuple[Marginal, int]]) -> tuple[np.ndarray, float]:
    """A column's counts from noisy tables, each with the axis that is the column, weighted by the inverse variance of their sums; and what noise is left."""
    sums = [m.counts.sum(axis=tuple(k for k in range(m.counts.ndim) if k != axis)) for m, axis in tables]
    weights = [len(s) / (m.sigma**2 * m.counts.size) for s, (m, _) in zip(sums, tables, strict=True)]
    return np.average(sums, axis=0, weights=weights), sum(weights) ** -0.5


def candidates(attrs: Sequence[Attrs], expected: Sequence[np.ndarray]) -> list[Candidate]:
    """Tables whose distance to the real ones may be asked for: what is expected of them, in whole counts."""
    return [Candidate(a, np.rint(e).astype(np.int64)) for a, e in zip(attrs, expected, strict=True)]


def chance_distance(expected: np.ndarray, variance: np.ndarray | None = None) -> float:
    """L1 distance between whole counts drawn independently around `expected` and its rounding: what chance alone gives.

    `variance`, of the difference in each cell, is that of the counts (`expected`) unless given.
    """
    variance = expected if variance is None else variance
    return float(np.where(expected < 0.5, expected, np.sqrt(2 * variance / math.pi)).sum())


def split(budget: float, sizes: Sequence[int]) -> list[float]:
    """Share a budget so that the summed L1 noise is least: sigma ~ size**(-1/3), so cost ~ size**(2/3)."""
    weight = np.array(sizes, dtype=float) ** (2 / 3)
    return list(budget * weight / weight.sum())


def draw(probability: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """`rows` codes whose frequencies are the probabilities up to one row each (systematic sampling), in random order."""
    cumulative = np.cumsum(probability)
    at = (np.arange(rows) + rng.random()) / max(rows, 1) * cumulative[-1]
    return rng.permutation(np.minimum(np.searchsorted(cumulative, at, side="right"), len(cumulative) - 1))


def coarse(share: np.ndarray, ordered: int, most: int) -> np.ndarray:
    """Group a column's codes into about `most` groups, as fine in the tails as in the middle.

    The first `ordered` codes lie in an order and are cut at evenly spaced logits of their cumulative share, from 2 / most**2 to one minus
    that; each further code is a group. Of a column without an order, the most frequent codes stay alone and the rest are one group.

    Parameters
    ----------
    share : ndarray of float64, shape (codes,)
    ordered : int
    most : int
        At least 4.

    Returns
    -------
    ndarray of int64, shape (codes,)
        The group of each code, numbered from 0.
    """
    if not ordered:
        rank = np.argsort(np.argsort(-share, kind="stable"))
        return np.minimum(rank, most - 1)
    inner = share[:ordered] / max(share[:ordered].sum(), TINY)
    end = math.log(most**2 / 2 - 1)
    cuts = 1 / (1 + np.exp(-np.linspace(-end, end, most - 1)))
    group = np.searchsorted(cuts, np.cumsum(inner) - inner / 2)
    return np.unique(np.append(group, most + np.arange(len(share) - ordered)), return_inverse=True)[1]
