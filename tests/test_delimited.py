"""Delimited text: what is read, what is refused, and that one record's bytes never change how another record reads."""

import codecs
import csv
import encodings.aliases
import gzip
import io
import itertools

import pyarrow as pa
import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from tabsynth import Csv, Schema
from tabsynth import delimited as module
from tabsynth.conform import outside, read
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.delimited import batches
from tabsynth.errors import DataError, OptionError
from tabsynth.tables import Workspace

TWO = Schema.from_dict(
    {
        "name": "ab",
        "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 9}, "b": {"kind": "categorical", "labels": ["x"]}},
    }
)
QUICK = settings(max_examples=400, deadline=None)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("text")


def records(path, **how) -> list[tuple[str | None, ...]]:
    """All records of a file, the header first."""
    table = pa.Table.from_batches(list(batches(Csv(path, **how))))
    return [tuple(table.column_names), *zip(*(column.to_pylist() for column in table.columns), strict=True)]


def read_bytes(place, content: bytes, name="t.csv", **how):
    (place / name).write_bytes(content)
    return records(place / name, **how)


@pytest.fixture(params=[1, 2, 7, 1 << 23], autouse=True)
def _chunk(request, monkeypatch):
    """Wherever one piece of the file ends and the next begins."""
    monkeypatch.setattr(module, "CHUNK", request.param)


texts = st.text(st.sampled_from('ab,"\n\r\\;\t é€\U0001f600\u2028\x1c\x85'), max_size=4)


@st.composite
def valid(draw, columns=st.integers(1, 3), quote=st.booleans(), **how):
    """(content, records, options) of a valid file, by whichever writer."""
    width = draw(columns)
    rows = draw(st.lists(st.tuples(*[texts] * width), max_size=4))
    escape = draw(st.sampled_from([None, "\\"]))
    delimiter, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n"]))

    def written(text):
        must = any(c in text for c in f'{delimiter}"\r\n{escape or ""}')
        if not (must or draw(quote)):
            return text
        twice = '""' if escape is None or draw(st.booleans()) else escape + '"'
        return '"' + (text.replace(escape, 2 * escape) if escape else text).replace('"', twice) + '"'

    lines = [delimiter.join(map(written, row)) for row in rows]
    lines = [delimiter.join("klm"[:width]), *lines]
    last = draw(st.sampled_from([end, ""])) if lines[-1] else end
    seen = [tuple("klm"[:width]), *(tuple(text or None for text in row) for row in rows)]
    return lines, seen, end, last, {"delimiter": delimiter, "escape": escape}


@QUICK
@given(valid())
def test_a_valid_file_is_read_as_it_was_written(place, file):
    lines, seen, end, last, how = file
    assert read_bytes(place, (end.join(lines) + last).encode(), **how) == seen


@QUICK
@given(valid(columns=st.integers(2, 3)))
def test_python_reads_a_valid_file_alike(place, file):
    lines, _, end, last, how = file
    assume(all(c not in line for line in lines for c in "\u2028\x1c\x85"))
    content = end.join(lines) + last
    strict = csv.reader(io.StringIO(content, newline=""), strict=True, delimiter=how["delimiter"], escapechar=how["escape"])
    assert read_bytes(place, content.encode(), **how) == [tuple(t or None for t in row) for row in strict]


@pytest.mark.parametrize("how", [{}, {"escape": "\\"}, {"malformed": "skip"}], ids=str)
@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_the_bytes_of_one_record_change_no_other(place, how, data):
    """Refused, or all others are there in their order: those before it first, and those behind it last."""
    escape = how.get("escape")
    cell = ["", "x", "0", '""', '"x"', '","', '"a""b"', "é"]
    cell += ['"\\""', '"\\\\"', '",\\"x"'] if escape else ["\\"]
    cell += [] if "malformed" in how else ['"\n"', '"\r\n,"', '"\n1,2\n"']
    line = st.tuples(st.sampled_from(cell), st.sampled_from(cell)).map(",".join)
    before, behind = data.draw(st.lists(line, max_size=3)), data.draw(st.lists(line, max_size=3))
    piece = st.sampled_from([b'"', b'"', b'"', b"\\", b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc3", b"x", b"1,2", b'","', "é".encode()])
    new = b"".join(data.draw(st.lists(piece, max_size=6)))
    end = data.draw(st.sampled_from([b"\n", b"\r\n"]))

    def content(*middle):
        return end.join([b"k,l", *(line.encode() for line in before), *middle, *(line.encode() for line in behind), b""])

    others = read_bytes(place, content(), **how)
    split = 1 + len(before)
    try:
        found = read_bytes(place, content(new), **how)
    except DataError:
        event("refused")
        return
    event(f"{len(found) - len(others)} records")
    assert found[:split] == others[:split]
    assert found[len(found) - len(behind) :] == others[split:]


@settings(max_examples=300, deadline=None)
@given(encoding=st.sampled_from(["utf-16", "utf-16-le", "utf-32-be", "cp1252", "shift_jis", "gb18030"]), data=st.data())
def test_nor_in_another_encoding(place, encoding, data):
    lines = [f"{t},1\n".encode(encoding) for t in ("k", "ab", "c", "d")]
    if encoding == "utf-16":
        lines[1:] = [line[2:] for line in lines[1:]]
    others = read_bytes(place, b"".join(lines), encoding=encoding)
    at = data.draw(st.integers(1, 3))
    stop = lines[at].find("\n".encode(encoding)[-len("\n".encode(encoding.removesuffix("16") + "16-le")) :]) if encoding == "utf-16" else -1
    ending = lines[at][stop:] if encoding == "utf-16" else "\n".encode(encoding)
    new = data.draw(st.one_of(st.binary(max_size=6), st.text('",\nx\ud7ff\U0001f600', max_size=4).map(lambda t: t.encode("utf-16-le"))))
    lines[at] = new + ending
    try:
        found = read_bytes(place, b"".join(lines), encoding=encoding)
    except DataError:
        return
    assert found[:at] == others[:at]
    assert found[len(found) - (3 - at) :] == others[at + 1 :]
