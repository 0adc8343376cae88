"""What a benchmark's numbers depend on, to be kept beside them."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from tabsynth.card import environment, now, version

RESULTS = Path(__file__).parent / "results"


def keep(name: str, result: dict[str, Any]) -> Path:
    """Write ``results/NAME.json``: the result, when, and on what."""
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]}
    path = RESULTS / f"{name}.json"
    document = {
        "benchmark": name,
        "created": now(),
        "tabsynth": version(),
        "machine": machine,
        "environment": environment(),
    } | result
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path
