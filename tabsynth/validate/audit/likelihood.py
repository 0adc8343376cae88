"""Lower bounds on mu from log likelihood ratios of many fits in two worlds, and what a perfect implementation would show.

The usual bound on epsilon takes any (epsilon, delta)-private mechanism for possible and hardly notices noise that is too small by a factor of
1.4; a bound on mu asks whether the mechanism could have a Gaussian's trade-off curve and needs some hundred fits for the same (Nasr et al.,
"Tight auditing of differentially private machine learning", USENIX Security 2023, section 4). Streams of sampled steps are held
against the curve that was computed for them, at the false positive rate where they are judged.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.curator.ledger import epsilon_of
from tabsynth.curator.sampled import Stream
from tabsynth.validate.intervals import clopper_pearson

ERROR = 0.001
"""Chance that a sound stage is found to break its claim."""
CONFIDENCE = 0.05
"""Chance that a bound printed as such is above the truth."""
DELTAS = np.logspace(-10, -0.5, 24)
REPEATS = 20
"""Simulations of a perfect implementation."""


@dataclass(frozen=True)
class Claim:
    """What was paid for.

    Parameters
    ----------
    rho : float
        Of the Gaussian answers together.
    streams : tuple of (rate, noise multiplier, steps)
    factor : int
        Units by which the two worlds differ: 2 where one is replaced.
    """

    rho: float
    streams: tuple[Stream, ...] = ()
    factor: int = 1

    def most(self, fpr: float) -> float:
        """The largest mu that a test with this false positive rate may show."""
        from scipy.stats import norm

        if not self.streams:
            return self.factor * math.sqrt(2 * self.rho)
        found = fpr
        for _ in range(self.factor):
            missed = self._least_missed(found)
            found = 1 - missed
        return float(norm.isf(fpr) - norm.ppf(missed))

    def ratios(self, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Log likelihood ratios of so many runs in each world, where every answer moves as far as it may (for one unit)."""
        mu = math.sqrt(2 * self.rho)
        worlds = []
        for there in (False, True):
            total = mu * rng.standard_normal(runs) + (mu**2 / 2 if there else -(mu**2) / 2)
            for rate, noise, steps in self.streams:
                x = noise * rng.standard_normal((runs, steps)) + (there & (rng.random((runs, steps)) < rate))
                total += np.log1p(rate * np.expm1((x - 0.5) / noise**2)).sum(1)
            worlds.append(total)
        return worlds[0], worlds[1]

    def _least_missed(self, fpr: float) -> float:
        """The trade-off curve at a false positive rate, from below: (epsilon, delta) at many deltas."""
        return max(
            0.0, *(max(1 - d - math.exp(e) * fpr, math.exp(-e) * (1 - d - fpr)) for e, d in _curve(self.rho, self.streams))
        )


@functools.lru_cache(maxsize=32)
def _curve(rho: float, streams: tuple[Stream, ...]) -> tuple[tuple[float, float], ...]:
    return tuple((epsilon_of(rho, delta, streams), float(delta)) for delta in DELTAS)


@dataclass(frozen=True)
class Bound:
    """What runs in two worlds show.

    Parameters
    ----------
    mu : float
        Lower bound, wrong with probability `CONFIDENCE` at most.
    broken : bool
        The claim allows less than was seen, at error level `error`.
    fpr, fnr : float
        Of the attack.
    """

    mu: float
    broken: bool
    fpr: float
    fnr: float


def bound(without: Sequence[float], having: Sequence[float], claim: Claim, error: float = ERROR) -> Bound:
    """Judge log likelihood ratios of world 1 to world 0, seen in worlds 0 and 1.

    The attack names the likelier world, so no threshold has to be chosen and every run counts.

    Parameters
    ----------
    without, having : sequence of float
        One for each run.
    claim : Claim
    error : float
        Chance that a sound implementation is found broken.
    """
    wrong = int((np.asarray(without) > 0).sum()), int((np.asarray(having) <= 0).sum())
    runs = len(without), len(having)
    mu, _ = _mu(wrong, runs, CONFIDENCE)
    sure, fpr = _mu(wrong, runs, error)
    return Bound(max(0.0, mu), sure > claim.most(fpr), *(n / of for n, of in zip(wrong, runs, strict=True)))


def ideal(claim: Claim, runs: int, seed: int = 0) -> float:
    """The bound that a perfect implementation and attack would show with as many runs, on average."""
    rng = np.random.default_rng([seed, runs])
    return float(np.mean([bound(*claim.ratios(runs, rng), claim).mu for _ in range(REPEATS)]))


def _mu(wrong: tuple[int, int], runs: tuple[int, int], error: float) -> tuple[float, float]:
    """Lower bound on mu and the upper bound on the false positive rate that it rests on; one-sided, half the error each."""
    from scipy.stats import norm

    fpr, fnr = (clopper_pearson(n, of, 1 - error)[1] for n, of in zip(wrong, runs, strict=True))
    return float(norm.isf(fpr) - norm.ppf(fnr)), fpr
