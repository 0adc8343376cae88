"""Buying ranges, bins and lists: useful, paid for, and blind to what the noise hides."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.access import Marginal
from tabsynth.codec import EXACT_VALUES, Bins, Labels
from tabsynth.conform import read
from tabsynth.curator._axis import Axis, magnitudes
from tabsynth.curator._moments import _first_days, days_between
from tabsynth.curator.discover import MOST, _ended, _retold, _root, _summed, discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.models import _tables
from tabsynth.times import is_temporal


def bought(frame, column, *, epsilon=1.0):
    """The coder of a one-column table, and the ledger that paid for it."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": column}})
    ledger = Ledger(Budget(epsilon, 1e-6, 0.1))
    with PrivateTable(pd.DataFrame({"x": frame}), schema, ledger) as table:
        codec = discover(table)
        table.encode(codec)
    return codec, ledger


def redrawn(codec, values) -> pd.Series:
    """Encode a column and decode it again."""
    schema = codec.schema
    with PrivateTable(pd.DataFrame({"x": values}), schema, Ledger(Budget(1e6, 0.5))) as table:
        table.encode(codec)
        told = table.measure([(name,) for name in codec.domain], costs=[1e4] * len(codec.domain))
    rng = np.random.default_rng(0)
    codes = [_tables.draw(_tables.distribution(one), len(values), rng) for one in told]
    return codec.decode(np.array(codes).T, rng)["x"]


@pytest.fixture(scope="module")
def spiky() -> np.ndarray:
    """Nine zeros in ten, a heavy value, and a long tail."""
    rng = np.random.default_rng(0)
    kind = rng.random(30_000)
    return np.where(kind < 0.9, 0, np.where(kind < 0.94, 15_024, rng.integers(1, 100_000, 30_000)))


def test_heavy_values_stand_alone_and_survive(spiky):
    codec, ledger = bought(spiky, {"kind": "integer", "minimum": 0, "maximum": 99_999})
    bins = codec.coders["x"]
    alone = {bins.edges[s] for s in bins.starts if bins.edges[s + 1] - bins.edges[s] == 1}
    assert {0.0, 15_024.0} <= alone
    assert 0 < ledger.spent() <= MOST * ledger.budget.rho
    out = redrawn(codec, spiky).astype(float)
    for value in (0, 15_024):
        assert abs((out == value).mean() - (spiky == value).mean()) < 0.01
    assert abs((out > 50_000).mean() - (spiky > 50_000).mean()) < 0.025, "a thin tail of 3 %, some nine standard errors"


def test_smooth_columns_keep_their_quantiles():
    x = np.random.default_rng(0).lognormal(5, 0.6, 30_000).round(2)
    codec, _ = bought(x, {"kind": "float", "minimum": 0, "maximum": 10_000, "decimals": 2})
    out = redrawn(codec, x)
    grid = np.linspace(0.02, 0.98, 25)
    assert np.abs(np.searchsorted(np.sort(out), np.quantile(x, grid)) / len(out) - grid).max() < 0.015


def test_range_is_found_where_none_is_known_and_no_lone_outlier_moves_it():
    x = np.random.default_rng(0).normal(500, 50, 20_000)
    codec, _ = bought(x, {"kind": "float", "discover": True})
    edges = codec.coders["x"].edges
    assert 0 <= edges[0] <= 400
    assert 600 <= edges[-1] <= 5000
    far, _ = bought(np.append(x, 9e14), {"kind": "float", "discover": True})
    assert far.coders["x"].edges[-1] <= 5000, "two cells beyond what stands out, at most"


def test_dates_without_a_range():
    days = pd.Timestamp("2015-06-01") + pd.to_timedelta(np.random.default_rng(0).integers(0, 700, 20_000), unit="D")
    codec, _ = bought(days, {"kind": "date", "discover": True})
    out = redrawn(codec, days)
    assert out.min() >= pd.Timestamp("2015-01-01")
    assert out.max() < pd.Timestamp("2018-01-01")
    assert abs((out < pd.Timestamp("2016-01-01")).mean() - (days < pd.Timestamp("2016-01-01")).mean()) < 0.02


def test_short_public_ranges_cost_nothing():
    codec, ledger = bought(np.arange(1000) % 20, {"kind": "integer", "minimum": 0, "maximum": EXACT_VALUES - 1})
    assert ledger.charges == ()
    assert codec.coders["x"].size == EXACT_VALUES + 1


def test_lists_that_are_bought_have_a_place_for_everything_else():
    x = ["a"] * 5000 + ["b"] * 5000 + [f"rare{i}" for i in range(100)]
    codec, ledger = bought(x, {"kind": "categorical", "discover": True})
    assert codec.coders["x"] == Labels(("a", "b", "OTHER"), True)
    assert sum(c.failure for c in ledger.charges) <= ledger.budget.failure
    assert set(redrawn(codec, x)) <= {"a", "b", "OTHER", None}


