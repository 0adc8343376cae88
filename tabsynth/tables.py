"""Tables in: a DataFrame, CSV or Parquet file as an Ibis table on an embedded DuckDB (out: `tabsynth.writing`).

Nothing is inferred from values: of delimited text every column is read as text, in a fixed dialect (`tabsynth.delimited.Csv`), and empty means
missing. A file is read to its end before anything else is done with it. One that cannot be read whole is refused as a whole, so
no record's text can change how another record reads. Errors of the engine may quote values, so they are replaced.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import glob
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.delimited import EXTENSIONS as DELIMITED
from tabsynth.delimited import PACKED, Csv, batches, is_delimited
from tabsynth.errors import DataError, SchemaError

if TYPE_CHECKING:
    import ibis
    import pandas as pd
    import pyarrow as pa

    from tabsynth.schema import Schema

EXTENSIONS = (*DELIMITED, ".parquet")
UNREADABLE = "the data cannot be read to its end; check that the file is complete and of the type its name says."
_GROUP = 1 << 17, 1 << 25
"""Rows or bytes that a row group of the workspace's own files holds at least."""


undo: list[Callable[[], object]] = []
"""What to call, newest first, where the process is told to stop: removes what is half written. Each may be called at any time."""


class Workspace:
    """An embedded DuckDB that leaves nothing behind: in memory, spilling to a private folder that goes with it.

    Delimited text is read once, into a file in that folder. A Parquet file is read where it is, and must stay as it is meanwhile.
    """

    def __init__(self) -> None:
        import ibis

        self._folder = tempfile.TemporaryDirectory(prefix="tabsynth-")
        undo.append(self._folder.cleanup)
        self._read: dict[Path, tuple[int, ...]] = {}
        self.connection = ibis.duckdb.connect(temp_directory=self._folder.name)
        self.connection.raw_sql("SET enable_progress_bar = false; SET preserve_insertion_order = true")

    def close(self) -> None:
        """Forget everything.

        Raises
        ------
        DataError
            If a file was changed since it was opened.
        """
        self.connection.disconnect()
        undo.remove(self._folder.cleanup)
        self._folder.cleanup()
        if changed := [path for path, was in self._read.items() if _state(path) != was]:
            raise DataError(f"{changed[0].name} changed while it was read; run again, and leave the file alone meanwhile.")

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, data: Any) -> ibis.Table:
        """A DataFrame, or a CSV or Parquet file, as a lazy Ibis table. A file has been read to its end then.

        Parameters
        ----------
        data : DataFrame, path or `tabsynth.Csv`
            A path is the name of one file, whatever characters it has: no pattern, no address.

        Raises
        ------
        DataError
            If the file is missing, empty, of an unknown type, malformed or damaged, or names a column twice.
        """
        import pandas as pd

        if isinstance(data, pd.DataFrame):
            return self._open_frame(data)
        if not isinstance(data, str | os.PathLike | Csv):
            raise DataError(
                f"the data is a {type(data).__name__}; give a DataFrame or the path of one {', '.join(EXTENSIONS)} file "
                "(several tables: join them first)."
            )
        path = data.path if isinstance(data, Csv) else Path(data)
        if path.is_dir():
            raise DataError(f"{path} is a folder; give one {', '.join(EXTENSIONS)} file.")
        if not path.is_file():
            raise DataError(f"there is no file {path}; give the path of a {', '.join(EXTENSIONS)} file.")
        kind = extension(path)
        if not isinstance(data, Csv) and kind not in EXTENSIONS:
            raise DataError(f"{path.name} ends in {kind or 'nothing'!r}; convert it to one of {', '.join(EXTENSIONS)}.")
        if path.stat().st_size == 0:
            raise DataError(f"{path.name} is empty; give a table whose first line names its columns.")
        if isinstance(data, Csv) or is_delimited(path):
            return self._open_csv(data if isinstance(data, Csv) else Csv(path))
        with redacted(f"{path.name} cannot be read as a parquet table; check that the file is complete and of that type."):
            return self._open_parquet(path)

    def _open_frame(self, frame: pd.DataFrame) -> ibis.Table:
        import pyarrow as pa

        if not all(isinstance(name, str) for name in frame.columns):
            raise DataError("the DataFrame has column names that are not text; rename them.")
        _check_names(list(frame.columns), "the DataFrame")
        with redacted("the DataFrame holds values that cannot be read; convert its columns to numbers, texts or dates."):
            arrow = pa.table({name: _stored(frame[name]) for name in frame.columns})
            return self.connection.create_table(f"frame_{id(frame)}_{len(self.connection.list_tables())}", arrow, temp=True)

    def _open_parquet(self, path: Path) -> ibis.Table:
        import pyarrow.parquet as pq

        self._read[path] = _state(path)
        with path.open("rb") as file:
            _check_names(pq.read_schema(file).names, path.name)
        link = self._new_file()
        link.symlink_to(path.absolute())
        table = self._scan(link)
        table.aggregate(**{f"hash {i}": table[name].hash().max() for i, name in enumerate(table.columns)}).to_pyarrow()
        return table

    def _open_csv(self, csv: Csv) -> ibis.Table:
        import pyarrow.parquet as pq

        rows, path = batches(csv), self._new_file()
        first = next(rows)
        _check_names(first.schema.names, csv.path.name)
        with path.open("wb") as file, pq.ParquetWriter(file, first.schema, compression="lz4", write_statistics=False) as writer:
            for group in _groups(itertools.chain([first], rows)):
                writer.write_table(group)
        return self._scan(path)

    def _new_file(self) -> Path:
        """A name in the workspace's folder, without any character that an engine could take for more than a name."""
        return Path(self._folder.name, f"{len(os.listdir(self._folder.name))}.parquet")

    def _scan(self, path: Path) -> ibis.Table:
        return self.connection.read_parquet(glob.escape(str(path)), hive_partitioning=False)


