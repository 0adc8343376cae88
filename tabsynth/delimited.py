"""Delimited text (CSV, TSV, gzipped or not) as Arrow batches of texts: the whole file obeys `tabsynth.grammar`, or is refused."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tabsynth.errors import DataError, OptionError

if TYPE_CHECKING:
    import pyarrow as pa

EXTENSIONS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
CHUNK, LONGEST = 1 << 22, 1 << 24
"""Bytes read at a time, and the longest record, which bounds what a quote that is never closed can make us hold."""
SHIFTING = ("utf_7", "iso2022", "hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")
"""Encodings in which one record can change how the next one reads, or which are none of files."""


@dataclass(frozen=True)
class Csv:
    """A delimited text file and how to read it; goes wherever the path of a table goes.

    Parameters
    ----------
    path : str or path
        A ``.csv``, ``.tsv``, ``.csv.gz`` or ``.tsv.gz`` file. Its first record names the columns.
    encoding : str
        Name of a Python codec. One with shift states (``utf-7``, ``iso2022_jp``) is refused: a record could change how the next reads.
    delimiter : str, optional
        One ASCII character; by default a tab in ``.tsv`` and a comma elsewhere.
    escape : str, optional
        One ASCII character that stands before a quote, or before itself, inside quotes (a backslash in files of Spark and MySQL).
        Outside quotes it is refused.
    malformed : str
        ``refuse``: a file that breaks the grammar of `tabsynth.grammar` is refused as a whole. ``skip``: each line is read by itself;
        one that breaks the grammar, has another number of fields than the header or is not in the encoding is left out. No
        field may hold a line break then: what follows the break would be a line too, and could read as a record of somebody else.
    told : callable, optional
        Told how many lines were skipped, whenever the file is read. The number is exact, so it is CONFIDENTIAL.

    Raises
    ------
    OptionError
        If an argument is none of those.
    """

    path: str | Path
    encoding: str = "utf-8"
    delimiter: str | None = None
    escape: str | None = None
    malformed: str = "refuse"
    told: Callable[[int], object] = lambda _skipped: None

    def __post_init__(self) -> None:
        tabs = str(self.path).lower().removesuffix(".gz").endswith(".tsv")
        settled = {
            "path": Path(self.path),
            "encoding": _codec(self.encoding),
            "delimiter": ("\t" if tabs else ",") if self.delimiter is None else self.delimiter,
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        for name, value in (("delimiter", self.delimiter), ("escape", "\\" if self.escape is None else self.escape)):
            if not (isinstance(value, str) and len(value) == 1 and value.isascii() and value not in '"\r\n\0'):
                raise OptionError(f"{name} is {value!r}; give one ASCII character other than a quote or a line break.")
        if self.delimiter == self.escape:
            raise OptionError(f"delimiter and escape are both {self.escape!r}; give two different characters.")
        if self.malformed not in ("refuse", "skip"):
            raise OptionError(f"malformed is {self.malformed!r}; allowed are refuse and skip.")
        if self.malformed == "skip" and '\r\n"'.encode(self.encoding) != b'\r\n"':
            raise OptionError(f"malformed is 'skip', which {self.encoding} does not allow; convert the file to UTF-8.")


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
    if skip:
        csv.told(skipped)


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
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(f"{path.name} is cut off, damaged, or goes on behind its end; give a whole gzip file.") from None


def _decoded(file: BinaryIO, csv: Csv) -> Iterator[bytes]:
    """The file in UTF-8, without a byte order mark, some of it at a time; nothing marks the end."""
    decoder, line, mark = codecs.getincrementaldecoder(csv.encoding)(), 1, "\ufeff"
    while True:
        raw = file.read(CHUNK)
        try:
            text = decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
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


def _codec(encoding: Any) -> str:
    """The codec's own name."""
    try:
        info = codecs.lookup(encoding)
        name = info.name.replace("-", "_")
        if info._is_text_encoding and not name.startswith(SHIFTING):
            return "utf-8" if name == "utf_8_sig" else info.name
    except (LookupError, TypeError, ValueError):
        pass
    raise OptionError(
        f"encoding is {encoding!r}; give one such as utf-8, cp1252 or utf-16 (none with shift states, such as utf-7)."
    )
