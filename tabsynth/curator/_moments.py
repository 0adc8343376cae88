"""Buy what the schema does not say of dates and datetimes: days, calendar, times of day and their resolution.

Days and times of day are cut where people cut them (years, months, weeks of a month; half hours, five minutes, minutes), heavy cells and
those beside an empty one again, in rounds, down to single days and to the resolution. One histogram each tells the weekdays, days of the
month and months, by which the days of a cell share its mass, and of which round numbers the times of day are whole multiples.
Every question is a histogram into which a row falls once, so a row moves it by at most 1 in L2 norm. What follows the noise is
post-processing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tabsynth.codec import Bins
from tabsynth.curator import _groups
from tabsynth.curator._estimate import LONE, family, nested
from tabsynth.curator.table import PrivateTable
from tabsynth.resolution import RESOLUTIONS
from tabsynth.schema import Column
from tabsynth.times import DAY, LEVELS, SIZES, STAND_INS, Times, calendar, level_of, part_name, spread, usual_parts

SHARES = {"day": 0.5, "time": 0.25, "level": 0.05, "weekday": 0.08, "monthday": 0.06, "month": 0.06}
"""Of what a datetime may spend; a date spends those that it has in the same proportions."""
FALLING = 0.6
CELLS = 128
"""Most cells of the first round."""
BINS = 32
"""Most bins of an axis."""
AGAIN = 3.5
"""Times its noise that what lies within a cell has to be; fewer rows are looked at, so chance has more room."""
STANDS_OUT = 3.5
"""Times its noise that the count of a day of `STAND_INS`, or of a level, has to be."""
FEW_DAYS = 28
"""A range of fewer days has no weekday of its own: its days are told apart anyway."""
SMALL = 40
"""Parts are coded apart from so many times the noise of a table's cell on, in rows."""
EVEN = 0.7
"""Weekdays are even where the rarest is at least this share of the most frequent."""
MOST_DAYS, PASSES = 200_000, 12
"""Days over which the calendar is fitted at most, and how often each of its views is."""
UNITS = ("day", "part", "month", "year", "decade", "century")
WIDTHS = (1, 9, 31, 366, 3653, 36_525)
"""Days that each unit has at most."""
PLACES = SIZES | {"level": len(LEVELS) + 2}
"""Cells of the histograms that are asked once."""
RECENT, KNOWN = (1900, 2060), (1700, 2200)
"""Years without a public range: single ones, decades around them, centuries beyond."""
_EPOCH = dt.date(1970, 1, 1)


@dataclass
class _Cells:
    """The cells of one axis so far: edges, noisy masses, which cells are to be cut, and the noise of the latest counts."""

    edges: np.ndarray
    mass: np.ndarray
    split: np.ndarray
    sigma: float

    def mark(self, single: float) -> None:
        """Mark the cells to cut: those wider than `single` whose mass is clear, if it is large or they lie beside an empty cell."""
        empty = self.mass <= 0
        beside = np.append(empty[1:], False) | np.append(False, empty[:-1])
        wanted = beside | (self.mass > self.mass.sum() / (2 * BINS))
        self.split = wanted & (self.mass > 3 * self.sigma) & (np.diff(self.edges) > single)


def moments(table: PrivateTable, columns: Mapping[str, Column], costs: Mapping[str, float]) -> dict[str, Times]:
    """Coders of dates and datetimes; each column spends at most its cost, in rho. Which questions are asked is public, or follows
    from earlier answers."""
    return {name: _moment(table, column, costs[name]) for name, column in columns.items()}


def _moment(table: PrivateTable, column: Column, cost: float) -> Times:
    first, last = days_between(column)
    clocked = column.kind == "datetime" and column.resolution != "day"
    views = [view for view in SHARES if clocked or view not in ("time", "level")]
    price = {view: cost * SHARES[view] / sum(SHARES[v] for v in views) for view in views}
    edges = _first_days(first, last)
    rounds = _falling(price["day"], 1 + int(np.searchsorted(WIDTHS, np.median(np.diff(edges)))))
    told = _ask(
        table, column, {"day": edges} | {v: np.arange(PLACES[v] + 1) for v in views if v in PLACES}, price | {"day": rounds[0]}
    )
    rows = _total([told[view] for view in SIZES])
    days = _days(table, column, edges, told["day"], rows, rounds[1:])
    weights = _weights(days, {view: told[view] for view in SIZES})
    null = column.nullable or any(first <= away <= last for away in STAND_INS)
    noise = table.sigma(table.left() / (2 * len(table.schema.modelled)))
    parts = _parts(column, last - first + 1, rows > SMALL * noise, weights)
    day = _grouped(days, noise, column.nullable, 1)
    if column.kind == "date":
        return Times(day, weights, tuple(p for p in parts if p != "time"), null)
    levels, late = _levels(column, told.get("level"))
    steps = LEVELS[int(np.flatnonzero(levels)[-1])]
    time = _clock(table, column, levels, rows, price.get("time", 0.0))
    at = np.arange(0, round(time.edges[-1]), steps)
    levels = _fitted(time, at, {"level": level_of(at)}, {"level": levels * time.mass.sum()})["level"]
    parts = tuple(p for p in parts if p != "time" or steps < DAY)
    return Times(day, weights, parts, null, _grouped(time, noise, null, steps), levels, late)


