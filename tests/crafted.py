"""Model folders that a stranger may have made: seeded mutations of the three files of a real one, and what has to come of them.

Run as a program, so that a crash is the exit code of a process of its own:  python crafted.py FOLDER FIRST LAST
"""

from __future__ import annotations

import copy
import faulthandler
import io
import json
import random
import resource
import struct
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tabsynth import Release
from tabsynth.errors import FolderError, OptionError
from tabsynth.schema import Schema

SECONDS, MEBIBYTES = 30, 2_000
"""What a trial may take, and what all trials of a process may hold at once."""

PLAIN = (
    0, -1, 1, 2, 3, 0.5, 2**31, 2**63, 10**19, -(2**63), 1e300, 1e308, -1e308, 5e-324, True, False, None, "", "a", "NaN", "sick", [], {},
    [0], [[0, 1]], [[1, 0]], [[0, 0]], [[0, 99]], [[-1, 0]], {"a": 1}, [[[[]]]], "\u202e\x1b[31m", "\ud800", 1e-320, 10**9 + 1,
)  # fmt: skip
TEXT = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"[" * 5000,
    b'{"a":' * 500,
    b"\xff",
    b"\x00",
    b'"\\ud800"',
    b"1e-999",
)
NUMBERS = (np.nan, np.inf, -np.inf, -1, 0, 1, 2, 127, 2**15, 2**31 - 1, -(2**31), 1e30, -1e30, 1e300, 1e-320, 0.5)
KINDS = ("f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u8", ">f8", ">i4", "c16", "?", "S4", "U2", "V8", "M8[s]")


def mutated(files: dict[str, bytes], seed: int) -> dict[str, bytes]:
    """The files with one to three changes."""
    rng, files = random.Random(seed), dict(files)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(("model.json", "model.json", "model.npz", "model.npz", "card.json"))
        change = rng.choice(
            (_plain, _plain, _plain, _text, _bytes) if name.endswith("json") else (_arrays,) * 5 + (_packed, _bytes)
        )
        try:
            files[name] = change(files[name], rng)
        except Exception:  # a change of what an earlier one damaged
            files[name] = _bytes(files[name], rng)
    return files


def _plain(content: bytes, rng: random.Random) -> bytes:
    """Replace, drop, repeat, move or nudge one value somewhere in a JSON document."""
    document = json.loads(content)
    holder, key = {"": document}, ""
    while isinstance(holder[key], dict | list) and holder[key] and (rng.random() < 0.85 or holder[key] is document):
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    value, other = holder[key], rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    match rng.randrange(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(value))
        case 1:
            holder[rng.choice(("x", "total", "labels", "null", "pairs"))] = value
        case 2:
            holder[key], holder[other] = holder[other], value
        case 3 | 4 if isinstance(value, int | float) and not isinstance(value, bool):
            holder[key] = rng.choice((value + 1, value - 1, -value, value * 2, value * 1000, value + 0.5))
        case 5 if isinstance(value, list):
            rng.shuffle(value)
        case _:
            holder[key] = rng.choice(PLAIN)
    return json.dumps(document).encode()


def _text(content: bytes, rng: random.Random) -> bytes:
    """Put something odd in a place of the JSON text."""
    at = content.find(rng.choice((b":", b",", b"[")), rng.randrange(len(content))) + 1
    end = at + rng.choice((0, 1, 2, 5))
    return content[:at] + rng.choice(TEXT) + content[end:]


def _bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut or repeat bytes."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if out:
            out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out[: rng.randrange(len(out) + 1)]) if rng.random() < 0.2 else bytes(out)


