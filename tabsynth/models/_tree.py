"""A column's codes as a tree of thresholds on independent normal variables, one variable for each split."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabsynth.models import _tables
from tabsynth.models._state import ROUNDING, State, require

TINIEST = 1e-12
"""Smallest share of a code."""


@dataclass(frozen=True)
class Tree:
    """How normal variables become the codes of one column, whose shares are met exactly.

    Parameters
    ----------
    order : ndarray of int, shape (codes,)
        The codes, arranged so that each node of the tree holds a run of them.
    nodes : ndarray of int, shape (splits, 3)
        ``start, middle, end``: a row that has reached the run from `start` up to but without `end` goes left (up to `middle`) if the
        split's variable is low. Parents first. Runs that are not split are leaves.
    share : ndarray of float, shape (codes,)
        Probability of each code of `order`.
    sorted : bool
        Whether one more variable, the last, orders the codes within the leaves; else a leaf's codes are drawn at random.
    """

    order: np.ndarray
    nodes: np.ndarray
    share: np.ndarray
    sorted: bool

    @property
    def variables(self) -> int:
        """Number of normal variables."""
        return len(self.nodes) + self.sorted

    @cached_property
    def leaves(self) -> list[tuple[int, int]]:
        """Start and end of the runs that are not split."""
        cuts = sorted({0, len(self.order), *self.nodes[:, 1].tolist()})
        return list(itertools.pairwise(cuts))

    def contrasts(self) -> np.ndarray:
        """What is read off a code about each variable, shape (codes, variables), rows by code: mean 0, uncorrelated.

        For a split that sends the share q of its rows left: q - 1 on the left, q on the right, 0 elsewhere. For the last variable, where it
        orders the codes within the leaves: its mean given the code.
        """
        out = np.zeros((len(self.order), self.variables))
        for j, (start, middle, end) in enumerate(self.nodes):
            q = self.share[start:middle].sum() / self.share[start:end].sum()
            out[start:middle, j] = q - 1
            out[middle:end, j] = q
        return self._by_code(out)

    def expectations(self) -> np.ndarray:
        """E[variable | code], shape (codes, variables), rows by code."""
        out = np.zeros((len(self.order), self.variables))
        for j, (start, middle, end) in enumerate(self.nodes):
            q = self.share[start:middle].sum() / self.share[start:end].sum()
            out[start:middle, j] = -_density(q) / q
            out[middle:end, j] = _density(q) / (1 - q)
        return self._by_code(out)

    def _by_code(self, out: np.ndarray) -> np.ndarray:
        if self.sorted:
            for start, end in self.leaves:
                out[start:end, -1] = mean_scores(self.share[start:end])
        by_code = np.empty_like(out)
        by_code[self.order] = out
        return by_code

    def assign(self, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes of standard normal variables, shape (rows, variables).

        By ranks: of the rows that reach a node the lowest go left, as many as the share says (rounded at random), so the shares are met
        up to a row for each split.
        """
        rows = {(0, len(self.order)): np.arange(len(z))}
        for j, (start, middle, end) in enumerate(self.nodes):
            here = rows.pop((start, end))
            left = self.share[start:middle].sum() / self.share[start:end].sum()
            low = _lowest(z[here, j], int(left * len(here) + rng.random()))
            rows[start, middle], rows[middle, end] = here[low], here[~low]
        position = np.empty(len(z), dtype=np.int64)
        for (start, end), here in rows.items():
            if end - start == 1:
                position[here] = start
                continue
            drawn = start + _tables.draw(self.share[start:end], len(here), rng)
            position[here[np.argsort(z[here, -1])] if self.sorted else here] = np.sort(drawn) if self.sorted else drawn
        return self.order[position]


def grow(order: np.ndarray, share: np.ndarray, profile: np.ndarray, movable: bool, *, most: int, gain: float) -> np.ndarray:
    """Splits that tell the codes' profiles apart best, as in a regression tree (Breiman et al. 1984, section 8.3).

    Parameters
    ----------
    order : ndarray of int, shape (codes,)
        Rearranged in place where `movable`.
    share : ndarray of float, shape (codes,)
        By code.
    profile : ndarray of float, shape (codes, features)
        By code: what the other columns look like where this column has that code, times its share.
    movable : bool
        Whether a run may be rearranged along its main direction first (categories), or only cut (numbers).
    most : int
        Largest number of leaves.
    gain : float
        A split must explain that much of the sum of squares.

    Returns
    -------
    ndarray of int, shape (splits, 3)
        See `Tree`.
    """
    runs = {(0, len(order)): _best_cut(order, (0, len(order)), share, profile, movable)}
    nodes = []
    while len(runs) < most:
        run, (explained, middle, arranged) = max(runs.items(), key=lambda item: item[1][0])
        if not explained > gain:
            break
        del runs[run]
        start, end = run
        order[start:end] = arranged
        nodes.append((start, middle, end))
        for part in ((start, middle), (middle, end)):
            runs[part] = _best_cut(order, part, share, profile, movable)
    return np.array(nodes, dtype=np.int64).reshape(-1, 3)


