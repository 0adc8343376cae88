"""One column of a schema: its kind and what is public about its values, checked, and as plain data."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabsynth.date_format import problem
from tabsynth.errors import SchemaError
from tabsynth.resolution import RESOLUTIONS, fault

if TYPE_CHECKING:
    import numpy as np

KINDS = ("integer", "float", "categorical", "boolean", "date", "datetime", "identifier")
NUMERIC = ("integer", "float", "date", "datetime")
OUTSIDE = {
    **dict.fromkeys(NUMERIC, ("clamp", "missing")),
    "categorical": ("missing", "other"),
    "boolean": ("missing",),
    "identifier": ("missing",),
}
OTHER = "OTHER"
_FIELDS = {
    "kind", "labels", "minimum", "maximum", "decimals", "step", "special", "nullable", "discover", "outside", "description",
    "format", "trim", "ignore_case", "resolution", "parts",
}  # fmt: skip
MOST_DIGITS, MOST_SPECIAL = 12, 20
_EPOCH = dt.datetime(1970, 1, 1)
_MINTED = re.compile(r"%d|[A-Za-z0-9][A-Za-z0-9 _./-]*%(0[1-9])?d[A-Za-z0-9 _./-]*|%0[1-9]d[A-Za-z0-9 _./-]*")

Value = int | float | str | bool | dt.date | dt.datetime


@dataclass(frozen=True)
class Column:
    """One column: its kind and what is public about its values.

    Parameters
    ----------
    name : str
    kind : {'integer', 'float', 'categorical', 'boolean', 'date', 'datetime', 'identifier'}
        Identifiers are never modelled; new ones are minted for the output.
    labels : tuple of str or of int, optional
        The public list of values of a categorical column.
    minimum, maximum : number, date or datetime, optional
        The public range, both ends included.
    decimals : int, optional
        Digits after the point of a float column. Without it and without `spacing`, the grid that the values lie on is bought.
    spacing : number, optional
        ``step`` in a schema: the values of an integer or float column are multiples of it.
    special : tuple of pairs (number, str)
        Values of an integer or float column that stand for something else, and for what: -1 for unknown. Each is a category of its own
        beside the numbers, whether it lies in the range or not.
    nullable : bool
        Whether missing is a value of its own. Where it is not, a missing or unusable value counts as the first label or the
        minimum.
    discover : bool
        Buy the labels or the range with privacy budget.
    outside : {'clamp', 'missing', 'other'}
        What a value outside the range or list counts as. ``other`` adds the label ``OTHER``.
    format : str, optional
        date, datetime: how texts are written (`tabsynth.date_format`), such as ``%d/%m/%Y``; ISO is always read. identifier: how new
        ones are written, with the number's place: ``%d`` (whole numbers) or ``C%06d``.
    trim, ignore_case : bool
        categorical, identifier: texts are read without the blanks around them; upper and lower case are not told apart (the
        public label counts; without labels, lower case).
    resolution : {'second', 'minute', 'quarter', 'hour', 'day'}, optional
        What the times of day of a datetime column are whole multiples of; finer values are cut. Without it, it is bought.
    parts : tuple of {'date', 'weekday', 'month', 'time'}, optional
        What of dates and datetimes is related to other columns; by default the date, the weekday and the time of day.
    """

    name: str
    kind: str
    labels: tuple[str | int, ...] | None = None
    minimum: Value | None = None
    maximum: Value | None = None
    decimals: int | None = None
    nullable: bool = True
    discover: bool = False
    outside: str = ""
    description: str = ""
    format: str | None = None
    trim: bool = False
    ignore_case: bool = False
    spacing: int | float | None = None
    special: tuple[tuple[int | float, str], ...] = ()
    resolution: str | None = None
    parts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.outside:
            object.__setattr__(self, "outside", self.usual_outside)
        _check_column(self)

    @property
    def numeric(self) -> bool:
        """True for kinds that lie on an axis: integer, float, date, datetime."""
        return self.kind in NUMERIC

    @property
    def usual_outside(self) -> str:
        """`outside` where the schema does not say."""
        return "clamp" if self.numeric else "other" if self.kind == "categorical" and self.discover else "missing"

    @property
    def modelled(self) -> bool:
        """False for identifiers."""
        return self.kind != "identifier"

    @property
    def step(self) -> float | None:
        """Spacing of the values on the axis (1 for integers and days, in seconds for datetimes), or None for unrounded floats."""
        if self.spacing is not None:
            return float(self.spacing)
        if self.kind == "float":
            return None if self.decimals is None else 10.0**-self.decimals
        return float(RESOLUTIONS.get(self.resolution, 1))

    @property
    def sentinels(self) -> tuple[float, ...]:
        """The special values, without what they stand for."""
        return tuple(float(value) for value, _ in self.special)

    def on_grid(self, positions: np.ndarray) -> np.ndarray:
        """Axis positions, as the nearest floating-point numbers to what their decimals say."""
        digits = self.decimals if self.spacing is None else MOST_DIGITS
        return positions if digits is None else positions.round(digits)

    def to_axis(self, value: Value) -> float:
        """Place a value on the column's numeric axis (days or seconds since 1970 for dates and datetimes)."""
        if self.kind == "date":
            return float((value - _EPOCH.date()).days)
        if self.kind == "datetime":
            return (value - _EPOCH).total_seconds()
        return float(value)

    def from_axis(self, position: float) -> Value:
        """Inverse of `to_axis`, for positions on the column's grid."""
        if self.kind == "date":
            return _EPOCH.date() + dt.timedelta(days=int(position))
        if self.kind == "datetime":
            return _EPOCH + dt.timedelta(seconds=float(position))
        return int(position) if self.kind == "integer" else float(position)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def column_to_dict(column: Column) -> dict[str, Any]:
    """Plain data in the layout of the YAML file, defaults left out; dates as ISO text."""
    out: dict[str, Any] = {"kind": column.kind}
    for name in ("labels", "minimum", "maximum", "decimals", "resolution", "parts"):
        value = getattr(column, name)
        if value is not None:
            out[name] = list(value) if isinstance(value, tuple) else value.isoformat() if isinstance(value, dt.date) else value
    if column.spacing is not None:
        out["step"] = column.spacing
    if column.special:
        out["special"] = {f"{value:.15g}": text for value, text in column.special}
    if not column.nullable:
        out["nullable"] = False
    if column.discover:
        out["discover"] = True
    if column.outside != column.usual_outside:
        out["outside"] = column.outside
    for name in ("format", "trim", "ignore_case", "description"):
        if getattr(column, name):
            out[name] = getattr(column, name)
    return out


