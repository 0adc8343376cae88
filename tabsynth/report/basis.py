"""What a verdict rests on, in words: a guarantee, and a test that would have seen a leak. Reads findings, computes nothing."""

from __future__ import annotations

from typing import Any

from tabsynth.report.page import percent


def by_guarantee(finding: dict[str, Any], what: str) -> str:
    """How a claim passed by the guarantee, to be told before the measurement that checks it; nothing where it did not.

    Parameters
    ----------
    finding : dict
    what : str
        What the guarantee bounds, after "at most 1.8 % of members are".
    """
    by = (finding.get("details") or {}).get("by_guarantee") or {}
    if not by.get("settled"):
        return ""
    alone = "passes too" if by.get("measured") == "pass" else "would not decide"
    return (
        f"By the guarantee, and the engine withstood its audit: at most {percent(by['allowed'], 2)} of members are {what}, where "
        f"{percent(by['tolerated'], 2)} is tolerated. Measured as a check, which alone {alone}: "
    )


def sight(finding: dict[str, Any]) -> str:
    """Which leaks the same test would see."""
    power = (finding.get("details") or {}).get("power") or {}
    seen, unseen = ([leak for leak, sees in power.items() if sees is wanted] for wanted in (True, False))
    if not power:
        return ""
    if not seen:
        return (
            " Had the training rows themselves been released, this test would not have failed: there are too few records, or too many "
            "of them are equal."
        )
    but = f", but not for {' or '.join(unseen)}" if unseen else ""
    return f" In the synthetic table\u2019s place, this test fails for {' and for '.join(seen)}{but}."
