"""NOT PRIVATE. Lower bounds on epsilon from audits: many fits of the generator on neighbouring tables, or one fit with planted canaries.

Valid only for experiments whose outcomes are independent given the mechanism: fits on two fixed neighbouring tables, each fit scored
once by a rule fixed beforehand (`epsilon_from_rates`), or canaries each put in by its own fair coin (`epsilon_one_run`). A challenge
set of one release is neither: its rows were not put in by coins of their own, so its AUC or true positive rate never gives an epsilon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tabsynth.errors import InputError
from tabsynth.validate.intervals import clopper_pearson


@dataclass(frozen=True)
class Bounds:
    """What an experiment shows at its error level.

    Parameters
    ----------
    epsilon : float
        Lower bound: a mechanism with less epsilon (at the delta given) would have done this with probability at most `error`.
    mu : float
        Lower bound on mu, if the mechanism's trade-off curve is Gaussian.
    ceiling : float
        The `epsilon` that a perfect attack would have shown with as many runs: what this experiment could have found at most.
    """

    epsilon: float
    mu: float
    ceiling: float


def epsilon_from_rates(fp: int, without: int, fn: int, having: int, delta: float, error: float = 0.05) -> Bounds:
    """Bounds from many fits on two neighbouring tables, with and without one unit.

    Valid if the fits are independent and attack and threshold were fixed before these fits were scored (on other fits).

    Parameters
    ----------
    fp, without : int
        Fits without the unit that the attack called "with", and all fits without it.
    fn, having : int
        Fits with the unit that the attack called "without", and all fits with it.
    delta : float
        Of the claim that is tested.
    error : float
        Half of it goes to each rate's upper Clopper-Pearson bound.

    References
    ----------
    Jagielski, Ullman and Oprea (2020), NeurIPS (epsilon); Nasr et al. (2023), USENIX Security (mu).
    """
    from scipy.stats import norm

    fpr, fnr = (clopper_pearson(wrong, fits, 1 - error)[1] for wrong, fits in ((fp, without), (fn, having)))
    best = (clopper_pearson(0, fits, 1 - error)[1] for fits in (without, having))
    mu = norm.isf(fpr) - norm.ppf(fnr) if max(fpr, fnr) < 1 else 0.0
    return Bounds(_epsilon(fpr, fnr, delta), max(0.0, float(mu)), _epsilon(*best, delta))


def _epsilon(fpr: float, fnr: float, delta: float) -> float:
    ratios = [(1 - fnr - delta) / fpr, (1 - fpr - delta) / fnr]
    return max(0.0, *(math.log(ratio) for ratio in ratios if ratio > 0), 0.0)


def epsilon_one_run(canaries: int, guesses: int, correct: int, delta: float, error: float = 0.05) -> float:
    """Lower bound on epsilon from one fit into which each canary was put by its own fair coin.

    Valid if the coins are independent of all else and guessing ("in" or "out", or no guess) was fixed by a rule that does not look
    at the answers. Weak by nature: a smoke test, not a measurement of a guarantee.

    Parameters
    ----------
    canaries : int
        Planted by coin.
    guesses, correct : int
        Canaries guessed about, and guesses that were right.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), NeurIPS, arXiv 2305.08846, main theorem for (epsilon, delta).
    """
    if not 0 <= correct <= guesses <= canaries:
        raise InputError(
            f"{canaries} canaries, {guesses} guesses, {correct} of them correct: give at most as many guesses as canaries, and "
            "at most as many correct ones as guesses."
        )
    low, high = 0.0, 1.0
    if _chance(canaries, guesses, correct, delta, low) >= error:
        return 0.0
    while _chance(canaries, guesses, correct, delta, high) < error:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(canaries, guesses, correct, delta, middle) < error else (low, middle)
    return low


def _chance(canaries: int, guesses: int, correct: int, delta: float, epsilon: float) -> float:
    """Upper bound on the chance of so many correct guesses against an (epsilon, delta)-private mechanism."""
    import numpy as np
    from scipy.stats import binom

    right = 1 / (1 + math.exp(-epsilon))
    exact = float(binom.sf(correct - 1, guesses, right))
    if not correct:
        return 1.0
    below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, right)) / np.arange(1, correct + 1)
    return exact + 2 * canaries * delta * float(below.max())
