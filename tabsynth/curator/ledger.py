"""Budget, Charge, Ledger: what was spent, on what, and that it is never more than was allowed.

Gaussian steps compose exactly: mechanisms that are mu_i-Gaussian-DP are together sqrt(sum mu_i**2)-Gaussian-DP, also when chosen
adaptively (Dong, Roth and Su, "Gaussian Differential Privacy", JRSS B 2022, Corollary 3.3), and the total converts exactly to (epsilon,
delta) (ibid., Corollary 2.13; Balle and Wang, ICML 2018, Theorem 8). Budgets are kept as rho = mu**2 / 2, which adds up.

Streams of Poisson-subsampled Gaussian steps (`sampled`) are not Gaussian. All of them together, S, cost c(S) = budget - r, where r is the
largest rho such that one Gaussian of rho r composed with S is (epsilon, delta)-DP. All Gaussian charges are together one Gaussian, of rho
g say, so the ledger keeps (epsilon, delta) exactly when g <= r, that is when g + c(S) <= budget. A stream is charged the increment of c,
so prices still add up, and the order of charges does not matter. Gaussian steps may be chosen in view of earlier answers, so long as
they fit; the rate, multiplier and steps of a stream may not: the argument takes them as fixed before the first answer.

Everything here is public.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabsynth.curator import sampled
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

    def price(self, streams: Iterable[sampled.Stream]) -> float:
        """What streams cost together, in rho: 0 for none, infinite where they alone exceed (epsilon, delta - failure).

        Parameters
        ----------
        streams : iterable of (rate, multiplier, steps)
        """
        return sampled.price(sampled.merge(streams), self.rho, self.epsilon, self.delta - self.failure)


@dataclass(frozen=True)
class Charge:
    """One paid step: what for, the event, its failure probability, and its price in rho when it was paid."""

    note: str
    event: DpEvent
    failure: float
    rho: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the card.

        `gaussians` lists (noise multiplier, number of times) and `sampled` (rate, noise multiplier, steps): enough to recompute the price.
        """
        gaussians, streams = _steps(self.event)
        return {
            "note": self.note,
            "event": str(self.event),
            "gaussians": gaussians,
            "sampled": [list(stream) for stream in sampled.merge(streams)],
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
        self._streams: tuple[sampled.Stream, ...] = ()
        self._streams_rho = 0.0
        self._lock = threading.Lock()

    @property
    def charges(self) -> tuple[Charge, ...]:
        """All charges, oldest first."""
        return tuple(self._charges)

    @property
    def streams(self) -> tuple[sampled.Stream, ...]:
        """The streams of sampled steps among the charges, as (rate, noise multiplier, steps)."""
        return self._streams

    def left(self) -> float:
        """What is left of the Gaussian budget, in rho."""
        return max(0.0, self._rho - self.spent())

    def spent(self) -> float:
        """What the charges have cost, in rho."""
        return math.fsum(c.rho for c in self._charges)

    def failure_left(self) -> float:
        """What is left of the failure probability."""
        return max(0.0, self.budget.failure - math.fsum(c.failure for c in self._charges))

    def charge(self, event: DpEvent, note: str, *, failure: float = 0.0) -> None:
        """Pay for a step. To be called before its noise is drawn.

        Parameters
        ----------
        event : DpEvent
            Gaussian, Poisson-sampled Gaussian, or composed of those. The parameters of a sampled one must not depend on any answer.
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
        gaussians, new = _steps(event)
        with self._lock:
            streams = sampled.merge([*self._streams, *new])
            streams_rho = max(self._streams_rho, self.budget.price(streams)) if new else self._streams_rho
            rho = _rho(gaussians) + (streams_rho - self._streams_rho)
            if not rho <= self.left() * (1 + SAFETY / 100):
                raise BudgetExceeded(f"{note!r} costs rho {rho:.6g} but only {self.left():.6g} is left; nothing was charged.")
            if not 0 <= failure <= self.failure_left() * (1 + SAFETY / 100):
                raise BudgetExceeded(
                    f"{note!r} needs delta {failure:.3g} but only {self.failure_left():.3g} is left; nothing was charged."
                )
            self._charges.append(Charge(note, event, failure, rho))
            self._streams, self._streams_rho = streams, streams_rho

    def multiplier(self, rate: float, steps: int, cost: float) -> float:
        """The smallest noise multiplier at which a stream of sampled Gaussian steps costs at most `cost` now, rounded up by under 1e-3.

        Parameters
        ----------
        rate : float
            Probability with which each unit is in a step's Poisson sample; 1 for plain Gaussian steps.
        steps : int
            Number of steps.
        cost : float
            In rho, at most `left()`.

        Raises
        ------
        OptionError
            If one of them is out of its range, or no noise is large enough.

        Notes
        -----
        Computed from public numbers, nothing is charged. Charge ``SelfComposedDpEvent(PoissonSampledDpEvent(rate,
        GaussianDpEvent(multiplier)), steps)`` before the first step's noise is drawn.
        """
        if not (_is_number(rate) and 0 < rate <= 1):
            raise OptionError(f"rate is {rate!r}; give the probability of being in a sample, a number above 0 and at most 1.")
        if not (_is_number(steps) and 1 <= steps <= sampled.MOST_STEPS and steps % 1 == 0):
            raise OptionError(f"steps is {steps!r}; give a whole number from 1 to {sampled.MOST_STEPS:,}.")
        left = self.left()
        if not (_is_number(cost) and 0 < cost <= left * (1 + SAFETY / 100)):
            raise OptionError(f"cost is {cost!r}; give a number above 0 and at most what is left, rho {left:.6g}.")
        if rate == 1:
            return math.sqrt(steps / (2 * cost)) * (1 + SAFETY)
        budget = self.budget
        return sampled.multiplier(
            rate, int(steps), min(cost, left), self._streams, budget.rho, budget.epsilon, budget.delta - budget.failure
        )

    def epsilon(self) -> float:
        """An upper bound on the epsilon spent so far, at the budget's delta."""
        delta = self.budget.delta - math.fsum(c.failure for c in self._charges)
        gaussians = math.fsum(_rho(_steps(c.event)[0]) for c in self._charges)
        return epsilon_of(gaussians, delta, self._streams)


def epsilon_of(rho: float, delta: float, streams: Iterable[sampled.Stream] = ()) -> float:
    """The epsilon at which a sqrt(2 rho)-Gaussian-DP mechanism, composed with streams, is (epsilon, delta)-DP.

    Rounded up by the margin `SAFETY`; with streams, by their discretisation.
    """
    from dp_accounting import get_epsilon_gaussian

    if merged := sampled.merge(streams):
        return sampled.epsilon_of(merged, rho, delta) * (1 + SAFETY) + 1e-11
    return 0.0 if rho == 0 else get_epsilon_gaussian((2 * rho) ** -0.5, delta) * (1 + SAFETY) + 1e-11


def events(gaussians: Sequence[Sequence[float]], streams: Sequence[Sequence[float]]) -> list[DpEvent]:
    """The events of which a charge's steps can be: one Gaussian answer or stream, once or many times. See `Charge.to_dict`."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    out: list[DpEvent] = []
    if len(gaussians) == 1 and not streams:
        multiplier, times = gaussians[0]
        step = GaussianDpEvent(multiplier)
        sampled_always = [PoissonSampledDpEvent(rate, step) for rate in (1, 1.0)]
        out = [SelfComposedDpEvent(each, times) for each in (step, *sampled_always)] + [step] * (times == 1)
    elif len(streams) == 1 and not gaussians:
        rate, multiplier, times = streams[0]
        out = [SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier)), times)]
    return out


def _rho(gaussians: list[tuple[float, int]]) -> float:
    """Price in rho of Gaussian steps."""
    return math.fsum(times / (2 * multiplier**2) for multiplier, times in gaussians)


def _steps(event: DpEvent) -> tuple[list[tuple[float, int]], list[sampled.Stream]]:
    """The steps of an event: Gaussians as noise multiplier and how often, streams as rate, noise multiplier and how often.

    Raises
    ------
    Unaccounted
        For every event made of anything else.
    """
    steps = list(_flat(event))
    gaussians = [(multiplier, times) for rate, multiplier, times in steps if rate == 1]
    return gaussians, [step for step in steps if step[0] != 1]


def _flat(event: DpEvent) -> Iterator[sampled.Stream]:
    """The Gaussian steps of an event with their sampling rate, which is 1 for plain ones."""
    from dp_accounting import ComposedDpEvent, GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    match event:
        case GaussianDpEvent(noise_multiplier=z) if z > 0:
            yield 1, z, 1
        case PoissonSampledDpEvent(sampling_probability=rate, event=GaussianDpEvent(noise_multiplier=z)) if (
            rate == 1 and z > 0
        ) or (0 < rate < 1 and sampled.LEAST <= z <= sampled.LARGEST):
            yield rate, z, 1
        case SelfComposedDpEvent(event=step, count=count) if count >= 1 and count % 1 == 0:
            yield from ((rate, z, times * count) for rate, z, times in _flat(step))
        case ComposedDpEvent(events=parts) if parts:
            for part in parts:
                yield from _flat(part)
        case _:
            raise Unaccounted(
                f"the ledger cannot account for {event}; it knows Gaussian steps, Poisson-sampled ones, and their compositions."
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
