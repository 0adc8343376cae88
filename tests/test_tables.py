"""Reading and writing tables, and bringing any table to the schema's types."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import toy_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth import Schema
from tabsynth.conform import read
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.draft import draft
from tabsynth.errors import DataError, InputError, SchemaError
from tabsynth.misfits import Misfits, misfits
from tabsynth.tables import Workspace
from tabsynth.writing import write_table

ODD = {
    "id": {"kind": "identifier"},
    "whole": {"kind": "integer", "minimum": 0, "maximum": 10},
    "part": {"kind": "float", "minimum": 0, "maximum": 1.5, "outside": "missing"},
    "word": {"kind": "categorical", "labels": ["x", "y"]},
    "spare": {"kind": "categorical", "labels": ["x", "y"], "outside": "other"},
    "grade": {"kind": "categorical", "labels": [1, 2]},
    "flag": {"kind": "boolean"},
    "day": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
    "at": {"kind": "datetime", "minimum": "2020-01-01", "maximum": "2020-12-31"},
    "free": {"kind": "categorical", "discover": True},
    "never": {"kind": "integer", "minimum": 3, "maximum": 5, "nullable": False},
}


@pytest.fixture(scope="module")
def odd_schema() -> Schema:
    return Schema.from_dict({"name": "odd", "columns": ODD})


@pytest.fixture(scope="module")
def odd_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["1", "2", "3", "4", None],
            "whole": [1, 11, -5, 2.5, np.inf],
            "part": [0.5, 2, np.nan, -1, 1],
            "word": ["x", "q", None, "y", 3],
            "spare": ["x", "q", None, "y", 3],
            "grade": ["1", "2", "3", "1.0", None],
            "flag": [True, "no", None, "maybe", 0],
            "day": ["2020-05-05", "1999-01-01", "bad", None, "2020-02-02 10:00:00"],
            "at": pd.to_datetime(["2020-05-05 10:11:12.5", "1999-01-01", None, None, "2020-02-02 10:00:00"], format="mixed"),
            "free": ["1", "2", "2.5", None, "7"],
            "never": [None, 4, 9, 3, 1],
        }
    )


@pytest.mark.parametrize("source", ["frame", "csv", "tsv", "parquet"])
def test_what_does_not_fit_is_clamped_or_missing_as_the_schema_says(source, odd_schema, odd_frame, tmp_path):
    data = odd_frame
    if source in ("csv", "tsv"):
        data = tmp_path / f"odd.{source}"
        odd_frame.to_csv(data, index=False, sep="\t" if source == "tsv" else ",")
    elif source == "parquet":
        data = tmp_path / "odd.parquet"
        mixed = ["word", "spare", "flag"]
        odd_frame.assign(**{c: odd_frame[c].map(lambda v: None if v is None else str(v)) for c in mixed}).to_parquet(
            data, index=False
        )
    got = read(data, odd_schema)
    expected = {
        "id": ["1", "2", "3", "4", None],
        "whole": [1, 10, 0, None, 10],
        "part": [0.5, None, None, None, 1.0],
        "word": ["x", None, None, "y", None],
        "spare": ["x", "OTHER", None, "y", "OTHER"],
        "grade": [1, 2, None, 1, None],
        "flag": [True, False, None, None, False],
        "day": ["2020-05-05", "2020-01-01", None, None, "2020-02-02"],
        "at": ["2020-05-05 10:11:12", "2020-01-01", None, None, "2020-02-02 10:00:00"],
        "free": ["1", "2", "2.5", None, "7"],
        "never": [3, 4, 5, 3, 3],
    }
    for name, values in expected.items():
        want = [pd.Timestamp(v) if v and name in ("day", "at") else v for v in values]
        seen = [None if pd.isna(v) else v for v in got[name]]
        assert seen == want, name


def test_misfits_are_told_apart_and_each_is_counted_once(odd_schema, odd_frame):
    found = {name: each for name, each in misfits(odd_frame, odd_schema).items() if each.total}
    assert found == {
        "whole": Misfits(5, unreadable=1, below=1, above=2),
        "part": Misfits(5, below=1, above=1),
        "word": Misfits(5, unlisted=2),
        "spare": Misfits(5, unlisted=2),
        "grade": Misfits(5, unlisted=1),
        "flag": Misfits(5, unreadable=1),
        "day": Misfits(5, unreadable=1, below=1),
        "at": Misfits(5, below=1),
        "never": Misfits(5, below=1, above=1, missing=1),
    }
    assert [each.loud for each in (Misfits(100, unreadable=5), Misfits(100, below=5, above=1))] == [False, True]


def test_rows_without_an_identifier_are_counted(visits_schema):
    frame = pd.DataFrame({"person": ["p", None, None], "ward": "A", "days": [1, 2, 99]})
    assert misfits(frame, visits_schema) == {"ward": Misfits(3), "days": Misfits(3, above=1), "person": Misfits(3, missing=2)}


def test_one_odd_value_does_not_change_how_the_others_read(odd_schema, odd_frame):
    plain = odd_frame.assign(free=[1.0, 2.0, 3.0, None, 7.0])
    mixed = odd_frame.assign(free=pd.Series([1.0, 2.0, "x", None, 7.0], dtype=object))
    read_plain, read_mixed = read(plain, odd_schema).free, read(mixed, odd_schema).free
    assert [read_plain[i] for i in (0, 1, 4)] == [read_mixed[i] for i in (0, 1, 4)] == ["1", "2", "7"]


@pytest.mark.parametrize("decimals", [1, 2])
def test_short_float_ranges_keep_every_value(decimals):
    """0.3 is not 3 x 0.1 in floating point; it must not fall into the cell of 0.2."""
    import tabsynth

    column = {"kind": "float", "minimum": 0, "maximum": 30 * 10**-decimals, "decimals": decimals, "nullable": False}
    schema = Schema.from_dict({"name": "grid", "columns": {"x": column}})
    values = np.round(np.arange(31) * 10.0**-decimals, decimals)
    sample = tabsynth.fit(pd.DataFrame({"x": np.repeat(values, 1000)}), schema, epsilon=50).sample(31_000)
    counts = sample.x.value_counts()
    assert set(counts.index) == set(values)
    assert counts.between(950, 1050).all()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".csv.zst", ".parquet"])
def test_written_and_read_again_a_table_is_the_same(suffix, toy_schema, tmp_path):
    frame = read(toy_rows(200), toy_schema)
    path = tmp_path / f"t{suffix}"
    write_table(frame, path, toy_schema)
    pd.testing.assert_frame_equal(read(path, toy_schema), frame)
    assert list(tmp_path.iterdir()) == [path]


def test_dates_leave_as_dates(toy_schema, tmp_path):
    path = tmp_path / "t.parquet"
    write_table(read(toy_rows(3), toy_schema), path, toy_schema)
    assert isinstance(pq.read_table(path)["seen"][0].as_py(), dt.date)
    assert not isinstance(pq.read_table(path)["seen"][0].as_py(), dt.datetime)


def write_bytes(path, content: bytes):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.csv", None, "there is no file"),
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("noise.parquet", b"\x93\x00PAR1" * 40, "cannot be read as a parquet table"),
        ("noise.csv", bytes(range(128, 256)) * 4, "its bytes are not utf-8; name another --encoding"),
        ("t.xlsx", b"x", "convert it to one of .csv, .tsv, .csv.gz, .tsv.gz, .csv.zst, .tsv.zst, .parquet"),
        ("twice.csv", b"a,b,a\n1,2,3\n", "'a' more than once"),
        (
            "case.csv",
            b"ID,id\n1,2\n",
            "case.csv has columns that differ in upper and lower case only: 'ID', 'id'; rename one of them",
        ),
        ("unnamed.csv", b"a,,b\n1,2,3\n", "empty column name"),
        ("less.csv", b"a\n1\n", "no column 'b'"),
        ("more.csv", b"a,b,c\n1,2,3\n", "the data has 'c'"),
    ],
)
def test_bad_files_end_in_one_sentence(name, content, says, tmp_path):
    schema = Schema.from_dict({"name": "ab", "columns": {k: {"kind": "integer", "minimum": 0, "maximum": 9} for k in "ab"}})
    path = tmp_path / name if content is None else write_bytes(tmp_path / name, content)
    with pytest.raises(InputError) as error:
        Source(path, schema)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_duplicate_columns_of_a_dataframe_are_refused(odd_schema):
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="'a' more than once"):
        read(frame, odd_schema)


TWO = Schema.from_dict(
    {
        "name": "ab",
        "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 9}, "b": {"kind": "categorical", "labels": ["x"]}},
    }
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=300).map(lambda b: b"a,b\n" + b),
        st.text(max_size=200).map(lambda t: ("a,b\n" + t).encode()),
    )
)
def test_malformed_csv_is_read_or_refused_never_worse(tmp_path_factory, content):
    path = write_bytes(tmp_path_factory.mktemp("fuzz") / "t.csv", content)
    try:
        frame = read(path, TWO)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert list(frame.columns) == ["a", "b"]
        assert frame.a.dropna().between(0, 9).all()
        assert set(frame.b.dropna()) <= {"x"}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damaged_parquet_is_read_or_refused_never_worse(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]}).to_parquet(folder / "good.parquet", index=False)
    content = bytearray((folder / "good.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = write_bytes(folder / "bad.parquet", bytes(content[: data.draw(st.integers(1, len(content)))]))
    try:
        read(path, TWO)
    except InputError as error:
        assert "\n" not in str(error)


def test_a_damaged_page_is_found_before_anything_is_spent(tmp_path):
    """Also where it is the last of many, and where only the text of one row is not UTF-8."""
    n = 30_000
    frame = pd.DataFrame({"a": np.arange(n) % 10, "b": np.where(np.arange(n) == n - 5, "needle", "x")})
    plain, packed = tmp_path / "plain.parquet", tmp_path / "packed.parquet"
    frame.to_parquet(plain, index=False, row_group_size=10_000, compression="none", use_dictionary=False)
    frame.to_parquet(packed, index=False, row_group_size=10_000, compression="gzip", use_dictionary=False)
    text, pages = plain.read_bytes().replace(b"needle", b"n\xffedle"), packed.read_bytes()
    last = pq.ParquetFile(packed).metadata.row_group(2).column(0).data_page_offset + 60
    for content in (text, pages[:last] + b"\x80" * 9 + pages[last + 9 :], pages[:-1]):
        ledger = Ledger(Budget(1, 1e-6))
        with pytest.raises(DataError, match=r"t\.parquet cannot be read"):
            PrivateTable(write_bytes(tmp_path / "t.parquet", content), TWO, ledger)
        assert not ledger.charges


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(path, index=False)
    source = Source(path, TWO)
    pd.DataFrame({"a": [1, 2], "b": ["x", "x"]}).to_parquet(path, index=False)
    with pytest.raises(DataError, match="changed while it was read"):
        source.close()


def test_delimited_text_is_read_once(tmp_path):
    """What becomes of the file after it was checked changes nothing."""
    path = write_bytes(tmp_path / "t.csv", b"a,b\n1,x\n2,x\n")
    with Workspace() as workspace:
        table = workspace.open(path)
        write_bytes(path, b'a,b\n"')
        assert table.count().execute() == 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (["t.csv", "t.csv"], "the data is a list"),
        (("t.csv",), "the data is a tuple"),
        (".", "is a folder; give one"),
        ("t*.csv", "there is no file"),
        (b"t.csv", "the data is a bytes"),
    ],
    ids=str,
)
def test_a_table_is_one_file(data, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bytes(tmp_path / "t.csv", b"a,b\n1,x\n")
    with pytest.raises(DataError) as error:
        read(data, TWO)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".tsv.zst", ".parquet"])
def test_what_we_write_we_read(suffix, tmp_path):
    """Labels with every character that a format gives a meaning to."""
    labels = ["a\rb", 'a"b', "a,b", "a\tb", "a\nb", "a\\", " a", "'", "é", '""']
    schema = Schema.from_dict({"name": "s", "columns": {"a": {"kind": "categorical", "labels": labels}}})
    frame = read(pd.DataFrame({"a": [*labels, None]}), schema)
    write_table(frame, tmp_path / f"t{suffix}", schema)
    pd.testing.assert_frame_equal(read(tmp_path / f"t{suffix}", schema), frame)


def test_errors_never_quote_a_value(tmp_path):
    """An engine's message about a bad row would; ours does not."""
    for name, content in (("t.csv", b'a,b\n1,x\n"hiv-positive,x\n'), ("t.parquet", b"PAR1hiv-positivePAR1")):
        with pytest.raises(DataError) as error:
            read(write_bytes(tmp_path / name, content), TWO)
        assert "hiv" not in str(error.value)


