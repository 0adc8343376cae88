"""Streams of Poisson-subsampled Gaussian steps (DP-SGD) and what they cost beside Gaussian charges.

A stream (rate, multiplier, steps) is `steps` Gaussian answers, each on a fresh Poisson sample that holds every unit with probability
`rate`. Its privacy loss distribution, and that of its composition with other steps, is computed numerically (Koskela, Jaelkoe and
Honkela, AISTATS 2020) with dp_accounting's pessimistic "connect the dots" discretisation (Doroshenko et al., PoPETs 2022): every delta
and epsilon here is an upper bound. Adding and removing a unit are followed apart, each with its dominating pair, and the worse counts
(Zhu, Dong and Wang, "Optimal accounting of differential privacy via characteristic function", AISTATS 2022).

Shared with verification. Everything here is public.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tabsynth.errors import OptionError

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

Stream = tuple[float, float, int]
"""Sampling rate, noise multiplier, number of steps."""

MARGIN = 1e-7
"""Relative amount by which what is left for Gaussian charges is rounded down."""
POINTS = 2.5e5
"""About how many points a discretised loss may have."""
LEAST, LARGEST = 0.1, 1e7
"""Smallest noise multiplier of a stream: with less noise, samples hide nobody. And the largest."""
MOST_STEPS, MOST_STREAMS = 10**6, 32
"""Most steps in all, and most streams of different rate or multiplier: what a card may ask anybody to add up takes seconds."""


def merge(streams: Iterable[Stream]) -> tuple[Stream, ...]:
    """Streams in one canonical order, those of equal rate and multiplier as one: prices do not depend on the order of charges.

    Raises
    ------
    ValueError
        For what is not a stream. A rate of 1 is none: those steps are plain Gaussians.
    OptionError
        For more than `MOST_STEPS` or `MOST_STREAMS`.
    """
    steps: Counter[tuple[float, float]] = Counter()
    for rate, multiplier, count in streams:
        if not (0 < rate < 1 and LEAST <= multiplier <= LARGEST and 1 <= count <= MOST_STEPS and count % 1 == 0):
            raise ValueError(
                f"a stream has a rate above 0 and below 1, a noise multiplier from {LEAST:g} to {LARGEST:g}, and a whole number of "
                f"steps up to {MOST_STEPS:,}."
            )
        steps[float(rate), float(multiplier)] += int(count)
    if sum(steps.values()) > MOST_STEPS or len(steps) > MOST_STREAMS:
        raise OptionError(
            f"streams of at most {MOST_STEPS:,} steps in all, and {MOST_STREAMS} kinds, are accounted for; take fewer."
        )
    return tuple((*key, steps[key]) for key in sorted(steps))


@functools.lru_cache(maxsize=64)
def price(streams: tuple[Stream, ...], rho: float, epsilon: float, delta: float) -> float:
    """What all streams together cost: `rho` less the largest Gaussian that composed with them is still (epsilon, delta)-DP.

    Parameters
    ----------
    streams : tuple of Stream
        From `merge`.
    rho : float
        The Gaussian budget that converts to (epsilon, delta).

    Returns
    -------
    float
        Rounded up; infinite where the streams alone exceed (epsilon, delta).
    """
    from scipy.optimize import brentq

    interval = _interval(streams, rho)

    @functools.cache
    def excess(gaussian: float) -> float:
        return _excess(streams, gaussian, interval, epsilon, delta)

    if not streams:
        return 0.0
    if excess(0.0) > 0:
        return math.inf
    if excess(rho) <= 0:
        return 0.0
    kept = brentq(excess, 0.0, rho, xtol=rho * MARGIN / 10, rtol=1e-12)
    while excess(kept) > 0:
        kept = max(0.0, kept - rho * MARGIN / 5)
    return rho - kept * (1 - MARGIN)


def epsilon_of(streams: tuple[Stream, ...], rho: float, delta: float) -> float:
    """The epsilon, rounded up, at which the streams composed with a sqrt(2 rho)-Gaussian-DP mechanism are (epsilon, delta)-DP."""
    return float(_losses(streams, rho, _interval(streams, rho)).get_epsilon_for_delta(delta - _rounding(streams)))


@functools.lru_cache(maxsize=64)
def multiplier(
    rate: float, steps: int, cost: float, others: tuple[Stream, ...], rho: float, epsilon: float, delta: float
) -> float:
    """The smallest noise multiplier, to a relative 3e-4 and rounded up, at which a stream adds at most `cost` to the price.

    Parameters
    ----------
    rate, steps : float, int
        The new stream; the rate is below 1.
    cost : float
        In rho, above 0 and within what is left.
    others : tuple of Stream
        The streams there are already, from `merge`.
    rho : float
        The Gaussian budget that converts to (epsilon, delta).

    Raises
    ------
    OptionError
        If no noise is large enough.
    """
    from scipy.optimize import brentq

    most = price(others, rho, epsilon, delta) + cost
    kept = max(0.0, rho - most + 1e-5 * cost)

    def together(log: float) -> tuple[Stream, ...]:
        return merge([*others, (rate, math.exp(log), steps)])

    @functools.cache
    def excess(log: float) -> float:
        streams = together(log)
        return _excess(streams, kept, _interval(streams, rho), epsilon, delta)

    # Central limit: mu**2 = rate**2 steps (exp(1 / multiplier**2) - 1); Bu, Dong, Long and Su, HDSR 2020.
    floor, most_noise, step = math.log(LEAST), math.log(1e6), 0.1
    low = high = max(floor, -0.5 * math.log(math.log1p(2 * cost / (rate**2 * steps))))
    while high < most_noise and excess(high) > 0:
        low, high, step = high, high + step, 2 * step
    while excess(low) <= 0 and low > floor:
        low, high = max(floor, low - step), low
    log, step = brentq(excess, low, high, xtol=1e-4) if excess(low) > 0 >= excess(high) else high, 1e-4
    while log < most_noise and price(together(log), rho, epsilon, delta) > most:
        log, step = log + step, 2 * step
    if log >= most_noise:
        raise OptionError(f"no noise makes {steps} steps at rate {rate:g} cost as little as rho {cost:.3g}; give them more.")
    return math.exp(log)


def _excess(streams: tuple[Stream, ...], rho: float, interval: float, epsilon: float, delta: float) -> float:
    """Logarithm of the delta at epsilon over the delta allowed: at most 0 where streams and Gaussians keep (epsilon, delta)."""
    allowed = delta - 2 * _rounding(streams)
    found = float(_losses(streams, rho, interval).get_delta_for_epsilon(epsilon))
    return math.log(max(found, 1e-300) / allowed) if allowed > 0 else math.inf


@functools.lru_cache(maxsize=2)
def _losses(streams: tuple[Stream, ...], rho: float, interval: float) -> PrivacyLossDistribution:
    """Privacy loss distribution of streams and a sqrt(2 rho)-Gaussian-DP mechanism together, discretised pessimistically."""
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    if rho > 0:
        gaussian = from_gaussian_mechanism((2 * rho) ** -0.5, value_discretization_interval=interval)
        return _losses(streams, 0.0, interval).compose(gaussian, tail_mass_truncation=0)
    parts = [
        from_gaussian_mechanism(noise, sampling_prob=rate, value_discretization_interval=interval).self_compose(steps)
        for rate, noise, steps in streams
    ]
    return functools.reduce(lambda one, other: one.compose(other), parts)


def _interval(streams: tuple[Stream, ...], rho: float) -> float:
    """Discretisation of the loss beside Gaussians of up to `rho`: at most a sixteenth of one step's deviation (its error is then under
    0.1 %), but no finer than `POINTS` allow. Any is valid, coarser is more pessimistic; powers of two nest, so finer is never worse.
    """
    finest, reach = 2.0**-10, 20 * math.sqrt(2 * rho)
    for rate, noise, steps in streams:
        loss = 0.5 / noise**2 + 1 / noise
        deviation = rate * math.sqrt(math.expm1(min(50.0, noise**-2)))
        finest = min(finest, deviation / 16)
        reach += (
            steps * min(rate * loss, deviation**2) + 12 * math.sqrt(steps) * min(math.sqrt(rate) * loss, deviation) + 10 * loss
        )
    return 2.0 ** math.floor(math.log2(max(finest, reach / POINTS)))


def _rounding(streams: tuple[Stream, ...]) -> float:
    """Bound on the rounding error of a delta: the Fourier transform's grows with the steps, by under 1e-16 each where measured."""
    return 1e-14 + 1e-15 * sum(steps for _, _, steps in streams)
