"""Text from files, shown so that it cannot pass for something else: to a terminal, on a page, in a spreadsheet.

Names and labels come from whoever wrote a card, a schema or a table. Control characters among them move a terminal's cursor, and
invisible ones reorder a sentence (Boucher and Anderson, "Trojan Source", 2023); a text that begins with ``=`` is run by spreadsheets.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}]+(?: +[{_RIGHT_TO_LEFT}]+)*")
"""Hebrew, Arabic and other words that are written from right to left."""
_FORMULA = re.compile(r'(\A|[,;\t\r\n])(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])|\A(?=[\t\r\n])')
"""Where a spreadsheet may begin a cell with what it runs: at the start, and after a separator of lists in another country."""


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with every character that is not seen, or that moves others, as an escape of printable ASCII: ESC becomes ``\x1b``.

    Such are control characters (also line breaks), format characters (zero-width ones, bidirectional overrides and isolates), line and
    paragraph separators, lone surrogates, and what Unicode has not assigned: categories C, Zl and Zp.

    Parameters
    ----------
    text : str
    keep : str
        Characters to leave as they are.
    """
    unseen = {c for c in set(text) - set(keep) if not c.isprintable() and unicodedata.category(c) != "Zs"}
    return text.translate({ord(c): c.encode("unicode_escape").decode("ascii") for c in unseen}) if unseen else text


def isolated(text: str) -> str:
    """The text with words written from right to left isolated (U+2068, U+2069), so that they do not move what stands beside them."""
    return _RUN.sub("\u2068\\g<0>\u2069", text)


def without_formulas(text: str) -> str:
    """The text with a ``'`` before whatever a spreadsheet may run as a formula; others are left as they are.

    Cells are run that begin with ``= + - @``, their full-width forms, a tab or a line break (OWASP, "CSV Injection"); quotes and spaces
    before them do not help, and a comma, semicolon or tab may begin a new cell.
    """
    return _FORMULA.sub(r"\1'", text)


def formulas(frame: pd.DataFrame) -> list[str]:
    """The columns whose name or texts a spreadsheet may run as formulas once they stand in a CSV file."""
    texts = _texts(frame)
    return [name for name in frame.columns if any(_safe(each) != each for each in (name, *texts.get(name, ())))]


def safe_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with `without_formulas` of its column names and texts; numbers and dates are left as they are."""
    safe = {name: frame[name].map({each: _safe(each) for each in found}) for name, found in _texts(frame).items()}
    return frame.assign(**safe).rename(columns=_safe)


def _texts(frame: pd.DataFrame) -> dict[str, Any]:
    """The distinct values of each column that may hold texts."""
    return {name: frame[name].dropna().unique() for name in frame.select_dtypes(["object", "string"]).columns}


def _safe(value: Any) -> Any:
    return without_formulas(value) if isinstance(value, str) else value
