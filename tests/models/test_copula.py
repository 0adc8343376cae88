"""The copula: its trees, what it keeps of categories, atoms and orders, and what it does not."""

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of
from scipy import stats

import tabsynth
from tabsynth import Schema
from tabsynth.access import silent
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.models import _tree
from tabsynth.models._state import State
from tabsynth.models._tree import Tree
from tabsynth.models.copula import Copula, CopulaModel, denoised

ROWS = 20_000


def fitted(frame, columns, epsilon=20.0, **options):
    schema = Schema.from_dict({"name": "t", "columns": {k: {"nullable": False} | v for k, v in columns.items()}})
    return tabsynth.fit(frame, schema, epsilon=epsilon, model="copula", **options)


def labels(size):
    return {"kind": "categorical", "labels": list(range(size))}


def whole(high):
    return {"kind": "integer", "minimum": 0, "maximum": high}


def distance(a, b, *columns):
    """Total variation distance of a contingency table."""
    table = lambda t: t.groupby(list(columns)).size() / len(t)  # noqa: E731
    return table(a).sub(table(b), fill_value=0).abs().sum() / 2


@pytest.fixture
def tree():
    """Codes 3 | 0, 1 | 2, the pair 0, 1 in order."""
    return Tree(np.array([3, 0, 1, 2]), np.array([[0, 1, 4], [1, 3, 4]]), np.array([0.1, 0.2, 0.3, 0.4]), True)


def test_a_tree_meets_its_shares_up_to_rounding(tree):
    rng = np.random.default_rng(0)
    for rows in (0, 1, 7, 1000):
        codes = tree.assign(rng.standard_normal((rows, 3)), rng)
        counts = np.bincount(codes, minlength=4)
        assert np.abs(counts - rows * np.array([0.2, 0.3, 0.4, 0.1])).max() <= 3


def test_contrasts_and_expectations_are_what_a_sample_shows(tree):
    """Means over 200,000 rows, within 5 standard errors."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((200_000, tree.variables))
    codes = tree.assign(z, rng)
    contrasts, expected = tree.contrasts(), tree.expectations()
    for code in range(4):
        assert np.abs(z[codes == code].mean(axis=0) - expected[code]).max() < 5 / np.sqrt((codes == code).sum())
    c = contrasts[codes]
    assert np.abs(c.mean(axis=0)).max() < 1e-3
    covariance = c.T @ c / len(c)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-3


def test_flat_trees_come_back(tree):
    flat = _tree.flat([tree, Tree(np.arange(2), np.zeros((0, 3), dtype=int), np.array([0.5, 0.5]), False)])
    again = _tree.loaded(State({"total": 1}, flat), [4, 2])
    assert [t.leaves for t in again] == [[(0, 1), (1, 3), (3, 4)], [(0, 2)]]
    assert again[0].sorted
    assert not again[1].sorted


def test_a_tree_splits_where_profiles_differ():
    share = np.full(6, 1 / 6)
    alike = np.array([0, 1, 0, 1, 0, 1])
    order = np.arange(6)
    nodes = _tree.grow(order, share, share[:, None] * np.eye(2)[alike], True, most=6, gain=1e-6)
    assert nodes.tolist() == [[0, 3, 6]]
    assert len(set(alike[order[:3]])) == len(set(alike[order[3:]])) == 1


def test_denoised_drops_noise_and_keeps_what_stands_out():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.normal(size=(40, 40)), 1)
    noise = upper + upper.T
    assert not denoised(noise, [4] * 10, 1.0).any()
    noise[:4, 4:8] += 50
    noise[4:8, :4] += 50
    kept = denoised(noise, [4] * 10, 1.0)
    assert kept[:4, 4:8].mean() == pytest.approx(50, abs=2)
    assert (kept == kept.T).all() or np.allclose(kept, kept.T)


def test_categories_need_no_order():
    """A category that follows a number up and down: monotone correlation is 0, the copula keeps the relation."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 30, ROWS)
    c = np.where(np.abs(x - 15) < 7, rng.choice(3, ROWS, p=[0.8, 0.1, 0.1]), rng.choice(3, ROWS, p=[0.1, 0.6, 0.3]))
    frame = pd.DataFrame({"x": x, "c": c})
    sample = fitted(frame, {"x": whole(29), "c": labels(3)}).sample(ROWS)
    independent = frame.assign(c=rng.permutation(c))
    assert distance(independent, frame, "x", "c") > 0.25
    assert distance(sample, frame, "x", "c") < 0.09


