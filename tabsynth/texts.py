"""How texts are written, undone: numbers with a comma, dates of a format, labels with blanks or in another case. Value by value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tabsynth.column import Column
from tabsynth.date_format import iso, parsed
from tabsynth.reading import Reading

if TYPE_CHECKING:
    import ibis

BLANK = r"[\s\x{a0}\x{202f}]"
_SPACES = r"[ \x{a0}\x{202f}]"


def as_written(raw: ibis.Column, column: Column, how: Reading) -> ibis.Column:
    """The raw column as if its numbers had been written with a point and its dates as ISO; null where they are not written as said."""
    if not raw.type().is_string():
        return raw
    if column.kind in ("integer", "float", "boolean") or (column.labels and isinstance(column.labels[0], int)):
        return plain_number(raw, how)
    if column.kind in ("date", "datetime"):
        bounds = (column.minimum, column.maximum)
        years = None if column.minimum is None else tuple(bound.year for bound in bounds)
        return plain_moment(raw, column.format or how.date_format, years)
    return raw


def plain_number(text: ibis.Column, how: Reading) -> ibis.Column:
    """Texts of numbers with a point and without marks between thousands; words stay, numbers that are not written as said are null."""
    import ibis

    point, mark = how.decimal or ".", how.thousands
    if point == "." and mark is None:
        return text
    between = None if mark is None else _SPACES if mark == " " else re.escape(mark)
    whole = r"\d*" if between is None else rf"(\d{{1,3}}({between}\d{{3}})+|\d*)"
    fits = text.re_search(rf"^\s*[+-]?{whole}({re.escape(point)}\d*)?([eE][+-]?\d+)?\s*$")
    plain = text if between is None else text.re_replace(between, "")
    return ibis.cases((fits, plain.replace(point, ".")), (text.re_search(r"\d"), None), else_=text)


def plain_moment(text: ibis.Column, form: str | None, years: tuple[int, int] | None = None) -> ibis.Column:
    """Texts of dates as timestamps: ISO (in UTC, where an offset from it is given), or of the format that is stated."""
    import ibis

    return iso(text) if form is None else ibis.coalesce(iso(text), parsed(text, form, years))


def spelled(text: ibis.Column, column: Column) -> ibis.Column:
    """Texts as labels: without the blanks around them, and in the label's own case, where the schema says so."""
    import ibis

    if column.trim:
        text = text.re_replace(f"^{BLANK}+|{BLANK}+$", "").nullif("")
    if not column.ignore_case:
        return text
    if not column.labels:
        return text.lower()
    lowered = ibis.array([ibis.literal(label).lower() for label in column.labels])
    place = lowered.index(text.lower())
    return ibis.ifelse(place >= 0, ibis.array(list(column.labels))[place], text)
