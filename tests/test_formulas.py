"""Labels that a spreadsheet would run: escaped in CSV and TSV on demand, told of otherwise; numbers are left as they are."""

import csv

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import Schema
from tabsynth.errors import OptionError
from tabsynth.writing import write_table

LABELS = ['=HYPERLINK("http://x","y")', "@SUM(A1:A9)", "+1", "-1", "\tx", "a;=1+1", "plain"]
RUN = tuple("=+-@\t\r\n")


@pytest.fixture(scope="module")
def schema() -> Schema:
    columns = {
        "id": {"kind": "identifier"},
        "=cmd": {"kind": "categorical", "labels": LABELS, "nullable": False},
        "code": {"kind": "categorical", "labels": [-1, 1], "nullable": False},
        "cost": {"kind": "float", "minimum": -5, "maximum": -1, "decimals": 1},
        "days": {"kind": "integer", "minimum": -9, "maximum": -1},
        "day": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
        "ok": {"kind": "boolean"},
    }
    return Schema.from_dict({"name": "odd", "columns": columns})


@pytest.fixture(scope="module")
def model(schema, tmp_path_factory):
    rng = np.random.default_rng(0)
    n = 700
    table = pd.DataFrame({"id": [f"=p{i}" for i in range(n)], "=cmd": LABELS * 100, "code": rng.choice([-1, 1], n), "cost": rng.uniform(-5, -1, n).round(1),
                          "days": rng.integers(-9, 0, n), "day": "2020-02-03", "ok": rng.random(n) < 0.5})  # fmt: skip
    folder = tmp_path_factory.mktemp("odd") / "model"
    tabsynth.fit(table, schema, epsilon=10, model="independent").save(folder)
    return folder


def cells(path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines, delimiter="\t" if path.suffix == ".tsv" else ",")
    return header, rows


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_no_text_is_a_formula_and_numbers_are_as_they_were(suffix, model, run, tmp_path):
    plain, safe = tmp_path / f"plain{suffix}", tmp_path / f"safe{suffix}"
    line = ["sample", model, "--rows", 300, "--seed", 3, "--out"]
    code, _, err = run(*line, plain)
    assert code == 0
    assert "--escape-formulas" in err
    code, _, err = run(*line, safe, "--escape-formulas")
    assert (code, err) == (0, "")
    (names, before), (escaped, after) = cells(plain), cells(safe)
    assert escaped == ["id", "'=cmd", "code", "cost", "days", "day", "ok"]
    texts = {row[1] for row in after}
    assert not [text for text in texts if text.startswith(RUN)]
    assert {"plain", "'+1", "'-1", "'\tx", "a;'=1+1"} <= texts
    keep = [i for i in range(len(names)) if i != 1]
    assert [[row[i] for i in keep] for row in before] == [[row[i] for i in keep] for row in after]
    assert {row[2] for row in after} == {"-1", "1"}, "labels that are numbers are numbers"
    assert all(row[3].startswith("-") for row in after if row[3])


def test_parquet_has_no_formulas_to_escape(model, run, tmp_path):
    code, _, err = run("sample", model, "--out", tmp_path / "x.parquet", "--escape-formulas")
    assert code == 2
    assert "Parquet" in err
    assert not (tmp_path / "x.parquet").exists()
    assert run("sample", model, "--rows", 5, "--out", tmp_path / "x.parquet")[2] == ""


def test_in_python(schema, tmp_path):
    table = pd.DataFrame({"=cmd": ["=1", None], "cost": [-1.5, np.nan]})
    small = Schema.from_dict(
        {"name": "s", "columns": {"=cmd": {"kind": "categorical", "labels": ["=1"]}, "cost": {"kind": "float", "discover": True}}}
    )
    write_table(table, tmp_path / "x.csv", small, escape_formulas=True)
    assert (tmp_path / "x.csv").read_text() == "'=cmd,cost\n'=1,-1.5\n,\n"
    with pytest.raises(OptionError, match="Parquet"):
        write_table(table, tmp_path / "x.parquet", small, escape_formulas=True)


@pytest.mark.parametrize("name", ["independent", "copula"])
def test_minted_identifiers_are_no_formulas(name, toy_schema, toy_table):
    drawn = tabsynth.fit(toy_table, toy_schema, epsilon=1, model=name).sample(50)
    assert not [text for text in drawn["id"] if not text[0].isalnum()]
