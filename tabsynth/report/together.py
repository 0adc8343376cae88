"""What several releases made from the same people cost together. Closed forms of the claimed numbers, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tabsynth.report.guarantee import is_private
from tabsynth.report.page import is_number
from tabsynth.tradeoff import LARGEST


def together(cards: Sequence[dict[str, Any] | None]) -> dict[str, float] | None:
    """Epsilon and delta if all were published; None where any has no guarantee.

    Epsilons and deltas add up (Dwork and Roth, "The Algorithmic Foundations of Differential Privacy" (2014), theorem 3.16). Where
    every ledger is Gaussian, mu-Gaussian-private releases are together sqrt(sum of mu^2)-Gaussian-private (Dong, Roth and Su
    2022, corollary 3.3), which ``tighter`` turns into an epsilon at the same delta. Equal cards are one fit and count once.

    Returns
    -------
    dict, optional
        ``epsilon``, ``delta``, ``fits``, and where it is lower ``tighter`` with ``mu``.
    """
    fits = [card for i, card in enumerate(cards) if card not in cards[:i]]
    if not all(is_private(card) for card in fits):
        return None
    given = [card["guarantee"] for card in fits]
    out = {"epsilon": sum(g["epsilon"] for g in given), "delta": sum(g["delta"] for g in given), "fits": len(fits)}
    left = out["delta"] - sum((card.get("ledger") or {}).get("failure_delta") or 0.0 for card in fits)
    if all(is_number(g.get("mu")) for g in given) and len(fits) > 1:
        mu = math.sqrt(sum(g["mu"] ** 2 for g in given))
        tighter = epsilon_of(mu, left)
        if tighter is not None and tighter < out["epsilon"]:
            out |= {"tighter": tighter, "mu": mu}
    return out


def epsilon_of(mu: float, delta: float) -> float | None:
    """Least epsilon at which a mu-Gaussian-private release is (epsilon, delta)-private, or None where none can be written.

    Dong, Roth and Su 2022, corollary 2.13, solved by bisection.
    """
    if not mu > 0 or not 0 < delta < 1 or _delta_of(mu, LARGEST) > delta:
        return None
    low, high = 0.0, LARGEST
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _delta_of(mu, middle) > delta else (low, middle)
    return high


def _delta_of(mu: float, epsilon: float) -> float:
    return _normal(-epsilon / mu + mu / 2) - math.exp(epsilon) * _normal(-epsilon / mu - mu / 2)


def _normal(z: float) -> float:
    """Standard normal distribution function, exact in its lower tail."""
    return math.erfc(-z / math.sqrt(2)) / 2
