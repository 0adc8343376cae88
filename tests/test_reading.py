"""How people write files: dates, numbers, labels, delimiters. What is said is read, what is not is unreadable, and never another value."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of

from tabsynth import Csv, Schema
from tabsynth.conform import read
from tabsynth.date_format import fits, problem
from tabsynth.delimited import found
from tabsynth.errors import DataError, OptionError, SchemaError, TabsynthWarning
from tabsynth.misfits import misfits
from tabsynth.reading import Reading
from tabsynth.writing import write_table

DAYS = {"minimum": "1900-01-01", "maximum": "2025-12-31"}


def one(values, how=None, **column) -> list:
    """A column of texts as it is read from a frame, or (with `how`) from a CSV file of that writing; missing is None."""
    schema = Schema.from_dict({"name": "t", "columns": {"x": column}})
    data = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    return [None if pd.isna(v) else v for v in read(data, schema).x]


def of_file(place, texts, column, **how) -> list:
    """The same of a file, one text a line."""
    place.write_text("x|y\n" + "".join(f"{text}|\n" for text in texts), encoding="utf-8")
    schema = Schema.from_dict({"name": "t", "columns": {"x": column, "y": {"kind": "boolean"}}})
    return [None if pd.isna(v) else v for v in read(Csv(place, **how), schema).x]


@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_what_is_not_iso_is_unreadable_and_never_misread(kind):
    """15/09/2011 was missing, 01/09/11 was the year 1 and so the schema's minimum."""
    texts = [
        "15/09/2011",
        "01/09/11",
        "2011/09/15",
        "2011-9-5",
        "20110915",
        "infinity",
        "epoch",
        "2011-09",
        "2011-13-01",
        "2011-02-30",
    ]
    assert one(texts, kind=kind, **DAYS) == [None] * len(texts)


def test_iso_is_read_whatever_format_is_stated():
    texts = [
        "2011-09-15",
        " 2011-09-15 ",
        "2011-09-15T10:11",
        "2011-09-15 10:11:12.5",
        "2011-09-15T10:11:12Z",
        "2011-09-15 12:11:12+02:00",
    ]
    days = [pd.Timestamp("2011-09-15")] * 6
    clock = [0, 0, 36660, 36672, 36672, 36672]
    for form in ({}, {"format": "%d/%m/%Y"}, {"format": "%d/%m/%y %H:%M"}):
        assert one(texts, kind="date", **DAYS, **form) == days
        assert one(texts, kind="datetime", **DAYS, **form) == [pd.Timestamp("2011-09-15") + pd.Timedelta(s, "s") for s in clock]


FORMATS = [
    ("%d/%m/%Y", "15/09/2011", "2011-09-15"),
    ("%d/%m/%Y", "1/9/2011", "2011-09-01"),
    ("%m/%d/%Y", "01/09/2011", "2011-01-09"),
    ("%m/%d/%Y", "15/09/2011", None),
    ("%d/%m/%Y", "31/02/2011", None),
    ("%d/%m/%Y", "01/09/11", None),
    ("%d/%m/%Y", "1/9/20111", None),
    ("%d/%m/%Y", "15.09.2011", None),
    ("%d/%m/%y", "01/09/11", "2011-09-01"),
    ("%d/%m/%y", "01/09/45", "1945-09-01"),  # 2045 is beyond the public range
    ("%Y%m%d", "20110915", "2011-09-15"),
    ("%Y%m%d", "2011915", None),
    ("%d %b %Y", "5 sep 2011", "2011-09-05"),
    ("%B %d, %Y", "September 5, 2011", "2011-09-05"),
    ("%d-%b-%y", "05-SEP-11", "2011-09-05"),
    ("%d/%m/%Y %H:%M", "05/09/2011 23:59", "2011-09-05 23:59"),
    ("%d/%m/%Y %H:%M", "05/09/2011 24:00", "2011-09-06"),
    ("%m/%d/%Y %I:%M %p", "09/05/2011 12:05 AM", "2011-09-05 00:05"),
    ("%m/%d/%Y %I:%M %p", "9/5/2011 1:05 pm", "2011-09-05 13:05"),
    ("%m/%d/%Y %I:%M %p", "9/5/2011 13:05 pm", None),
    ("%Y.%m.%dT%H:%M:%S.%f", "2011.09.05T01:02:03.9", "2011-09-05 01:02:03"),
]


