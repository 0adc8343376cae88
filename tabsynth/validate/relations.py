"""NOT PRIVATE. Do pairs of columns keep their relation, and do links that real rows hardly ever break still hold?

Each column is cut into a few groups (`GROUPS`; a frequent number, zero, and what is missing are groups of their own). The relation of two
columns is how far their table lies from that of independent columns with the same shares: R(a, b) = P(a, b) - P(a) P(b). Its size is half
the sum of \\|R\\|, the share of rows that would have to change for the columns to be independent; two tables' relations differ by half the
sum of \\|R - R'\\|. What the holdout's relation differs by is subtracted: sampling alone makes as much.

A link is a set of cells that independent columns would fill and real rows hardly do. It is broken by the synthetic rows in them.

References
----------
McDiarmid (1989), On the method of bounded differences: a row moves a distance by at most one over the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes
from tabsynth.validate.intervals import newcombe

CHECK = "quality.relations"
LEVEL = 0.01
"""A table that is as good as other real rows fails at most so often, over all pairs."""
GROUPS = 7
COLUMNS = 300
"""At most so many columns are looked at, drawn at random with the target."""
WEAKEST, LEAST = 0.1, 0.02
"""A pair's relation may change by this share of the rows in any case; from `LEAST` on there is a relation at all."""
HARDLY, EXPECTED = 0.02, 20
"""Real rows hardly have a combination that fewer than this part of so many expected rows have."""
RAREST = 0.005
"""Links broken by no more than this share of the rows are left to chance and noise."""
SEEN = 2.0
MANY = 10**9
DRAWN, LISTED = 3, 30
"""Pairs that are drawn, and that are listed."""
_CHUNK, _WORK = 20_000, 4e10


@dataclass(frozen=True)
class _Groups:
    """One column of the three tables in a few groups.

    Parameters
    ----------
    codes : ndarray of int64
        Of all rows, train, holdout, synthetic.
    labels : list of str
    """

    name: str
    codes: np.ndarray
    labels: list[str]


@dataclass(frozen=True)
class _Table:
    """All pairs' shares in one table.

    Parameters
    ----------
    shares : ndarray of float64, shape (groups of all columns, groups of all columns)
    rows : int
    worth : float
        Independent rows, where the rows of a unit are all alike.
    """

    shares: np.ndarray
    rows: int
    worth: float


def relations(evidence: Evidence) -> list[Finding]:
    """Whether pairs keep their relation and links hold; the value is the part of all relations that is left.

    It fails where a pair's relation surely changes by more than it may (`policy["relations"]` of its size, and at least a tenth of the rows),
    where surely less than that part is left of all relations, or where surely more rows break a link than may. Bounds for all pairs hold together
    with twice `LEVEL`, for any distribution (McDiarmid) and shares of rows that break links by Newcombe: so a table that is as good as other real
    rows fails in at most two of a hundred reports, in practice far more rarely.
    """
    title = "Part of the relations between two columns that the synthetic rows keep"
    tables = (evidence.train, evidence.holdout, evidence.synthetic)
    columns = _chosen(evidence)
    if len(columns) < 2:
        return []
    if not all(map(len, tables)):
        return [Finding(CHECK, title, None, better="higher", note="A table has no rows.")]
    groups = [_grouped(column, tables) for column in columns]
    edges = np.cumsum([0, *map(len, tables)])
    real, other, made = (
        _counted(groups, slice(a, b), table, evidence) for (a, b), table in zip(pairwise(edges.tolist()), tables, strict=True)
    )
    starts = np.cumsum([0, *(len(g.labels) for g in groups)])
    spans = [slice(a, b) for a, b in pairwise(starts.tolist())]
    slack = _slack(real, other, made, math.comb(len(groups), 2))
    pairs = [
        _pair(evidence, (groups[i], groups[j]), (spans[i], spans[j]), (real, other, made), slack)
        for i, j in combinations(range(len(groups)), 2)
    ]
    return [_finding(title, evidence, pairs, slack, min(real.worth, made.worth))]


