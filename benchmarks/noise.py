"""Speed of the exact discrete Gaussian against OpenDP's, in one run:  python benchmarks/noise.py"""

from __future__ import annotations

import time

import opendp.prelude as dp
from _machine import keep

from tabsynth.curator.noise import discrete_gaussian


def rate(draw, n: int) -> float:
    """Draws a second, best of three, after one warm-up."""
    draw(n)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        draw(n)
        best = min(best, time.perf_counter() - started)
    return n / best


def main() -> None:
    """Measure and keep."""
    dp.enable_features("contrib")
    rows = []
    for sigma in (1.0, 20.0, 100.0, 1000.0):
        measurement = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float), scale=sigma)
        theirs = rate(lambda n, m=measurement: m([0] * n), 50_000)
        ours = rate(lambda n, s=sigma: discrete_gaussian((n,), s), 5_000_000)
        rows.append(
            {"sigma": sigma, "opendp_per_s": round(theirs), "tabsynth_per_s": round(ours), "ratio": round(ours / theirs, 1)}
        )
        print(rows[-1])
    keep("noise", {"rows": rows})


if __name__ == "__main__":
    main()
