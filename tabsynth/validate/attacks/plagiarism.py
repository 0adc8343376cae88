"""NOT PRIVATE. Attack A3, data plagiarism index: are a row's neighbours synthetic rather than real?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """Share of synthetic rows among the 20 nearest of R and S together: Ward, Wang and Cheng (2024), arXiv 2406.13012, section 3.

    The published score is a rising function of this share, so that every rate is the same. Of rows that are equally far, as many count
    as would on average if they came in random order.
    """
    synthetic, both = view.to_synthetic.distances, np.hstack([view.to_reference.distances, view.to_synthetic.distances])
    k = synthetic.shape[1]
    last = np.sort(both, axis=1)[:, k - 1 : k]
    left, tied = k - (both < last).sum(axis=1), (both == last).sum(axis=1)
    share = ((synthetic < last).sum(axis=1) + left * (synthetic == last).sum(axis=1) / tied) / k
    return np.where(np.isfinite(last[:, 0]), share, np.nan)
