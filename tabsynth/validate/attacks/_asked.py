"""NOT PRIVATE. The real rows that attackers are asked about: of all units, members or not, unless there are very many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.schema import Schema
from tabsynth.validate.attacks._learners import features
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import Encoder, unit_codes


@dataclass(frozen=True)
class Asked:
    """Rows of real units.

    Parameters
    ----------
    rows : DataFrame
    units : ndarray of int, shape (rows,)
        0, 1, ...; all the members first.
    member : ndarray of bool, shape (units,)
    """

    rows: pd.DataFrame
    units: np.ndarray
    member: np.ndarray

    def some(self, at_most: int, rng: np.random.Generator) -> Asked:
        """Units drawn until each side has about so many rows."""
        drawn = np.concatenate([rng.permutation(np.flatnonzero(side))[:fit] for side, fit in self._fitting(at_most)])
        kept = np.isin(self.units, drawn)
        codes = np.unique(self.units[kept], return_inverse=True)[1]
        return Asked(self.rows[kept], codes, self.member[np.sort(drawn)])

    def _fitting(self, at_most: int) -> list[tuple[np.ndarray, int]]:
        sides = []
        for side in (self.member, ~self.member):
            rows = int(side[self.units].sum())
            sides.append((side, int(side.sum()) if rows <= at_most else max(1, int(at_most * side.sum() / rows))))
        return sides

    def shares(self, right: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Of each unit, the share of its rows (those of a mask) that were guessed right; NaN without any."""
        count = np.bincount(self.units[present], minlength=len(self.member))
        total = np.bincount(self.units[present], right, len(self.member))
        return np.where(count, total / np.maximum(count, 1), np.nan)

    def features(self, schema: Schema) -> np.ndarray:
        """Means of each unit's features, encoded by all these rows alike, shape (units, columns)."""
        table = features(Encoder.fit(schema, self.rows, self.rows[:0]).transform(self.rows))
        everywhere = np.ones(len(table), bool)
        return np.array([self.shares(column, everywhere) for column in table.T]).reshape(table.shape[1], -1).T


def everyone(evidence: Evidence, at_most: int) -> Asked:
    """All units of the training and holdout tables; where a side has more rows than `at_most`, units drawn at random."""
    codes = [unit_codes(table, evidence.schema) for table in (evidence.train, evidence.holdout)]
    members, others = (int(part.max(initial=-1)) + 1 for part in codes)
    rows = pd.concat([evidence.train, evidence.holdout], ignore_index=True)
    every = Asked(rows, np.concatenate([codes[0], codes[1] + members]), np.repeat([True, False], [members, others]))
    return every.some(at_most, np.random.default_rng([evidence.seed, 12]))
