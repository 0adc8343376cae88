"""NOT PRIVATE. Distances to the nearest synthetic and reference rows, computed once for all attacks and scalings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from tabsynth.validate.features import SCALINGS, Encoded

NEIGHBOURS = 5
_CELLS = 2**19
_GROUP = 32


@dataclass(frozen=True)
class Near:
    """What the attacks know about the challenge rows; distances are L1, infinite where there is no such row.

    Parameters
    ----------
    synthetic : ndarray, shape (rows, NEIGHBOURS)
        Distances to the nearest synthetic rows, ascending.
    reference : ndarray, shape (rows,)
        Distance to the nearest reference row.
    """

    synthetic: np.ndarray
    reference: np.ndarray


def measure(queries: Encoded, synthetic: Encoded, reference: Encoded) -> dict[str, tuple[Near, Near]]:
    """For each scaling: distances for the attacks, and the same with one half of the reference rows in the synthetic rows' place.

    The halves are the first and the second, so the reference rows must be in random order.
    """
    to_synthetic = search(queries, synthetic, [slice(None)])
    half = len(reference) // 2
    to_reference = search(queries, reference, [slice(half), slice(half, None)])
    out = {}
    for scaling in SCALINGS:
        fake, other = to_reference[scaling]
        near = Near(to_synthetic[scaling][0], np.minimum(fake[:, 0], other[:, 0]))
        out[scaling] = near, Near(fake, other[:, 0])
    return out


def search(
    queries: Encoded, table: Encoded, parts: Sequence[slice], scalings: Sequence[str] = SCALINGS
) -> dict[str, list[np.ndarray]]:
    """For each scaling and part of the table, the L1 distances to the nearest rows, shape (queries, NEIGHBOURS).

    Exact, by brute force in blocks: O(queries x rows x columns) time.
    """
    step = max(1, _CELLS // max(len(table), 1))
    blocks = [slice(start, start + step) for start in range(0, len(queries), step)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda rows: _block(queries[rows], table, parts, scalings), blocks))
    empty = [np.zeros((0, NEIGHBOURS))]
    return {s: [np.vstack([block[s][p] for block in found] or empty) for p in range(len(parts))] for s in scalings}


def _block(queries: Encoded, table: Encoded, parts: Sequence[slice], scalings: Sequence[str]) -> dict[str, list[np.ndarray]]:
    from scipy.spatial.distance import cdist

    differ = np.zeros((len(queries), len(table)), np.uint16)
    for query, codes in zip(queries.codes.T, table.codes.T, strict=True):
        differ += query[:, None] != codes[None, :]
    out = {}
    for scaling in scalings:
        distances = 2.0 * differ
        if queries.numeric[scaling].shape[1]:
            distances += cdist(queries.numeric[scaling], table.numeric[scaling], "cityblock")
        out[scaling] = [_smallest(distances[:, part]) for part in parts]
    return out


def _smallest(distances: np.ndarray) -> np.ndarray:
    """The smallest distances of each row, ascending, filled up with infinity.

    Columns are put into groups: those of the groups with the smallest minima hold the smallest values.
    """
    groups = distances.shape[1] // _GROUP
    if groups > NEIGHBOURS:
        grouped = distances[:, : groups * _GROUP].reshape(len(distances), _GROUP, groups)
        best = np.argpartition(grouped.min(axis=1), NEIGHBOURS - 1, axis=1)[:, None, :NEIGHBOURS]
        few = np.take_along_axis(grouped, best, axis=2).reshape(len(distances), -1)
        distances = np.hstack([few, distances[:, groups * _GROUP :]])
    missing = max(0, NEIGHBOURS - distances.shape[1])
    return np.pad(np.sort(distances, axis=1)[:, :NEIGHBOURS], ((0, 0), (0, missing)), constant_values=np.inf)
