"""Engines in the settings they are audited in: they ask the curator what they always ask, and work on the answers for a shorter time."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from tabsynth.access import Synthesizer
from tabsynth.errors import OptionError
from tabsynth.models import EXTRAS, synthesizer
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


NEEDS = {"probe with gradients": "ctgan"}
"""Probes that need what a model needs."""


def engine(name: str) -> Synthesizer:
    """The engine of this name.

    Raises
    ------
    OptionError
        If there is none, or what it needs is not installed.
    """
    if name not in ENGINES:
        raise OptionError(f"there is no engine {name!r} to audit; choose from {', '.join(ENGINES)}.")
    if name in QUICK:
        return replace(synthesizer(name, None), **QUICK[name])
    if name in NEEDS:
        synthesizer(NEEDS[name], None)
    return Probe(steps=PROBES[name])


def installed() -> tuple[str, ...]:
    """The engines for which nothing more has to be installed."""
    extras = {name: EXTRAS.get(NEEDS.get(name, name)) for name in ENGINES}
    return tuple(name for name, extra in extras.items() if extra is None or find_spec(extra))
