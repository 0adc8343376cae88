"""NOT PRIVATE. Does each column keep its values? Mean, spread, quantiles, ends, and the share of missing and of every frequent value.

An average of distances over bins hides a column that is wrong: a mean three times too large, a spike that is gone, ends a billion times
too far. So each number of each column is held against that of the training rows, in tolerances: 1 is what is just tolerated. The holdout's
own difference stands beside it.

Tolerances are relative to the column's own scale. It is the standard deviation, or where that is smaller what the 10 % and 90 % quantiles
would make it in a normal column, but at least a quarter of the standard deviation: long tails do not excuse a wrong mean. A quantile
may be off by that, or by as large a part of its own distance from the median; besides, it may lie anywhere between its neighbours (a
quarter of its rank away), because whole numbers jump. A share may be off by half of
itself, within a third of the tolerance and all of it; that of a frequent number other than zero by all of it, for its neighbours may hold it.

References
----------
Newcombe (1998), Statistics in Medicine 17(8), for differences of shares; David and Nagaraja (2003), Order Statistics, section 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import OTHER, Column
from tabsynth.validate import _numbers
from tabsynth.validate._numbers import Number, Rows
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes
from tabsynth.validate.intervals import normal_quantile

CHECK = "quality.columns"
LEVEL = 0.01
"""A healthy table fails at most so often: the chance that any of all its numbers is surely beyond the tolerance without being so."""
FREQUENT, SHOWN = 0.01, 60
"""A value is looked at from this share of the training or synthetic rows on; at most so many of a column."""


def columns(evidence: Evidence) -> list[Finding]:
    """Whether the columns keep their values; the share that does not is the value.

    It fails where a number is beyond its tolerance and surely so: the intervals of all numbers hold together with `LEVEL`, so a table that
    is as good as other real rows fails in at most one of a hundred reports (means and standard deviations rest on the central limit
    theorem, with each sample's own variance; an end, on tails no longer than those of a Pareto distribution with exponent 1). It is
    inconclusive where a number is beyond without being surely so, or where the tables are too small to see three times what is tolerated.
    """
    title = "Share of columns that surely do not keep their values"
    if not all(map(len, (evidence.train, evidence.holdout, evidence.synthetic))):
        return [Finding(CHECK, title, None, note="A table has no rows.")]
    tolerance = evidence.policy["column_values"], evidence.policy["column_shares"]
    parts = [part for column in evidence.schema.modelled for part in _parts(column, evidence)]
    z = normal_quantile(1 - LEVEL / sum(_tests(part) for part in parts))
    rows = []
    for part in parts:
        numbers = sorted(part.numbers(z, *tolerance), key=lambda n: (-n.surely, -n.off))
        rows.append({"column": part.column, "part": part.part, "numbers": [asdict(n) | {"verdict": n.verdict} for n in numbers]})
    return [_finding(title, rows, tolerance, len(np.unique(unit_codes(evidence.train, evidence.schema))))]


def _finding(title: str, rows: list[dict[str, Any]], tolerance: tuple[float, float], units: int) -> Finding:
    verdicts = {row["column"]: set() for row in rows}
    for row in rows:
        verdicts[row["column"]] |= {number["verdict"] for number in row["numbers"]}
    wrong = [column for column, found in verdicts.items() if "fail" in found]
    unsure = [column for column, found in verdicts.items() if "fail" not in found and "inconclusive" in found]
    verdict = "fail" if wrong else "inconclusive" if unsure else "pass"
    details = {
        "columns": sorted(rows, key=lambda row: [(-n["surely"], -n["off"]) for n in row["numbers"][:1]]),
        "wrong": sorted(wrong, key=lambda name: -max(n["surely"] for row in rows if row["column"] == name for n in row["numbers"])),
        "unsure": unsure, "tolerated": tolerance[0], "tolerated_shares": tolerance[1],
        "needed_rows": _needed(rows, units) if verdict == "inconclusive" else None,
    }  # fmt: skip
    return Finding(CHECK, title, len(wrong) / len(verdicts), verdict=verdict, details=details)


def _needed(rows: list[dict[str, Any]], units: int) -> int | None:
    """Training units, with as many synthetic rows, that would probably settle what is open; None where they are out of reach."""
    most = 2.0
    for number in (n for row in rows for n in row["numbers"] if n["verdict"] == "inconclusive" and math.isfinite(n["unsure"])):
        if number["off"] > 1:
            most = max(most, (number["unsure"] / max(number["off"] - 1, 0.5)) ** 2)
        else:
            most = max(most, (number["unsure"] / _numbers.SEEN) ** 2)
    return math.ceil(most * units) if most <= 10_000 else None


def needed(numbers: int, tolerated: float) -> int:
    """Training units, with as many synthetic rows, with which three times a tolerated share of one half is noticed among so many numbers."""
    return math.ceil(normal_quantile(1 - LEVEL / numbers) ** 2 / 2 / (_numbers.SEEN * tolerated) ** 2)


@dataclass(frozen=True)
class _Part:
    """What is looked at together: a column, or the hours or days of its times.

    Parameters
    ----------
    tables : three Rows
        Train, holdout, synthetic: labels as texts, None for missing, where `frequent` are the ones to look at.
    axis : three Rows
        The numbers; empty for labels.
    """

    column: str
    part: str
    tables: tuple[Rows, Rows, Rows]
    axis: tuple[Rows, ...]
    frequent: tuple[Any, ...]
    show: Any

    def numbers(self, z: float, values: float, shares: float) -> Iterator[Number]:
        """All that is looked at."""
        if self.axis and len(self.axis[0]) > 1 and len(self.axis[2]) > 1:
            yield from _numbers.moments(self.axis, z, values, self.show)
            yield from _numbers.quantiles(self.axis, z, values, self.show)
            yield from _numbers.ends(self.axis, z, self.show)
        for value in self.frequent:
            masks = [pd.isna(t.values) if value is None else t.values == value for t in self.tables]
            spike = bool(self.axis) and value is not None and value != 0
            yield _numbers.share(
                "missing" if value is None else str(self.show(value)), self.tables, masks, z, shares, spike=spike
            )


def _tests(part: _Part) -> int:
    return len(part.frequent) + (_numbers.MOMENTS_AND_ENDS + len(_numbers.QUANTILES)) * bool(part.axis) or 1


def _parts(column: Column, evidence: Evidence) -> Iterator[_Part]:
    tables = (evidence.train, evidence.holdout, evidence.synthetic)
    units = [_units(table, evidence) for table in tables]
    if not column.numeric:
        values = _together([label_values(table, column) for table in tables], column)
        rows = tuple(map(Rows, values, units))
        yield _Part(column.name, "", rows, (), _frequent(rows), str)
        return
    values = [axis_values(table, column) for table in tables]
    rows = tuple(map(Rows, values, units))
    known = tuple(table.known() for table in rows)
    yield _Part(column.name, "", rows, known, _frequent(rows, zero=column.kind in ("integer", "float")), _writer(column))
    for part, of in _CLOCK.items() if column.kind == "datetime" else ():
        yield _clock(column, part, [k.having(of(k.values)) for k in known])
    if column.kind == "date":
        yield _clock(column, "day of the week", [k.having(_day(k.values * 86_400)) for k in known])


def _units(table: pd.DataFrame, evidence: Evidence) -> np.ndarray | None:
    codes = unit_codes(table, evidence.schema)
    return codes if len(codes) and codes.max() + 1 < len(codes) else None


def _clock(column: Column, part: str, rows: Sequence[Rows]) -> _Part:
    return _Part(column.name, part, tuple(rows), (), _frequent(rows), str)


def _day(seconds: np.ndarray) -> np.ndarray:
    names = np.array(["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"], dtype=object)
    return names[(np.floor(seconds / 86_400) % 7).astype(int)]


_CLOCK = {
    "hour": lambda seconds: np.floor(seconds % 86_400 / 3_600).astype(int).astype(str).astype(object),
    "day of the week": _day,
    "second": lambda seconds: np.where(seconds % 60 == 0, "0", "not 0").astype(object),
}


def _writer(column: Column) -> Any:
    """How a place on the column's axis is written."""

    def write(position: float) -> Any:
        if column.kind not in ("date", "datetime"):
            short = float(f"{position:.6g}")
            return int(short) if short.is_integer() and abs(short) < 2**53 else short
        try:
            return column.from_axis(math.floor(position) if column.kind == "date" else round(position)).isoformat()
        except (OverflowError, ValueError):
            return None

    return write


def _together(values: list[np.ndarray], column: Column) -> list[np.ndarray]:
    """Rare labels of real rows that the synthetic table has put together are put together there too."""
    if column.outside != "other" or OTHER not in values[2]:
        return values
    there, counts = set(values[2]), pd.Series(values[0]).value_counts()
    gone = {label for label in pd.unique(np.concatenate(values[:2])) if label is not None and label not in there}
    gone = {label for label in gone if counts.get(label, 0) < FREQUENT * len(values[0])}
    return [np.array([OTHER if v in gone else v for v in each], dtype=object) for each in values[:2]] + [values[2]]


def _frequent(tables: Sequence[Rows], *, zero: bool = False) -> tuple[Any, ...]:
    """Missing, zero, and the values that are frequent in the training or the synthetic rows; missing is None."""
    found: dict[Any, float] = {}
    for table in (tables[0], tables[2]):
        counts = pd.Series(table.values).value_counts(dropna=True) / max(len(table), 1)
        for value, share in counts[counts >= FREQUENT].items():
            found[value] = max(share, found.get(value, 0))
    chosen = sorted(found, key=lambda value: -found[value])[:SHOWN]
    if zero and 0 not in chosen and any((table.values == 0).any() for table in tables):
        chosen.append(0.0)
    return (*chosen, *([None] if any(pd.isna(table.values).any() for table in tables) else []))
