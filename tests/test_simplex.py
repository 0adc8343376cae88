"""Noisy counts -> the closest counts there can be."""

import numpy as np
import pytest

from tabsynth.simplex import nonnegative, projected, standing_out


def test_the_closest_values_that_are_not_negative_have_the_same_total():
    x = np.array([[5.0, -1.0], [2.0, 0.5]])
    assert np.allclose(nonnegative(x), [[14 / 3, 0], [5 / 3, 1 / 6]])
    assert projected(x, 1.0).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("sigma", [50, 150, 450])
def test_empty_cells_gain_next_to_no_mass(sigma):
    """25 cells, 22 of them empty, as of a number of pieces that is nearly always one."""
    rng, real = np.random.default_rng(0), np.append([30_000.0, 4_000, 2_000], np.zeros(22))
    kept, cut = [], []
    for _ in range(200):
        noisy = real + sigma * rng.standard_normal(25)
        kept.append(standing_out(noisy, sigma)[6:].sum())
        cut.append(nonnegative(noisy)[6:].sum())
    assert np.mean(kept) < 0.25 * np.mean(cut)
    assert np.mean(np.array(kept) == 0) > 0.85


def test_cells_that_stand_out_together_are_kept():
    rng, real = np.random.default_rng(0), np.append([5_000.0], np.full(63, 40.0))
    kept = np.mean([standing_out(real + 50 * rng.standard_normal(64), 50)[1:].sum() for _ in range(50)])
    assert kept == pytest.approx(63 * 40, rel=0.1)


def test_clear_counts_are_those_of_nonnegative_and_so_is_noise_alone():
    rng = np.random.default_rng(0)
    clear = 1_000 + 10 * rng.standard_normal(40)
    assert np.allclose(standing_out(clear, 10.0), nonnegative(clear))
    noise = np.array([3.0, -2.0, 1.0])
    assert np.array_equal(standing_out(noise, 100.0), nonnegative(noise))
    assert standing_out(np.array([7.0]), 1.0).tolist() == [7.0]
