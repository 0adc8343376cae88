"""Drafts: what a file's types and names say, what is proposed from its rows, what a codebook states."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tabsynth import Csv, Schema
from tabsynth.draft import CONFIRM, draft
from tabsynth.errors import SchemaError
from tabsynth.misfits import misfits
from tabsynth.public_facts import COUNTRIES, CURRENCIES, names_somebody, numbers_rows, suggested


def columns(text: str) -> dict:
    """The columns of a draft, which has to be a schema."""
    plain = yaml.safe_load(text)
    Schema.from_dict(plain)
    return plain["columns"]


def above(text: str, name: str) -> str:
    """The comments above a column."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"  {name}:"))
    told = []
    while lines[at - 1].startswith("  #"):
        at -= 1
        told.insert(0, lines[at])
    return "\n".join(told)


def test_storage_types_are_taken_for_what_they_state(tmp_path):
    table = {
        "price": pa.array([decimal.Decimal("12.34")], pa.decimal128(10, 2)),
        "units": pa.array([decimal.Decimal("12")], pa.decimal128(10, 0)),
        "age": pa.array([30.0]),
        "CustomerID": pa.array([1]),
        "__index_level_0__": pa.array([0]),
    }
    pq.write_table(pa.table(table), tmp_path / "d.parquet")
    text = draft(tmp_path / "d.parquet")
    assert columns(text) == {
        "price": {"kind": "float", "decimals": 2, "discover": True},
        "units": {"kind": "integer", "discover": True},
        "age": {"kind": "float", "discover": True},
        "CustomerID": {"kind": "identifier", "format": "%d"},
        "__index_level_0__": {"kind": "identifier", "format": "%d"},
    }
    assert "leave it out of the data" in above(text, "__index_level_0__")
    assert "# age: {kind: integer, minimum: 0, maximum: 120}" in above(text, "age")


