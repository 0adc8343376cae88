"""What the operator is told: lines, JSON, progress."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from tabsynth import folders
from tabsynth.access import Progress
from tabsynth.errors import TabsynthWarning
from tabsynth.escapes import visible


def show(text: str, *, error: bool = False, keep: str = "") -> None:
    """Write a line: the only way to the terminal. Names in it may come from anybody's file, so what is not seen is shown as an escape."""
    click.echo(visible(text, keep=keep), err=error)


MUST_NOT_LEAVE = "CONFIDENTIAL, must not leave"


def say(quiet: bool, line: str) -> None:
    """Tell the operator something, on standard error."""
    if not quiet:
        show(line, error=True)


def done(quiet: bool, as_json: bool, result: dict[str, Any], *lines: str) -> None:
    """Print the result: JSON for scripts, or lines for people."""
    if as_json:
        show(json.dumps(result))
    elif not quiet:
        for line in lines:
            show(line)


@contextlib.contextmanager
def cautions(quiet: bool) -> Iterator[None]:
    """Show each of our own warnings, or none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "always", TabsynthWarning)
        yield


@contextlib.contextmanager
def bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar with a time estimate, shown on standard error once something takes over a second."""
    from tqdm import tqdm

    layout = "{desc:<28} {percentage:3.0f}% |{bar:24}| {elapsed} elapsed, {remaining} left"
    with tqdm(total=1.0, delay=1, disable=quiet, bar_format=layout, leave=False, file=sys.stderr) as shown:

        def progress(what: str, fraction: float) -> None:
            shown.set_description_str(visible(what), refresh=False)
            shown.update(max(0.0, fraction - shown.n))

        yield progress


def tell_outside(data: Any, schema: Any, quiet: bool) -> None:
    """Say how many values and rows the schema clamps or discards, marked as confidential."""
    from tabsynth.conform import outside

    off = {name: n for name, n in outside(data, schema).items() if n}
    nobody = off.pop(schema.unit.key, 0)
    told = []
    if off:
        told.append("values clamped or counted as missing: " + ", ".join(f"{name} {n:,}" for name, n in off.items()))
    if nobody:
        told.append(f"rows left out because they have no {schema.unit.key}: {nobody:,}")
    if told:
        say(quiet, f"CONFIDENTIAL, for your eyes only: {'; '.join(told)}. The release does not contain this.")


def confidential(quiet: bool) -> Callable[[str], None]:
    """A function that tells the operator what nobody else may know."""
    return lambda line: say(quiet, f"CONFIDENTIAL, for your eyes only: {line}")


def summary(card: dict[str, Any]) -> dict[str, Any]:
    guarantee = card["guarantee"]
    return {
        "model": card["model"]["name"],
        "epsilon": guarantee["epsilon"],
        "delta": guarantee["delta"],
        "charges": len(card["ledger"]["charges"]),
    }


def guessed(card: dict[str, Any], quiet: bool) -> None:
    """Say of which columns nothing that was bought stood out from noise."""
    if names := [item["column"] for item in card["bought"] if not item.get("found", True)]:
        say(
            quiet,
            f"Of {', '.join(names)} no values stood out from the noise, so where they lie is a guess; "
            "give a public minimum and maximum close to them, or a larger epsilon.",
        )


def leaves(out: Path) -> tuple[str, str]:
    """Which part of a release may leave, and which must not."""
    return f"May leave: {out / folders.PUBLIC}", f"{MUST_NOT_LEAVE}: {out / folders.CONFIDENTIAL / folders.REPORT_PAGE}"


def told(card: dict[str, Any]) -> str:
    guarantee = card["guarantee"]
    unit = guarantee["unit"]["key"] or "row"
    return f"epsilon {guarantee['epsilon']:g}, delta {guarantee['delta']:g} for each {unit}, in {len(card['ledger']['charges'])} charges."
