"""NOT PRIVATE. Power: would a check have failed, had the generator released its training rows? And what a guarantee settles without it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tabsynth.validate.check import Evidence, Finding

WHOLE, COPIES = "training rows", "5 % copies"
PLANTED = {WHOLE: 1.0, COPIES: 0.05}
"""Leaks that are put in the synthetic table's place: the share of its rows that are training rows."""
POWER_ROWS = 5_000
"""What a planted leak would show is measured on so many rows a side at most: it is noticed on fewer than a healthy release is judged by."""


def planted(evidence: Evidence, leak: str) -> Evidence:
    """The evidence with a share of the synthetic rows, at random places, replaced by training rows, each used as rarely as possible.

    Parameters
    ----------
    evidence : Evidence
    leak : {'training rows', '5 % copies'}
    """
    rng = np.random.default_rng([evidence.seed, 11])
    rows, training = len(evidence.synthetic), len(evidence.train)
    places = rng.permutation(rows)[: round(PLANTED[leak] * rows)]
    copied = np.resize(rng.permutation(training), len(places))
    table = pd.concat([evidence.synthetic, evidence.train.iloc[copied]], ignore_index=True)
    order = np.arange(rows)
    order[places] = rows + np.arange(len(places))
    return replace(evidence, synthetic=table.iloc[order].reset_index(drop=True), further=())


def confirmed(finding: Finding, seen: Mapping[str, bool], required: tuple[str, ...] = (WHOLE,)) -> Finding:
    """The finding, which passes only if the same check fails for every leak required.

    Parameters
    ----------
    finding : Finding
    seen : mapping from a name in `PLANTED` to bool
        Whether the check fails with that leak in the synthetic table's place.
    required : tuple of str
    """
    blind = [leak for leak in required if not seen[leak]]
    verdict = "inconclusive" if finding.verdict == "pass" and blind else finding.verdict
    details = finding.details | {"power": dict(seen), "blind": bool(blind)}
    return replace(finding, verdict=verdict, details=details)


def by_guarantee(finding: Finding, allowed: float | None, tolerated: float) -> Finding:
    """The finding, which passes by the guarantee alone where that allows no attacker more than is tolerated.

    A measured failure stays one, and so does the absence of a number: the measurement is the check of the guarantee. Applied last, after
    `confirmed`: a guarantee holds however little a sample shows. ``details["by_guarantee"]`` says what is ``allowed`` and ``tolerated``,
    whether the guarantee settles the claim (``settled``), and the ``measured`` verdict.

    Parameters
    ----------
    finding : Finding
    allowed : float, optional
        What ``evidence.guarantee``, which withstood its audit, allows any attacker, in the claim's own measure; None without one.
    tolerated : float
        In the same measure.
    """
    if allowed is None or finding.value is None:
        return finding
    settled = allowed <= tolerated and finding.verdict != "fail"
    told = {"allowed": allowed, "tolerated": tolerated, "settled": settled, "measured": finding.verdict}
    return replace(finding, verdict="pass" if settled else finding.verdict, details=finding.details | {"by_guarantee": told})


def without_guarantee(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with their measured verdicts alone: for a guarantee that an attack contradicts."""
    out = []
    for finding in findings:
        told = finding.details.get("by_guarantee")
        if told is not None:
            details = finding.details | {"by_guarantee": told | {"settled": False}}
            finding = replace(finding, verdict=told["measured"], details=details)
        out.append(finding)
    return out


def foreseen(
    settled: Callable[[int], bool], others: int, allowed: float | None, tolerated: float
) -> tuple[str | None, int | None]:
    """What would settle a claim with so many holdout units, and with how many of them a measurement would (to a tenth).

    Parameters
    ----------
    settled : callable
        From a number of holdout units to whether a measurement would settle it; once it would, more units would too.
    others : int
    allowed, tolerated : float
        As in `by_guarantee`.

    Returns
    -------
    str or None
        ``guarantee`` or ``measurement``; None where it would probably stay open.
    int or None
        Holdout units with which a measurement would settle it.
    """
    sizes = np.geomspace(10, 1e6, 100).astype(int).tolist()
    least = dict(enumerate(sizes)).get(bisect_left(sizes, True, key=settled))
    by = "guarantee" if allowed is not None and allowed <= tolerated else "measurement" if settled(others) else None
    return by, least