def test_stated_formats_are_read():
    """All in one table, a column for each."""
    columns = {f"c{i}": {"kind": "datetime", **DAYS, "format": form} for i, (form, _, _) in enumerate(FORMATS)}
    frame = pd.DataFrame({f"c{i}": [text, None] for i, (_, text, _) in enumerate(FORMATS)})
    got = read(frame, Schema.from_dict({"name": "t", "columns": columns}))
    for i, (form, text, value) in enumerate(FORMATS):
        seen = [None if pd.isna(v) else v for v in got[f"c{i}"]]
        assert seen == [pd.Timestamp(value) if value else None, None], (form, text)


def test_formats_are_those_of_strptime():
    rng, forms = np.random.default_rng(0), ["%d/%m/%Y %H:%M:%S", "%b %d %Y %I.%M.%S %p", "%Y%m%d%H%M%S"]
    days = (
        pd.Timestamp("2000-01-01")
        + pd.to_timedelta(rng.integers(-20_000, 20_000, 300), unit="D")
        + pd.to_timedelta(rng.integers(0, 86_400, 300), unit="s")
    ).to_pydatetime()
    frame = pd.DataFrame({form: [day.strftime(form) for day in days] for form in forms})
    columns = {form: {"kind": "datetime", "discover": True, "format": form} for form in forms}
    got = read(frame, Schema.from_dict({"name": "t", "columns": columns}))
    for form in forms:
        assert list(got[form]) == [dt.datetime.strptime(text, form) for text in frame[form]]
        assert all(fits(form, text) for text in frame[form])


@pytest.mark.parametrize(
    "form", ["%Y-%d-%m", "%d/%m", "%x", "dd/mm/yyyy", "%d/%d/%Y", "%d/%m/%Y %I:%M", "", 5, "%d/%m/%Y%", "%H%y-%m-%d"]
)
def test_a_format_that_cannot_be_is_refused_in_a_sentence(form):
    assert problem(form)
    with pytest.raises(SchemaError) as error:
        Schema.from_dict({"name": "t", "columns": {"x": {"kind": "date", "discover": True, "format": form}}})
    assert "column 'x': format" in str(error.value)


def test_one_odd_value_does_not_change_how_dates_of_a_format_read():
    """Dates that are stored as such become ISO text beside it."""
    day = dt.date(2011, 1, 9)
    plain, mixed = pd.DataFrame({"x": pd.to_datetime([day, day])}), pd.DataFrame({"x": [day, "15/09/2011"]})
    schema = Schema.from_dict({"name": "t", "columns": {"x": {"kind": "date", **DAYS, "format": "%d/%m/%Y"}}})
    assert read(plain, schema).x[0] == read(mixed, schema).x[0] == pd.Timestamp(day)
    assert read(mixed, schema).x[1] == pd.Timestamp("2011-09-15")


NUMBER = {"kind": "float", "minimum": -1e6, "maximum": 1e6}


@pytest.mark.parametrize(
    ("how", "texts", "values"),
    [
        ({}, ["2.5", "2,5", "1,234", "1e3", "-.5"], [2.5, None, None, 1000, -0.5]),
        ({"decimal": ","}, ["2,5", "2.5", "1.234", "-,5", "1e3", "7", " 7,0 "], [2.5, None, None, -0.5, 1000, 7, 7]),
        (
            {"decimal": ",", "thousands": "."},
            ["1.234,5", "1.234", "12.34", "1234,5", "1.2345"],
            [1234.5, 1234, None, 1234.5, None],
        ),
        ({"thousands": ","}, ["1,234.5", "1,234,567", "12,34", "2.5"], [1234.5, 1e6, None, 2.5]),
        ({"thousands": " "}, ["1 234", "1\u202f234", "1 23"], [1234, 1234, None]),
        ({"thousands": "'"}, ["1'234.5"], [1234.5]),
    ],
    ids=str,
)
def test_numbers_are_read_as_they_are_said_to_be_written(how, texts, values, tmp_path):
    assert of_file(tmp_path / "t.csv", texts, NUMBER, **how) == values


