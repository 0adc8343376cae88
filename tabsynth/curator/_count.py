"""Many contingency tables in one pass over a stream of codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numba
import numpy as np


def count(chunks: Iterable[np.ndarray], cliques: Sequence[Sequence[int]], shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Count the rows of `chunks` into one table per clique.

    Parameters
    ----------
    chunks : iterable of ndarray of int32, shape (columns, rows)
    cliques : sequence of sequences of column indices
    shapes : sequence of tuples
        Number of codes of each of a clique's columns.

    Returns
    -------
    list of ndarray of int64
    """
    sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    width = max(map(len, cliques), default=0)
    columns = np.full((len(cliques), width), -1, dtype=np.int64)
    strides = np.zeros((len(cliques), width), dtype=np.int64)
    for q, (clique, shape) in enumerate(zip(cliques, shapes, strict=True)):
        columns[q, : len(clique)] = clique
        strides[q, : len(clique)] = [int(np.prod(shape[j + 1 :], dtype=np.int64)) for j in range(len(clique))]
    out = np.zeros(offsets[-1], dtype=np.int64)
    for chunk in chunks:
        _add(np.ascontiguousarray(chunk, dtype=np.int32), columns, strides, offsets, out)
    return [out[start : start + size].reshape(shape) for start, size, shape in zip(offsets, sizes, shapes, strict=False)]


@numba.njit(cache=True, nogil=True)
def _add(codes, columns, strides, offsets, out):
    rows = codes.shape[1]
    index = np.empty(rows, dtype=np.int64)
    for q in range(columns.shape[0]):
        index[:] = offsets[q]
        for j in range(columns.shape[1]):
            if columns[q, j] >= 0:
                column = codes[columns[q, j]]
                stride = strides[q, j]
                for r in range(rows):
                    index[r] += stride * column[r]
        for r in range(rows):
            out[index[r]] += 1
