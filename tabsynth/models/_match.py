"""Correlations whose sample has the cross-products that were measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.models import _tree
from tabsynth.models._tree import Tree

FLOOR = 1e-4
"""Every correlation matrix is mixed with that much of the identity, so that it can be factored."""
STALLED, PATIENCE, GRADIENT_STEP, STEEPEST = 0.99, 4, 0.05, 0.99
"""An iteration that leaves more than that share of the loss has stalled. After some of them the search goes over from Newton steps to
gradient steps; after some more it ends."""
_ROWS, _LEAST, _CELLS = 30_000, 8_000, 25_000_000
_WORK = 10_000
"""Fewer rows are simulated, and fewer times, the more variables there are."""


class Column:
    """A column while its correlations are matched.

    Parameters
    ----------
    tree : Tree
    combine : ndarray, shape (scores, variables)
        Turns scores into contrasts, one for each variable of the tree.
    scores : ndarray, shape (codes, scores)
    share : ndarray, shape (codes,)
    """

    def __init__(self, tree: Tree, combine: np.ndarray, scores: np.ndarray, share: np.ndarray) -> None:
        self.tree = tree
        self.combine = combine
        self.contrasts = (scores @ combine).astype(np.float32)
        self.squares = (scores**2).sum(axis=1)
        self.slopes = np.maximum(share @ (self.contrasts * tree.expectations()), 1e-6)


def match(
    columns: Sequence[Column],
    gram: np.ndarray,
    limit: float,
    *,
    doubt: float,
    step: float,
    iterations: int,
    rng: np.random.Generator,
    progress: Callable[[float], None],
) -> np.ndarray:
    """Cholesky factor of the correlation matrix whose sample comes closest to the measured cross-products.

    A split's contrast has covariance `slope` with its own variable, so two contrasts respond to a small correlation r of their
    variables with ``slope_i * slope_j * r``. Each iteration draws a sample (always from the same normal numbers), takes `step` of the
    damped Newton step that this suggests, and returns to the correlation matrices: eigenvalues are cut off at 0 in the
    metric of the slopes (Higham, IMA J. Numer. Anal. 2002, section 3, weighted norm, one step of the alternation), and each column's
    variables made uncorrelated and of variance 1 again. Where that cone binds, this ends beside the optimum, since a large correlation
    moves the sample more than its Newton step allows for; so gradient steps of adapted length follow. The best matrix met is returned.

    Parameters
    ----------
    columns : sequence of Column
    gram : ndarray, shape (scores, scores)
        Mean cross-products of the scores; blocks of a column with itself are ignored.
    limit : float
        Longer rows of scores (squared) were shortened to that.
    doubt : float
        Standard deviation of an entry of `gram` over that of a correlation, before anything is known.
    step, iterations : float, int
    rng : Generator
    progress : callable

    Returns
    -------
    ndarray of float32, shape (variables, variables)
    """
    ends = np.cumsum([0, *(c.tree.variables for c in columns)])
    spans = [slice(a, b) for a, b in itertools.pairwise(ends)]
    size = int(ends[-1])
    if size == 0:
        return np.zeros((0, 0), dtype=np.float32)
    slopes = np.concatenate([c.slopes for c in columns])
    owner = np.repeat(np.arange(len(columns)), np.diff(ends))
    across = owner[:, None] != owner
    target = _combined(columns, spans, gram)
    half = rng.standard_normal((min(_ROWS, max(_LEAST, _CELLS // size)) // 2, size), dtype=np.float32)
    base = np.concatenate([half, -half])
    matrix, best, newton, stalls = np.eye(size), _Fit(), True, 0
    iterations = min(iterations, max(4, _WORK // size))
    for i in range(iterations + 1):
        factor = np.linalg.cholesky(matrix).astype(np.float32)
        gap = np.where(across, target - _simulated(columns, base @ factor.T, limit, rng), 0.0)
        fit = _Fit(float((gap**2).sum()), matrix, factor, gap)
        stalled, worse = fit.loss > STALLED * best.loss, not fit.loss < best.loss
        best = best if worse else fit
        stalls += stalled
        if i == iterations or stalls == 4 * PATIENCE:
            break
        if newton and stalls == PATIENCE:
            newton, step = False, GRADIENT_STEP
        elif newton:
            step = step / 2 if stalled else step
        else:
            step = step / 3 if worse else step * 1.2
        pull = _pull(best, slopes, np.where(across, best.matrix, 0.0), doubt, steep=not newton)
        matrix = _correlation(best.matrix + step * pull, slopes, spans)
        progress(i / iterations)
    return best.factor


@dataclass(frozen=True)
class _Fit:
    """A correlation matrix, its factor, and how far its sample is from what was measured."""

    loss: float = math.inf
    matrix: np.ndarray | None = None
    factor: np.ndarray | None = None
    gap: np.ndarray | None = None


def _pull(fit: _Fit, slopes: np.ndarray, inner: np.ndarray, doubt: float, *, steep: bool) -> np.ndarray:
    """Where the correlations between columns, `inner`, should move; `steep`: with their response, (1 - r**2)**-0.5 times that at 0."""
    response = np.outer(slopes, slopes)
    growth = (1 - np.minimum(inner**2, STEEPEST)) ** -0.5 if steep else 1.0
    return (growth * response * fit.gap - doubt**2 * inner) / (response**2 + doubt**2)


def _combined(columns: Sequence[Column], spans: Sequence[slice], gram: np.ndarray) -> np.ndarray:
    """Cross-products of the contrasts from those of the scores."""
    ends = np.cumsum([0, *(len(c.combine) for c in columns)])
    half = np.zeros((len(gram), spans[-1].stop))
    for c, span, start, end in zip(columns, spans, ends[:-1], ends[1:], strict=True):
        half[:, span] = gram[:, start:end] @ c.combine
    out = np.zeros((spans[-1].stop,) * 2)
    for c, span, start, end in zip(columns, spans, ends[:-1], ends[1:], strict=True):
        out[span] = c.combine.T @ half[start:end]
    return out


def _simulated(columns: Sequence[Column], z: np.ndarray, limit: float, rng: np.random.Generator) -> np.ndarray:
    """Mean cross-products of the contrasts in a sample, its long rows shortened."""
    codes = _tree.codes([c.tree for c in columns], z, rng)
    contrasts = np.concatenate([c.contrasts[codes[:, i]] for i, c in enumerate(columns)], axis=1)
    squares = sum(c.squares[codes[:, i]] for i, c in enumerate(columns))
    contrasts *= np.sqrt(limit / np.maximum(squares, limit))[:, None].astype(np.float32)
    return (contrasts.T @ contrasts).astype(np.float64) / len(z)


def _correlation(matrix: np.ndarray, slopes: np.ndarray, spans: Sequence[slice]) -> np.ndarray:
    """A correlation matrix close to a symmetric one in the metric of the slopes."""
    metric = np.outer(slopes, slopes)
    values, vectors = np.linalg.eigh(matrix * metric)
    if values[0] < 0:
        matrix = (vectors * np.maximum(values, 0)) @ vectors.T / metric
    matrix = (1 - FLOOR) * matrix + FLOOR * np.eye(len(matrix))
    whiten = np.zeros_like(matrix)
    for span in spans:
        own, axes = np.linalg.eigh(matrix[span, span])
        whiten[span, span] = (axes / np.sqrt(np.maximum(own, FLOOR**2))) @ axes.T
    matrix = whiten @ matrix @ whiten
    return (matrix + matrix.T) / 2
