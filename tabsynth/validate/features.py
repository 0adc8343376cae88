"""NOT PRIVATE. Typed tables -> numbers: axis values, label codes, row identities, and the scaled features attacks compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.schema import Column, Schema

SCALINGS = ("raw", "standardised", "rank")
CLIP = 10.0
"""Standardised values are clipped to this many standard deviations."""
MOST = 32
"""Labels of a column that have a one-hot column of their own."""


def axis_values(table: pd.DataFrame, column: Column) -> np.ndarray:
    """A numeric column as float64 on its axis (days or seconds since 1970 for dates and datetimes); missing is NaN."""
    series = table[column.name]
    if column.kind in ("date", "datetime"):
        seconds = series.astype("datetime64[s]").astype("int64").to_numpy(float)
        values = np.where(series.isna(), np.nan, seconds)
        return values / 86_400 if column.kind == "date" else values
    values = series.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def label_values(table: pd.DataFrame, column: Column) -> np.ndarray:
    """A categorical or boolean column as text; missing is None."""
    codes, distinct = pd.factorize(table[column.name])
    return np.array([*map(str, distinct), None], dtype=object)[codes]  # code -1, missing, takes the last


def unit_codes(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    """The privacy unit of each row as 0, 1, ...; rows without a key are units of their own."""
    if schema.unit.key is None:
        return np.arange(len(table))
    codes = pd.factorize(table[schema.unit.key])[0]
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def row_ids(tables: Sequence[pd.DataFrame], schema: Schema) -> list[np.ndarray]:
    """For each table, one integer a row: equal exactly where rows agree in every column but the identifiers."""
    table = pd.concat([t[[c.name for c in schema.modelled]] for t in tables], ignore_index=True)
    ids = np.zeros(len(table), dtype=np.int64)
    for column in schema.modelled:
        values = axis_values(table, column) if column.numeric else label_values(table, column)
        codes, distinct = pd.factorize(values)
        ids = pd.factorize(ids * (len(distinct) + 1) + codes + 1)[0]
    return np.split(ids, np.cumsum([len(t) for t in tables])[:-1])


@dataclass(frozen=True)
class Encoded:
    """Rows as features.

    Parameters
    ----------
    numeric : dict from scaling to ndarray of float64, shape (rows, numeric columns)
        Missing values are filled with the reference median.
    codes : ndarray of int32, shape (rows, label columns)
        Categories, booleans, and one missing-or-not code for each nullable numeric column. -1 equals no other row's code. The L1
        distance of two one-hot vectors is twice the number of codes that differ, so the vectors are never built. Columns are
        contiguous in memory, which makes comparing them several times faster.
    levels : tuple of int
        How many codes each label column has, from 0 on.
    """

    numeric: dict[str, np.ndarray]
    codes: np.ndarray
    levels: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | np.ndarray) -> Encoded:
        return Encoded({scaling: values[rows] for scaling, values in self.numeric.items()}, self.codes[rows], self.levels)

    def hot(self) -> np.ndarray:
        """One-hot labels, shape (rows, columns); labels beyond the 32 most frequent share a column."""
        columns = [
            np.minimum(codes, MOST)[:, None] == np.arange(min(levels, MOST + 1))
            for codes, levels in zip(self.codes.T, self.levels, strict=True)
        ]
        return np.hstack([np.zeros((len(self), 0)), *columns])

    def dense(self, scaling: str) -> np.ndarray:
        """Numbers and one-hot labels side by side."""
        return np.hstack([self.numeric[scaling], self.hot()])


@dataclass(frozen=True)
class Encoder:
    """Scaling learned from the reference rows (or, without any, from the synthetic rows); never from members.

    The raw scaling leaves numbers as they are; `standardised` subtracts the mean and divides by the standard deviation, clipped
    to +-10; `rank` is the interpolated share of reference rows below, times sqrt(12) so that its standard deviation is 1.
    Labels are those of the reference and of the synthetic rows, both of which an attacker has.
    """

    schema: Schema
    grids: dict[str, tuple[np.ndarray, np.ndarray]]
    moments: dict[str, tuple[float, float, float]]
    labels: dict[str, pd.Index]

    @classmethod
    def fit(cls, schema: Schema, reference: pd.DataFrame, synthetic: pd.DataFrame) -> Encoder:
        """Learn scaling from `reference` and label lists from both tables."""
        grids, moments, labels = {}, {}, {}
        base = reference if len(reference) else synthetic
        for column in schema.modelled:
            if column.numeric:
                values = axis_values(base, column)
                values = np.sort(values[~np.isnan(values)])
                distinct, counts = np.unique(values, return_counts=True)
                grids[column.name] = (distinct, (np.cumsum(counts) - counts / 2) / max(len(values), 1))
                known = values if len(values) else np.zeros(1)
                moments[column.name] = (float(np.median(known)), float(known.mean()), float(known.std()) or 1.0)
            else:
                both = pd.concat([reference[[column.name]], synthetic[[column.name]]], ignore_index=True)
                labels[column.name] = pd.Index(pd.Series(label_values(both, column)).value_counts().index)
        return cls(schema, grids, moments, labels)

    def transform(self, table: pd.DataFrame) -> Encoded:
        """Features of the table's rows, in order."""
        numeric: dict[str, list[np.ndarray]] = {scaling: [] for scaling in SCALINGS}
        codes, levels = [], []
        for column in self.schema.modelled:
            if not column.numeric:
                values = label_values(table, column)
                found = self.labels[column.name].get_indexer(values)
                codes.append(np.where(pd.isna(values), len(self.labels[column.name]), found))
                levels.append(len(self.labels[column.name]) + 1)
                continue
            values = axis_values(table, column)
            if column.nullable:
                codes.append(np.isnan(values).astype(int))
                levels.append(2)
            median, mean, deviation = self.moments[column.name]
            values = np.where(np.isnan(values), median, values)
            numeric["raw"].append(values)
            numeric["standardised"].append(np.clip((values - mean) / deviation, -CLIP, CLIP))
            distinct, shares = self.grids[column.name]
            numeric["rank"].append(np.interp(values, distinct, shares) * 12**0.5 if len(distinct) else np.zeros(len(table)))
        return Encoded(
            {scaling: np.ascontiguousarray(_matrix(columns, len(table), float)) for scaling, columns in numeric.items()},
            _matrix(codes, len(table), np.int32),
            tuple(levels),
        )


def _matrix(columns: list[np.ndarray], rows: int, dtype: type) -> np.ndarray:
    """Columns side by side, each contiguous in memory."""
    return np.array(columns, dtype).reshape(len(columns), rows).T
