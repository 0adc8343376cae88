"""Conformed table <-> integer codes, from what is public or bought alone.

Each modelled column has a coder. `Labels` gives every value a code. `Bins` cuts an axis into cells and groups neighbouring cells
into bins; the code is the bin, and a value is drawn back from the bin's cells in proportion to their (noisy) masses. Within a cell
the density follows the slope of the neighbouring cells, and values lie on the column's grid. `GroupedLabels` has labels of a long list
share codes. A column that may be missing has one more code, the last, for that. `Times` gives a column of dates or datetimes several codes
(`tabsynth.times`), each a code column to whoever counts them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.cells import Grid, grid_of, on_grid, sloped, slopes
from tabsynth.conform import as_types
from tabsynth.errors import SchemaError
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import OTHER, Column, Schema
from tabsynth.times import DAY, LEVELS, SIZES, Times, is_temporal, part_name

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.access import Codes

TINY = 1e-12
"""Of the whole mass, given to every cell, so that a bin whose cells are all empty is spread over them."""

MOST_MASS = 1e15
"""Largest mass of a cell that is loaded."""

FARTHEST = {
    "integer": (-(2**63 - 1024), 2**63 - 1024),
    "float": (-1e100, 1e100),
    "date": (dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "datetime": (dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59)),
}
"""How far the edges of a column of each kind may lie."""

EXACT_VALUES = 32
"""A public range of at most this many values gets one code a value; wider ones have their bins bought."""

LONG_LIST = 128
"""A list of more labels has no code for each: it is counted, and its rare labels share codes."""


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
    grid: Grid = ()
    """Step, offset and share of the values that are multiples of the step plus the offset; coarse ones first; a step of 0 is any value."""
    found: bool = True
    """False where a bought range did not stand out from its noise, so that it is a guess."""
    special: tuple[float, ...] = ()
    """Values that have a code of their own, behind those of the bins."""

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.starts) + len(self.special) + self.null

    def above(self, edges: np.ndarray, mass: np.ndarray) -> Bins:
        """With one more bin at the upper end: cells of this `mass`, up to these `edges`."""
        return replace(
            self,
            edges=np.append(self.edges, edges),
            starts=np.append(self.starts, len(self.mass)),
            mass=np.append(self.mass, mass),
        )

    def below(self, edges: np.ndarray, mass: np.ndarray) -> Bins:
        """With one more bin at the lower end: cells of this `mass`, from these `edges` on."""
        return replace(
            self,
            edges=np.append(edges, self.edges),
            starts=np.append(0, self.starts + len(mass)),
            mass=np.append(mass, self.mass),
        )

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
        share = np.clip((at - cumulative[cell]) / (cumulative[cell + 1] - cumulative[cell]), 0, 1)
        low, high = self.edges[cell], self.edges[cell + 1]
        inside = low + (high - low) * sloped(share, slopes(self.edges, self.mass)[cell])
        position[rows] = on_grid(inside, low, high, self.grid or ((column.step or 0.0, 0.0, 1.0),), rng)
        position[rows] = self._ordinary(position[rows], column.step)
        for i, value in enumerate(self.special, len(self.starts)):
            position[codes == i] = value
        return position

    def _ordinary(self, position: np.ndarray, step: float | None) -> np.ndarray:
        """Positions that are not special: those that are become the next value towards the middle."""
        inward = np.where(position > (self.edges[0] + self.edges[-1]) / 2, -1.0, 1.0)
        for _ in self.special:
            hit = np.isin(position, self.special)
            position = np.where(hit, position + inward * (step or np.spacing(position)), position)
        return position

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "edges": self.edges.tolist(),
            "starts": self.starts.tolist(),
            "mass": self.mass.tolist(),
            "null": self.null,
            "grid": [list(part) for part in self.grid],
            "found": self.found,
        }


@dataclass(frozen=True)
class Codec:
    """The coders of a schema's modelled columns, in order."""

    schema: Schema
    coders: Mapping[str, Labels | GroupedLabels | Bins | Times]

    @property
    def parts(self) -> dict[str, tuple[Column, str | None]]:
        """The code columns in order: the column that each is of, and which part of it where it has several."""
        out: dict[str, tuple[Column, str | None]] = {}
        for c in self.schema.modelled:
            coder = self.coders[c.name]
            several = [*coder.sizes] if isinstance(coder, Times) else [None]
            out |= {part_name(self.schema, c, part or "date"): (c, part) for part in several}
        return out

    @property
    def domain(self) -> dict[str, int]:
        """Number of codes of each code column."""
        return {
            name: self.coders[c.name].sizes[part] if part else self.coders[c.name].size for name, (c, part) in self.parts.items()
        }

    @property
    def ordered(self) -> dict[str, int]:
        """How many of each code column's first codes lie in an order: bins do, labels and a missing value do not."""
        out = {}
        for name, (c, part) in self.parts.items():
            coder = self.coders[c.name]
            out[name] = coder.ordered(part) if part else len(coder.starts) if isinstance(coder, Bins) else 0
        return out

    @property
    def nullable(self) -> dict[str, bool]:
        """Whether each code column has a code for missing, its last."""
        return {
            name: self.coders[c.name].nullable(part) if part else self.coders[c.name].null
            for name, (c, part) in self.parts.items()
        }

    def decode(self, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
        """Codes as a conformed table. Identifiers are newly minted, one a row, no two alike in the whole table: they carry nothing.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, code columns)

        Returns
        -------
        DataFrame
            The schema's columns, with the types of `tabsynth.conform.read`.
        """
        import pandas as pd

        columns, at = {}, 0
        for c in self.schema.modelled:
            coder, first = self.coders[c.name], at
            at += len(coder.sizes) if isinstance(coder, Times) else 1
            own = codes[:, first:at] if isinstance(coder, Times) else codes[:, first]
            columns[c.name] = _values(coder.decode(own, c, rng), c)
        for place, c in enumerate(c for c in self.schema.columns if not c.modelled):
            columns[c.name] = _minted(c, range(place * len(codes) + 1, (place + 1) * len(codes) + 1))
        return as_types(pd.DataFrame({c.name: columns[c.name] for c in self.schema.columns}, copy=False), self.schema)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": self.schema.to_dict(), "coders": {name: coder.to_dict() for name, coder in self.coders.items()}}

    @classmethod
    def from_dict(cls, data: Any) -> Codec:
        """Inverse of `to_dict`.

        Raises
        ------
        SchemaError
            If the schema cannot be read, or a coder is not one that `fit` could have made for its column.
        """
        if not (isinstance(data, Mapping) and set(data) == {"schema", "coders"} and isinstance(data["coders"], Mapping)):
            raise SchemaError("the codec is not a schema and its coders.")
        schema = Schema.from_dict(data["schema"])
        if set(data["coders"]) != {c.name for c in schema.modelled}:
            raise SchemaError("the codec's coders are not those of the schema's columns.")
        return cls(schema, {c.name: _coder(data["coders"][c.name], c) for c in schema.modelled})


def public_coder(column: Column) -> Labels | Bins | None:
    """The coder that a column's public facts give, or None where something must be bought first."""
    if column.kind == "boolean":
        return Labels((False, True), column.nullable)
    if (values := listed(column)) is not None:
        return Labels(values, column.nullable) if len(values) <= LONG_LIST else None
    if column.numeric and column.kind != "datetime" and column.minimum is not None and column.step is not None:
        first, last = (round(column.to_axis(b) / column.step) for b in (column.minimum, column.maximum))
        if last - first < EXACT_VALUES:
            edges = column.on_grid(np.arange(first, last + 2) * column.step)
            return Bins(edges, np.arange(len(edges) - 1), np.ones(len(edges) - 1), column.nullable, special=column.sentinels)
    return None


def _minted(column: Column, numbers: range) -> np.ndarray:
    """New identifiers in the column's format: whole numbers for ``%d``, else texts."""
    form = column.format or "synthetic-%d"
    return np.array([i if form == "%d" else form % i for i in numbers], dtype=object)


def listed(column: Column) -> tuple[str | int, ...] | None:
    """The public list of a column's labels, with the one for all others where it has that; None where there is no list."""
    return (*column.labels, *((OTHER,) if column.outside == "other" else ())) if column.labels else None


def _values(decoded: np.ndarray, column: Column) -> Any:
    """Axis positions as values of the column's kind, within its public range; labels stay what they are."""
    import pandas as pd

    if column.numeric:
        decoded = column.on_grid(decoded)
    if column.minimum is not None:
        inside = np.clip(decoded, column.to_axis(column.minimum), column.to_axis(column.maximum))
        decoded = np.where(np.isin(decoded, column.sentinels), decoded, inside) if column.special else inside
    if column.kind in ("date", "datetime"):
        times, known = np.full(len(decoded), "NaT", dtype="datetime64[s]"), np.isfinite(decoded)
        times[known] = (np.floor(decoded[known]) * (86_400 if column.kind == "date" else 1)).astype(np.int64).astype(times.dtype)
        return pd.Series(times)
    if column.kind == "integer":
        return pd.array(decoded, dtype="Int64")
    return decoded


def _coder(plain: Any, column: Column) -> Labels | GroupedLabels | Bins | Times:
    """A coder from plain data that anybody may have written."""
    if isinstance(plain, Mapping) and "day" in plain and is_temporal(column) and (times := _times(plain, column)):
        return times
    coder, public = _plain_coder(plain, column), public_coder(column)
    if coder is None or coder.null != column.nullable or (public is not None and coder.to_dict() != public.to_dict()):
        raise SchemaError("a coder is damaged, or is not that of its column.")
    return public or coder


def _plain_coder(plain: Any, column: Column) -> Labels | GroupedLabels | Bins | None:
    """Labels or bins that decode to values of the column's kind; None where they would not."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("null"), bool):
        return None
    if "labels" in plain:
        return _plain_labels(plain, column)
    if set(plain) != {"edges", "starts", "mass", "null", "grid", "found"} or not column.numeric:
        return None
    grid = grid_of(plain["grid"], column.step)
    if grid is None or not isinstance(plain["found"], bool):
        return None
    edges, starts, mass = (_numbers(plain[name]) for name in ("edges", "starts", "mass"))
    if edges is None or starts is None or mass is None or len(edges) != len(mass) + 1:
        return None
    low, high = (column.to_axis(end) for end in FARTHEST[column.kind])
    inside = low <= edges[0] and edges[-2] <= high and edges[-1] <= high + (column.step or 0) and (np.diff(edges) >= 0).all()
    runs = starts[0] == 0 and (starts == np.rint(starts)).all() and (np.diff(starts) > 0).all() and starts[-1] < len(mass)
    weights = mass.min() >= 0 and mass.max() <= MOST_MASS
    if not (inside and runs and weights):
        return None
    return Bins(edges, starts.astype(np.int64), mass, plain["null"], grid, plain["found"], column.sentinels)


def _plain_labels(plain: Mapping[str, Any], column: Column) -> Labels | GroupedLabels | None:
    """Labels that a column of this kind may have, each its code or in groups; those of its public list where that is long."""
    values, public, kinds = plain["labels"], listed(column), str if column.discover else (str, int)
    known = isinstance(values, list) and len(values) > 0 and all(isinstance(v, kinds) for v in values)
    if column.numeric or not known or len(set(values)) < len(values):
        return None
    if set(plain) == {"labels", "null"}:
        return Labels(tuple(values), plain["null"]) if public is None or len(public) <= LONG_LIST else None
    same = column.discover or values == list(public or ())
    return GroupedLabels.from_dict(plain) if set(plain) == {"labels", "groups", "mass", "null"} and same else None


def _times(plain: Mapping[str, Any], column: Column) -> Times | None:
    """The coder of a date or datetime of several parts; None where it would not decode."""
    if set(plain) != {"day", "calendar", "parts", "null", "time", "levels", "late"}:
        return None
    day = _plain_coder(plain["day"], Column(column.name, "date", discover=True))
    weights, parts, late = plain["calendar"], plain["parts"], plain["late"]
    if not isinstance(day, Bins) or not (isinstance(weights, Mapping) and set(weights) <= set(SIZES) and isinstance(parts, list)):
        return None
    calendar = {name: _weights(weights[name], SIZES[name]) for name in SIZES if name in weights}
    whole = (day.edges == np.rint(day.edges)).all() and (np.diff(day.edges) > 0).all() and day.null == column.nullable
    known = parts in [[p for p in ("weekday", "month", "time") if p in parts]] and all(isinstance(p, str) for p in parts)
    flags = type(plain["null"]) is bool and type(late) is bool and plain["null"] >= column.nullable
    if not (whole and known and flags) or any(table is None for table in calendar.values()):
        return None
    if column.kind == "date":
        dated = plain["time"] is None and plain["levels"] is None and "time" not in parts
        return Times(day, calendar, tuple(parts), plain["null"], late=late) if dated else None
    clock = Column(column.name, "integer", minimum=0, maximum=DAY - 1)
    time, levels = _plain_coder(plain["time"], clock), _weights(plain["levels"], len(LEVELS))
    if not isinstance(time, Bins) or levels is None or time.null != plain["null"]:
        return None
    inside = time.edges[0] >= 0 and time.edges[-1] <= DAY and (time.edges == np.rint(time.edges)).all()
    fits = inside and (np.diff(time.edges) > 0).all()
    return Times(day, calendar, tuple(parts), plain["null"], time, levels, late) if fits else None


def _weights(values: Any, size: int) -> np.ndarray | None:
    """So many weights from 0, not all of them 0; None where they are not."""
    numbers = _numbers(values)
    good = numbers is not None and len(numbers) == size and numbers.min() >= 0 and 0 < numbers.max() <= MOST_MASS
    return numbers if good else None


def _numbers(values: Any) -> np.ndarray | None:
    """A list of at least one number as float64; None where it is none."""
    if not (isinstance(values, list) and values and all(type(v) in (int, float) for v in values)):
        return None
    numbers = np.array(values, dtype=np.float64)
    return numbers if np.isfinite(numbers).all() else None
