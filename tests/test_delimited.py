"""Delimited text: what is read, what is refused, and that one record's bytes never change how another record reads."""

import codecs
import csv
import encodings.aliases
import gzip
import io
import itertools

import pyarrow as pa
import pytest
from audit_mutations import FILE_MUTATIONS, file_alarms
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tabsynth import Csv, Schema
from tabsynth import delimited as module
from tabsynth.conform import read
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.delimited import batches
from tabsynth.errors import DataError, OptionError
from tabsynth.misfits import misfits
from tabsynth.tables import Workspace

TWO = Schema.from_dict(
    {
        "name": "ab",
        "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 9}, "b": {"kind": "categorical", "labels": ["x"]}},
    }
)
QUICK = settings(max_examples=150, deadline=None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("text")


def records(path, **how) -> list[tuple[str | None, ...]]:
    """All records of a file, the header first."""
    table = pa.Table.from_batches(list(batches(Csv(path, **how))))
    return [tuple(table.column_names), *zip(*(column.to_pylist() for column in table.columns), strict=True)]


def read_bytes(place, content: bytes, chunk=1 << 23, **how):
    """The records of a file that is read so many bytes at a time."""
    (place / "t.csv").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        return records(place / "t.csv", **how)


chunks = st.sampled_from([1, 3, 1 << 23])
texts = st.text(st.sampled_from('ab,"\n\r\\;\t é€\U0001f600\u2028\x1c\x85'), max_size=4)


@st.composite
def valid(draw, fewest=1):
    """(lines, records, line break, what ends the last line, options) of a valid file, by whichever writer."""
    width = draw(st.integers(fewest, 3))
    rows = draw(st.lists(st.tuples(*[texts] * width), max_size=4))
    escape = draw(st.sampled_from([None, "\\"]))
    delimiter, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))

    def written(text):
        must = any(c in text for c in f'{delimiter}"\r\n{escape or ""}')
        if not (must or draw(st.booleans())):
            return text
        twice = '""' if escape is None or draw(st.booleans()) else escape + '"'
        return '"' + (text.replace(escape, 2 * escape) if escape else text).replace('"', twice) + '"'

    lines = [delimiter.join(map(written, row)) for row in rows]
    lines = [delimiter.join("klm"[:width]), *lines]
    last = draw(st.sampled_from([end, ""])) if lines[-1] else end
    seen = [tuple("klm"[:width]), *(tuple(text or None for text in row) for row in rows)]
    return lines, seen, end, last, {"delimiter": delimiter, "escape": escape}


@QUICK
@given(valid(), chunks)
def test_a_valid_file_is_read_as_it_was_written(place, file, chunk):
    lines, seen, end, last, how = file
    assert read_bytes(place, (end.join(lines) + last).encode(), chunk, **how) == seen


@QUICK
@given(valid(fewest=2))
def test_python_reads_a_valid_file_alike(place, file):
    lines, _, end, last, how = file
    assume(all(c not in line for line in lines for c in "\u2028\x1c\x85"))
    content = end.join(lines) + last
    strict = csv.reader(io.StringIO(content, newline=""), strict=True, delimiter=how["delimiter"], escapechar=how["escape"])
    assert read_bytes(place, content.encode(), **how) == [tuple(t or None for t in row) for row in strict]


