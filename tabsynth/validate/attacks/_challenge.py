"""NOT PRIVATE. The challenge every attack is judged on: members, non-members, and the reference rows an attacker may know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.schema import Schema
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import row_ids, unit_codes

UNITS = 20_000
"""At most this many member units, and as many non-member units."""
ROWS = 20_000
"""Units are drawn until they have about this many rows on each side."""
REFERENCE_ROWS = 20_000
SYNTHETIC_ROWS = 100_000
"""At most this many rows of the table are searched for near rows; exact copies are found in all of them."""


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
        In random order, at most REFERENCE_ROWS and SYNTHETIC_ROWS; see `searched`.
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
    rows = pd.concat([evidence.train[member_rows], evidence.holdout[other_rows]], ignore_index=True)
    return Challenge(
        rows=rows,
        units=np.concatenate([member_units, other_units + size]),
        member=np.repeat([True, False], size),
        reference=_shuffled(reference, REFERENCE_ROWS, rng),
        synthetic=searched(evidence.synthetic, rows, evidence.schema, rng),
    )


def searched(synthetic: pd.DataFrame, rows: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> pd.DataFrame:
    """The synthetic rows that attacks search, in random order: all, or `SYNTHETIC_ROWS`.

    Of a table with more rows, every exact copy of a challenge row is among them (one row of each kind; a member's copies and a
    non-member's alike), and the rest are drawn at random: no copy is missed, however large the table is.
    """
    if len(synthetic) <= SYNTHETIC_ROWS:
        return _shuffled(synthetic, SYNTHETIC_ROWS, rng)
    asked, found = row_ids([rows, synthetic], schema)
    order = rng.permutation(len(synthetic))
    order = order[np.argsort(~_first_copies(found[order], asked), kind="stable")][:SYNTHETIC_ROWS]
    return synthetic.iloc[rng.permutation(order)]


def _first_copies(found: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Whether each synthetic row is the first one equal to some challenge row."""
    first = np.zeros(len(found), bool)
    first[np.unique(found, return_index=True)[1]] = True
    return first & np.isin(found, asked)


def _shuffled(table: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    return table.iloc[rng.permutation(len(table))[:rows]]
