"""NOT PRIVATE. Attack A3, calibrated distance: is a row closer to the synthetic table than to unrelated real rows, in absolute terms?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """``d_1(x, R) - d_1(x, S)``: Chen, Yu, Zhang and Fritz (CCS 2020), GAN-Leaks, section 5.6, with reference rows R for calibration."""
    return view.to_reference.distances[:, 0] - view.to_synthetic.distances[:, 0]
