"""The verdicts of a report, and how they are read off findings: shared by all that makes claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabsynth.report.page import is_number

PASS, FAIL, INCONCLUSIVE, NONE, NOT_TESTED = "PASS", "FAIL", "INCONCLUSIVE", "NO GUARANTEE", "NOT TESTED"


@dataclass(frozen=True)
class Claim:
    """One line of the decision box."""

    title: str
    verdict: str
    sentence: str
    section: str


def available(finding: dict[str, Any] | None) -> bool:
    """True where the finding exists and has a value."""
    return finding is not None and is_number(finding.get("value"))


def why_missing(finding: dict[str, Any] | None) -> str:
    """Why there is no number: the finding's own note, or that the check was not run."""
    if finding is None:
        return "This check was not run."
    return finding.get("note") or "This check gave no number and no reason."


def verdict_of(finding: dict[str, Any] | None) -> str:
    """A finding without a value proves nothing, whatever its verdict says."""
    if finding is None:
        return NOT_TESTED
    known = {"pass": PASS, "fail": FAIL}.get(finding.get("verdict"), INCONCLUSIVE)
    return known if available(finding) else INCONCLUSIVE
