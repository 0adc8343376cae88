"""The command line: one thin command a verb.

Exit codes: 0 done; 1 `verify` or `audit` found something wrong; 2 the request cannot be carried out (bad input, full disk, interrupted), nothing
was left half written; 3 a fault in tabsynth itself.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from typing import Any

import click

from tabsynth.cli import judging, making, policies, reporting, schemas
from tabsynth.cli._tell import show
from tabsynth.errors import TabsynthError, TabsynthWarning
from tabsynth.tables import undo

STOPPING, PATIENCE = (signal.SIGINT, signal.SIGTERM), 1.0
"""Signals that end the process, and seconds that their handler is waited for."""
FAULT = "a fault in tabsynth itself ({kind}); its text is withheld because it may quote rows. Set TABSYNTH_DEBUG=1 to see it."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tabsynth")
def cli() -> None:
    """Turn a sensitive table into a synthetic one, with a differential-privacy guarantee and a leakage report.

    Exit codes: 0 done; 1 verify or audit found something wrong; 2 the request cannot be carried out and nothing was left half written; 3 a fault in
    tabsynth itself.
    """


for _command in (
    making.release,
    making.fit,
    making.sample,
    judging.evaluate,
    reporting.report,
    judging.attack,
    judging.audit,
    schemas.schema,
    policies.policy,
    judging.verify,
    making.demo,
):
    cli.add_command(_command)


def _stop(_number: int, _frame: Any) -> None:
    """End at once, with nothing half written.

    No exception is raised for it: libraries swallow it (in callbacks), turn it into one of their own, or crash (while they load).
    """
    for remove in reversed(undo):
        with contextlib.suppress(Exception):
            remove()
    os.write(2, b"\ntabsynth: interrupted; nothing was left half written.\n")
    os._exit(2)


@functools.cache
def _listen() -> None:
    """Stop also during a long call into compiled code, where Python runs no signal handler before the call returns.

    The interpreter writes every signal's number to a pipe at once. A thread reads it there and, where the handler has not ended the
    process within `PATIENCE`, does what the handler would.
    """
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(told, 1):
            if signal.getsignal(number[0]) is _stop:
                time.sleep(PATIENCE)
                _stop(number[0], None)

    threading.Thread(target=watch, daemon=True, name="signals").start()


def main() -> None:
    """Entry point: run the command; whatever goes wrong ends in one sentence and an exit code."""
    for number in STOPPING:
        signal.signal(number, _stop)
    _listen()
    warnings.showwarning = _warned
    try:
        cli.main(standalone_mode=False)
        code, message = 0, ""
    except Exception as error:
        code, message = _explained(error)
        if os.environ.get("TABSYNTH_DEBUG"):
            for line in traceback.format_exc().splitlines():
                show(f"| {line}", error=True)
    if message:
        show(f"tabsynth: {message}", error=True)
    sys.exit(code)


def _warned(message: Warning | str, category: type[Warning], *_place: Any, **_more: Any) -> None:
    """What Python calls for a warning; those of libraries may quote names from files too."""
    show(f"{'tabsynth' if issubclass(category, TabsynthWarning) else category.__name__}: {message}", error=True)


def _explained(error: Exception) -> tuple[int, str]:
    """Exit code and sentence of what went wrong."""
    match error:
        case TabsynthError():
            return 2, str(error)
        case click.exceptions.NoArgsIsHelpError():
            show(error.format_message(), error=True, keep="\n")
            return 2, ""
        case click.ClickException():
            return 2, error.format_message()
        case BrokenPipeError():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            return 2, ""
        case OSError():
            return 2, _about(error)
    return 3, FAULT.format(kind=type(error).__name__)


def _about(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full{where}; free some space and run again. Nothing was left half written."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to read or write{where}; choose another place or change its permissions."
    return f"the system refused{where}: {os.strerror(error.errno) if error.errno else 'input or output failed'}."
