"""NOT PRIVATE. Attack A3, Monte Carlo: how many synthetic rows lie in a small ball around a row?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """Share of synthetic rows in a ball whose squared radius is the median squared distance of a challenge row to its nearest one.

    Hilprecht, Haerterich and Bernau (PoPETs 2019), section 4.1, with the median heuristic. The attacker sees the synthetic rows only.
    """
    closest = view.to_synthetic.distances[:, 0]
    if not (len(closest) and np.isfinite(closest).all()):
        return np.full(len(closest), np.nan)
    return view.within(float(np.sqrt(np.median(closest**2)))) / len(view.synthetic)
