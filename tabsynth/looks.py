"""What texts look like: formats of dates, ways to write numbers. Read off VALUES, for a person to confirm; nothing here reads a table for a fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.date_format import fits
from tabsynth.reading import Reading
from tabsynth.texts import plain_moment, plain_number

if TYPE_CHECKING:
    import ibis

_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%d-%m-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y", "%d %B %Y", "%B %d, %Y", "%b %d, %Y",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H:%M:%S.%f")
FORMATS = tuple(day + clock for clock in _CLOCKS for day in _DAYS)
"""Formats of dates and times that are tried, the most usual first."""
WRITINGS = {
    Reading(decimal=","): "a decimal comma",
    Reading(thousands=","): "a comma between thousands",
    Reading(decimal=",", thousands="."): "a decimal comma and a point between thousands",
    Reading(decimal=",", thousands=" "): "a decimal comma and a space between thousands",
    Reading(thousands=" "): "a space between thousands",
    Reading(thousands="'"): "an apostrophe between thousands",
}
"""Ways to write numbers that are tried beside the plain one."""
_WORDS = {"d": "day", "m": "month", "b": "month", "B": "month", "Y": "year", "y": "year (two digits)", "H": "hour", "I": "hour",
          "M": "minute", "S": "second", "f": "fraction", "p": "am or pm"}  # fmt: skip


def in_words(form: str) -> str:
    """A format in words: day/month/year."""
    return re.sub("%(.)", lambda found: _WORDS[found[1]], form)


def formats(text: ibis.Column, some: Sequence[str]) -> list[str]:
    """The formats that read every text of the column, ISO left out.

    Parameters
    ----------
    text : string column
        Its missing values do not count.
    some : sequence of str
        Some of its texts: what reads none of them is not tried on all.
    """
    tried = [form for form in FORMATS if some and all(fits(form, each) for each in some)]
    return _that_read_all(text, {form: lambda each, form=form: plain_moment(each, form) for form in tried})


def writings(text: ibis.Column, some: Sequence[str]) -> list[Reading]:
    """The ways to write numbers in which every text of the column is one, the plain one left out."""
    if not some or all(map(_plain, some)) or not all(re.search(r"\d", each) for each in some):
        return []
    return _that_read_all(text, {how: lambda each, how=how: plain_number(each, how).try_cast("float64") for how in WRITINGS})


def simplest(ways: Sequence[Reading]) -> list[Reading]:
    """Those that state one thing about numbers, where there are such: a mark that never occurs need not be named."""
    return [how for how in ways if how.decimal is None or how.thousands is None] or list(ways)


def _plain(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _that_read_all(text: ibis.Column, ways: Mapping[Any, Callable[[ibis.Column], ibis.Column]]) -> list[Any]:
    """The ways that give a value wherever there is a text."""
    if not ways:
        return []
    table = text.name("text").as_table()
    failing = {
        f"c{i}": (table.text.notnull() & read(table.text).isnull()).ifelse(1, 0).sum() for i, read in enumerate(ways.values())
    }
    found = table.aggregate(**failing).to_pyarrow().to_pylist()[0]
    return [way for i, way in enumerate(ways) if not found[f"c{i}"]]
