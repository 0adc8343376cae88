"""A Markov random field over any tables of few columns, held by rows that walk through it. One of the two imports of numba.

The field is p(x) ~ exp(sum_i s_i(x_i) + sum_ij w_ij(x_i, x_j) + sum_c v_c(groups of x_c)), the last over cliques of more columns. Exact inference
would need tables as wide as the graph's treewidth; here a fixed number of rows take Gibbs steps under the current potentials and stand for the
distribution (persistent contrastive divergence: Tieleman, ICML 2008). Everything a thread does depends on its chunk's own random stream, so results
are the same for any number of threads; where threads were lost by a fork (`tabsynth.forks`), the same is done without any.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from tabsynth.forks import threads_lost

CHUNKS = 32
WIDEST = 5
"""Most columns of a clique, and of a table that is counted."""

Groups = Sequence[np.ndarray]
"""For each column of a table, the group of each code: whole numbers from 0."""


@dataclass(frozen=True)
class Clique:
    """A potential of three to `WIDEST` columns over groups of their codes.

    Parameters
    ----------
    attrs : tuple of int
        Columns in increasing order.
    groups : sequence of ndarray of int, shape (codes,)
    weight : ndarray of float32, one axis for each column's groups
    """

    attrs: tuple[int, ...]
    groups: Groups
    weight: np.ndarray


class Field:
    """Potentials over columns that are numbered in the order of `sizes`.

    Parameters
    ----------
    sizes : ndarray of int64, shape (columns,)
        Number of codes of each column.
    single : ndarray of float32, shape (sum of sizes,)
        Log-potentials of the single columns, one after the other.
    pairs : mapping of (i, j) with i < j to ndarray of float32, shape (sizes[i], sizes[j])
    cliques : sequence of Clique
    """

    def __init__(
        self,
        sizes: np.ndarray,
        single: np.ndarray,
        pairs: Mapping[tuple[int, int], np.ndarray],
        cliques: Sequence[Clique] = (),
    ) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.single = np.array(single, dtype=np.float32)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        self._place: dict[tuple[int, int], int] = {}
        blocks, at = [], 0
        for i, j in pairs:
            for key in ((i, j), (j, i)):
                self._place[key] = at
                blocks.append((pairs[i, j] if key == (i, j) else pairs[i, j].T).ravel())
                at += pairs[i, j].size
        self._blocks = np.concatenate(blocks).astype(np.float32) if blocks else np.zeros(1, np.float32)
        self._link(list(pairs))
        self.cliques = [Clique(c.attrs, c.groups, np.array(c.weight, dtype=np.float32)) for c in cliques]
        self._far = self._reach()

    def _link(self, pairs: Sequence[tuple[int, int]]) -> None:
        """For every column its neighbours, and where the block lies whose rows are the neighbour's codes."""
        near: list[list[int]] = [[] for _ in self.sizes]
        for i, j in pairs:
            near[i].append(j)
            near[j].append(i)
        self.degree = np.array([len(n) for n in near], dtype=np.int64)
        shape = (len(near), max(1, int(self.degree.max())))
        self._neighbour, self._pointer = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for i, others in enumerate(near):
            self._neighbour[i, : len(others)] = others
            self._pointer[i, : len(others)] = [self._place[j, i] for j in others]

    def _reach(self) -> tuple[np.ndarray, ...]:
        """For every column how many cliques it is in; where each table starts, with the column's own map and stride; the others' column, map and stride."""
        tables, maps, far = [np.zeros(1, np.float32)], [np.zeros(1, np.int64)], [list[tuple]() for _ in self.sizes]
        for c in self.cliques:
            start = sum(t.size for t in tables)
            at = sum(m.size for m in maps) + np.cumsum([0, *(len(g) for g in c.groups)])[:-1]
            strides = np.cumprod([1, *c.weight.shape[:0:-1]])[::-1]
            tables.append(c.weight.ravel())
            maps += [np.asarray(g, dtype=np.int64) for g in c.groups]
            axes = list(zip(c.attrs, at, strides, strict=True))
            for own in axes:
                far[own[0]].append((start, own, [other for other in axes if other is not own]))
        degree = np.array([len(f) for f in far], dtype=np.int64)
        own = np.zeros((len(far), max(1, degree.max()), 3), dtype=np.int64)
        others = np.full((*own.shape[:2], WIDEST - 1, 3), -1, dtype=np.int64)
        for i, entries in enumerate(far):
            for e, (start, (_, at, stride), rest) in enumerate(entries):
                own[i, e] = start, at, stride
                others[i, e, : len(rest)] = rest
        self._tables = np.concatenate(tables)
        return degree, own, others, np.concatenate(maps), self._tables

    @property
    def pairs(self) -> dict[tuple[int, int], np.ndarray]:
        """The pair potentials."""
        return {(i, j): self._block(i, j) for i, j in self._place if i < j}

    def _block(self, i: int, j: int) -> np.ndarray:
        shape = (self.sizes[i], self.sizes[j])
        return self._blocks[self._place[i, j] :][: shape[0] * shape[1]].reshape(shape)

    def add(self, attrs: Sequence[int], change: np.ndarray) -> None:
        """Add to the potential of one column or of a pair (i < j)."""
        if len(attrs) == 1:
            self.single[self.starts[attrs[0]] :][: change.size] += change
            return
        i, j = attrs
        self._block(i, j)[...] += change
        self._block(j, i)[...] += change.T

    def add_to_clique(self, number: int, change: np.ndarray) -> None:
        """Add to the potential of one of `cliques`, over its groups."""
        start = 1 + sum(c.weight.size for c in self.cliques[:number])
        self._tables[start : start + change.size] += change.ravel()
        self.cliques[number].weight[...] += change

    def step(self, codes: np.ndarray, rng: np.random.Generator, *, reversible: bool = False) -> None:
        """One Gibbs step for every column of every row, in place; `codes` is int32, shape (rows, columns), C-contiguous.

        Columns take their turns in order; if `reversible`, half of the rows, each by a coin of its own, go through them backwards.
        """
        seeds = rng.integers(0, 2**63, CHUNKS, dtype=np.int64).astype(np.uint64)
        near = (self.degree, self._neighbour, self._pointer, self._blocks)
        walk = _gibbs_alone if threads_lost("numba") else _gibbs
        walk(codes, self.sizes, self.single, self.starts, *near, *self._far, seeds, reversible)

    def energy(self, codes: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        """What the potentials of some columns, and of the pairs and cliques that hold one of them, add up to in each row."""
        inside = np.zeros(len(self.sizes), dtype=np.bool_)
        inside[list(columns)] = True
        out = np.zeros(len(codes))
        near = (self.degree, self._neighbour, self._pointer, self._blocks)
        _energy(codes, inside, self.sizes, self.single, self.starts, *near, *self._far, out)
        return out


class Tables:
    """Contingency tables of up to `WIDEST` columns each, counted together as one flat array.

    Parameters
    ----------
    sizes : ndarray of int64
    attrs : sequence of tuples of column numbers
    groups : sequence of (Groups or None), optional
        For each table, the groups its columns' codes are counted in; None for the codes themselves.
    """

    def __init__(
        self, sizes: np.ndarray, attrs: Sequence[tuple[int, ...]], groups: Sequence[Groups | None] | None = None
    ) -> None:
        own: dict[tuple[int, bytes], int] = {}
        self._grouped: list[tuple[int, np.ndarray]] = []
        self._columns = np.full((len(attrs), WIDEST), -1, dtype=np.int64)
        for row, a, by in zip(self._columns, attrs, groups or itertools.repeat(None), strict=False):
            row[: len(a)] = a
            for axis, group in enumerate(by or ()):
                key = a[axis], group.tobytes()
                if key not in own:
                    own[key] = len(sizes) + len(own)
                    self._grouped.append((a[axis], group.astype(np.int32)))
                row[axis] = own[key]
        self._sizes = np.array([*sizes, *(group.max() + 1 for _, group in self._grouped)], dtype=np.int64)
        self._shapes = [tuple(self._sizes[row[row >= 0]]) for row in self._columns]
        cells = [int(np.prod(s)) for s in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(cells)[:-1]]).astype(np.int64)
        self.cells = sum(cells)

    def count(self, codes: np.ndarray) -> np.ndarray:
        """Counts of all tables, float32, shape (cells,)."""
        out = np.zeros(self.cells, dtype=np.float32)
        tally = _tally_alone if threads_lost("numba") else _tally
        tally(self._wide(codes), self._columns, self._sizes, self._starts, out)
        return out

    def split(self, counts: np.ndarray) -> list[np.ndarray]:
        """Such a flat array as one table for each tuple of columns, one axis for each column."""
        return [part.reshape(shape) for part, shape in zip(np.split(counts, self._starts[1:]), self._shapes, strict=True)]

    def exchange(self, codes: np.ndarray, offers: np.ndarray, counts: np.ndarray, aim: np.ndarray) -> None:
        """Replace each row by the one offered for it, in place, where that brings `counts` closer to `aim`.

        Closeness is the sum of (counts - aim)**2 / (aim + 1). `counts` are those of `codes` and are kept true.
        """
        rows = self._wide(codes)
        _exchange(rows, self._wide(offers), self._columns, self._sizes, self._starts, aim, counts)
        codes[...] = rows[:, : codes.shape[1]]

    def _wide(self, codes: np.ndarray) -> np.ndarray:
        """The codes, and beside them those of every grouping."""
        if not self._grouped:
            return codes
        return np.concatenate([codes, *(group[codes[:, i]][:, None] for i, group in self._grouped)], axis=1)


