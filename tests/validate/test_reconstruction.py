"""Attack B6: the linear program on cases worked by hand, belief propagation against enumeration, and both on generators."""

from itertools import product

import numpy as np
import pytest

from tabsynth.errors import OptionError
from tabsynth.schema import Schema
from tabsynth.validate.attacks import reconstruction
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.check import Evidence


@pytest.fixture(scope="module")
def challenge(schema, people):
    """challenge(copied, seed, size): members are handed out again, or not; so many a side."""

    def make(copied, seed=0, size=250):
        train = people(size, 10 * seed + 1)
        synthetic = train.sample(2 * size, replace=True, random_state=seed) if copied else people(2 * size, 10 * seed + 3)
        return design(Evidence(schema, train, people(3 * size, 10 * seed + 2), synthetic, target="smoker", seed=seed))

    return make


def test_the_linear_program_puts_two_tables_together():
    """Column 0: t0 + t1 = 1 and t2 = 1; column 1: t0 = 0 and t1 + t2 = 2. Neither table alone says who."""
    known, secrets = np.array([[0, 0], [0, 1], [1, 1]]), np.array([False, True, True])
    assert reconstruction.solved(known, known, secrets, [(0,), (1,)]) == pytest.approx([0, 1, 1])
    assert reconstruction.solved(known, known, secrets, [(0, 1)]) == pytest.approx([0, 1, 1])


def test_shares_are_of_the_synthetic_rows_and_counts_of_the_targets():
    """Three targets in a cell of which synthetic rows say a third: one of them."""
    known, synthetic = np.zeros((3, 1), int), np.zeros((30, 1), int)
    found = reconstruction.solved(known, synthetic, np.arange(30) < 10, [(0,)])
    assert found.sum() == pytest.approx(1)
    unheld = reconstruction.solved(np.array([[0], [7]]), synthetic, np.arange(30) < 12, [(0,)])
    assert unheld == pytest.approx([0.4, 0.4])
    assert reconstruction.solved(np.array([[7]]), synthetic, np.arange(30) < 12, [(0,)]) == pytest.approx([0.4])


def test_no_other_secrets_fit_the_tables_better():
    rng = np.random.default_rng(0)
    known, synthetic, secrets = rng.integers(0, 3, (8, 3)), rng.integers(0, 3, (60, 3)), rng.random(60) < 0.4
    pairs = [(0, 1), (0, 2), (1, 2)]

    def misfit(t):
        total = 0.0
        for pair, values in product(pairs, product(range(3), repeat=2)):
            asked, given = (known[:, pair] == values).all(1), (synthetic[:, pair] == values).all(1)
            if given.any():
                total += abs(t[asked].sum() - asked.sum() * secrets[given].mean())
        return total

    found = reconstruction.solved(known, synthetic, secrets, pairs)
    assert found.min() >= -1e-9
    assert found.max() <= 1 + 1e-9
    best = misfit(found)
    assert best <= min(misfit(np.array(t)) for t in product([0, 1], repeat=8)) + 1e-9
    for _ in range(100):
        assert best <= misfit((found + 0.05 * rng.normal(size=8)).clip(0, 1)) + 1e-9


@pytest.mark.parametrize("edges", [[(0, 1), (1, 2)], [(0, 1), (0, 2)], [(0, 2), (2, 1)]])
def test_belief_propagation_is_enumeration(edges):
    rng = np.random.default_rng(1)
    levels, rows = (2, 3, 4), 5
    unary = [rng.random((rows, k)) for k in levels]
    ties = [rng.random((levels[a], levels[b])) for a, b in edges]
    expected = [np.zeros((rows, k)) for k in levels]
    for states in product(*map(range, levels)):
        weight = np.prod([u[:, s] for u, s in zip(unary, states, strict=True)], axis=0)
        for (a, b), tie in zip(edges, ties, strict=True):
            weight = weight * tie[states[a], states[b]]
        for out, s in zip(expected, states, strict=True):
            out[:, s] += weight
    for found, out in zip(reconstruction.marginals(unary, edges, ties), expected, strict=True):
        assert found == pytest.approx(out / out.sum(1, keepdims=True))


