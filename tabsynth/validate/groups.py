"""NOT PRIVATE. The groups of a protected column, and how classifiers treat them: rates by group and the gaps between groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import axis_values, label_values
from tabsynth.validate.intervals import Interval, bootstrap
from tabsynth.validate.utility import measure_of, question, scores_by_part, scores_of

LEAST = 20
"""A group is judged where at least so many privacy units of the holdout have a positive row in it, and as many a negative one."""
GROUPS = 12
"""The most frequent labels of a column are groups of their own; the others are one group."""
PARTS = 5
"""Into so many parts the training rows are split to see how far a gap moves from one set of training rows to another."""
MEASURES = 4
"""Selection rate, true-positive rate, false-positive rate, area under the ROC curve."""
TABLES = ("train", "holdout", "synthetic")
_MODEL = "boosting"


@dataclass(frozen=True)
class Groups:
    """The groups of one protected column, and for each table the group of every row as 0, 1, ... in the order of `labels`."""

    column: str
    labels: list[str]
    codes: dict[str, np.ndarray]

    def counts(self, table: str) -> np.ndarray:
        """Rows of each group."""
        return np.bincount(self.codes[table], minlength=len(self.labels))


def grouped(column: Column, evidence: Evidence) -> Groups:
    """Labels (the most frequent of the real rows) or quarters of a numeric column as groups, and one for missing values."""
    tables = {name: getattr(evidence, name) for name in TABLES}
    if column.numeric:
        values = {name: axis_values(table, column) for name, table in tables.items()}
        known = values["train"][~np.isnan(values["train"])]
        edges = np.unique(np.quantile(known, (0.25, 0.5, 0.75), method="inverted_cdf")) if len(known) else np.array([])
        shown = [str(column.from_axis(edge)) for edge in edges]
        labels = [
            f"above {low}, up to {high}" if low else f"up to {high}" for low, high in zip(["", *shown], shown, strict=False)
        ]
        labels.append(f"above {shown[-1]}" if shown else "known")
        codes = {name: np.where(np.isnan(v), len(labels), np.searchsorted(edges, v)) for name, v in values.items()}
        labels.append("missing")
    else:
        values = {name: label_values(table, column) for name, table in tables.items()}
        frequent = pd.Series(np.concatenate([values["train"], values["holdout"]])).value_counts().index[:GROUPS].tolist()
        public = [str(label) for label in column.labels or ()]
        labels = sorted(frequent, key=lambda label: public.index(label) if label in public else len(public))
        codes = {name: np.where(pd.isna(v), len(labels) + 1, pd.Index(labels).get_indexer(v)) for name, v in values.items()}
        codes = {name: np.where(c < 0, len(labels), c) for name, c in codes.items()}
        labels += ["all others", "missing"]
    seen, again = np.unique(np.concatenate(list(codes.values())), return_inverse=True)
    parts = np.split(again, np.cumsum([len(c) for c in codes.values()])[:-1])
    return Groups(column.name, [labels[i] for i in seen], dict(zip(codes, parts, strict=True)))


@dataclass(frozen=True)
class Judged:
    """What classifiers make of the groups of one column. Axis 0 of the rates: trained on synthetic rows, trained on real ones.

    Parameters
    ----------
    units : ndarray of int, shape (2, groups)
        Privacy units of the holdout with a positive row in the group, and with a negative one.
    judged : ndarray of bool, shape (groups,)
        Groups that are large enough (`LEAST`).
    positives : dict from table to ndarray, shape (groups,)
        Share of positives; NaN where a table has no row of a group.
    outcome_intervals : list, one for each group
        Of the holdout's share of positives.
    rates : ndarray of float, shape (2, MEASURES, groups)
    rate_intervals : list, in the order of `rates`
    pairs : ndarray of int, shape (2, MEASURES, 2)
        The judged groups with the highest and the lowest rate; meaningless with fewer than two judged groups.
    gap_intervals : list, in the order of the first axes of `pairs`
    difference_intervals : list, one for each measure
        Of the gap trained on synthetic rows less that trained on real ones, the noise of training on real rows included.
    """

    groups: Groups
    units: np.ndarray
    judged: np.ndarray
    positives: dict[str, np.ndarray]
    outcome_intervals: list[Interval | None]
    rates: np.ndarray
    rate_intervals: list[Interval | None]
    pairs: np.ndarray
    gap_intervals: list[Interval | None]
    difference_intervals: list[Interval | None]

    def gap(self, source: int, measure: int) -> float:
        """The highest rate of the judged groups less the lowest."""
        high, low = self.pairs[source, measure]
        return float(self.rates[source, measure, high] - self.rates[source, measure, low])


def judged_by(evidence: Evidence, groups: Groups) -> Judged:
    """Train (or take what was trained), and judge the groups. Their codes are those of the rows whose target is known."""
    task, n = question(evidence), len(groups.labels)
    truth, codes = task.answers["holdout"], groups.codes["holdout"]
    units = np.array([[len(np.unique(task.units[(codes == g) & kind])) for g in range(n)] for kind in (truth, ~truth)])
    judged = (units >= LEAST).all(0)
    rates = rates_of(groups, truth, [scores_of(evidence, _MODEL, source) for source in ("synthetic", "train")])
    plain, kept = rates(np.ones(len(truth))), np.flatnonzero(judged)
    pairs = np.zeros((2, MEASURES, 2), int)
    if len(kept) > 1:
        pairs = np.stack([kept[plain[..., kept].argmax(-1)], kept[plain[..., kept].argmin(-1)]], -1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        found = rates(weights)
        outcome = _ratio(np.bincount(codes, weights * truth, n), np.bincount(codes, weights, n))
        high, low = (np.take_along_axis(found, pairs[..., [end]], -1) for end in (0, 1))
        widest = _widest(found, kept)
        return np.concatenate([outcome, found.ravel(), (high - low).ravel(), widest[0] - widest[1]])

    intervals = bootstrap(statistic, task.units, np.random.default_rng([evidence.seed, 23]))
    ends = np.cumsum([0, n, 2 * MEASURES * n, 2 * MEASURES, MEASURES]).tolist()
    outcome, each, gaps, differences = (intervals[a:b] for a, b in pairwise(ends))
    if len(kept) > 1:
        parts = rates_of(groups, truth, _parts(evidence))(np.ones(len(truth)))
        moves = _widest(parts, kept).std(0, ddof=1) / math.sqrt(PARTS)
        widest = _widest(plain, kept)
        differences = [_with_training(*each) for each in zip(widest[0] - widest[1], differences, moves, strict=True)]
    positives = {name: _ratio(np.bincount(groups.codes[name], task.answers[name], n), groups.counts(name)) for name in TABLES}
    return Judged(groups, units, judged, positives, outcome, plain, each, pairs, gaps, differences)


def _parts(evidence: Evidence) -> list[np.ndarray]:
    if "parts" not in evidence.memo:
        evidence.memo["parts"] = scores_by_part(evidence, _MODEL, PARTS)
    return evidence.memo["parts"]


def _widest(rates: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Each classifier's gap in each measure, whichever groups it is between; 0 without groups."""
    return rates[..., kept].max(-1) - rates[..., kept].min(-1) if len(kept) else np.zeros(rates.shape[:-1])


