"""The door for NPZ files that a stranger may have written: what they declare is added up before any of it is unpacked."""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from tabsynth.errors import FolderError

MEMBERS = 200_000
"""Most arrays in a file."""
FREE, RATIO, MOST = 64 * 2**20, 100, 2**31
"""A file may unpack to `FREE` bytes and `RATIO` times its own size, and never to more than `MOST`."""

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '[<|]([iuf][1248])', 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,18}, ?)*(?:[0-9]{1,18})?)\), \} *\n"
)
"""What numpy writes before an array of numbers, in the NPY format, version 1."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file as `numpy.savez_compressed` writes them: numbers of at most 8 bytes. Nothing of it is executed.

    Raises
    ------
    FolderError
        If it declares more than it may unpack to, or holds anything but arrays of numbers.
    OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error
        If it is damaged.
    """
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
        if len(members) > MEMBERS or len({m.filename for m in members}) < len(members):
            raise FolderError(f"it holds more than {MEMBERS:,} arrays, or one of them twice")
        if any(m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or m.flag_bits & 1 for m in members):
            raise FolderError("an array is packed in a way that tabsynth does not write")
        allowed = min(MOST, FREE + RATIO * path.stat().st_size)
        if sum(m.file_size for m in members) > allowed:
            raise FolderError(f"its arrays declare more than {allowed // 2**20:,} MiB, the most that a file of its size may hold")
        return {m.filename.removesuffix(".npy"): _read(file, m) for m in members}


def _read(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with file.open(member) as stream:
        shape, kind, columns_first = _header(stream)
        size = math.prod(shape) * kind.itemsize
        if size != member.file_size - stream.tell():
            raise FolderError("the shape of an array is not that of its contents")
        content = stream.read(size)
        if len(content) != size or stream.read(1):
            raise FolderError("an array ends too early or too late")
    array = np.frombuffer(bytearray(content), dtype=kind)
    return np.ascontiguousarray(array.reshape(shape[::-1]).T) if columns_first else array.reshape(shape)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape and type of an array, and whether its first axis varies fastest."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise FolderError("an array is written in a format or version that tabsynth does not write")
    found = _HEADER.fullmatch(stream.read(int.from_bytes(stream.read(2), "little")))
    if not found:
        raise FolderError("an array holds something else than numbers of up to 8 bytes")
    kind, columns_first, shape = found.groups()
    return tuple(int(n) for n in shape.split(b",") if n.strip()), np.dtype("<" + kind.decode()), columns_first == b"True"