def test_the_tree_follows_the_mutual_information():
    """Column 2 is column 0, column 1 is column 2 with noise, column 3 is alone: 0-2 and 2-1 or 0-1, never 3 between."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 500)
    third = np.where(rng.random(500) < 0.1, rng.integers(0, 3, 500), first)
    second = np.where(rng.random(500) < 0.2, rng.integers(0, 3, 500), third)
    codes = np.stack([first, second, third, rng.integers(0, 2, 500)], 1)
    assert reconstruction.spanning_tree(codes, [3, 3, 3, 2])[:2] == [(0, 2), (2, 1)]
    assert len(reconstruction.spanning_tree(codes, [3, 3, 3, 2])) == 3


@pytest.mark.parametrize("attack", [reconstruction.linear, reconstruction.tree])
def test_copied_rows_are_reconstructed(schema, challenge, attack):
    found = attack(schema, challenge(True))
    assert found.check == f"attacks.reconstruction.{attack.__name__}"
    assert found.interval[0] > 0.05
    assert found.interval[0] < found.value < found.interval[1]
    assert found.value == pytest.approx(found.details["rate_members"] - found.details["rate_nonmembers"])
    assert found.details["n_members"] == found.details["n_nonmembers"] == 250
    assert found.details["rate_nonmembers"] < 0.65
    assert attack(schema, challenge(True)) == found


@pytest.mark.parametrize("attack", [reconstruction.linear, reconstruction.tree])
def test_what_is_known_of_everybody_is_no_leak(schema, challenge, attack):
    """Of 8 intervals at 95 %, three or more above 0 have probability .0008; the mean stays within 4 standard errors (.065 each)."""
    found = [attack(schema, challenge(False, seed, 120)) for seed in range(8)]
    assert sum(each.interval[0] > 0 for each in found) <= 2
    assert abs(np.mean([each.value for each in found])) < 4 * 0.065 / np.sqrt(8)


def test_the_secret_and_the_hidden_columns_can_be_named(schema, challenge):
    made = challenge(True)
    for secret, positive in (("job", "clerk"), ("weight", None), ("grade", None)):
        found = reconstruction.linear(schema, made, secret)
        assert found.details["secret"] == secret
        assert found.value > 0
        if positive:
            bits = (made.rows[secret] == positive)[made.row_member].mean()
            assert found.details["majority"]["members"] == pytest.approx(max(bits, 1 - bits))
    assert reconstruction.linear(schema, made).details["secret"] == "smoker"
    with pytest.raises(OptionError, match="name one of"):
        reconstruction.linear(schema, made, "name")
    found = reconstruction.tree(schema, made, ["job", "smoker"])
    assert [row["column"] for row in found.details["columns"]] == ["job", "smoker"]
    assert [row["column"] for row in reconstruction.tree(schema, made).details["columns"]] == list(schema.names[4:])


def test_rare_values_count_more(schema, challenge):
    """Naming the clerks is right for half of the rows and for one of five values."""
    right, weights = np.array([[True]] * 40 + [[False]]), np.array([[1 / 500]] * 40 + [[1 / 5]])
    assert reconstruction._rate(right, weights) == pytest.approx(0.08 / 0.28)
    found = reconstruction.tree(schema, challenge(False), ["job"])
    (row,) = found.details["columns"]
    assert found.details["rate_nonmembers"] < row["nonmembers"] - 0.1


def test_ties_hold_what_columns_do_not_say_alone():
    """Independent columns have ties of 1; of two equal columns of equal values the ties are 2 and near 0."""
    codes = np.array(list(product([0, 0, 0, 1], [0, 1, 2])))
    assert reconstruction._tie(codes, [2, 3]) == pytest.approx(np.ones((2, 3)))
    equal = np.repeat([[0, 0], [1, 1]], 50, axis=0)
    assert reconstruction._tie(equal, [2, 2]) == pytest.approx(np.array([[2, 0], [0, 2]]), abs=0.02)
    assert (reconstruction._tie(equal, [2, 3])[:, :2] > 0).all()


def test_one_row_of_each_unit_is_attacked(unit_schema, visits):
    made = design(Evidence(unit_schema, visits(80, 1), visits(240, 2), visits(80, 3)))
    for attack in (reconstruction.linear, reconstruction.tree):
        assert attack(unit_schema, made).details["n_members"] == made.member.sum() < len(made.rows) / 2


def test_too_little_gives_no_number(schema, people):
    narrow = Schema.from_dict({"name": "two", "columns": {"a": {"kind": "boolean"}, "b": {"kind": "boolean"}}})
    few = people(30, 0).rename(columns={"smoker": "a"}).assign(b=lambda t: t.a)[["a", "b"]]
    for made, about in (
        (design(Evidence(narrow, few, few, few)), narrow),
        (design(Evidence(schema, people(1, 0), people(2, 1), people(5, 2))), schema),
        (design(Evidence(schema, people(9, 0), people(20, 1), people(0, 2))), schema),
    ):
        for attack in (reconstruction.linear, reconstruction.tree):
            found = attack(about, made)
            assert found.value is None
            assert "Too few" in found.note