def one_record_changes_no_other(place, how, data):
    """Refused, or all others are there in their order: those before it first, and those behind it last."""
    escape = how.get("escape")
    cell = ["", "x", "0", '""', '"x"', '","', '"a""b"', "é"]
    cell += ['"\\""', '"\\\\"', '",\\"x"'] if escape else ["\\"]
    cell += [] if "malformed" in how else ['"\n"', '"\r\n,"', '"\n1,2\n"']
    line = st.tuples(st.sampled_from(cell), st.sampled_from(cell)).map(",".join)
    before, behind = data.draw(st.lists(line, max_size=3)), data.draw(st.lists(line, max_size=3))
    piece = st.sampled_from(
        [b'"', b'"', b'"', b"\\", b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc3", b"x", b"1,2", b'","', "é".encode()]
    )
    new = data.draw(line).encode()
    for inserted in data.draw(st.lists(piece, max_size=4)):
        at = data.draw(st.integers(0, len(new)))
        new = new[:at] + inserted + new[at:]
    end = data.draw(st.sampled_from([b"\n", b"\r\n"]))

    def content(*middle):
        return end.join([b"k,l", *(line.encode() for line in before), *middle, *(line.encode() for line in behind), b""])

    others = read_bytes(place, content(), **how)
    split = 1 + len(before)
    try:
        found = read_bytes(place, content(new), data.draw(chunks), **how)
    except DataError:
        event("refused")
        return
    event(f"{len(found) - len(others)} records")
    assert found[:split] == others[:split]
    assert found[len(found) - len(behind) :] == others[split:]


@pytest.mark.parametrize("how", [{}, {"escape": "\\"}, {"malformed": "skip"}], ids=str)
def test_the_bytes_of_one_record_change_no_other(place, how):
    """20,000 trials of each: ``tests/slow/test_files.py``."""
    settings(max_examples=300, deadline=None)(given(data=st.data())(one_record_changes_no_other))(place, how)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["utf-16", "utf-32", "cp1252", "shift_jis", "gb18030"]), st.integers(1, 3), st.data())
def test_nor_in_another_encoding(place, encoding, at, data):
    coded = {"utf-16": "utf-16-le", "utf-32": "utf-32-be"}.get(encoding, encoding)
    mark = "\ufeff".encode(coded) if coded != encoding else b""
    lines = [f"{text},1".encode(coded) for text in ("k", "ab", "c", "d")]
    spelled = st.text('",\nx\ud7ff\U0001f600', max_size=4).map(lambda text: text.encode(coded, "ignore"))

    def content():
        return mark + b"".join(line + "\n".encode(coded) for line in lines)

    others = read_bytes(place, content(), encoding=encoding)
    lines[at] = data.draw(st.one_of(st.binary(max_size=6), spelled))
    try:
        found = read_bytes(place, content(), encoding=encoding)
    except DataError:
        return
    assert found[:at] == others[:at]
    assert found[len(found) - (3 - at) :] == others[at + 1 :]


def test_no_encoding_lets_a_line_reach_into_the_next():
    """Of every codec that is let in: whatever bytes stand before a line break, what follows it reads as ever, or nothing does."""
    let_in = 0
    for name in sorted(set(encodings.aliases.aliases.values())):
        try:
            codec = Csv("t.csv", encoding=name).encoding
        except OptionError:
            continue
        let_in += 1
        if '\r\n"'.encode(codec) != b'\r\n"':
            assert codecs.lookup(codec).name.startswith(("utf-16", "utf-32", "cp")), "checked above, or one byte a character"
            continue
        for lead in itertools.chain(
            range(256), *([(a << 8) + b for b in (0x0E, 0x1B, 0x30, 0x5C, 0x7E, 0x81, 0xFE)] for a in range(256))
        ):
            bytes_ = lead.to_bytes(1 + (lead > 255), "big")
            try:
                text = (bytes_ + b'\n"1,x\n').decode(codec)
            except UnicodeDecodeError:
                continue
            assert text.endswith('\n"1,x\n'), (codec, bytes_)
    assert let_in > 80


