"""Finds what could be a score of a record, or a record's identifier, in documents that may hold counts only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from .linter import leaves

POINTS, SMALLEST = 101, 60
COUNT = re.compile(r"tables\..*|findings\.\[\]\.details\.n_(non)?members")
LONG = {
    r"card(\..*)?": "public: what `odd_entries` is for",
    r"schema(\..*)?": "public before anyone looked",
    r"findings\.\[\]\.details\.pairs": "one a pair of columns",
}
"""Path of what may be longer than a curve or as long as a table -> why."""


def per_record(document: dict[str, Any]) -> list[str]:
    """Everything in a report's or an attack's JSON that is as long as a table, or longer than a curve: it may be a score a record.

    Tables are those of the document, counted in rows and in units, and the members and non-members that a finding was computed from.
    Sizes below `SMALLEST` are those of too many other things.
    """
    counts = {n for path, n in leaves(document) if isinstance(n, int) and COUNT.fullmatch(path)}
    sizes = {n for n in counts if n >= SMALLEST}
    out = []
    for path, length in _lengths(document):
        if (length in sizes or length > POINTS) and not any(re.fullmatch(known, path) for known in LONG):
            out.append(f"{path} has {length} entries")
    return out


def _lengths(data: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Path and length of every list, mapping and text; a text counts in words of eight characters."""
    if isinstance(data, dict | list | tuple):
        yield path, len(data)
        for key, value in data.items() if isinstance(data, dict) else (("[]", v) for v in data):
            yield from _lengths(value, f"{path}.{key}".lstrip("."))
    elif isinstance(data, str):
        yield path, len(data) // 8


def told(text: str, identifiers: Iterable[str]) -> set[str]:
    """Those identifiers that occur in a text as whole words."""
    return set(re.findall(r"[^\W_]+", text)) & set(map(str, identifiers))
