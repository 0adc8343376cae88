"""NOT PRIVATE. Worst cases: the strongest attack on the most unusual units, and on subgroups, beside its average."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Schema
from tabsynth.validate.attacks import statistics
from tabsynth.validate.check import Finding
from tabsynth.validate.features import label_values
from tabsynth.validate.intervals import delong

NEIGHBOURS = 5
REFERENCE_ROWS = 5_000
MINIMUM = 20
"""A group is judged with at least this many members and as many non-members."""
LABELS = 6
"""Columns with more labels make no subgroups: each would be small, and all intervals wider."""
_BLOCK = 2_000
_RATES = (0.1, 0.01)


def vulnerability(
    rows: tuple[np.ndarray, np.ndarray], reference: tuple[np.ndarray, np.ndarray], columns: tuple[int, int]
) -> np.ndarray:
    """Mean cosine distance of each row to its 5 nearest reference rows; the higher, the more unusual the row. Shape (rows,).

    The similarity is the sum of the two parts' cosines, weighted by their shares of the columns; a part that is all zero has
    cosine 0. The paper takes the neighbours from the whole table and scales numbers to [0, 1]; here reference rows stand for the
    population, so that no member is its own neighbour and the measure never depends on who is a member, and numbers are
    standardised. O(rows x reference rows x dimensions) time, in single precision.

    Parameters
    ----------
    rows, reference : (ndarray, ndarray), shapes (n, numeric columns) and (n, one-hot dimensions)
        Reference rows in random order; the first 5,000 are used. Without any, all values are NaN.
    columns : (int, int)
        How many numeric and how many label columns there are.

    References
    ----------
    Meeus, Guepin, Cretu and de Montjoye (2023), Achilles' Heels, ESORICS, arXiv 2306.10308.
    """
    known = _joined([part[:REFERENCE_ROWS] for part in reference], columns).T
    k = min(NEIGHBOURS, known.shape[1])
    if not k:
        return np.full(len(rows[0]), np.nan)
    out = np.empty(len(rows[0]))
    for start in range(0, len(out), _BLOCK):
        similarity = _joined([part[start : start + _BLOCK] for part in rows], columns) @ known
        out[start : start + _BLOCK] = 1 - np.partition(similarity, -k, axis=1)[:, -k:].mean(axis=1)
    return np.maximum(out, 0.0)


def _joined(parts: list[np.ndarray], columns: tuple[int, int]) -> np.ndarray:
    """Rows whose inner product is the weighted sum of the parts' cosines."""
    scaled = []
    for part, count in zip(parts, columns, strict=True):
        part = part.astype(np.float32)
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        scaled.append(part * math.sqrt(count / sum(columns)) / np.where(lengths > 0, lengths, 1))
    return np.hstack(scaled)


def groups(schema: Schema, rows: pd.DataFrame, units: np.ndarray) -> dict[str, np.ndarray]:
    """Subgroups by label: the units that have a row with it, for columns of at most LABELS labels. Masks of shape (units,)."""
    out = {}
    for column in schema.modelled:
        values = np.array([]) if column.numeric else label_values(rows, column)
        labels = sorted(set(values) - {None})
        if len(labels) <= LABELS:
            out |= {f"{column.name} = {label}": np.bincount(units, values == label) > 0 for label in labels}
    return out


def check(scores: np.ndarray, member: np.ndarray, vulnerability: np.ndarray, groups: Mapping[str, np.ndarray]) -> Finding:
    """The attack within each tenth of vulnerability, the most vulnerable 1 %, and each subgroup: in how many does it beat chance?

    The intervals of the AUCs hold for all judged groups together with 95 % (Bonferroni); a group stands out where its interval lies
    above 0.5. Equal vulnerabilities are never divided, so tenths can be unequal or empty.

    Parameters
    ----------
    scores : ndarray of float, shape (units,)
        Of one attack that was *chosen on other units* (`membership.split`): on the units it was chosen on, these are no estimates.
    member : ndarray of bool, shape (units,)
    vulnerability : ndarray of float, shape (units,)
    groups : mapping from name to ndarray of bool, shape (units,)
        Subgroups by anything but membership and score; they may overlap.
    """
    title = "Groups of units, by vulnerability and by column, in which the strongest attack beats chance"
    masks = {**_levels(vulnerability), **groups}
    rows = [_described(name, mask, member) for name, mask in masks.items() if mask.any()]
    judged = [row for row in rows if min(row["n_members"], row["n_nonmembers"]) >= MINIMUM]
    if not judged:
        note = f"Too few rows: no group has {MINIMUM} members and {MINIMUM} non-members."
        return Finding("attacks.worst", title, None, reference=0.0, note=note, details={"groups": rows})
    for row in judged:
        mask = masks[row["group"]]
        row.update(_attacked(scores[mask], member[mask], 1 - 0.05 / len(judged)))
    overall = delong(scores, member)
    standing = sum(row["stands_out"] for row in judged)
    highest = max(judged, key=lambda row: row["interval"][0])
    note = (
        f"{len(judged)} groups were judged; the intervals hold for all of them together. Highest lower end: {highest['group']}, AUC "
        f"{highest['auc']:.3f} (at least {highest['interval'][0]:.3f}), against {overall[0]:.3f} over all units."
    )
    details = {"groups": rows, "judged": len(judged), "auc_all": overall[0], "interval_all": list(overall[1])}
    return Finding(
        "attacks.worst", title, float(standing), reference=0.0, reference_is="an attack no better than chance in every group",
        note=note, details=details,
    )  # fmt: skip


def _levels(vulnerability: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of the tenths of vulnerability and of the highest 1 %; none where it is unknown."""
    from scipy.stats import rankdata

    if not np.isfinite(vulnerability).all():
        return {}
    place = (rankdata(vulnerability) - 0.5) / max(len(vulnerability), 1)
    tenths = {f"vulnerability, tenth {i + 1} of 10": np.floor(10 * place) == i for i in range(10)}
    return {**tenths, "vulnerability, highest 1 %": place > 0.99}


def _described(name: str, mask: np.ndarray, member: np.ndarray) -> dict[str, Any]:
    counts = {"n_members": int((mask & member).sum()), "n_nonmembers": int((mask & ~member).sum())}
    return {"group": name, **counts, "auc": None, "interval": None, "stands_out": None, "tpr": []}


def _attacked(scores: np.ndarray, member: np.ndarray, level: float) -> dict[str, Any]:
    auc, interval = delong(scores, member, level=level)
    others = int((~member).sum())
    rates = [statistics.tpr_at_fpr(scores, member, fpr) for fpr in _RATES if statistics.printable(fpr, others)]
    return {"auc": auc, "interval": list(interval), "stands_out": interval[0] > 0.5, "tpr": rates}
