"""The schema as a Great Expectations suite: met by conformed tables, each broken promise found, quiet and offline."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence, expectations

REPOSITORY = Path(__file__).resolve().parents[2]


def _check(schema, table):
    return expectations.expectations(Evidence(schema, table, table, table))[0]


def _broken(finding):
    return {
        (e["expectation"].removeprefix("expect_column_values_to_"), e["column"])
        for e in finding.details["expectations"]
        if not e["met"]
    }


def test_a_conformed_table_meets_the_suite(schema, people, unit_schema, visits):
    for finding in (_check(schema, people(300, 0)), _check(unit_schema, visits(100, 0))):
        assert (finding.value, finding.verdict, _broken(finding)) == (1.0, "pass", set())


@pytest.mark.parametrize(
    ("column", "value", "broken"),
    [
        ("age", 121, "be_between"),
        ("income", 12.345, "match_regex"),
        ("weight", None, "not_be_null"),
        ("job", "astronaut", "be_in_set"),
        ("grade", 4, "be_in_set"),
        ("born", pd.Timestamp("2021-01-01"), "be_between"),
        ("seen", pd.Timestamp("2021-01-01 00:00:01"), "be_between"),
    ],
)
def test_one_wrong_value_is_found(schema, people, column, value, broken):
    table = people(200, 0)
    table.loc[7, column] = value
    finding = _check(schema, table)
    assert _broken(finding) == {(broken, column)}
    assert finding.verdict == "fail"
    assert finding.value < 1
    found = next(e for e in finding.details["expectations"] if not e["met"])
    assert 0 < found["unexpected_share"] < 0.01


@pytest.mark.parametrize(
    ("column", "dtype"), [("age", "float64"), ("weight", "object"), ("smoker", "string"), ("born", "object"), ("grade", "str")]
)
def test_a_wrong_type_is_found(schema, people, column, dtype):
    table = people(100, 0)
    table = table[table[column].notna()].reset_index(drop=True)
    if dtype == "str":
        table[column] = table[column].map(lambda v: str(v)).astype(object)
    else:
        table[column] = table[column].astype(dtype)
    assert ("be_in_type_list", column) in _broken(_check(schema, table))


def test_a_wrong_order_of_columns_is_found(schema, people):
    table = people(50, 0)
    assert ("expect_table_columns_to_match_ordered_list", None) in _broken(_check(schema, table[list(schema.names)[::-1]]))


@pytest.mark.parametrize(
    ("digits", "good", "bad"),
    [(0, [3.0, -7.0, 1e15], [0.5]), (2, [0.25, -1.1, 0.0, 100.0], [0.125]), (6, [1.5e-05, 1e-06, 123.456789], [1.55e-06, 1e-07])],
)
def test_decimals(digits, good, bad):
    schema = Schema("t", (Column("x", "float", minimum=-1e15, maximum=1e15, decimals=digits),))
    assert _broken(_check(schema, pd.DataFrame({"x": good}))) == set()
    for value in bad:
        assert _broken(_check(schema, pd.DataFrame({"x": [value]}))) == {("match_regex", "x")}


def test_discovered_columns_are_checked_for_type_only():
    schema = Schema("t", (Column("x", "integer", discover=True), Column("c", "categorical", discover=True, nullable=False)))
    types = [(e.expectation_type, e.column) for e in expectations.suite(schema).expectations[1:]]
    in_list = "expect_column_values_to_be_in_type_list"
    assert types == [(in_list, "x"), (in_list, "c"), ("expect_column_values_to_not_be_null", "c")]


def test_an_empty_table_proves_nothing(schema, people):
    finding = _check(schema, people(0, 0))
    assert (finding.value, finding.verdict) == (None, None)
    assert finding.note


def test_nothing_is_printed_written_or_sent(tmp_path):
    """In a fresh process that stops at any connection and at any file opened for writing outside its interpreter's caches."""
    script = """
import sys
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"network: {args}")
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+") and "__pycache__" not in str(args[0]) and str(args[0]) != "/dev/null":
        raise SystemExit(f"file: {args}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import pandas as pd
from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence, expectations
schema = Schema("t", (Column("x", "float", minimum=0.0, maximum=1.0, decimals=2),))
table = pd.DataFrame({"x": [0.25, 2.0] * 5000})
assert expectations.expectations(Evidence(schema, table, table, table))[0].verdict == "fail"
"""
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []
