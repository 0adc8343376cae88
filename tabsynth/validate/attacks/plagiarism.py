"""NOT PRIVATE. Attack A3, data plagiarism index: are a row's neighbours synthetic rather than real?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View


def score(view: View) -> np.ndarray:
    """Share of synthetic rows among the 20 nearest of R and S together: Ward, Wang and Cheng (2024), arXiv 2406.13012, section 3.

    The published score is a rising function of this share, so that every rate is the same.
    """
    both = view.to_reference.distances, view.to_synthetic.distances
    k = view.to_synthetic.distances.shape[1]
    synthetic = np.repeat([False, True], k)[np.argsort(np.hstack(both), axis=1, kind="stable")[:, :k]]
    enough = np.isfinite(np.hstack(both)).sum(axis=1) >= k
    return np.where(enough, synthetic.mean(axis=1), np.nan)
