"""NOT PRIVATE. Attack A9: whole units of several rows, each described by one row of aggregates, so that copied people are seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tabsynth.schema import Column, Schema
from tabsynth.validate.attacks._challenge import SYNTHETIC_ROWS, Challenge
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import axis_values, label_values, unit_codes

LABELS = 8
"""Shares of at most so many labels of a column describe a unit, the most frequent ones in the synthetic table."""


def grouped(evidence: Evidence) -> bool:
    """Whether the synthetic table holds units of several rows, so that its units can be compared with real ones."""
    key = evidence.schema.unit.key
    return key is not None and bool(evidence.synthetic[key].dropna().duplicated().any())


def describe(
    schema: Schema, tables: Sequence[pd.DataFrame], codes: Sequence[np.ndarray], base: int
) -> tuple[Schema, list[pd.DataFrame]]:
    """One row a unit: its number of rows; mean, deviation, minimum, maximum and sum of every number; shares of frequent labels.

    Parameters
    ----------
    tables : sequence of DataFrame
    codes : sequence of ndarray of int, shape (rows,)
        For each table the unit of each row, 0, 1, ...
    base : int
        The table whose frequent labels are used; never one with members.
    """
    columns: list[list[np.ndarray]] = [[] for _ in tables]
    names = ["rows"]
    for out, units in zip(columns, codes, strict=True):
        out.append(np.bincount(units))
    for column in schema.modelled:
        if column.numeric:
            names += [f"{column.name}: {what}" for what in ("mean", "std", "min", "max", "sum")]
            for out, units, table in zip(columns, codes, tables, strict=True):
                out += _moments(axis_values(table, column), units)
        else:
            frequent = pd.Series(label_values(tables[base], column)).value_counts().index[:LABELS]
            names += [f"{column.name}: {label}" for label in frequent]
            for out, units, table in zip(columns, codes, tables, strict=True):
                values = label_values(table, column)
                out += [np.bincount(units, values == label) / np.bincount(units) for label in frequent]
    described = Schema(schema.name, tuple(Column(name, "float", discover=True) for name in names))
    return described, [pd.DataFrame(dict(zip(names, map(np.asarray, out), strict=True))).astype(float) for out in columns]


def tables(evidence: Evidence, challenge: Challenge) -> tuple[Schema, list[pd.DataFrame]]:
    """Schema, and profiles of the challenge units (in their order), of synthetic units and of the holdout's other units."""
    key = evidence.schema.unit.key
    unseen = evidence.holdout if evidence.reference is None else evidence.reference
    others = unseen[~unseen[key].isin(challenge.rows[key])]
    rng = np.random.default_rng([evidence.seed, 5])
    codes = [challenge.units, *(unit_codes(table, evidence.schema) for table in (evidence.synthetic, others))]
    schema, (rows, synthetic, reference) = describe(evidence.schema, [challenge.rows, evidence.synthetic, others], codes, base=1)
    shuffled = [table.iloc[rng.permutation(len(table))[:SYNTHETIC_ROWS]] for table in (synthetic, reference)]
    return schema, [rows, *shuffled]


def _moments(values: np.ndarray, units: np.ndarray) -> list[np.ndarray]:
    """Mean, standard deviation, minimum, maximum and sum by unit; NaN for a unit without a value."""
    groups = pd.Series(values).groupby(units)
    found = groups.agg(["mean", "std", "min", "max", "sum"])
    found["std"] = found["std"].where(groups.count() != 1, 0.0)
    return [found[name].to_numpy() for name in ("mean", "std", "min", "max", "sum")]
