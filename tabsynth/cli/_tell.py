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


def leaves(out: Path) -> tuple[str, str]:
    """Which part of a release may leave, and which must not."""
    return f"May leave: {out / folders.PUBLIC}", f"{MUST_NOT_LEAVE}: {out / folders.CONFIDENTIAL / folders.REPORT_PAGE}"


def told(card: dict[str, Any]) -> str:
    guarantee = card["guarantee"]
    unit = guarantee["unit"]["key"] or "row"
    return f"epsilon {guarantee['epsilon']:g}, delta {guarantee['delta']:g} for each {unit}, in {len(card['ledger']['charges'])} charges."
