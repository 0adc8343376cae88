"""Tables out: a conformed table as a CSV or Parquet file, written as the schema says that such files are written."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.delimited import Csv
from tabsynth.errors import DataError, OptionError
from tabsynth.escapes import safe_texts
from tabsynth.tables import EXTENSIONS, extension, replacing

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.schema import Column, Schema

_LOST = (("H", "hour"), ("M", "minute"), ("S", "second"))


def write_table(frame: pd.DataFrame, path: str | Path, schema: Schema, *, escape_formulas: bool = False) -> None:
    """Write a table as CSV or Parquet, by the extension; whole or not at all.

    CSV and TSV files are written as the schema's ``reading`` and its columns' ``format`` say, so that they read like the original; a
    date whose format would lose something (the century, the time of day) is written as ISO.

    Parameters
    ----------
    frame : DataFrame
        With the schema's columns, conformed.
    path : path
    schema : Schema
    escape_formulas : bool
        In CSV and TSV, put a ``'`` before what a spreadsheet may run in texts and in column names (`escapes.without_formulas`).
        Numbers and dates are not touched. Such a file is for looking at: its texts are no longer all labels of the schema.

    Raises
    ------
    DataError
        If the extension is unknown, or the schema's encoding lacks a character that is in the table.
    OptionError
        If formulas are to be escaped in Parquet.
    """
    path = check_extension(path, escape_formulas=escape_formulas)
    dates = [c.name for c in schema.columns if c.kind == "date"]
    out = frame.assign(**{name: frame[name].dt.date for name in dates})
    with replacing(path) as partial:
        if extension(path) == ".parquet":
            with partial.open("wb") as file:
                out.to_parquet(file, index=False)
            return
        how = Csv(path).completed(schema.reading)
        written = {c.name: texts for c in schema.columns if (texts := _formatted(frame[c.name], c, how)) is not None}
        out = out.assign(**written)
        _write_text(safe_texts(out) if escape_formulas else out, partial, how)


def _write_text(out: pd.DataFrame, partial: Path, how: Csv) -> None:
    quoting = csv.QUOTE_NONNUMERIC if how.escape or _has_returns(out) else csv.QUOTE_MINIMAL
    escaped = {"escapechar": how.escape, "doublequote": False} if how.escape else {}
    layout = {"sep": how.delimiter or how.usual_delimiter, "decimal": how.decimal or ".", "quoting": quoting, **escaped}
    encoding = how.encoding or "utf-8"
    try:
        with _packed(partial, how.path, encoding) as place:
            out.to_csv(place["to"], index=False, lineterminator="\n", encoding=encoding, **layout, **place["how"])
    except UnicodeEncodeError:
        raise DataError(
            f"{how.path.name} cannot be written in {how.encoding}, which lacks a character of the table; write Parquet, or set reading.encoding to utf-8."
        ) from None


class _Onward(io.RawIOBase):
    """Bytes on their way to another stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def write(self, data: Any) -> int:
        """See `io.RawIOBase`."""
        self._stream.write(bytes(data))
        return len(data)


@contextlib.contextmanager
def _packed(partial: Path, path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    """Where and how pandas writes a file that may be compressed."""
    if path.suffix.lower() == ".zst":
        import pyarrow as pa

        with partial.open("wb") as file, pa.CompressedOutputStream(file, "zstd") as packed:
            text = io.TextIOWrapper(io.BufferedWriter(_Onward(packed)), encoding=encoding, newline="")
            if encoding in ("utf-16", "utf-32"):  # a stream that cannot seek begins without a mark
                text.write("\ufeff")
            yield {"to": text, "how": {}}
            text.flush()
    else:
        yield {"to": partial, "how": {"compression": {"method": "gzip", "mtime": 0} if path.suffix.lower() == ".gz" else None}}


def _formatted(values: pd.Series, column: Column, how: Csv) -> pd.Series | None:
    """Dates and times as texts of their format; None where there is none, or it would lose something."""
    form = column.kind in ("date", "datetime") and (column.format or how.date_format)
    if not form or "%Y" not in form:
        return None
    known = values.dropna().dt
    lost = [part for name, part in _LOST if f"%{name}" not in form and not (name == "H" and "%I" in form)]
    if any((getattr(known, part) != 0).any() for part in lost) or (len(known.year) and known.year.min() < 1000):
        return None
    return values.dt.strftime(form).where(values.notna(), None)


def check_extension(path: str | Path, *, escape_formulas: bool = False) -> Path:
    """Refuse an output file whose extension does not name a format, or names one that has no formulas to escape."""
    path = Path(path)
    if (kind := extension(path)) not in EXTENSIONS:
        raise DataError(f"{path.name} ends in {kind or 'nothing'!r}; let the output end in one of {', '.join(EXTENSIONS)}.")
    if escape_formulas and kind == ".parquet":
        raise OptionError(f"{path.name} is Parquet, which no spreadsheet runs; leave out --escape-formulas, or write CSV or TSV.")
    return path


def _has_returns(frame: pd.DataFrame) -> bool:
    """Whether a text holds a carriage return, which pandas writes without quotes."""
    texts = [frame[name].dropna() for name in frame.select_dtypes(["object", "string"])]
    return any("\r" in value for column in texts for value in column.unique() if isinstance(value, str))
