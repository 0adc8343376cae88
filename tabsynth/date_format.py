"""Formats of dates and times in text, with the directives of `strptime`: checked, and read by an expression over a column.

A format reads a text or it does not; nothing is guessed. ISO dates are read whatever format is stated, because a date that is stored as
such may become ISO text (one odd value changes how a whole column is stored), so a format that reads an ISO text as another moment
is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SHORT = "".join(month[:3].lower() for month in _MONTHS)
_NUMBERS = "mdHIMS"
_PATTERNS = {
    "Y": r"(\d{4})",
    "y": r"(\d{2})",
    **dict.fromkeys(_NUMBERS, r"(\d{1,2})"),
    "f": r"(\d{1,6})",
    "p": "([AaPp][Mm])",
    "b": f"({'|'.join(month[:3] for month in _MONTHS)})",
    "B": f"({'|'.join(_MONTHS)})",
}
_PARTS = {"Y": "year", "y": "year", "m": "month", "b": "month", "B": "month", "d": "day", "H": "hour", "I": "hour", "M": "minute",
          "S": "second", "f": "fraction", "p": "half"}  # fmt: skip
_PIVOT = 69
"""Years of two digits from this on are 19.., earlier ones 20.., unless the column's range says otherwise."""
_ISO_EXAMPLES = ("2001-02-03", "2001-02-03 04:05", "2001-02-03 04:05:06", "2001-02-03T04:05:06", "2001-02-03 04:05:06.789")
_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO = rf"^\s*(?:({_DAY})|({_DAY}[ T]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,9}})?)?)(?: ?(?:Z|UTC|([+-]\d{{2}}):?(\d{{2}})?))?)\s*$"
"""An ISO date, or an ISO time and its distance from UTC in hours and minutes."""


def problem(form: object) -> str | None:
    """What is wrong with a format, or None."""
    if not isinstance(form, str) or not form:
        return f"{form!r} is no format; give one such as '%d/%m/%Y' or '%m/%d/%y %H:%M'"
    if len(form) > 60:
        return f"of {len(form)} characters is no format of dates; give one of at most 60"
    names = re.findall(r"%(.?)", form)
    if unknown := [name for name in names if name not in _PATTERNS]:
        return f"{form!r} has %{unknown[0]}; known are {', '.join('%' + name for name in _PATTERNS)}"
    parts = [_PARTS[name] for name in names]
    if not {"year", "month", "day"} <= set(parts) or len(set(parts)) < len(parts):
        return f"{form!r} must have one year (%Y or %y), one month (%m, %b or %B) and one day (%d), and nothing twice"
    if ("I" in names) != ("p" in names):
        return f"{form!r} has one of %I and %p; both or neither, or %H for 24 hours"
    pattern = re.compile(_pattern(form), re.IGNORECASE)
    for text in _ISO_EXAMPLES:
        if (found := pattern.match(text)) and [int(n) for n in found.groups()[:3]] != [
            {"year": 2001, "month": 2, "day": 3}.get(part) for part in parts[:3]
        ]:
            return f"{form!r} reads an ISO date such as {text} as another day; write the dates as ISO (%Y-%m-%d)"
    return None


def iso(text: ibis.Column) -> ibis.Column:
    """ISO texts as timestamps (in UTC where they say how far from it their clock is), null where they are not ISO."""
    import ibis

    value = (text.re_extract(_ISO, 1) + text.re_extract(_ISO, 2)).try_cast("timestamp")
    hours = text.re_extract(_ISO, 3)
    ahead, more = (part.try_cast("int64").fill_null(0) for part in (hours, text.re_extract(_ISO, 4)))
    return value - (60 * ahead + more * ibis.ifelse(hours.startswith("-"), -1, 1)).as_interval("m")


def parsed(text: ibis.Column, form: str, years: tuple[int, int] | None = None) -> ibis.Column:
    """Texts of a format as timestamps, null where they are not of it.

    Parameters
    ----------
    text : string column
    form : str
        Without a `problem`.
    years : pair of int, optional
        First and last year of the column's public range: they decide the century of a year of two digits.
    """
    import ibis

    pattern = "(?i)" + _pattern(form)
    found = {name: text.re_extract(pattern, i) for i, name in enumerate(re.findall("%(.)", form), start=1)}
    date = ibis.literal("-").join([_year(found, years), _month(found), found["d"].lpad(2, "0")])
    zero = ibis.literal("0")
    clock = ibis.literal(":").join([_hour(found), *(found.get(name, zero).lpad(2, "0") for name in "MS")])
    return ibis.ifelse(text.re_search(pattern), date + " " + clock + "." + found.get("f", zero), None).try_cast("timestamp")


def _pattern(form: str) -> str:
    """A regular expression for texts of a format; a number beside another one has two digits, and spaces around do not matter."""
    pieces = re.findall(r"%.|[^%]", form)
    out = []
    for before, piece, behind in zip(["", *pieces], pieces, [*pieces[1:], ""], strict=False):
        if piece[0] != "%":
            out.append(re.sub(r"([\\.^$|()\[\]{}*+?])", r"\\\1", piece))
        elif piece[1] in _NUMBERS and "%" in before[:1] + behind[:1]:
            out.append(r"(\d{2})")
        else:
            out.append(_PATTERNS[piece[1]])
    return rf"^\s*{''.join(out)}\s*$"


def _year(found: dict[str, ibis.Column], years: tuple[int, int] | None) -> ibis.Column:
    import ibis

    if "Y" in found:
        return found["Y"]
    year = found["y"].try_cast("int64")
    year += ibis.ifelse(year < _PIVOT, 2000, 1900)
    if years:
        year = ibis.cases((year > years[1], year - 100), (year < years[0], year + 100), else_=year)
    return year.cast("string").lpad(4, "0")


def _month(found: dict[str, ibis.Column]) -> ibis.Column:
    import ibis

    if "m" in found:
        return found["m"].lpad(2, "0")
    name = found.get("b", found.get("B")).substr(0, 3).lower()
    return (ibis.literal(_SHORT).find(name) // 3 + 1).cast("string").lpad(2, "0")


def _hour(found: dict[str, ibis.Column]) -> ibis.Column:
    import ibis

    if "I" not in found:
        return found.get("H", ibis.literal("0")).lpad(2, "0")
    twelve = found["I"].try_cast("int64")
    hour = twelve % 12 + ibis.ifelse(found["p"].lower() == "pm", 12, 0)
    return ibis.ifelse(twelve.between(1, 12), hour, 99).cast("string").lpad(2, "0")


def fits(form: str, text: str) -> bool:
    """Whether a text is of a format, the days of each month and the hours of a day aside."""
    found = re.match(_pattern(form), text, re.IGNORECASE)
    parts = dict(zip((_PARTS[name] for name in re.findall("%(.)", form)), found.groups(), strict=True)) if found else {}
    largest = {"month": 12, "day": 31, "hour": 23, "minute": 59, "second": 59}
    return bool(found) and all(int(parts[part]) <= most for part, most in largest.items() if parts.get(part, "").isdigit())