def _best_cut(
    order: np.ndarray, run: tuple[int, int], share: np.ndarray, profile: np.ndarray, movable: bool
) -> tuple[float, int, np.ndarray]:
    """Sum of squares that the best cut of a run explains, where it is, and the run arranged for it."""
    start, end = run
    codes = order[start:end].copy()
    weight = share[codes]
    if len(codes) < 2:
        return 0.0, start, codes
    centred = profile[codes] - np.outer(weight / weight.sum(), profile[codes].sum(axis=0))
    if movable and len(codes) > 2:
        scaled = centred / np.sqrt(weight)[:, None]
        direction = np.linalg.eigh(scaled @ scaled.T)[1][:, -1] / np.sqrt(weight)
        arranged = np.argsort(direction, kind="stable")
        codes, weight, centred = codes[arranged], weight[arranged], centred[arranged]
    sums = np.cumsum(centred, axis=0)[:-1]
    left = np.cumsum(weight)[:-1]
    explained = (sums**2).sum(axis=1) * weight.sum() / (left * (weight.sum() - left))
    best = int(explained.argmax())
    return float(explained[best]), start + best + 1, codes


def mean_scores(share: np.ndarray) -> np.ndarray:
    """Mean of a standard normal variable over the interval that each code of an ordered column takes; shares may be unnormalised."""
    edges = np.concatenate([[0.0], np.cumsum(share)]) / share.sum()
    return -np.diff(_density(edges)) / np.diff(edges)


def _density(q: np.ndarray | float) -> np.ndarray:
    """Standard normal density at the quantiles q."""
    from scipy.special import ndtri

    return np.exp(-0.5 * ndtri(np.clip(q, 0, 1)) ** 2) / math.sqrt(2 * math.pi)


def _lowest(z: np.ndarray, k: int) -> np.ndarray:
    """Mask of the k lowest values; equal ones in order of their position."""
    low = np.zeros(len(z), dtype=bool)
    if k > 0:
        low[np.argpartition(z, k - 1)[:k]] = True
    return low


def codes(trees: Sequence[Tree], z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Codes of all columns' normal variables, side by side in `z`; int32, shape (rows, columns)."""
    out = np.empty((len(z), len(trees)), dtype=np.int32)
    at = 0
    for i, tree in enumerate(trees):
        out[:, i] = tree.assign(z[:, at : at + tree.variables], rng)
        at += tree.variables
    return out


def flat(trees: Sequence[Tree]) -> dict[str, np.ndarray]:
    """All trees in a few arrays."""
    return {
        "order": np.concatenate([t.order for t in trees]).astype(np.int32),
        "share": np.concatenate([t.share for t in trees]),
        "nodes": np.concatenate([t.nodes for t in trees]).astype(np.int32),
        "codes": np.array([len(t.order) for t in trees], dtype=np.int32),
        "splits": np.array([len(t.nodes) for t in trees], dtype=np.int32),
        "sorted": np.array([t.sorted for t in trees], dtype=np.int8),
    }


def loaded(state: State, sizes: Sequence[int]) -> list[Tree]:
    """Inverse of `flat`, for columns of so many codes; see `tabsynth.access.Model.load`."""
    columns, codes = len(sizes), sum(sizes)
    require(
        state.array("codes", "i4", (columns,), 1, codes).tolist() == list(sizes), "the trees have other codes than the schema"
    )
    splits = state.array("splits", "i4", (columns,), 0, codes)
    ordered = state.array("sorted", "i1", (columns,), 0, 1)
    order = state.array("order", "i4", (codes,), 0, max(sizes) - 1)
    nodes = state.array("nodes", "i4", (int(splits.sum()), 3), 0, max(sizes))
    share = state.array("share", "f8", (codes,), TINIEST, 1)
    at, cuts = np.cumsum(sizes)[:-1], np.cumsum(splits)[:-1]
    parts = zip(np.split(order, at), np.split(nodes, cuts), np.split(share, at), ordered, strict=True)
    trees = [Tree(order, nodes, share, bool(s)) for order, nodes, share, s in parts]
    for tree in trees:
        _check(tree)
    return trees


def _check(tree: Tree) -> None:
    """Refuse a tree that does not arrange each code once, or whose nodes do not split runs that are there."""
    require(bool((np.sort(tree.order) == np.arange(len(tree.order))).all()), "a tree does not arrange each code once")
    require(abs(float(tree.share.sum()) - 1) <= ROUNDING, "the shares of a tree do not add up to one")
    runs = {(0, len(tree.order))}
    for start, middle, end in tree.nodes.tolist():
        require((start, end) in runs and start < middle < end, "a tree splits a run of codes that is not there")
        runs.remove((start, end))
        runs |= {(start, middle), (middle, end)}
