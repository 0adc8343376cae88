"""A hash of a table's values, whatever file or frame holds them: by it a card names the synthetic table that it belongs to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


def digest(frame: pd.DataFrame, schema: Schema) -> str:
    """SHA-256 of a conformed table: names, kinds and values of the schema's columns, in the rows' order.

    Parameters
    ----------
    frame : DataFrame
        With the types of `tabsynth.conform.read`.
    schema : Schema

    Returns
    -------
    str
        64 hexadecimal digits; equal for equal values, on every machine.
    """
    whole = hashlib.sha256(f"{len(frame)}".encode())
    for column in schema.columns:
        whole.update(f"\n{len(column.name)} {column.name} {column.kind}\n".encode())
        for part in _parts(frame[column.name]):
            whole.update(part)
    return whole.hexdigest()


def _parts(values: pd.Series) -> list[Any]:
    """Which values are missing, and the others, as bytes of one form on every machine."""
    import pandas as pd

    missing = values.isna().to_numpy(dtype=bool)
    kind = values.dtype
    if pd.api.types.is_object_dtype(kind):
        return [missing.astype("u1"), *_texts(values)]
    if kind.kind == "M":
        numbers = values.astype("datetime64[s]").astype("int64").to_numpy()
    elif pd.api.types.is_float_dtype(kind):
        numbers = values.to_numpy(dtype="float64", na_value=np.nan) + 0.0
    else:
        numbers = values.fillna(False if pd.api.types.is_bool_dtype(kind) else 0).to_numpy(dtype="int64")
    stored = "<f8" if numbers.dtype.kind == "f" else "<i8"
    return [missing.astype("u1"), np.where(missing, 0, numbers).astype(stored)]


def _texts(values: pd.Series) -> list[Any]:
    """Lengths of texts in bytes, and the texts one after the other; a missing one is empty."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, known = pd.factorize(values, use_na_sentinel=True)
    texts = pa.array([*map(_text, known), ""], pa.large_string()).take(pa.array(np.where(codes < 0, len(known), codes)))
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype("<i8")
    written = texts.buffers()[2]
    return [lengths, memoryview(written)[: lengths.sum()] if written else b""]


def _text(value: Any) -> str:
    return str(value).encode(errors="replace").decode()
