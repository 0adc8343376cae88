"""Numeric columns come out right: however wide their range is stated, with their heavy values and grids, or marked as a guess."""

import json

import numpy as np
import pandas as pd
import pytest
from ranges import FIGURES, errors, figures, fitted, floor, seeded, shapes

import tabsynth
from tabsynth import Schema
from tabsynth.cells import on_grid, on_step, shared, sloped, slopes
from tabsynth.codec import Codec
from tabsynth.curator import _grids, _masses
from tabsynth.errors import SchemaError
from tabsynth.schema import Column

N = 5000


@pytest.mark.parametrize("name", ["lognormal", "pareto", "zeros", "negative", "mixed whole"])
def test_figures_hardly_depend_on_how_wide_the_public_range_is(name):
    """Median of three; at most 1.5 times the error of the range that the values need, or of what noise explains anyway."""
    x = shapes(N)[name]
    tight, least = errors(name, x, 1, 1.0, 3), floor(x, 1.0)
    for wide in (50, 1e6):
        found, allowed = errors(name, x, wide, 1.0, 3), 1.5 * np.maximum(tight, least)
        assert (found <= allowed).all(), dict(zip(FIGURES, zip(found, allowed, strict=True), strict=True))


def test_the_mean_of_a_lognormal_under_a_wide_range_is_right():
    x = shapes(N)["lognormal"]
    for epsilon in (1.0, 10.0):
        drawn = fitted(x, {"kind": "float", "minimum": 0, "maximum": 100_000, "nullable": False}, epsilon)[1]
        assert drawn.mean() == pytest.approx(x.mean(), rel=0.15)


def test_empty_cells_gain_no_mass():
    """Two cells of 200 hold something; over 200 tables what the others gain is below a hundredth of a row's noise each."""
    rng, sigma = np.random.default_rng(0), 20.0
    edges, truth = np.arange(201.0), np.zeros(200)
    truth[[40, 41]] = 3000, 2000
    gained = []
    for _ in range(200):
        counts = np.rint(truth + rng.normal(0, sigma, 200))
        mass = _masses.filled(counts, _masses.standing(counts, sigma), edges, sigma)
        gained.append(mass[truth == 0].sum())
    assert np.mean(gained) < 198 * sigma / 100
    empty = sum(_masses.standing(np.rint(rng.normal(0, sigma, 200)), sigma).any() for _ in range(300))
    assert empty <= 4, "RARELY is 1 in 1,000"


SPIKES = {
    "zeros": (lambda r, z, tail: np.where(z < 0.6, 0, tail.round(2)), [0.0]),
    "zeros among any numbers": (lambda r, z, tail: np.where(z < 0.6, 0, tail), [0.0]),
    "capped": (lambda r, z, tail: np.minimum(tail, 50), [50.0]),
    "sentinel": (lambda r, z, tail: np.where(z < 0.1, -1, tail), [-1.0]),
    "halves": (lambda r, z, tail: r.choice([0, 0.5, 1], len(z)), [0.0, 0.5, 1.0]),
    "codes": (lambda r, z, tail: np.where(z < 0.05, 96, np.where(z < 0.08, 98, r.integers(0, 30, len(z)))), [96, 98]),
    "top code": (lambda r, z, tail: np.where(z < 0.02, 99_999, (50 * tail).round()), [99_999]),
    "almost one": (lambda r, z, tail: np.where(z < 0.3, 0.9999999, r.random(len(z))), [0.9999999]),
    "price": (lambda r, z, tail: np.where(z < 0.4, 1.25, tail.round(2)), [1.25]),
}


