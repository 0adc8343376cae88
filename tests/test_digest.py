"""One table has one hash, whatever holds it; every other table has another."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import toy_rows

import tabsynth
from tabsynth.conform import read
from tabsynth.digest import digest
from tabsynth.writing import write_table


@pytest.fixture(scope="module")
def release(toy_schema):
    return tabsynth.fit(toy_rows(400), toy_schema, epsilon=3, model="independent")


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_frame_and_any_file_of_it_have_one_hash(ending, release, toy_schema, tmp_path):
    table = release.sample(300, seed=1)
    assert table.isna().any().any()
    write_table(table, tmp_path / f"t.{ending}", toy_schema)
    assert digest(read(tmp_path / f"t.{ending}", toy_schema), toy_schema) == digest(table, toy_schema)
    assert digest(read(table, toy_schema), toy_schema) == digest(table, toy_schema)


@pytest.mark.parametrize("column", ["id", "age", "cost", "ward", "level", "sick", "seen", "at", "score", "drug"])
def test_one_value_or_its_absence_changes_it(column, release, toy_schema):
    table = release.sample(300, seed=1)
    before = digest(table, toy_schema)
    values = table[column].dropna()
    row, other = values.index[0], next(value for value in values if value != values.iloc[0])
    for value in (other, None):
        changed = table.copy()
        changed.loc[row, column] = value
        assert digest(changed, toy_schema) != before


def test_order_number_and_names_change_it(release, toy_schema, visits_schema):
    table = release.sample(300, seed=1)
    hashes = [digest(t, toy_schema) for t in (table, table[::-1], table[:-1], pd.concat([table, table[:1]]), table[:0])]
    assert len({*hashes}) == 5
    renamed = tabsynth.Schema.from_dict(
        {
            "name": "n",
            "columns": {"a": {"kind": "categorical", "labels": ["x", "xy"]}, "b": {"kind": "categorical", "labels": ["yx", "x"]}},
        }
    )
    one, two = pd.DataFrame({"a": ["x", "xy"], "b": ["yx", "x"]}), pd.DataFrame({"a": ["xy", "x"], "b": ["x", "yx"]})
    assert digest(one, renamed) != digest(two, renamed)


def test_it_stays_the_same_between_versions(toy_schema):
    """Cards of earlier releases list it: if this changes, give the card's entry another name."""
    table = read(toy_rows(50), toy_schema)
    table.loc[3, ["age", "cost", "ward", "sick", "seen"]] = None
    assert digest(table, toy_schema) == "d70a54fcac2628ceeca57d3cd4f28d8a612cd51bb3f1c95004fa5837de285eb7"