def test_a_decimal_comma_reaches_whole_numbers_labels_and_yes_or_no(tmp_path):
    whole, codes = {"kind": "integer", "minimum": 0, "maximum": 9}, {"kind": "categorical", "labels": [1, 2]}
    assert of_file(tmp_path / "t.csv", ["3,0", "3,5"], whole, decimal=",") == [3, None]
    assert of_file(tmp_path / "t.csv", ["1,0", "2"], codes, decimal=",") == [1, 2]
    assert of_file(tmp_path / "t.csv", ["1,0", " yes ", "true"], {"kind": "boolean"}, decimal=",") == [True, True, True]


LABELS = {"kind": "categorical", "labels": ["Yes", "No"]}


@pytest.mark.parametrize(
    ("more", "values"),
    [
        ({}, ["Yes", None, None, None, None]),
        ({"trim": True}, ["Yes", "No", None, None, None]),
        ({"ignore_case": True}, ["Yes", None, "Yes", None, None]),
        ({"trim": True, "ignore_case": True}, ["Yes", "No", "Yes", "No", None]),
    ],
)
def test_labels_with_blanks_or_in_another_case(more, values):
    assert one(["Yes", "No ", "yes", "\u00a0nO\t", "maybe"], **LABELS, **more) == values


def test_blanks_and_case_of_labels_that_are_bought_and_of_identifiers():
    assert one(["A ", " a", "", "  "], kind="categorical", discover=True, trim=True, ignore_case=True) == ["a", "a", None, None]
    schema = Schema.from_dict({"name": "t", "columns": {"id": {"kind": "identifier", "trim": True}, "b": {"kind": "boolean"}}})
    assert list(read(pd.DataFrame({"id": ["p1 ", "p1"], "b": [True, False]}), schema).id) == ["p1", "p1"]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ({"labels": ["a", "A"], "ignore_case": True}, "two labels are the same under ignore_case"),
        ({"labels": ["a", "a "], "trim": True}, "two labels are the same under trim"),
        ({"labels": ["a "], "trim": True}, "a label has blanks around it"),
        ({"labels": [1], "trim": True}, "are for labels that are texts"),
    ],
)
def test_labels_that_trim_or_case_would_merge_are_refused(column, says):
    with pytest.raises(SchemaError, match=says):
        Schema.from_dict({"name": "t", "columns": {"x": {"kind": "categorical"} | column}})


SALES = Schema.from_dict(
    {
        "name": "sales",
        "reading": {"delimiter": ";", "decimal": ",", "encoding": "cp1252", "date_format": "%d/%m/%Y"},
        "columns": {
            "day": {"kind": "date", **DAYS},
            "at": {"kind": "datetime", **DAYS, "format": "%d.%m.%Y %H:%M"},
            "pay": {"kind": "float", "minimum": 0, "maximum": 100, "decimals": 2},
            "town": {"kind": "categorical", "labels": ["Nîmes", "a;b"]},
        },
    }
)


def test_what_the_schema_says_of_files_is_read_and_written(tmp_path):
    """The same file comes out that went in."""
    path = tmp_path / "t.csv"
    text = 'day;at;pay;town\n15/09/2011;15.09.2011 10:30;2,5;Nîmes\n;01.02.2012 00:05;;"a;b"\n'
    path.write_bytes(text.encode("cp1252"))
    frame = read(path, SALES)
    assert frame.day[0] == pd.Timestamp("2011-09-15")
    assert list(frame["at"].dt.minute) == [30, 5]
    assert frame.pay[0] == 2.5
    assert list(frame.town) == ["Nîmes", "a;b"]
    assert not any(each.total for each in misfits(path, SALES).values())
    write_table(frame, tmp_path / "u.csv", SALES)
    assert (tmp_path / "u.csv").read_bytes() == path.read_bytes()
    assert Schema.from_dict(SALES.to_dict()) == SALES