@numba.njit(cache=True, nogil=True, inline="always")
def _uniform(state):
    """The next number in [0, 1) of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 17)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True, nogil=True, inline="always")
def _start(codes, r, own, others, maps, i, e):
    """Where the other columns of column i's clique e put the row in the clique's table."""
    at = own[i, e, 0]
    for o in range(WIDEST - 1):
        if others[i, e, o, 0] < 0:
            break
        at += maps[others[i, e, o, 1] + codes[r, others[i, e, o, 0]]] * others[i, e, o, 2]
    return at


@numba.njit(cache=True, nogil=True, fastmath=True)
def _gibbs_chunk(
    c, codes, sizes, single, starts, degree, neighbour, pointer, blocks, cliques, own, others, maps, tables, seeds, reversible
):
    rows, columns = codes.shape
    chunks = len(seeds)
    state = np.empty(1, np.uint64)
    state[0] = seeds[c]
    weight = np.empty(sizes.max(), np.float32)
    for r in range(c * rows // chunks, (c + 1) * rows // chunks):
        backwards = reversible and _uniform(state) < 0.5
        for turn in range(columns):
            i = columns - 1 - turn if backwards else turn
            size = sizes[i]
            for a in range(size):
                weight[a] = single[starts[i] + a]
            for e in range(degree[i]):
                at = pointer[i, e] + codes[r, neighbour[i, e]] * size
                for a in range(size):
                    weight[a] += blocks[at + a]
            for e in range(cliques[i]):
                at = _start(codes, r, own, others, maps, i, e)
                for a in range(size):
                    weight[a] += tables[at + maps[own[i, e, 1] + a] * own[i, e, 2]]
            top = weight[0]
            for a in range(1, size):
                top = max(top, weight[a])
            whole = np.float32(0)
            for a in range(size):
                weight[a] = np.exp(weight[a] - top)
                whole += weight[a]
            left = np.float32(_uniform(state)) * whole - weight[0]
            a = 0
            while left >= 0 and a < size - 1:
                a += 1
                left -= weight[a]
            codes[r, i] = a


@numba.njit(cache=True, nogil=True, parallel=True)
def _gibbs(
    codes, sizes, single, starts, degree, neighbour, pointer, blocks, cliques, own, others, maps, tables, seeds, reversible
):
    for c in numba.prange(len(seeds)):
        _gibbs_chunk(
            c,
            codes,
            sizes,
            single,
            starts,
            degree,
            neighbour,
            pointer,
            blocks,
            cliques,
            own,
            others,
            maps,
            tables,
            seeds,
            reversible,
        )


@numba.njit(cache=True, nogil=True)
def _gibbs_alone(
    codes, sizes, single, starts, degree, neighbour, pointer, blocks, cliques, own, others, maps, tables, seeds, reversible
):
    for c in range(len(seeds)):
        _gibbs_chunk(
            c,
            codes,
            sizes,
            single,
            starts,
            degree,
            neighbour,
            pointer,
            blocks,
            cliques,
            own,
            others,
            maps,
            tables,
            seeds,
            reversible,
        )


@numba.njit(cache=True, nogil=True)
def _energy(codes, inside, sizes, single, starts, degree, neighbour, pointer, blocks, cliques, own, others, maps, tables, out):
    for r in range(len(codes)):
        for i in range(len(sizes)):
            if inside[i]:
                a = codes[r, i]
                out[r] += single[starts[i] + a]
                for e in range(degree[i]):
                    j = neighbour[i, e]
                    if j > i or not inside[j]:
                        out[r] += blocks[pointer[i, e] + codes[r, j] * sizes[i] + a]
                for e in range(cliques[i]):
                    first = True
                    for o in range(WIDEST - 1):
                        j = others[i, e, o, 0]
                        first = first and (j < 0 or j > i or not inside[j])
                    if first:
                        at = _start(codes, r, own, others, maps, i, e)
                        out[r] += tables[at + maps[own[i, e, 1] + a] * own[i, e, 2]]


@numba.njit(cache=True, nogil=True, inline="always")
def _cell(codes, r, columns, t, sizes, starts):
    at = np.int64(codes[r, columns[t, 0]])
    for e in range(1, WIDEST):
        if columns[t, e] < 0:
            break
        at = at * sizes[columns[t, e]] + codes[r, columns[t, e]]
    return starts[t] + at


@numba.njit(cache=True, nogil=True, parallel=True)
def _tally(codes, columns, sizes, starts, out):
    for t in numba.prange(len(columns)):
        for r in range(len(codes)):
            out[_cell(codes, r, columns, t, sizes, starts)] += 1


@numba.njit(cache=True, nogil=True)
def _tally_alone(codes, columns, sizes, starts, out):
    for t in range(len(columns)):
        for r in range(len(codes)):
            out[_cell(codes, r, columns, t, sizes, starts)] += 1


@numba.njit(cache=True, nogil=True)
def _exchange(codes, offers, columns, sizes, starts, aim, counts):
    tables = len(columns)
    old, new = np.empty(tables, np.int64), np.empty(tables, np.int64)
    for r in range(len(codes)):
        worse = 0.0
        for t in range(tables):
            a = old[t] = _cell(codes, r, columns, t, sizes, starts)
            b = new[t] = _cell(offers, r, columns, t, sizes, starts)
            if a != b:
                worse += (1 - 2 * (counts[a] - aim[a])) / (aim[a] + 1) + (1 + 2 * (counts[b] - aim[b])) / (aim[b] + 1)
        if worse < 0:
            for t in range(tables):
                counts[old[t]] -= 1
                counts[new[t]] += 1
            codes[r] = offers[r]
