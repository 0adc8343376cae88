"""Delimited text (CSV, TSV, gzipped or not) as Arrow batches of texts: the whole file obeys `tabsynth.grammar`, or is refused."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import gzip
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tabsynth.errors import DataError, OptionError, TabsynthWarning
from tabsynth.reading import Reading

if TYPE_CHECKING:
    import pyarrow as pa

PACKED = (".gz", ".zst")
EXTENSIONS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
TABBED = tuple(ending for ending in EXTENSIONS if ending.startswith(".tsv"))
CHUNK, LONGEST = 1 << 22, 1 << 24
"""Bytes read at a time, and the longest record, which bounds what a quote that is never closed can make us hold."""
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encoding that a file which begins with one is in unless another is said."""


@dataclass(frozen=True)
class Csv(Reading):
    """A delimited text file and how to read it; goes wherever the path of a table goes.

    Parameters
    ----------
    path : str or path
        A ``.csv`` or ``.tsv`` file, or one of those as ``.gz`` or ``.zst``. Its first record names the columns.
    told : callable, optional
        Told how many lines were skipped, whenever the file is read; by default it is a `TabsynthWarning`. The number is exact, so it is
        CONFIDENTIAL.
    **reading
        How it is written: see `tabsynth.reading.Reading`. What is not said here, the schema says, if it has a ``reading`` block.

    Raises
    ------
    OptionError
        If an argument is none of those.
    """

    path: str | Path
    told: Callable[[int], object] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        super().__post_init__()
        if self.escape is not None and self.escape == (self.delimiter or self.usual_delimiter):
            raise OptionError(f"delimiter and escape are both {self.escape!r}; give two different characters.")

    @property
    def usual_delimiter(self) -> str:
        """What the file's name says of the delimiter."""
        return "\t" if self.path.name.lower().endswith(TABBED) else ","

    def completed(self, reading: Reading) -> Csv:
        """The same file, with what only `reading` says."""
        return dataclasses.replace(self, **reading.said | self.said)


def is_delimited(path: Path) -> bool:
    """Whether its name says that a file is delimited text."""
    return path.name.lower().endswith(EXTENSIONS)


def batches(csv: Csv) -> Iterator[pa.RecordBatch]:
    """All records as texts, an empty field as missing; at least one batch, whose schema has the names in the header as they stand.

    Nothing is certain before the last batch: the fault that has the file refused may come at its end.

    Raises
    ------
    DataError
        If the file is empty or breaks the grammar: with line and reason, and with no text of a row.
    """
    import pyarrow as pa

    from tabsynth.grammar import HEADER, TOO_LONG, grammar, scan

    csv = _settled(csv)
    skip = csv.malformed == "skip"
    rules = grammar(csv.delimiter, csv.escape, by_line=skip)
    names: list[str] = []
    columns, rest, line, skipped = 0, b"", 1, 0
    with _opened(csv.path) as file:
        for chunk in _lines(file, csv) if skip else _decoded(file, csv):
            data = np.frombuffer(rest + chunk, dtype=np.uint8)
            fields = [np.empty(len(data) + 1, dtype=each) for each in (np.int32, np.int32, np.bool_)]
            if not columns:
                _, _, out, fault, lines, columns = scan(data, not chunk, *rules, 0, 1, skip, *fields)
                _refuse(csv, *(HEADER, line) if out else (fault, line + lines))
            if columns:
                scanned = scan(data, not chunk, *rules, columns, len(data), skip, *fields)
                records, length, out, fault, lines, found = scanned
                _refuse(csv, fault, line + lines, found=found, columns=columns)
                texts = _texts(data, [each[: records * columns] for each in fields], rules[0], columns)
                if not names:
                    names = [text[0].as_py() or "" for text in texts]
                    texts = [text[1:] for text in texts]
                yield pa.record_batch(texts, names=names)
                data, line, skipped = data[length:], line + lines, skipped + out
            rest = data.tobytes()
            _refuse(csv, TOO_LONG if len(rest) > LONGEST else 0, line)
    if not columns:
        raise DataError(f"{csv.path.name} is empty; give a table whose first line names its columns.")
    if skip and csv.told:
        csv.told(skipped)
    elif skipped:
        warnings.warn(
            f"CONFIDENTIAL: {skipped:,} malformed lines of {csv.path.name} were left out.", TabsynthWarning, stacklevel=2
        )


def found(csv: Csv) -> Reading:
    """What the start of a file says that nobody said: the encoding by its byte order mark, the delimiter by its first line."""
    with _opened(csv.path) as file:
        start = file.read(1 << 16)
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    encoding = csv.encoding or marked
    line = start.decode(encoding or "utf-8", "replace").removeprefix("\ufeff").split("\n")[0]
    others = [mark for mark in ";\t|," if mark != csv.escape and line.count(mark)]
    other = (
        others[0] if csv.delimiter is None and others and csv.usual_delimiter not in line and line.count('"') % 2 == 0 else None
    )
    return Reading(encoding=None if csv.encoding else marked, delimiter=other)


