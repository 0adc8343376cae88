"""Schema: everything that is public about a table before anyone looks at its rows.

A schema is written by a person (or drafted from column names and storage types alone) and never inferred from values: a range,
a category list or a missing value read off the data would be released without being paid for. What is not public is marked
``discover`` and bought from the curator with privacy budget.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.errors import OptionError, SchemaError
from tabsynth.resolution import RESOLUTIONS, fault
from tabsynth.yaml_file import read_yaml, write_yaml

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
_ENTRIES = ("name", "description", "unit", "target", "protected", "columns")
_FIELDS = {
    "kind", "labels", "minimum", "maximum", "decimals", "nullable", "discover", "outside", "description",
    "resolution", "parts",
}  # fmt: skip
_EPOCH = dt.datetime(1970, 1, 1)

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
        Digits after the point of a float column. Without it, synthetic floats are not rounded.
    nullable : bool
        Whether missing is a value of its own. Where it is not, a missing or unusable value counts as the first label or the
        minimum.
    discover : bool
        Buy the labels or the range with privacy budget.
    outside : {'clamp', 'missing', 'other'}
        What a value outside the range or list counts as. ``other`` adds the label ``OTHER``.
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
        if self.kind == "float":
            return None if self.decimals is None else 10.0**-self.decimals
        return float(RESOLUTIONS.get(self.resolution, 1))

    def on_grid(self, positions: np.ndarray) -> np.ndarray:
        """Axis positions, as the nearest floating-point numbers to what their decimals say."""
        return positions if self.decimals is None else positions.round(self.decimals)

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


@dataclass(frozen=True)
class Unit:
    """Whom privacy protects: the rows that share a value of `key` (or each row), of which at most `max_rows` are used."""

    key: str | None = None
    max_rows: int = 1

    def __post_init__(self) -> None:
        if not _is_int(self.max_rows) or self.max_rows < 1:
            raise SchemaError(f"unit.max_rows is {self.max_rows!r}; give a whole number of 1 or more.")
        if self.key is None and self.max_rows != 1:
            raise SchemaError(
                f"unit.max_rows is {self.max_rows} but unit.key is empty, so each row is its own unit; "
                "name the identifier column in unit.key or set max_rows to 1."
            )


@dataclass(frozen=True)
class Schema:
    """What is public about a table: columns, unit of privacy, and (for the evaluation) the column to predict and the protected ones.

    Protected attributes are the columns by whose groups fairness is judged.
    """

    name: str
    columns: tuple[Column, ...]
    unit: Unit = field(default_factory=Unit)
    target: str | None = None
    description: str = ""
    protected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise SchemaError(f"schema {self.name!r} names these columns more than once: {', '.join(twice)}; keep one of each.")
        if not self.modelled:
            raise SchemaError(f"schema {self.name!r} has no column to model; add at least one that is not an identifier.")
        if self.unit.key is not None and (self.unit.key not in names or self[self.unit.key].kind != "identifier"):
            raise SchemaError(f"unit.key is {self.unit.key!r}; name a column of kind identifier.")
        if self.target is not None and self.target not in {c.name for c in self.modelled}:
            raise SchemaError(f"target is {self.target!r}; name one of the columns {', '.join(c.name for c in self.modelled)}.")
        for name in self.protected:
            if name not in {c.name for c in self.modelled}:
                raise SchemaError(
                    f"protected names {name!r}; name some of the columns {', '.join(c.name for c in self.modelled)}."
                )
        if len(set(self.protected)) != len(self.protected):
            raise SchemaError(f"protected names a column twice: {', '.join(self.protected)}; name each once.")

    @property
    def names(self) -> tuple[str, ...]:
        """All column names, in order."""
        return tuple(c.name for c in self.columns)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns a model sees: all but the identifiers."""
        return tuple(c for c in self.columns if c.modelled)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_predict(self, target: str | None) -> str | None:
        """The column to predict: the one named, else the schema's target; OptionError if that is not modelled."""
        if target is not None and target not in {c.name for c in self.modelled}:
            raise OptionError(f"target is {target!r}; name one of the columns {', '.join(c.name for c in self.modelled)}.")
        return self.target if target is None else target

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the schema's canonical JSON."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain data in the layout of the YAML file, defaults left out; dates as ISO text."""
        out: dict[str, Any] = {"name": self.name}
        if self.description:
            out["description"] = self.description
        out["unit"] = {"key": self.unit.key, "max_rows": self.unit.max_rows}
        if self.target:
            out["target"] = self.target
        if self.protected:
            out["protected"] = list(self.protected)
        out["columns"] = {c.name: _column_to_dict(c) for c in self.columns}
        return out

    @classmethod
    def from_dict(cls, data: Any) -> Schema:
        """Build a schema from plain data.

        Raises
        ------
        SchemaError
            With one sentence that says what is wrong and where.
        """
        if not isinstance(data, Mapping) or "columns" not in data:
            raise SchemaError("this is not a schema: expected a mapping with 'name', 'columns' and, where it applies, 'unit'.")
        if unknown := sorted(map(str, set(data) - set(_ENTRIES))):
            raise SchemaError(f"the schema has unknown entries {', '.join(unknown)}; known are {', '.join(_ENTRIES)}.")
        unit, columns = data.get("unit", {}), data["columns"]
        if not isinstance(unit, Mapping) or set(unit) - {"key", "max_rows"}:
            raise SchemaError("unit must be a mapping with 'key' and 'max_rows'.")
        if data.get("target") is not None:
            _text(data["target"], "target")
        protected = [] if data.get("protected") is None else data["protected"]
        if not isinstance(protected, list | tuple) or not all(isinstance(name, str) for name in protected):
            raise SchemaError(f"protected is {protected!r}; give a list of column names, such as [sex, race].")
        if not isinstance(columns, Mapping) or not columns:
            raise SchemaError("columns must be a mapping from column name to its description, with at least one column.")
        return cls(
            name=_text(data.get("name", ""), "name"),
            description=_text(data.get("description", ""), "description"),
            unit=Unit(**unit),
            target=data.get("target"),
            protected=tuple(protected),
            columns=tuple(_column_from_dict(name, spec) for name, spec in columns.items()),
        )

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read a schema from a YAML (or JSON) file."""
        return cls.from_dict(read_yaml(path, "schema", SchemaError))

    def dump(self) -> str:
        """The schema as YAML text."""
        return write_yaml(self.to_dict(), default_flow_style=None)


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise SchemaError(f"{field} is {value!r}; give text.")
    return value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _column_to_dict(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"kind": column.kind}
    for name in ("labels", "minimum", "maximum", "decimals", "resolution", "parts"):
        value = getattr(column, name)
        if value is not None:
            out[name] = list(value) if isinstance(value, tuple) else value.isoformat() if isinstance(value, dt.date) else value
    if not column.nullable:
        out["nullable"] = False
    if column.discover:
        out["discover"] = True
    if column.outside != column.usual_outside:
        out["outside"] = column.outside
    if column.description:
        out["description"] = column.description
    return out


def _column_from_dict(name: Any, spec: Any) -> Column:
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
    for bound in ("minimum", "maximum"):
        if bound in fields and fields["kind"] in ("date", "datetime"):
            fields[bound] = _moment(name, bound, fields[bound], fields["kind"])
    return Column(name=name, **fields)


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
    for name in ("nullable", "discover"):
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
