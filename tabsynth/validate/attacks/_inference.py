"""NOT PRIVATE. What attribute inference, singling out and linkability share: one row a unit, and success beyond a control."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tabsynth.schema import Schema
from tabsynth.validate.features import Encoded
from tabsynth.validate.intervals import needed_factor, newcombe, residual_risk

ROWS = 20_000
"""At most this many units a side, and one row of each: as many as a challenge has."""


def one_row_each(units: np.ndarray, rng: np.random.Generator, at_most: int = ROWS) -> np.ndarray:
    """Row numbers: of units drawn at random, at most `at_most`, one row each, so that trials are independent."""
    order = rng.permutation(len(units))
    return order[np.sort(np.unique(units[order], return_index=True)[1])[:at_most]]


def only(encoded: Encoded, schema: Schema, names: Collection[str]) -> Encoded:
    """The features of some of the schema's columns, from those of all."""
    numeric = np.array([c.name in names for c in schema.modelled if c.numeric], bool)
    codes = np.array([c.name in names for c in schema.modelled if c.nullable or not c.numeric], bool)
    levels = tuple(n for n, kept in zip(encoded.levels, codes, strict=True) if kept)
    return Encoded({scaling: values[:, numeric] for scaling, values in encoded.numeric.items()}, encoded.codes[:, codes], levels)


def compared(members: float, others: float, asked: tuple[int, int], level: float, effect: float = 1.0) -> dict[str, Any]:
    """Successes on members beside those on non-members: rates, their difference, and the residual risk, each with intervals.

    Parameters
    ----------
    members, others : float
        Successes.
    asked : (int, int)
        Trials on members, on non-members.
    level : float
        Of the `simultaneous` interval of the residual risk; the others are at 95 %.
    effect : float
        Trials for the worth of one independent trial (the design effect); intervals are those of trials / effect.
    """
    (n, m), counts = asked, (members / effect, asked[0] / effect, others / effect, asked[1] / effect)
    risk, interval = residual_risk(*counts)
    return {
        "members": float(members), "n_members": n, "nonmembers": float(others), "n_nonmembers": m,
        "rate_members": float(members / n), "rate_nonmembers": float(others / m), "difference": float(members / n - others / m),
        "difference_interval": _floats(newcombe(*counts)), "residual_risk": float(risk), "interval": _floats(interval),
        "simultaneous": _floats(residual_risk(*counts, level)[1]), "design_effect": float(effect),
    }  # fmt: skip


def verdict(results: Sequence[dict[str, Any]], tolerated: float) -> str:
    """Gate G2 on results of `compared`, by their simultaneous intervals."""
    if any(result["simultaneous"][0] > tolerated for result in results):
        return "fail"
    return "pass" if all(result["simultaneous"][1] <= tolerated for result in results) else "inconclusive"


def needed(results: Sequence[dict[str, Any]], tolerated: float, level: float) -> float | None:
    """How many times the trials `verdict` would need to decide, if all rates stayed as they are; None if no number would do."""

    def more(result: dict[str, Any], factor: float) -> dict[str, Any]:
        counts = (
            result[name] * factor / result["design_effect"] for name in ("members", "n_members", "nonmembers", "n_nonmembers")
        )
        return {"simultaneous": residual_risk(*counts, level)[1]}

    return needed_factor(lambda factor: verdict([more(r, factor) for r in results], tolerated) != "inconclusive")


def _floats(interval: tuple[float, float]) -> list[float]:
    return [float(interval[0]), min(float(interval[1]), 1.0)]