def test_a_heavy_zero_and_the_values_above_it_are_two_things():
    """Zeros follow a, the values above zero follow b; one variable for the whole column could not tell them apart."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, ROWS), rng.integers(0, 2, ROWS)
    x = np.where(rng.random(ROWS) < np.where(a == 1, 0.9, 0.3), 0, 1 + rng.binomial(24, np.where(b == 1, 0.6, 0.4)))
    frame = pd.DataFrame({"a": a, "b": b, "x": x})
    sample = fitted(frame, {"a": labels(2), "b": labels(2), "x": whole(30)}).sample(ROWS)
    for value in (0, 1):
        assert (sample.x[sample.a == value] == 0).mean() == pytest.approx((x[a == value] == 0).mean(), abs=0.03)
        above = sample.x[(sample.x > 0) & (sample.b == value)]
        assert above.mean() == pytest.approx(x[(x > 0) & (b == value)].mean(), abs=1)


def test_orders_keep_their_rank_correlation():
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], ROWS)
    frame = pd.DataFrame(stats.norm.cdf(z) * 30 // 1, columns=["x", "y"]).astype(int)
    sample = fitted(frame, {"x": whole(29), "y": whole(29)}).sample(ROWS)
    truth, kept = (stats.spearmanr(t.x, t.y).statistic for t in (frame, sample))
    assert kept == pytest.approx(truth, abs=0.03)


def test_what_is_unrelated_stays_unrelated_at_a_small_budget():
    """Twelve unrelated columns at epsilon 0.3: hardly any variable is left in the model, and no correlation to speak of."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{i}": rng.integers(0, 3, 2000) for i in range(12)})
    factor = fitted(frame, {c: labels(3) for c in frame}, epsilon=0.3).model.factor
    matrix = factor @ factor.T
    assert np.abs(matrix - np.eye(len(matrix))).max(initial=0) < 0.5


def test_three_columns_beyond_their_pairs_are_not_held():
    """The known limit: c = a xor b has independent pairs, so the copula samples it as a coin."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, ROWS), rng.integers(0, 2, ROWS)
    frame = pd.DataFrame({"a": a, "b": b, "c": a ^ b})
    sample = fitted(frame, {k: labels(2) for k in "abc"}).sample(ROWS)
    assert distance(sample, frame, "a", "b", "c") > 0.4


def test_a_single_column_and_one_code_columns_work():
    frame = pd.DataFrame({"a": [0, 1] * 500, "b": [0] * 1000})
    assert fitted(frame[["a"]], {"a": labels(2)}).sample(100).a.mean() == pytest.approx(0.5, abs=0.1)
    assert (fitted(frame, {"a": labels(2), "b": labels(1)}).sample(50).b == 0).all()


@pytest.mark.parametrize(("epsilon", "max_rows"), [(0.01, 1), (0.5, 1000)])
def test_at_any_budget_the_noise_can_be_drawn(epsilon, max_rows):
    """The whole-number scores get coarser, down to nothing, instead of asking for noise beyond what the sampler draws."""
    frame = pd.DataFrame({"p": [f"u{i}" for i in range(500)], **{f"c{i}": np.arange(500) % 5 for i in range(6)}})
    columns = {"p": {"kind": "identifier"}} | {f"c{i}": labels(5) | {"nullable": False} for i in range(6)}
    schema = Schema.from_dict({"name": "t", "unit": {"key": "p", "max_rows": max_rows}, "columns": columns})
    ledger = Ledger(Budget(epsilon, 1e-6))
    with PrivateTable(frame, schema, ledger) as table:
        table.encode(codec_of(schema))
        model = Copula(singles=0.5).fit(table, np.random.default_rng(0), silent)
    assert ledger.left() == pytest.approx(0, abs=1e-12)
    assert isinstance(model, CopulaModel)


def test_the_target_s_labels_are_all_told_apart():
    """Labels too rare for the noise are one group, unless the column is the target."""
    share, algorithm = np.array([0.5, 0.49, 0.006, 0.004]), Copula(target="t")
    assert [len(g) for g in algorithm._coding("other", share, 0, 100).groups] == [1, 1, 2]
    assert [len(g) for g in algorithm._coding("t", share, 0, 100).groups] == [1, 1, 1, 1]


def test_sampling_is_fast_enough():
    """100,000 rows of 14 columns in a second, with room for a busy machine."""
    import time

    rng = np.random.default_rng(0)
    base = rng.integers(0, 5, ROWS)
    frame = pd.DataFrame({f"c{i}": (base + rng.integers(0, 3, ROWS)) % 5 for i in range(14)})
    model = fitted(frame, {c: labels(5) for c in frame}).model
    started = time.process_time()
    model.sample(100_000, np.random.default_rng(0))
    assert time.process_time() - started < 3
