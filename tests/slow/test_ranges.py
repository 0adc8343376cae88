"""The whole grid: shapes, sizes, budgets, and how much too wide the public range is."""

import numpy as np
import pytest
from ranges import FIGURES, errors, floor, shapes

pytestmark = pytest.mark.slow

FAR = 0.03
"""Share of the figures of the grid that may miss: medians of five of noisy figures, 15,000 of them."""


@pytest.mark.parametrize("epsilon", [0.3, 1, 10])
@pytest.mark.parametrize("n", [500, 5000, 50_000, 200_000])
def test_figures_hardly_depend_on_how_wide_the_public_range_is(n, epsilon):
    """Every figure's median error is at most 1.5 times that of the tight range, or of what noise explains anyway."""
    missed = {}
    for name, x in shapes(n).items():
        allowed = 1.5 * np.maximum(errors(name, x, 1, epsilon, 5), floor(x, epsilon))
        for wide in (50, 1000, 1e6):
            found = errors(name, x, wide, epsilon, 5)
            missed |= {(name, wide, f): (e, a) for f, e, a in zip(FIGURES, found, allowed, strict=True) if e > a}
    assert len(missed) <= FAR * 9 * 3 * 7, missed
