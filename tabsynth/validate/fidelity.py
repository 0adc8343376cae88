"""NOT PRIVATE. How close the synthetic table is to the real one: marginals up to three columns, tails, categories.

References
----------
Task, Bhagat and Howarth (2023), SDNist v2: Deidentified Data Report Tool, NIST: a k-marginal score is easier to picture beside
those of random sub-samples of the real rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes

BINS = 32
TRIPLES = 2_000
PAIRS = 5_000
"""At most this many sets of three and of two columns are compared; more are sampled."""
RARE = 0.01
LABELS = 40
"""At most this many labels of a column are drawn one by one."""
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of the training rows: the random subsets that the synthetic rows' distance is compared with."""
FEWEST = 11
"""A subset of fewer units than this is left out."""
_DENSE = 2**18
_TITLE = "Distance of the joint distribution of {} from the holdout (mean total variation)"
_NAMES = {1: "single columns", 2: "pairs of columns", 3: "three columns"}
_COMPARED = "training rows vs holdout"


@dataclass(frozen=True)
class Binned:
    """One column of the three tables as bins 0, 1, ..., stacked in the order train, holdout, synthetic.

    Parameters
    ----------
    name : str
    codes : ndarray of int64, shape (rows of all tables,)
        The bin of each row.
    labels : list of str
        What the bins hold, for people.
    values : int
        The first so many bins hold one label, or one range of numbers; the others what is missing, unseen, or put together.
    """

    name: str
    codes: np.ndarray
    labels: list[str]
    values: int

    def drawn(self, rows: int) -> Binned:
        """The bins a report draws: all but the 40 most frequent of the first `rows` rows, the training rows, are put together."""
        if len(self.labels) <= LABELS:
            return self
        often = np.bincount(self.codes[:rows], minlength=len(self.labels))
        shown = np.sort(np.argsort(-often, kind="stable")[:LABELS])
        place = np.full(len(self.labels), LABELS)
        place[shown] = np.arange(LABELS)
        labels = [*(self.labels[i] for i in shown), "all others"]
        return Binned(self.name, place[self.codes], labels, int((shown < self.values).sum()))


@dataclass(frozen=True)
class _Subsets:
    """Random subsets of the training rows, smallest first; each holds the ones before it, and whole units.

    Parameters
    ----------
    shares : tuple of float
        How much of the training table each subset holds.
    rows : ndarray of int64, shape (rows of the largest subset,)
        Positions of its rows in the training table.
    first : ndarray of int64, same shape
        The number of the smallest subset each of them is in.
    """

    shares: tuple[float, ...]
    rows: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, evidence: Evidence) -> _Subsets:
        units, rng = unit_codes(evidence.train, evidence.schema), np.random.default_rng([evidence.seed, 14])
        number = int(units.max()) + 1
        rank = rng.permutation(number)[units]
        sizes = {share: size for share in SHARES if (size := round(share * number)) >= FEWEST}
        first = np.searchsorted(list(sizes.values()), rank, side="right")
        rows = np.flatnonzero(first < len(sizes))
        return cls(tuple(sizes), rows, first[rows])

    def distances(self, cells: np.ndarray, holdout: np.ndarray) -> np.ndarray:
        """Each subset's distance from the holdout, shape (subsets,), given each row's cell and the holdout's shares of the cells.

        Cells that the holdout lacks count as one: for the distance it is the same.
        """
        seen = holdout > 0
        place, size = np.where(seen, np.cumsum(seen), 0), seen.sum() + 1
        found = np.bincount(self.first * size + place[cells[self.rows]], minlength=len(self.shares) * size)
        counts = found.reshape(len(self.shares), size).cumsum(0)
        return _distance(counts / counts.sum(1, keepdims=True), np.append(0, holdout[seen]))


def tvd(evidence: Evidence) -> list[Finding]:
    """Total variation distance between synthetic and holdout rows, averaged over all sets of 1, 2 and 3 columns.

    Numbers are cut at 32 quantiles of the training rows; a value that owns two or more of them gets a cell of its own. Missing is
    a cell, and so are all labels that are in neither real table. Sampling noise alone makes the distance positive: compare it
    with the reference, the same between training and holdout rows, or picture it by ``details["yardstick"]``: the smallest random
    share of the training rows that is at least as close to the holdout.
    """
    tables = (evidence.train, evidence.holdout, evidence.synthetic)
    if not all(map(len, tables)):
        names = {k: f"fidelity.tvd{k}" for k in _NAMES}
        return [Finding(names[k], _TITLE.format(_NAMES[k]), None, note="A table has no rows.") for k in _NAMES]
    columns = [binned(column, tables) for column in evidence.schema.modelled]
    edges = np.cumsum([0, *map(len, tables)])
    parts = [slice(a, b) for a, b in pairwise(edges.tolist())]
    subsets = _Subsets.of(evidence)
    return [_tvd(size, columns, parts, subsets, evidence.seed) for size in _NAMES]