def _arrays(content: bytes, rng: random.Random) -> bytes:
    """Change the type, shape, values or name of an array."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    name, other = rng.choice(list(arrays)), rng.choice(list(arrays))
    array = arrays[name]
    flat = array.reshape(-1)
    match rng.randrange(11):
        case 0:
            arrays[name] = array.astype(rng.choice(KINDS))
        case 1:
            arrays[name] = array.reshape(rng.choice(((-1,), (1, *array.shape), (*array.shape, 1), array.shape[::-1])))
        case 2:
            arrays[name] = np.concatenate([array, array[: rng.choice((1, 5, None))]])
        case 3:
            arrays[name] = array[rng.choice((1, 5, len(array))) :]
        case 4:
            arrays[name], arrays[other] = arrays[other], array
        case 5:
            del arrays[name]
        case 6:
            arrays[rng.choice(("x", "pair_99", "column_99", "hidden_1", "shift_9", "table_7"))] = array
        case 7 if array.size:
            flat[:] = rng.choice(NUMBERS)
        case 8 if array.size:
            flat[:] = flat[np.random.default_rng(rng.randrange(2**32)).permutation(len(flat))]
        case _ if array.size:
            for _ in range(rng.choice((1, 1, 3))):
                flat[rng.randrange(len(flat))] = rng.choice(NUMBERS)
    return _zipped({n: _npy(a) for n, a in arrays.items()})


def _packed(content: bytes, rng: random.Random) -> bytes:
    """Forge what the archive, or the header of an array, says."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = {m.removesuffix(".npy"): file.read(m) for m in file.namelist()}
    name = rng.choice(list(members))
    header = rng.choice(
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
            "{'descr': '<f4', 'fortran_order': True, 'shape': (-1, 3), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': " + "(" * 300 + ")" * 300 + ", }",
            "__import__('os').abort()",
        )
    )
    match rng.randrange(4):
        case 0:
            members[name] = (
                b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + members[name][128:]
            )
        case 1:
            members[name] = _npy(np.zeros(12_000_000, dtype=np.int64))
        case 2:
            members[name] = members[name][: rng.randrange(len(members[name]))]
        case 3:
            return _zipped(members, rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED)))
    return _zipped(members)


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, member in members.items():
            file.writestr(name + ".npy", member)
    return out.getvalue()


def outcome(folder: Path) -> str:
    """``refused``, or ``works``: it samples rows of its schema; an AssertionError or anything else is a finding."""
    try:
        release = Release.load(folder)
    except FolderError as error:
        assert "\n" not in str(error) and len(str(error)) < 600, "not one sentence"  # noqa: PT018
        return "refused"
    assert 1 <= release.rows <= 10**9
    check_rows(release.sample(50, seed=7), release.schema, 50)
    codes, sizes = release.model.sample(700, np.random.default_rng(3)), list(release.codec.domain.values())
    assert codes.shape == (700, len(sizes)) and (codes >= 0).all() and (codes < sizes).all(), "codes beyond the domain"  # noqa: PT018
    for column in release.schema.modelled[:3]:
        try:
            release.sample(20, where=f'"{column.name}" is not missing')
        except OptionError as error:
            assert "\n" not in str(error)
    return "works"


def check_rows(frame: Any, schema: Schema, rows: int) -> None:
    """A table has the schema's columns and values."""
    assert len(frame) == rows and tuple(frame.columns) == schema.names  # noqa: PT018
    for c in schema.modelled:
        values = frame[c.name]
        assert c.nullable or values.notna().all(), "missing where that is not allowed"
        known = values.dropna()
        assert not c.labels or known.isin([*c.labels, "OTHER"]).all(), "a label that is not in the schema"
        if c.minimum is not None and len(known):
            low, high = (np.datetime64(end) if c.kind[:4] == "date" else end for end in (c.minimum, c.maximum))
            assert known.min() >= low and known.max() <= high, "a value beyond the range"  # noqa: PT018


def main(folder: Path, first: int, last: int) -> None:
    """Make and try the mutations of these seeds; print what became of them."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert outcome(folder) == "works", "what it starts from; this compiles what it needs, too"
    counts = {"refused": 0, "works": 0}
    with tempfile.TemporaryDirectory() as made:
        for seed in range(first, last):
            for name, content in mutated(files, seed).items():
                (Path(made) / name).write_bytes(content)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            print(f"trial {seed}", file=sys.stderr, flush=True)  # noqa: T201
            counts[outcome(Path(made))] += 1
            faulthandler.cancel_dump_traceback_later()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert held < MEBIBYTES, f"{held} MiB"
    print(json.dumps(counts | {"MiB": held}))  # noqa: T201


if __name__ == "__main__":
    faulthandler.enable()
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
