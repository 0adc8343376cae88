"""Noisy counts of cells -> masses that are zero where nothing stands out. Post-processing: it spends no privacy.

Cutting noisy counts at zero gives every empty cell the positive half of its noise, and a wide range has many empty cells. Here a cell
keeps mass because its count, or that of a stretch of cells it lies in, is clear of the noise, or because it borders on such cells and
continues them; the rest is empty.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.optimize import isotonic_regression

from tabsynth.curator._estimate import EMPTY
from tabsynth.simplex import projected

RARELY = 1e-3
"""How probable it may be that anything stands out in an empty table, taken over all its cells together."""
BORDER = 2.0
"""Standard deviations of noise above which a cell next to one that holds something counts as holding something too."""
BESIDE = 3.5
"""The same for several cells together, of which the outer ones may lie far off."""
NEAR = 2.0
"""A gap between cells that hold something is closed if it is at most that many times as wide as they are together."""
FALLS, DOUBT = 0.6, 0.5
"""A tail that falls from cell to cell by `FALLS` at least goes on beyond the last cell that stands out, up to that relative error."""
BENDS = (0.4, 0.8)
"""How much faster a tail falls from each cell to the next. One that bends more than that is short: what lies beyond is no more than noise."""
POINT = 1e-6
"""A part that is that much less likely than the likeliest is a single value among them: it stands out or holds nothing."""
MISFIT = 3.0
"""Standard deviations that the squared differences of parts from a tail that falls may exceed their mean."""
BEYOND, UNSEEN = 3, 3.0


def threshold(tests: int, chance: float = RARELY) -> float:
    """Standard deviations that the largest of so many Gaussians exceeds with at most that probability."""
    return math.sqrt(2 * math.log(max(tests, 1) / chance))


def standing(counts: np.ndarray, sigma: float, even: bool = False) -> np.ndarray:
    """Which cells of a row of cells hold something.

    A cell, or a stretch of 2, 4, 8, ... cells, stands out if its count exceeds the noise of all of them at level `RARELY`. Cells that
    border on those and continue them (`BORDER`) are taken in, one after another; so are stretches (`BESIDE`) if the cells are `even`.

    Parameters
    ----------
    counts : ndarray of numbers, shape (m,)
    sigma : float
    even : bool
        Whether they are of one width: else, stretches may reach far.

    Returns
    -------
    ndarray of bool, shape (m,)
        Nowhere true if nothing stands out.
    """
    m = len(counts)
    widths = 2 ** np.arange(1 + math.floor(math.log2(max(m, 1))))
    z = threshold(m * len(widths))
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    kept = counts > z * sigma
    for width in widths[1:]:
        stretch = sums[width:] - sums[:-width]
        clear = np.where([kept[i : i + width].any() for i in range(len(stretch))], -np.inf, stretch)
        if len(clear) and clear.max() > z * sigma * math.sqrt(width):
            at = int(np.argmax(clear))
            kept[at : at + width] = True
    for side in (slice(None), slice(None, None, -1)):
        _continue(kept[side], counts[side], sigma, widths if even else widths[:1])
    return kept


def _continue(kept: np.ndarray, counts: np.ndarray, sigma: float, widths: np.ndarray) -> None:
    """Take in what follows the kept cells and continues them, in place: one after another, the shortest stretch that does."""
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    for at in range(1, len(kept)):
        if kept[at - 1] and not kept[at]:
            for width in widths[widths <= len(kept) - at]:
                if sums[at + width] - sums[at] > (BORDER if width == 1 else BESIDE) * sigma * math.sqrt(width):
                    kept[at : at + width] = True
                    break


def filled(counts: np.ndarray, kept: np.ndarray, edges: np.ndarray, sigma: float) -> np.ndarray:
    """Masses of a row of cells of which some are `kept`: those share the total; narrow gaps and falling tails hold what is likely.

    A gap that is narrow beside its neighbours (`NEAR`) holds what its cells hold together, spread by width. A tail that falls goes
    on falling, as far as the counts allow (`continued`).

    Parameters
    ----------
    counts, kept : ndarray, shape (m,)
    edges : ndarray of float64, shape (m + 1,)
    sigma : float

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    kept, given, width, at = kept.copy(), counts.astype(float), np.diff(edges), np.flatnonzero(kept)
    for a, b in itertools.pairwise(at):
        if b - a > 1 and edges[b] - edges[a + 1] <= NEAR * (width[a] + width[b]):
            gap = slice(a + 1, b)
            kept[gap] = True
            given[gap] = max(counts[gap].sum(), 0.0) * width[gap] / width[gap].sum()
    out = np.zeros(len(counts))
    out[kept] = projected(given[kept], max(given[kept].sum(), 1.0))
    for side in (slice(None), slice(None, None, -1)):
        continued(out[side], counts[side], sigma)
    return out


