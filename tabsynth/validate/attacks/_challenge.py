"""NOT PRIVATE. The challenge every attack is judged on: members, non-members, and the reference rows an attacker may know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.validate.check import Evidence
from tabsynth.validate.features import unit_codes

UNITS = 20_000
"""At most this many member units, and as many non-member units."""
ROWS = 20_000
"""Units are drawn until they have about this many rows on each side."""
REFERENCE_ROWS = 20_000
SYNTHETIC_ROWS = 100_000
"""At most this many rows of each table are searched; copies among rows left out are not seen, so this is high."""


@dataclass(frozen=True)
class Challenge:
    """Equally many member and non-member units, drawn at random; the reference rows were given or are the rest of the holdout.

    Parameters
    ----------
    rows : DataFrame
        Challenge rows, the members' first.
    units : ndarray of int, shape (rows,)
        Unit of each row: 0, 1, ...
    member : ndarray of bool, shape (units,)
        Whether the unit is a member (its rows are training rows).
    reference, synthetic : DataFrame
        In random order, at most REFERENCE_ROWS and SYNTHETIC_ROWS.
    """

    rows: pd.DataFrame
    units: np.ndarray
    member: np.ndarray
    reference: pd.DataFrame
    synthetic: pd.DataFrame

    @property
    def row_member(self) -> np.ndarray:
        """Whether each row is a member's, shape (rows,)."""
        return self.member[self.units]

    @property
    def clustered(self) -> bool:
        """Whether some unit has several rows."""
        return len(self.units) > len(self.member)

    @property
    def sizes(self) -> str:
        """In words, for the note of a check that cannot be computed."""
        return (
            f"{int(self.member.sum())} member and {int((~self.member).sum())} non-member units, {len(self.reference)} reference rows "
            f"and {len(self.synthetic)} synthetic rows"
        )


def design(evidence: Evidence) -> Challenge:
    """Split the holdout's units at random into challenge and reference, and draw as many member units from the training rows.

    Where reference rows were given, they are the reference, and the challenge may be the whole holdout.
    """
    rng = np.random.default_rng([evidence.seed, 1])
    members, others = (unit_codes(table, evidence.schema) for table in (evidence.train, evidence.holdout))
    n_members, n_others = members.max(initial=-1) + 1, others.max(initial=-1) + 1
    fitting = int(ROWS * n_others / len(others)) if n_others else 0
    available = n_others // 2 if evidence.reference is None else n_others
    size = min(n_members, available, UNITS, max(1, fitting))
    picked, order = rng.permutation(n_members)[:size], rng.permutation(n_others)
    member_rows, other_rows = np.isin(members, picked), np.isin(others, order[:size])
    member_units = np.unique(members[member_rows], return_inverse=True)[1]
    other_units = np.unique(others[other_rows], return_inverse=True)[1]
    reference = evidence.holdout[~other_rows] if evidence.reference is None else evidence.reference
    return Challenge(
        rows=pd.concat([evidence.train[member_rows], evidence.holdout[other_rows]], ignore_index=True),
        units=np.concatenate([member_units, other_units + size]),
        member=np.repeat([True, False], size),
        reference=_shuffled(reference, REFERENCE_ROWS, rng),
        synthetic=_shuffled(evidence.synthetic, SYNTHETIC_ROWS, rng),
    )


def searched(synthetic: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The rows of a synthetic table that are searched: all, in random order, or SYNTHETIC_ROWS of them."""
    return _shuffled(synthetic, SYNTHETIC_ROWS, np.random.default_rng([seed, 14]))


def _shuffled(table: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    return table.iloc[rng.permutation(len(table))[:rows]]
