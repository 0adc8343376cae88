"""Layer 0: what the charges on a card amount to, by another accountant, and whether the card says so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

ROUNDING = 0.01
"""The other accountant rounds up, by less than this share."""


def amounts_to(card: Mapping[str, Any]) -> float:
    """Epsilon of the card's charges at its delta, by dp_accounting's privacy loss distributions (Koskela et al., AISTATS 2020)."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=1e-3)
    failure = math.fsum(charge["delta"] for charge in card["ledger"]["charges"])
    for charge in card["ledger"]["charges"]:
        for multiplier, times in charge["gaussians"]:
            accountant.compose(SelfComposedDpEvent(GaussianDpEvent(multiplier), times))
        for rate, multiplier, steps in charge["sampled"]:
            accountant.compose(SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier)), steps))
    return float(accountant.get_epsilon(card["guarantee"]["delta"] - failure))


def recomputed(card: Mapping[str, Any]) -> list[str]:
    """What is wrong with the card's claim; nothing, as it should be."""
    spent, claimed = amounts_to(card), card["guarantee"]
    wrong = []
    if spent > claimed["epsilon"] * (1 + ROUNDING):
        wrong.append(f"the charges amount to epsilon {spent:.4g}, the card claims {claimed['epsilon']:.4g}")
    if claimed["epsilon"] > claimed["epsilon_budget"] * (1 + 1e-6):
        wrong.append(f"the card claims epsilon {claimed['epsilon']:.4g} of a budget of {claimed['epsilon_budget']:.4g}")
    return wrong
