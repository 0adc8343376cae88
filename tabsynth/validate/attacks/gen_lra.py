"""NOT PRIVATE. Attack A5, Gen-LRA: do the synthetic rows around a row become likelier once it is added to the reference rows?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._density import Kernel
from tabsynth.validate.attacks._view import View

NEAREST = 5
_FLOOR = np.log(1e-20)


def score(view: View) -> np.ndarray:
    """Sum over the 5 synthetic rows s nearest to x of ``log p_{R + x}(s) - log p_R(s)``: Ward et al., Gen-LRA, equation 3.

    With R's bandwidth held fixed, adding x is a rank-one change, ``p_{R + x} = (n p_R + K(s - x)) / (n + 1)``, so no estimate is
    fitted again.
    """
    kernel, nearest = view.reference_density, view.to_synthetic.index[:, :NEAREST]
    if kernel is None or not (nearest >= 0).all():
        return np.full(len(view.rows), np.nan)
    used, where = np.unique(nearest, return_inverse=True)
    points = view.projection(view.synthetic[used].dense(view.scaling))
    log_density, n, where = kernel.log(points), len(kernel.whitened), where.reshape(nearest.shape)
    out = np.zeros(len(nearest))
    for column in where.T:
        gain = kernel.log_kernel(points[column], view.points) - np.log(n) - log_density[column]
        out += np.logaddexp(0, gain) + np.log(n / (n + 1))
    return out


def published(view: View) -> np.ndarray:
    """As published, for comparison with printed tables: every estimate is fitted again with x, and densities have 1e-20 added."""
    points = view.projection(view.synthetic.dense(view.scaling))
    reference = view.projection(view.reference.dense(view.scaling))
    before, out = np.logaddexp(view.reference_density.log(points), _FLOOR), np.empty(len(view.rows))
    for i, (x, nearest) in enumerate(zip(view.points, view.to_synthetic.index[:, :NEAREST], strict=True)):
        after = Kernel.fit(np.vstack([reference, x])).log(points[nearest])
        out[i] = (np.logaddexp(after, _FLOOR) - before[nearest]).sum()
    return out
