"""What the audit of this version's engines found, as it was measured before the version was released (``measured.json``)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabsynth.validate.check import Finding

FILE = Path(__file__).with_name("measured.json")


@functools.cache
def results() -> dict[str, Any]:
    """Findings by engine, the known bugs that were put into the product to see whether the audit notices, and when and how much was run."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def audited(card: Mapping[str, Any] | None) -> list[Finding]:
    """The audit of the engine that made a release, if its card says which that was. Public: all tables were made up.

    Returns
    -------
    list of Finding
        ``audit.engine``, or nothing. The value is the epsilon that the attack proved at least; it fails where anything broke the claim.
    """
    known, name = results(), ((card or {}).get("model") or {}).get("name")
    found = next((each for each in known["engines"] if each["engine"] == name), None)
    if found is None:
        return []
    bugs = known["mutations"]
    noticed = sum(bool(bug["layers"]) for bug in bugs.values())
    details = {**found, "created": known["created"], "tabsynth": known["tabsynth"], "mutations": len(bugs), "noticed": noticed}
    return [
        Finding(
            "audit.engine",
            f"Epsilon that an attack on the engine {name} proved at least, of the {found['epsilon']:g} that was claimed",
            found["total"]["epsilon_proven"],
            reference=found["total"]["epsilon_provable"],
            reference_is="what a perfect implementation shows with as many fits",
            better="closer",
            verdict="fail" if found["alarms"] else "pass",
            note="Measured with this engine on made-up neighbouring tables when this version was made, not on this release.",
            details=details,
        )
    ]
