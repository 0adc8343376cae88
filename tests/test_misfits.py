"""What `schema check` tells the operator: which values do not fit, how many, what they look like; on the terminal and nowhere else."""

import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.misfits import Misfits, examples, misfits, repeated

COLUMNS = {
    "dayfirst": {"kind": "datetime", "minimum": "2010-01-01", "maximum": "2012-12-31"},
    "either": {"kind": "date", "discover": True},
    "pay": {"kind": "float", "minimum": 0, "maximum": 100},
    "age": {"kind": "integer", "minimum": 0, "maximum": 120, "nullable": False},
    "smokes": {"kind": "categorical", "labels": ["Yes", "No"]},
    "sex": {"kind": "categorical", "labels": ["Female", "Male"], "outside": "other"},
}
SCHEMA = Schema.from_dict({"name": "t", "columns": COLUMNS})


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    n = 100
    return pd.DataFrame(
        {
            "dayfirst": ["15/09/2011", "1/2/2012"] * (n // 2),
            "either": ["01/02/2011"] * n,
            "pay": ["2,5", "7,25", "NA", "1"] * (n // 4),
            "age": [30] * 93 + [-1, 130, 131, 2.5] + [None] * 3,
            "smokes": ["Yes"] * 90 + ["No "] * 6 + ["yes"] * 3 + ["maybe"],
            "sex": ["Female"] * 98 + ["Femal", "x"],
        }
    )


@pytest.fixture(scope="module")
def place(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("misfits")
    rows.to_csv(folder / "t.csv", index=False)
    (folder / "s.yaml").write_text(SCHEMA.dump())
    return folder


def test_faults_are_told_apart(place):
    assert misfits(place / "t.csv", SCHEMA) == {
        "dayfirst": Misfits(100, unreadable=100),
        "either": Misfits(100, unreadable=100),
        "pay": Misfits(100, unreadable=50, words=25),
        "age": Misfits(100, unreadable=1, below=1, above=2, missing=3),
        "smokes": Misfits(100, unlisted=10),
        "sex": Misfits(100, unlisted=2),
    }


def test_what_they_look_like(place):
    told = examples(place / "t.csv", SCHEMA)
    assert "they look like day/month/year (format: '%d/%m/%Y'); add the format to the column" in told["dayfirst"]["unreadable"]
    assert (
        "day/month/year (format: '%d/%m/%Y') or month/day/year (format: '%m/%d/%Y'); find out which"
        in told["either"]["unreadable"]
    )
    assert "numbers with a decimal comma (reading: {'decimal': ','}); say so in the schema" in told["pay"]["unreadable"]
    assert "'2.5' (1); they have digits after the point; make the column's kind float" in told["age"]["unreadable"]
    assert told["age"]["above"] == "'130.0' (1), '131.0' (1)"
    assert told["smokes"]["unlisted"] == (
        "'No ' (6), 'yes' (3), 'maybe' (1); 'No ' is 'No' with blanks around it (trim: true), "
        "'yes' is 'Yes' in another case (ignore_case: true)"
    )
    assert "'Femal' is nearest to 'Female'" in told["sex"]["unlisted"]


def test_what_was_proposed_helps(rows):
    """Format, trim and ignore_case as the check said: what is left is `maybe` and what is out of range."""
    mended = {name: dict(column) for name, column in COLUMNS.items()}
    mended["dayfirst"]["format"] = mended["either"]["format"] = "%d/%m/%Y"
    mended["smokes"] |= {"trim": True, "ignore_case": True}
    found = misfits(rows, Schema.from_dict({"name": "t", "columns": mended}))
    assert [found[name].total for name in ("dayfirst", "either", "smokes")] == [0, 0, 1]


def test_the_check_warns_loudly_and_marks_what_is_confidential(place, run):
    code, out, err = run("schema", "check", place / "s.yaml", place / "t.csv")
    lines = err.splitlines()
    assert code == 0
    assert any(
        line.startswith(
            "WARNING, CONFIDENTIAL, for your eyes only: dayfirst: all 100 values cannot be read as datetimes, so they count as missing: "
        )
        and "they look like day/month/year" in line
        for line in lines
    )
    assert any(
        "CONFIDENTIAL, for your eyes only: age: 2 of 100 values (2.0 %) are above the maximum, so they count as 120" in line
        for line in lines
    )
    assert any(
        "age: 3 of 100 values (3.0 %) are missing where the schema does not allow it, so they count as 0" in line
        for line in lines
    )
    assert any("sex: 2 of 100 values (2.0 %) are not in the list, so they count as OTHER" in line for line in lines)
    assert "WARNING: the schema does not fit more than 5 % of the values of dayfirst, either, pay, age, smokes" in err
    assert not any(value in out for value in ("15/09/2011", "maybe", "Femal"))


def test_a_fit_shows_no_value_and_writes_none(place, run):
    code, out, err = run(
        "fit", place / "t.csv", "--schema", place / "s.yaml", "--epsilon", 1, "--model", "independent", "--out", place / "m"
    )
    assert code == 0
    assert "dayfirst: all 100 values cannot be read as datetimes" in err
    assert "`tabsynth schema check` shows examples" in err
    assert "15/09/2011" not in out + err
    written = "".join(path.read_text(errors="replace") for path in (place / "m").iterdir())
    assert "15/09/2011" not in written
    assert "cannot be read" not in written


def test_nothing_is_told_of_a_table_that_fits(tmp_path, run):
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    (tmp_path / "s.yaml").write_text("name: t\ncolumns:\n  a: {kind: integer, minimum: 0, maximum: 9}\n")
    assert run("schema", "check", tmp_path / "s.yaml", tmp_path / "t.csv")[2] == ""


def test_options_of_the_command_line_reach_the_check(tmp_path, run):
    (tmp_path / "t.csv").write_text("day;pay\n15/09/2011;1.234,5\n")
    schema = {
        "day": {"kind": "date", "minimum": "2010-01-01", "maximum": "2012-01-01"},
        "pay": {"kind": "float", "minimum": 0, "maximum": 9999},
    }
    (tmp_path / "s.yaml").write_text(Schema.from_dict({"name": "t", "columns": schema}).dump())
    check = ("schema", "check", tmp_path / "s.yaml", tmp_path / "t.csv")
    assert "all 1 values" in run(*check)[2]
    assert run(*check, "--decimal", ",", "--thousands", ".", "--date-format", "%d/%m/%Y")[2] == ""


def test_an_identifier_that_rows_share_is_told_where_each_row_is_protected_alone(tmp_path, run):
    """Three visits a patient under `unit: row`: each visit is protected, the patient is not."""
    columns = {
        "patient": {"kind": "identifier"},
        "visit": {"kind": "identifier"},
        "age": {"kind": "integer", "minimum": 0, "maximum": 120},
    }
    schema = Schema.from_dict({"name": "t", "columns": columns})
    rows = pd.DataFrame({"patient": [i // 3 for i in range(60)], "visit": range(60), "age": 40})
    rows.loc[59, "patient"] = None
    assert repeated(rows, schema) == {"patient": (20, 59)}
    of_patients = Schema.from_dict({"name": "t", "columns": columns, "unit": {"key": "patient", "max_rows": 3}})
    assert repeated(rows, of_patients) == {}
    rows.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "s.yaml").write_text(schema.dump())
    code, _, told = run("schema", "check", tmp_path / "s.yaml", tmp_path / "t.csv")
    assert code == 0
    assert (
        "WARNING, CONFIDENTIAL, for your eyes only: patient has 20 values in 59 rows, and the guarantee is for each row alone"
        in told
    )
    assert "unit: {key: patient, max_rows: ...}" in told
    assert "visit has" not in told
