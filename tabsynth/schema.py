"""Schema: everything that is public about a table before anyone looks at its rows.

A schema is written by a person (or drafted from column names and storage types alone) and never inferred from values: a range,
a category list or a missing value read off the data would be released without being paid for. What is not public is marked
``discover`` and bought from the curator with privacy budget.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabsynth.column import OTHER, Column, Value, column_from_dict, column_to_dict
from tabsynth.errors import OptionError, SchemaError
from tabsynth.reading import Reading
from tabsynth.yaml_file import read_yaml, write_yaml

__all__ = ["OTHER", "Column", "Schema", "Unit", "Value", "column_to_dict"]

_ENTRIES = ("name", "description", "unit", "target", "protected", "reading", "columns")


@dataclass(frozen=True)
class Unit:
    """Whom privacy protects: the rows that share a value of `key` (or each row), of which at most `max_rows` are used."""

    key: str | None = None
    max_rows: int = 1

    def __post_init__(self) -> None:
        if type(self.max_rows) is not int or self.max_rows < 1:
            raise SchemaError(f"unit.max_rows is {self.max_rows!r}; give a whole number of 1 or more.")
        if self.key is None and self.max_rows != 1:
            raise SchemaError(
                f"unit.max_rows is {self.max_rows} but unit.key is empty, so each row is its own unit; "
                "name the identifier column in unit.key or set max_rows to 1."
            )


@dataclass(frozen=True)
class Schema:
    """What is public about a table: columns, unit of privacy, and (for the evaluation) the column to predict and the protected ones.

    Protected attributes are the columns by whose groups fairness is judged. `reading` says how CSV and TSV files of this table are
    written, those that tabsynth writes included; what is said of a file itself (`tabsynth.Csv`) comes first.
    """

    name: str
    columns: tuple[Column, ...]
    unit: Unit = field(default_factory=Unit)
    target: str | None = None
    description: str = ""
    protected: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        names = self.names
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise SchemaError(f"schema {self.name!r} names these columns more than once: {', '.join(twice)}; keep one of each.")
        folded = Counter(n.casefold() for n in names)
        if alike := sorted(n for n in names if folded[n.casefold()] > 1):
            raise SchemaError(
                f"schema {self.name!r} has columns that differ in upper and lower case only: {', '.join(alike)}; rename one here and in the data."
            )
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
        if self.reading.said:
            out["reading"] = self.reading.said
        out["columns"] = {c.name: column_to_dict(c) for c in self.columns}
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
        try:
            reading = Reading() if data.get("reading") is None else Reading.from_dict(data["reading"])
        except OptionError as error:
            raise SchemaError(f"reading: {error}") from None
        return cls(
            reading=reading,
            name=_text(data.get("name", ""), "name"),
            description=_text(data.get("description", ""), "description"),
            unit=Unit(**unit),
            target=data.get("target"),
            protected=tuple(protected),
            columns=tuple(column_from_dict(name, spec) for name, spec in columns.items()),
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