def _ask(
    table: PrivateTable, column: Column, edges: Mapping[str, np.ndarray], costs: Mapping[str, float]
) -> dict[str, tuple[np.ndarray, float]]:
    """Noisy counts of the cells between edges, and their noise, for some views of a column (sensitivity 1 each; see `PrivateTable.cells`)."""
    named = {part_name(table.schema, column, view): (view, np.asarray(e, dtype=float)) for view, e in edges.items()}
    noisy = table.cells(
        {name: e for name, (_, e) in named.items()}, cost={n: costs[v] for n, (v, _) in named.items()}, note="counts"
    )
    return {view: (noisy[name].counts[1:-1].astype(float), noisy[name].sigma) for name, (view, _) in named.items()}


def days_between(column: Column) -> tuple[int, int]:
    """First and last day that there may be."""
    ends = [dt.date.min, dt.date.max] if column.minimum is None else [column.minimum, column.maximum]
    return tuple((dt.date(end.year, end.month, end.day) - _EPOCH).days for end in ends)


def _falling(cost: float, rounds: int) -> list[float]:
    """The costs of the rounds: the first ones see every row, the later ones only what is heavy."""
    share = FALLING ** np.arange(rounds)
    return list(cost * share / share.sum())


def _total(told: list[tuple[np.ndarray, float]]) -> float:
    """The number of rows that several histograms of the same rows tell, each as precise as its noise and cells make it."""
    precision = [1 / (len(counts) * sigma**2) for counts, sigma in told]
    return max(1.0, sum(p * counts.sum() for p, (counts, _) in zip(precision, told, strict=True)) / sum(precision))


# --- days ---------------------------------------------------------------------------------------------------------------------------


def _first_days(first: int, last: int) -> np.ndarray:
    """Edges of the first cells: the finest unit of which there are at most `CELLS` in the range; `STAND_INS` are cells of their own."""
    cuts = next((c for c in (_cuts(first, last + 1, unit) for unit in UNITS) if len(c) < CELLS), None)
    if cuts is None:
        years = first_days(np.arange(_year(first), _year(last) + 1))
        year = np.arange(_year(first), _year(last) + 1)
        recent = (year >= RECENT[0]) & (year < RECENT[1])
        known = (year >= KNOWN[0]) & (year < KNOWN[1]) & (year % 10 == 0)
        cuts = years[recent | known | (year % 100 == 0)]
    away = np.array([day for day in STAND_INS if first <= day <= last], dtype=np.int64)
    edges = np.unique(np.concatenate([[first, last + 1], cuts, away, away + 1]))
    return edges[(edges >= first) & (edges <= last + 1)]


def first_days(years: np.ndarray) -> np.ndarray:
    """New Year's days, counted from 1970-01-01."""
    return (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)


def _year(day: int) -> int:
    return (_EPOCH + dt.timedelta(day)).year