@pytest.mark.parametrize(("make", "values"), SPIKES.values(), ids=SPIKES)
def test_heavy_values_come_out_exactly_without_being_told(make, values):
    r = np.random.default_rng(3)
    x = np.asarray(make(r, r.random(20_000), r.lognormal(3, 1, 20_000)), dtype=float)
    drawn = fitted(x, {"kind": "float", "discover": True, "nullable": False}, 1.0)[1]
    for value in values:
        assert (drawn == value).mean() == pytest.approx((x == value).mean(), abs=0.01)
        near = (np.abs(drawn - value) < 1e-4 * max(abs(value), 1)) & (drawn != value)
        assert near.mean() < 0.002, "nearly the value is not the value"


@pytest.mark.parametrize(
    ("x", "grid"),
    [
        (lambda r: r.normal(7, 1, 9000).round(1), 0.1),
        (lambda r: np.rint(r.lognormal(8, 0.5, 9000) / 100) * 100, 100),
        (lambda r: np.rint(r.normal(20, 9, 9000) * 4) / 4, 0.25),
    ],
    ids=["tenths", "hundreds", "quarters"],
)
def test_values_lie_on_the_grid_that_is_found(x, grid):
    x = x(np.random.default_rng(0))
    drawn = fitted(x, {"kind": "float", "discover": True, "nullable": False}, 1.0)[1]
    assert (drawn == on_step(drawn, grid)).all()
    assert drawn.mean() == pytest.approx(x.mean(), rel=0.05)


def test_prices_end_as_they_do():
    x = np.floor(np.random.default_rng(0).lognormal(3, 1, 20_000)) + 0.99
    drawn = fitted(x, {"kind": "float", "minimum": 0, "maximum": 10_000, "decimals": 2, "nullable": False}, 1.0)[1]
    assert (np.rint(drawn * 100) % 100 == 99).mean() > 0.9


def test_every_value_has_one_class_and_chance_is_no_grid():
    column = Column("x", "float", discover=True)
    grid = _grids.steps(column)
    x = np.array([0.0, 300.0, 7.0, 3.5, 9.99, 0.1, np.pi, 1e300, -0.25])
    steps = [None if c == 0 else "none" if c > len(grid) else tuple(grid[c - 1]) for c in _grids.classes(x, grid)]
    assert steps[:7] == [None, (100.0, 0.0), (1.0, 0.0), (0.5, 0.0), (10.0, 9.99), (0.1, 0.0), "none"]
    assert steps[8] == (0.25, 0.0)
    whole = np.random.default_rng(0).integers(1, 10**5, 50_000)
    counts = np.bincount(_grids.classes(whole, grid), minlength=len(grid) + 2)
    found = _grids.Grids(grid, counts, 20.0)
    assert found.step(None) == 1.0
    assert [s for s, *_ in found.shares(1.0, np.array([]), np.array([]))] == [1.0]


def test_a_range_that_does_not_stand_out_is_marked_and_lies_among_usual_numbers():
    r = np.random.default_rng(1)
    columns = {f"c{i}": {"kind": "float", "discover": True} for i in range(16)}
    frame = pd.DataFrame({name: r.uniform(40, 90, 215).round(2) for name in columns})
    with seeded(0):
        made = tabsynth.fit(frame, Schema.from_dict({"name": "few", "columns": columns}), epsilon=1, model="independent")
    marked = {item["column"] for item in made.card["bought"] if item.get("found") is False}
    drawn = made.sample(2000)
    assert len(marked) >= 6
    assert drawn.abs().max().max() < 1e6
    assert all(20 <= drawn[name].median() <= 200 for name in set(columns) - marked)
    assert fitted(shapes(N)["gamma"], {"kind": "float", "discover": True}, 1.0)[0].found


