"""A tree drafts rows and a network redrafts them until all noisy tables fit: for wide tables, and where many relations matter at once.

After Liu, Vietri and Wu, "Iterative Methods for Private Synthetic Data: Unifying Framework and New Methods" (NeurIPS 2021), section 4
(GEM): a network turns noise into rows of probabilities, one softmax a column, and is trained until its mean tables are the noisy
ones. Different here: (1) the network starts from rows drawn in closed form from a tree of the strongest noisy tables (within
each code of the target), so it begins near the solution and learns corrections; (2) the tables to buy are chosen by the noisy
distances of all pairs to what the columns' relations to the target explain; (3) noise is taken off the tables before
anything is learned from them; (4) the training loss is unbiased. All but the buying is post-processing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import Attrs, Codes, Counts, Marginal, Progress
from tabsynth.models import _forest, _network, _tables
from tabsynth.models._state import State, require
from tabsynth.simplex import nonnegative

POOL, CELLS = 32_768, 4_000_000
"""Drafts to train on and to calibrate with, in all groups together; cells that are compared in one pass over the rows."""
BLOCK = 32_768
"""Rows that are sampled at once."""
STRATUM, TINY = 16, 1e-9


@dataclass(frozen=True)
class Neural:
    """Settings, all public.

    Parameters
    ----------
    target : str, optional
        The column whose relations matter most. With at most `most_groups` codes, everything is learned for each of them.
    most_groups : int
    first : float
        Share of the budget for the columns' own tables (with the target), times the square root of their number; at most 0.6. Wide
        tables need more: what single columns say about the target is most of what can be known at their noise.
    scores : float
        Share of the budget for the scores of all pairs; the rest measures the chosen ones.
    clear : float
        A pair is chosen if its score is that many standard deviations above what chance gives.
    ratio, split : float
        A pair is chosen if its signal (score / sqrt(cells), at most its L2 norm) is at least `ratio` times what noise adds to the
        largest singular value, and is measured for each code of the target if it is `split` times that in each of them.
    noise, width, layers : int
        Of the network: noise inputs, units a layer, residual layers.
    doubt : float
        Share of a draft's codes that the untrained network draws anew.
    batch, steps : int
        Most rows a step and most steps; both shrink with the precision of the tables, and the batch with the number of codes.
    rate : float
        Largest learning rate (Adam, one cycle).
    """

    name: str = "neural"
    target: str | None = None
    most_groups: int = 16
    first: float = 0.04
    scores: float = 0.1
    clear: float = 3.0
    ratio: float = 0.5
    split: float = 0.5
    noise: int = 16
    width: int = 256
    layers: int = 1
    doubt: float = 0.5
    batch: int = 1024
    steps: int = 1200
    rate: float = 6e-3

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> NeuralModel:
        """See `tabsynth.access.Synthesizer`. Spends exactly ``data.left()``."""
        domain, budget = data.domain, data.left()
        grouped = self.target in domain and len(domain) > 1 and domain[self.target] <= self.most_groups
        target = self.target if grouped else None
        columns = {c: size for c, size in domain.items() if c != target}
        own = [(c, target) if target else (c,) for c in columns]
        costs = np.array(_tables.split(1.0, list(columns.values())))
        progress("measuring columns", 0.0)
        first = min(0.6, self.first * len(columns) ** 0.5) * budget if len(columns) > 1 else budget
        one = data.measure(own, costs=costs * first)
        chosen: list[Attrs] = []
        if len(columns) > 1:
            progress("comparing pairs", 0.05)
            chosen = self._choose(data, Facts.of(columns, target, one), self.scores * budget, budget - first)
            progress("measuring pairs", 0.15)
            costs = np.full(len(chosen), 1 / len(chosen)) if chosen else costs
            one += data.measure(chosen or own, costs=costs * data.left() * (1 - 1e-12))
        progress("inferring the model", 0.2)
        return self._learn(list(domain), Facts.of(columns, target, one), rng, progress)

    def _choose(self, data: Counts, facts: Facts, cost: float, left: float) -> list[Attrs]:
        """Pairs to measure, clearest first, with the target as third axis where they stay clear. `cost` is for the scores."""
        pairs = list(itertools.combinations(range(len(facts.columns)), 2))
        names = list(itertools.combinations(facts.columns, 2))
        cells = np.array([facts.sizes[a] * facts.sizes[b] for a, b in pairs])
        gain = []
        for block in np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(np.cumsum(cells) // CELLS)) + 1):
            expected = [facts.total * facts.explained(*pairs[i]).sum(0) for i in block]
            candidates = _tables.candidates([names[i] for i in block], expected)
            noisy = data.score(candidates, cost=cost * len(block) / len(pairs))
            gain += [d - facts.chance(*pairs[i], e) for i, d, e in zip(block, noisy, expected, strict=True)]
        signal = np.where(np.array(gain) > self.clear * data.sigma(cost / len(pairs)), gain, 0) / np.sqrt(cells)
        signal = signal / [facts.sizes[a] ** 0.5 + facts.sizes[b] ** 0.5 for a, b in pairs]
        order = np.argsort(-signal, kind="stable")
        sigma = np.array([data.sigma((left - cost) / m) for m in range(1, len(pairs) + 1)])
        kept = np.flatnonzero((signal[order] > self.ratio * sigma) & (signal[order] > 0))
        if not len(kept):
            return []
        threshold = self.split * sigma[kept[-1]] * len(facts.groups)
        both = (facts.target,) if facts.target else ()
        return [names[i] + (both if signal[i] > threshold else ()) for i in order[: kept[-1] + 1]]

    def _learn(self, columns: list[str], facts: Facts, rng: np.random.Generator, progress: Progress) -> NeuralModel:
        tables = [facts.denoised(m) for m in facts.pairs]
        tree = _tree(facts, tables)
        at = np.cumsum([0, *facts.sizes])
        effort = self._effort(facts)
        size = max(1024, round(POOL * effort) // len(facts.groups))
        drafts = np.stack([_drafted(tree, g, size, rng) + at[:-1] for g in range(len(facts.groups))])
        scale = 1 / np.mean([*facts.precision, *(1 / m.sigma**2 for m in facts.pairs)])
        told = _told(facts, tables, scale)
        task = _network.Task(facts.sizes, facts.groups, np.hstack(facts.first), facts.precision * scale, told, drafts)
        seed = int(rng.integers(2**63))
        weights = _network.train(task, self._training(facts, effort), seed, lambda f: progress("training", 0.3 + 0.6 * f))
        progress("calibrating", 0.9)
        model = NeuralModel(facts.total, columns, list(facts.sizes), facts.target, facts.groups, tree, weights)
        model.calibrate(drafts - at[:-1], facts.first, rng)
        return model

    def _effort(self, facts: Facts) -> float:
        """Part of the whole effort that the precision of the tables deserves: all of it at 900 rows to a row of noise."""
        sigma = np.median([m.sigma for m in facts.pairs] or facts.precision**-0.5)
        return min(1.0, math.sqrt(facts.total / (900 * sigma)))

    def _training(self, facts: Facts, effort: float) -> _network.Training:
        codes = sum(facts.sizes)
        batch = max(32, round(min(self.batch * effort, 2**21 / codes) / len(facts.groups)))
        steps = max(50, round(self.steps * effort))
        return _network.Training(self.noise, min(self.width, 8 * codes), self.layers, self.doubt, batch, steps, self.rate)


@dataclass(frozen=True)
class Facts:
    """What noisy tables say, each source weighted by its precision.

    Parameters
    ----------
    columns : list of str
        Without the target.
    target, total
    groups : ndarray, shape (groups,)
        Shares of the target's codes; one group without a target.
    first : list of ndarray, shape (groups, codes)
        Shares of each column's codes in each group; relations to the target that could be noise are shrunk.
    precision : ndarray, shape (columns,)
        1 / variance of the counts behind `first`.
    pairs : list of Marginal
    """

    columns: list[str]
    target: str | None
    total: float
    groups: np.ndarray
    first: list[np.ndarray]
    precision: np.ndarray
    pairs: list[Marginal]

    @classmethod
    def of(cls, domain: Mapping[str, int], target: str | None, marginals: Sequence[Marginal]) -> Facts:
        """Gather tables of one or two columns, with or without the target as last axis."""
        n = _tables.total(marginals)
        tables = [(m, _by_group(m, target)) for m in marginals if target in (None, m.attrs[-1])]
        counts, precision = {c: 0.0 for c in domain}, dict.fromkeys(domain, 0.0)
        sums, weights = [], []
        for m, by_group in tables:
            sums.append(by_group.reshape(len(by_group), -1).sum(1))
            weights.append(len(by_group) / (m.sigma**2 * by_group.size))
            for axis, c in enumerate([a for a in m.attrs if a != target]):
                weight = len(by_group) * domain[c] / (m.sigma**2 * by_group.size)
                counts[c] = counts[c] + weight * by_group.sum(tuple({1, 2} - {axis + 1}))
                precision[c] += weight
        groups = np.maximum(nonnegative(np.average(sums, axis=0, weights=weights)), TINY)
        groups = groups / groups.sum()
        first = [_shrunk(counts[c] / precision[c], groups, 1 / precision[c]) for c in domain]
        pairs = [m for m in marginals if len(set(m.attrs) - {target}) == 2]
        return cls(list(domain), target, n, groups, first, np.array(list(precision.values())), pairs)

    @property
    def sizes(self) -> list[int]:
        """Number of codes of each column."""
        return [f.shape[1] for f in self.first]

    def explained(self, a: int, b: int) -> np.ndarray:
        """Joint shares, shape (groups, codes, codes), if two columns are independent within each group."""
        return (self.first[a] * self.groups[:, None])[:, :, None] * self.first[b][:, None, :]

    def chance(self, a: int, b: int, expected: np.ndarray) -> float:
        """L1 distance of real counts to the noisily `expected` ones where it is right: sampling, and the noise of the columns."""
        p, q = expected.sum(1, keepdims=True) / self.total, expected.sum(0, keepdims=True) / self.total
        variance = expected + len(self.groups) * (q**2 / self.precision[a] + p**2 / self.precision[b])
        return _tables.chance_distance(expected, variance)

    def denoised(self, m: Marginal) -> np.ndarray:
        """Joint shares, shape (groups or 1, codes, codes): what `explained` misses is cut to what stands out of the noise."""
        counts = _by_group(m, self.target)
        base = self.explained(*(self.columns.index(a) for a in m.attrs[:2]))
        base = self.total * (base if len(counts) > 1 else base.sum(0, keepdims=True))
        return np.stack([b + _low_rank(c - b, m.sigma) for b, c in zip(base, counts, strict=True)]) / self.total


def _by_group(m: Marginal, target: str | None) -> np.ndarray:
    """Counts with the groups as first axis and two more, the second of length 1 for a table of one column."""
    grouped = np.moveaxis(m.counts, -1, 0) if target in m.attrs else m.counts[None]
    return grouped if grouped.ndim == 3 else grouped[:, :, None]


def _shrunk(counts: np.ndarray, groups: np.ndarray, variance: float) -> np.ndarray:
    """Shares of codes in each group. Deviations from independence shrink by a James-Stein factor, to nothing where two standard
    deviations of luck explain them (Efron and Morris, JASA 1973, section 2)."""
    base = groups[:, None] * nonnegative(counts.sum(0))
    free = (len(groups) - 1) * (counts.shape[1] - 1)
    deviation = counts - base
    luck = (free + 2 * math.sqrt(2 * free)) * variance
    kept = max(0.0, 1 - luck / max(float((deviation**2).sum()), TINY)) if len(groups) > 1 else 1.0
    shares = np.stack([nonnegative(row) for row in base + kept * deviation])
    return shares / shares.sum(1, keepdims=True)


def _low_rank(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Optimal shrinkage of singular values in white noise, for the squared error (Gavish and Donoho, IEEE Trans. IT 2017, eq. 7)."""
    u, s, v = np.linalg.svd(noisy, full_matrices=False)
    unit, beta = sigma * max(noisy.shape) ** 0.5, min(noisy.shape) / max(noisy.shape)
    y = np.maximum(s / unit, 1 + beta**0.5)
    return (u * (unit * np.sqrt(np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0)) / y)) @ v


