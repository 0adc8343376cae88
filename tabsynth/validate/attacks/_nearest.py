"""NOT PRIVATE. Nearest rows under L1 distance, exact and by brute force: the one costly step, done once for all attacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np

from tabsynth.validate.features import Encoded

NEIGHBOURS = 20
_BLOCK = 512
_SLACK = np.float32(1e-3)
"""More than rounding makes of a sum of distances."""
_THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of a table, for each query.

    Parameters
    ----------
    distances : ndarray of float64, shape (queries, k)
        Ascending; infinite where the table has no more rows.
    index : ndarray of int64, shape (queries, k)
        Row of the table; -1 where it has no more.
    """

    distances: np.ndarray
    index: np.ndarray


def nearest(queries: Encoded, table: Encoded, scaling: str, k: int = NEIGHBOURS) -> Neighbours:
    """The k rows of `table` nearest to each query: the L1 distance of the numbers plus 2 for every label that differs.

    Code -1 differs from every code of `table`. In single precision, from each column's median; O(queries x rows x columns) time.
    """
    distances = np.full((len(queries), k), np.inf, np.float32)
    index = np.full((len(queries), k), -1, np.int64)
    _in_parts(_nearest, queries, table, scaling, distances, index)
    return Neighbours(distances.astype(float), index)


def within(queries: Encoded, table: Encoded, scaling: str, radius: float) -> np.ndarray:
    """How many rows of `table` are nearer than `radius` to each query, shape (queries,)."""
    counts = np.zeros(len(queries), np.int64)
    _in_parts(_within, queries, table, scaling, np.full(len(queries), radius, np.float32), counts)
    return counts


def nearest_without(
    queries: Encoded, table: Encoded, scaling: str, owners: tuple[np.ndarray, np.ndarray], usable: np.ndarray
) -> Neighbours:
    """For each of some secrets, the row of `table` that is nearest to each query in all but the secret's own columns.

    One pass for all secrets: the same as `nearest` with k = 1 on the other columns, in the time of one search.

    Parameters
    ----------
    owners : (ndarray of int, ndarray of int)
        The secret to which each numeric column and each label column belongs; -1 for a column of none.
    usable : ndarray of bool, shape (secrets, rows)
        Rows that are sought among; the others are never the nearest.

    Returns
    -------
    Neighbours
        With a column for each secret.
    """
    distances = np.full((len(queries), len(usable)), np.inf, np.float32)
    index = np.full((len(queries), len(usable)), -1, np.int64)
    forbidden = np.where(usable, np.float32(0), np.finfo(np.float32).max)

    def scan(numbers, codes, rows_numbers, rows_codes, near, found):
        _without(numbers, codes, rows_numbers, rows_codes, *owners, forbidden, near, found)

    _in_parts(scan, queries, table, scaling, distances, index)
    return Neighbours(distances.astype(float), index)


def merged(parts: Sequence[Neighbours], starts: Sequence[int]) -> Neighbours:
    """The nearest rows of a table from those of its parts; `starts` is the first row of each part."""
    distances = np.hstack([p.distances for p in parts])
    index = np.hstack([np.where(p.index < 0, -1, p.index + start) for p, start in zip(parts, starts, strict=True)])
    order = np.argsort(distances, axis=1, kind="stable")[:, : parts[0].distances.shape[1]]
    return Neighbours(np.take_along_axis(distances, order, 1), np.take_along_axis(index, order, 1))


def nearest_of_others(queries: Encoded, asking: np.ndarray, table: Encoded, owners: np.ndarray, scaling: str) -> np.ndarray:
    """Distance from each query to the nearest row of `table` that its own unit does not hold; infinite where there is none.

    Parameters
    ----------
    asking, owners : ndarray of int, shape (queries,) and (rows,)
        The units of queries and rows; -1 for a row that no unit holds.
    """
    distances = np.full(len(queries), np.inf, np.float32)

    def scan(numbers, codes, rows_numbers, rows_codes, units, least):
        _of_others(numbers, codes, rows_numbers, rows_codes, owners, units, least)

    _in_parts(scan, queries, table, scaling, asking, distances)
    return distances.astype(float)


