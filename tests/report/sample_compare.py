"""Made-up reports on one data set, to be compared. No number here was measured on anything."""

from __future__ import annotations

import copy
import math
from functools import cache
from typing import Any

from . import sample

NAMES = ["eps-0.3", "eps-1", "eps-10", "release-of-march", "sdv", "no-privacy"]


_original = cache(sample.report)


def made(
    epsilon: float = 1.0, *, auc: float = 0.88, tvd3: float = 0.14, rate: float = 0.011, seed: int = 0, model: str = "mst"
) -> dict[str, Any]:
    """The sample report with another guarantee and other main numbers."""
    out = copy.deepcopy(_original())
    mu, card = 0.24 * epsilon**0.9, out["card"]
    card["guarantee"] |= {"epsilon": epsilon, "mu": mu, "rho": mu * mu / 2}
    card["ledger"] |= {"budget_rho": mu * mu / 2, "spent_rho": mu * mu / 2}
    card["model"] |= {"name": model, "seed": seed}
    _set(out, "utility.boosting.auc", auc, 0.006)
    _set(out, "fidelity.tvd3", tvd3)
    _set(out, "attacks.membership", rate, 0.2 * rate)
    next(f for f in out["findings"] if f["check"] == "expectations.schema")["verdict"] = "pass"
    return out


def _set(report: dict[str, Any], check: str, value: float, half: float | None = None) -> None:
    finding = next(f for f in report["findings"] if f["check"] == check)
    finding |= {"value": value, "interval": [value - half, value + half] if half is not None else None}


def without(report: dict[str, Any], *starts: str) -> dict[str, Any]:
    """The report without the findings whose names start so."""
    return report | {"findings": [f for f in report["findings"] if not f["check"].startswith(starts)]}


def no_guarantee(report: dict[str, Any]) -> dict[str, Any]:
    """The report with a card that promises nothing."""
    return report | {"card": sample.not_private_card()}


def failing(report: dict[str, Any], check: str) -> dict[str, Any]:
    """The report in which a check has failed."""
    out = copy.deepcopy(report)
    next(f for f in out["findings"] if f["check"] == check)["verdict"] = "fail"
    return out


def several() -> list[dict[str, Any]]:
    """Six: three epsilons, one that is beaten, one without a card or a target's utility, one without privacy that leaks."""
    others = made(1.2, auc=0.84, tvd3=0.21, seed=1, model="independent")
    others["split"] = {"holdout": 0.3, "seed": 5}
    leaking = failing(no_guarantee(made(1.0, auc=0.915, tvd3=0.09, rate=0.31)), "attacks.membership")
    return [
        made(0.3, auc=0.855, tvd3=0.19),
        made(1.0, auc=0.884, tvd3=0.1405),
        made(10.0, auc=0.889, tvd3=0.12, rate=0.016),
        others,
        without(made(2.0, tvd3=0.16), "utility.") | {"card": None},
        leaking,
    ]


def many(number: int = 12) -> list[dict[str, Any]]:
    """As many as one page takes, some with the same epsilon."""
    return [
        made(round(0.1 * 2 ** (i // 2), 4), auc=0.80 + 0.009 * i, tvd3=0.3 * math.exp(-0.1 * i), seed=i) for i in range(number)
    ]


def hostile() -> list[dict[str, Any]]:
    """Two reports in which every text tries to break out of the page."""
    one = sample.minimal()
    two = copy.deepcopy(one) | {"seed": 1, "tabsynth": sample.BREAKER, "split": {"holdout": 0.3, "seed": 5}}
    two["findings"][0] |= {"value": 0.2, "title": sample.HOSTILE}
    two["environment"] |= {sample.HOSTILE: sample.BREAKER}
    return [one, two]
