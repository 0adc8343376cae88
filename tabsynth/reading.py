"""How delimited text is written: what a person says of files, on the command line, in Python, or in a schema's ``reading`` block."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabsynth.date_format import problem
from tabsynth.errors import OptionError

SHIFTING = ("utf_7", "iso2022", "hz", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")
"""Encodings in which one record can change how the next one reads, or which are none of files."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How delimited text is written. What is None is not said, and the default counts.

    Parameters
    ----------
    encoding : str, optional
        Name of a Python codec. One with shift states (``utf-7``, ``iso2022_jp``) is refused: a record could change how the next reads.
        Default: what a byte order mark says, else ``utf-8``.
    delimiter : str, optional
        One ASCII character. Default: a tab in ``.tsv``; elsewhere a comma, or where the first line has none, the semicolon, tab or bar in it.
    escape : str, optional
        One ASCII character that stands before a quote, or before itself, inside quotes (a backslash in files of Spark and MySQL).
        Outside quotes it is refused.
    malformed : str, optional
        ``refuse`` (default): a file that breaks the grammar of `tabsynth.grammar` is refused as a whole. ``skip``: each line is read
        by itself; one that breaks the grammar, has another number of fields than the header or is not in the encoding is left out. No
        field may hold a line break then: what follows the break would be a line too, and could read as a record of somebody else.
    decimal : str, optional
        ``.`` (default) or ``,``: what stands before the digits of a fraction.
    thousands : str, optional
        One character between groups of three digits, such as ``.``, ``,``, ``'`` or a space. Default: there is none.
    date_format : str, optional
        How dates and times are written that have no ``format`` in the schema, such as ``%d/%m/%Y``. ISO is always read.

    Raises
    ------
    OptionError
        If an argument is none of those.
    """

    encoding: str | None = None
    delimiter: str | None = None
    escape: str | None = None
    malformed: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            object.__setattr__(self, "encoding", _codec(self.encoding))
        for name in ("delimiter", "escape"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, str) and len(value) == 1 and value.isascii() and value not in '"\r\n\0'
            ):
                raise OptionError(f"{name} is {value!r}; give one ASCII character other than a quote or a line break.")
        if self.escape is not None and self.delimiter == self.escape:
            raise OptionError(f"delimiter and escape are both {self.escape!r}; give two different characters.")
        if self.malformed not in (None, "refuse", "skip"):
            raise OptionError(f"malformed is {self.malformed!r}; allowed are refuse and skip.")
        if self.malformed == "skip" and '\r\n"'.encode(self.encoding or "utf-8") != b'\r\n"':
            raise OptionError(f"malformed is 'skip', which {self.encoding} does not allow; convert the file to UTF-8.")
        self._check_numbers()
        if self.date_format is not None and (wrong := problem(self.date_format)):
            raise OptionError(f"date_format: {wrong}.")

    def _check_numbers(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise OptionError(f"decimal is {self.decimal!r}; allowed are '.' and ','.")
        mark = self.thousands
        if mark is not None and not (isinstance(mark, str) and len(mark) == 1 and not mark.isalnum() and mark not in '+-"\r\n\0'):
            raise OptionError(f"thousands is {mark!r}; give one character such as '.', ',', \"'\" or a space.")
        if mark == (self.decimal or "."):
            raise OptionError(f"thousands and decimal are both {mark!r}; give two different characters.")

    @property
    def said(self) -> dict[str, str]:
        """What is said, by name."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(Reading)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Any) -> Reading:
        """Build it from plain data; OptionError with one sentence that says what is wrong."""
        known = [each.name for each in dataclasses.fields(Reading)]
        if not isinstance(data, Mapping) or not data.keys() <= set(known):
            raise OptionError(f"give a mapping with some of {', '.join(known)}.")
        return cls(**data)


def _codec(encoding: Any) -> str:
    """The codec's own name."""
    try:
        info = codecs.lookup(encoding)
        name = info.name.replace("-", "_")
        if info._is_text_encoding and not name.startswith(SHIFTING):
            return "utf-8" if name == "utf_8_sig" else info.name
    except (LookupError, TypeError, ValueError):
        pass
    raise OptionError(
        f"encoding is {encoding!r}; give one such as utf-8, cp1252 or utf-16 (none with shift states, such as utf-7)."
    )
