"""Columns whose synthetic values occur in no real row because they are written otherwise, and tables read the same tolerant way.

Attacks compare values. Where a tool saved postcodes as numbers, changed upper case, or wrote dates and thousands in its own way, no
synthetic value equals a real one, and every attack that looks for equal values finds nothing: that is no safety.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.schema import Schema
from tabsynth.tables import UNREADABLE, Workspace, redacted

if TYPE_CHECKING:
    import pandas as pd

_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?))?")
ENOUGH = 0.5
"""A way of writing is the likely cause where it makes so many of the synthetic values occur in the real rows."""


def apart(frames: Mapping[str, pd.DataFrame], schema: Schema) -> list[dict[str, str]]:
    """The columns of which no synthetic value occurs in any real row, each with the likely cause; "" where none can be seen.

    Parameters
    ----------
    frames : mapping from 'members', 'non_members', 'synthetic' and perhaps 'reference' to conformed DataFrame
    schema : Schema
        Numbers and dates are looked at only where one side has no value that can be read: nearby numbers need not be equal.
    """
    from tabsynth.validate.features import label_values

    out = []
    for column in schema.modelled:
        tables = {name: frames[name] for name in ("members", "non_members", "reference", "synthetic") if name in frames}
        if column.numeric:
            known = {name: bool(table[column.name].notna().any()) for name, table in tables.items()}
            real = any(there for name, there in known.items() if name != "synthetic")
            if real != known["synthetic"]:
                side = "synthetic" if real else "real"
                out.append(
                    {
                        "column": column.name,
                        "likely": f"no {side} value can be read as {column.kind}: it is written in another way",
                    }
                )
            continue
        values = {name: {v for v in label_values(table, column) if v is not None} for name, table in tables.items()}
        made, real = values.pop("synthetic"), set().union(*values.values())
        if made and real and not made & real:
            out.append({"column": column.name, "likely": likely(made, real)})
    return out


def told(found: Mapping[str, str]) -> str:
    """What to say of one column that `apart` found."""
    cause = f"; {found['likely']}" if found["likely"] else ""
    return (
        f"no synthetic value of {found['column']!r} occurs in any real row{cause}. Attacks that look for equal values see nothing there. "
        "Write both alike, or have both read the same tolerant way (attack --normalise)."
    )


def likely(made: set[str], real: set[str]) -> str:
    """In what the two sides write the same values differently; empty where nothing that is known explains it."""
    ways = {
        "spaces or upper and lower case differ": lambda texts: {_folded(t) for t in texts},
        "leading zeros are lost, as where codes are saved as numbers": lambda texts: {_plain(t) for t in texts},
        "thousands are written apart on one side": lambda texts: {_plain(_joined(t)) for t in texts},
        "dates are written in another order": lambda texts: {_dated(t, True) for t in texts},
        "dates are written in another order, the month before the day": lambda texts: {_dated(t, False) for t in texts},
        "several of these: case, zeros, thousands, dates": lambda texts: {canonical(t) for t in texts},
    }
    for cause, way in ways.items():
        if len(way(made) & way(real)) >= ENOUGH * len(way(made)):
            return cause
    return ""


def normalised(tables: Mapping[str, Any], schema: Schema | None = None) -> dict[str, pd.DataFrame]:
    """The tables with their texts written in one way: trimmed, in lower case, numbers plain, dates in ISO order.

    Parameters
    ----------
    tables : mapping from name to DataFrame, path, or `tabsynth.Csv`
    schema : Schema, optional
        A text that is one of a column's public labels but for how it is written becomes that label.

    Raises
    ------
    DataError
        If a table cannot be read.
    """
    frames = {}
    for name, table in tables.items():
        with Workspace() as workspace, redacted(UNREADABLE):
            frames[name] = workspace.open(table).to_pandas()
    columns = dict.fromkeys(name for frame in frames.values() for name in frame)
    for column in columns:
        sides = [frame for frame in frames.values() if column in frame]
        if not any(_textual(frame[column]) for frame in sides):
            continue
        texts = [frame[column].map(_text, na_action="ignore") for frame in sides]
        first = _day_first(v for side in texts for v in side.dropna().unique())
        public = (
            {}
            if schema is None or column not in schema.names
            else {canonical(str(v), first): v for v in schema[column].labels or ()}
        )
        for frame, side in zip(sides, texts, strict=True):
            written = {v: public.get(canonical(v, first), canonical(v, first)) for v in side.dropna().unique()}
            frame[column] = side.map(written, na_action="ignore").astype(object)
    return frames


def canonical(text: str, day_first: bool = True) -> str:
    """A text in the one way it is written here.

    >>> [canonical(text) for text in (" New York ", "01234", "1,234.50", "15/09/2011")]
    ['new york', '1234', '1234.5', '2011-09-15']
    """
    return _dated(_plain(_joined(_folded(text))), day_first)


def _textual(series: pd.Series) -> bool:
    return series.dtype == object or str(series.dtype).startswith(("str", "category"))


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    return str(value)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _joined(text: str) -> str:
    return re.sub(r"[,' \u00a0\u202f]", "", text) if _THOUSANDS.fullmatch(text.strip()) else text


def _plain(text: str) -> str:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return text
    whole, _, rest = text.lstrip("+-").partition(".")
    rest = rest.rstrip("0")
    return ("-" if text[0] == "-" else "") + (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def _dated(text: str, day_first: bool) -> str:
    found = _DATE.fullmatch(text.strip())
    if not found:
        return text
    one, two, three = (int(part) for part in found.groups()[:3])
    year, month, day = (one, two, three) if len(found[1]) == 4 else (three, two, one) if day_first else (three, one, two)
    try:
        date = dt.date(year + (2000 if year < 70 else 1900 if year < 100 else 0), month, day)
    except ValueError:
        return text
    clock = f" {found[4].zfill(5)}" if found[4] else ""
    return date.isoformat() + clock


def _day_first(texts: Iterable[str]) -> bool:
    """Whether the day comes before the month: not where a second part is above 12 and no first one is."""
    parts: Sequence[tuple[int, int]] = [
        (int(found[1]), int(found[2])) for text in texts if (found := _DATE.fullmatch(text.strip())) and len(found[1]) < 4
    ]
    return any(first > 12 for first, _ in parts) or not any(second > 12 for _, second in parts)