def _finding(title: str, evidence: Evidence, pairs: list[dict[str, Any]], slack: float, worth: float) -> Finding:
    related = [pair for pair in pairs if pair["size"] >= LEAST]
    size = sum(pair["size"] for pair in related)
    kept = sum(max(pair["size"] - pair["change"], 0.0) for pair in related) / size if size else None
    tolerated = 1 - evidence.policy["relations"]
    together = kept is not None and kept + slack * len(related) / size < tolerated
    wrong = [pair["columns"] for pair in pairs if pair["verdict"] == "fail"]
    broken = [pair["columns"] for pair in pairs if pair["link"] and pair["link"]["verdict"] == "fail"]
    open_ = [pair for pair in pairs for each in (pair, pair["link"] or pair) if each["verdict"] == "inconclusive"]
    verdict = "fail" if wrong or broken or together else "inconclusive" if open_ else "pass"
    details = {
        "pairs": [{k: v for k, v in pair.items() if k not in ("link", "table")} for pair in sorted(pairs, key=_worst)[:LISTED]],
        "links": sorted((p["link"] | {"columns": p["columns"]} for p in pairs if p["link"]), key=_worst)[:LISTED],
        "drawn": [pair["table"] | {"columns": pair["columns"]} for pair in sorted(pairs, key=_worst)[:DRAWN]],
        "wrong": wrong, "broken": broken, "together": together, "related": len(related), "compared": len(pairs),
        "tolerated": evidence.policy["relations"], "tolerated_links": evidence.policy["broken_links"],
        "needed_rows": _needed(open_, worth) if verdict == "inconclusive" else None,
    }  # fmt: skip
    value = 1.0 if kept is None else kept
    note = "No two columns are related." if kept is None else ""
    return Finding(CHECK, title, value, better="higher", verdict=verdict, note=note, details=details)


def _worst(each: dict[str, Any]) -> tuple[float, float]:
    return -each["surely"], -each["off"]


def _needed(pairs: Sequence[dict[str, Any]], worth: float) -> int | None:
    """Rows of each table that would probably settle what is open; None where they are out of reach."""
    most = 1.0
    for pair in pairs:
        if pair["off"] > 1:
            most = max(most, (pair["unsure"] / max(pair["off"] - 1, 0.5)) ** 2)
        else:
            most = max(most, (pair["unsure"] / SEEN) ** 2)
    return math.ceil(most * worth) if most <= 10_000 else None


def needed(columns: int, holdout: float) -> int:
    """Training units, with as many synthetic rows and `holdout` times as many holdout units, that settle the smallest tolerance."""
    if not holdout > 0:
        return MANY
    return math.ceil(math.log(2 * math.comb(max(columns, 2), 2) / LEVEL) / 2 * (3 + 1 / holdout) / (SEEN * WEAKEST) ** 2)


def _chosen(evidence: Evidence) -> list[Column]:
    columns = list(evidence.schema.modelled)
    if len(columns) <= COLUMNS:
        return columns
    rest = [c for c in columns if c.name != evidence.target]
    rng = np.random.default_rng([evidence.seed, 31])
    places = rng.choice(len(rest), COLUMNS - 1, replace=False)
    chosen = {rest[i].name for i in places} | {evidence.target}
    return [c for c in columns if c.name in chosen]


def _grouped(column: Column, tables: Sequence[pd.DataFrame]) -> _Groups:
    if not column.numeric:
        values = [label_values(table, column) for table in tables]
        everything = np.concatenate(values)
        often = pd.Index(pd.Series(values[0]).value_counts().index[:GROUPS])
        codes = often.get_indexer(everything)
        codes[codes < 0] = len(often)
        codes[pd.isna(everything)] = len(often) + 1
        return _Groups(column.name, codes.astype(np.int64), [*map(str, often), "others", "missing"])
    values = [axis_values(table, column) for table in tables]
    known = values[0][~np.isnan(values[0])]
    quantiles = np.quantile(known, np.linspace(0, 1, GROUPS), method="inverted_cdf") if len(known) else np.zeros(0)
    distinct, owned = np.unique(quantiles, return_counts=True)
    own = set(distinct[owned >= 2]) | ({0.0} if len(known) and (known == 0).mean() >= 0.01 else set())
    edges = np.unique([*distinct[1:-1], *own, *(np.nextafter(v, np.inf) for v in own)])
    codes = np.searchsorted(edges, np.concatenate(values), side="right")
    codes[np.isnan(np.concatenate(values))] = len(edges) + 1
    return _Groups(column.name, codes.astype(np.int64), [*_named(column, edges), "missing"])


def _named(column: Column, edges: np.ndarray) -> list[str]:
    """What groups of numbers hold, for people."""
    from tabsynth.validate.fidelity import between, shown

    if not len(edges):
        return ["any value"]
    return [
        f"below {shown(column, edges[0])}",
        *(between(column, a, b) for a, b in pairwise(edges)),
        f"{shown(column, edges[-1])} and above",
    ]