def column_from_dict(name: Any, spec: Any) -> Column:
    """Build a column from plain data; SchemaError with one sentence that says what is wrong and where."""
    if not isinstance(name, str) or not name:
        raise SchemaError(f"column name {name!r} is not text; put it in quotes.")
    if not isinstance(spec, Mapping) or "kind" not in spec:
        raise SchemaError(f"column {name!r} must be a mapping with a 'kind': one of {', '.join(KINDS)}.")
    if unknown := sorted(map(str, set(spec) - _FIELDS)):
        raise SchemaError(f"column {name!r} has unknown entries {', '.join(unknown)}; known are {', '.join(sorted(_FIELDS))}.")
    fields = dict(spec)
    if fields.get("outside") == "":
        raise SchemaError(f"column {name!r}: outside is empty; leave it out to have the default.")
    for listed in ("labels", "parts"):
        if listed in fields:
            if not isinstance(fields[listed], list | tuple):
                raise SchemaError(f"column {name!r}: {listed} must be a list.")
            fields[listed] = tuple(fields[listed])
    fields["spacing"], fields["special"] = fields.pop("step", None), _special(name, fields.get("special"), fields["kind"])
    for bound in ("minimum", "maximum"):
        if bound in fields and fields["kind"] in ("date", "datetime"):
            fields[bound] = _moment(name, bound, fields[bound], fields["kind"])
    return Column(name=name, **fields)


