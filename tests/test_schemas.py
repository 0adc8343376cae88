"""The shipped schemas: they load, their JSON Schema agrees with the code, and the tables they describe fit them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from tabsynth import demo_data
from tabsynth.errors import DataError, SchemaError
from tabsynth.schema import Column, Schema

ROOT = Path(__file__).parents[1]
TABLES = ROOT.parent / "shared" / "data"
SHIPPED = sorted((ROOT / "schemas").glob("*.yaml"))
EDITOR = Draft202012Validator(json.loads((ROOT / "schemas" / "schema.schema.json").read_text(encoding="utf-8")))


def accepted(data: dict) -> bool:
    """Whether the code accepts a schema."""
    try:
        Schema.from_dict(data)
    except SchemaError:
        return False
    return True


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_schema_loads_and_says_where_its_facts_come_from(path):
    schema = Schema.load(path)
    assert schema.name == path.stem
    assert schema.description
    assert schema.target
    assert Schema.from_dict(schema.to_dict()) == schema
    EDITOR.validate(schema.to_dict())
    text = path.read_text(encoding="utf-8")
    EDITOR.validate(yaml.safe_load(text))
    comment = text[: text.index("name:")]
    assert all(part in comment for part in ("# Source", "# Licence", "# Where each public fact comes from"))


def test_json_schema_is_well_formed():
    Draft202012Validator.check_schema(EDITOR.schema)


def with_column(**column) -> dict:
    return {"columns": {"x": column}}


AGE = {"kind": "integer", "minimum": 0, "maximum": 99}
BROKEN = {
    "not a mapping": [],
    "no columns": {"name": "t"},
    "empty columns": {"columns": {}},
    "unknown entry": {"columns": {"x": AGE}, "primary_key": "x"},
    "name is a number": {"name": 5, "columns": {"x": AGE}},
    "nameless column": {"columns": {"": AGE}},
    "only identifiers": with_column(kind="identifier"),
    "no kind": with_column(minimum=0, maximum=9),
    "unknown kind": with_column(kind="string"),
    "unknown field": with_column(**AGE, bins=5),
    "range or discover": with_column(kind="integer"),
    "range and discover": with_column(**AGE, discover=True),
    "half a range": with_column(kind="float", minimum=0),
    "text as a bound": with_column(kind="integer", minimum="0", maximum="9"),
    "fraction in integers": with_column(kind="integer", minimum=0.5, maximum=9),
    "beyond 2**52": with_column(kind="float", minimum=0, maximum=1e16),
    "labels or discover": with_column(kind="categorical"),
    "labels and discover": with_column(kind="categorical", labels=["a"], discover=True),
    "empty labels": with_column(kind="categorical", labels=[]),
    "a label twice": with_column(kind="categorical", labels=["a", "a"]),
    "unquoted Yes and No": with_column(kind="categorical", labels=[True, False]),
    "mixed labels": with_column(kind="categorical", labels=["a", 1]),
    "OTHER twice": with_column(kind="categorical", labels=["a", "OTHER"], outside="other"),
    "labels of numbers": with_column(**AGE, labels=[1]),
    "clamped labels": with_column(kind="categorical", labels=["a"], outside="clamp"),
    "discovered boolean": with_column(kind="boolean", discover=True),
    "decimals of integers": with_column(**AGE, decimals=0),
    "13 decimals": with_column(kind="float", discover=True, decimals=13),
    "step of 0": with_column(**AGE, step=0),
    "fraction as a step of integers": with_column(**AGE, step=0.5),
    "step of dates": with_column(kind="date", discover=True, step=1),
    "special values in a list": with_column(**AGE, special=[-1]),
    "special texts": with_column(kind="categorical", labels=["a"], special={"-1": "unknown"}),
    "not a date": with_column(kind="date", minimum="yesterday", maximum="2020-01-01"),
    "unknown resolution": with_column(kind="datetime", discover=True, resolution="week"),
    "resolution of dates": with_column(kind="date", discover=True, resolution="day"),
    "time of dates": with_column(kind="date", discover=True, parts=["date", "time"]),
    "a part twice": with_column(kind="datetime", discover=True, parts=["date", "date"]),
    "no parts": with_column(kind="datetime", discover=True, parts=[]),
    "parts of numbers": with_column(**AGE, parts=["date"]),
    "quoted truth": with_column(**AGE, nullable="yes"),
    "max_rows without a key": {"unit": {"max_rows": 2}, "columns": {"x": AGE}},
    "max_rows of 0": {"unit": {"key": "id", "max_rows": 0}, "columns": {"x": AGE, "id": {"kind": "identifier"}}},
    "one protected column, not in a list": {"protected": "x", "columns": {"x": AGE}},
    "protected is a mapping": {"protected": {"x": True}, "columns": {"x": AGE}},
    "protected is false": {"protected": False, "columns": {"x": AGE}},
    "a number among the protected": {"protected": [1], "columns": {"x": AGE}},
    "a nameless protected column": {"protected": [""], "columns": {"x": AGE}},
    "protected twice": {"protected": ["x", "x"], "columns": {"x": AGE}},
    "trimmed numbers": with_column(**AGE, trim=True),
    "trimmed labels of numbers": with_column(kind="categorical", labels=[1, 2], trim=True),
    "a truth in quotes": with_column(kind="categorical", labels=["a"], ignore_case="yes"),
    "a format of numbers": with_column(**AGE, format="%d"),
    "a format that is no date": with_column(kind="date", discover=True, format="dd/mm"),
    "an identifier that could be a formula": {"columns": {"x": AGE, "id": {"kind": "identifier", "format": "=%d"}}},
    "unknown reading": {"reading": {"quote": "'"}, "columns": {"x": AGE}},
    "reading is text": {"reading": "cp1252", "columns": {"x": AGE}},
    "a long delimiter": {"reading": {"delimiter": ";;"}, "columns": {"x": AGE}},
    "an unknown decimal": {"reading": {"decimal": "'"}, "columns": {"x": AGE}},
    "dates without a year": {"reading": {"date_format": "%m/%H"}, "columns": {"x": AGE}},
    "unknown unit entry": {"unit": {"column": "id"}, "columns": {"x": AGE, "id": {"kind": "identifier"}}},
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_both_reject(data):
    assert not accepted(data)
    assert not EDITOR.is_valid(data)


@pytest.mark.parametrize(
    ("protected", "says"),
    [
        (["sex"], "protected names 'sex'; name some of the columns age, male."),
        (["id"], "protected names 'id'; name some of the columns age, male."),
        (["age", "male", "age"], "protected names a column twice: age, male, age; name each once."),
        ("age", "protected is 'age'; give a list of column names, such as [sex, race]."),
    ],
)
def test_protected_columns_are_modelled_ones_each_once(protected, says):
    columns = {"id": {"kind": "identifier"}, "age": AGE, "male": {"kind": "boolean"}}
    with pytest.raises(SchemaError) as error:
        Schema.from_dict({"name": "t", "protected": protected, "columns": columns})
    assert str(error.value) == says


def test_protected_columns_are_written_only_where_given():
    columns = {"age": AGE, "male": {"kind": "boolean"}}
    without, empty, null = (
        Schema.from_dict({"name": "t", **more, "columns": columns}) for more in ({}, {"protected": []}, {"protected": None})
    )
    assert without == empty == null
    assert "protected" not in without.to_dict()
    assert without.fingerprint == "480bbcf6589a9d69039fed505b3a8743b012daf7e0043e9a1aa0ee1b70783e51"
    given = Schema.from_dict({"name": "t", "protected": ["male", "age"], "columns": columns})
    assert given.protected == ("male", "age")
    assert Schema.from_dict(given.to_dict()) == given
    assert given.fingerprint != without.fingerprint


LEFT_OUT = object()
RIGHT = [
    {"kind": "integer", "minimum": 0, "maximum": 9},
    {"kind": "integer", "discover": True, "outside": "missing"},
    {"kind": "float", "minimum": 0, "maximum": 9.5, "decimals": 2},
    {"kind": "float", "discover": True},
    {"kind": "categorical", "labels": ["a", "b"]},
    {"kind": "categorical", "labels": [1, 2], "outside": "other"},
    {"kind": "categorical", "discover": True, "nullable": False},
    {"kind": "boolean"},
    {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
    {"kind": "datetime", "minimum": "2020-01-01", "maximum": "2020-12-31T10:00", "outside": "missing"},
    {"kind": "identifier", "nullable": False},
    {"kind": "identifier", "format": "C%06d", "trim": True},
    {"kind": "categorical", "labels": ["a", "b"], "trim": True, "ignore_case": True},
    {"kind": "date", "discover": True, "format": "%d/%m/%Y"},
]
CHANGES = {
    "kind": [LEFT_OUT, "integer", "float", "categorical", "boolean", "date", "datetime", "identifier"],
    "labels": [LEFT_OUT, ["a", "b"], [1, 2], [1, "a"], [True], ["a", "OTHER"], [], None],
    "minimum": [LEFT_OUT, 0, 0.5, "2020-01-01", None],
    "maximum": [LEFT_OUT, 9, 9.5, "2020-12-31T10:00", None],
    "decimals": [LEFT_OUT, 2, 13, None],
    "nullable": [LEFT_OUT, False, True, "no"],
    "discover": [LEFT_OUT, False, True, None],
    "format": [LEFT_OUT, "%d/%m/%y", "%d", "C%04d", "", "dmy", None, 5],
    "trim": [LEFT_OUT, True, False, None],
    "ignore_case": [LEFT_OUT, True, False],
    "outside": [LEFT_OUT, "clamp", "missing", "other", "drop", None],
}


def test_json_schema_and_code_agree_on_randomly_changed_columns():
    rng = random.Random(0)
    verdicts = {True: 0, False: 0}
    for _ in range(6000):
        column = dict(rng.choice(RIGHT))
        for field in rng.sample(list(CHANGES), k=rng.randint(0, 3)):
            column[field] = rng.choice(CHANGES[field])
        column = {field: value for field, value in column.items() if value is not LEFT_OUT}
        data = {"columns": {"x": column, "y": AGE}}
        verdict = accepted(data)
        assert EDITOR.is_valid(data) is verdict, column
        verdicts[verdict] += 1
    assert min(verdicts.values()) > 1000, verdicts


def parquet(*parts: str) -> pd.DataFrame:
    path = TABLES.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"needs the table {'/'.join(parts)}")
    return pd.read_parquet(path)


def adult() -> pd.DataFrame:
    table = parquet("adult", "adult.parquet").drop(columns="source_file").rename(columns=lambda name: name.replace("-", "_"))
    texts = table.select_dtypes("object").columns
    return table.fillna(dict.fromkeys(texts, "?"))


def packaged(load) -> pd.DataFrame:
    try:
        return load()
    except DataError as missing:
        pytest.skip(str(missing))


READ = {
    "adult": adult,
    "berka": lambda: parquet("berka", "trans_sample.parquet"),
    "completejourney": lambda: packaged(demo_data.transactions),
    "creditcard": lambda: parquet("creditcard_ulb_trunc", "creditcard.parquet"),
    "diabetes130": lambda: parquet("diabetes130", "diabetic_data.parquet"),
    "credit_default": lambda: parquet("credit_default", "credit_default.parquet"),
    "heart_uci": lambda: parquet("heart_uci", "heart_4sites.parquet"),
    "support2": lambda: parquet("support2", "support2.parquet"),
    "nist_acs": lambda: parquet("nist_acs", "national2019.parquet"),
    "nist_acs (Massachusetts)": lambda: parquet("nist_acs", "ma2019.parquet"),
    "randhie": lambda: packaged(demo_data.patients),
}


def test_every_schema_has_a_table():
    assert {name.split()[0] for name in READ} == {path.stem for path in SHIPPED}


def share_outside(values: pd.Series, column: Column) -> float:
    """Share of the rows whose value is there but outside the public range or list, or of another type."""
    known = values.dropna()
    if column.labels:
        fits = known.isin(column.labels)
    elif column.kind == "date":
        fits = pd.to_datetime(known, errors="coerce").between(pd.Timestamp(column.minimum), pd.Timestamp(column.maximum))
    else:
        fits = pd.to_numeric(known, errors="coerce").between(column.minimum, column.maximum)
    return float((~fits).sum()) / len(values)


@pytest.fixture(scope="module", params=READ)
def described(request) -> tuple[Schema, pd.DataFrame]:
    table = READ[request.param]()
    return Schema.load(ROOT / "schemas" / f"{request.param.split()[0]}.yaml"), table


def test_columns_are_the_tables(described):
    schema, table = described
    assert list(schema.names) == list(table.columns)


def test_few_values_lie_outside_the_public_facts(described):
    schema, table = described
    public = [c for c in schema.modelled if not c.discover]
    shares = {c.name: share_outside(table[c.name], c) for c in public}
    assert {name: share for name, share in shares.items() if share >= 0.01} == {}


def test_missing_values_are_where_the_schema_allows_them(described):
    schema, table = described
    assert [c.name for c in schema.columns if not c.nullable and table[c.name].isna().any()] == []


def test_decimals_are_those_of_the_table(described):
    schema, table = described
    for c in schema.columns:
        if c.decimals is not None:
            known = table[c.name].dropna()
            assert ((known - known.round(c.decimals)).abs() < 1e-9).all(), c.name


def test_units_have_more_rows_than_max_rows_only_where_there_is_a_key(described):
    schema, table = described
    if schema.unit.key is not None:
        rows = table[schema.unit.key].value_counts()
        assert rows.max() > schema.unit.max_rows, "max_rows bounds nothing"
        assert schema.unit.max_rows > 1


def test_demo_transactions_are_in_store_time_and_carry_one_answer_a_household():
    table = packaged(demo_data.transactions)
    assert table.shape == (1_469_307, 13)
    assert table["hour"].between(1, 5).mean() < 0.01, "stores sell little at night"
    households = table.drop_duplicates("household_id")
    assert len(households) == 2469
    assert households["age"].notna().sum() == 801
    facts = table[["household_id", "income", "age", "household_size", "home_ownership"]]
    assert len(facts.drop_duplicates()) == 2469


def test_demo_patients_are_complete():
    table = packaged(demo_data.patients)
    assert table.shape == (20_190, 10)
    assert table.notna().all(axis=None)
    assert (table[["hlthg", "hlthf", "hlthp"]].sum(axis=1) <= 1).all()
