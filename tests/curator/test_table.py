"""The private table: claimed sensitivity, charge before noise, bounded units, nothing exact."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of, toy_rows, visits
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from tabsynth import Schema, Unit
from tabsynth.access import Candidate
from tabsynth.curator import table as table_module
from tabsynth.curator.discover import discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import BudgetExceeded, Unaccounted

PHASES = (Phase.explicit, Phase.generate)
"""Every example opens databases, so a failing one is shown as it was found."""
rows = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["A", "B", "C", "other", None]), st.integers(-3, 15)), min_size=1, max_size=30
)


def exact(frame: pd.DataFrame, schema: Schema, cliques, secret: str | None = "fixed") -> list[np.ndarray]:
    """Exact answers; with a fixed secret, the same rows of a unit are used whatever the others are."""
    with pytest.MonkeyPatch.context() as patch:
        if secret:
            patch.setattr("secrets.token_hex", lambda _: secret)
        source = Source(frame, schema)
    try:
        source.encode(codec_of(schema))
        return source.counts(cliques)
    finally:
        source.close()


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(rows)
def test_removing_any_unit_moves_every_answer_by_at_most_what_is_claimed(visits_schema, data):
    frame, k = visits(data), visits_schema.unit.max_rows
    cliques = [("ward",), ("days",), ("ward", "days")]
    with_all = exact(frame, visits_schema, cliques)
    for person in frame.person.unique()[:3]:
        rest = frame[frame.person != person]
        if len(rest) == 0:
            continue
        without = exact(rest, visits_schema, cliques)
        used = min(k, int((frame.person == person).sum()))
        for a, b in zip(with_all, without, strict=True):
            assert (a >= b).all(), "removing a unit only takes rows away: nobody else's rows change"
            assert (a - b).sum() == used <= k
            assert np.sqrt(((a - b) ** 2).sum()) <= k


@settings(max_examples=6, deadline=None, phases=PHASES)
@given(rows, st.lists(st.integers(0, 6), min_size=44, max_size=44))
def test_distances_move_by_at_most_the_rows_of_a_unit(visits_schema, data, estimate):
    frame, k = visits(data), visits_schema.unit.max_rows
    guess = np.array(estimate).reshape(4, 11)
    distance = lambda f: int(np.abs(exact(f, visits_schema, [("ward", "days")])[0] - guess).sum())  # noqa: E731
    for person in frame.person.unique()[:2]:
        rest = frame[frame.person != person]
        if len(rest):
            assert abs(distance(frame) - distance(rest)) <= k


def test_a_heavy_unit_counts_max_rows_times_and_rows_without_identifier_not_at_all(visits_schema):
    frame = pd.DataFrame({"person": ["heavy"] * 500 + [None] * 50 + ["light"], "ward": "A", "days": 1})
    assert exact(frame, visits_schema, [("ward",)])[0].sum() == 3 + 1


def test_which_rows_of_a_unit_are_used_is_random(visits_schema):
    frame = pd.DataFrame({"person": "p", "ward": "A", "days": range(10)})
    picks = {tuple(np.flatnonzero(exact(frame, visits_schema, [("days",)], secret=None)[0])) for _ in range(12)}
    assert len(picks) > 3


@pytest.fixture
def private(toy_schema, toy_table):
    with PrivateTable(toy_table, toy_schema, Ledger(Budget(1, 1e-6, 0.1))) as opened:
        opened.encode(discover(opened))
        yield opened


def test_every_answer_is_charged_before_its_noise_is_drawn(private, monkeypatch):
    drawn = []

    def spy(shape, sigma):
        drawn.append(len(private.ledger.charges))
        return np.zeros(shape, dtype=np.int64)

    before = len(private.ledger.charges)
    monkeypatch.setattr(table_module, "discrete_gaussian", spy)
    private.measure([("age",), ("ward", "sick")], costs=[1e-4, 1e-4])
    private.score([Candidate(("age",), np.zeros(private.domain["age"], dtype=np.int64))], cost=1e-4)
    private.cells({"age": np.array([50.0])}, cost={"age": 1e-4}, note="cells")
    private.listed({"ward": ["A", "none"]}, cost=1e-4)
    private.labels("drug", cost=1e-4, failure=1e-12) if private.ledger.failure_left() else None
    assert drawn[:5] == [before + 2, before + 2, before + 3, before + 4, before + 5]


def test_past_the_budget_nothing_is_counted_and_nothing_drawn(private, monkeypatch):
    charges = private.ledger.charges
    monkeypatch.setattr(table_module, "discrete_gaussian", lambda *_: pytest.fail("noise was drawn"))
    monkeypatch.setattr(private._source, "counts", lambda *_: pytest.fail("rows were counted"))
    with pytest.raises(BudgetExceeded):
        private.measure([("age",)], costs=[1.0])
    with pytest.raises(BudgetExceeded):
        private.score([Candidate(("age",), np.zeros(private.domain["age"], dtype=np.int64))], cost=1.0)
    assert private.ledger.charges == charges


def test_grouped_codes_are_counted_together_for_the_same_price(private, monkeypatch):
    monkeypatch.setattr(table_module, "discrete_gaussian", lambda shape, sigma: np.zeros(shape, dtype=np.int64))
    group = np.arange(private.domain["age"]) % 3
    plain, grouped = (private.measure([("ward", "age")], costs=[1e-4], groups=g)[0] for g in (None, {"age": group}))
    assert grouped.counts.tolist() == [[row[group == g].sum() for g in range(3)] for row in plain.counts]
    assert grouped.sigma == plain.sigma
    assert private.ledger.charges[-1].rho == private.ledger.charges[-2].rho


def test_tables_of_groups_are_scored_as_they_are_measured(private, monkeypatch):
    monkeypatch.setattr(table_module, "discrete_gaussian", lambda shape, sigma: np.zeros(shape, dtype=np.int64))
    groups = {"age": np.arange(private.domain["age"]) % 3}
    real = private.measure([("ward", "age")], costs=[1e-4], groups=groups)[0].counts
    guess = Candidate(("ward", "age"), real + np.arange(3))
    assert private.score([guess], cost=1e-4, groups=groups).tolist() == [3 * len(real)]
    with pytest.raises(Unaccounted, match="one for each cell"):
        private.score([guess], cost=1e-4)


@pytest.mark.parametrize("group", [[0, 1], [-1] * 10, [0.5] * 10])
def test_groups_are_one_whole_number_for_each_code(private, group):
    size = private.domain["age"]
    with pytest.raises(Unaccounted, match="one whole number from 0 for each code"):
        private.measure([("age",)], costs=[1e-4], groups={"age": np.resize(group, size if len(group) > 2 else 2)})


@pytest.mark.parametrize("cost", [0.0, -1.0, math.nan])
def test_nothing_is_free(private, cost):
    with pytest.raises(Unaccounted, match="costs something"):
        private.measure([("age",)], costs=[cost])


def test_a_fractional_estimate_is_refused(private):
    with pytest.raises(Unaccounted, match="whole counts"):
        private.score([Candidate(("sick",), np.full(3, 0.5))], cost=1e-4)


@pytest.mark.parametrize("max_rows", [1, 3])
def test_noise_has_the_scale_that_was_paid_for(visits_schema, max_rows):
    """Two-sided: the residuals of 4,400 cells pass at the claimed scale and fail at 2/3 and 3/2 of it (chi-square, level 1e-6)."""
    schema = dataclasses.replace(visits_schema, unit=Unit("person", max_rows))
    frame = visits([(i, "A", i % 10) for i in range(200)])
    rho = 1e-3
    with PrivateTable(frame, schema, Ledger(Budget(5, 1e-6))) as private:
        private.encode(codec_of(schema))
        answers = private.measure([("ward", "days")] * 100, costs=[rho] * 100)
        truth = private._source.counts([("ward", "days")])[0]
    residual = np.concatenate([(a.counts - truth).ravel() for a in answers])
    claimed = math.hypot(max_rows / math.sqrt(2 * rho), table_module.LATTICE)
    assert answers[0].sigma == pytest.approx(claimed)
    for factor, accepted in ((1, True), (2 / 3, False), (3 / 2, False)):
        statistic = (residual**2).sum() / (factor * claimed) ** 2
        p = 2 * min(stats.chi2.cdf(statistic, len(residual)), stats.chi2.sf(statistic, len(residual)))
        assert (p > 1e-6) == accepted


def test_scores_share_one_price(private):
    """m scores for rho together: each gets noise as if it cost rho / m."""
    before = private.ledger.spent()
    candidates = [Candidate((a,), np.zeros(private.domain[a], dtype=np.int64)) for a in ("age", "ward", "sick", "level")]
    private.score(candidates, cost=1e-3)
    assert private.ledger.spent() - before == pytest.approx(1e-3)


def test_noise_of_two_fits_differs(visits_schema):
    def once():
        with PrivateTable(visits([(0, "A", 1)] * 3), visits_schema, Ledger(Budget(1, 1e-6))) as private:
            private.encode(codec_of(visits_schema))
            return private.measure([("ward", "days")], costs=[1e-4])[0].counts

    assert (once() != once()).any()


def test_a_category_of_one_person_is_not_released():
    """A value held by one unit passes with probability at most the failure it was charged; 20 fits see it never."""
    schema = Schema.from_dict({"name": "d", "columns": {"drug": {"kind": "categorical", "discover": True}}})
    frame = pd.DataFrame({"drug": ["aspirin"] * 3000 + ["secret"]})
    for _ in range(20):
        with PrivateTable(frame, schema, Ledger(Budget(1, 1e-6, 0.1))) as private:
            assert private.labels("drug", cost=0.005, failure=1e-7).keys() == {"aspirin"}


def test_heavy_user_cannot_buy_a_category_of_his_own(visits_schema):
    schema = Schema.from_dict(
        {
            "name": "d",
            "unit": {"key": "person", "max_rows": 3},
            "columns": {"person": {"kind": "identifier"}, "drug": {"kind": "categorical", "discover": True}},
        }
    )
    frame = pd.DataFrame(
        {"person": [f"p{i}" for i in range(3000)] + ["heavy"] * 2000, "drug": ["aspirin"] * 3000 + ["secret"] * 2000}
    )
    with PrivateTable(frame, schema, Ledger(Budget(1, 1e-6, 0.1))) as private:
        assert "secret" not in private.labels("drug", cost=0.02, failure=1e-7)


@pytest.mark.parametrize("n", [1, 2, 50])
def test_small_tables_go_through(toy_schema, n):
    with PrivateTable(toy_rows(n), toy_schema, Ledger(Budget(1, 1e-6, 0.1))) as private:
        private.encode(discover(private))
        assert private.measure([("age", "sick")], costs=[private.left()])[0].counts.ndim == 2
        assert private.left() == pytest.approx(0, abs=1e-12)
