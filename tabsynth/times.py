"""Dates and times in parts: day, weekday, month and time of day, coded apart so that a model can relate each of them to everything else.

The calendar is the proleptic Gregorian one, days are counted from 1970-01-01 and times of day in seconds. Some days stand for no day at
all ("valid until" 9999-12-31); they are public here, and neither their weekday nor their time of day is mixed with those of the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.schema import Column, Schema

if TYPE_CHECKING:
    from tabsynth.codec import Bins

DAY = 86_400
"""Seconds."""
LEVELS = (DAY, 3600, 1800, 900, 300, 60, 1)
"""What a time of day may be a whole multiple of, in seconds, coarsest first."""
STAND_INS = tuple(
    (dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days
    for day in ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2099-12-31", "2999-12-31",
                "9999-12-31")
)  # fmt: skip
"""Days that often stand for "unknown" or "for ever", counted from 1970-01-01."""
SIZES = {"weekday": 7, "monthday": 31, "month": 12}
"""Values of what a day's place in the calendar is told by: Monday first, days and months from 0."""
CALENDAR = ("weekday", "month")
"""Parts that follow from the day."""
TINY = 1e-9


def is_temporal(column: Column) -> bool:
    """Whether a column's values are dates or datetimes."""
    return column.kind in ("date", "datetime")


def usual_parts(column: Column) -> tuple[str, ...]:
    """The parts that a model relates to other columns where schema, range and budget do not say otherwise."""
    return column.parts or (("date", "weekday", "time") if column.kind == "datetime" else ("date", "weekday"))


def part_name(schema: Schema, column: Column, part: str) -> str:
    """What a part is called among the code columns: the day has the column's own name, and no name is that of a column."""
    name = column.name if part == "date" else f"{column.name}:{part}"
    while part != "date" and name in schema.names:
        name += ":"
    return name


def resolved(schema: Schema, name: str) -> tuple[Column, str | None]:
    """The column that a name stands for, and the view of it where it names one (`view`)."""
    if name in schema.names:
        return schema[name], None
    base, _, view = name.rstrip(":").rpartition(":")
    return schema[base], view


def view(seconds: np.ndarray, what: str) -> np.ndarray:
    """One aspect of moments.

    Parameters
    ----------
    seconds : ndarray of int64, shape (rows,)
        Since 1970.
    what : {'day', 'time', 'level', 'weekday', 'monthday', 'month'}

    Returns
    -------
    ndarray of int64, shape (rows,)
        `day`: days since 1970. `time`: seconds since midnight, -1 on one of `STAND_INS`. `level`: place in `LEVELS` of the coarsest that
        divides the time of day; on one of `STAND_INS` 7 at midnight and 8 else. The others as in `SIZES`, -1 on one of `STAND_INS`.
    """
    day = seconds // DAY
    if what == "day":
        return day
    away, time = np.isin(day, STAND_INS), seconds % DAY
    if what == "time":
        return np.where(away, -1, time)
    if what == "level":
        return np.where(away, len(LEVELS) + (time > 0), level_of(time))
    return np.where(away, -1, calendar(day, what))


def level_of(time: np.ndarray) -> np.ndarray:
    """Place in `LEVELS` of the coarsest one that divides each time of day (seconds)."""
    level = np.zeros(len(time), dtype=np.int64)
    for step in LEVELS[:-1]:
        level += time % step != 0
    return level


def calendar(day: np.ndarray, what: str) -> np.ndarray:
    """Weekday, day of the month or month of days since 1970, each counted from 0."""
    if what == "weekday":
        return (day + 3) % 7
    days = day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    if what == "month":
        return months.astype(np.int64) % 12
    return (days - months.astype("datetime64[D]")).astype(np.int64)