@pytest.mark.parametrize("column", [{"kind": "float", "discover": True}, {"kind": "integer", "discover": True}, {"kind": "date", "discover": True},
                                    {"kind": "categorical", "discover": True}, {"kind": "integer", "minimum": -5, "maximum": 10**9},
                                    {"kind": "float", "minimum": 0, "maximum": 1}, {"kind": "float", "minimum": 3, "maximum": 3, "decimals": 1}])  # fmt: skip
@pytest.mark.parametrize("values", [[None, None], ["nonsense"], [3.0], [1e300, -1e300, float("inf")]])
def test_whatever_the_rows_hold_bins_are_bought(column, values):
    codec, ledger = bought(pd.Series(values, dtype=object), column, epsilon=0.1)
    assert codec.domain["x"] >= 1
    assert ledger.epsilon() <= 0.1
    rng = np.random.default_rng(0)
    frame = codec.decode(rng.integers(0, list(codec.domain.values()), (50, len(codec.domain))), rng)
    pd.testing.assert_frame_equal(read(frame, codec.schema), frame)


def test_magnitudes_are_sorted_and_public():
    for kind in ("integer", "float", "date", "datetime"):
        column = Schema.from_dict({"name": "s", "columns": {"x": {"kind": kind, "discover": True}}})["x"]
        edges = _first_days(*days_between(column)) if is_temporal(column) else magnitudes(column)
        assert (np.diff(edges) > 0).all()


def test_noisy_tables_become_distributions_without_a_bias_for_empty_cells():
    from tabsynth.access import Marginal

    counts = np.concatenate([[10_000], np.random.default_rng(0).normal(0, 30, 500).round()]).astype(np.int64)
    share = _tables.distribution(Marginal(("x",), counts, 30.0))
    assert share.sum() == pytest.approx(1)
    assert (share >= 0).all()
    assert share[0] > 0.8


def test_systematic_draws_match_to_one_row():
    p = np.array([0.5, 0.25, 0.15, 0.1, 0.0])
    drawn = np.bincount(_tables.draw(p, 1001, np.random.default_rng(0)), minlength=5)
    assert np.abs(drawn - 1001 * p).max() <= 1
    assert drawn[4] == 0


def test_bins_round_trip_as_plain_data(spiky):
    from tabsynth.codec import Codec

    codec, _ = bought(spiky, {"kind": "integer", "minimum": 0, "maximum": 99_999})
    again = Codec.from_dict(codec.to_dict())
    a, b = codec.coders["x"], again.coders["x"]
    assert isinstance(b, Bins)
    assert all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("edges", "starts", "mass"))
    assert (a.null, again.schema) == (b.null, codec.schema)


def test_a_value_named_like_the_place_for_everything_else_joins_it():
    codec, _ = bought(["OTHER"] * 5000 + ["a"] * 5000, {"kind": "categorical", "discover": True})
    assert codec.coders["x"] == Labels(("a", "OTHER"), True)


def test_first_cells_that_are_not_cut_are_counted_again_in_every_round():
    """Later histograms ask for all first cells besides the parts of those that are cut: a row falls into one cell all the same."""
    edges = np.array([0.0, 1, 2, 5, 10, 20])
    asked = np.array([1.0, 1.25, 1.5, 1.75, 2, 5, 10])
    counts, sigma = _summed(asked, Marginal((), np.array([5.0, 1, 2, 3, 4, 20, 30, 40]), 2.0), edges)
    assert counts.tolist() == [5, 10, 20, 30, 40]
    assert sigma.tolist() == [2, 4, 2, 2, 2]
    axis = Axis(Schema.from_dict({"name": "t", "columns": {"x": {"kind": "float", "minimum": 0, "maximum": 20}}})["x"], None)
    tree = _root(axis, edges, np.array([50.0, 1000, 400, 200, 0]), 10.0)
    again = _retold(
        tree,
        edges,
        [(np.array([50.0, 1000, 400, 200, 0]), np.full(5, 10.0)), (np.array([50.0, 1000, 400, 100, 0]), np.full(5, 5.0))],
    )
    assert dict(zip(again.start, again.mass, strict=True))[5.0] == pytest.approx(120)


def test_a_tail_that_may_be_there_is_left_to_the_model():
    """Cells beyond what stands out become one bin at that end if they count something, and are left out if not; the bins there stay as they are."""
    bins = Bins(np.array([0.0, 1, 2, 5]), np.array([0, 2]), np.array([50.0, 50, 40]), True)
    edges, counts = np.array([-2.0, 0, 1, 2, 5, 10, 20, 50]), np.array([-3.0, 50, 50, 40, 12, 6, 90])
    found = _ended(bins, edges, counts, 5.0)
    assert found.edges.tolist() == [0, 1, 2, 5, 10, 20]
    assert found.starts.tolist() == [0, 2, 3]
    assert found.mass.tolist() == [50, 50, 40, 12, 6]
    assert _ended(bins, edges, counts, 20.0).edges.tolist() == bins.edges.tolist()
    low = _ended(bins, edges, np.array([30.0, 50, 50, 40, 0, 0, 0]), 5.0)
    assert (low.edges.tolist(), low.starts.tolist()) == ([-2, 0, 1, 2, 5], [0, 1, 3])