def _cuts(low: int, high: int, unit: str) -> np.ndarray:
    """Days after `low` and before `high` on which a unit begins: a day, one of four parts of a month, a month, year, or 10 or 100 years."""
    if unit == "day":
        return np.arange(low + 1, high)
    if unit in ("month", "part"):
        months = np.arange(np.datetime64(low, "D").astype("datetime64[M]"), np.datetime64(high, "D").astype("datetime64[M]") + 1)
        starts = months.astype("datetime64[D]").astype(np.int64)
        cuts = starts if unit == "month" else (starts[:, None] + np.array([0, 8, 16, 24])).ravel()
    else:
        size = {"year": 1, "decade": 10, "century": 100}[unit]
        years = np.arange(_year(low) // size * size, _year(high - 1) + 1, size)
        cuts = first_days(years)
    return cuts[(cuts > low) & (cuts < high)]


def _days(
    table: PrivateTable, column: Column, edges: np.ndarray, told: tuple[np.ndarray, float], rows: float, costs: list[float]
) -> _Cells:
    """The cells of the days, after all rounds, without the empty ones at both ends."""
    counts, sigma = told
    start = edges[:-1]
    away = np.isin(start, STAND_INS)
    mass = np.where(away & (counts > STANDS_OUT * sigma), counts, 0.0)
    month = start.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    labels = [(month + shift) // size for size, shift in ((1200, 840), (120, 0), (12, 0), (1, 0))]
    likely = np.diff(edges) * _likely(start, np.diff(edges))
    if not away.all():
        mass[~away] = nested(counts[~away], likely[~away], [label[~away] for label in labels], sigma, rows, LONE)
    cells = _Cells(edges.astype(float), mass, np.zeros(len(mass), dtype=bool), sigma)
    cells.mark(1)
    for cost in costs:
        cut = [np.concatenate([[a], _cuts(a, b, UNITS[int(np.searchsorted(WIDTHS, b - a)) - 1]), [b]]) for a, b in _ends(cells)]
        _refine(table, column, "day", cells, cut, np.diff, cost, 1)
    if not (cells.mass > 0).any():
        cells.mass = np.ones(len(cells.mass))
    held = np.flatnonzero(cells.mass > 0)
    inside = slice(held[0], held[-1] + 1)
    return _Cells(cells.edges[held[0] : held[-1] + 2], cells.mass[inside], cells.split[inside], cells.sigma)


def _likely(start: np.ndarray, width: np.ndarray) -> np.ndarray:
    """What is expected of a day in each cell where counts do not tell: days far from now are rare in tables."""
    middle = (start + width // 2).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    recent, known = ((middle >= ends[0]) & (middle < ends[1]) for ends in (RECENT, KNOWN))
    return np.where(recent, 1.0, np.where(known, 1e-3, 1e-6))


def _ends(cells: _Cells) -> list[tuple[int, int]]:
    """First position of each cell to be cut, and the one behind its last."""
    whole = np.rint(cells.edges).astype(np.int64)
    return [(int(whole[i]), int(whole[i + 1])) for i in np.flatnonzero(cells.split)]


def _refine(
    table: PrivateTable,
    column: Column,
    view: str,
    cells: _Cells,
    cut: list[np.ndarray],
    expected: Callable[[np.ndarray], np.ndarray],
    cost: float,
    single: float,
) -> None:
    """Cut the marked cells and measure their parts; `expected` tells what parts would hold of an even spread, up to a factor."""
    if not cut:
        return
    edges = np.unique(np.concatenate(cut))
    counts, sigma = _ask(table, column, {view: edges}, {view: cost})[view]
    new_edges, new_mass = [cells.edges], [cells.mass[~cells.split]]
    starts = [cells.edges[:-1][~cells.split]]
    for parts, parent in zip(cut, cells.mass[cells.split], strict=True):
        measured = counts[np.searchsorted(edges, parts[:-1])]
        m, even = len(measured), expected(parts)
        precision = np.array([1 / cells.sigma**2, 1 / (m * sigma**2)])
        total = float(precision @ [parent, measured.sum()] / precision.sum())
        new_mass.append(family(measured, even, np.full(m, sigma), total, AGAIN))
        starts.append(parts[:-1].astype(float))
        new_edges.append(parts.astype(float))
    order = np.argsort(np.concatenate(starts))
    cells.edges, cells.mass, cells.sigma = np.unique(np.concatenate(new_edges)), np.concatenate(new_mass)[order], sigma
    cells.mark(single)


# --- calendar -----------------------------------------------------------------------------------------------------------------------


def _weights(days: _Cells, told: Mapping[str, tuple[np.ndarray, float]]) -> dict[str, np.ndarray]:
    """Weights of weekdays, days of the month and months that agree with their noisy counts."""
    at = _held(days)
    if not len(at):
        return {view: np.ones(size) for view, size in SIZES.items()}
    place = {view: calendar(at, view) for view in SIZES}
    even, aims = spread(days.edges, days.mass, at, np.ones(len(at))), {}
    for view, (counts, sigma) in told.items():
        held = np.bincount(place[view], even, minlength=SIZES[view])
        aims[view] = family(counts, held / held.sum(), np.full(SIZES[view], sigma), held.sum())
    return _fitted(days, at, place, aims)


def _fitted(
    cells: _Cells, at: np.ndarray, place: Mapping[str, np.ndarray], aims: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Weights of places with which the positions of the cells add up to what is aimed at, by iterative proportional fitting."""
    weights = {view: np.ones(len(aim)) for view, aim in aims.items()}
    for _ in range(PASSES):
        for view, aim in aims.items():
            product = math.prod(weights[v][place[v]] for v in aims)
            now = np.bincount(place[view], spread(cells.edges, cells.mass, at, product), minlength=len(aim))
            weights[view] = weights[view] * np.clip(np.divide(aim, now, out=(aim > 0).astype(float), where=now > 0), 0, 1e3)
            weights[view] /= weights[view].max()
    return weights


def _held(days: _Cells) -> np.ndarray:
    """The days in cells that hold mass, but for `STAND_INS`."""
    whole = np.rint(days.edges).astype(np.int64)
    if np.diff(whole)[days.mass > 0].sum() > MOST_DAYS:
        return np.array([], dtype=np.int64)
    at = np.concatenate([np.arange(whole[i], whole[i + 1]) for i in np.flatnonzero(days.mass > 0)])
    return at[~np.isin(at, STAND_INS)]


def _parts(column: Column, days: int, enough: bool, weights: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Which parts are code columns: those that the schema names, else those that range and budget carry.

    Dates have a weekday only where some weekdays are clearly rarer than others: dates of birth have none.
    """
    wanted = usual_parts(column)
    if column.parts is None:
        if not enough:
            return ()
        even = column.kind == "date" and weights["weekday"].min() > EVEN
        wanted = [p for p in wanted if p != "weekday" or not (days < FEW_DAYS or even)]
    return tuple(p for p in ("weekday", "month", "time") if p in wanted)


# --- time of day --------------------------------------------------------------------------------------------------------------------


def _levels(column: Column, told: tuple[np.ndarray, float] | None) -> tuple[np.ndarray, bool]:
    """Share of each of `LEVELS`, down to the finest that stands out; and whether `STAND_INS` come with the end of the day."""
    among = np.bincount(level_of(np.arange(DAY)), minlength=len(LEVELS)).astype(float)
    allowed = np.array(LEVELS) >= RESOLUTIONS.get(column.resolution, 1)
    if told is None:
        return np.where(allowed, among, 0.0) / among[allowed].sum(), False
    counts, sigma = told[0][: len(LEVELS)], told[1]
    clear = np.flatnonzero(allowed & (counts > STANDS_OUT * sigma))
    finest = clear[-1] if len(clear) else np.flatnonzero(allowed)[-1] if column.resolution else int(np.argmax(counts))
    among[finest + 1 :] = 0.0
    inside = slice(0, finest + 1)
    levels = np.zeros(len(LEVELS))
    levels[inside] = family(
        counts[inside], among[inside] / among.sum(), np.full(finest + 1, sigma), max(counts[inside].sum(), 1.0)
    )
    midnight, other = told[0][len(LEVELS) :]
    return levels / levels.sum(), bool(other > max(midnight, STANDS_OUT * sigma))


def _clock(table: PrivateTable, column: Column, levels: np.ndarray, rows: float, cost: float) -> _Cells:
    """The cells of the times of day, after all rounds."""
    step = LEVELS[int(np.flatnonzero(levels)[-1])]
    base = (levels / np.bincount(level_of(np.arange(DAY)), minlength=len(LEVELS)))[level_of(np.arange(DAY))]
    sums = np.append(0.0, np.cumsum(base))

    def expected(edges: np.ndarray) -> np.ndarray:
        return np.diff(sums[edges])

    if step == DAY or cost == 0:
        return _Cells(np.array([0.0, 1.0]), np.array([rows]), np.array([False]), 1.0)
    units = [unit for unit in (max(step, 1800), 900, 300, 60, 10, 1) if unit >= step and (unit != 900 or step == 900)]
    costs = _falling(cost, len(units))
    edges = np.arange(0, DAY + 1, units[0])
    counts, sigma = _ask(table, column, {"time": edges}, {"time": costs[0]})["time"]
    labels = [edges[:-1] // size for size in (21_600, 7200, 3600)]
    cells = _Cells(edges.astype(float), nested(counts, expected(edges), labels, sigma, rows), np.zeros(len(counts), bool), sigma)
    cells.mark(step)
    for unit, paid in zip(units[1:], costs[1:], strict=True):
        cut = [np.arange(a, b + 1, unit) for a, b in _ends(cells)]
        _refine(table, column, "time", cells, cut, expected, paid, step)
    return cells


def _grouped(cells: _Cells, noise: float, null: bool, single: int) -> Bins:
    """Neighbouring cells grouped into bins of similar mass; a heavy single value, or a stand-in for a day, is a bin of its own.

    As many as `_groups.wanted`, and none so small that its own measurement does not stand out.
    """
    mass, one = cells.mass, np.diff(cells.edges) <= single
    bins = _groups.wanted(mass.sum(), noise, BINS)
    alone = one & (mass > 0) & ((mass >= mass.sum() / (2 * bins)) | np.isin(cells.edges[:-1], STAND_INS))
    enough = max(_groups.share(mass, alone, bins), 4 * cells.sigma)
    return Bins(cells.edges, np.array(_groups.starts(mass, alone, enough)), mass, null)