def continued(mass: np.ndarray, counts: np.ndarray, sigma: float) -> None:
    """Let a tail go on beyond the last cell with mass, in place, for up to `BEYOND` cells.

    Each cell holds of the one before what that holds of its own predecessor, or less if that share was falling; this expectation, of
    relative error `DOUBT`, is weighed against the cell's noisy count. Where so much is expected that the cell should have stood out
    (`UNSEEN` standard deviations), the tail ends.
    """
    held = np.flatnonzero(mass)
    if len(held) < 3 or (np.diff(held[-3:]) > 1).any():
        return
    a, b, c = mass[held[-3:]]
    ratio, bend = c / b, min(c / b / (b / a), BENDS[1])
    if bend < BENDS[0]:
        return
    for i in range(held[-1] + 1, min(held[-1] + 1 + BEYOND, len(mass))):
        ratio *= bend
        if not ratio <= FALLS:
            return
        expected = mass[i - 1] * ratio
        if not 1e-9 < expected <= UNSEEN * sigma:
            return
        precision = 1 / (DOUBT * expected) ** 2
        mass[i] = np.clip((counts[i] / sigma**2 + expected * precision) / (1 / sigma**2 + precision), 0, 2 * expected)


def plausible(counts: np.ndarray, sigma: float, prior: np.ndarray) -> np.ndarray:
    """The likeliest stretch of cells where none stands out: `prior` holds each cell's log-odds before the counts are seen."""
    m = len(counts)
    best, found = -np.inf, (0, m)
    sums, before = np.concatenate([[0.0], np.cumsum(counts)]), np.concatenate([[0.0], np.cumsum(prior)])
    for width in range(1, min(m, 12) + 1):
        stretch = np.maximum(sums[width:] - sums[:-width], 0)
        score = stretch**2 / (2 * width * sigma**2) + (before[width:] - before[:-width]) / width
        if score.max() > best:
            best, at = score.max(), int(np.argmax(score))
            found = (at, at + width)
    out = np.zeros(m, dtype=bool)
    out[slice(*found)] = True
    return out


def children(
    measured: np.ndarray, expected: np.ndarray, parent: float, spread: float, sigma: float, falls: int = 0
) -> np.ndarray:
    """Estimates of the parts of a cell that was found to hold `parent`, with noise `spread`: non-negative, and they sum to the whole.

    The whole is told by the parent and by the sum of the m parts, weighted by their precision. Parts that stand out from what is
    `expected` (shares, of sum 1, that the neighbouring cells tell) keep their count. The others' deviations from that are shrunk by the
    positive-part James-Stein factor (Efron and Morris, JASA 1973, section 2), which leaves clear structure alone and removes what could
    be noise, and projected. Where nothing lies beyond the cell, above it (`falls` is 1) or below (-1), they are drawn to a tail that
    falls, if they may be one.
    """
    m = len(measured)
    precision = np.array([1 / spread**2, 1 / (m * sigma**2)])
    total = max(float(np.array([parent, measured.sum()]) @ precision / precision.sum()), 0.0)
    out = np.zeros(m)
    clear = measured - total * expected > threshold(m, 0.05) * sigma
    out[clear] = measured[clear]
    soft = ~clear & (expected > POINT * expected.max())
    if not clear.any():
        rest, least = total, 0.0
    else:  # what the parent leaves, and what the soft parts count themselves
        precision = np.array([1 / (spread**2 + clear.sum() * sigma**2), 1 / (max(soft.sum(), 1) * sigma**2)])
        rest = float(np.array([parent - out.sum(), measured[soft].sum()]) @ precision / precision.sum())
        least = EMPTY * precision.sum() ** -0.5
    if not soft.any() or rest <= least:
        return out * (total / out.sum()) if clear.any() else total * expected
    out[soft] = _shrunk(measured[soft], rest * expected[soft] / expected[soft].sum(), sigma, falls)
    return out * (total / out.sum())


def _shrunk(measured: np.ndarray, expected: np.ndarray, sigma: float, falls: int) -> np.ndarray:
    """Counts drawn towards what is expected, of the same sum."""
    m, total = len(measured), float(expected.sum())
    fitted = _falling(measured, sigma, falls) if falls else measured
    noisy, likely = (counts + (total - counts.sum()) / m - expected for counts in (measured, fitted))
    spread = float(noisy @ noisy)
    factor = max(0.0, 1 - (m - 3) * sigma**2 / spread) if m > 3 and spread > 0 else 1.0
    return projected(expected + factor * likely, total)


def _falling(measured: np.ndarray, sigma: float, falls: int) -> np.ndarray:
    """The closest counts that fall from part to part, upwards (1) or downwards (-1); as measured, where noise does not explain the difference.

    Noise of single parts beyond the end of a tail then hardly counts, for it is averaged over all of them.
    """
    fitted = isotonic_regression(measured, increasing=falls < 0).x
    m, apart = len(measured), float(((measured - fitted) ** 2).sum()) / sigma**2
    return fitted if apart < m + MISFIT * math.sqrt(2 * m) else measured
