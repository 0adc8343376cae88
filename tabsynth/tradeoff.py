"""Tradeoff: what a claimed guarantee lets any attacker achieve. Closed forms of the claimed numbers, nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

_NORMAL = NormalDist()
LARGEST = 700.0
"""Beyond this, exp(epsilon) is no float; any rate that matters has reached 1 long before."""


def gaussian_tpr(mu: float, fpr: float) -> float:
    """Highest true-positive rate at a false-positive rate in (0, 1) against a mu-Gaussian-DP release.

    Dong, Roth and Su, "Gaussian Differential Privacy" (2022), definition 2.6.
    """
    return _NORMAL.cdf(_NORMAL.inv_cdf(fpr) + mu)


@dataclass(frozen=True)
class Tradeoff:
    """A claimed guarantee.

    Parameters
    ----------
    epsilon, delta : float
    mu : float, optional
        Of the Gaussian guarantee that stands behind epsilon and delta, where there is one.
    failure : float
        Probability that a discovery step fails.
    """

    epsilon: float
    delta: float
    mu: float | None = None
    failure: float = 0.0

    @classmethod
    def of(cls, card: dict[str, Any] | None) -> Tradeoff | None:
        """What a card claims, or None where it claims no guarantee in numbers. Whether the claim holds is another question."""
        given, ledger = ((card or {}).get(part) or {} for part in ("guarantee", "ledger"))
        epsilon, delta, mu = (given.get(name) for name in ("epsilon", "delta", "mu"))
        if given.get("private") is not True or not (_is_number(mu) or (_is_number(epsilon) and _is_number(delta))):
            return None
        failure = ledger.get("failure_delta")
        return cls(epsilon, delta, mu if _is_number(mu) else None, failure if _is_number(failure) else 0.0)

    def tpr(self, fpr: float) -> float:
        """Highest true-positive rate of any test for one unit at a false-positive rate in (0, 1); concave in the rate.

        With mu where there is one, else from epsilon and delta alone (Kairouz, Oh and Viswanath 2015, theorem 2.1). The probability
        that a discovery step fails is added.
        """
        if self.mu is not None:
            return min(1.0, gaussian_tpr(self.mu, fpr) + self.failure)
        steep = math.exp(min(self.epsilon, LARGEST)) * fpr + self.delta
        return min(1.0, steep, 1.0 - math.exp(-self.epsilon) * (1.0 - self.delta - fpr))

    @property
    def advantage(self) -> float:
        """Highest true-positive rate less false-positive rate.

        The total variation distance of the two worlds, with and without the unit: 2 Phi(mu / 2) - 1 for a mu-Gaussian-DP release (Dong,
        Roth and Su 2022, at the fixed point of definition 2.6), to which a failing discovery step is added; else, from epsilon and delta
        alone, (exp(epsilon) - 1 + 2 delta) / (exp(epsilon) + 1) (Kairouz, Oh and Viswanath 2015, theorem 2.1, at its region's corner).
        """
        if self.mu is not None:
            return min(1.0, math.erf(self.mu / math.sqrt(8.0)) + self.failure)
        pure = math.tanh(self.epsilon / 2.0)
        return pure + self.delta * (1.0 - pure)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
