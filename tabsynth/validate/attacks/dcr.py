"""NOT PRIVATE. Attack A3, distance to the closest record: is there a synthetic row near by?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """``-d_1(x, S)``: Chen, Yu, Zhang and Fritz (CCS 2020), GAN-Leaks, section 5.2. The attacker sees the synthetic rows S only."""
    return -view.to_synthetic.distances[:, 0]
