"""NOT PRIVATE. How close the synthetic table is to the real one: marginals up to three columns, tails, categories."""

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
from tabsynth.validate.features import axis_values, label_values

BINS = 32
TRIPLES = 2_000
PAIRS = 5_000
"""At most this many sets of three and of two columns are compared; more are sampled."""
RARE = 0.01
_LABELS_SHOWN = 40
_DENSE = 2**18
_TITLE = "Distance of the joint distribution of {} from the holdout (mean total variation)"
_NAMES = {1: "single columns", 2: "pairs of columns", 3: "three columns"}
_COMPARED = "training rows vs holdout"


@dataclass(frozen=True)
class _Binned:
    """One column of the three tables as cells 0 .. cells - 1, stacked in the order train, holdout, synthetic."""

    name: str
    codes: np.ndarray
    labels: list[str]


def tvd(evidence: Evidence) -> list[Finding]:
    """Total variation distance between synthetic and holdout rows, averaged over all sets of 1, 2 and 3 columns.

    Numbers are cut at 32 quantiles of the training rows; a value that owns two or more of them gets a cell of its own. Missing is
    a cell, and so are all labels that are in neither real table. Sampling noise alone makes the distance positive: compare it
    with the reference, the same between training and holdout rows.
    """
    tables = (evidence.train, evidence.holdout, evidence.synthetic)
    if not all(map(len, tables)):
        names = {k: f"fidelity.tvd{k}" for k in _NAMES}
        return [Finding(names[k], _TITLE.format(_NAMES[k]), None, note="A table has no rows.") for k in _NAMES]
    binned = [_binned(column, tables) for column in evidence.schema.modelled]
    edges = np.cumsum([0, *map(len, tables)])
    parts = [slice(a, b) for a, b in pairwise(edges.tolist())]
    return [_tvd(size, binned, parts, evidence.seed) for size in _NAMES]


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
        columns.append({"column": column.name, "low": _shown(column, low), "high": _shown(column, high), **ends})
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


def _tvd(size: int, binned: Sequence[_Binned], parts: Sequence[slice], seed: int) -> Finding:
    check, title = f"fidelity.tvd{size}", _TITLE.format(_NAMES[size])
    limit = {1: len(binned), 2: PAIRS, 3: TRIPLES}[size]
    sets, sampled = _sets(len(binned), size, limit, np.random.default_rng([seed, 10 + size]))
    if not sets:
        return Finding(check, title, None, note=f"The table has fewer than {size} columns.")
    rows = []
    for chosen in sets:
        shares = _shares([binned[i] for i in chosen], parts)
        train, holdout, synthetic = shares
        names = [binned[i].name for i in chosen]
        distances = {"value": _distance(synthetic, holdout), "reference": _distance(train, holdout)}
        rows.append({"columns": names, **distances} if size > 1 else {"column": names[0], **distances, "shares": shares})
    value, reference = (float(np.mean([row[k] for row in rows])) for k in ("value", "reference"))
    return Finding(
        check, title, value, reference=reference, reference_is=_COMPARED, details=_details(size, rows, binned, sampled),
        note=f"Mean over {len(sets)} sets drawn at random." if sampled else "",
    )  # fmt: skip


def _details(size: int, rows: list[dict[str, Any]], binned: Sequence[_Binned], sampled: bool) -> dict[str, Any]:
    if size == 1:
        histograms = [_histogram(column, row.pop("shares")) for column, row in zip(binned, rows, strict=True)]
        return {"columns": rows, "histograms": histograms}
    if size == 2:
        return {"pairs": rows, "sets": len(rows), "sampled": sampled}
    return {"worst": sorted(rows, key=lambda row: -row["value"])[:20], "sets": len(rows), "sampled": sampled}


def _sets(columns: int, size: int, limit: int, rng: np.random.Generator) -> tuple[list[tuple[int, ...]], bool]:
    """All sets of `size` columns, or `limit` different ones at random; and whether they were sampled."""
    if math.comb(columns, size) <= limit:
        return list(combinations(range(columns), size)), False
    sets: set[tuple[int, ...]] = set()
    while len(sets) < limit:
        sets.add(tuple(sorted(rng.choice(columns, size, replace=False).tolist())))
    return sorted(sets), True


def _shares(columns: Sequence[_Binned], parts: Sequence[slice]) -> list[np.ndarray]:
    """For each table, the share of its rows in each cell of the columns' product; cells empty everywhere may be left out."""
    index, cells = columns[0].codes, len(columns[0].labels)
    for column in columns[1:]:
        index, cells = index * len(column.labels) + column.codes, cells * len(column.labels)
    if cells > _DENSE:
        index, found = pd.factorize(index)
        cells = len(found)
    return [np.bincount(index[part], minlength=cells) / (part.stop - part.start) for part in parts]


def _distance(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.abs(p - q).sum() / 2)


def _binned(column: Column, tables: Sequence[pd.DataFrame]) -> _Binned:
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
    return _Binned(column.name, codes.astype(np.int64), [*labels, "missing", "not in the real rows"])


def _binned_numbers(column: Column, values: np.ndarray, train: np.ndarray) -> _Binned:
    known = train[~np.isnan(train)]
    quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)) if len(known) else np.zeros(0)
    distinct, owned = np.unique(quantiles, return_counts=True)
    own = distinct[owned >= 2]
    inner = distinct[:-1] if len(own) and own[0] == distinct[0] else distinct[1:-1]
    edges = np.unique(np.concatenate([inner, np.nextafter(own, np.inf)]))
    codes = np.searchsorted(edges, values, side="right")
    codes[np.isnan(values)] = len(edges) + 1
    if not len(edges):
        return _Binned(column.name, codes, ["any value", "missing"])
    middle = [_between(column, low, end) for low, end in pairwise(edges)]
    ends = f"below {_shown(column, edges[0])}", f"{_shown(column, edges[-1])} and above"
    return _Binned(column.name, codes, [ends[0], *middle, ends[1], "missing"])


def _between(column: Column, low: float, end: float) -> str:
    """The values from `low` up to but without `end`, for people."""
    if column.kind == "integer":
        first, last = math.ceil(low), math.ceil(end) - 1
        return f"{first}" if first >= last else f"{first} to {last}"
    return f"{_shown(column, low)}" if math.nextafter(low, math.inf) == end else f"{_shown(column, low)} to {_shown(column, end)}"


def _histogram(column: _Binned, shares: Sequence[np.ndarray]) -> dict[str, Any]:
    """Shares of each table by bin; labels beyond the most frequent of the training rows are put together."""
    labels, shares = column.labels, [np.asarray(s) for s in shares]
    if len(labels) > _LABELS_SHOWN:
        order = np.sort(np.argsort(-shares[0], kind="stable")[:_LABELS_SHOWN])
        labels = [*(labels[i] for i in order), "all others"]
        shares = [np.append(s[order], s.sum() - s[order].sum()) for s in shares]
    rows = zip(("train", "holdout", "synthetic"), shares, strict=True)
    return {"column": column.name, "bins": labels, **{name: s.tolist() for name, s in rows}}


def _shown(column: Column, position: float) -> str | float | int:
    """A place on the column's axis, for people: dates as ISO text."""
    if column.kind in ("date", "datetime"):
        return column.from_axis(math.floor(position) if column.kind == "date" else position).isoformat()
    if column.kind == "integer":
        return math.ceil(position)
    rounded = float(f"{position:.6g}") if abs(position) > 1e-300 else 0.0
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
