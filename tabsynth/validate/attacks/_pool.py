"""NOT PRIVATE. Training and holdout rows together: how many units hold a row's value, and how far the nearest row of another is.

All of it stays the same whichever units had been drawn for training, so that what is counted by it can be compared by `_randomised`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tabsynth.validate.attacks._nearest import nearest_of_others
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import Encoder, row_ids, unit_codes

ROWS = 50_000
"""Units are drawn until they have about this many rows, among which distances are compared; copies are sought among all."""
SYNTHETIC_ROWS = 100_000
_SCALING = "standardised"
_EPSILON = 1e-6


@dataclass(frozen=True)
class Pool:
    """The real rows of both sides, the training rows first.

    Parameters
    ----------
    evidence : Evidence
    """

    evidence: Evidence

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Both tables, one below the other."""
        return pd.concat([self.evidence.train, self.evidence.holdout], ignore_index=True)

    @cached_property
    def units(self) -> np.ndarray:
        """The unit of each row: 0, 1, ..., the members first."""
        train, holdout = (unit_codes(table, self.evidence.schema) for table in (self.evidence.train, self.evidence.holdout))
        return np.concatenate([train, holdout + len(np.unique(train))])

    @cached_property
    def member(self) -> np.ndarray:
        """Whether each unit is a member, shape (units,)."""
        return np.arange(self.units.max() + 1) < len(np.unique(self.units[: len(self.evidence.train)]))

    @cached_property
    def ids(self) -> np.ndarray:
        """Equal exactly where rows agree in every column but the identifiers."""
        return row_ids([self.rows], self.evidence.schema)[0]

    @cached_property
    def holders(self) -> np.ndarray:
        """How many units hold each row's value, shape (rows,)."""
        pairs = pd.DataFrame({"id": self.ids, "unit": self.units}).drop_duplicates()
        return np.bincount(pairs["id"])[self.ids]

    @cached_property
    def near(self) -> np.ndarray:
        """Row numbers of the units among which distances are compared: all, or as many as have about `ROWS` rows."""
        rng = np.random.default_rng([self.evidence.seed, 12])
        order = rng.permutation(len(self.member))
        sizes = np.bincount(self.units)[order]
        return np.flatnonzero(np.isin(self.units, order[np.cumsum(sizes) <= max(ROWS, sizes[0])]))

    @cached_property
    def to_others(self) -> np.ndarray:
        """Distance from each row of `near` to the nearest row of another unit there, shape (near rows,)."""
        return self._distances(self.rows.iloc[self.near], self.units[self.near])

    @cached_property
    def own(self) -> np.ndarray:
        """Whether only one unit holds each row's value, shape (rows,)."""
        return self.holders == 1

    @cached_property
    def apart(self) -> np.ndarray:
        """Which rows of `near` are unlike anybody else's: of those that are one unit's own, the half farthest from all others."""
        own = self.own[self.near]
        return own & (self.to_others >= np.median(self.to_others[own])) if own.any() else own

    def copied(self, synthetic: pd.DataFrame) -> np.ndarray:
        """Whether each row occurs in the synthetic table, shape (rows,)."""
        ids, found = row_ids([self.rows, synthetic], self.evidence.schema)
        return np.isin(ids, found)

    def closeness(self, synthetic: pd.DataFrame) -> np.ndarray:
        """Distance from each row of `near` to the nearest synthetic row as a share of that to the nearest row of another unit."""
        rng = np.random.default_rng([self.evidence.seed, 13])
        searched = synthetic.iloc[rng.permutation(len(synthetic))[:SYNTHETIC_ROWS]]
        return (self._distances(searched) + _EPSILON) / (self.to_others + _EPSILON)

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder.fit(self.evidence.schema, self.rows, self.evidence.synthetic)

    def _distances(self, table: pd.DataFrame, owners: np.ndarray | None = None) -> np.ndarray:
        """From each row of `near` to the nearest row of a table; of another unit, where the table's rows have owners."""
        queries, rows = (self._encoder.transform(t) for t in (self.rows.iloc[self.near], table))
        owners = np.full(len(rows), -1) if owners is None else owners
        return nearest_of_others(queries, self.units[self.near], rows, owners, _SCALING)
