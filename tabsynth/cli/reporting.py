"""The command that draws pages from JSON: report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabsynth.cli._options import output, table
from tabsynth.cli._tell import done


@click.command()
@click.option("--from", "source", required=True, type=table, help="report.internal.json or card.json; nothing else is read.")
@click.option("--out", required=True, type=table, help="New .html file, or the folder to put it into under its usual name.")
@output
def report(source: Path, out: Path, quiet: bool, as_json: bool) -> None:
    """Draw the page of an internal report, or of a public card, again from its JSON alone.

    The same tabsynth draws the same page, byte for byte, as release or evaluate did. No file is ever replaced.
    """
    from tabsynth.errors import FolderError
    from tabsynth.release import check_new_file
    from tabsynth.report import card, report
    from tabsynth.tables import replacing

    pages = {"tabsynth.report": ("report.internal.html", report), "tabsynth.card": ("card.html", card)}
    document = _document(source, tuple(pages))
    name, draw = pages[document["format"]]
    path = out if out.suffix.lower() == ".html" and not out.is_dir() else out / name
    check_new_file(path)
    if path.exists():
        raise FolderError(f"{path} already exists; name a new file or another folder.")
    html = draw(document)
    with replacing(path) as partial:
        partial.write_bytes(html.encode(errors="replace"))
    what = "Public card" if document["format"] == "tabsynth.card" else "Report (internal, not private)"
    done(quiet, as_json, {"out": str(path), "format": document["format"]}, f"{what}: {path}")


def _document(path: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
    """A JSON file of one of the kinds, checked against its published JSON Schema."""
    import json

    from tabsynth.errors import FolderError

    if not path.is_file():
        raise FolderError(f"there is no file {path}; give the report.internal.json or card.json of a release.")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise FolderError(f"{path} cannot be read as JSON; restore it or make it again.") from None
    kind, version = (document.get("format"), document.get("version")) if isinstance(document, dict) else (None, None)
    if kind not in kinds:
        raise FolderError(f"{path} has the format {kind!r:.60}; give the report.internal.json or card.json of a release.")
    if version != 1:
        raise FolderError(f"{path} has version {version!r:.60}; this tabsynth reads version 1.")
    if wrong := _departure(document, kind.removeprefix("tabsynth.")):
        raise FolderError(f"{path} does not conform to {kind}, version 1: {wrong}; restore it or make it again.")
    return document


def _departure(document: dict[str, Any], kind: str) -> str:
    """Where a document departs most from its JSON Schema, and from what rule; empty if it conforms. Quotes no value."""
    import json

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry, Resource

    from tabsynth.demo import schemas

    known = {name: json.loads((schemas() / f"{name}.schema.json").read_bytes()) for name in ("schema", "card", "report")}
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in known.values())
    error = best_match(Draft202012Validator(known[kind], registry=registry).iter_errors(document))
    if error is None:
        return ""
    names = error.validator in ("required", "additionalProperties")
    return f"{error.json_path}: {error.message if names else f'breaks the rule {json.dumps(error.validator)}'}"[:300]