def extension(path: Path) -> str:
    """The end of a file's name that says what is in it, in lower case."""
    *_, last = ("", *path.suffixes)
    return "".join(path.suffixes[-2:]).lower() if last.lower() in PACKED else last.lower()


def _state(path: Path) -> tuple[int, ...]:
    """What is different after a file was written to or replaced; nothing where it is gone."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return ()


def _groups(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches joined to row groups of a size that is read fast."""
    import pyarrow as pa

    group: list[pa.RecordBatch] = []
    size = np.zeros(2, dtype=np.int64)
    for batch in rows:
        group.append(batch)
        size += batch.num_rows, batch.nbytes
        if (size >= _GROUP).any():
            yield pa.Table.from_batches(group)
            group, size = [], size * 0
    if group:
        yield pa.Table.from_batches(group)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and is removed when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with undone(lambda: partial.unlink(missing_ok=True)):
        yield partial
        os.replace(partial, path)


@contextlib.contextmanager
def undone(remove: Callable[[], object]) -> Iterator[None]:
    """Call `remove` at the end of the block, and also where the process is told to stop inside it."""
    undo.append(remove)
    try:
        yield
    finally:
        remove()
        undo.remove(remove)


@contextlib.contextmanager
def redacted(sentence: str) -> Iterator[None]:
    """Replace an engine's error, which may quote values, by `sentence` (with TABSYNTH_DEBUG set, its cause is kept)."""
    import duckdb
    import ibis
    import pyarrow as pa

    try:
        yield
    except (duckdb.Error, ibis.IbisError, pa.ArrowException, UnicodeDecodeError, csv.Error, OverflowError, OSError) as error:
        if (
            isinstance(error, OSError) and error.errno is not None
        ):  # the system's own; Arrow raises one without a number for bad content
            raise
        if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) and "space" in str(error).lower():
            raise OSError(28, "no space left on device") from None
        raise DataError(sentence) from (error if os.environ.get("TABSYNTH_DEBUG") else None)


def check_columns(names: list[str] | tuple[str, ...], schema: Schema) -> None:
    """Compare a table's columns with the schema's.

    Raises
    ------
    SchemaError
        If one has a column that the other does not.
    """
    if missing := [n for n in schema.names if n not in names]:
        raise SchemaError(
            f"the data has no column {_some(missing)}, which schema {schema.name!r} describes; add it or remove it from the schema."
        )
    if extra := [n for n in names if n not in schema.names]:
        raise SchemaError(
            f"the data has {_some(extra)}, which schema {schema.name!r} does not describe; describe it, drop it from the data, "
            "or check that the first line names the columns."
        )


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(n[:40]) for n in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _check_names(names: list[str], what: str) -> None:
    """Refuse columns without a name, with the same name, or with names that differ in case only: the engine does not tell those apart."""
    if twice := sorted({n for n in names if names.count(n) > 1 and n}):
        raise DataError(f"{what} names {_some(twice)} more than once; rename or drop the repeated column.")
    folded = Counter(n.casefold() for n in names)
    if alike := [n for n in names if n and folded[n.casefold()] > 1]:
        raise DataError(f"{what} has columns that differ in upper and lower case only: {_some(alike)}; rename one of them.")
    if "" in names:
        first = names[0] == "" and names.count("") == 1
        index = "; it is the first, as where a program wrote row numbers: write the table without them (pandas: index=False)"
        raise DataError(f"{what} has an empty column name{index if first else ''}; every column must have a name.")


def _stored(column: pd.Series) -> pa.Array | pa.ChunkedArray:
    """Truth values, numbers, times and texts as they are, everything else as text: no engine has to guess a type from values.

    Times are those of UTC, cut to microseconds.
    """
    import pandas as pd
    import pyarrow as pa

    kind, types = column.dtype, pd.api.types
    if isinstance(kind, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return _stored(column.cat.categories.to_series()).take(pa.array(codes, mask=codes < 0))
    if isinstance(kind, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    if column.dtype == "datetime64[ns]":
        column = column.dt.as_unit("us")
    typed = (types.is_bool_dtype, types.is_integer_dtype, types.is_float_dtype, types.is_datetime64_any_dtype)
    text = isinstance(kind, pd.StringDtype) or (
        types.is_object_dtype(kind) and types.infer_dtype(column, skipna=True) == "string"
    )
    if text or any(is_typed(kind) for is_typed in typed):
        with contextlib.suppress(pa.ArrowException, UnicodeEncodeError):
            return pa.array(column)
    return pa.array([_text(value) for value in column], type=pa.string())


def _text(value: Any) -> str | None:
    """An object as `conform` reads it from a typed column, so that one odd value does not change how the others read."""
    import pandas as pd

    types = pd.api.types
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    try:
        if types.is_scalar(value) and pd.isna(value):
            return None
        if types.is_bool(value):
            return str(value).lower()
        if isinstance(value, complex) and value.imag == 0:
            value = value.real
        if types.is_float(value):
            value = float(value)
            return str(int(value)) if value.is_integer() and abs(value) < 2**63 else str(value)
        if isinstance(value, np.timedelta64 | dt.timedelta):
            return str(pd.Timedelta(value))
        if isinstance(value, np.datetime64):
            value = pd.Timestamp(value)
        if isinstance(value, dt.datetime):
            value = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
            return value.isoformat(" ", "microseconds").rstrip("0").rstrip(".")
        return str(value).encode(errors="replace").decode()
    except Exception:  # an object may be anything, and what cannot be written down counts as missing
        return None
