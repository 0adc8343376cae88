"""Source: where the real rows live. Every answer here is exact, so nothing outside `curator` may see one.

The rows stay in the engine (an embedded DuckDB reading the DataFrame or file), which bounds and conforms them and streams columns in
batches. Their codes are made once and kept, a byte or two each. What is asked of them is a batch of histograms, contingency tables or
cross-products, answered in one pass.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.access import Attrs
from tabsynth.codec import Bins, Codec, Labels
from tabsynth.conform import conform, opened
from tabsynth.curator._count import count
from tabsynth.curator._grids import classes
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import OTHER, Column, Schema
from tabsynth.tables import UNREADABLE, Workspace, redacted
from tabsynth.times import Times, resolved, view

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

_CHUNK = 1 << 16
_GRAM_ROWS = 1 << 13
_BATCH_VALUES = 1 << 23
_RANK, _UNIT = "__tabsynth_rank", "__tabsynth_unit"
_SLOW_WHEN_WIDE = "in_clause"
"""DuckDB would turn each list of labels into a join of the whole table, also for columns that nobody asked for."""


class Source:
    """A conformed table in which no unit has more than ``schema.unit.max_rows`` rows.

    Parameters
    ----------
    data : DataFrame, path or Csv
        A file has been read to its end before anything is answered.
    schema : Schema

    Raises
    ------
    DataError, SchemaError
        If the table cannot be read, or has other columns than the schema.
    """

    def __init__(self, data: Any, schema: Schema) -> None:
        self.schema = schema
        self._workspace = Workspace()
        self._workspace.connection.raw_sql(f"SET disabled_optimizers = '{_SLOW_WHEN_WIDE}'")
        try:
            raw, how = opened(self._workspace, data, schema)
            with redacted(UNREADABLE):
                conformed = self._workspace.connection.create_view("conformed", conform(raw, schema, how))
                self._rows = self._bounded(conformed)
        except BaseException:
            self._workspace.close()
            raise

    def close(self) -> None:
        """Forget the rows."""
        self._workspace.close()

    def cells(self, edges: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Histogram of each column, or view of one (`tabsynth.times.resolved`), over the cells between sorted edges.

        Returns
        -------
        dict of ndarray of int64, shape (len(edges) + 1,)
            Cell i counts the values with i edges at or below them. Missing and special values are not counted.
        """
        tables = {n: np.zeros(len(e) + 2, dtype=np.int64) for n, e in edges.items()}
        asked = {n: resolved(self.schema, n) for n in edges}
        columns = list(dict.fromkeys(column.name for column, _ in asked.values()))
        for batch in self._batches(columns):
            for name, table in tables.items():
                (column, what), missing = asked[name], len(table) - 1
                values = batch[columns.index(column.name)]
                if what is None:
                    place = _cell(values, edges[name], column, missing=missing)
                else:
                    seconds, unknown = _seconds(values)
                    place = np.where(unknown, missing, np.searchsorted(edges[name], view(seconds, what), side="right"))
                table += np.bincount(place, minlength=len(table))
        return {name: table[:-1] for name, table in tables.items()}

    def grids(self, steps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Number of values in each of the classes that `tabsynth.curator._grids.classes` puts them in, but for missing and special ones."""
        import pyarrow.compute as pc

        tables = {n: np.zeros(len(s) + 2, dtype=np.int64) for n, s in steps.items()}
        for batch in self._batches(list(steps)):
            for values, (name, table) in zip(batch, tables.items(), strict=True):
                known = values.filter(pc.less(_sentinel(values, self.schema[name]), 0)).drop_null().to_numpy(zero_copy_only=False)
                table += np.bincount(classes(known, steps[name]), minlength=len(table))
        return tables

    def labels(self, column: str) -> dict[str, int]:
        """How often each value of a categorical column occurs; values that do not occur are not there."""
        with redacted(UNREADABLE):
            grouped = (
                self._rows.filter(self._rows[column].notnull())
                .group_by(value=self._rows[column])
                .aggregate(n=lambda t: t.count())
            )
            return {row["value"]: row["n"] for row in grouped.to_pyarrow().to_pylist()}

    def listed(self, lists: Mapping[str, Sequence[str | int]]) -> dict[str, np.ndarray]:
        """How often each value of a list occurs in its column (int64, shape (values,)), for all lists in one pass."""
        import pyarrow as pa
        import pyarrow.compute as pc

        tables = {name: np.zeros(len(values) + 1, dtype=np.int64) for name, values in lists.items()}
        for batch in self._batches(list(lists)):
            for held, (name, table) in zip(batch, tables.items(), strict=True):
                place = pc.index_in(held, value_set=pa.array(lists[name], type=held.type)).fill_null(len(table) - 1)
                table += np.bincount(place.to_numpy(zero_copy_only=False), minlength=len(table))
        return {name: table[:-1] for name, table in tables.items()}

    def encode(self, codec: Codec) -> None:
        """Encode all rows once; `counts` and `gram` answer from the codes."""
        self._domain = codec.domain
        self._columns = {name: i for i, name in enumerate(self._domain)}
        names = [c.name for c in self.schema.modelled]
        kind = np.min_scalar_type(max(self._domain.values()))
        self._codes, self._units = [], []
        numbered = [_UNIT] if _UNIT in self._rows.columns else []
        for batch in self._batches([*names, *numbered]):
            coded = np.empty((len(self._domain), len(batch[0])), dtype=kind)
            values = dict(zip(names, batch, strict=False))
            for i, (column, part) in enumerate(codec.parts.values()):
                coded[i] = _coded(values[column.name], codec.coders[column.name], column, part)
            self._codes.append(coded)
            if numbered:
                self._units.append(batch[-1].to_numpy().astype(np.int32))

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of all rows, shape (columns, rows), and each row's unit, numbered from 0."""
        nobody = np.empty((len(self._domain), 0), dtype=np.uint8)
        codes = np.concatenate([nobody, *self._codes], axis=1)
        return codes, np.concatenate(self._units) if self._units else np.arange(codes.shape[1])

    def counts(self, cliques: Sequence[Attrs], groups: Mapping[str, np.ndarray] | None = None) -> list[np.ndarray]:
        """Exact contingency tables (int64, one axis per attribute), all in one pass; codes of a column in `groups` count as their group."""
        needed = sorted({self._columns[a] for clique in cliques for a in clique})
        at = {name: needed.index(i) for name, i in self._columns.items() if i in needed}
        grouped = {at[name]: group.astype(np.int32) for name, group in (groups or {}).items() if name in at}
        size = self._domain | {name: int(group.max()) + 1 for name, group in (groups or {}).items()}

        def coded() -> Iterator[np.ndarray]:
            for codes in self._codes:
                part = codes[needed].astype(np.int32)
                for row, group in grouped.items():
                    part[row] = group[part[row]]
                yield part

        return count(coded(), [[at[a] for a in c] for c in cliques], [tuple(size[a] for a in c) for c in cliques])

    def gram(self, scores: Mapping[str, np.ndarray], limit: int) -> np.ndarray:
        """Exact sum over the rows of v v^T (int64), v being the scores of the row's codes, shortened to ``|v|**2 <= limit``.

        Every product and partial sum is a whole number that the floating point type holds exactly, so their order does not matter.
        """
        top = max(max(int(table.max(initial=0)), -int(table.min(initial=0))) for table in scores.values()) ** 2
        kind = np.float32 if top * _GRAM_ROWS < 2**24 else np.float64
        tables = [np.asarray(table, dtype=kind) for table in scores.values()]
        total = np.zeros((sum(t.shape[1] for t in tables),) * 2, dtype=np.int64)
        rows = [self._columns[name] for name in scores]
        for codes in self._codes:
            for start in range(0, codes.shape[1], _GRAM_ROWS):
                v = np.concatenate([t[codes[i, start : start + _GRAM_ROWS]] for t, i in zip(tables, rows, strict=True)], axis=1)
                v = shortened(v, limit)
                total += (v.T @ v).astype(np.int64)
        return total

    def _bounded(self, rows: ibis.Table) -> ibis.Table:
        """At most `max_rows` rows of each unit, a random subset of its own; rows without an identifier belong to nobody.

        The subset is the rows that come first under a hash keyed with a secret drawn for this source, so it depends on the unit's
        own rows alone: another unit's coming or going moves nothing. No two rows that differ are hashed alike (each value goes in with
        its length), else their places in the table would decide. Kept in a table, so that every pass sees the same rows.
        """
        import ibis

        key, modelled = self.schema.unit.key, [c.name for c in self.schema.modelled]
        if key is None:
            return rows.select(*modelled)
        secret = secrets.token_hex(16)
        content = ibis.literal(secret)
        for name in rows.columns:
            text = rows[name].cast("string")
            content = content + (text.length().cast("string") + ":" + text).fill_null("-")
        rank = ibis.row_number().over(group_by=rows[key], order_by=content.hexdigest("sha256"))
        kept = rows.filter(rows[key].notnull()).mutate(**{_RANK: rank})
        kept = kept.filter(kept[_RANK] < self.schema.unit.max_rows)
        unit = {_UNIT: ibis.dense_rank().over(order_by=kept[key])} if self.schema.unit.max_rows > 1 else {}
        kept = kept.select(*modelled, **unit)
        return self._workspace.connection.create_table("bounded", kept, temp=True)

    def _batches(self, names: Sequence[str]) -> Iterator[list[pa.Array]]:
        """The columns' values, some rows at a time."""
        rows = min(_CHUNK, max(1 << 10, _BATCH_VALUES // max(1, len(names))))
        with redacted(UNREADABLE):
            for batch in self._rows.select(*names).to_pyarrow_batches(chunk_size=rows):
                if batch.num_rows:
                    yield batch.columns


def _cell(values: pa.Array, edges: np.ndarray, column: Column, *, missing: int) -> np.ndarray:
    """How many of the sorted edges (axis positions) are at or below each value; `missing` for a missing one."""
    import pyarrow as pa

    limits = pa.array([column.from_axis(e) for e in edges], type=values.type)
    place = np.searchsorted(limits.to_numpy(zero_copy_only=False), values.to_numpy(zero_copy_only=False), side="right")
    if column.special:
        place = np.where(_sentinel(values, column).to_numpy(zero_copy_only=False) >= 0, missing, place)
    return np.where(values.is_null().to_numpy(zero_copy_only=False), missing, place) if values.null_count else place


def _seconds(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Dates or datetimes as whole seconds since 1970, and which of them are missing."""
    import pyarrow as pa

    seconds = values.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).fill_null(0)
    return seconds.to_numpy(zero_copy_only=False), values.is_null().to_numpy(zero_copy_only=False)


def _sentinel(values: pa.Array, column: Column) -> pa.Array:
    """Number of the special value that each value is, or -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = pa.array([v for v, _ in column.special], type=values.type)
    return pc.index_in(values, value_set=named).fill_null(-1)


def _coded(values: pa.Array, coder: Labels | GroupedLabels | Bins | Times, column: Column, part: str | None) -> np.ndarray:
    """Codes of conformed values; a label that is not listed becomes OTHER where there is one, else missing or the first label."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(coder, Times):
        return coder.encode(part, *_seconds(values))
    if isinstance(coder, Bins):
        place = _cell(values, coder.edges[coder.starts[1:]], column, missing=coder.size - 1 if coder.null else 0)
        special = _sentinel(values, column).to_numpy(zero_copy_only=False)
        return np.where(special >= 0, len(coder.starts) + special, place)
    missing = len(coder.values) if coder.null else 0
    spare = coder.values.index(OTHER) if OTHER in coder.values else missing
    known = pc.index_in(values, value_set=pa.array(coder.values, type=values.type)).fill_null(spare)
    labels = pc.if_else(values.is_null(), missing, known).to_numpy(zero_copy_only=False)
    return np.append(coder.group, coder.size - 1)[labels] if isinstance(coder, GroupedLabels) else labels


def shortened(v: np.ndarray, limit: int) -> np.ndarray:
    """Rows of whole numbers, each no longer than ``limit ** 0.5``: longer ones are scaled down and their entries cut towards zero.

    Whatever rounding does, a row that is still too long (it is not) would become zero.
    """
    squares = np.einsum("ij,ij->i", v, v, dtype=np.float64)
    long = np.flatnonzero(squares > limit)
    if len(long) == 0:
        return v
    shorter = np.trunc(v[long] * np.sqrt(limit / squares[long])[:, None])
    fits = np.einsum("ij,ij->i", shorter, shorter, dtype=np.float64) <= limit
    v = v.copy()
    v[long] = shorter * fits[:, None]
    return v
