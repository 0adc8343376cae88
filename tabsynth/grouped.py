"""A coder for long lists of labels: few codes, each a label or a group of labels that share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tabsynth.schema import Column

TINY = 1e-12
"""Of the whole mass, given to every label, so that a group whose labels are all empty is spread over them."""
MOST_MASS = 1e15
"""Largest mass of a label that is loaded."""


@dataclass(frozen=True)
class GroupedLabels:
    """Labels in groups; the code is the group, and a label is drawn back from its group in proportion to the masses.

    Parameters
    ----------
    values : tuple of str or of int
    group : ndarray of int64, shape (labels,)
        The code of each label; every code from 0 to the last one is some label's.
    mass : ndarray of float64, shape (labels,)
        Non-negative weight of each label within its group.
    null : bool
        Whether there is one more code, the last, for missing.
    """

    values: tuple[str | int, ...]
    group: np.ndarray
    mass: np.ndarray
    null: bool

    @property
    def size(self) -> int:
        """Number of codes."""
        return int(self.group.max()) + 1 + self.null

    def holding(self, fits: Sequence[bool]) -> np.ndarray:
        """Which codes may be drawn as one of the labels that fit: bool, shape (codes,). Labels without mass in a group with some never are."""
        whole = np.bincount(self.group, self.mass, self.size)
        drawn = (self.mass > 0) | (whole[self.group] == 0)
        return np.bincount(self.group[np.asarray(fits) & drawn], minlength=self.size) > 0

    def decode(self, codes: np.ndarray, column: Column, rng: np.random.Generator) -> np.ndarray:
        """Values of codes, None for missing.

        The rows of a group share its mass evenly (systematic sampling), in random order, so that chance adds next to nothing.
        """
        order = np.argsort(self.group, kind="stable")
        groups = self.size - self.null
        ends = np.cumsum(np.bincount(self.group, minlength=groups))
        starts = np.append(0, ends[:-1])
        above = np.append(0.0, np.cumsum(self.mass[order] + TINY * max(self.mass.sum(), 1.0)))
        rows = rng.permutation(np.flatnonzero(codes < groups))
        rows = rows[np.argsort(codes[rows], kind="stable")]
        own = codes[rows]
        held = np.bincount(own, minlength=groups)
        share = (np.arange(len(rows)) - (np.cumsum(held) - held)[own] + rng.random(len(rows))) / held[own]
        at = above[starts][own] * (1 - share) + above[ends][own] * share
        place = np.clip(np.searchsorted(above, at, side="right") - 1, starts[own], ends[own] - 1)
        labels = np.full(len(codes), len(self.values))
        labels[rows] = order[place]
        return np.array([*self.values, None], dtype=object)[labels]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"labels": list(self.values), "groups": self.group.tolist(), "mass": self.mass.tolist(), "null": self.null}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> GroupedLabels | None:
        """Inverse of `to_dict`, for data that anybody may have written; its labels are different texts or whole numbers.

        None where the groups are not numbered from 0 without a gap, one for each label, or a mass is none.
        """
        values, groups, mass = plain["labels"], plain["groups"], plain["mass"]
        lists = isinstance(groups, list) and isinstance(mass, list) and len(groups) == len(mass) == len(values)
        if not (lists and all(type(g) is int for g in groups) and all(type(m) in (int, float) for m in mass)):
            return None
        numbered = set(groups) == set(range(max(groups) + 1)) if 0 <= max(groups) < len(groups) else False
        return cls(tuple(values), np.array(groups), np.array(mass, dtype=np.float64), plain["null"]) if (
            numbered and all(0 <= m <= MOST_MASS for m in mass)
        ) else None  # fmt: skip
