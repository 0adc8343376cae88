"""What a card says, counted again from its own charges and schema: shared by `verify` and by the report. Public facts alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabsynth.card import derived, version
from tabsynth.curator.sampled import MOST_STEPS, MOST_STREAMS
from tabsynth.errors import TabsynthError
from tabsynth.schema import Schema

if TYPE_CHECKING:
    from dp_accounting import DpEvent

    from tabsynth.curator.ledger import Ledger

TOLERANCE = 1e-6
"""Relative difference allowed where numerical accounting on another machine may round differently."""
MOST_CHARGES = 10_000
"""Charges that are counted again at most: far more than any engine needs, few enough to take seconds."""


@dataclass(frozen=True)
class Result:
    """One check: what was looked at, whether it holds, and what was seen."""

    check: str
    holds: bool
    seen: str


class Differs(Exception):
    """What was found is not what was said; the message says what was found."""


def looked(check: str, look: Callable[..., str], *arguments: Any) -> Result:
    """The result of a look, which says what it saw, or raises `Differs` or whatever damaged files make it raise."""
    try:
        return Result(check, True, look(*arguments))
    except (Differs, TabsynthError) as difference:
        return Result(check, False, str(difference))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, MemoryError):
        return Result(check, False, "the card lacks what this check needs, or has it in another form")


def recount(card: Mapping[str, Any]) -> list[Result]:
    """Whether what a card says of its guarantee follows from its charges, its schema and its budget.

    It says nothing about whether the charges are those of the fit: that cannot be seen in a card.
    """
    checks = {
        "the charges stay within the budget": _within,
        "the claimed epsilon follows from the charges": _epsilon,
        "the fit was not tapped by an audit": _untapped,
        "guarantee, ledger, noise and limits are those of these charges and this schema": _words,
    }
    return [looked(check, look, card) for check, look in checks.items()]


def alike(one: Any, other: Any) -> bool:
    """Equal, numbers up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return one == other


def unlike(expected: Mapping[str, Any], found: Mapping[str, Any], within: str = "") -> list[str]:
    """Names of the entries that are not what is expected, those of an entry of the first level as ``entry.name``."""
    out = []
    for name, value in expected.items():
        told = found.get(name)
        if not alike(value, told):
            both = not within and isinstance(value, dict) and isinstance(told, dict)
            out += (unlike(value, told, f"{name}.") if both else []) or [within + name]
    return out


def other_version(card: Mapping[str, Any]) -> str:
    """A remark where another tabsynth made the card: what it wrote may then differ without anybody having changed it."""
    made = card.get("tabsynth")
    return "" if made == version() else f"; tabsynth {made!r:.40} made it, this is {version()}, so compare it with that version"


def _gaussians(card: Mapping[str, Any]) -> float:
    """Price in rho of all Gaussian steps, from their noise multipliers alone."""
    steps = [step for charge in card["ledger"]["charges"] for step in charge["gaussians"]]
    if not all(multiplier > 0 and times >= 1 for multiplier, times in steps):
        raise ValueError("a Gaussian step has a noise multiplier above 0 and happens at least once")
    return sum(times / (2 * multiplier**2) for multiplier, times in steps)


def _streams(card: Mapping[str, Any]) -> list[tuple[float, float, int]]:
    """Rate, noise multiplier and number of all Poisson-sampled Gaussian steps."""
    charges = card["ledger"]["charges"]
    streams = [tuple(stream) for charge in charges for stream in charge["sampled"]]
    if not (
        sum(steps for _, _, steps in streams) <= MOST_STEPS and len(streams) <= MOST_STREAMS and len(charges) <= MOST_CHARGES
    ):
        raise Differs("there are more charges or sampled steps than can be counted again")
    return streams


def _failure(card: Mapping[str, Any]) -> float:
    """Failure probability of all charges."""
    return sum(charge["delta"] for charge in card["ledger"]["charges"])


def _within(card: Mapping[str, Any]) -> str:
    from tabsynth.curator.ledger import Budget

    ledger, claimed = card["ledger"], card["guarantee"]
    failure = _failure(card)
    budget = Budget(claimed["epsilon_budget"], claimed["delta"], ledger["failure_delta"] / claimed["delta"])
    spent = _gaussians(card) + budget.price(_streams(card))
    stated = min(ledger["spent_rho"], sum(charge["rho"] for charge in ledger["charges"]))
    if not spent <= budget.rho * (1 + 1e-9):
        raise Differs(f"the charges add up to rho {spent:.6g}, the budget is {budget.rho:.6g}")
    if not stated >= spent * (1 - TOLERANCE):
        raise Differs(f"the charges cost rho {spent:.6g}, the card says {stated:.6g}")
    if not failure <= ledger["failure_delta"] * (1 + 1e-9):
        raise Differs(f"the charges need delta {failure:.3g}, set aside is {ledger['failure_delta']:.3g}")
    return f"rho {spent:.6g} of {budget.rho:.6g}"


def _epsilon(card: Mapping[str, Any]) -> str:
    from tabsynth.curator.ledger import epsilon_of

    claimed, streams = card["guarantee"], _streams(card)
    found = epsilon_of(_gaussians(card), claimed["delta"] - _failure(card), streams)
    if not found <= claimed["epsilon"] * (1 + (TOLERANCE if streams else 1e-9)):
        raise Differs(f"the charges amount to epsilon {found:.6g}, the card claims {claimed['epsilon']:.6g}")
    return f"epsilon {found:.6g} at delta {claimed['delta']:g}, claimed {claimed['epsilon']:.6g}"


def _untapped(card: Mapping[str, Any]) -> str:
    if card["guarantee"]["private"] is not True:
        raise Differs("the card says: audited, not private")
    return "no exact answer was shown"


def _words(card: Mapping[str, Any]) -> str:
    """Everything that follows is written again and compared, not only the numbers."""
    schema = Schema.from_dict(card["schema"])
    _streams(card)
    again = derived(schema, _ledger(card), prior="prior" in card, tapped=card["guarantee"]["private"] is not True)
    if odd := unlike(again, card):
        raise Differs(f"{', '.join(odd)} should read otherwise{other_version(card)}")
    return again["guarantee"]["statement"]


def _ledger(card: Mapping[str, Any]) -> Ledger:
    """A ledger that is charged all over again, and refuses what is too much."""
    from tabsynth.curator.ledger import Budget, Ledger

    claimed, told = card["guarantee"], card["ledger"]
    ledger = Ledger(Budget(claimed["epsilon_budget"], claimed["delta"], told["failure_delta"] / claimed["delta"]))
    for charge in told["charges"]:
        ledger.charge(_event(charge), charge["note"], failure=charge["delta"])
    return ledger


def _event(charge: Mapping[str, Any]) -> DpEvent:
    """The event of a charge, from its numbers; the card has to name just that."""
    from tabsynth.curator.ledger import events

    known = {str(event): event for event in events(charge["gaussians"], charge["sampled"])}
    if charge["event"] not in known:
        raise Differs("the event of a charge does not have the noise multipliers of the charge")
    return known[charge["event"]]
