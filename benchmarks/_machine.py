"""What a benchmark's numbers depend on, to be kept beside them; and how a process is measured."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth.card import environment, now, version

RESULTS = Path(__file__).parent / "results"


def keep(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/NAME.json``: the result, when, and on what. The file is replaced whole or not at all."""
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]}
    path = RESULTS / f"{name}.json"
    document = {
        "benchmark": name,
        "created": now(),
        "tabsynth": version(),
        "machine": machine,
        "environment": environment(),
    } | result
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)
    return path


def kept(name: str) -> dict[str, Any]:
    """What `keep` wrote under that name, or nothing."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@dataclass(frozen=True)
class Finished:
    """How a process ended: `ended` is "finished", "stopped after N s" or "failed: ..."; CPU and memory include its children."""

    ended: str
    output: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(command: list[Any], *, limit: float = 3600, env: Mapping[str, str] | None = None) -> Finished:
    """Run a command in a process group of its own and measure it.

    Parameters
    ----------
    command : list
    limit : float
        Seconds after which the whole group is killed.
    env : mapping, optional
        Variables on top of this process's.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(c) for c in command], stdout=out, stderr=err, env=os.environ | (env or {}), start_new_session=True
        )
        timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        ended = _ended(process.returncode, wall, limit, err.read())
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
        return Finished(ended, out.read(), round(wall, 2), round(cpu, 1), round(peak))


def _ended(code: int, wall: float, limit: float, errors: str) -> str:
    if code == 0:
        return "finished"
    if code == -signal.SIGKILL and wall >= limit:
        return f"stopped after {limit:g} s"
    return "failed: " + without_paths(errors.strip().splitlines()[-1] if errors.strip() else f"exit code {code}")


def without_paths(text: str) -> str:
    """Text with every absolute path cut to its last part, and no address."""
    return re.sub(r"(?<![\w.])(?:/[\w.+@-]+)+/", "", re.sub(r"\w+://\S+", "an address", text))[:300]
