"""The door for text and JSON that a stranger may have written: at most so many bytes, and nothing that grows when it is read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tabsynth.errors import InputError

JSON_BYTES, YAML_BYTES = 64 * 2**20, 4 * 2**20
"""Largest JSON file (a card, a report, a model's plain data) and YAML file (a schema, a policy) that is read."""
DEEPEST, DIGITS = 100, 20
"""Levels of lists and mappings in one another, and characters of a whole number."""


class Unreadable(ValueError):
    """Why a document is not read. Quotes nothing of it."""


def read_text(path: Path, most: int) -> str:
    """A UTF-8 file of at most `most` bytes; no more than that is ever held.

    Raises
    ------
    OSError
        If the system refuses it.
    Unreadable
        If it is larger, or is not UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"it has more than {most // 2**20} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text") from None


def read_json(path: str | Path, error: type[InputError], advice: str) -> Any:
    """The contents of a JSON file: strict JSON, no name twice in a mapping, no number beyond a float, no deep nesting.

    Parameters
    ----------
    path : str or Path
    error : type
        What is raised where it cannot be read.
    advice : str
        What to do then, for the message.
    """
    try:
        text = read_text(Path(path), JSON_BYTES)
        document = json.loads(
            text, object_pairs_hook=_mapping, parse_int=_whole, parse_float=_number, parse_constant=_refuse_constant
        )
        refuse_deep(document)
        if "\\ud" in text.lower():
            json.dumps(document, ensure_ascii=False).encode()
    except OSError:
        raise error(f"{path} cannot be read; {advice}.") from None
    except RecursionError:
        raise error(f"{path} cannot be read as JSON (it is nested too deeply); {advice}.") from None
    except ValueError as problem:
        why = f" ({problem})" if isinstance(problem, Unreadable) else ""
        raise error(f"{path} cannot be read as JSON{why}; {advice}.") from None
    return document


def refuse_deep(document: Any) -> None:
    """Raise `Unreadable` where lists and mappings lie in one another beyond `DEEPEST` levels."""
    level = [document]
    for _ in range(DEEPEST):
        level = [part for whole in level for part in _parts(whole) if isinstance(part, dict | list)]
        if not level:
            return
    raise Unreadable(f"it is nested more than {DEEPEST} levels deep")


def _parts(whole: Any) -> Any:
    return whole.values() if isinstance(whole, dict) else whole if isinstance(whole, list) else ()


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise Unreadable("a name stands twice in a mapping")
    return mapping


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise Unreadable(f"a whole number has more than {DIGITS} digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unreadable("a number is beyond the largest that a computer holds")
    return value


def _refuse_constant(_text: str) -> float:
    raise Unreadable("NaN and Infinity are not JSON")
