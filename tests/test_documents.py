"""What a stranger wrote is read within limits, and what goes beyond them is refused in one sentence."""

import io
import json
import resource
import struct
import time
import zipfile

import numpy as np
import pytest

from tabsynth import Schema, documents
from tabsynth.arrays import read_arrays
from tabsynth.documents import read_json
from tabsynth.errors import FolderError, SchemaError
from tabsynth.policy import Policy
from tabsynth.published import read_document
from tabsynth.release import read_card

JSON = {
    "not text": b"\xff\xfe{}",
    "not a number": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "beyond a float": b'{"a": 1e999}',
    "a long number": b'{"a": ' + b"9" * 100_000 + b"}",
    "a name twice": b'{"a": 1, "a": 2}',
    "deep": b"[" * 200 + b"]" * 200,
    "very deep": b"[" * 200_000,
    "half a surrogate": b'{"a": "\\uD800"}',
}


@pytest.mark.parametrize("content", JSON.values(), ids=JSON)
def test_json_that_is_refused(content, tmp_path):
    (tmp_path / "x.json").write_bytes(content)
    for read in (read_card, lambda path: read_document(path, ("tabsynth.report",), "a report")):
        with pytest.raises(FolderError, match=r"cannot be read as JSON.*restore it or make it again\.$"):
            read(tmp_path / "x.json")


def test_a_large_file_is_not_held(tmp_path):
    """A sparse file of 16 GiB, as any kind of document."""
    from tabsynth.interop.sdv import from_sdv

    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(2**34)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (read_card, Schema.load, Policy.load, from_sdv):
        with pytest.raises(ValueError, match=r"more than \d+ MiB"):
            read(tmp_path / "x.json")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024


def test_json_at_its_limits_is_read(tmp_path):
    document = {"a": [2**63, -1.5e300, "é", None, True], "b": []}
    for _ in range(documents.DEEPEST - 3):
        document = {"b": document}
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert read_json(tmp_path / "x.json", FolderError, "") == document


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{y}: &{y} [{', '.join(['*' + x] * 10)}]\n" for x, y in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "aliases of aliases": LAUGHS + "protected: *i\ncolumns: {x: {kind: boolean}}",
    "an alias of itself": "columns: &a {x: *a}",
    "deep": "columns: " + "[" * 150 + "]" * 150,
    "a long number": "columns: {x: {kind: integer, minimum: 0, maximum: 0x" + "f" * 100_000 + "}}",
    "half a surrogate": 'name: "\\uD800"\ncolumns: {x: {kind: boolean}}',
}


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_yaml_that_is_refused(text, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    started = time.monotonic()
    with pytest.raises(SchemaError) as refused:
        Schema.load(tmp_path / "x.yaml")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
    assert time.monotonic() - started < 5


def test_anchors_of_schemas_are_read(tmp_path):
    (tmp_path / "x.yaml").write_text("columns:\n  a: &one {kind: integer, minimum: 0, maximum: 9}\n  b: *one\n  c: *one\n")
    assert Schema.load(tmp_path / "x.yaml")["c"].maximum == 9


def npz(path, members, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, member in members:
            file.writestr(name, member)
    return path


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def with_header(header, content=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + content


HEADER = "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}"
BOMBS = {
    "zeros that pack well": [("a.npy", npy(np.zeros(100_000_000, dtype=np.int8)))],
    "a declared length of 10**12": [("a.npy", with_header(HEADER.format("<f8", "(1000000000000,)")))],
    "lengths whose product overflows": [("a.npy", with_header(HEADER.format("<f8", "(4294967296, 4294967296)"), bytes(8)))],
    "a negative length": [("a.npy", with_header(HEADER.format("<f8", "(-1,)"), bytes(8)))],
    "objects": [("a.npy", with_header(HEADER.format("|O", "(1,)"), bytes(8)))],
    "complex numbers": [("a.npy", npy(np.zeros(1, dtype=complex)))],
    "the other byte order": [("a.npy", npy(np.zeros(1, dtype=">f8")))],
    "less than declared": [("a.npy", npy(np.zeros(9))[:-8])],
    "more than declared": [("a.npy", npy(np.zeros(9)) + bytes(8))],
    "not an array": [("a.npy", b"hello")],
}


@pytest.mark.parametrize("members", BOMBS.values(), ids=BOMBS)
def test_arrays_that_are_refused_before_they_are_unpacked(members, tmp_path):
    path = npz(tmp_path / "x.npz", members)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FolderError):
        read_arrays(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_refused(kind, tmp_path):
    """Their decoders unpack as much as there is, whatever is declared."""
    with pytest.raises(FolderError, match="packed in a way"):
        read_arrays(npz(tmp_path / "x.npz", [("a.npy", npy(np.zeros(3)))], kind))


def test_an_array_that_comes_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = npz(tmp_path / "x.npz", [("a.npy", npy(np.zeros(3)))] * 2)
    with pytest.raises(FolderError, match="twice"):
        read_arrays(path)


def test_what_numpy_writes_is_read(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.random((3, 4, 5)),
        "b": np.asfortranarray(rng.random((4, 5))),
        "c": np.zeros((0, 0), dtype=np.float32),
        "d": np.arange(7, dtype=np.int8),
        "e": np.array(5),
        "f": np.ones((1, 3), dtype=np.int32),
    }
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    found = read_arrays(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].flags.c_contiguous
        assert found[name].flags.writeable