def test_a_bought_range_of_less_than_one_step():
    drawn = fitted(np.zeros(2000), {"kind": "float", "discover": True, "decimals": 2, "nullable": False}, 1.0)[1]
    assert (drawn == 0).mean() > 0.99


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("integer", 17 * 10**14, 17 * 10**14 + 10**13), ("integer", 4 * 10**15, 5 * 10**15), ("integer", 10**18, 2 * 10**18),
     ("float", 1e15, 2e15), ("float", 1e30, 3e30), ("float", 1e-9, 5e-9), ("float", 1e-40, 4e-40)],
)  # fmt: skip
def test_very_large_and_very_small_numbers_are_found(kind, low, high):
    r = np.random.default_rng(1)
    x = r.integers(low, high, 5000) if kind == "integer" else r.uniform(low, high, 5000)
    coder, drawn, _ = fitted(x, {"kind": kind, "discover": True, "nullable": False}, 1.0)
    assert coder.found
    real, out = figures(x), figures(drawn)
    assert np.abs(out - real).max() < 0.2 * (real[-1] - real[2])


SPECIAL = {
    "age": {"kind": "integer", "minimum": 18, "maximum": 120, "special": {-1: "unknown", 996: "refused"}, "nullable": False},
    "score": {"kind": "integer", "minimum": 0, "maximum": 10, "special": {9: "no answer"}, "nullable": False},
    "pay": {"kind": "float", "minimum": 0, "maximum": 100_000, "step": 25, "special": {-9: "none"}, "nullable": False},
}


@pytest.fixture(scope="module")
def sentinels():
    """A table whose special values depend on each other, and its release."""
    r, n = np.random.default_rng(0), 6000
    none = r.random(n) < 0.2
    age = np.where(none, -1, np.where(r.random(n) < 0.1, 996, r.integers(18, 90, n)))
    score = np.where(r.random(n) < 0.3, 9, r.integers(0, 9, n))
    pay = np.where(none, -9, np.rint(r.gamma(2, 400, n) / 25) * 25)
    frame = pd.DataFrame({"age": age, "score": score, "pay": pay})
    schema = Schema.from_dict({"name": "s", "columns": SPECIAL})
    with seeded(0):
        return frame, tabsynth.fit(frame, schema, epsilon=3, model="mst")


def test_special_values_are_categories_of_their_own(sentinels):
    real, made = sentinels
    drawn = made.sample(6000)
    for column, value in (("age", -1), ("age", 996), ("score", 9), ("pay", -9)):
        assert (drawn[column] == value).mean() == pytest.approx((real[column] == value).mean(), abs=0.02)
    assert ((drawn.age == -1) == (drawn.pay == -9)).mean() > 0.97, "related as such"
    assert drawn.age[~drawn.age.isin([-1, 996])].between(18, 120).all()
    assert (drawn.pay[drawn.pay != -9] % 25 == 0).all()
    assert drawn.pay[drawn.pay != -9].mean() == pytest.approx(real.pay[real.pay != -9].mean(), rel=0.1)
    assert (made.sample(20, where="age = 996").age == 996).all()
    assert (made.sample(20, where="pay < 0").pay == -9).all()


def test_special_values_survive_plain_data(sentinels):
    plain = json.loads(json.dumps(sentinels[1].codec.to_dict()))
    assert Codec.from_dict(plain).to_dict() == sentinels[1].codec.to_dict()
    assert Schema.from_dict(plain["schema"]) == sentinels[1].schema
    assert Schema.from_dict({"name": "s", "columns": SPECIAL})["age"].special == ((-1, "unknown"), (996, "refused"))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"special": [-1]}, "map numbers"),
        ({"special": {"x": "unknown"}}, "not a number"),
        ({"special": {1.5: "half"}}, "whole numbers"),
        ({"special": {-1: "a", "-1.0": "b"}}, "each once"),
        ({"step": 0}, "step is 0"),
        ({"step": 2.5}, "step is 2.5"),
        ({"step": 4}, "multiple of the step"),
        ({"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31", "step": 7}, "integer and float"),
        ({"kind": "float", "decimals": 1, "step": 0.5}, "exclude each other"),
        ({"kind": "float", "decimals": 1, "special": {-0.25: "none"}}, "more than 1 decimals"),
    ],
)
def test_steps_and_special_values_are_checked(entries, says):
    with pytest.raises(SchemaError, match=says):
        Schema.from_dict({"name": "s", "columns": {"x": {"kind": "integer", "minimum": 0, "maximum": 10} | entries}})


