"""What the audit of this version's engines found, as it was measured before the version was released (``measured.json``)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabsynth.errors import TabsynthError
from tabsynth.models import usual_settings
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
        ``audit.engine``, or nothing. The value is the epsilon that the attack proved at least. It fails where anything broke the claim, and
        is inconclusive for a release that another version of tabsynth made, or the engine with other settings than are usual.
    """
    model = (card or {}).get("model") or {}
    known, name = results(), model.get("name")
    found = next((each for each in known["engines"] if each["engine"] == name), None)
    if found is None:
        return []
    bugs = known["mutations"]
    noticed = sum(bool(bug["layers"]) for bug in bugs.values())
    same = {"same_version": card.get("tabsynth") == known["tabsynth"], "same_settings": _usual(name, model.get("settings"))}
    details = {
        **found,
        "created": known["created"],
        "tabsynth": known["tabsynth"],
        "mutations": len(bugs),
        "noticed": noticed,
        **same,
    }
    return [
        Finding(
            "audit.engine",
            f"Epsilon that an attack on the engine {name} proved at least, of the {found['epsilon']:g} that was claimed",
            found["total"]["epsilon_proven"],
            reference=found["total"]["epsilon_provable"],
            reference_is="what a perfect implementation shows with as many fits",
            better="closer",
            verdict="fail" if found["alarms"] else "pass" if all(same.values()) else "inconclusive",
            note="Measured with this engine on made-up neighbouring tables when this version was made, not on this release.",
            details=details,
        )
    ]


def _usual(name: str, settings: Any) -> bool:
    """Whether settings are those with which this version fits: the audit asks the same questions, with less work on the answers."""
    try:
        return settings == usual_settings(name, settings.get("target"))
    except (AttributeError, TypeError, TabsynthError):
        return False