def _special(name: str, plain: Any, kind: str) -> tuple[tuple[int | float, str], ...]:
    """Special values; documents in JSON hold them as texts."""
    if plain is None:
        return ()
    if not isinstance(plain, Mapping) or not all(isinstance(text, str) for text in plain.values()):
        raise SchemaError(f"column {name!r}: special must map numbers to what they stand for, such as {{-1: unknown}}.")
    out = []
    for value, text in plain.items():
        try:
            number = float(value)
            out.append((int(number) if kind == "integer" and number == int(number) else number, text))
        except (TypeError, ValueError, OverflowError):
            raise SchemaError(f"column {name!r}: special names {value!r}, which is not a number.") from None
    return tuple(out)


def _moment(name: str, bound: str, value: Any, kind: str) -> dt.date:
    try:
        moment = value if isinstance(value, dt.date) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SchemaError(f"column {name!r}: {bound} is {value!r}; give an ISO date such as 2024-01-31.") from None
    if isinstance(moment, dt.datetime):
        return moment.replace(tzinfo=None).date() if kind == "date" else moment.replace(tzinfo=None)
    return moment if kind == "date" else dt.datetime(moment.year, moment.month, moment.day)


def _check_column(c: Column) -> None:
    def fail(what: str):
        raise SchemaError(f"column {c.name!r}: {what}")

    if c.kind not in KINDS:
        fail(f"kind is {c.kind!r}; use one of {', '.join(KINDS)}.")
    for name in ("nullable", "discover", "trim", "ignore_case"):
        if not isinstance(getattr(c, name), bool):
            fail(f"{name} is {getattr(c, name)!r}; use true or false.")
    if c.outside not in OUTSIDE[c.kind]:
        fail(f"outside is {c.outside!r}; for {c.kind} columns use {' or '.join(OUTSIDE[c.kind])}.")
    if not isinstance(c.description, str):
        fail("description must be text.")
    if c.decimals is not None and (c.kind != "float" or not _is_int(c.decimals) or not 0 <= c.decimals <= 12):
        fail(f"decimals is {c.decimals!r}; it is for float columns, a whole number from 0 to 12.")
    if wrong := fault(c.kind, c.resolution, c.parts):
        fail(wrong)
    if c.spacing is not None or c.special:
        _check_numbers(c, fail)
    if c.numeric:
        _check_range(c, fail)
    elif c.minimum is not None or c.maximum is not None:
        fail(f"{c.kind} columns have no minimum or maximum.")
    if c.kind == "categorical":
        _check_labels(c, fail)
    elif c.labels is not None:
        fail(f"{c.kind} columns have no labels.")
    if c.discover and c.kind in ("boolean", "identifier"):
        fail(f"{c.kind} columns have nothing to discover.")
    _check_text(c, fail)


def _check_range(c: Column, fail) -> None:
    if (c.minimum is None) != (c.maximum is None):
        fail("give both minimum and maximum, or neither and 'discover: true'.")
    if c.minimum is None:
        if not c.discover:
            fail("give its public minimum and maximum, or 'discover: true' to buy them with privacy budget.")
        return
    if c.discover:
        fail("a public range and 'discover: true' exclude each other.")
    ok = {"integer": _is_int, "float": _is_number}.get(c.kind, lambda v: isinstance(v, dt.date))
    if not (ok(c.minimum) and ok(c.maximum)):
        fail(
            f"minimum {c.minimum!r} and maximum {c.maximum!r} must be {'finite numbers' if c.kind == 'float' else c.kind + ' values'}."
        )
    if not c.minimum <= c.maximum:
        fail(f"minimum {c.minimum} is above maximum {c.maximum}.")
    if c.kind in ("integer", "float") and max(abs(c.minimum), abs(c.maximum)) > 2**52:
        fail("the range reaches beyond 2**52; rescale the column.")