def tails(evidence: Evidence) -> list[Finding]:
    """Shares of rows beyond the training rows' 1 % and 99 % quantiles, synthetic against training; missing values left out."""
    check, title = "fidelity.tails", "Largest gap in the share of extreme values, against the training rows"
    columns, gaps, usual = [], [], []
    for column in evidence.schema.modelled:
        if not column.numeric:
            continue
        values = [axis_values(table, column) for table in (evidence.train, evidence.holdout, evidence.synthetic)]
        train, holdout, synthetic = (v[~np.isnan(v)] for v in values)
        if not (len(train) and len(synthetic)):
            continue
        low, high = np.quantile(train, (0.01, 0.99), method="inverted_cdf")
        shares = {k: ((v < low).mean(), (v > high).mean()) for k, v in (("train", train), ("synthetic", synthetic))}
        gaps += [abs(s - t) for s, t in zip(shares["synthetic"], shares["train"], strict=True)]
        if len(holdout):
            usual += [abs(s - t) for s, t in zip(((holdout < low).mean(), (holdout > high).mean()), shares["train"], strict=True)]
        ends = {f"{k}_{end}": v for k, pair in shares.items() for end, v in zip(("low", "high"), pair, strict=True)}
        columns.append({"column": column.name, "low": shown(column, low), "high": shown(column, high), **ends})
    if not columns:
        return [Finding(check, title, None, note="No numeric column has values in both the training and the synthetic rows.")]
    reference = max(usual) if usual else None
    return [Finding(check, title, max(gaps), reference=reference, reference_is="holdout", details={"columns": columns})]


def categories(evidence: Evidence) -> list[Finding]:
    """Which of the training rows' categories occur in the synthetic rows, over all categorical and boolean columns."""
    check, title = "fidelity.categories", "Share of the training rows' categories that occur in the synthetic rows"
    columns, also = [], 0
    for column in evidence.schema.modelled:
        if column.numeric:
            continue
        train, holdout, synthetic = (
            Counter(v for v in label_values(table, column) if v is not None)
            for table in (evidence.train, evidence.holdout, evidence.synthetic)
        )
        lost = [label for label in train if label not in synthetic]
        also += sum(label in holdout for label in train)
        columns.append({
            "column": column.name, "real": len(train), "kept": len(train) - len(lost),
            "lost_rare": sum(train[label] < RARE * len(evidence.train) for label in lost),
            "invented": sum(label not in train for label in synthetic),
        })  # fmt: skip
    real = sum(c["real"] for c in columns)
    if not (real and len(evidence.synthetic)):
        note = "The training rows have no categories." if not real else "The synthetic table has no rows."
        return [Finding(check, title, None, better="higher", note=note)]
    kept = sum(c["kept"] for c in columns) / real
    return [
        Finding(check, title, kept, reference=also / real, reference_is="holdout", better="higher", details={"columns": columns})
    ]


def _tvd(size: int, columns: Sequence[Binned], parts: Sequence[slice], subsets: _Subsets, seed: int) -> Finding:
    check, title = f"fidelity.tvd{size}", _TITLE.format(_NAMES[size])
    limit = {1: len(columns), 2: PAIRS, 3: TRIPLES}[size]
    sets, sampled = _sets(len(columns), size, limit, np.random.default_rng([seed, 10 + size]))
    if not sets:
        return Finding(check, title, None, note=f"The table has fewer than {size} columns.")
    rows, nearer = [], np.zeros(len(subsets.shares))
    for chosen in sets:
        cells, number = _cells([columns[i] for i in chosen])
        train, holdout, synthetic = _shares(cells, number, parts)
        names = [columns[i].name for i in chosen]
        distances = {"value": float(_distance(synthetic, holdout)), "reference": float(_distance(train, holdout))}
        rows.append({"columns": names, **distances} if size > 1 else {"column": names[0], **distances})
        nearer += subsets.distances(cells, holdout) / len(sets)
    value, reference = (float(np.mean([row[k] for row in rows])) for k in ("value", "reference"))
    details = {"yardstick": _yardstick(value, [*zip(subsets.shares, nearer.tolist(), strict=True), (1.0, reference)])}
    if size == 1:
        details |= {"columns": rows, "histograms": [_histogram(column, parts) for column in columns]}
    elif size == 2:
        details |= {"pairs": rows, "sets": len(rows), "sampled": sampled}
    else:
        details |= {"worst": sorted(rows, key=lambda row: -row["value"])[:20], "sets": len(rows), "sampled": sampled}
    return Finding(
        check, title, value, reference=reference, reference_is=_COMPARED, details=details,
        note=f"Mean over {len(sets)} sets drawn at random." if sampled else "",
    )  # fmt: skip


