"""A Gaussian copula whose columns may be numbers, categories or both: one noisy matrix of cross-products, read in one pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import Codes, Counts, Progress
from tabsynth.models import _tables, _tree
from tabsynth.models._match import Column, match
from tabsynth.models._state import State
from tabsynth.models._tree import Tree

MAX_SIGMA = 2.0**17
"""Largest noise that a curator draws."""
FINE_SIGMA, COARSE = 2.0**15, 8.0
"""Scores are made as fine as noise of the first size allows, which is quick to draw; to get that many levels, finer."""
LEAST_SHARE = 1e-7
ATOM = 0.25
CLIP = 2.5
_CELLS = 1 << 25


@dataclass(frozen=True)
class Copula:
    """Histograms of the columns, then one noisy matrix of cross-products between scores of their codes.

    A differentially private Gaussian copula (Li, Xiong and Jiang, "Differentially Private Synthesization of Multi-Dimensional Data using
    Copula Functions", EDBT 2014, section 4) that treats categories as categories (as Asghar, Ding, Rakotoarivelo, Mrabet and Kaafar,
    "Differentially Private Release of High-Dimensional Datasets using the Gaussian Copula", JPC 2020, ask for), differing in four points:

    - The scores are indicators of groups of codes, and a normal score of ordered codes that share a group. The noise decides how many
      groups are worth telling apart; a heavy first or last value of a number (zero, mostly) is a group of its own.
    - One Gaussian answer holds all pairs; a row counts for at most `room` times the expected squared length.
    - A column is a tree of thresholds (`Tree`): each split has a normal variable of its own, so pairs of categories
      need not be monotone. Trees are grown on the noisy cross-products.
    - Correlations are not inverted from moments one by one but matched by simulation, the shortening of long rows included,
      within the cone of correlation matrices (`match`).

    Guarantee: spends exactly ``data.left()`` on Gaussian answers, `singles` of it on histograms. All the rest is post-processing.

    What it cannot hold: relations of three columns beyond what their pairs imply; a column that is a function of another with many
    values (each split is a threshold on one variable, and a matrix of correlations may not allow all of them at once); relations
    within a group of codes that was not told apart.

    Parameters
    ----------
    target : str, optional
        A column whose scores count `target_weight` times, so that its relations suffer less noise, and whose labels are all told apart.
    target_weight : float
    singles : float
        Share of the budget for the columns' histograms.
    room : float
        Largest squared length of a row's scores, relative to the expected one.
    levels : float
        Steps of the whole-number scores per unit, where the noise allows as many.
    slope : float
        Weight of the normal score beside groups; twice that where there are no groups.
    groups, per_cell : int, float
        An ordered column has at most `groups` of them, and so few that a pair's cell holds `per_cell` times its noise.
    leaves, gain : int, float
        A tree has at most that many leaves; a split must explain that much, in squared probability.
    monotone : float
        An ordered column is not split but has one variable if its normal score explains so much of what its codes mainly tell.
    prior : float
        Standard deviation of a correlation before anything is known: weights noise against correlation.
    step, iterations : float, int
        Of the matching.
    """

    name: str = "copula"
    target: str | None = None
    target_weight: float = 1.0
    singles: float = 0.2
    room: float = 1.25
    levels: float = 200.0
    slope: float = 0.4
    groups: int = 16
    per_cell: float = 2.0
    leaves: int = 16
    gain: float = 3e-4
    monotone: float = 0.95
    prior: float = 0.3
    step: float = 0.5
    iterations: int = 60

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> CopulaModel:
        """See `tabsynth.access.Synthesizer`."""
        domain, ordered = data.domain, data.ordered
        progress("measuring columns", 0.0)
        part = self.singles if len(domain) > 1 else 1.0
        one = data.measure([(a,) for a in domain], costs=_tables.split(part * data.left(), list(domain.values())))
        total = _tables.total(one)
        shares = [_positive(_tables.distribution(m, data.ordered[m.attrs[0]])) for m in one]
        if len(domain) == 1:
            uncut = Tree(np.arange(len(shares[0])), np.zeros((0, 3), dtype=np.int64), shares[0], False)
            return CopulaModel(total, [uncut], np.zeros((0, 0), dtype=np.float32))
        progress("measuring cross-products", 0.1)
        cost = data.left()
        noise = data.sigma(cost)
        resolution = total / (noise * len(domain) * math.sqrt(0.5))
        codings = [self._coding(a, share, ordered[a], resolution) for a, share in zip(domain, shares, strict=True)]
        scale, limit = self._scale(codings, shares, noise)
        whole = [np.rint(scale * c.scores).astype(np.int64) for c in codings]
        noisy, sigma = data.gram(dict(zip(domain, whole, strict=True)), limit=limit, cost=cost)
        progress("growing trees", 0.3)
        ends = np.cumsum([0, *(w.shape[1] for w in whole)])
        clean = denoised(noisy, np.diff(ends), sigma) / (total * scale**2)
        columns = [
            self._column(coding, share, w / scale, clean[start:end])
            for coding, share, w, start, end in zip(codings, shares, whole, ends[:-1], ends[1:], strict=True)
        ]
        told = sigma / (total * scale**2) / self.prior
        factor = match(
            columns,
            clean,
            limit / scale**2,
            doubt=told,
            step=self.step,
            iterations=self.iterations,
            rng=rng,
            progress=lambda done: progress("matching cross-products", 0.4 + 0.6 * done),
        )
        return CopulaModel(total, [c.tree for c in columns], factor)

    def _coding(self, name: str, share: np.ndarray, ordered: int, resolution: float) -> _Coding:
        """What of a column's codes is scored; `resolution` is the number of rows over the noise of a cell."""
        weight = self.target_weight if name == self.target else 1.0
        if not ordered:
            fine = (share * resolution >= 1) | (name == self.target)
            groups = [np.array([c]) for c in np.flatnonzero(fine)] + [np.flatnonzero(~fine)] * (not fine.all())
            return _Coding(groups, weight * _contrasts(groups, share), False)
        alone = {c for c in (0, ordered - 1) if share[c] >= ATOM} | set(range(ordered, len(share)))
        inner = np.array([c for c in range(ordered) if c not in alone], dtype=np.int64)
        pieces = min(self.groups, int(math.sqrt(resolution / self.per_cell)))
        pieces = pieces if pieces > 2 else 1
        groups = sorted([*_runs(inner, share, pieces), *(np.array([c]) for c in alone)], key=lambda g: g[0])
        contrasts = _contrasts(groups, share)
        if all(len(g) == 1 for g in groups):
            return _Coding(groups, weight * contrasts, True)
        normal = np.zeros(len(share))
        normal[inner] = np.clip(_tree.mean_scores(share[inner]), -CLIP, CLIP)
        slope = self.slope if pieces > 1 else 2 * self.slope
        return _Coding(groups, weight * np.column_stack([contrasts, slope * normal]), True)

    def _scale(self, codings: Sequence[_Coding], shares: Sequence[np.ndarray], noise: float) -> tuple[float, int]:
        """How fine the scores become whole numbers, as far as the noise sampler allows, and the largest squared length of a row then."""
        squares = [(c.scores**2).sum(axis=1) for c in codings]
        expected = sum(float(share @ s) for share, s in zip(shares, squares, strict=True))
        largest = max(min(self.room * expected, sum(float(s.max()) for s in squares)), 1e-9)
        finest = [math.sqrt(sigma / (noise * largest * math.sqrt(0.5))) for sigma in (FINE_SIGMA, 0.99 * MAX_SIGMA)]
        scale = max(min(self.levels, finest[0]), min(COARSE, finest[1]))
        return scale, max(1, int(scale**2 * largest))

    def _column(self, coding: _Coding, share: np.ndarray, scores: np.ndarray, gram: np.ndarray) -> Column:
        """Grow the column's tree on what the cross-products, shape (own scores, all scores), say about its groups."""
        groups = coding.groups
        mass = np.array([share[g].sum() for g in groups])
        profile = _express(_members(groups, len(share)) - mass, scores, share).T @ gram
        order = np.arange(len(groups))
        most = 1 if coding.ordered and _monotone(mass, profile) > self.monotone else self.leaves
        nodes = _tree.grow(order, mass, profile, not coding.ordered, most=most, gain=self.gain)
        ends = np.cumsum([0, *(len(groups[g]) for g in order)])
        codes = np.concatenate([groups[g] for g in order])
        tree = Tree(codes, ends[nodes], share[codes], coding.ordered and len(nodes) + 1 < len(codes))
        combine = _express(tree.contrasts(), scores, share)
        if tree.sorted:
            combine[:, -1] /= max(float(np.linalg.norm(combine[:, -1])), 1e-9)
        return Column(tree, combine, scores, share)


