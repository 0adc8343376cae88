"""Turns plain data into a page: the template engine (the only import of jinja2) and how numbers are written."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tabsynth.errors import OptionError
from tabsynth.escapes import isolated, visible

if TYPE_CHECKING:
    import jinja2

MISSING = "not available"
_PERCENT = "\u00a0%"
_WRITTEN = str.maketrans({",": "\u202f", "-": "\u2212"})
"""Thousands apart by a narrow no-break space (ISO 80000-1): a comma is a decimal sign in half of the world. And a true minus."""


def render(template: str, **context: Any) -> str:
    """Fill a template of this package.

    Every value is escaped; a missing or empty one is written as "not available". What a text holds that is not seen is shown as an
    escape, and words written from right to left are isolated, so that no name reorders a sentence.
    """
    return isolated(visible(_environment().get_template(template).render(context), keep="\n"))


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    class Missing(jinja2.ChainableUndefined):
        def __str__(self) -> str:
            return MISSING

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tabsynth.report"),
        autoescape=True,
        undefined=Missing,
        finalize=lambda value: MISSING if value is None else value,
    )
    filters = (number, plain, percent, rate, short, interval, moment, words, event)
    environment.filters |= {function.__name__: function for function in filters}
    return environment


def check_format(data: Any, expected: str) -> None:
    """Refuse data that is not version 1 of the expected format.

    Raises
    ------
    OptionError
    """
    found = (data.get("format"), data.get("version")) if isinstance(data, dict) else type(data).__name__
    if found != (expected, 1):
        raise OptionError(
            f"this is {found!r}; give the contents of a JSON file whose format is {expected!r} and whose version is 1."
        )


def is_number(value: Any) -> bool:
    """True for finite numbers; False for None, booleans, NaN and everything else."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_pair(value: Any) -> bool:
    """True for two finite numbers, such as the ends of an interval."""
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))


def number(value: Any, digits: int = 3) -> str:
    """12345 -> 12 345 and 0.5 -> 0.500; anything that is not a finite number -> not available."""
    if not is_number(value):
        return MISSING
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}").translate(_WRITTEN)


def plain(value: Any) -> str:
    """A value of a column, as it is: 1500000.0 -> 1 500 000. Text, such as a date, is passed on untouched."""
    if isinstance(value, str):
        return value
    return f"{value:,.10g}".translate(_WRITTEN) if is_number(value) else MISSING


def percent(value: Any, digits: int = 1) -> str:
    """A share in percent; small shares get more digits, so that 0.0002 reads 0.02 % and not 0.0 %."""
    if not is_number(value):
        return MISSING
    size = abs(100 * value)
    value = value if size >= 5e-7 else 0.0
    while 5e-7 <= size < 10.0**-digits and digits < 6:
        digits += 1
    return f"{100 * value:.{digits}f}{_PERCENT}".replace("-", "\u2212")


def rate(value: Any) -> str:
    """A chosen rate, without needless zeros: 0.001 -> 0.1 %."""
    return f"{100 * value:g}{_PERCENT}" if is_number(value) else MISSING


def short(value: Any) -> str:
    """Four significant digits, for epsilon, delta and rho: 1e-06 -> 1e-6. Text is passed on (epsilon can be "infinity")."""
    if isinstance(value, str):
        return value
    if not is_number(value):
        return MISSING
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def interval(pair: Any, digits: int = 3, *, shares: bool = False) -> str:
    """[low, high], in percent where `shares`; empty text where there is no interval."""
    if not is_pair(pair):
        return ""
    low, high = ((percent if shares else number)(float(v), digits) for v in pair)
    return f"[{low.removesuffix(_PERCENT)},\u00a0{high}]"


def moment(value: Any) -> str:
    """2026-03-04T12:30:05Z -> 2026-03-04 12:30 UTC."""
    text = str(value or MISSING)
    return f"{text[:10]} {text[11:16]} UTC" if len(text) > 16 and text[10] == "T" and text.endswith("Z") else text


def words(name: Any) -> str:
    """expect_column_values_to_be_between -> be between; other text is passed on."""
    text = str(name)
    for start in ("expect_column_values_to_", "expect_table_"):
        if text.startswith(start):
            return text.removeprefix(start).replace("_", " ")
    return text


def event(text: Any) -> str:
    """Cut the long numbers in the text of a DpEvent to four digits: 24.391195037490476 -> 24.39."""
    return re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.4g}", str(text))