def test_densities_follow_their_neighbours():
    """An exponential density cut into cells: each slope is that of the density, and shares and places agree with closed forms."""
    edges = np.array([0.0, 1, 3, 6, 7])
    mass = np.diff(-np.exp(-edges))
    assert slopes(edges, mass)[1:3] == pytest.approx(-np.diff(edges)[1:3], rel=0.2)
    assert slopes(np.arange(5.0), np.ones(4)) == pytest.approx(0)
    assert shared(np.array([0, 0.5, 2]), -2.0) == pytest.approx(
        [(1 - np.exp(-0.5)) / (1 - np.exp(-2)), 1 - (1 - np.exp(-0.5)) / (1 - np.exp(-2))]
    )
    u = (np.arange(10_000) + 0.5) / 10_000
    assert sloped(u, np.full(10_000, -2.0)).mean() == pytest.approx(0.5 - (1 / np.tanh(1) - 1) / 2, abs=1e-3)


def test_positions_move_to_a_grid_of_their_cell():
    rng = np.random.default_rng(0)
    low, high = np.full(10_000, 100.0), np.full(10_000, 200.0)
    out = on_grid(rng.uniform(low, high), low, high, ((10.0, 0.0, 0.5), (0.1, 0.0, 0.5)), rng)
    assert (out == on_step(out, 0.1)).all()
    assert (out % 10 == 0).mean() == pytest.approx(0.505, abs=0.02)
    assert ((out >= 100) & (out < 200)).all()


def test_positions_beside_a_grid_have_any_value():
    rng = np.random.default_rng(0)
    low, high = np.full(10_000, 100.0), np.full(10_000, 200.0)
    out = on_grid(rng.uniform(low, high), low, high, ((10.0, 0.0, 0.3), (0.0, 0.0, 0.7)), rng)
    assert (out % 10 == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert len(np.unique(out)) > 6_000


def test_noise_beyond_the_end_of_a_tail_is_averaged():
    """Thirty parts, of which the first eight hold a tail that falls faster than the neighbours tell: less lies beyond them than without falling."""
    rng, tail, sigma = np.random.default_rng(0), np.append(900 * 0.6 ** np.arange(8), np.zeros(22)), 30.0
    told, beyond = 0.9 ** np.arange(30), {0: 0.0, 1: 0.0}
    for _ in range(200):
        noisy = tail + rng.normal(0, sigma, 30)
        for falls in beyond:
            beyond[falls] += _masses.children(noisy, told / told.sum(), tail.sum(), sigma, sigma, falls)[15:].sum() / 200
    assert beyond[1] < 0.6 * beyond[0]


def test_parts_that_do_not_fall_stay_as_they_are():
    rising = np.linspace(0, 600, 30)
    noisy = rising + np.random.default_rng(0).normal(0, 30, 30)
    even = np.full(30, 1 / 30)
    kept = _masses.children(noisy, even, rising.sum(), 30, 30, 1)
    assert kept == pytest.approx(_masses.children(noisy, even, rising.sum(), 30, 30))
    mirrored = _masses.children(noisy[::-1], even, rising.sum(), 30, 30, 1)
    assert mirrored[::-1] == pytest.approx(_masses.children(noisy, even, rising.sum(), 30, 30, -1))


def test_a_short_range_that_is_evenly_full_keeps_its_ends():
    """53 weeks of 640 rows, with noise of 250: no week stands out alone, and a quarter look empty."""
    rng, lost = np.random.default_rng(0), []
    for _ in range(100):
        kept = _masses.standing(640 + rng.normal(0, 250, 53), 250, even=True)
        lost.append(53 - (len(kept) - np.argmax(kept[::-1]) - np.argmax(kept)))
    assert np.median(lost) <= 2
    assert np.quantile(lost, 0.95) <= 8
