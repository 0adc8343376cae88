"""NOT PRIVATE. Attack A4, density: is a row likely under the synthetic table?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """``log p_S(x)`` by a kernel estimate: Houssiau et al. (2022), TAPAS, arXiv 2211.06550. The attacker sees the synthetic rows only."""
    return np.full(len(view.rows), np.nan) if view.synthetic_density is None else view.log_synthetic