def _check_numbers(c: Column, fail) -> None:
    """What only numbers have: a step, and special values."""
    if c.kind not in ("integer", "float"):
        fail("step and special are for integer and float columns.")
    whole, step = c.kind == "integer", c.spacing
    if step is not None:
        if not _is_number(step) or not 1e-12 <= step <= 1e12 or (whole and not _is_int(step)) or round(step, 12) != step:
            fail(
                f"step is {step!r}; give a {'whole ' if whole else ''}number above 0, of at most 12 digits before and after the point."
            )
        if c.decimals is not None:
            fail("decimals and step exclude each other; keep the step.")
        for bound in (c.minimum, c.maximum):
            if _is_number(bound) and not math.isclose(bound / step, round(bound / step), rel_tol=1e-12, abs_tol=1e-9):
                fail(f"the range ends at {bound}, which is not a multiple of the step {step}.")
    values = [value for value, _ in c.special]
    if not all(_is_int(v) if whole else _is_number(v) for v in values) or any(abs(v) > 2**52 for v in values):
        fail(f"special names {values}; give {'whole ' if whole else 'finite '}numbers of up to 2**52.")
    if len(set(values)) != len(values) or len(values) > MOST_SPECIAL:
        fail(f"special names {len(values)} values; name up to {MOST_SPECIAL}, each once.")
    if c.decimals is not None and any(round(v, c.decimals) != v for v in values):
        fail(f"special names a value of more than {c.decimals} decimals.")


def _check_labels(c: Column, fail) -> None:
    if c.labels is None:
        if not c.discover:
            fail("give its public labels, or 'discover: true' to buy them with privacy budget.")
        return
    if c.discover:
        fail("public labels and 'discover: true' exclude each other.")
    if not c.labels:
        fail("labels is empty; list at least one value.")
    if any(isinstance(v, bool) or v is None or isinstance(v, float) for v in c.labels):
        fail("labels must be texts or whole numbers; put words such as Yes, No, on, off and null in quotes.")
    if len({type(v) for v in c.labels}) != 1 or not isinstance(c.labels[0], str | int):
        fail("labels must be all texts or all whole numbers.")
    if len(set(c.labels)) != len(c.labels):
        fail("labels lists a value twice.")
    if c.outside == "other" and OTHER in c.labels:
        fail(f"labels lists {OTHER!r}, which 'outside: other' adds by itself.")


def _check_text(c: Column, fail) -> None:
    """What is said of how texts are written."""
    if c.format is not None:
        if c.kind in ("date", "datetime"):
            if wrong := problem(c.format):
                fail(f"format {wrong}.")
        elif c.kind != "identifier":
            fail(f"format is {c.format!r}; it is for dates, datetimes and identifiers.")
        elif not (isinstance(c.format, str) and len(c.format) <= 40 and _MINTED.fullmatch(c.format)):
            fail(
                f"format is {c.format!r}; for identifiers give '%d', or letters or digits and one '%d' or '%06d', such as 'C%06d'."
            )
    if c.trim or c.ignore_case:
        if c.kind not in ("categorical", "identifier"):
            fail("trim and ignore_case are for categorical and identifier columns; in others, blanks and case never matter.")
        if c.labels and not isinstance(c.labels[0], str):
            fail("trim and ignore_case are for labels that are texts.")
        for same, word in ((str.strip, "trim"), (str.lower, "ignore_case")):
            if getattr(c, word) and len({same(v) for v in c.labels or ()}) < len(c.labels or ()):
                fail(f"two labels are the same under {word}; list one of them.")
        if c.trim and any(v != v.strip() for v in c.labels or ()):
            fail("a label has blanks around it, which trim takes off; list it without them.")
