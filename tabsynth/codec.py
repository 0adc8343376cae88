"""Conformed table <-> integer codes, from what is public or bought alone.

Each modelled column has a coder. `Labels` gives every value a code. `Bins` cuts an axis into cells and groups neighbouring cells
into bins; the code is the bin, and a value is drawn back from the bin's cells in proportion to their (noisy) masses, uniformly within
a cell. A column that may be missing has one more code, the last, for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.conform import as_types
from tabsynth.schema import OTHER, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.access import Codes

TINY = 1e-12
"""Of the whole mass, given to every cell, so that a bin whose cells are all empty is spread over them."""

EXACT_VALUES = 32
"""A public range of at most this many values gets one code a value; wider ones have their bins bought."""


@dataclass(frozen=True)
class Labels:
    """One code a value."""

    values: tuple[str | int | bool, ...]
    null: bool

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.values) + self.null

    def decode(self, codes: np.ndarray, column: Column, rng: np.random.Generator) -> np.ndarray:
        """Values of codes, None for missing."""
        return np.array([*self.values, None], dtype=object)[codes]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"labels": list(self.values), "null": self.null}


@dataclass(frozen=True)
class Bins:
    """Cells on an axis, grouped into bins.

    Parameters
    ----------
    edges : ndarray of float64, shape (m + 1,)
        Cell i holds the positions from ``edges[i]`` up to but without ``edges[i + 1]``.
    starts : ndarray of int64, shape (k,)
        Index of the first cell of each bin; ``starts[0]`` is 0.
    mass : ndarray of float64, shape (m,)
        Non-negative weight of each cell within its bin.
    null : bool
    """

    edges: np.ndarray
    starts: np.ndarray
    mass: np.ndarray
    null: bool

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.starts) + self.null

    def decode(self, codes: np.ndarray, column: Column, rng: np.random.Generator) -> np.ndarray:
        """Positions on the axis, NaN for missing.

        The rows of a bin share its mass evenly (systematic sampling), in random order, so that chance adds next to nothing.
        """
        position = np.full(len(codes), np.nan)
        rows = rng.permutation(np.flatnonzero(codes < len(self.starts)))
        rows = rows[np.argsort(codes[rows], kind="stable")]
        bins = codes[rows]
        held = np.bincount(bins, minlength=len(self.starts))
        rank = np.arange(len(rows)) - (np.cumsum(held) - held)[bins]
        ends = np.append(self.starts[1:], len(self.mass))
        cumulative = np.concatenate([[0.0], np.cumsum(self.mass + TINY * max(self.mass.sum(), 1.0))])
        share = (rank + rng.random(len(rows))) / held[bins]
        at = cumulative[self.starts][bins] * (1 - share) + cumulative[ends][bins] * share
        cell = np.clip(np.searchsorted(cumulative, at, side="right") - 1, self.starts[bins], ends[bins] - 1)
        position[rows] = _within(self.edges[cell], self.edges[cell + 1], column.step, rng)
        return position

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"edges": self.edges.tolist(), "starts": self.starts.tolist(), "mass": self.mass.tolist(), "null": self.null}


@dataclass(frozen=True)
class Codec:
    """The coders of a schema's modelled columns, in order."""

    schema: Schema
    coders: Mapping[str, Labels | Bins]

    @property
    def domain(self) -> dict[str, int]:
        """Number of codes of each column."""
        return {c.name: self.coders[c.name].size for c in self.schema.modelled}

    def decode(self, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
        """Codes as a conformed table. Identifiers are newly minted, one a row: they carry nothing.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, modelled columns)

        Returns
        -------
        DataFrame
            The schema's columns, with the types of `tabsynth.conform.read`.
        """
        import pandas as pd

        columns = {}
        for i, c in enumerate(self.schema.modelled):
            columns[c.name] = _values(self.coders[c.name].decode(codes[:, i], c, rng), c)
        identified = len(columns) < len(self.schema.columns)
        minted = [f"synthetic-{i}" for i in range(1, len(codes) + 1)] if identified else []
        return as_types(pd.DataFrame({c.name: columns.get(c.name, minted) for c in self.schema.columns}, copy=False), self.schema)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": self.schema.to_dict(), "coders": {name: coder.to_dict() for name, coder in self.coders.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Codec:
        """Inverse of `to_dict`."""
        return cls(Schema.from_dict(data["schema"]), {name: _coder(plain) for name, plain in data["coders"].items()})


def public_coder(column: Column) -> Labels | Bins | None:
    """The coder that a column's public facts give, or None where something must be bought first."""
    if column.kind == "boolean":
        return Labels((False, True), column.nullable)
    if column.labels:
        return Labels((*column.labels, *((OTHER,) if column.outside == "other" else ())), column.nullable)
    if column.numeric and column.minimum is not None and column.step is not None:
        first, last = (round(column.to_axis(b) / column.step) for b in (column.minimum, column.maximum))
        if last - first < EXACT_VALUES:
            edges = column.on_grid(np.arange(first, last + 2) * column.step)
            return Bins(edges, np.arange(len(edges) - 1), np.ones(len(edges) - 1), column.nullable)
    return None


def _within(low: np.ndarray, high: np.ndarray, step: float | None, rng: np.random.Generator) -> np.ndarray:
    """Uniform positions in [low, high), on the grid of `step` where there is one."""
    if step is None:
        return rng.uniform(low, high)
    first, last = np.rint(low / step), np.rint(high / step)
    return (first + np.floor(rng.random(len(low)) * np.maximum(last - first, 1))) * step


def _values(decoded: np.ndarray, column: Column) -> Any:
    """Axis positions as values of the column's kind; labels stay what they are."""
    import pandas as pd

    if column.kind in ("date", "datetime"):
        return pd.to_datetime(pd.Series(decoded), unit="D" if column.kind == "date" else "s", errors="coerce").astype(
            "datetime64[s]"
        )
    if column.kind == "integer":
        return pd.array(decoded, dtype="Int64")
    return column.on_grid(decoded) if column.kind == "float" else decoded


def _coder(plain: Mapping[str, Any]) -> Labels | Bins:
    if "labels" in plain:
        return Labels(tuple(plain["labels"]), plain["null"])
    return Bins(
        np.array(plain["edges"], dtype=float),
        np.array(plain["starts"], dtype=np.int64),
        np.array(plain["mass"], dtype=float),
        plain["null"],
    )
