"""Noisy cross-products: what they are, how far one unit moves them, and what their noise is."""

import dataclasses
import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from conftest import codec_of, visits
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from tabsynth import Unit
from tabsynth.codec import Labels
from tabsynth.curator import source as source_module
from tabsynth.curator import table as table_module
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.noise import MAX_SIGMA
from tabsynth.curator.source import Source, _coded, shortened
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import BudgetExceeded, Unaccounted
from tabsynth.models import copula
from tabsynth.schema import OTHER

PHASES = (Phase.explicit, Phase.generate)
WARDS, DAYS = 4, 11
rows = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["A", "B", "C", None]), st.integers(0, 9)), min_size=2, max_size=30)
tables = st.tuples(
    st.lists(st.integers(-9, 9), min_size=WARDS * 2, max_size=WARDS * 2),
    st.lists(st.integers(-9, 9), min_size=DAYS * 3, max_size=DAYS * 3),
)


def scores_of(numbers) -> dict[str, np.ndarray]:
    return {"ward": np.array(numbers[0]).reshape(WARDS, 2), "days": np.array(numbers[1]).reshape(DAYS, 3)}


def opened(frame, schema) -> Source:
    """With a fixed secret, the same rows of a unit are used whatever the others are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secrets.token_hex", lambda _: "fixed")
        source = Source(frame, schema)
    source.encode(codec_of(schema))
    return source


def exact(frame, schema, scores, limit) -> np.ndarray:
    source = opened(frame, schema)
    try:
        return source.gram(scores, limit)
    finally:
        source.close()


def vectors(frame, scores) -> np.ndarray:
    ward = frame.ward.map({"A": 0, "B": 1, "C": 2}).fillna(3).astype(int)
    return np.concatenate([scores["ward"][ward], scores["days"][frame.days]], axis=1)


def brute(frame, scores, limit) -> np.ndarray:
    """The definition, row by row in whole numbers."""
    total = np.zeros((5, 5), dtype=np.int64)
    for v in vectors(frame, scores).tolist():
        square = sum(x * x for x in v)
        if square > limit:
            v = [math.trunc(x * math.sqrt(limit / square)) for x in v]
        total += np.outer(v, v)
    return total


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(rows, tables, st.sampled_from([1, 7, 60, 10_000]))
def test_it_is_the_sum_over_the_rows(visits_schema, data, numbers, limit):
    schema = dataclasses.replace(visits_schema, unit=Unit("person", 100))
    frame, scores = visits(data), scores_of(numbers)
    assert (exact(frame, schema, scores, limit) == brute(frame, scores, limit)).all()


@pytest.mark.parametrize("top", [3, 4000])
def test_it_is_exact_whatever_floating_point_type_is_used(visits_schema, top, monkeypatch):
    """20,000 rows in small pieces: sums beyond what single precision holds stay exact."""
    rng = np.random.default_rng(0)
    schema = dataclasses.replace(visits_schema, unit=Unit("person", 1))
    frame = visits([(i, "ABC"[i % 3], i % 10) for i in range(20_000)])
    scores = {"ward": rng.integers(-top, top + 1, (WARDS, 2)), "days": rng.integers(-top, top + 1, (DAYS, 3))}
    v = vectors(frame, scores)
    monkeypatch.setattr(source_module, "_GRAM_ROWS", 777)
    assert (exact(frame, schema, scores, 10**9) == v.T @ v).all()


def moved(schema, frame, person, scores, limit) -> float:
    """L2 norm of what removing a person changes in the entries that are answered."""
    difference = exact(frame, schema, scores, limit) - exact(frame[frame.person != person], schema, scores, limit)
    return float(np.sqrt((difference[:2, 2:] ** 2).sum()))


def claimed(schema, limit) -> float:
    """Sensitivity that `PrivateTable` uses for two columns."""
    with PrivateTable(visits([(0, "A", 1)]), schema, Ledger(Budget(1, 1e-6))) as private:
        return float(private._sigma(0.5, limit / 2))


@settings(max_examples=10, deadline=None, phases=PHASES)
@given(rows, tables, st.sampled_from([3, 20, 150]))
def test_removing_any_unit_moves_it_by_at_most_what_is_claimed(visits_schema, data, numbers, limit):
    frame, k = visits(data), visits_schema.unit.max_rows
    for person in frame.person.unique()[:3]:
        if (frame.person != person).any():
            assert moved(visits_schema, frame, person, scores_of(numbers), limit) <= k * limit / 2


def test_the_claimed_sensitivity_is_met_and_drives_the_noise(visits_schema):
    """Three rows whose two columns have squared length 50 each, and the limit is 100: the worst case, met exactly; noise covers it."""
    scores = {"ward": np.full((WARDS, 2), 5), "days": np.tile([5, 5, 0], (DAYS, 1))}
    frame = visits([(0, "A", 1)] * 8 + [(1, "B", 2)])
    assert moved(visits_schema, frame, "p0", scores, 100) == pytest.approx(3 * 100 / 2)
    assert claimed(visits_schema, 100) == pytest.approx(math.hypot(150, table_module.LATTICE))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(-300, 300), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(1, 5000))
def test_no_row_is_longer_than_the_limit_and_short_ones_stay(v, limit):
    v = np.array(v)
    out = shortened(v.astype(np.float32), limit)
    squares = (v**2).sum(axis=1)
    assert ((out.astype(int) ** 2).sum(axis=1) <= limit).all()
    assert (out == np.trunc(out)).all()
    assert (np.abs(out) <= np.abs(v)).all()
    assert (out[squares <= limit] == v[squares <= limit]).all()
    assert ((out.astype(float) ** 2).sum(axis=1)[squares > limit] > 0.25 * limit - 2 * math.sqrt(limit)).all(), (
        "not cut for nothing"
    )


@pytest.fixture
def private(visits_schema):
    with PrivateTable(visits([(i, "ABC"[i % 3], i % 10) for i in range(200)]), visits_schema, Ledger(Budget(5, 1e-6))) as opened:
        opened.encode(codec_of(visits_schema))
        yield opened


SCORES = {"ward": np.arange(WARDS * 2).reshape(WARDS, 2), "days": np.arange(DAYS * 3).reshape(DAYS, 3)}


def test_charged_before_noise_is_drawn_and_nothing_is_read_past_the_budget(private, monkeypatch):
    drawn = []

    def spy(shape, sigma):
        drawn.append((len(private.ledger.charges), shape))
        return np.zeros(shape, dtype=np.int64)

    monkeypatch.setattr(table_module, "discrete_gaussian", spy)
    before = private.ledger.spent()
    private.gram(SCORES, limit=100, cost=1e-3)
    assert drawn == [(1, (6,))], "one charge, then noise for the six entries of two different columns"
    assert private.ledger.spent() - before == pytest.approx(1e-3)
    monkeypatch.setattr(table_module, "discrete_gaussian", lambda *_: pytest.fail("noise was drawn"))
    monkeypatch.setattr(private._source, "gram", lambda *_: pytest.fail("rows were read"))
    with pytest.raises(BudgetExceeded):
        private.gram(SCORES, limit=100, cost=10.0)


def test_blocks_of_a_column_with_itself_are_not_answered_and_the_rest_is_symmetric(private):
    answer, _ = private.gram(SCORES, limit=100, cost=1e-3)
    assert (answer == answer.T).all()
    assert not answer[:2, :2].any()
    assert not answer[2:, 2:].any()


@pytest.mark.parametrize("max_rows", [1, 3])
@pytest.mark.parametrize("limit", [1, 100])
def test_noise_has_the_scale_that_was_paid_for(visits_schema, max_rows, limit):
    """Two-sided: 600 residuals pass at the claimed scale and fail at 2/3 and 3/2 of it (chi-square, level 1e-6)."""
    schema = dataclasses.replace(visits_schema, unit=Unit("person", max_rows))
    rho = 1e-3
    with PrivateTable(visits([(i, "A", i % 10) for i in range(200)]), schema, Ledger(Budget(5, 1e-6))) as private:
        private.encode(codec_of(schema))
        answers = [private.gram(SCORES, limit=limit, cost=rho) for _ in range(100)]
        truth = private._source.gram(SCORES, limit)
    residual = np.concatenate([(noisy - truth)[:2, 2:].ravel() for noisy, _ in answers])
    scale = math.hypot(max_rows * limit / 2 / math.sqrt(2 * rho), table_module.LATTICE)
    assert answers[0][1] == pytest.approx(scale)
    for factor, accepted in ((1, True), (2 / 3, False), (3 / 2, False)):
        statistic = (residual**2).sum() / (factor * scale) ** 2
        p = 2 * min(stats.chi2.cdf(statistic, len(residual)), stats.chi2.sf(statistic, len(residual)))
        assert (p > 1e-6) == accepted


@pytest.mark.parametrize(
    "scores",
    [
        SCORES | {"ward": SCORES["ward"] / 2},
        SCORES | {"ward": SCORES["ward"][:2]},
        SCORES | {"ward": SCORES["ward"] * table_module.MAX_SCORE},
        {"ward": SCORES["ward"]},
    ],
)
def test_what_is_not_accounted_for_is_refused(private, scores):
    with pytest.raises(Unaccounted):
        private.gram(scores, limit=100, cost=1e-3)
    assert not private.ledger.charges


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_limit_is_a_whole_number(private, limit):
    with pytest.raises(Unaccounted, match="whole number above 0"):
        private.gram(SCORES, limit=limit, cost=1e-3)


def test_which_codes_are_ordered_is_public(toy_schema, toy_table):
    from tabsynth.curator.discover import discover

    with PrivateTable(toy_table, toy_schema, Ledger(Budget(1, 1e-6, 0.1))) as private:
        private.encode(discover(private))
        domain, ordered = private.domain, private.ordered
    assert ordered["age"] == domain["age"] - 1, "all but the code for missing"
    assert ordered["ward"] == ordered["sick"] == ordered["level"] == 0


def test_models_know_the_largest_noise():
    assert copula.MAX_SIGMA == MAX_SIGMA


def test_codes_are_what_the_codec_says(toy_schema, toy_table):
    """The batches' codes against one value at a time; every kind of column, missing values and unlisted labels too."""
    from tabsynth.curator.discover import discover

    frame = toy_table.mask(np.random.default_rng(0).random(toy_table.shape) < 0.1)
    with PrivateTable(frame, toy_schema, Ledger(Budget(1, 1e-6, 0.1))) as private:
        codec = discover(private)
        private.encode(codec)
        source = private._source
        rows = source._rows.to_pyarrow().to_pylist()
        codes = np.concatenate(source._codes, axis=1)
    for coded, (name, (column, part)) in zip(codes, codec.parts.items(), strict=True):
        coder = codec.coders[column.name]

        def code(value, name=name, coder=coder, column=column, part=part):
            if part:
                bins = {"date": coder.day, "time": coder.time}.get(part)
                missing = codec.domain[name] - 1
                if value is None:
                    return missing
                day = value.date() if part == "date" and column.kind == "datetime" else value
                if part == "weekday":
                    return value.weekday()
                at = (day - dt.date(1970, 1, 1)).days if part == "date" else 3600 * value.hour + 60 * value.minute + value.second
                return sum(at >= e for e in bins.edges[bins.starts[1:]])
            missing = coder.size - 1 if coder.null else 0
            if value is None:
                return missing
            if isinstance(coder, Labels):
                return coder.values.index(value if value in coder.values else OTHER)
            return sum(column.to_axis(value) >= e for e in coder.edges[coder.starts[1:]])

        assert coded.tolist() == [code(row[column.name]) for row in rows], name


@pytest.mark.parametrize(
    ("null", "other", "expected"),
    [(False, True, [0, 1, 2, 0]), (True, True, [0, 1, 2, 3]), (True, False, [0, 1, 2, 2]), (False, False, [0, 1, 0, 0])],
)
def test_an_unlisted_label_becomes_other_then_missing_then_the_first(null, other, expected):
    coder = Labels(("a", "b", OTHER) if other else ("a", "b"), null)
    assert _coded(pa.array(["a", "b", "zzz", None]), coder, None, None).tolist() == expected
