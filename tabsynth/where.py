"""Conditions on columns, and synthetic rows that satisfy them.

A condition is one or more comparisons joined by ``and``::

    COLUMN  = | != | < | <= | > | >=  VALUE        COLUMN is missing        COLUMN is not missing

A column's name stands bare, or in double quotes where it holds spaces or signs. Texts and dates stand in single quotes (``''`` is
a quote within), numbers, ``true`` and ``false`` bare. A missing value satisfies nothing but ``is missing``.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.codec import Bins, Codec, Labels
from tabsynth.errors import OptionError
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import Column, Value
from tabsynth.times import DAY, Times

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.access import Codes, Model

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FIRST_ROWS, MOST_ROWS, MOST_CELLS = 10_000, 20_000_000, 200_000_000
"""Rows drawn at first; and the most rows, and rows times columns, ever drawn, unless four times the rows asked for is more."""

_CLAUSE = re.compile(
    r"""(?:"((?:[^"]|"")+)"|([^\s"'<>=!]++))\s*(?:([<>=!]+)\s*('(?:[^']|'')*'|[^\s"'<>=!]+)|is\s+(not\s+)?missing\b)\s*""", re.I
)
_AND = re.compile(r"and\b\s*", re.I)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.I)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_MISSING, _KNOWN = "is missing", "is not missing"
_WANTED = {
    "integer": "a whole number of at most 18 digits",
    "float": "a number such as 12.5",
    "categorical": "a text in single quotes",
    "boolean": "true or false",
    "date": "a date in single quotes, such as '2020-01-31'",
    "datetime": "a date or time in single quotes, such as '2020-01-31 18:00:00'",
}


@dataclass(frozen=True)
class Clause:
    """One comparison.

    Parameters
    ----------
    column : Column
    op : str
        One of `OPERATORS`, ``is missing`` or ``is not missing``.
    value : int, float, str, bool, date or datetime, optional
        What the column is compared with, in its own type.
    """

    column: Column
    op: str
    value: Value | None = None

    def possible(self, coder: Labels | GroupedLabels | Bins | Times) -> np.ndarray:
        """Which codes (of dates and datetimes of several parts: codes of the day) may hold a value that satisfies the comparison.

        Returns
        -------
        ndarray of bool, shape (codes,)
            Exact for labels; a bin is possible as soon as its ends, one step of the grid apart, allow it, and a group as soon as one of
            its labels is.
        """
        margin, unit = self.column.step or 0.0, 1
        if isinstance(coder, Times):
            coder, margin, unit = coder.day, 1.0, DAY if self.column.kind == "datetime" else 1
        known = np.arange(coder.size) < coder.size - coder.null
        if self.op in (_MISSING, _KNOWN):
            return known == (self.op == _KNOWN)
        if isinstance(coder, GroupedLabels):
            return coder.holding([OPERATORS[self.op](v, self.value) for v in coder.values])
        if isinstance(coder, Labels):
            known[known] = [OPERATORS[self.op](v, self.value) for v in coder.values]
            return known
        bins = np.arange(coder.size) < len(coder.starts)
        known[known & ~bins] = [OPERATORS[self.op](v, self.value) for v in coder.special]
        at = self.column.to_axis(self.value) / unit
        low = coder.edges[coder.starts] - margin
        high = coder.edges[np.append(coder.starts[1:], len(coder.mass))] + margin
        if self.op == "=":
            known[bins] = (low <= at) & (at <= high)
        elif self.op != "!=":
            known[bins] = OPERATORS[self.op](low if self.op[0] == "<" else high, at)
        return known

    def holds(self, values: pd.Series) -> np.ndarray:
        """Which values of the column, conformed, satisfy the comparison: bool, shape (rows,)."""
        known = values.notna().to_numpy()
        if self.op in (_MISSING, _KNOWN):
            return known == (self.op == _KNOWN)
        value = np.datetime64(self.value) if isinstance(self.value, dt.date) else self.value
        known[known] = OPERATORS[self.op](values[known], value)
        return known


@dataclass(frozen=True)
class Condition:
    """Comparisons that all have to hold.

    Parameters
    ----------
    codec : Codec
        Of the release that rows are drawn from.
    clauses : tuple of Clause

    Examples
    --------
    >>> from tabsynth import Schema
    >>> from tabsynth.codec import public_coder
    >>> schema = Schema.from_dict({"name": "toy", "columns": {"age": {"kind": "integer", "minimum": 0, "maximum": 9}}})
    >>> codec = Codec(schema, {"age": public_coder(schema["age"])})
    >>> condition = Condition.parse("age >= 3 and age != 5", codec)
    >>> [(c.column.name, c.op, c.value) for c in condition.clauses]
    [('age', '>=', 3), ('age', '!=', 5)]
    """

    codec: Codec
    clauses: tuple[Clause, ...]

    @classmethod
    def parse(cls, where: str | Sequence[str], codec: Codec) -> Condition:
        """Read a condition, or several that are to hold together.

        Raises
        ------
        OptionError
            If it cannot be read, or names a column, label or value that the release does not have.
        """
        texts = [where] if isinstance(where, str) else where
        if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
            raise OptionError(f"where is a {type(where).__name__}; give text such as \"age >= 65 and ward = 'surgery'\".")
        condition = cls(codec, tuple(clause for text in texts for clause in _clauses(text, codec)))
        for name, possible in condition.possible().items():
            if not possible.any():
                raise OptionError(f"the condition on column {name!r} leaves no value that the model can draw; widen it.")
        return condition

    def possible(self) -> dict[str, np.ndarray]:
        """For each column that is compared, which of its codes may satisfy all that is said about it."""
        tables: dict[str, np.ndarray] = {}
        for clause in self.clauses:
            name = clause.column.name
            tables[name] = clause.possible(self.codec.coders[name]) & tables.get(name, True)
        return tables

    def decode(self, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
        """The rows that satisfy the condition, decoded; those whose codes rule it out are dropped before they are decoded."""
        names = list(self.codec.domain)
        kept = np.ones(len(codes), dtype=bool)
        for name, possible in self.possible().items():
            kept &= possible[codes[:, names.index(name)]]
        frame = self.codec.decode(codes[kept], rng)
        holds = np.ones(len(frame), dtype=bool)
        for clause in self.clauses:
            holds &= clause.holds(frame[clause.column.name])
        return frame[holds].reset_index(drop=True)


def draw(model: Model, condition: Condition, rows: int, seed: int) -> pd.DataFrame:
    """Exactly `rows` rows that satisfy a condition, by rejection: the model's own distribution given the condition.

    Models draw without replacement from rows that they hold, so a second call could repeat the first one's rows. Therefore all
    rows come from one call; where it yields too few, a larger one takes its place, from the same seed.

    Raises
    ------
    OptionError
        If so few rows satisfy the condition that `rows` of them are out of reach.
    """
    most = max(4 * rows, min(MOST_ROWS, MOST_CELLS // len(condition.codec.domain)))
    drawn = min(most, max(2 * rows, FIRST_ROWS))
    while True:
        rng = np.random.default_rng(seed)
        codes = model.sample(drawn, rng)
        frame = condition.decode(codes, rng)
        found = len(frame)
        if found >= rows:
            return frame.head(rows)
        hopeful = found + 4 * math.sqrt(found + 1) + 8
        if not found and (drawn == most or hopeful * most < rows * drawn):
            raise OptionError(_without_mass(condition, codes))
        if drawn == most or hopeful * most < rows * drawn:
            raise OptionError(
                f"{found:,} of {drawn:,} drawn rows satisfy the condition, which is too rare for {rows:,} rows; "
                "ask for fewer rows or for a wider condition."
            )
        wanted = math.ceil(1.1 * rows * drawn / max(found, 1))
        drawn = min(most, max(2 * drawn, min(wanted, 10 * drawn)))


def _without_mass(condition: Condition, codes: Codes) -> str:
    """What to say where no drawn row satisfies a condition: which columns have no such row by themselves."""
    told = f"none of {len(codes):,} drawn rows satisfies the condition: the model gives it no mass, or next to none"
    names = list(dict.fromkeys(clause.column.name for clause in condition.clauses))
    parts = {name: Condition(condition.codec, tuple(c for c in condition.clauses if c.column.name == name)) for name in names}
    empty = [name for name, part in parts.items() if part.decode(codes, np.random.default_rng(0)).empty]
    if empty:
        return f"{told}; what is said about {', '.join(map(repr, empty))} holds in none of them by itself, so change that."
    return f"{told}; what is said about each column holds in some of them, but never together, so leave a comparison out."


def _clauses(text: str, codec: Codec) -> Iterator[Clause]:
    """Read one condition from left to right."""
    rest = text.strip()
    while found := _CLAUSE.match(rest):
        quoted, bare, op, value, negated = found.groups()
        column = _column(bare or quoted.replace('""', '"'), codec)
        if op:
            yield _comparison(column, op, value, codec.coders[column.name])
        else:
            yield Clause(column, _KNOWN if negated else _MISSING)
        rest = rest[found.end() :]
        if not rest:
            return
        if not (joined := _AND.match(rest)):
            break
        rest = rest[joined.end() :]
    where = f"from {rest[:40]!r} on" if rest else "to its end, where a comparison is missing"
    raise OptionError(
        f"the condition {text[:80]!r} cannot be read {where}; write comparisons such as age >= 65, ward = 'surgery' or "
        "cost is missing, joined by and."
    )


def _column(name: str, codec: Codec) -> Column:
    known = [c.name for c in codec.schema.modelled]
    use = f"use {_some(known)}"
    if name not in codec.schema.names:
        raise OptionError(f"there is no column {name[:40]!r}; {use} (a name with spaces or signs in double quotes).")
    if name not in known:
        raise OptionError(f"column {name!r} is an identifier, newly minted for each row, so it cannot be chosen by; {use}.")
    return codec.schema[name]


def _comparison(column: Column, op: str, raw: str, coder: Labels | GroupedLabels | Bins) -> Clause:
    """Check a comparison against what is public about the column."""
    allowed = OPERATORS if column.numeric else ("=", "!=")
    shown = raw[:40] if raw.isprintable() else repr(raw[:40])
    if op not in allowed:
        raise OptionError(f"column {column.name!r} is compared by {op!r}; {column.kind} columns allow {' '.join(allowed)}.")
    value = _value(raw, column)
    if value is None:
        wanted = "a whole number" if _counted(column) else _WANTED[column.kind]
        raise OptionError(f"column {column.name!r} is compared with {shown}; give {wanted}.")
    if isinstance(coder, Labels | GroupedLabels) and value not in coder.values:
        few = f"use {_some(coder.values)}" if len(coder.values) <= 20 else f"use one of its {len(coder.values):,} labels"
        raise OptionError(f"column {column.name!r} has no label {shown}; {few}.")
    named = value in column.sentinels
    if column.numeric and column.minimum is not None and not (named or column.minimum <= value <= column.maximum):
        raise OptionError(
            f"column {column.name!r} is compared with {shown}, outside its range in the schema; "
            f"give a value from {column.minimum} to {column.maximum}."
        )
    return Clause(column, op, value)


def _value(raw: str, column: Column) -> Value | None:
    """A value as written, in the column's type; None if it is not of that type."""
    text = raw[1:-1].replace("''", "'") if raw[0] == "'" else None
    if column.kind == "integer" or _counted(column):
        return int(raw) if _WHOLE.fullmatch(raw) else None
    if column.kind == "float":
        return float(raw) if _NUMBER.fullmatch(raw) and math.isfinite(float(raw)) else None
    if column.kind == "boolean":
        return {"true": True, "false": False}.get(raw.lower())
    if column.kind == "categorical" or text is None:
        return text
    try:
        moment = (dt.date if column.kind == "date" else dt.datetime).fromisoformat(text)
    except ValueError:
        return None
    return None if getattr(moment, "tzinfo", None) else moment


def _counted(column: Column) -> bool:
    """Whether the labels are whole numbers."""
    return column.labels is not None and isinstance(column.labels[0], int)


def _some(values: Iterable[Any]) -> str:
    shown = list(map(repr, values))
    return ", ".join(shown[:20]) + (f" or {len(shown) - 20:,} more" if len(shown) > 20 else "")
