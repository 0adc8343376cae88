"""NOT PRIVATE. Whether the two halves of a record meet in one row of a table: a row that is among the nearest to both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.validate.attacks._nearest import nearest, within_both
from tabsynth.validate.features import Encoded

_SLACK = 1e-5
"""Distances that differ by less, relative to their size, are equal: single precision tells no more."""

Half = tuple[Encoded, Encoded]
"""Some columns of the queries and of the table."""


def met(first: Half, second: Half, scaling: str, counts: Sequence[int]) -> np.ndarray:
    """Whether some row of the table is among the k nearest to a query in both halves of the columns, shape (counts, queries).

    Rows that are as near as the k-th nearest are all among the k nearest: which of them comes first in the table says nothing.

    Parameters
    ----------
    first, second : (Encoded, Encoded)
        Queries and table, with some of the columns each.
    counts : sequence of int
        Each k, ascending.
    """
    halves, most = (first, second), counts[-1]
    near = [nearest(*half, scaling, most + 1) for half in halves]
    radii = [np.ascontiguousarray(n.distances[:, np.array(counts) - 1].T * (1 + _SLACK) + _SLACK, np.float32) for n in near]
    out = np.zeros((len(counts), len(first[0])), bool)
    left = np.ones(len(first[0]), bool)
    for which, (here, radius) in enumerate(zip(near, radii, strict=True)):
        alone = left & ~(here.distances[:, most] <= radius[-1])  # no ties beyond the list: a row that links is on it
        candidates, there = here.index[alone][:, :most], halves[1 - which]
        other = _between(there[0][alone], there[1], candidates, scaling)
        for k in range(len(counts)):
            both = (here.distances[alone][:, :most] <= radius[k, alone, None]) & (other <= radii[1 - which][k, alone, None])
            out[k, alone] = both.any(axis=1)
        left &= ~alone
    if left.any():
        parts = [(queries[left], table) for queries, table in halves]  # many rows are equally near in both halves
        out[:, left] = within_both(*parts, scaling, [radius[:, left].T for radius in radii]).T
    return out


def _between(queries: Encoded, table: Encoded, rows: np.ndarray, scaling: str) -> np.ndarray:
    """Distances of each query to some rows of the table of its own, shape (queries, rows); infinite for row -1."""
    numbers = np.abs(queries.numeric[scaling][:, None] - table.numeric[scaling][rows]).sum(axis=2)
    labels = (queries.codes[:, None] != table.codes[rows]).sum(axis=2)
    return np.where(rows < 0, np.inf, numbers + 2 * labels)