def test_what_is_said_of_a_file_comes_before_the_schema(tmp_path):
    (tmp_path / "t.csv").write_text("day,at,pay,town\n2011-09-15,,2.5,Nîmes\n", encoding="utf-8")
    how = Csv(tmp_path / "t.csv", delimiter=",", decimal=".", encoding="utf-8")
    assert read(how, SALES).iloc[0].tolist() == [pd.Timestamp("2011-09-15"), pd.NaT, 2.5, "Nîmes"]


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "csv.zst"])
@pytest.mark.parametrize("escape", [None, "\\"])
def test_whatever_the_schema_says_what_we_write_we_read(suffix, escape, tmp_path):
    reading = {"decimal": ",", "thousands": ".", "encoding": "utf-16", "delimiter": "|"} | ({"escape": escape} if escape else {})
    labels = ["a|b", 'a"b', "a\\", "a\rb", "\\", ",", "é"]
    columns = {
        "l": {"kind": "categorical", "labels": labels},
        "n": {"kind": "float", "discover": True},
        "w": {"kind": "integer", "discover": True},
    }
    schema = Schema.from_dict({"name": "t", "reading": reading, "columns": columns})
    frame = read(pd.DataFrame({"l": [*labels, None], "n": [1234.5, 0.25, *[None] * 6], "w": [1234567, *range(7)]}), schema)
    write_table(frame, tmp_path / f"t.{suffix}", schema)
    pd.testing.assert_frame_equal(read(tmp_path / f"t.{suffix}", schema), frame)


def test_a_date_is_written_as_iso_where_its_format_would_lose_something(tmp_path):
    for kind, form, value in (("datetime", "%d/%m/%Y", "2011-09-15 10:00:00"), ("date", "%d/%m/%y", "1911-09-15")):
        schema = Schema.from_dict(
            {"name": "t", "columns": {"x": {"kind": kind, "discover": True, "format": form}, "y": {"kind": "boolean"}}}
        )
        frame = read(pd.DataFrame({"x": [pd.Timestamp(value)], "y": [True]}), schema)
        write_table(frame, tmp_path / "t.csv", schema)
        assert value in (tmp_path / "t.csv").read_text()
        pd.testing.assert_frame_equal(read(tmp_path / "t.csv", schema), frame)


def test_a_character_that_the_encoding_lacks_is_said(tmp_path):
    schema = Schema.from_dict(
        {"name": "t", "reading": {"encoding": "ascii"}, "columns": {"x": {"kind": "categorical", "discover": True}}}
    )
    with pytest.raises(DataError, match=r"t\.csv cannot be written in ascii"):
        write_table(pd.DataFrame({"x": ["é"]}), tmp_path / "t.csv", schema)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "delimiter", "encoding", "names"),
    [
        (b"age;sex;pay\n1;f;2,5\n", ";", None, ("age", "sex", "pay")),
        (b"age\tsex\n1\tf\n", "\t", None, ("age", "sex")),
        (b"age|sex\n1|f\n", "|", None, ("age", "sex")),
        (b"age,a;b\n1,f\n", None, None, ("age", "a;b")),
        (b'"a;b"\nx\n', ";", None, ("a;b",)),
        (b"\xff\xfe" + "é;b\n1;2\n".encode("utf-16-le"), ";", "utf-16", ("é", "b")),
        ("a,b\n1,2\n".encode("utf-32"), None, "utf-32", ("a", "b")),
        (b"a\n1\n", None, None, ("a",)),
        (b'"a;\nc",b\n1,2\n', None, None, ("a;\nc", "b")),
    ],
    ids=str,
)
def test_marks_and_the_first_line_tell_how_a_file_is_written(content, delimiter, encoding, names, tmp_path):
    from tabsynth.tables import Workspace

    (tmp_path / "t.csv").write_bytes(content)
    assert found(Csv(tmp_path / "t.csv")) == Reading(delimiter=delimiter, encoding=encoding)
    with Workspace() as workspace:
        assert workspace.open(tmp_path / "t.csv").columns == names


def test_utf_16_without_a_mark_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "t.csv").write_bytes("a,b\n".encode("utf-16-le"))
    with pytest.raises(DataError, match="its bytes are not utf-16; name another --encoding"):
        read(Csv(tmp_path / "t.csv", encoding="utf-16"), SALES)


def test_rows_never_decide_how_a_file_is_written(tmp_path):
    """Only the first line does: it names the columns and is no record."""
    for rows in (b"x\n", b"x;y\n", b"1,2\n", b"\xff\xfe\n"):
        (tmp_path / "t.csv").write_bytes(b"a;b\n" + rows)
        assert found(Csv(tmp_path / "t.csv")) == Reading(delimiter=";")


