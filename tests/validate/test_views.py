"""What attacks share: kernel densities against SciPy, counts in a ball, the classifier's and the network's blind spots, unit profiles."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde

from tabsynth.schema import Column, Schema, Unit
from tabsynth.validate.attacks import _challenge, density, domias, gen_lra, profiles
from tabsynth.validate.attacks._challenge import searched
from tabsynth.validate.attacks._density import DIRECTIONS, Kernel, Projection
from tabsynth.validate.attacks._view import views
from tabsynth.validate.features import Encoder, row_ids


def test_kernel_density_is_that_of_scipy():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) * [1, 10, 1e4, 0.1]
    queries = points[:50] * 1.1
    oracle = gaussian_kde(points.T, bw_method="silverman")
    np.testing.assert_allclose(Kernel.fit(points).log(queries), oracle.logpdf(queries.T), rtol=1e-6)
    projection = Projection.fit(points)
    moved = Kernel.fit(projection(points)).log(projection(queries))
    np.testing.assert_allclose(
        np.diff(moved), np.diff(oracle.logpdf(queries.T)), atol=1e-6
    )  # no direction is lost, a constant may be


def test_a_kernel_needs_rows_that_vary():
    assert Kernel.fit(np.zeros((10, 2))) is None
    assert Kernel.fit(np.zeros((2, 3))) is None
    assert Kernel.fit(np.zeros((10, 0))) is None
    line = np.outer(np.arange(20.0), [1, 2, 3])
    assert Projection.fit(line).axes.shape == (3, 1)
    assert Projection.fit(np.random.default_rng(0).normal(size=(100, 30))).axes.shape == (30, DIRECTIONS)


@pytest.fixture(scope="module")
def seen(schema, people):
    tables = people(300, 0), people(900, 1), people(400, 2)
    encoder = Encoder.fit(schema, tables[2], tables[1])
    return list(views(*(encoder.transform(table) for table in tables)))


def test_counts_in_a_ball_go_beyond_the_neighbours_that_are_kept(seen):
    view = seen[1][0]
    radius = float(np.quantile(view.to_synthetic.distances[:, -1], 0.8))
    counts = view.within(radius)
    assert (counts > view.to_synthetic.distances.shape[1]).any()
    few = counts < view.to_synthetic.distances.shape[1]
    assert few.any()
    assert (counts[few] == (view.to_synthetic.distances[few] < radius).sum(axis=1)).all()


def test_the_placebo_has_real_rows_in_the_synthetic_rows_place(seen):
    for view, fake in seen:
        assert len(fake.synthetic) == len(fake.reference) == len(view.reference) // 2
        both = np.sort(np.hstack([fake.to_synthetic.distances, fake.to_reference.distances]), axis=1)[:, :20]
        np.testing.assert_allclose(both, view.to_reference.distances)


def test_adding_a_row_is_what_gen_lra_measures(seen):
    """Against kernel estimates written out for one row, the bandwidth held fixed."""
    view = seen[1][0]
    kernel = view.reference_density
    nearest = view.projection(view.synthetic[view.to_synthetic.index[7, : gen_lra.NEAREST]].dense(view.scaling))
    before = np.exp(kernel.log(nearest))
    added = np.exp(kernel.log_kernel(nearest, view.points[7]))
    n = len(view.reference)
    assert gen_lra.score(view)[7] == pytest.approx(np.log((n * before + added) / (n + 1) / before).sum(), rel=1e-6)
    assert domias.score(view) == pytest.approx(density.score(view) - view.log_reference)


def test_a_profile_describes_a_unit():
    columns = (Column("who", "identifier"), Column("x", "float", discover=True), Column("c", "categorical", discover=True))
    schema = Schema("t", columns, unit=Unit("who", 3))
    table = pd.DataFrame({"who": list("abaa"), "x": [1.0, np.nan, 3.0, 5.0], "c": ["u", "v", "v", None]})
    described, (rows,) = profiles.describe(schema, [table], [np.array([0, 1, 0, 0])], base=0)
    assert described.names == tuple(rows)
    assert rows["rows"].tolist() == [3, 1]
    assert rows.loc[0, ["x: mean", "x: std", "x: min", "x: max", "x: sum"]].tolist() == [3, 2, 1, 5, 9]
    assert np.isnan(rows.loc[1, "x: mean"])
    one = table.assign(x=[1.0, 2.0, 3.0, 5.0])
    assert profiles.describe(schema, [one], [np.array([0, 1, 0, 0])], base=0)[1][0].loc[1, "x: std"] == 0
    assert rows["c: v"].tolist() == [pytest.approx(1 / 3), 1]


def test_every_copy_of_a_challenge_row_is_searched_for_however_many_rows_there_are(schema, people, monkeypatch):
    """Of 1,000 rows 300 are searched: the 40 copies are there, each once, and the rest are as random as before."""
    rows, synthetic = people(60, 0), people(1_000, 1)
    table = pd.concat([synthetic, rows[:40], rows[:40]], ignore_index=True)
    assert searched(table, rows, schema, np.random.default_rng(0)).sort_index().equals(table)
    monkeypatch.setattr(_challenge, "SYNTHETIC_ROWS", 300)
    found = [searched(table, rows, schema, np.random.default_rng(seed)) for seed in range(40)]
    for part in found:
        ids, known = row_ids([part, rows], schema)
        assert len(part) == 300
        assert np.isin(known[:40], ids).all()
        assert np.unique(part.index).size == 300
    places = np.concatenate([part.index[part.index < 1_000] for part in found])
    assert abs(places.mean() - 499.5) < 4 * 289 / np.sqrt(len(places))