def test_draft_has_names_and_types_and_no_value(tmp_path):
    path = tmp_path / "visits.parquet"
    toy_rows(50).drop(columns="id").to_parquet(path, index=False)
    text = draft(path)
    (tmp_path / "s.yaml").write_text(text)
    drafted = Schema.load(tmp_path / "s.yaml")
    kinds = {c.name: c.kind for c in drafted.columns}
    assert kinds == {
        "age": "integer", "cost": "float", "ward": "categorical", "level": "integer", "sick": "boolean", "seen": "datetime",
        "at": "datetime", "score": "float", "drug": "categorical",
    }  # fmt: skip
    assert all(c.discover or c.kind == "boolean" for c in drafted.columns)
    assert (
        draft(toy_rows(50, seed=1).drop(columns="id")).split("columns:")[1]
        == draft(toy_rows(900, seed=2).drop(columns="id")).split("columns:")[1]
    )
    assert "would be released without being paid for" in text


def test_draft_of_a_csv_says_that_it_has_no_types(tmp_path):
    path = write_bytes(tmp_path / "t.csv", b"n,when\n1,2020-01-01\n")
    assert "stores text only" in draft(path)
    assert draft(path).count("categorical") >= 2


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": {"kind": "integer"}}, "give its public minimum and maximum, or 'discover: true'"),
        ({"a": {"kind": "integer", "minimum": 5, "maximum": 1}}, "above maximum"),
        ({"a": {"kind": "integer", "minimum": 0.5, "maximum": 1}}, "integer values"),
        ({"a": {"kind": "float", "minimum": 0, "maximum": float("nan")}}, "finite numbers"),
        ({"a": {"kind": "float", "minimum": 0, "maximum": 10**400}}, "2**52"),
        ({"a": {"kind": "categorical"}}, "give its public labels"),
        ({"a": {"kind": "categorical", "labels": []}}, "labels is empty"),
        ({"a": {"kind": "categorical", "labels": [True, "No"]}}, "in quotes"),
        ({"a": {"kind": "categorical", "labels": ["x", "x"]}}, "twice"),
        ({"a": {"kind": "categorical", "labels": ["x", 1]}}, "all texts or all whole numbers"),
        ({"a": {"kind": "colour"}}, "use one of integer"),
        ({"a": {"kind": "boolean", "maximum": 1}}, "no minimum or maximum"),
        ({"a": {"kind": "boolean", "color": 1}}, "unknown entries color"),
        ({"a": {"kind": "identifier"}}, "no column to model"),
        ({"a": "integer"}, "must be a mapping"),
        ({}, "at least one column"),
        (None, "columns must be a mapping"),
    ],
)
def test_wrong_schemas_end_in_one_sentence(columns, says):
    with pytest.raises(SchemaError) as error:
        Schema.from_dict({"name": "s", "columns": columns})
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1", "not valid YAML"),
        ("- 1", "this is not a schema"),
        ("a: &x [*x]", "its aliases repeat too much"),
        ("name: s\ncolumns: {a: {kind: boolean}, a: {kind: boolean}}", "'a' stands twice"),
        ("name: s\ncolumns: {? [a] : {kind: boolean}}", "plain text"),
        ("name: s\nunit: {key: p, max_rows: 0}\ncolumns: {p: {kind: identifier}, a: {kind: boolean}}", "max_rows is 0"),
        ("name: s\nunit: {key: a}\ncolumns: {a: {kind: boolean}}", "column of kind identifier"),
        ("name: s\ntarget: [a]\ncolumns: {a: {kind: boolean}}", "target is ['a']"),
        ("name: s\ncolumns: {a: {kind: date, minimum: 2020-13-45, maximum: 2021-01-01}}", "value that YAML cannot read"),
    ],
)
def test_wrong_schema_files_end_in_one_sentence(text, says, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as error:
        Schema.load(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_schema_survives_its_own_yaml(toy_schema, odd_schema, tmp_path):
    for schema in (toy_schema, odd_schema):
        (tmp_path / "s.yaml").write_text(schema.dump())
        again = Schema.load(tmp_path / "s.yaml")
        assert again == schema
        assert again.fingerprint == schema.fingerprint


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["name", "columns", "unit", "kind", "labels", "minimum", "maximum", "key", "x"]), inner
                )
            ),
            max_leaves=12,
        ).map(lambda value: yaml.safe_dump(value).encode()),
    )
)
def test_malformed_schemas_are_read_or_refused_never_worse(tmp_path_factory, content):
    path = write_bytes(tmp_path_factory.mktemp("fuzz") / "s.yaml", content)
    try:
        Schema.load(path)
    except SchemaError as error:
        assert "\n" not in str(error).rstrip()
