"""What choosing by the real rows costs: publish, of several releases at epsilon 1, the one nearest to the truth:  python benchmarks/choosing.py

Each release is one count with the product's noise for the whole budget, the smallest mechanism there is. Of `runs` such releases the one
whose count is nearest to the exact one is published, as somebody does who looks for the best report. The distribution of what is published
has a closed form: the error is e in absolute size with probability S(e)**runs - S(e + 1)**runs, where S(e) is the probability that one
release errs by e or more. So has the least epsilon that can be true of it at a given delta, against a table with one row more.
"""

from __future__ import annotations

import math

import numpy as np
from _machine import keep

from tabsynth.curator.ledger import Budget
from tabsynth.report.together import epsilon_of

EPSILON, DELTA, RUNS = 1.0, 1e-6, (1, 2, 10, 100)


def noise(epsilon: float = EPSILON, delta: float = DELTA) -> float:
    """Standard deviation of the noise that one count gets for the whole budget."""
    return 1 / math.sqrt(2 * Budget(epsilon, delta).rho)


def chosen(runs: int, sigma: float) -> np.ndarray:
    """Probability of each error, from -m to m, of the best of `runs` counts; ties are broken at random."""
    most = math.ceil(15 * sigma)
    size = np.abs(np.arange(-most, most + 1))
    single = np.exp(-(size**2) / (2 * sigma**2))
    single /= single.sum()
    at_least = np.array([single[size >= e].sum() for e in range(most + 2)])
    best = at_least[:-1] ** runs - at_least[1:] ** runs
    return best[size] / np.where(size == 0, 1, 2)


def true_epsilon(probabilities: np.ndarray, delta: float = DELTA) -> float:
    """Least epsilon for which what is published is (epsilon, delta)-private when one row is added to or removed from the table."""
    here, there = np.append(probabilities, 0.0), np.append(0.0, probabilities)
    low, high = 0.0, 700.0
    for _ in range(60):
        middle = (low + high) / 2
        excess = np.maximum(here - math.exp(middle) * there, 0).sum()
        low, high = (middle, high) if excess > delta else (low, middle)
    return high


def main() -> None:
    """Compute and keep."""
    rows = []
    for runs in RUNS:
        all_published = epsilon_of(math.sqrt(runs) / noise(), DELTA)
        rows.append({"runs": runs, "best_published": true_epsilon(chosen(runs, noise())), "all_published": all_published})
        print(rows[-1])
    keep("choosing", {"epsilon": EPSILON, "delta": DELTA, "rows": rows})


if __name__ == "__main__":
    main()
