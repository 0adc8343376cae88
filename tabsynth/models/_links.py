"""Jumps between parts of a field that single steps cannot leave.

Where an amount is zero exactly if there was no event, a row cannot change one of the two columns alone: it would have to pass a cell that
is empty. A jump changes all columns of such a link at once, and Metropolis and Hastings' rule keeps the field as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


class Link:
    """Columns whose codes fall into parts, so that (nearly) all rows have codes of one part in all of them.

    Parameters
    ----------
    columns : sequence of int
    parts : sequence of ndarray of int64, shape (codes,)
        For each column, the part of each code, numbered from 0; -1 for a code whose part some column lacks.
    shares : sequence of ndarray, shape (codes,)
        For each column, positive shares by which codes are offered.
    """

    def __init__(self, columns: Sequence[int], parts: Sequence[np.ndarray], shares: Sequence[np.ndarray]) -> None:
        self.columns = list(columns)
        self._parts = list(parts)
        held = np.stack(
            [np.bincount(p[p >= 0], s[p >= 0], max(map(np.max, parts)) + 1) for p, s in zip(parts, shares, strict=True)]
        )
        self._weight = held.mean(axis=0) / held.mean(axis=0).sum()
        self._codes = [np.argsort(p, kind="stable")[np.count_nonzero(p < 0) :] for p in parts]
        self._ends = [np.cumsum(s[c]) for s, c in zip(shares, self._codes, strict=True)]
        self._starts = np.cumsum(held, axis=1) - held
        self._held = held
        self._log = [
            np.log(self._weight[p] * s / h[p]) if k == 0 else np.log(s / h[p])
            for k, (p, s, h) in enumerate(zip(parts, shares, held, strict=True))
        ]

    def part(self, codes: np.ndarray) -> np.ndarray:
        """The part of each row, -1 where its columns do not agree; `codes` has this link's columns alone."""
        parts = np.stack([p[codes[:, k]] for k, p in enumerate(self._parts)])
        return np.where((parts == parts[0]).all(axis=0), parts[0], -1)

    def log_share(self, codes: np.ndarray) -> np.ndarray:
        """Log-probability with which `offer` gives these rows, all of one part each."""
        return sum(log[codes[:, k]] for k, log in enumerate(self._log))

    def offer(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """A part for each row, and in it a code for each column, independently."""
        part = np.minimum(np.searchsorted(np.cumsum(self._weight), rng.random(rows), side="right"), len(self._weight) - 1)
        out = np.empty((rows, len(self.columns)), dtype=np.int32)
        for k, (codes, ends) in enumerate(zip(self._codes, self._ends, strict=True)):
            at = np.searchsorted(ends, self._starts[k][part] + rng.random(rows) * self._held[k][part], side="right")
            out[:, k] = codes[np.minimum(at, len(codes) - 1)]
        return out


def apart(allowed: Mapping[tuple[int, int], np.ndarray], shares: Sequence[np.ndarray]) -> dict[tuple[int, int], np.ndarray]:
    """The pairs among `allowed` whose cells fall into parts that no row can leave by changing one column; see `links`."""
    return {pair: cells for pair, cells in allowed.items() if _falls_apart(cells, shares[pair[0]], shares[pair[1]])}


def links(allowed: Mapping[tuple[int, int], np.ndarray], shares: Sequence[np.ndarray]) -> list[Link]:
    """The links that pairs of columns make whose cells fall `apart`.

    Parameters
    ----------
    allowed : mapping of (i, j) to ndarray of bool, shape (codes of i, codes of j)
        Cells that rows can be in.
    shares : sequence of ndarray
        Positive, for each column.
    """
    out = []
    for columns in _together(list(allowed)):
        inside = {pair: cells for pair, cells in allowed.items() if pair[0] in columns}
        parts = _parts(columns, inside, shares)
        if max(map(np.max, parts)) > 0:
            out.append(Link(columns, parts, [shares[i] for i in columns]))
    return out


LEAST = 1e-3
"""Share of the rows that a part holds at least for a pair to be called apart."""


def _falls_apart(cells: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> bool:
    labels = _labels([cells.shape[0], cells.shape[1]], {(0, 1): cells})
    held = [np.bincount(label, s, max(map(np.max, labels)) + 1) for label, s in zip(labels, (rows, columns), strict=True)]
    return int((np.minimum(*held) > LEAST).sum()) > 1


def _together(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Columns that pairs join, directly or through others."""
    groups: list[set[int]] = []
    for pair in pairs:
        joined = [g for g in groups if g & set(pair)]
        groups = [g for g in groups if not g & set(pair)] + [set(pair).union(*joined)]
    return [sorted(g) for g in groups]


def _parts(
    columns: Sequence[int], allowed: Mapping[tuple[int, int], np.ndarray], shares: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """For each column the part of each code; -1 where a column has no code of the part."""
    at = {c: k for k, c in enumerate(columns)}
    labels = _labels([len(shares[c]) for c in columns], {(at[i], at[j]): cells for (i, j), cells in allowed.items()})
    common = set(labels[0]).intersection(*map(set, labels[1:]))
    number = np.full(max(map(np.max, labels)) + 1, -1)
    number[sorted(common)] = np.arange(len(common))
    return [number[label] for label in labels]


def _labels(sizes: Sequence[int], allowed: Mapping[tuple[int, int], np.ndarray]) -> list[np.ndarray]:
    """For each column a number for each code, the same for codes that allowed cells join."""
    labels = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    moved = True
    while moved:
        moved = False
        for (i, j), cells in allowed.items():
            for a, b, joined in ((i, j, cells), (j, i, cells.T)):
                low = np.minimum(labels[a], np.where(joined, labels[b], np.iinfo(np.int64).max).min(axis=1))
                moved |= bool((low != labels[a]).any())
                labels[a] = low
    return labels