def test_a_frame_and_its_parquet_file_draft_alike(tmp_path):
    frame = pd.DataFrame(
        {
            "flag": [True, None, False],
            "day": [dt.date(2020, 1, 1), None, dt.date(9999, 12, 31)],
            "price": [decimal.Decimal("12.34"), None, decimal.Decimal("0.50")],
            "word": ["x", None, "y"],
            "whole": pd.array([1, None, 2], dtype="Int64"),
            "group": pd.Categorical(["a", "b", None]),
            "at": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
        }
    )
    frame.to_parquet(tmp_path / "d.parquet", index=False)
    drafted = columns(draft(frame))
    assert drafted == columns(draft(tmp_path / "d.parquet"))
    assert {name: column["kind"] for name, column in drafted.items()} == {
        "flag": "boolean", "day": "date", "price": "float", "word": "categorical", "whole": "integer", "group": "categorical", "at": "datetime",
    }  # fmt: skip
    assert not any(found.unreadable for found in misfits(frame, Schema.from_dict({"name": "t", "columns": drafted})).values())


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A file as a European shop's program writes it."""
    rng, n = np.random.default_rng(0), 60
    frame = pd.DataFrame(
        {
            "CustomerID": np.arange(1000, 1000 + n),
            "bought": [f"{d:02}/{m:02}/2011" for d, m in zip(rng.integers(1, 29, n), rng.integers(1, 13, n), strict=True)],
            "at": [f"{1 + i % 12}/{1 + i % 28}/2011 {i % 24:02}:30" for i in range(n)],
            "amount": [f"{v:.2f}".replace(".", ",") for v in rng.gamma(2, 50, n)],
            "total": ["1.234,50", "12,25", "7"] * (n // 3),
            "pieces": rng.integers(1, 9, n),
            "gap": [f"{i}" if i % 3 else "NA" for i in range(n)],
            "smokes": rng.choice(["Never", "Daily ", "daily"], n),
            "member": rng.choice(["true", "false"], n),
            "twice": ["01/02/2011"] * n,
            "note": [f"text {i}" for i in range(n)],
            "zip": ["01234"] * n,
            "ISO": ["2011-02-03"] * n,
            "empty": [None] * n,
        }
    )
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    frame.to_csv(path, index=False, sep=";", encoding="cp1252")
    return path


@pytest.fixture(scope="module")
def proposed(shop) -> str:
    return draft(shop, propose=True)


def test_types_and_formats_are_proposed_and_marked(proposed):
    text = proposed
    assert yaml.safe_load(text)["reading"] == {"delimiter": ";", "decimal": ",", "thousands": "."}
    discover = {"discover": True}
    assert columns(text) == {
        "CustomerID": {"kind": "identifier", "format": "%d"},
        "bought": {"kind": "date", "format": "%d/%m/%Y"} | discover,
        "at": {"kind": "datetime", "format": "%m/%d/%Y %H:%M"} | discover,
        "amount": {"kind": "float", "decimals": 2} | discover,
        "total": {"kind": "float", "decimals": 2} | discover,
        "pieces": {"kind": "integer"} | discover,
        "gap": {"kind": "integer"} | discover,
        "smokes": {"kind": "categorical", "trim": True} | discover,
        "member": {"kind": "boolean"},
        "twice": {"kind": "date"} | discover,
        "note": {"kind": "identifier"},
        "zip": {"kind": "categorical"} | discover,
        "ISO": {"kind": "date"} | discover,
        "empty": {"kind": "categorical"} | discover,
    }
    for name in columns(text):
        assert CONFIRM in above(text, name), name
    assert "day/month/year (format: '%d/%m/%Y') or month/day/year (format: '%m/%d/%Y')" in above(text, "twice")
    assert "ignore_case: true" in above(text, "smokes")
    assert f"# {CONFIRM}: decimal, thousands" in text


def test_no_range_list_or_share_is_proposed(proposed):
    text = proposed
    drafted = columns(text)
    assert not any({"minimum", "maximum", "labels"} & column.keys() for column in drafted.values())
    assert not any(value in text for value in ("Never", "Daily", "01234", "text 1", "1000"))


def test_what_is_proposed_reads_the_file(shop, proposed):
    schema = Schema.from_dict(yaml.safe_load(proposed))
    off = {name: found for name, found in misfits(shop, schema).items() if found.total}
    assert list(off) == ["twice"], "which is ambiguous, and not read before somebody says how"
    assert off["twice"].unreadable == 60


def test_a_draft_of_a_file_says_how_the_file_is_written(shop, proposed):
    assert yaml.safe_load(draft(shop))["reading"] == {"delimiter": ";"}
    assert yaml.safe_load(draft(Csv(shop, encoding="cp1252", decimal=",")))["reading"] == {
        "encoding": "cp1252",
        "delimiter": ";",
        "decimal": ",",
    }
    assert set(columns(draft(shop))) == set(columns(proposed))


def test_typed_tables_are_proposed_what_their_values_show(tmp_path):
    frame = pd.DataFrame(
        {"age": [30.0, None, 41.0, 28.0] * 10, "height": [1.5, 1.25, 2.0, None] * 10, "day": pd.to_datetime(["2020-01-01"] * 40)}
    )
    frame.to_parquet(tmp_path / "d.parquet", index=False)
    drafted = columns(draft(tmp_path / "d.parquet", propose=True))
    assert drafted["age"] == {"kind": "integer", "discover": True}
    assert drafted["height"] == {"kind": "float", "decimals": 2, "discover": True}
    assert drafted == columns(draft(frame, propose=True))


CODEBOOK = """Variable Name;Data.Type;Range;Values;Decimals;Missing;Question
customer_id;ID;;;;;
bought;date;2010-01-01 to 2012-12-31;;;no;Day of the sale
Amount;decimal(10,2);0-500;;;;
pieces;int;[1, 99];;;;
smokes;factor;;Never=none | Daily=smoker;;;
member;yes/no;;;;;
zip;varchar(5);;;;;
gap;;0 to 59;;;;
gone;int;1-2;;;;
"""


def test_a_codebook_states_what_is_public_also_on_the_command_line(shop, tmp_path, run):
    (tmp_path / "book.csv").write_text(CODEBOOK)
    code, text, err = run("schema", "draft", shop, "--propose", "--from", tmp_path / "book.csv")
    assert (code, err) == (0, "")
    drafted = columns(text)
    assert drafted["CustomerID"] == {"kind": "identifier", "format": "%d"}
    assert drafted["bought"] == {
        "kind": "date", "minimum": "2010-01-01", "maximum": "2012-12-31", "nullable": False, "format": "%d/%m/%Y", "description": "Day of the sale",
    }  # fmt: skip
    assert drafted["amount"] == {"kind": "float", "minimum": 0, "maximum": 500, "decimals": 2}
    assert drafted["pieces"] == {"kind": "integer", "minimum": 1, "maximum": 99}
    assert drafted["smokes"] == {"kind": "categorical", "labels": ["Never", "Daily"], "trim": True}
    assert drafted["member"] == {"kind": "boolean"}
    assert drafted["zip"] == {"kind": "categorical", "discover": True}
    assert drafted["gap"] == {"kind": "integer", "minimum": 0, "maximum": 59}
    assert "The codebook describes gone, which the table does not have" in text
    assert "not in the codebook" in above(text, "note")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("1=male; 2=female", [1, 2]),
        ("1, Male | 2, Female", [1, 2]),
        ("a, b, c", ["a", "b", "c"]),
        ("['a', 'b']", ["a", "b"]),
        ("01: north | 02: south", ["01", "02"]),
    ],
)
def test_lists_of_a_codebook(text, labels):
    frame = pd.DataFrame({"x": ["q"]})
    book = pd.DataFrame({"field": ["x"], "choices": [text]})
    assert columns(draft(frame, codebook=book))["x"] == {"kind": "categorical", "labels": labels}


