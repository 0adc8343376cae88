"""Check a release folder from its files alone: nothing was changed, and the ledger adds up to the epsilon it claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth import folders
from tabsynth.errors import FolderError, InputError
from tabsynth.release import Release, hashes, read_card
from tabsynth.schema import Schema

TOLERANCE = 1e-6
"""Relative difference allowed where numerical accounting on another machine may round differently."""


@dataclass(frozen=True)
class Result:
    """One check of a release folder: what was looked at, whether it holds, and what was seen."""

    check: str
    holds: bool
    seen: str


def verify(folder: str | Path) -> list[Result]:
    """Check the part of a release that may leave, given by the output folder or by that part itself.

    The guarantee itself cannot be seen in the files: this recomputes the claim from the charges and finds what was changed since.

    Returns
    -------
    list of Result

    Raises
    ------
    FolderError
        If it is not a release folder.
    """
    folder = folders.public(folder)
    if not (folder / folders.CARD).is_file():
        raise FolderError(f"{folder} is not a release: it has no card.json; give a folder that tabsynth release wrote.")
    card = read_card(folder / folders.CARD)
    checks: dict[str, Callable[[Path, dict[str, Any]], str]] = {
        "files are unchanged": _files,
        "the schema has the fingerprint on the card": _fingerprint,
        "the charges stay within the budget": _ledger,
        "the claimed epsilon follows from the charges": _epsilon,
        "the fit was not tapped by an audit": _untapped,
        "the model loads and carries the same charges": _model,
        "the synthetic table has the schema's columns and values": _table,
    }
    return [_run(name, check, folder, card) for name, check in checks.items()]


class _Differs(Exception):
    """What was found is not what the card says."""


def _run(name: str, check: Callable[[Path, dict[str, Any]], str], folder: Path, card: dict[str, Any]) -> Result:
    try:
        return Result(name, True, check(folder, card))
    except _Differs as difference:
        return Result(name, False, str(difference))
    except InputError as error:
        return Result(name, False, str(error))
    except (KeyError, TypeError, ValueError, AttributeError):
        return Result(name, False, "the card lacks what this check needs, or has it in another form")


def _files(folder: Path, card: dict[str, Any]) -> str:
    listed = card["files"]
    if not listed:
        raise _Differs("the card lists no file")
    if missing := [name for name in listed if not (folder / name).is_file()]:
        raise _Differs(f"{missing[0]} is missing")
    found = hashes(folder, tuple(listed))
    if changed := [name for name in listed if found[name] != listed[name]]:
        raise _Differs(f"{', '.join(changed)} changed after the release was made")
    return f"{len(listed)} files match their SHA-256"


def _fingerprint(folder: Path, card: dict[str, Any]) -> str:
    found = Schema.from_dict(card["schema"]).fingerprint
    if found != card["fingerprint"]:
        raise _Differs(f"fingerprint is {found[:12]}..., the card says {card['fingerprint'][:12]}...")
    return found[:12] + "..."


def _gaussians(card: dict[str, Any]) -> float:
    """Price in rho of all Gaussian steps, from their noise multipliers alone."""
    steps = [step for charge in card["ledger"]["charges"] for step in charge["gaussians"]]
    if not all(multiplier > 0 and times >= 1 for multiplier, times in steps):
        raise ValueError("a Gaussian step has a noise multiplier above 0 and happens at least once")
    return sum(times / (2 * multiplier**2) for multiplier, times in steps)


def _streams(card: dict[str, Any]) -> list[tuple[float, float, int]]:
    """Rate, noise multiplier and number of all Poisson-sampled Gaussian steps."""
    return [tuple(stream) for charge in card["ledger"]["charges"] for stream in charge["sampled"]]


def _failure(card: dict[str, Any]) -> float:
    """Failure probability of all charges."""
    return sum(charge["delta"] for charge in card["ledger"]["charges"])


def _ledger(folder: Path, card: dict[str, Any]) -> str:
    from tabsynth.curator.ledger import Budget

    ledger, claimed = card["ledger"], card["guarantee"]
    failure = _failure(card)
    budget = Budget(claimed["epsilon_budget"], claimed["delta"], ledger["failure_delta"] / claimed["delta"])
    spent = _gaussians(card) + budget.price(_streams(card))
    stated = min(ledger["spent_rho"], sum(charge["rho"] for charge in ledger["charges"]))
    if not spent <= budget.rho * (1 + 1e-9):
        raise _Differs(f"the charges add up to rho {spent:.6g}, the budget is {budget.rho:.6g}")
    if not stated >= spent * (1 - TOLERANCE):
        raise _Differs(f"the charges cost rho {spent:.6g}, the card says {stated:.6g}")
    if not failure <= ledger["failure_delta"] * (1 + 1e-9):
        raise _Differs(f"the charges need delta {failure:.3g}, set aside is {ledger['failure_delta']:.3g}")
    return f"rho {spent:.6g} of {budget.rho:.6g}"


def _epsilon(folder: Path, card: dict[str, Any]) -> str:
    from tabsynth.curator.ledger import epsilon_of

    claimed, streams = card["guarantee"], _streams(card)
    found = epsilon_of(_gaussians(card), claimed["delta"] - _failure(card), streams)
    if not found <= claimed["epsilon"] * (1 + (TOLERANCE if streams else 1e-9)):
        raise _Differs(f"the charges amount to epsilon {found:.6g}, the card claims {claimed['epsilon']:.6g}")
    return f"epsilon {found:.6g} at delta {claimed['delta']:g}, claimed {claimed['epsilon']:.6g}"


def _untapped(folder: Path, card: dict[str, Any]) -> str:
    if card["guarantee"]["private"] is not True:
        raise _Differs("the card says: audited, not private")
    return "no exact answer was shown"


def _model(folder: Path, card: dict[str, Any]) -> str:
    inner = Release.load(folder / "model").card
    if inner["ledger"] != card["ledger"] or inner["guarantee"] != card["guarantee"]:
        raise _Differs("the model's own card has another ledger or guarantee")
    return f"model {inner['model']['name']}, {len(inner['ledger']['charges'])} charges"


def _table(folder: Path, card: dict[str, Any]) -> str:
    from tabsynth.conform import outside, read

    schema, path = Schema.from_dict(card["schema"]), folder / folders.TABLE
    rows = len(read(path, schema))
    if rows != card["synthetic"]["rows"]:
        raise _Differs(f"the table has {rows} rows, the card says {card['synthetic']['rows']}")
    off = {name: n for name, n in outside(path, schema).items() if n}
    if off:
        raise _Differs(f"values outside the schema in {', '.join(off)}")
    return f"{rows} rows, {len(schema.columns)} columns"