REFUSED = {
    "quote inside": (b'1,x\n1,x"\n', {}, "line 3: a quote stands inside a field"),
    "text after quotes": (b'1,x\n1,"x"y\n', {}, "line 3: text follows the quote"),
    "Spark": (b'1,"a \\"b\\" c"\n1,x\n', {}, "line 2: text follows the quote"),
    "unclosed": (b'1,x\n1,"x\n1,x\n1,x\n', {}, "line 3: a quote opens a field and none closes it"),
    "unclosed escape": (b'1,x\n1,"x\\"\n1,x\n', {"escape": "\\"}, "line 3: a quote opens a field and none closes it"),
    "bare return": (b"1,x\r9,x\n", {}, "line 2: a carriage return"),
    "return at the end": (b"1,x\r", {}, "line 2: a carriage return"),
    "NUL": (b"1,x\0\n", {}, "line 2: there is a NUL byte"),
    "NUL in quotes": (b'1,"\0"\n', {}, "line 2: there is a NUL byte"),
    "escape outside": (b'1,"\n"\n\\N,x\n', {"escape": "\\"}, "line 4: the escape character stands outside quotes"),
    "more": (b'1,x\n"\n\n",x,\n', {}, "line 3: the record has 3 fields and the header 2"),
    "fewer": (b"1,x\n1\n", {}, "line 3: the record has 1 fields and the header 2"),
    "blank line": (b"1,x\n\n1,x\n", {}, "line 3: the record has 1 fields and the header 2"),
    "not UTF-8": ("1,x\n1,é\n".encode("cp1252"), {}, "line 3: its bytes are not utf-8; name another --encoding"),
    "a piece of a character": (b"1,x\n1,\xc3", {}, "line 3: its bytes are not utf-8"),
    "not cp1252": (b"1,\x81\n", {"encoding": "cp1252"}, "line 2: its bytes are not cp1252"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_the_grammar_is_refused_with_line_and_reason(name, place):
    rows, how, says = REFUSED[name]
    for chunk in (1, 2, 1 << 23):
        with pytest.raises(DataError) as error:
            read_bytes(place, b"a,b\n" + rows, chunk, **how)
        assert f"t.csv is refused because of {says}" in str(error.value)
        assert "CONFIDENTIAL" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_is_spent_on_a_file_that_is_refused(name, place):
    rows, how, _ = REFUSED[name]
    (place / "t.csv").write_bytes(b"a,b\n" + 2000 * b"1,x\n" + rows)
    ledger = Ledger(Budget(1, 1e-6))
    with pytest.raises(DataError):
        PrivateTable(Csv(place / "t.csv", **how), TWO, ledger)
    assert not ledger.charges


READ = {
    "LF": (b"a,b\n1,x\n2,y\n", {}, [("1", "x"), ("2", "y")]),
    "CRLF": (b"a,b\r\n1,x\r\n2,y\r\n", {}, [("1", "x"), ("2", "y")]),
    "both": (b"a,b\r\n1,x\n2,y\r\n", {}, [("1", "x"), ("2", "y")]),
    "no break at the end": (b"a,b\n1,x\n2,", {}, [("1", "x"), ("2", None)]),
    "missing": (b'a,b\n,""\n', {}, [(None, None)]),
    "quotes": (b'"a","b"\n"1,""2""","\r\n\r"\n', {}, [('1,"2"', "\r\n\r")]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,\xef\xbb\xbf\n", {}, [("1", "\ufeff")]),
    "utf-16": ("a,b\n1,é\n".encode("utf-16"), {"encoding": "utf-16"}, [("1", "é")]),
    "cp1252": ("a,b\n1,€\n".encode("cp1252"), {"encoding": "cp1252"}, [("1", "€")]),
    "semicolon": (b"a;b\n1,5;x\n", {"delimiter": ";"}, [("1,5", "x")]),
    "Spark": (b'a,b\n1,"say \\"C:\\new\\\\\\""\n', {"escape": "\\"}, [("1", 'say "C:\\new\\"')]),
    "header alone": (b"a,b\n", {}, []),
    "skipped": (b'a,b\n1,"x\n2,y"\n3,\xff\n4\n5,z\r6,z\n7,\0\n\n8,x"\n9,"ok"\n', {"malformed": "skip"}, [("9", "ok")]),
    "skipped to the end": (b'a,b\n1,x\n2,"', {"malformed": "skip"}, [("1", "x")]),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name, place):
    content, how, rows = READ[name]
    for chunk in (1, 2, 1 << 23):
        assert read_bytes(place, content, chunk, **how) == [("a", "b"), *rows]


def test_a_blank_line_of_one_column_is_a_missing_value(place):
    assert read_bytes(place, b"a\n1\n\n2\n\n") == [("a",), ("1",), (None,), ("2",), (None,)]


def test_lines_that_were_skipped_are_counted_for_the_operator_alone(place):
    content, how, _ = READ["skipped"]
    counted = []
    read_bytes(place, content, **how, told=counted.append)
    assert counted == [8]
    read_bytes(place, b"a,b\n1,x\n", **how, told=counted.append)
    assert counted == [8, 0]


@pytest.mark.parametrize("content", [b'a,"b\n1,x\n', b"a,\xff\n1,x\n", b"a\0,b\n1,x\n"])
def test_a_header_is_never_skipped(content, place):
    with pytest.raises(DataError, match="line 1"):
        read_bytes(place, content, malformed="skip")


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(place, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 1 << 10)
    (place / "t.csv").write_bytes(b'a,b\n1,x\n1,"' + b"x" * (1 << 14))
    with pytest.raises(DataError, match="line 3: a record of more than"):
        for _ in batches(Csv(place / "t.csv")):
            pass


@pytest.mark.parametrize("suffix", ["csv.gz", "TSV.GZ"])
def test_a_gzip_file_is_read_whole_or_not_at_all(suffix, place):
    path, tab = place / f"t.{suffix}", "\t" if "TSV" in suffix else ","
    whole = gzip.compress(f"a{tab}b\n1{tab}x\n".encode()) + gzip.compress(f"2{tab}y\n".encode())
    path.write_bytes(whole)
    assert records(path) == [("a", "b"), ("1", "x"), ("2", "y")]
    for broken in (whole[:-1], whole[:-9], whole + b"more", whole[:40] + b"?" + whole[41:], b"a,b\n1,x\n"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="give a whole gzip file"):
            records(path)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"encoding": "utf-7"}, "encoding is 'utf-7'"),
        ({"encoding": "iso2022_jp"}, "encoding is"),
        ({"encoding": "base64"}, "encoding is"),
        ({"encoding": "no such"}, "encoding is 'no such'"),
        ({"encoding": 8}, "encoding is 8"),
        ({"delimiter": ""}, "delimiter is ''"),
        ({"delimiter": "||"}, "delimiter is '||'"),
        ({"delimiter": "é"}, "delimiter is 'é'"),
        ({"delimiter": '"'}, "delimiter is"),
        ({"escape": "\n"}, "escape is"),
        ({"escape": ""}, "escape is ''"),
        ({"escape": ","}, "delimiter and escape are both"),
        ({"malformed": "ignore"}, "malformed is 'ignore'; allowed are refuse and skip"),
        ({"malformed": "skip", "encoding": "utf-16"}, "malformed is 'skip', which utf-16 does not allow"),
    ],
    ids=str,
)
def test_wrong_options_end_in_one_sentence(how, says):
    with pytest.raises(OptionError) as error:
        Csv("t.csv", **how)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_it_goes_wherever_a_path_goes(place):
    (place / "t.csv").write_text("a;b\n3;x\n99;x\n")
    file = Csv(place / "t.csv", delimiter=";")
    assert list(read(file, TWO).a) == [3, 9]
    assert misfits(file, TWO)["a"].above == 1
    with Workspace() as workspace:
        assert workspace.open(file).columns == ("a", "b")


@pytest.mark.parametrize("number", FILE_MUTATIONS)
def test_a_lenient_reader_is_noticed(number, tmp_path, monkeypatch):
    assert file_alarms(tmp_path) == []
    what, patch = FILE_MUTATIONS[number]
    patch(monkeypatch)
    found = file_alarms(tmp_path)
    assert found, what
    if number in ("F01", "F02", "F09"):
        assert any(alarm.startswith("changes others") for alarm in found), found
