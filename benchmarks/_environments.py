"""A virtual environment for each peer, made on first use from the pins that its runner carries (inline script metadata, PEP 723).

`[tool.benchmark]` adds what that standard lacks: `without-dependencies` (packages installed without what they ask for) and
`threads` (of numerical libraries).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from _machine import without_paths

RUNNERS = Path(__file__).parent / "peers"


class NotInstalledError(RuntimeError):
    """An environment cannot be made here."""


def metadata(runner: Path) -> dict[str, Any]:
    """The inline metadata of a script."""
    block = re.search(r"^# /// script\n((?:#.*\n)+?)# ///$", runner.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if block is None:
        raise ValueError(f"{runner.name} has no inline script metadata")
    return tomllib.loads("".join(line[2:] if line != "#" else "" for line in block[1].splitlines(keepends=True)))


def python(runner: Path, folder: Path) -> Path:
    """The interpreter of a runner's environment, which is made, or made again after a change of its pins, if need be.

    Parameters
    ----------
    runner : Path
        The script with the pins.
    folder : Path
        Holds one environment per runner.

    Raises
    ------
    NotInstalledError
        If a step fails; the sentence says which.
    """
    pins = metadata(runner)
    home = folder / runner.stem.removeprefix("run_")
    mark, stamp = home / "pins.sha256", hashlib.sha256(repr((pins, sys.version_info[:2])).encode()).hexdigest()
    interpreter = home / "bin/python"
    if mark.exists() and mark.read_text() == stamp:
        return interpreter
    shutil.rmtree(home, ignore_errors=True)
    print(f"making an environment for {runner.stem} ...", file=sys.stderr)
    extra = pins.get("tool", {}).get("benchmark", {})
    _step(sys.executable, "-m", "venv", home)
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _step(*pip, *pins["dependencies"])
    if "without-dependencies" in extra:
        _step(*pip, "--no-deps", *extra["without-dependencies"])
    mark.write_text(stamp)
    return interpreter


def variables(runner: Path) -> dict[str, str]:
    """Environment variables a runner wants."""
    threads = metadata(runner).get("tool", {}).get("benchmark", {}).get("threads")
    return {} if threads is None else {"OMP_NUM_THREADS": str(threads)}


def _step(*command: str | Path) -> None:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise NotInstalledError(without_paths(lines[-1] if lines else f"{command[0]} ended with {done.returncode}"))