def _settled(csv: Csv) -> Csv:
    """All said: what is found, and the defaults."""
    csv = csv.completed(found(csv))
    return csv.completed(Reading(encoding="utf-8", delimiter=csv.usual_delimiter))


def _refuse(csv: Csv, fault: int, line: int, **numbers: int) -> None:
    from tabsynth.grammar import FAULTS

    if fault:
        raise _malformed(csv, line, FAULTS[fault].format(**numbers))


def _malformed(csv: Csv, line: int, why: str, remedy: str = "") -> DataError:
    """The refusal of a whole file. It tells something about a row, so it is for the operator's eyes only."""
    usual = "mend the file, name its --delimiter or --escape character if it has another one, or leave such lines out by --malformed skip"
    return DataError(
        f"{csv.path.name} is refused because of line {line}: {why}; {remedy or usual}. "
        "CONFIDENTIAL, for your eyes only: this tells something about the rows. Nothing was spent or written."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    name = path.name.lower()
    try:
        with gzip.open(path) if name.endswith(".gz") else _unzstd(path) if name.endswith(".zst") else path.open("rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(f"{path.name} is cut off, damaged, or goes on behind its end; give a whole gzip file.") from None


@contextlib.contextmanager
def _unzstd(path: Path) -> Iterator[BinaryIO]:
    import pyarrow as pa

    try:
        with path.open("rb") as packed, pa.CompressedInputStream(packed, "zstd") as file:
            yield file
    except OSError as error:
        if error.errno is not None:  # the system's own
            raise
        raise DataError(f"{path.name} is cut off, damaged, or goes on behind its end; give a whole zstd file.") from None


def _decoded(file: BinaryIO, csv: Csv) -> Iterator[bytes]:
    """The file in UTF-8, without a byte order mark, some of it at a time; nothing marks the end."""
    decoder, line, mark = codecs.getincrementaldecoder(csv.encoding)(), 1, "\ufeff"
    while True:
        raw = file.read(CHUNK)
        try:
            text = decoder.decode(raw, final=not raw)
        except UnicodeError as error:  # that of UTF-16 without a mark is no UnicodeDecodeError
            if isinstance(error, UnicodeDecodeError):
                line += error.object[: error.start].decode(csv.encoding, "replace").count("\n")
            raise _malformed(
                csv,
                line,
                f"its bytes are not {csv.encoding}",
                "name another --encoding, such as cp1252, or convert the file to UTF-8",
            ) from None
        if data := text.removeprefix(mark).encode():
            yield data
        line, mark = line + text.count("\n"), "" if text else mark
        if not raw:
            yield b""
            return


def _lines(file: BinaryIO, csv: Csv) -> Iterator[bytes]:
    """As `_decoded`, in whole lines; a NUL in the place of a line that is not in the encoding, which has it skipped."""
    rest, mark = b"", "\ufeff"
    while True:
        raw = file.read(CHUNK)
        data = rest + raw
        whole = data.rfind(b"\n") + 1 if raw else len(data)
        text, rest = _decoded_lines(data[:whole], csv.encoding), data[whole:]
        if len(rest) > LONGEST:
            raise DataError(f"{csv.path.name} has a line of more than {LONGEST} bytes; check that it is a text file.")
        if data := text.removeprefix(mark).encode():
            yield data
        mark = "" if text else mark
        if not raw:
            yield b""
            return


def _decoded_lines(lines: bytes, encoding: str) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return lines.decode(encoding)
    texts = []
    for line in lines.split(b"\n"):
        try:
            texts.append(line.decode(encoding))
        except UnicodeDecodeError:
            texts.append("\0")
    return "\n".join(texts)


def _texts(data: np.ndarray, fields: list[np.ndarray], kind: np.ndarray, columns: int) -> list[pa.Array]:
    """One array of texts a column; an empty text is missing."""
    import pyarrow as pa

    from tabsynth.grammar import copy, measure

    arrays, records = [], len(fields[0]) // columns
    for column in range(columns):
        ends = np.zeros(records + 1, dtype=np.int32)
        measure(data, *fields, kind, column, columns, ends)
        text = np.empty(ends[-1], dtype=np.uint8)
        copy(data, *fields, kind, column, columns, text)
        valid = np.packbits(np.diff(ends) > 0, bitorder="little")
        arrays.append(pa.Array.from_buffers(pa.string(), records, [pa.py_buffer(each) for each in (valid, ends, text)]))
    return arrays
