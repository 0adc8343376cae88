"""NOT PRIVATE. Attack A1, nearest-neighbour distance ratio: is one synthetic row much closer than the next ones?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View

EPSILON = 1e-6
NEAREST = 5


def score(view: View) -> np.ndarray:
    """``log(mean of d_2 .. d_5(x, S) + e) - log(d_1(x, S) + e)`` for each challenge row x, higher for members; e = 1e-6.

    The attacker sees the synthetic rows S only. With fewer than five of them the mean is over those there are; not finite with
    fewer than two.
    """
    rest = view.to_synthetic.distances[:, 1:NEAREST]
    there = np.isfinite(rest)
    total = np.where(there, rest, 0.0).sum(axis=1)
    mean = np.divide(total, there.sum(axis=1), out=np.full(len(rest), np.inf), where=there.any(axis=1))
    with np.errstate(invalid="ignore"):
        return np.log(mean + EPSILON) - np.log(view.to_synthetic.distances[:, 0] + EPSILON)