def _counted(groups: Sequence[_Groups], part: slice, table: pd.DataFrame, evidence: Evidence) -> _Table:
    """The shares of all pairs of groups: the product of the one-hot rows with themselves."""
    sizes = [len(g.labels) for g in groups]
    starts = np.cumsum([0, *sizes[:-1]])
    codes = np.stack([g.codes[part] for g in groups], axis=1) + starts
    units = unit_codes(table, evidence.schema)
    most = max(_CHUNK, int(_WORK / sum(sizes) ** 2))
    if len(codes) > most:
        rng = np.random.default_rng([evidence.seed, 32])
        kept = rng.choice(len(codes), most, replace=False)
        codes, units = codes[kept], units[kept]
    total = np.zeros((sum(sizes), sum(sizes)))
    for first in range(0, len(codes), _CHUNK):
        chunk = codes[first : first + _CHUNK]
        hot = np.zeros((len(chunk), sum(sizes)), dtype=np.float32)
        hot[np.arange(len(chunk))[:, None], chunk] = 1
        total += hot.T @ hot
    return _Table(total / len(codes), len(codes), len(codes) ** 2 / float((np.bincount(units).astype(float) ** 2).sum()))


def _slack(real: _Table, other: _Table, made: _Table, pairs: int) -> float:
    """How far the difference of two distances may lie from its expectation, for all pairs together."""
    moves = 2 / real.worth + 1 / other.worth + 1 / made.worth
    return math.sqrt(math.log(2 * pairs / LEVEL) / 2 * moves)


def _pair(
    evidence: Evidence, groups: tuple[_Groups, _Groups], spans: tuple[slice, slice], tables: Sequence[_Table], slack: float
) -> dict[str, Any]:
    joint = [table.shares[spans] for table in tables]
    alone = [np.outer(p.sum(1), p.sum(0)) for p in joint]
    relation = [p - q for p, q in zip(joint, alone, strict=True)]
    p, q = joint[0].sum(1), joint[0].sum(0)
    chance = np.sqrt(2 / math.pi * np.outer(p * (1 - p), q * (1 - q)) / tables[0].worth).sum() / 2
    size = max(0.0, float(np.abs(relation[0]).sum() / 2 - chance))
    usual, away = (float(np.abs(each - relation[0]).sum() / 2) for each in relation[1:])
    names = [g.name for g in groups]
    tolerance = max(WEAKEST, evidence.policy["relations"] * size)
    change = max(0.0, away - usual)
    off, surely, unsure = change / tolerance, max(0.0, change - slack) / tolerance, slack / tolerance
    return {
        "columns": names, "size": size, "change": change, "usual": usual, "target": evidence.target in names,
        "off": off, "surely": surely, "unsure": unsure, "verdict": _verdict(off, surely, unsure),
        "link": _link(evidence, groups, joint, alone[0], tables),
        "table": {"labels": [g.labels for g in groups], "train": joint[0], "synthetic": joint[2]},
    }  # fmt: skip


def _verdict(off: float, surely: float, unsure: float) -> str:
    return "fail" if surely > 1 else "inconclusive" if off > 1 or unsure > SEEN else "pass"


def _link(
    evidence: Evidence, groups: Sequence[_Groups], joint: Sequence[np.ndarray], alone: np.ndarray, tables: Sequence[_Table]
) -> dict[str, Any] | None:
    """The combinations that real rows hardly have, and who has them; None where there are none that matter."""
    gone = (alone * tables[0].worth >= EXPECTED) & (joint[0] <= HARDLY * alone)
    independent = float(alone[gone].sum())
    train, holdout, synthetic = (float(p[gone].sum()) for p in joint)
    if independent < 2 * RAREST or synthetic < RAREST:
        return None
    tolerance = min(evidence.policy["broken_links"], max(RAREST, independent / 2))
    low, high = newcombe(
        synthetic * tables[2].worth, tables[2].worth, holdout * tables[1].worth, tables[1].worth, 1 - LEVEL / _pairs(evidence)
    )
    off, surely, unsure = max(0.0, synthetic - holdout) / tolerance, max(0.0, low) / tolerance, (high - low) / 2 / tolerance
    worst = np.unravel_index(np.argmax(np.where(gone, joint[2], -1)), gone.shape)
    return {
        "train": train, "holdout": holdout, "synthetic": synthetic, "independent": independent, "tolerated": tolerance,
        "example": [group.labels[i] for group, i in zip(groups, worst, strict=True)],
        "off": off, "surely": surely, "unsure": unsure, "verdict": "fail" if surely > 1 else "inconclusive" if off > 1 else "pass",
    }  # fmt: skip


def _pairs(evidence: Evidence) -> int:
    return math.comb(min(len(evidence.schema.modelled), COLUMNS), 2)
