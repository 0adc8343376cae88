"""NOT PRIVATE. Attack A4, DOMIAS: is a row likelier under the synthetic table than in the population?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View

FLOOR = np.log(1e-20)
"""The published ratio is ``p_S / (p_R + 1e-20)``."""


def score(view: View) -> np.ndarray:
    """``log p_S(x) - log p_R(x)`` by kernel estimates: van Breugel et al. (AISTATS 2023), arXiv 2302.12580, section 4.2.

    Far from every row both densities vanish; their difference, in logarithms, does not.
    """
    if view.synthetic_density is None or view.reference_density is None:
        return np.full(len(view.rows), np.nan)
    return view.log_synthetic - view.log_reference


def published(view: View) -> np.ndarray:
    """The logarithm of the published ratio, for comparison with printed tables."""
    return view.log_synthetic - np.logaddexp(view.log_reference, FLOOR)