Branch = tuple[int, int, np.ndarray]  # parent (-1: none), child, the child's shares given group (and parent's code)


def _tree(facts: Facts, tables: Sequence[np.ndarray]) -> list[Branch]:
    """The spanning forest of the clearest tables (they come in that order), parents first; each agrees with the columns' shares."""
    joint = {}
    for m, table in zip(facts.pairs, tables, strict=True):
        a, b = m.attrs[:2]
        joint |= {(a, b): table, (b, a): table.swapaxes(1, 2)}
    branches: list[Branch] = []
    for edge in _forest.outward(facts.columns, _forest.spanning(m.attrs[:2] for m in facts.pairs)):
        child = facts.columns.index(edge[-1])
        parent = facts.columns.index(edge[0]) if len(edge) > 1 else -1
        branches.append((parent, child, facts.first[child] if parent < 0 else _given(facts, parent, child, joint[edge])))
    return branches


def _given(facts: Facts, parent: int, child: int, table: np.ndarray) -> np.ndarray:
    """Shares of the child's codes given group and parent's code: the table, raked to the shares of both columns."""
    joint = np.stack([nonnegative(facts.total * t) for t in table])
    joint = 0.999 * joint / joint.sum((1, 2), keepdims=True) + 0.001 * facts.explained(parent, child)
    rows, columns = facts.first[parent][:, :, None], facts.first[child][:, None, :]
    for _ in range(30):
        joint = joint * rows / np.maximum(joint.sum(2, keepdims=True), TINY)
        joint = joint * columns / np.maximum(joint.sum(1, keepdims=True), TINY)
    weight = joint.sum(2, keepdims=True)
    return np.where(weight > TINY, joint / np.maximum(weight, TINY), columns)


