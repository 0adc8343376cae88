"""Tables for the validation tests, already conformed.

`people` draws rows of a small population whose columns cover every kind. A statistical test fixes its seeds and says how many
standard errors it allows; a new check belongs in the file named after its module.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabsynth.schema import Column, Schema, Unit

SHARED = Path(__file__).resolve().parents[3] / "shared"
COLUMNS = (
    Column("age", "integer", minimum=0, maximum=120),
    Column("income", "float", minimum=-1000.0, maximum=100_000.0, decimals=2),
    Column("weight", "float", minimum=0.0, maximum=300.0, nullable=False),
    Column("job", "categorical", labels=("clerk", "nurse", "pilot", "poet")),
    Column("grade", "categorical", labels=(1, 2, 3)),
    Column("smoker", "boolean"),
    Column("born", "date", minimum=dt.date(1920, 1, 1), maximum=dt.date(2020, 12, 31)),
    Column("seen", "datetime", minimum=dt.datetime(2020, 1, 1), maximum=dt.datetime(2021, 1, 1)),
)
TYPES = {"integer": "Int64", "float": "float64", "boolean": "boolean", "date": "datetime64[s]", "datetime": "datetime64[s]"}


def as_types(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    columns = {c.name: table[c.name].astype(TYPES.get(c.kind, object)) for c in schema.columns}
    objects = {name: values.where(values.notna(), None) for name, values in columns.items() if values.dtype == object}
    return pd.DataFrame({**columns, **objects})[list(schema.names)]


def draw(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    table = pd.DataFrame({
        "age": age,
        "income": np.round(rng.gamma(2, 10_000, rows).clip(0, 99_000), 2),
        "weight": rng.normal(75, 12, rows).clip(1, 299),
        "job": rng.choice(["clerk", "nurse", "pilot", "poet"], rows, p=[0.5, 0.3, 0.195, 0.005]),
        "grade": rng.integers(1, 4, rows).astype(object),
        "smoker": rng.random(rows) < 0.2 + 0.004 * (age - 18),
        "born": np.datetime64("2010-01-01") - (age * 365 + rng.integers(0, 365, rows)).astype("timedelta64[D]"),
        "seen": np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 31_000_000, rows).astype("timedelta64[s]"),
    }).astype(object)  # fmt: skip
    for name in ("age", "income", "job", "smoker", "seen"):
        table.loc[rng.random(rows) < 0.05, name] = None
    return table


@pytest.fixture(scope="session")
def schema() -> Schema:
    return Schema("people", COLUMNS, target="smoker")


@pytest.fixture(scope="session")
def people(schema):
    """people(rows, seed): independent rows of one population."""
    return lambda rows, seed: as_types(draw(rows, seed), schema)


@pytest.fixture(scope="session")
def unit_schema() -> Schema:
    return Schema("visits", (Column("patient", "identifier"), *COLUMNS), unit=Unit("patient", 4), target="smoker")


@pytest.fixture(scope="session")
def visits(unit_schema):
    """visits(units, seed): 1 to 4 rows a patient, alike within a patient; patients of different seeds are different people."""

    def make(units: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng([seed, 1])
        rows = np.repeat(np.arange(units), rng.integers(1, 5, units))
        table = draw(units, seed).iloc[rows].reset_index(drop=True)
        fresh = draw(len(rows), seed + 1_000_000)
        table[["income", "job", "seen"]] = fresh[["income", "job", "seen"]]
        return as_types(table.assign(patient=[f"{seed}-{i}" for i in rows]), unit_schema)

    return make


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of benchmark tables next to the checkout; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the benchmark tables are not here")
    return SHARED


@pytest.fixture(scope="session")
def adult(shared):
    """(schema, rows): 12,000 rows of Adult."""
    table = (
        pd.read_parquet(shared / "data" / "adult" / "adult.parquet").drop(columns="source_file").sample(12_000, random_state=0)
    )
    numeric = [name for name in table if pd.api.types.is_numeric_dtype(table[name])]
    schema = Schema(
        "adult",
        tuple(
            Column(name, "integer", minimum=int(table[name].min()), maximum=int(table[name].max()), nullable=False)
            if name in numeric
            else Column(name, "categorical", labels=tuple(sorted(table[name].dropna().unique())))
            for name in table
        ),
        target="income",
    )
    return schema, as_types(table.reset_index(drop=True), schema)