def within_both(
    first: tuple[Encoded, Encoded], second: tuple[Encoded, Encoded], scaling: str, radii: Sequence[np.ndarray]
) -> np.ndarray:
    """Whether some row of a table lies within a radius of a query in both of two sets of columns, shape (queries, radii).

    Parameters
    ----------
    first, second : (Encoded, Encoded)
        Queries and table, with one set of columns each.
    radii : (ndarray, ndarray)
        Of each query in the first and in the second set, shape (queries, radii).
    """
    asked, rows = _arrays(*second, scaling)
    out = np.zeros(radii[0].shape, bool)

    def scan(numbers, codes, rows_numbers, rows_codes, *parts):
        _both(numbers, codes, rows_numbers, rows_codes, *rows, *parts)

    _in_parts(scan, *first, scaling, *asked, *(np.ascontiguousarray(radius, np.float32) for radius in radii), out)
    return out


def _in_parts(scan: Callable, queries: Encoded, table: Encoded, scaling: str, *out: np.ndarray) -> None:
    """Run `scan`, which lets go of the interpreter, on shares of the queries; `out` is filled in place."""
    asked, rows = _arrays(queries, table, scaling)
    cuts = np.linspace(0, len(queries), 4 * _THREADS + 1).astype(int)
    with ThreadPoolExecutor(_THREADS) as pool:
        shares = [slice(*ends) for ends in pairwise(cuts)]
        list(pool.map(lambda part: scan(*(a[part] for a in asked), *rows, *(o[part] for o in out)), shares))


