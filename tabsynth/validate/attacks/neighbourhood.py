"""NOT PRIVATE. Attack A3, local neighbourhood: how dense is the synthetic table around a row?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View

RANK = 10


def score(view: View, radius: float | None = None) -> np.ndarray:
    """Share of synthetic rows nearer than `radius`: Houssiau et al. (2022), TAPAS, arXiv 2211.06550, section 3.

    A fixed radius means nothing across tables. By default it is the median over challenge rows of the distance to the tenth nearest
    synthetic row. The attacker sees the synthetic rows only.
    """
    distances = view.to_synthetic.distances[:, min(RANK, view.to_synthetic.distances.shape[1]) - 1]
    if radius is None and not (len(distances) and np.isfinite(distances).all()):
        return np.full(len(distances), np.nan)
    return view.within(float(np.median(distances)) if radius is None else radius) / max(len(view.synthetic), 1)
