"""Source: where the real rows live. Every answer here is exact, so nothing outside `curator` may see one.

The rows stay in the engine (an embedded DuckDB reading the DataFrame or file). What is asked of them is a batch of histograms or
contingency tables, answered in one pass: the engine encodes, the codes stream through a compiled counter.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.access import Attrs
from tabsynth.codec import Codec, search
from tabsynth.conform import conform
from tabsynth.curator._count import count
from tabsynth.errors import DataError
from tabsynth.schema import Schema
from tabsynth.tables import UNREADABLE, Workspace, redacted

if TYPE_CHECKING:
    import ibis

_CHUNK = 1 << 16
_RANK = "__tabsynth_rank"


class Source:
    """A conformed table in which no unit has more than ``schema.unit.max_rows`` rows.

    Parameters
    ----------
    data : DataFrame or path
    schema : Schema

    Raises
    ------
    DataError, SchemaError
        If the table cannot be read, has no rows, or has other columns than the schema.
    """

    def __init__(self, data: Any, schema: Schema) -> None:
        self.schema = schema
        self._workspace = Workspace()
        try:
            raw = self._workspace.open(data)
            with redacted(UNREADABLE):
                if raw.limit(1).count().execute() == 0:
                    raise DataError("the data has a header and no rows; give at least one row.")
                conformed = self._workspace.connection.create_view("conformed", conform(raw, schema))
                self._rows = self._bounded(conformed).select(*(c.name for c in schema.modelled))
        except BaseException:
            self._workspace.close()
            raise

    def close(self) -> None:
        """Forget the rows."""
        self._workspace.close()

    def cells(self, edges: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Histogram of each column over the cells between sorted edges.

        Returns
        -------
        dict of ndarray of int64, shape (len(edges) + 1,)
            Cell i counts the values with i edges at or below them. Missing values are not counted.
        """
        codes = self._rows.select(**{n: search(self._rows[n], e, self.schema[n]).fill_null(len(e) + 1) for n, e in edges.items()})
        domain = {n: len(e) + 2 for n, e in edges.items()}
        tables = self._count(codes, domain, [(n,) for n in edges])
        return {name: table[:-1] for name, table in zip(edges, tables, strict=True)}

    def labels(self, column: str) -> dict[str, int]:
        """How often each value of a categorical column occurs; values that do not occur are not there."""
        with redacted(UNREADABLE):
            grouped = (
                self._rows.filter(self._rows[column].notnull())
                .group_by(value=self._rows[column])
                .aggregate(n=lambda t: t.count())
            )
            return {row["value"]: row["n"] for row in grouped.to_pyarrow().to_pylist()}

    def encode(self, codec: Codec) -> None:
        """Encode all rows once; `counts` answers from the codes."""
        with redacted(UNREADABLE):
            self._codes = self._workspace.connection.create_table("codes", codec.encode(self._rows), temp=True, overwrite=True)
        self._domain = codec.domain

    def counts(self, cliques: Sequence[Attrs]) -> list[np.ndarray]:
        """Exact contingency tables (int64, one axis per attribute), all in one pass."""
        needed = sorted({a for clique in cliques for a in clique}, key=list(self._domain).index)
        return self._count(self._codes.select(*needed), self._domain, cliques)

    def _bounded(self, rows: ibis.Table) -> ibis.Table:
        """At most `max_rows` rows of each unit, a random subset of its own; rows without an identifier belong to nobody.

        The subset is the rows that come first under a hash keyed with a secret drawn for this source, so it depends on the unit's
        own rows alone: another unit's coming or going moves nothing. Kept in a table, so that every pass sees the same rows.
        """
        import ibis

        key = self.schema.unit.key
        if key is None:
            return rows
        secret = secrets.token_hex(16)
        content = ibis.literal(secret)
        for name in rows.columns:
            content = content + "|" + rows[name].cast("string").fill_null("null")
        rank = ibis.row_number().over(group_by=rows[key], order_by=content.hexdigest("sha256"))
        kept = rows.filter(rows[key].notnull()).mutate(**{_RANK: rank})
        kept = kept.filter(kept[_RANK] < self.schema.unit.max_rows).drop(_RANK)
        return self._workspace.connection.create_table("bounded", kept, temp=True)

    def _count(self, codes: ibis.Table, domain: Mapping[str, int], cliques: Sequence[Attrs]) -> list[np.ndarray]:
        names = list(codes.columns)
        with redacted(UNREADABLE):
            batches = codes.to_pyarrow_batches(chunk_size=_CHUNK)
            return count(
                (
                    np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])
                    for batch in batches
                    if batch.num_rows
                ),
                [[names.index(a) for a in clique] for clique in cliques],
                [tuple(domain[a] for a in clique) for clique in cliques],
            )
