"""Budget, Charge, Ledger: what was spent, on what, and that it is never more than was allowed.

Gaussian steps compose exactly: mechanisms that are mu_i-Gaussian-DP are together sqrt(sum mu_i**2)-Gaussian-DP, also when chosen
adaptively (Dong, Roth and Su, "Gaussian Differential Privacy", JRSS B 2022, Corollary 3.3), and the total converts exactly to (epsilon,
delta) (ibid., Corollary 2.13; Balle and Wang, ICML 2018, Theorem 8). Budgets are kept as rho = mu**2 / 2, which adds up.

The only import of dp_accounting. Everything here is public.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabsynth.errors import BudgetExceeded, OptionError, Unaccounted

if TYPE_CHECKING:
    from dp_accounting import DpEvent

SAFETY = 1e-9
"""Relative margin between the budget and the claim: covers rounding, and the factor of `table.LATTICE`."""


@dataclass(frozen=True)
class Budget:
    """What may be spent.

    Parameters
    ----------
    epsilon, delta : float
        The (epsilon, delta) that the whole fit will satisfy, for adding or removing one unit.
    failure_share : float
        The part of `delta` set aside for steps that fail to be private with a small probability (partition selection).
    """

    epsilon: float
    delta: float
    failure_share: float = 0.0

    def __post_init__(self) -> None:
        if not (_is_number(self.epsilon) and 0 < self.epsilon < math.inf):
            raise OptionError(f"epsilon is {self.epsilon!r}; give a number above 0, usually between 0.1 and 10.")
        if not (_is_number(self.delta) and 1e-300 <= self.delta < 1):
            raise OptionError(
                f"delta is {self.delta!r}; give a number above 0 and below 1, well under one over the number of units: 1e-6, say."
            )
        if not 0 <= self.failure_share < 1:
            raise OptionError(f"failure_share is {self.failure_share!r}; give a number from 0 to below 1.")

    @property
    def failure(self) -> float:
        """The failure probability that may be spent."""
        return self.delta * self.failure_share

    @property
    def rho(self) -> float:
        """The Gaussian budget mu**2 / 2 that converts to (epsilon, delta - failure)."""
        from dp_accounting import get_sigma_gaussian

        return 0.5 * get_sigma_gaussian(self.epsilon, self.delta - self.failure) ** -2 * (1 - 8 * SAFETY)


@dataclass(frozen=True)
class Charge:
    """One paid step: what for, the event, and its failure probability."""

    note: str
    event: DpEvent
    failure: float

    @property
    def rho(self) -> float:
        """Price of the event."""
        return gaussian_rho(self.event)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the card; `gaussians` lists (noise multiplier, number of times), enough to recompute the price."""
        return {
            "note": self.note,
            "event": str(self.event),
            "gaussians": _gaussians(self.event),
            "rho": self.rho,
            "delta": self.failure,
        }


class Ledger:
    """Refuses any step that is unknown or too expensive, before its noise is drawn.

    Parameters
    ----------
    budget : Budget

    Examples
    --------
    >>> from dp_accounting import GaussianDpEvent
    >>> ledger = Ledger(Budget(epsilon=1, delta=1e-6))
    >>> round(ledger.left(), 4)
    0.028
    >>> ledger.charge(GaussianDpEvent(10), "a histogram")
    >>> round(ledger.left(), 4)
    0.023
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._rho = budget.rho
        self._charges: list[Charge] = []
        self._lock = threading.Lock()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All charges, oldest first."""
        return tuple(self._charges)

    def left(self) -> float:
        """What is left of the Gaussian budget, in rho."""
        return max(0.0, self._rho - self.spent())

    def spent(self) -> float:
        """What the Gaussian steps have cost, in rho."""
        return math.fsum(c.rho for c in self._charges)

    def failure_left(self) -> float:
        """What is left of the failure probability."""
        return max(0.0, self.budget.failure - math.fsum(c.failure for c in self._charges))

    def charge(self, event: DpEvent, note: str, *, failure: float = 0.0) -> None:
        """Pay for a step. To be called before its noise is drawn.

        Parameters
        ----------
        event : DpEvent
            Gaussian, or composed of Gaussians.
        note : str
            What the step is for; printed on the card, so public.
        failure : float
            Probability with which the step fails to be as private as `event` says.

        Raises
        ------
        Unaccounted
            If the ledger has no proof for the event.
        BudgetExceeded
            If too little is left. Nothing has changed then.
        """
        rho = gaussian_rho(event)
        with self._lock:
            if not rho <= self.left() * (1 + SAFETY / 100):
                raise BudgetExceeded(f"{note!r} costs rho {rho:.6g} but only {self.left():.6g} is left; nothing was charged.")
            if not 0 <= failure <= self.failure_left() * (1 + SAFETY / 100):
                raise BudgetExceeded(
                    f"{note!r} needs delta {failure:.3g} but only {self.failure_left():.3g} is left; nothing was charged."
                )
            self._charges.append(Charge(note, event, failure))

    def epsilon(self) -> float:
        """An upper bound on the epsilon spent so far, at the budget's delta."""
        return epsilon_of(self.spent(), self.budget.delta - math.fsum(c.failure for c in self._charges))


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon at which a sqrt(2 rho)-Gaussian-DP mechanism is (epsilon, delta)-DP, rounded up by the margin `SAFETY`."""
    from dp_accounting import get_epsilon_gaussian

    return 0.0 if rho == 0 else get_epsilon_gaussian((2 * rho) ** -0.5, delta) * (1 + SAFETY) + 1e-11


def gaussian_rho(event: DpEvent) -> float:
    """Price of a Gaussian event, or of a composition of them, in rho.

    Raises
    ------
    Unaccounted
        For every other event.
    """
    return math.fsum(times / (2 * multiplier**2) for multiplier, times in _gaussians(event))


def _gaussians(event: DpEvent) -> list[tuple[float, int]]:
    """The Gaussian steps of an event: noise multiplier, and how often."""
    from dp_accounting import ComposedDpEvent, GaussianDpEvent, SelfComposedDpEvent

    if isinstance(event, GaussianDpEvent) and event.noise_multiplier > 0:
        return [(event.noise_multiplier, 1)]
    if isinstance(event, SelfComposedDpEvent) and event.count >= 1:
        return [(multiplier, times * event.count) for multiplier, times in _gaussians(event.event)]
    if isinstance(event, ComposedDpEvent) and event.events:
        return [step for part in event.events for step in _gaussians(part)]
    raise Unaccounted(f"the ledger cannot account for {event}; it knows Gaussian steps and their compositions.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