def _drafted(tree: Sequence[Branch], group: int, rows: int, rng: np.random.Generator) -> Codes:
    """Rows of the tree, systematically drawn, shape (rows, columns)."""
    drafts = np.empty((rows, len(tree)), dtype=np.int32)
    for parent, child, table in tree:
        if parent < 0:
            drafts[:, child] = _tables.draw(table[group], rows, rng)
            continue
        order = np.argsort(drafts[:, parent].astype(np.min_scalar_type(table.shape[1])), kind="stable")
        ends = np.cumsum(np.bincount(drafts[:, parent], minlength=table.shape[1]))
        for value in np.flatnonzero(np.diff(ends, prepend=0)):
            here = order[ends[value - 1] if value else 0 : ends[value]]
            drafts[here, child] = _tables.draw(table[group, value], len(here), rng)
    return drafts


def _told(facts: Facts, tables: Sequence[np.ndarray], scale: float) -> list[_network.Told]:
    """Tables gathered by the column that most of them share."""
    told = []
    for groups in {len(t) for t in tables}:
        left = [
            (*(facts.columns.index(c) for c in m.attrs[:2]), t, scale / m.sigma**2)
            for m, t in zip(facts.pairs, tables, strict=True)
            if len(t) == groups
        ]
        while left:
            hub = int(np.bincount([c for a, b, *_ in left for c in (a, b)]).argmax())
            mine = [(b, t, w) if a == hub else (a, t.swapaxes(1, 2), w) for a, b, t, w in left if hub in (a, b)]
            left = [entry for entry in left if hub not in entry[:2]]
            partners, shares, weights = zip(*mine, strict=True)
            told.append(_network.Told(hub, partners, np.concatenate(shares, axis=2), weights))
    return told