def test_a_zst_file_is_read_whole_or_not_at_all(tmp_path):
    import pyarrow as pa

    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as file:
        file.write(b"a,b\n" + b"1,x\n" * 5000)
    whole = packed.getvalue().to_pybytes()
    path = tmp_path / "t.csv.zst"
    schema = Schema.from_dict(
        {
            "name": "t",
            "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 9}, "b": {"kind": "categorical", "labels": ["x"]}},
        }
    )
    path.write_bytes(whole)
    assert len(read(path, schema)) == 5000
    for broken in (whole[:-1], whole[: len(whole) // 2], whole + b"more", b"a,b\n1,x\n"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="give a whole zstd file"):
            read(path, schema)


def test_lines_that_are_left_out_are_told_in_python_too(tmp_path):
    (tmp_path / "t.csv").write_text('a,b\n1,x\n2,"y\n')
    schema = Schema.from_dict(
        {
            "name": "t",
            "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 9}, "b": {"kind": "categorical", "discover": True}},
        }
    )
    with pytest.warns(TabsynthWarning, match=r"CONFIDENTIAL: 1 malformed lines of t\.csv were left out"):
        assert len(read(Csv(tmp_path / "t.csv", malformed="skip"), schema)) == 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"decimal": ";"}, "decimal is ';'; allowed are '.' and ','"),
        ({"thousands": "."}, "thousands and decimal are both '.'"),
        ({"thousands": "0"}, "thousands is '0'"),
        ({"date_format": "dmy"}, "date_format: 'dmy' must have one year"),
    ],
    ids=str,
)
def test_wrong_ways_of_writing_end_in_one_sentence(how, says):
    with pytest.raises(OptionError) as error:
        Csv("t.csv", **how)
    assert says in str(error.value)
    with pytest.raises(SchemaError) as error:
        Schema.from_dict({"name": "t", "reading": how, "columns": {"x": {"kind": "boolean"}}})
    assert f"reading: {says}" in str(error.value)


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_columns_that_differ_in_case_only_are_refused_in_a_sentence(kind, tmp_path):
    frame = pd.DataFrame({"ID": ["a"], "id": ["x"]})
    path = tmp_path / f"d.{kind}"
    _ = frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False) if kind == "parquet" else None
    from tabsynth.draft import draft

    with pytest.raises(DataError, match="columns that differ in upper and lower case only: 'ID', 'id'; rename one of them"):
        draft(frame if kind == "frame" else path)
    with pytest.raises(SchemaError, match="differ in upper and lower case only: ID, id"):
        Schema.from_dict({"name": "t", "columns": {name: {"kind": "categorical", "discover": True} for name in frame}})


def test_an_index_without_a_name_is_recognised(tmp_path):
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    schema = Schema.from_dict({"name": "t", "columns": {"a": {"kind": "integer", "discover": True}}})
    with pytest.raises(DataError, match="as where a program wrote row numbers: write the table without them"):
        read(tmp_path / "t.csv", schema)


def test_identifiers_are_minted_in_their_format_and_no_two_columns_alike():
    columns = {
        "n": {"kind": "identifier", "format": "%d"},
        "c": {"kind": "identifier", "format": "C%05d"},
        "t": {"kind": "identifier"},
        "b": {"kind": "boolean"},
    }
    schema = Schema.from_dict({"name": "t", "columns": columns})
    frame = codec_of(schema).decode(np.zeros((3, 1), dtype=int), np.random.default_rng(0))
    assert list(frame.n) == [1, 2, 3]
    assert list(frame.c) == ["C00004", "C00005", "C00006"]
    assert list(frame.t) == ["synthetic-7", "synthetic-8", "synthetic-9"]


def test_whole_number_identifiers_come_out_as_whole_numbers(tmp_path):
    import pyarrow.parquet as pq

    from tabsynth.digest import digest

    schema = Schema.from_dict({"name": "t", "columns": {"n": {"kind": "identifier", "format": "%d"}, "b": {"kind": "boolean"}}})
    frame = codec_of(schema).decode(np.zeros((3, 1), dtype=int), np.random.default_rng(0))
    write_table(frame, tmp_path / "t.parquet", schema)
    assert str(pq.read_schema(tmp_path / "t.parquet").field("n").type) == "int64"
    assert digest(read(tmp_path / "t.parquet", schema), schema) == digest(frame, schema)
