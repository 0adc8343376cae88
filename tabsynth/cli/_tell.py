"""What the operator is told: lines, JSON, progress."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tabsynth import folders
from tabsynth.access import Progress
from tabsynth.errors import TabsynthWarning
from tabsynth.escapes import visible

if TYPE_CHECKING:
    from tabsynth.schema import Column, Schema


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
    """Says on standard error what is running and how long it has taken: a bar on a terminal, elsewhere a line for whatever takes a while.

    How long the rest will take is not said: the steps differ too much for a guess. Nothing is shown of what takes less than `PATIENCE` seconds.
    """
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    layout = "{desc:<36.36} {percentage:3.0f}% |{bar:16}| {elapsed} so far"
    with tqdm(
        total=1.0, delay=PATIENCE, disable=quiet or not terminal, bar_format=layout, leave=False, file=sys.stderr, mininterval=0
    ) as shown:
        steps = _Steps(shown if terminal else None)
        over = threading.Event()
        watch = threading.Thread(target=steps.watch, args=(over,), daemon=True, name="progress")
        if not quiet:
            watch.start()
        try:
            yield steps
        finally:
            over.set()
            if not quiet:
                watch.join()


PATIENCE = 1.0
"""Seconds after which something is told that goes on."""


class _Steps:
    """What runs now, told to a bar, or in lines: a line each time that something else runs when it is looked at."""

    def __init__(self, shown: Any) -> None:
        self.shown, self.what, self.done, self.told = shown, "", 0.0, ""
        self.started = time.monotonic()

    def __call__(self, what: str, fraction: float) -> None:
        self.what, self.done = visible(what), max(self.done, fraction)
        if self.shown is not None:
            self.shown.set_description_str(self.what, refresh=False)
            self.shown.update(max(0.0, self.done - self.shown.n))

    def watch(self, over: threading.Event) -> None:
        """Look once in a while, until it is over."""
        while not over.wait(PATIENCE):
            if self.shown is not None:
                self.shown.refresh()
            elif self.what not in ("", self.told, "done"):
                self.told = self.what
                show(f"{time.monotonic() - self.started:6.0f} s  {self.done:4.0%}  {self.what}", error=True)


_EYES = "CONFIDENTIAL, for your eyes only"
_FAULTS = {
    "unreadable": "cannot be read as {kind}, so they count as {missing}",
    "below": "are below the minimum, so they count as {low}",
    "above": "are above the maximum, so they count as {high}",
    "unlisted": "are not in the list, so they count as {other}",
    "missing": "are missing where the schema does not allow it, so they count as {missing}",
    "words": "are words for missing",
}


def tell_misfits(data: Any, schema: Schema, quiet: bool, *, table: str = "", examples: bool = False) -> None:
    """Say what the schema changes or discards of a table, column by column with the worst first, marked as confidential.

    Parameters
    ----------
    table : str
        What to call it, where there are several.
    examples : bool
        Show the most frequent values too, and what they look like.
    """
    from tabsynth import misfits

    of = f"{table}: " if table else ""
    counted = {} if quiet else misfits.misfits(data, schema)
    nobody = counted.pop(schema.unit.key, None)
    if nobody and nobody.missing:
        say(quiet, f"{_EYES}: {of}{_of(nobody.missing, nobody.rows, 'rows')} have no {schema.unit.key}, so they are left out.")
    for name, (different, rows) in ({} if quiet else misfits.repeated(data, schema)).items():
        say(
            quiet,
            f"WARNING, {_EYES}: {of}{name} has {different:,} values in {rows:,} rows, and the guarantee is for each row alone: who has several is not "
            f"protected as a whole. If {name} names whom to protect, write `unit: {{key: {name}, max_rows: ...}}`.",
        )
    off = {name: found for name, found in counted.items() if found.total or found.words}
    shown = misfits.examples(data, schema) if examples and any(found.total for found in off.values()) else {}
    for name, found in sorted(off.items(), key=lambda item: -item[1].total):
        words = _words(schema[name])
        for fault, sentence in _FAULTS.items():
            if n := getattr(found, fault):
                warned = "WARNING, " if found.loud and fault != "words" else ""
                more = shown.get(name, {}).get(fault)
                line = f"{warned}{_EYES}: {of}{name}: {_of(n, found.rows, 'values')} {sentence.format(**words)}"
                say(quiet, f"{line}: {more}." if more else f"{line}.")
    if loud := [name for name, found in off.items() if found.loud]:
        hint = "" if examples else " `tabsynth schema check` shows examples."
        say(quiet, f"WARNING: {of}the schema does not fit more than 5 % of the values of {', '.join(loud)}.{hint}")
    if off and not (examples or table):
        say(quiet, "The release does not contain these numbers.")


def _of(n: int, rows: int, what: str) -> str:
    """A number of values and their share."""
    share = 100 * n / rows
    return f"all {n:,} {what}" if n == rows else f"{n:,} of {rows:,} {what} ({f'{share:.1f}' if share >= 0.1 else 'under 0.1'} %)"


def _words(column: Column) -> dict[str, Any]:
    """How the column's misfits are counted, in words."""
    first = False if column.kind == "boolean" else column.labels[0] if column.labels else column.minimum
    missing = "missing" if column.nullable or first is None else repr(first) if column.labels else str(first)
    ends = (column.minimum, column.maximum) if column.outside == "clamp" else (missing, missing)
    kinds = {"integer": "whole numbers", "float": "numbers", "boolean": "yes or no", "date": "dates", "datetime": "datetimes"}
    return {
        "kind": kinds.get(column.kind, "labels"),
        "missing": missing,
        "low": ends[0],
        "high": ends[1],
        "other": "OTHER" if column.outside == "other" else missing,
    }


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


def leaves(out: Path) -> tuple[str, str]:
    """Which part of a release may leave, and which must not."""
    return f"May leave: {out / folders.PUBLIC}", f"{MUST_NOT_LEAVE}: {out / folders.CONFIDENTIAL / folders.REPORT_PAGE}"


def tell_missed(card: dict[str, Any], quiet: bool) -> None:
    """Say which bought ranges and lists did not stand out from the noise."""
    if missed := [entry["column"] for entry in card["bought"] if entry.get("found") is False]:
        say(
            quiet,
            f"Not found: the range or list of {', '.join(missed)}. Nothing stood out from the noise, so the synthetic values say nothing; "
            "give a public range or list in the schema.",
        )


def told(card: dict[str, Any]) -> str:
    guarantee = card["guarantee"]
    unit = guarantee["unit"]["key"] or "row"
    return f"epsilon {guarantee['epsilon']:g}, delta {guarantee['delta']:g} for each {unit}, in {len(card['ledger']['charges'])} charges."