@dataclass(frozen=True)
class NeuralModel:
    """A tree that drafts rows in each group, and a network that redrafts them.

    `columns` has the target, in the order of the codes; `sizes` and the tree's positions do not. `weights` is what
    `tabsynth.models._network.train` returns.
    """

    total: float
    columns: list[str]
    sizes: list[int]
    target: str | None
    groups: np.ndarray
    tree: list[Branch]
    weights: dict[str, np.ndarray]

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`. Stratified among rows with the same draft code, so that the columns' shares are kept."""
        codes = np.empty((rows, len(self.columns)), dtype=np.int64)
        group = np.sort(_tables.draw(self.groups, rows, rng))
        free = [i for i, c in enumerate(self.columns) if c != self.target]
        if self.target:
            codes[:, self.columns.index(self.target)] = group
        for g in np.unique(group):
            here = np.flatnonzero(group == g)
            for block in np.split(here, range(BLOCK, len(here), BLOCK)):
                drafts = _drafted(self.tree, g, len(block), rng)
                for c, odds in self._odds(g, drafts, rng):
                    codes[block, free[c]] = _drawn(odds, drafts[:, c], rng)
        return rng.permutation(codes)

    def calibrate(self, drafts: np.ndarray, first: Sequence[np.ndarray], rng: np.random.Generator) -> None:
        """Shift the biases so that the columns' shares in each group are `first`, by proportional fitting."""
        at = np.cumsum([0, *self.sizes])
        for g, rows in enumerate(drafts):
            for c, odds in self._odds(g, rows, rng):
                factor = np.ones(len(odds), dtype=np.float32)
                for _ in range(8):
                    share = factor * (odds @ (1 / (factor @ odds))) / len(rows)
                    factor *= np.clip(np.maximum(first[c][g], 1e-6) / np.maximum(share, TINY), 0.25, 4).astype(np.float32)
                self.weights["bias"][g, at[c] : at[c + 1]] += np.log(factor)

    def _odds(self, group: int, drafts: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
        """Each column with unnormalised probabilities of its codes, shape (codes, rows), for rows of one group."""
        w, at = self.weights, np.cumsum([0, *self.sizes])
        inner = np.empty((len(drafts), w["start"].shape[1]), dtype=np.float32)
        for part in np.split(np.arange(len(drafts)), range(1024, len(drafts), 1024)):
            x = rng.standard_normal((len(part), w["input"].shape[1]), dtype=np.float32) @ w["input"].T + w["start"][group]
            for c, start in enumerate(at[:-1]):
                x += w["embed"][start + drafts[part, c]]
            x = np.maximum(x, 0)
            for i in range(sum(name.startswith("hidden_") for name in w)):
                x += np.maximum(x @ w[f"hidden_{i}"].T + w[f"shift_{i}"], 0)
            inner[part] = x
        for together in np.split(np.arange(len(self.sizes)), np.flatnonzero(np.diff(at[1:] // 512)) + 1):
            first = at[together[0]]
            codes = slice(first, at[together[-1] + 1])
            logits = w["output"][codes] @ inner.T + w["bias"][group, codes, None]
            for c in together:
                own = logits[at[c] - first : at[c + 1] - first]
                own[drafts[:, c], np.arange(len(drafts))] += w["skip"][at[c] + drafts[:, c]]
                yield c, np.exp(own - own.max(0))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        plain = {"total": self.total, "columns": self.columns, "sizes": self.sizes, "target": self.target}
        arrays = {f"tree_{child}": table for _, child, table in self.tree}
        return plain | {"tree": [list(b[:2]) for b in self.tree]}, {"groups": self.groups, **arrays, **self.weights}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> NeuralModel:
        """See `tabsynth.access.Model`."""
        state = State(plain, arrays, ("columns", "sizes", "target", "tree"))
        target = state["target"]
        require(target is None or (isinstance(target, str) and target in domain and len(domain) > 1), "target is not a column")
        sizes = state.equal("sizes", [size for c, size in domain.items() if c != target])
        groups = state.shares("groups", (domain[target] if target else 1,))
        branches = state.indices("tree", 2, -1, len(sizes))
        _forest.check_outward(((None if p < 0 else p, c) for p, c in branches), range(len(sizes)))
        above = [tuple(sizes[p : p + 1]) if p >= 0 else () for p, _ in branches]
        tree = [(p, c, state.shares(f"tree_{c}", (len(groups), *a, sizes[c]))) for (p, c), a in zip(branches, above, strict=True)]
        weights = _network.loaded(state, len(groups), sum(sizes))
        return cls(state.end(), state.equal("columns", list(domain)), sizes, target, groups, tree, weights)


def _drawn(odds: np.ndarray, stratum: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A code for each row (a column of `odds`, overwritten); uniform numbers spread evenly over neighbours of equal `stratum`."""
    rows, u = len(stratum), np.empty(len(stratum), dtype=np.float32)
    spread = rng.permuted(np.tile(np.arange(STRATUM, dtype=np.float32), (-(-rows // STRATUM), 1)), axis=1).ravel()[:rows]
    order = np.argsort(stratum.astype(np.min_scalar_type(len(odds))), kind="stable")
    u[order] = (spread + rng.random(rows, dtype=np.float32)) / STRATUM
    for before, code in itertools.pairwise(odds):
        code += before
    return np.minimum((odds <= u * odds[-1]).sum(0), len(odds) - 1)
