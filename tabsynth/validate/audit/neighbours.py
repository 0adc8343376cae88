"""Pairs of tables that differ by one unit, made to show bugs: worst cases, values nobody else has, units with too many rows.

The names N1 to N7 are those of grey-box audits: worst cases after Annamalai, Ganev and De Cristofaro, "What do you want from theory
alone? Experimenting with tight auditing of differentially private synthetic data generation", USENIX Security 2024; four rows of zeros
and one of ones after Ganev, Annamalai and De Cristofaro, "The elusive pursuit of reproducing PATE-GAN", TMLR 2025.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tabsynth.schema import Schema

ROWS = 16
"""Rows of a unit: so many that rounding to whole numbers adds little to the noise, and gradients reach the clipping norm."""
CANARY = "~"
"""Identifier of the unit that the two tables differ by; sorts behind all others."""


@dataclass(frozen=True)
class Pair:
    """Two tables, `having` with one unit more than `without`, or with other rows of that unit (``relation == "replace"``)."""

    name: str
    relation: str
    schema: Schema
    without: pd.DataFrame
    having: pd.DataFrame
    epsilon: float | None = None
    """What fits on it should claim at most, if not what the audit does."""

    @property
    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """World 0 and world 1."""
        return self.without, self.having

    @property
    def factor(self) -> float:
        """How many times the claimed mu the two worlds may be apart: a replaced unit is one removed and one added."""
        return 2.0 if self.relation == "replace" else 1.0


def _labels(*labels: str, **more: object) -> dict[str, object]:
    return {"kind": "categorical", "labels": list(labels), **more}


def _schema(columns: dict[str, dict], rows: int = ROWS) -> Schema:
    """From two rows a unit on, the curator numbers units by their key, so that the canary is the last."""
    unit = {"unit": {"key": "id", "max_rows": rows}, "columns": {"id": {"kind": "identifier"}, **columns}}
    return Schema.from_dict({"name": "audit", **unit})


def _unit(key: str | None, rows: int, **values: object) -> pd.DataFrame:
    return pd.DataFrame([{"id": key, **values}] * rows)


def worst_case(relation: str = "add") -> Pair:
    """N1: two units, and a third that differs from the first in every column; every answer moves as far as it may."""
    schema = _schema({"a": _labels("x", "y"), "b": _labels("x", "y"), "c": {"kind": "integer", "minimum": 0, "maximum": 1}})
    first, mixed = _unit("0", ROWS, a="x", b="x", c=0), _unit("1", ROWS, a="x", b="y", c=1)
    return _pair(
        "N1", relation, schema, [first, mixed], _unit(CANARY, ROWS, a="y", b="y", c=1), _unit(CANARY, ROWS, a="x", b="x", c=0)
    )


def bought(relation: str = "add") -> Pair:
    """N1 where range, bins and labels have to be bought."""
    schema = _schema(
        {"a": _labels("x", "y"), "b": {"kind": "categorical", "discover": True}, "c": {"kind": "integer", "discover": True}}
    )
    first, second = _unit("0", ROWS, a="x", b="p", c=3), _unit("1", ROWS, a="x", b="q", c=900)
    return _pair(
        "N1 bought",
        relation,
        schema,
        [first, second],
        _unit(CANARY, ROWS, a="y", b="q", c=900),
        _unit(CANARY, ROWS, a="x", b="p", c=3),
    )


def zeros(relation: str = "add") -> Pair:
    """N2: four rows of zeros, and one of ones; each row a unit."""
    columns = {name: {"kind": "integer", "minimum": 0, "maximum": 1} for name in "abc"}
    schema = Schema.from_dict({"name": "audit", "columns": columns})
    zero, one = (pd.DataFrame([dict.fromkeys("abc", value)]) for value in (0, 1))
    return _pair("N2", relation, schema, [zero] * 4, one, zero)


def new_values(relation: str = "add") -> Pair:
    """N3: a unit with labels, extremes, decimals, dates, lengths and gaps that no other row has."""
    schema = _schema(
        {
            "listed": _labels("x", "y", outside="other"),
            "bought": {"kind": "categorical", "discover": True},
            "number": {"kind": "float", "discover": True, "nullable": True},
            "range": {"kind": "float", "minimum": 0, "maximum": 10, "nullable": True},
            "day": {"kind": "date", "discover": True, "nullable": True},
        },
        2,
    )
    usual = [
        _unit(str(i), 1, listed="x", bought="p", number=1.5, range=2.5, day=pd.Timestamp(2020, 1, 1 + i % 28)) for i in range(40)
    ]
    strange = {"listed": "n" * 500, "bought": "never seen", "number": 123456.789, "range": 1e9, "day": pd.Timestamp(1999, 12, 31)}
    gaps = {"listed": "y", "bought": None, "number": None, "range": None, "day": None}
    one = pd.DataFrame([{"id": CANARY, **row} for row in (strange, gaps)])
    return _pair("N3", relation, schema, usual, one, usual[0].assign(id=CANARY))


def rare_category(relation: str = "add") -> Pair:
    """N4: in every column a label that one unit alone has."""
    schema = _schema({"a": _labels("common", "rare"), "b": _labels("common", "rare"), "c": _labels("common", "rare")})
    usual = _unit("0", ROWS, a="common", b="common", c="common")
    crowd = [usual.assign(id=str(i)) for i in range(20)]
    rare = _unit(CANARY, ROWS, a="rare", b="rare", c="rare")
    return _pair("N4", relation, schema, crowd, rare, usual.assign(id=CANARY))


def heavy_unit(relation: str = "add") -> Pair:
    """N5: a unit with five times as many rows as one may have."""
    schema = _schema({"a": _labels("x", "y"), "b": _labels("x", "y")}, ROWS)
    usual = [_unit(str(i), 1, a="x", b="xy"[i % 2]) for i in range(8)]
    return _pair("N5", relation, schema, usual, _unit(CANARY, 5 * ROWS, a="y", b="y"), _unit(CANARY, 5 * ROWS, a="x", b="x"))


def only_unit(relation: str = "add") -> Pair:
    """N6: rows of nobody, and the only unit there is."""
    schema = _schema({"a": _labels("x", "y"), "b": _labels("x", "y")}, ROWS)
    nobody = _unit(None, 2, a="x", b="x")
    return _pair("N6", relation, schema, [nobody], _unit(CANARY, ROWS, a="y", b="y"), _unit(CANARY, ROWS, a="x", b="x"))


def combination(relation: str = "add") -> Pair:
    """N8: a unit whose values are all frequent and whose combination nobody else has: a filter against copies would give it away.

    Only the attack on synthetic rows can see that, and it needs a small epsilon to prove anything.
    """
    schema = _schema({name: _labels("x", "y") for name in "abc"}, 2)
    rest = [_unit(f"{i:03d}", 1, **{n: "xy"[n == name] for n in "abc"}) for i, name in enumerate("abc" * 100)]
    pair = _pair("N8", relation, schema, rest, _unit(CANARY, 1, a="y", b="y", c="y"), _unit(CANARY, 1, a="x", b="x", c="y"))
    return replace(pair, epsilon=1.0)


def usual_table(relation: str = "add") -> Pair:
    """N7: a thousand units as they might be, and the one farthest from all others; shows how much weaker usual cases are."""
    rng = np.random.default_rng(7)
    age = rng.integers(0, 5, 1000)
    ward = np.where(age < 2, "A", rng.choice(["B", "C"], 1000))
    schema = _schema(
        {"age": {"kind": "integer", "minimum": 0, "maximum": 4}, "ward": _labels("A", "B", "C"), "sick": {"kind": "boolean"}}, 2
    )
    table = pd.DataFrame({"id": [f"{i:04d}" for i in range(1000)], "age": age, "ward": ward, "sick": rng.random(1000) < age / 10})
    return _pair(
        "N7",
        relation,
        schema,
        [table],
        _unit(CANARY, 1, age=0, ward="C", sick=True),
        _unit(CANARY, 1, age=4, ward="B", sick=False),
    )


def _pair(name: str, relation: str, schema: Schema, rest: list[pd.DataFrame], one: pd.DataFrame, other: pd.DataFrame) -> Pair:
    """World 1 has `one`; world 0 has nothing in its place, or `other`."""
    without = [*rest, other] if relation == "replace" else rest
    return Pair(f"{name}, {relation}", relation, schema, *(pd.concat(p, ignore_index=True) for p in (without, [*rest, one])))
