"""NOT PRIVATE. Attack A0, replication: do training rows occur in the synthetic table more often than unseen real rows do?"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import row_ids, unit_codes
from tabsynth.validate.intervals import needed_factor, newcombe

NEAR = {0.001: "nearer than 99.9 % of unseen rows", 0.01: "nearer than 99 % of unseen rows"}


def check(evidence: Evidence, challenge: Challenge, distances: np.ndarray, calibration: np.ndarray) -> Finding:
    """Compare the share of copied units among training rows with that among holdout rows, for exact and near copies.

    A unit is copied when one of its rows is. Exact copies agree in every column but the identifiers; all rows are searched. Near
    copies are challenge rows within tau of a synthetic row, tau being a quantile of that distance among reference rows.

    Parameters
    ----------
    distances : ndarray, shape (challenge rows,)
        Standardised L1 distance to the nearest synthetic row.
    calibration : ndarray, shape (reference rows,)
        The same for reference rows.
    """
    title = "Training rows that occur in the synthetic table, beyond what unseen rows do"
    if not (len(evidence.train) and len(evidence.holdout) and len(evidence.synthetic)):
        return Finding("attacks.replication", title, None, reference=0.0, note="A table has no rows.")
    exact, distinct = _exact(evidence)
    levels = [exact]
    if len(challenge.member):
        near = [(share, label) for share, label in NEAR.items() if len(calibration) * share >= 1]
        levels += [_near(challenge, distances, float(np.quantile(calibration, share)), label) for share, label in near]
    tolerated, confidence = evidence.policy["copies"], 1 - 0.05 / len(levels)
    for level in levels:
        _complete(level, confidence)
    decision = _verdict([level["interval"] for level in levels], tolerated)
    more = None
    if decision == "inconclusive":
        more = needed_factor(
            lambda times: _verdict([_interval(level, confidence, times) for level in levels], tolerated) != "inconclusive"
        )
    return Finding(
        "attacks.replication", title, exact["excess"], tuple(exact["interval"]), 0.0, "as many copies as among unseen rows",
        verdict=decision,
        note=(
            f"The intervals hold at all {len(levels)} levels together (Bonferroni). Fail: a lower bound above 0. Pass: otherwise, if "
            f"the upper bound for exact copies is at most {100 * tolerated:g} %."
        ),
        details={
            "levels": levels, "distinct_copied": distinct, "tolerated": tolerated,
            "needed_nonmembers": more and ceil(more * exact["n_holdout"]),
        },
    )  # fmt: skip


def _exact(evidence: Evidence) -> tuple[dict[str, Any], int]:
    train, holdout, synthetic = row_ids([evidence.train, evidence.holdout, evidence.synthetic], evidence.schema)
    counts = []
    for ids, table in ((train, evidence.train), (holdout, evidence.holdout)):
        counts += _units_with(np.isin(ids, synthetic), unit_codes(table, evidence.schema))
    return _level("exact copies", 0.0, counts), len(np.intersect1d(train, synthetic))


def _near(challenge: Challenge, distances: np.ndarray, tau: float, label: str) -> dict[str, Any]:
    copied, member = distances <= tau, challenge.row_member
    counts = [n for side in (member, ~member) for n in _units_with(copied[side], challenge.units[side])]
    return _level(label, tau, counts)


def _units_with(copied: np.ndarray, units: np.ndarray) -> tuple[int, int]:
    """How many units have a copied row, and how many there are."""
    return len(np.unique(units[copied])), len(np.unique(units))


def _level(label: str, tau: float, counts: list[int]) -> dict[str, Any]:
    return {"label": label, "tau": tau, **dict(zip(("members", "n_members", "holdout", "n_holdout"), counts, strict=True))}


def _complete(level: dict[str, Any], confidence: float) -> None:
    level["rate_members"], level["rate_holdout"] = (level[k] / level[f"n_{k}"] for k in ("members", "holdout"))
    level["excess"] = level["rate_members"] - level["rate_holdout"]
    level["interval"] = _interval(level, confidence)


def _interval(level: dict[str, Any], confidence: float, times: float = 1.0) -> list[float]:
    """Of the excess; had there been so many times the units and copies."""
    return list(newcombe(*(times * level[k] for k in ("members", "n_members", "holdout", "n_holdout")), confidence))


def _verdict(intervals: Sequence[Sequence[float]], tolerated: float) -> str:
    """Gate G0, by the intervals of all levels, that of exact copies first."""
    if any(low > 0 for low, _ in intervals):
        return "fail"
    return "pass" if intervals[0][1] <= tolerated else "inconclusive"