@dataclass(frozen=True)
class Times:
    """Coder of a column of dates or datetimes whose values are drawn from several codes.

    Parameters
    ----------
    day : Bins
        Over days since 1970. Its first code column has the column's own name.
    calendar : mapping from a name in `SIZES` to ndarray of float64
        Weights by which the days of a cell share its mass: the product of those of their weekday, day of the month and month.
    parts : tuple of str
        Which further parts are codes of their own, of ``weekday``, ``month`` and ``time``, in this order.
    null : bool
        Whether those have a code for missing: where the value is missing, or is one of `STAND_INS`.
    time : Bins, optional
        Of datetimes: over seconds since midnight, in whole steps of the finest level that occurs.
    levels : ndarray of float64, shape (len(LEVELS),), optional
        Weights by which the times of a cell share its mass, for each of `LEVELS` that is the coarsest to divide them.
    late : bool
        Whether `STAND_INS` come with the last second of the day and not with the first.
    """

    day: Bins
    calendar: Mapping[str, np.ndarray]
    parts: tuple[str, ...]
    null: bool
    time: Bins | None = None
    levels: np.ndarray | None = None
    late: bool = False

    @property
    def sizes(self) -> dict[str, int]:
        """Number of codes of each part, the day first."""
        sizes = {"date": self.day.size}
        for part in self.parts:
            sizes[part] = self.time.size if part == "time" else SIZES[part] + self.null
        return sizes

    def ordered(self, part: str) -> int:
        """How many of a part's first codes lie in an order."""
        bins = self._bins(part)
        return len(bins.starts) if bins else 0

    def nullable(self, part: str) -> bool:
        """Whether a part has a code for missing, its last."""
        bins = self._bins(part)
        return bins.null if bins else self.null

    def encode(self, part: str, seconds: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Codes of one part of moments (seconds since 1970), of which some are missing."""
        bins = self._bins(part)
        at = view(seconds, "day" if part == "date" else part)
        null = self.nullable(part) and self.sizes[part] - 1
        codes = np.searchsorted(bins.edges[bins.starts[1:]], at, side="right") if bins else at
        return np.where(missing | ((at < 0) & (part != "date")), null, np.maximum(codes, 0))

    def decode(self, codes: np.ndarray, column: Column, rng: np.random.Generator) -> np.ndarray:
        """Positions on the column's axis, NaN for missing.

        A day is drawn from its bin among those that have the weekday and month of the codes, in proportion to the mass of its cell
        and the weights of its place in the calendar. Where the bin has none, the day's own code decides. The time of day is drawn likewise;
        where its code is that for missing, from all times.

        Parameters
        ----------
        codes : ndarray of int, shape (rows, 1 + len(parts))
        """
        position = np.full(len(codes), np.nan)
        known = np.flatnonzero(codes[:, 0] < len(self.day.starts))
        place = {part: codes[known, 1 + i] for i, part in enumerate(self.parts)}
        days = self._days.drawn(codes[known, 0], self._group({part: place[part] for part in self._asked}, len(known)), rng)
        if self.time is None:
            position[known] = days if column.kind == "date" else days * DAY
            return position
        bins = place.get("time", np.full(len(known), len(self.time.starts)))
        time = self._clock.drawn(bins, np.zeros(len(bins), dtype=np.int64), rng)
        time[np.isin(days, STAND_INS)] = DAY - 1 if self.late else 0
        position[known] = days * DAY + time
        return position

    @cached_property
    def _days(self) -> _Axis:
        at = np.arange(round(self.day.edges[0]), round(self.day.edges[-1]))
        away = np.isin(at, STAND_INS)
        place = {part: np.where(away, SIZES[part], calendar(at, part)) for part in self._asked}
        return _Axis.of(self.day, at, product(self.calendar, at), self._group(place, len(at)))

    @cached_property
    def _clock(self) -> _Axis:
        step = LEVELS[int(np.flatnonzero(self.levels)[-1])]
        at = np.arange(round(self.time.edges[0]), round(self.time.edges[-1]), step)
        return _Axis.of(self.time, at, self.levels[level_of(at)], np.zeros(len(at), dtype=np.int64))

    @property
    def _asked(self) -> list[str]:
        """The parts that follow from the day and have codes of their own."""
        return [part for part in self.parts if part in CALENDAR]

    @staticmethod
    def _group(place: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """One number for each combination of codes; 0 where any of them is that for missing."""
        group = np.zeros(rows, dtype=np.int64)
        for part, codes in place.items():
            group = group * SIZES[part] + codes
        away = [codes >= SIZES[part] for part, codes in place.items()]
        return np.where(np.any(away, axis=0), 0, group + 1) if away else group

    def _bins(self, part: str) -> Bins | None:
        return {"date": self.day, "time": self.time}.get(part)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "day": self.day.to_dict(),
            "calendar": {name: weights.tolist() for name, weights in self.calendar.items()},
            "parts": list(self.parts),
            "null": self.null,
            "time": self.time and self.time.to_dict(),
            "levels": None if self.levels is None else self.levels.tolist(),
            "late": self.late,
        }


def product(weights: Mapping[str, np.ndarray], days: np.ndarray) -> np.ndarray:
    """The weights of days: the product of those of their places in the calendar; 1 for `STAND_INS`."""
    out = np.ones(len(days))
    for name, table in weights.items():
        out *= table[calendar(days, name)]
    out[np.isin(days, STAND_INS)] = 1.0
    return out


def spread(edges: np.ndarray, mass: np.ndarray, at: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mass of cells, shared by the positions in them in proportion to their weights; evenly where none has any.

    Parameters
    ----------
    edges : ndarray of float64, shape (m + 1,)
    mass : ndarray of float64, shape (m,)
    at, weights : ndarray, shape (positions,)
        Whole positions from ``edges[0]`` up to but without ``edges[-1]``.
    """
    cell = np.searchsorted(edges, at, side="right") - 1
    held = np.bincount(cell, weights, minlength=len(mass))
    size = np.bincount(cell, minlength=len(mass))
    share = np.where(held[cell] > 0, weights / np.where(held > 0, held, 1)[cell], 1 / np.maximum(size, 1)[cell])
    return mass[cell] * share


@dataclass(frozen=True)
class _Axis:
    """What is drawn from a bin: positions with their masses, ordered by group and then by position."""

    bins: Bins
    at: np.ndarray
    cumulative: np.ndarray
    order: np.ndarray
    cumulative_by_group: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, bins: Bins, at: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> _Axis:
        mass = spread(bins.edges, bins.mass + 1e-12 * max(bins.mass.sum(), 1.0), at, weights)
        order = np.argsort(groups, kind="stable")
        sums = (np.concatenate([[0.0], np.cumsum(m)]) for m in (mass, mass[order]))
        return cls(bins, at, next(sums), order, next(sums), (groups * len(at) + np.arange(len(at)))[order])

    def drawn(self, codes: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A position for each code: in its bin, or anywhere where the code is that for missing; of its group where there is one."""
        ends = np.searchsorted(self.at, self.bins.edges[np.append(self.bins.starts, len(self.bins.mass))])
        anywhere = codes >= len(self.bins.starts)
        bins = np.where(anywhere, 0, codes)
        low, high = np.where(anywhere, 0, ends[bins]), np.where(anywhere, len(self.at), ends[bins + 1])
        first, last = (np.searchsorted(self.keys, groups * len(self.at) + end) for end in (low, high))
        inside = self.cumulative_by_group[last] - self.cumulative_by_group[first]
        free = inside <= TINY * (self.cumulative[high] - self.cumulative[low])
        out = np.empty(len(codes), dtype=np.int64)
        out[free] = self.at[_systematic(self.cumulative, low[free], high[free], rng)]
        out[~free] = self.at[self.order[_systematic(self.cumulative_by_group, first[~free], last[~free], rng)]]
        return out


def _systematic(cumulative: np.ndarray, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An index from `first` up to but without `last` for each row, in proportion to the mass there.

    Rows with the same ends share the mass evenly, in random order, so that chance adds next to nothing.
    """
    rows = rng.permutation(len(first))
    rows = rows[np.lexsort((last[rows], first[rows]))]
    low, high = first[rows], last[rows]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    begins = np.flatnonzero(new)
    run = np.cumsum(new) - 1
    held = np.diff(np.append(begins, len(rows)))
    share = (np.arange(len(rows)) - begins[run] + rng.random(len(rows))) / held[run] if len(rows) else np.zeros(0)
    at = cumulative[low] * (1 - share) + cumulative[high] * share
    out = np.empty(len(rows), dtype=np.int64)
    out[rows] = np.clip(np.searchsorted(cumulative, at, side="right") - 1, low, high - 1)
    return out
