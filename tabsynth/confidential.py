"""The confidential part of a release, from its files alone: is it about this release, and is its page what its JSON says?"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tabsynth import folders
from tabsynth.policy import Policy
from tabsynth.published import json_bytes, read_document
from tabsynth.recount import Differs, Result, looked, other_version


def confidential(out: Path, card: bytes) -> list[Result]:
    """What can be said of the internal report without the original table; nothing where there is none.

    Parameters
    ----------
    out : Path
        The output folder of a release.
    card : bytes
        The contents of its card.
    """
    path = folders.report(out)
    if not path.parent.exists():
        return []
    checks = {
        "the report is about this release": lambda told: _about(told, card),
        "the thresholds were changed as the report says": _policy,
        "the report's files are as tabsynth writes them, byte for byte": lambda told: _bytes(told, path),
    }
    return [looked(name, lambda check: check(_read(path)), check) for name, check in checks.items()]


def _read(path: Path) -> dict[str, Any]:
    for place in (path.parent, path, path.with_name(folders.REPORT_PAGE)):
        if place.is_symlink() or not (place.is_dir() if place == path.parent else place.is_file()):
            raise Differs(f"{place.name} is missing, a link, or not what it should be")
    return read_document(path, ("tabsynth.report",), "the output folder of tabsynth release, with its confidential part")


def _about(told: dict[str, Any], card: bytes) -> str:
    if not told["card"] or json_bytes(told["card"]) != card or told["card_sha256"] != hashlib.sha256(card).hexdigest():
        raise Differs("it is about another card")
    drawn, found = told["card"]["synthetic"], told["tables"]["synthetic"]
    if (found["rows"], found.get("sha256")) != (drawn["rows"], drawn["sha256"]):
        raise Differs("it is about another synthetic table")
    return "its card and its synthetic table"


def _policy(told: dict[str, Any]) -> str:
    policy = told["policy"]
    base = Policy.load(policy["based_on"])
    if odd := [name for name, each in base.thresholds.items() if policy["thresholds"][name]["shipped"] != each.value]:
        raise Differs(f"{', '.join(odd)} had another value before")
    return f"{policy['name']}, from {policy['based_on']}"


def _bytes(told: dict[str, Any], path: Path) -> str:
    from tabsynth.report import report

    for name, written in ((folders.REPORT, json_bytes(told)), (folders.REPORT_PAGE, report(told).encode())):
        if not same_bytes(path.with_name(name), written):
            raise Differs(f"{name} is not{other_version(told)}")
    return f"{folders.REPORT} and the page that it gives"


def same_bytes(path: Path, written: bytes) -> bool:
    """Whether a file holds just these bytes; one that is larger is not read."""
    return path.is_file() and path.stat().st_size == len(written) and path.read_bytes() == written
