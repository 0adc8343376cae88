"""The search for nearest rows beside the plain definition."""

import numpy as np
import pytest

from tabsynth.validate.attacks._nearest import nearest, nearest_of_others, nearest_without, within
from tabsynth.validate.features import Encoded


def table(rows: int, seed: int, labels: int) -> Encoded:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 3)) + np.array([0, 5, -2])
    return Encoded({"rank": numbers}, rng.integers(0, labels, (rows, 4)).astype(np.int32), (labels,) * 4)


def distances(queries: Encoded, known: Encoded, numbers=range(3), codes=range(4)) -> np.ndarray:
    out = np.zeros((len(queries), len(known)))
    for c in numbers:
        out += abs(queries.numeric["rank"][:, c, None] - known.numeric["rank"][None, :, c])
    for c in codes:
        out += 2 * (queries.codes[:, c, None] != known.codes[None, :, c])
    return out


@pytest.mark.parametrize("labels", [3, 127, 128, 40_000])
def test_nearest_rows_are_those_of_the_definition(labels):
    queries, known = table(70, 1, labels), table(1_300, 2, labels)
    expected, near = np.sort(distances(queries, known), axis=1), nearest(queries, known, "rank", 5)
    assert np.allclose(near.distances, expected[:, :5], atol=1e-5)
    assert np.allclose(np.take_along_axis(distances(queries, known), near.index, 1), near.distances, atol=1e-5)
    assert np.array_equal(within(queries, known, "rank", 4.0), (expected < 4.0).sum(axis=1))


def test_two_hundred_labels_that_differ_are_counted():
    rng = np.random.default_rng(0)
    first, second = (
        Encoded({"rank": np.zeros((5, 0))}, rng.integers(low, low + 3, (5, 200)).astype(np.int32)) for low in (0, 10)
    )
    assert np.array_equal(nearest(first, second, "rank", 1).distances, np.full((5, 1), 400.0))


@pytest.mark.parametrize("labels", [3, 40_000])
def test_a_secret_is_left_out_of_the_distance_and_rows_without_it_of_the_search(labels):
    queries, known = table(70, 1, labels), table(1_300, 2, labels)
    usable = np.random.default_rng(3).random((3, 1_300)) < 0.7
    near = nearest_without(queries, known, "rank", (np.array([0, -1, 1]), np.array([-1, 1, 2, -1])), usable)
    without = [
        distances(queries, known, (1, 2)),
        distances(queries, known, (0, 1), (0, 2, 3)),
        distances(queries, known, range(3), (0, 1, 3)),
    ]
    for secret, expected in enumerate(without):
        expected[:, ~usable[secret]] = np.inf
        assert np.allclose(near.distances[:, secret], expected.min(axis=1), atol=1e-5)
        assert np.allclose(np.take_along_axis(expected, near.index[:, [secret]], 1)[:, 0], near.distances[:, secret], atol=1e-5)


def test_a_row_that_is_known_is_at_distance_zero_in_all_but_the_secret():
    known = table(2_000, 2, 5)
    near = nearest_without(
        known[500:600], known, "rank", (np.array([0, -1, -1]), np.array([1, -1, -1, -1])), np.ones((2, 2_000), bool)
    )
    assert (near.distances == 0).all()


def test_rows_of_the_own_unit_are_passed_over():
    known = table(600, 2, 5)
    owners = np.arange(600) // 2
    expected = distances(known, known)
    expected[owners[:, None] == owners[None, :]] = np.inf
    assert np.allclose(nearest_of_others(known, owners, known, owners, "rank"), expected.min(axis=1), atol=1e-5)
