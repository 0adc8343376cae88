"""The published JSON Schemas of tabsynth's own file formats, and whether a document conforms to one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabsynth.documents import read_json
from tabsynth.errors import FolderError


def schemas() -> Path:
    """The folder of JSON Schemas and demo schemas: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "schemas"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "schemas"


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as we write it: strict JSON (no NaN), one form for one content."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_document(path: Path, kinds: Sequence[str], wanted: str) -> dict[str, Any]:
    """A JSON file of version 1 of one of our formats, checked against its JSON Schema.

    Parameters
    ----------
    path : Path
    kinds : sequence of str
        Formats, such as ``tabsynth.report``.
    wanted : str
        What to give instead, for the messages.

    Raises
    ------
    FolderError
    """
    if not path.is_file():
        raise FolderError(f"there is no file {path}; give {wanted}.")
    document = read_json(path, FolderError, "restore it or make it again")
    kind, version = (document.get("format"), document.get("version")) if isinstance(document, dict) else (None, None)
    if kind not in kinds:
        raise FolderError(f"{path} has the format {kind!r:.60}; give {wanted}.")
    if version != 1:
        raise FolderError(f"{path} has version {version!r:.60}; this tabsynth reads version 1.")
    if wrong := departure(document, kind.removeprefix("tabsynth.")):
        raise FolderError(f"{path} does not conform to {kind}, version 1: {wrong}; restore it or make it again.")
    return document


def departure(document: Any, kind: str) -> str:
    """Where a document departs most from its JSON Schema, and from what rule; empty if it conforms. Quotes no value.

    Parameters
    ----------
    document : object
        The contents of a JSON or YAML file.
    kind : str
        Such as ``card``, for ``schemas/card.schema.json``.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry, Resource

    known = {name: json.loads((schemas() / f"{name}.schema.json").read_bytes()) for name in {"schema", "card", kind}}
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in known.values())
    error = best_match(Draft202012Validator(known[kind], registry=registry).iter_errors(document))
    if error is None:
        return ""
    if error.validator in ("required", "additionalProperties"):
        return f"{error.json_path}: {error.message}"[:300]
    rule = json.dumps({error.validator: error.validator_value})[1:-1]
    return f"{error.json_path}: breaks the rule {rule if len(rule) < 150 else json.dumps(error.validator)}"[:300]