def _yardstick(value: float, shares: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """Between which shares of the training rows a distance lies; None where the training table is too small for subsets.

    `share` is the smallest that is at least as close, None where even all training rows are further away; `distance` is its own,
    and `further` the next smaller share, None where there is none. `shares` has them all, with all training rows last.
    """
    if len(shares) < 2:
        return None
    place = next((i for i, (_, distance) in enumerate(shares) if distance <= value), None)
    share, distance = (None, None) if place is None else shares[place]
    return {
        "share": share,
        "distance": distance,
        "further": shares[place - 1][0] if place else None,
        "shares": list(map(list, shares)),
    }


def _sets(columns: int, size: int, limit: int, rng: np.random.Generator) -> tuple[list[tuple[int, ...]], bool]:
    """All sets of `size` columns, or `limit` different ones at random; and whether they were sampled."""
    if math.comb(columns, size) <= limit:
        return list(combinations(range(columns), size)), False
    sets: set[tuple[int, ...]] = set()
    while len(sets) < limit:
        sets.add(tuple(sorted(rng.choice(columns, size, replace=False).tolist())))
    return sorted(sets), True


def _cells(columns: Sequence[Binned]) -> tuple[np.ndarray, int]:
    """Each row's cell in the columns' product, and how many there are; cells empty everywhere may be left out."""
    index, cells = columns[0].codes, len(columns[0].labels)
    for column in columns[1:]:
        index, cells = index * len(column.labels) + column.codes, cells * len(column.labels)
    if cells > _DENSE:
        index, found = pd.factorize(index)
        cells = len(found)
    return index, cells


def _shares(cells: np.ndarray, number: int, parts: Sequence[slice]) -> list[np.ndarray]:
    """For each table, the share of its rows in each cell."""
    return [np.bincount(cells[part], minlength=number) / (part.stop - part.start) for part in parts]


def _distance(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Total variation between shares that lie along the last axis; rounding must not lift it above 1."""
    return np.minimum(np.abs(p - q).sum(-1) / 2, 1.0)


def binned(column: Column, tables: Sequence[pd.DataFrame]) -> Binned:
    """The bin of each row of the tables.

    Numbers are cut at quantiles of the first table. Labels are those of the first two, the real ones, in order; the last two bins
    are for missing values and for labels of the synthetic rows alone.

    Parameters
    ----------
    column : Column
    tables : three DataFrames
        Train, holdout, synthetic.
    """
    if column.numeric:
        values = [axis_values(table, column) for table in tables]
        return _binned_numbers(column, np.concatenate(values), values[0])
    values = [label_values(table, column) for table in tables]
    real = np.concatenate(values[:2])
    labels = pd.Index(sorted({label for label in real if label is not None}))
    everything = np.concatenate(values)
    codes = labels.get_indexer(everything)
    codes[codes < 0] = len(labels) + 1
    codes[pd.isna(everything)] = len(labels)
    return Binned(column.name, codes.astype(np.int64), [*labels, "missing", "not in the real rows"], len(labels))


def _binned_numbers(column: Column, values: np.ndarray, train: np.ndarray) -> Binned:
    known = train[~np.isnan(train)]
    quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)) if len(known) else np.zeros(0)
    distinct, owned = np.unique(quantiles, return_counts=True)
    own = distinct[owned >= 2]
    inner = distinct[:-1] if len(own) and own[0] == distinct[0] else distinct[1:-1]
    edges = np.unique(np.concatenate([inner, np.nextafter(own, np.inf)]))
    codes = np.searchsorted(edges, values, side="right")
    codes[np.isnan(values)] = len(edges) + 1
    if not len(edges):
        return Binned(column.name, codes, ["any value", "missing"], 1)
    middle = [between(column, low, end) for low, end in pairwise(edges)]
    ends = f"below {shown(column, edges[0])}", f"{shown(column, edges[-1])} and above"
    return Binned(column.name, codes, [ends[0], *middle, ends[1], "missing"], len(middle) + 2)


def between(column: Column, low: float, end: float) -> str:
    """The values from `low` up to but without `end`, for people."""
    if column.kind == "integer":
        first, last = math.ceil(low), math.ceil(end) - 1
        return f"{first}" if first >= last else f"{first} to {last}"
    return f"{shown(column, low)}" if math.nextafter(low, math.inf) == end else f"{shown(column, low)} to {shown(column, end)}"


def _histogram(column: Binned, parts: Sequence[slice]) -> dict[str, Any]:
    """Shares of each table by bin; labels beyond the most frequent of the training rows are put together."""
    drawn = column.drawn(parts[0].stop)
    shares = _shares(drawn.codes, len(drawn.labels), parts)
    rows = zip(("train", "holdout", "synthetic"), shares, strict=True)
    return {"column": column.name, "bins": drawn.labels, **{name: s.tolist() for name, s in rows}}


def shown(column: Column, position: float) -> str | float | int:
    """A place on the column's axis, for people: dates as ISO text."""
    if column.kind in ("date", "datetime"):
        return column.from_axis(math.floor(position) if column.kind == "date" else position).isoformat()
    if column.kind == "integer":
        return math.ceil(position)
    rounded = float(f"{position:.6g}") if abs(position) > 1e-300 else 0.0
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