@dataclass(frozen=True)
class CopulaModel:
    """Correlated normal variables and each column's tree of thresholds on its own ones.

    Parameters
    ----------
    total : float
    trees : list of Tree
        In the order of the codes' columns.
    factor : ndarray of float32, shape (variables, variables)
        Lower triangular; times its transpose it is the correlation matrix. Variables of one column are uncorrelated.
    """

    total: float
    trees: list[Tree]
    factor: np.ndarray

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`. In chunks, each of which has the columns' shares up to a row for each split."""
        kind = np.int16 if max(len(t.order) for t in self.trees) < 2**15 else np.int32
        out = np.empty((rows, len(self.trees)), dtype=kind)
        chunk = max(1 << 12, _CELLS // max(1, len(self.factor)))
        for start in range(0, rows, chunk):
            part = out[start : start + chunk]
            part[:] = _tree.codes(
                self.trees, rng.standard_normal((len(part), len(self.factor)), dtype=np.float32) @ self.factor.T, rng
            )
        return out

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        return {"total": self.total}, {"factor": self.factor, **_tree.flat(self.trees)}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> CopulaModel:
        """See `tabsynth.access.Model`."""
        state = State(plain, arrays)
        trees = _tree.loaded(state, list(domain.values()))
        variables = sum(tree.variables for tree in trees)
        factor = state.array("factor", "f4", (variables, variables), -2, 2)
        return cls(state.end(), trees, factor)


@dataclass(frozen=True)
class _Coding:
    """What of a column is scored.

    Parameters
    ----------
    groups : list of ndarray of int
        Codes that are told apart, as far as the noise allows.
    scores : ndarray of float, shape (codes, scores)
        Contrasts between the groups and, where codes in an order share a group, their normal score. Mean 0.
    ordered : bool
    """

    groups: list[np.ndarray]
    scores: np.ndarray
    ordered: bool


def denoised(noisy: np.ndarray, widths: Sequence[int], sigma: float) -> np.ndarray:
    """A better estimate of cross-products whose entries carry independent noise `sigma`.

    Pair by pair (`_denoised_blocks`); but if that leaves eigenvalues beyond those of noise, about ``2 sigma (sqrt(size) + 2 size**(-1/6))``, then many
    columns share something that no pair shows by itself. In that case the eigenvalues of the whole are shrunk first (Gavish and Donoho, IEEE Trans.
    Inf. Theory 2017, in its symmetric form), and the pairs are taken from what that leaves.
    """
    pairs = _denoised_blocks(noisy, widths, sigma)
    size = len(noisy)
    edge = 2 * sigma * (math.sqrt(size) + 2 * max(size, 1) ** (-1 / 6))
    if size == 0 or np.abs(np.linalg.eigvalsh(noisy - pairs)).max() <= edge:
        return pairs
    values, vectors = np.linalg.eigh(noisy)
    big = np.abs(values) > edge
    owner = np.repeat(np.arange(len(widths)), widths)
    shrunk = vectors[:, big] * np.sign(values[big]) * np.sqrt(values[big] ** 2 - edge**2)
    shared = np.where(owner[:, None] != owner, shrunk @ vectors[:, big].T, 0.0)
    return shared + _denoised_blocks(noisy - shared, widths, sigma)


def _denoised_blocks(noisy: np.ndarray, widths: Sequence[int], sigma: float) -> np.ndarray:
    """Each pair's block with its singular values shrunk by what the noise explains; those that noise alone may reach are dropped.

    For noise of shape (u, v) they reach ``sigma (sqrt(u) + sqrt(v))``, with the tail of a normal variable beyond (Davidson and Szarek
    2001, Theorem 2.13), so the largest of many blocks lies some ``sigma sqrt(2 log(blocks))`` out.
    """
    ends = np.cumsum([0, *widths])
    by_width = {w: np.flatnonzero(np.array(widths) == w) for w in sorted(set(widths)) if w}
    clear = 2 * math.log(max(2, len(widths) * (len(widths) - 1) // 2))
    out = np.zeros(noisy.shape)
    for u, first in by_width.items():
        for v, second in by_width.items():
            edge = math.sqrt(u) + math.sqrt(v)
            across = (ends[second][:, None] + np.arange(v)).ravel()
            for a in first:
                own = slice(ends[a], ends[a] + u)
                blocks = noisy[own][:, across].reshape(u, len(second), v).swapaxes(0, 1) / sigma
                left, values, right = np.linalg.svd(blocks, full_matrices=False)
                kept = np.where(values**2 > edge**2 + clear, np.sqrt(np.maximum(values**2 - edge**2, 0)), 0.0)
                out[own, across] = sigma * ((left * kept[:, None, :]) @ right).swapaxes(0, 1).reshape(u, -1)
    for start, end in itertools.pairwise(ends):
        out[start:end, start:end] = 0
    return out


def _monotone(mass: np.ndarray, profile: np.ndarray) -> float:
    """Squared correlation of the normal score of ordered groups with what tells the others most about them (first singular function)."""
    root = np.sqrt(mass)
    first = np.linalg.svd(profile / root[:, None], full_matrices=False)[0][:, 0]
    score = root * _tree.mean_scores(mass)
    return float((first @ score) ** 2 / max(score @ score, 1e-12)) if profile.any() else 1.0


def _positive(share: np.ndarray) -> np.ndarray:
    share = np.maximum(share, LEAST_SHARE)
    return share / share.sum()


def _runs(codes: np.ndarray, share: np.ndarray, pieces: int) -> list[np.ndarray]:
    """Neighbouring codes in runs that hold about one in `pieces` of their mass; a heavy code is a run of its own."""
    enough = share[codes].sum() / pieces
    runs: list[list[int]] = []
    held = math.inf
    for c in codes:
        heavy = pieces > 1 and share[c] >= enough
        if not runs or heavy or (pieces > 1 and held + share[c] / 2 > enough):
            runs.append([])
            held = 0.0
        runs[-1].append(c)
        held += math.inf if heavy else share[c]
    return [np.array(r) for r in runs]


def _members(groups: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Indicators of the groups, shape (size, groups)."""
    member = np.zeros((size, len(groups)))
    for g, codes in enumerate(groups):
        member[codes, g] = 1
    return member


def _contrasts(groups: Sequence[np.ndarray], share: np.ndarray) -> np.ndarray:
    """Centred indicators of the groups in an orthonormal basis of their contrasts, shape (codes, groups - 1)."""
    member = _members(groups, len(share))
    basis = np.linalg.svd(np.eye(len(groups)) - 1 / len(groups))[0][:, : len(groups) - 1]
    return (member - share @ member) @ basis


def _express(wanted: np.ndarray, scores: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Weights that make the best linear combination of the scores, over the codes by their shares, for each wanted function."""
    root = np.sqrt(share)[:, None]
    return np.linalg.lstsq(root * scores, root * wanted, rcond=1e-9)[0]