def _arrays(
    queries: Encoded, table: Encoded, scaling: str
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Numbers and codes of the queries, a row each, and of the table, a column each; codes as narrow as holds them and their number."""
    centre = np.median(table.numeric[scaling], axis=0) if len(table) else 0.0
    most = max(queries.codes.max(initial=0), table.codes.max(initial=0), queries.codes.shape[1])
    narrow = np.int8 if most <= np.iinfo(np.int8).max else np.int32
    asked, rows = ((part.numeric[scaling] - centre).astype(np.float32) for part in (queries, table))
    return (
        (np.ascontiguousarray(asked), np.ascontiguousarray(queries.codes, narrow)),
        (np.ascontiguousarray(rows.T), np.ascontiguousarray(table.codes.T, narrow)),
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _distances(numbers, codes, table_numbers, table_codes, start, out):
    """Distances of one query to a block of rows; the loops over rows are innermost, so that they run in vectors."""
    stop = start + len(out)
    out[:] = 0
    for c in range(len(numbers)):
        value, column = numbers[c], table_numbers[c][start:stop]
        for j in range(len(out)):
            out[j] += abs(value - column[j])
    differ = np.zeros(len(out), table_codes.dtype)  # narrow: many in one vector
    for c in range(len(codes)):
        code, labels = codes[c], table_codes[c][start:stop]
        for j in range(len(out)):
            differ[j] += labels[j] != code
    for j in range(len(out)):
        out[j] += np.float32(2) * np.float32(differ[j])


@numba.njit(cache=True, nogil=True)
def _nearest(numbers, codes, table_numbers, table_codes, distances, index):
    rows, k = table_codes.shape[1], distances.shape[1]
    block = np.empty(_BLOCK, np.float32)
    for start in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - start)
        near = block[:size]
        for i in range(len(numbers)):
            _distances(numbers[i], codes[i], table_numbers, table_codes, start, near)
            for j in range(size):
                if near[j] < distances[i, k - 1]:
                    at = k - 1
                    while at > 0 and distances[i, at - 1] > near[j]:
                        distances[i, at], index[i, at] = distances[i, at - 1], index[i, at - 1]
                        at -= 1
                    distances[i, at], index[i, at] = near[j], start + j


@numba.njit(cache=True, nogil=True, fastmath=True)
def _parts(numbers, codes, table_numbers, table_codes, number_owners, code_owners, start, parts, total):
    """Parts of the distances of one query to a block of rows: row 0, of columns of no secret; row s + 1, of those of secret s; and their sum."""
    size = len(total)
    parts[:] = 0
    for c in range(len(numbers)):
        value, column, part = numbers[c], table_numbers[c][start : start + size], parts[number_owners[c] + 1][:size]
        for j in range(size):
            part[j] += abs(value - column[j])
    for c in range(len(codes)):
        code, labels, part = codes[c], table_codes[c][start : start + size], parts[code_owners[c] + 1][:size]
        for j in range(size):
            part[j] += np.float32(2) * np.float32(labels[j] != code)
    total[:] = 0
    for s in range(len(parts)):
        part = parts[s][:size]
        for j in range(size):
            total[j] += part[j]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _nearer(total, part, forbidden, bound):
    """How many distances without a part are below a bound, those forbidden aside; as good as the sum is rounded."""
    found = np.int32(0)
    for j in range(len(total)):
        found += np.int32(total[j] - part[j] + forbidden[j] < bound)
    return found


@numba.njit(cache=True, nogil=True, fastmath=True)
def _others(parts, without, out):
    """Distances as sums of all parts but one, so that equal rows are at distance 0."""
    out[:] = 0
    for s in range(len(parts)):
        if s != without:
            part = parts[s][: len(out)]
            for j in range(len(out)):
                out[j] += part[j]


@numba.njit(cache=True, nogil=True)
def _without(numbers, codes, table_numbers, table_codes, number_owners, code_owners, forbidden, distances, index):
    rows, secrets = table_codes.shape[1], len(forbidden)
    parts, total, near = np.empty((secrets + 1, _BLOCK), np.float32), np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    for start in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - start)
        for i in range(len(numbers)):
            _parts(numbers[i], codes[i], table_numbers, table_codes, number_owners, code_owners, start, parts, total[:size])
            for s in range(secrets):
                apart = forbidden[s][start : start + size]
                if not _nearer(total[:size], parts[s + 1], apart, distances[i, s] + _SLACK):
                    continue
                _others(parts, s + 1, near[:size])
                for j in range(size):
                    if near[j] < distances[i, s] and apart[j] == 0:
                        distances[i, s], index[i, s] = near[j], start + j


@numba.njit(cache=True, nogil=True)
def _within(numbers, codes, table_numbers, table_codes, radius, counts):
    rows = table_codes.shape[1]
    block = np.empty(_BLOCK, np.float32)
    for start in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - start)
        near = block[:size]
        for i in range(len(numbers)):
            _distances(numbers[i], codes[i], table_numbers, table_codes, start, near)
            for j in range(size):
                counts[i] += near[j] < radius[i]


@numba.njit(cache=True, nogil=True)
def _of_others(numbers, codes, table_numbers, table_codes, owners, asking, distances):
    rows = table_codes.shape[1]
    block = np.empty(_BLOCK, np.float32)
    for start in range(0, rows, _BLOCK):
        size = min(_BLOCK, rows - start)
        near = block[:size]
        for i in range(len(numbers)):
            _distances(numbers[i], codes[i], table_numbers, table_codes, start, near)
            least, unit = distances[i], asking[i]
            for j in range(size):
                if near[j] < least and owners[start + j] != unit:
                    least = near[j]
            distances[i] = least


@numba.njit(cache=True, nogil=True)
def _both(numbers, codes, rows, labels, other_rows, other_labels, other_numbers, other_codes, radii, other_radii, out):
    here, there = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    for start in range(0, labels.shape[1], _BLOCK):
        size = min(_BLOCK, labels.shape[1] - start)
        near, other = here[:size], there[:size]
        for i in range(len(codes)):
            if out[i, 0]:
                continue
            _distances(numbers[i], codes[i], rows, labels, start, near)
            _distances(other_numbers[i], other_codes[i], other_rows, other_labels, start, other)
            for j in range(size):
                for k in range(out.shape[1]):
                    if near[j] <= radii[i, k] and other[j] <= other_radii[i, k]:
                        out[i, k] = True
