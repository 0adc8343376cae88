"""Engines in the settings they are audited in: they ask the curator what they always ask, and work on the answers for a shorter time."""

from __future__ import annotations

from dataclasses import replace

from tabsynth.access import Synthesizer
from tabsynth.errors import OptionError
from tabsynth.models import synthesizer
from tabsynth.models.aim import AIM
from tabsynth.validate.audit.probe import Probe

SHORT = {"fewest": 256, "steps": 3}
QUICK = {
    "independent": {},
    "mst": {"iterations": 20},
    "aim": SHORT,
    "copula": {"iterations": 3},
    "neural": {"steps": 10},
    "ctgan": {"steps": 20, "refit": 3, "drafts": 256, "generator": AIM(**SHORT)},
}
PROBES = {"probe": 0, "probe with gradients": 10}
"""Gradient steps that each takes."""
ENGINES = (*PROBES, *QUICK)


def engine(name: str) -> Synthesizer:
    """The engine of this name.

    Raises
    ------
    OptionError
        If there is none.
    """
    if name not in ENGINES:
        raise OptionError(f"there is no engine {name!r} to audit; choose from {', '.join(ENGINES)}.")
    return Probe(steps=PROBES[name]) if name in PROBES else replace(synthesizer(name, None), **QUICK[name])