def test_a_codebook_that_cannot_be_used_ends_in_one_sentence():
    frame = pd.DataFrame({"x": [1]})
    with pytest.raises(SchemaError, match="the codebook has columns a, none of which is called name"):
        draft(frame, codebook=pd.DataFrame({"a": ["x"]}))
    with pytest.raises(SchemaError, match="the codebook: column 'x': minimum 9 is above maximum 1"):
        draft(frame, codebook=pd.DataFrame({"name": ["x"], "min": ["9"], "max": ["1"]}))


def test_names_suggest_what_is_public_everywhere():
    assert suggested("AgeAtVisit") is None
    assert suggested("age")[1] == suggested("patient_age")[1] == {"kind": "integer", "minimum": 0, "maximum": 120}
    assert suggested("age_group") is None
    assert suggested("mortgage") is None
    assert suggested("pct_paid")[1]["maximum"] == 100
    assert suggested("birth_year")[1] == {"kind": "integer", "minimum": 1900, "maximum": 2100}
    assert suggested("Country")[1]["labels"][:2] == ["AD", "AE"]
    assert suggested("currency")[1]["labels"] == CURRENCIES.split()
    assert len(suggested("zip3")[1]["labels"]) == 1000
    assert len(suggested("icd10_chapter")[1]["labels"]) == 22
    assert (len(set(COUNTRIES.split())), len(set(CURRENCIES.split()))) == (249, 155)
    for name in (
        "CustomerID",
        "patient_id",
        "id",
        "encounter_id",
        "customer no",
        "patient_nbr",
        "e-mail",
        "first_name",
        "caseNumber",
    ):
        assert names_somebody(name), name
    for name in ("paid", "grid", "valid", "product_name", "number", "idle", "numbers"):
        assert not names_somebody(name), name
    assert numbers_rows("Unnamed: 0")
    assert numbers_rows("__index_level_0__")


def test_every_suggestion_is_a_schema():
    for name in (
        "age",
        "percent",
        "prob",
        "year",
        "month",
        "hour",
        "lat",
        "lon",
        "sex",
        "country",
        "currency",
        "zip3",
        "icd10 chapter",
    ):
        what, entry = suggested(name)
        assert what
        Schema.from_dict({"name": "t", "columns": {name: dict(entry)}})


def test_a_semicolon_file_drafts_all_its_columns(tmp_path, run):
    (tmp_path / "d.csv").write_text("age;sex;pay\n1;f;2,5\n")
    assert set(columns(run("schema", "draft", tmp_path / "d.csv")[1])) == {"age", "sex", "pay"}
    (tmp_path / "e.csv").write_bytes(b"a,b\nNu\xf1ez,1\n")
    code, _, err = run("schema", "draft", tmp_path / "e.csv")
    assert (code, "name another --encoding" in err) == (2, True)
