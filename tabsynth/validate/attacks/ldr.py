"""NOT PRIVATE. Attack A2, log distance ratio: is a row closer to the synthetic table than to unrelated real rows?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View

EPSILON = 1e-6


def score(view: View) -> np.ndarray:
    """``log(d_1(x, R) + e) - log(d_1(x, S) + e)`` for each challenge row x, higher for members; e = 1e-6.

    R are reference rows (real, in neither the training nor the challenge rows) and S the synthetic rows; the attacker sees both,
    and nothing of the generator. S is not cut down to the size of R: that hides the copies among the rows left out. Not finite
    where either is empty.
    """
    with np.errstate(invalid="ignore"):
        return np.log(view.to_reference.distances[:, 0] + EPSILON) - np.log(view.to_synthetic.distances[:, 0] + EPSILON)