def _with_training(value: float, interval: Interval | None, move: float) -> Interval | None:
    """The interval of a difference of two gaps, each of which moves by the standard deviation `move` with its training rows."""
    from scipy.stats import t

    if interval is None:
        return None
    training = float(t.ppf(0.975, PARTS - 1)) * math.sqrt(2) * move
    return value - math.hypot(value - interval[0], training), value + math.hypot(interval[1] - value, training)


def rates_of(groups: Groups, truth: np.ndarray, scores: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """From weights of the holdout rows to rates by group: for each of `scores` the `MEASURES`, shape (scores, MEASURES, groups)."""
    codes, n = groups.codes["holdout"], len(groups.labels)
    members = [np.flatnonzero(codes == g) for g in range(n)]
    named = [_named(s, int(truth.sum())) for s in scores]
    areas = [[measure_of(truth[rows], s[rows]) if len(rows) else None for rows in members] for s in scores]

    def rates(weights: np.ndarray) -> np.ndarray:
        total, positive = np.bincount(codes, weights, n), np.bincount(codes, weights * truth, n)
        out = []
        for chosen, area in zip(named, areas, strict=True):
            selected, found = np.bincount(codes, weights * chosen, n), np.bincount(codes, weights * chosen * truth, n)
            auc = [of(weights[rows])[0] if of else np.nan for of, rows in zip(area, members, strict=True)]
            out.append([_ratio(selected, total), _ratio(found, positive), _ratio(selected - found, total - positive), auc])
        return np.array(out)

    return rates


def _named(scores: np.ndarray, count: int) -> np.ndarray:
    """1 for the `count` highest scores, 0 for the others; those tied at the cut share what is left."""
    cut = np.sort(scores)[-count]
    above, tied = scores > cut, scores == cut
    return above + tied * (count - above.sum()) / tied.sum()


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
