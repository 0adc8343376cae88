"""The parts of `neural` against closed forms, and its guarantees."""

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import Schema
from tabsynth.access import Marginal, silent
from tabsynth.models import _network
from tabsynth.models.neural import Facts, Neural, _drafted, _drawn, _given, _low_rank, _shrunk

SIZES = {"a": 3, "b": 4, "y": 2}


class Asked:
    """`Counts` over three columns, answered with noise of a fixed seed; keeps what it was paid."""

    def __init__(self, rows: int = 5000, budget: float = 0.5) -> None:
        rng = np.random.default_rng(1)
        y = rng.integers(0, 2, rows)
        a = (y + rng.integers(0, 2, rows)) % 3
        b = np.where(rng.random(rows) < 0.8, a, 3)
        self.codes = {"a": a, "b": b, "y": y}
        self.budget, self.paid, self.rng = budget, 0.0, np.random.default_rng(2)
        self.domain = SIZES

    def left(self):
        return self.budget - self.paid

    def sigma(self, cost):
        return float(np.hypot((2 * cost) ** -0.5, 2))

    def _table(self, attrs):
        shape = [SIZES[a] for a in attrs]
        return np.bincount(np.ravel_multi_index([self.codes[a] for a in attrs], shape), minlength=int(np.prod(shape))).reshape(
            shape
        )

    def measure(self, cliques, *, costs):
        self.paid += sum(costs)
        sigmas = [self.sigma(c) for c in costs]
        noise = [np.rint(self.rng.normal(0, s, [SIZES[a] for a in q])) for q, s in zip(cliques, sigmas, strict=True)]
        return [Marginal(q, self._table(q) + n.astype(int), s) for q, n, s in zip(cliques, noise, sigmas, strict=True)]

    def score(self, candidates, *, cost):
        self.paid += cost
        return np.array([np.abs(self._table(c.attrs) - c.estimate).sum() for c in candidates])


def test_same_answers_and_seed_give_the_same_model_and_another_seed_another():
    def arrays(seed):
        return Neural(target="y", steps=60).fit(Asked(), np.random.default_rng(seed), silent).state()[1]

    first, again, other = arrays(0), arrays(0), arrays(1)
    assert all(np.array_equal(first[k], again[k]) for k in first)
    assert not np.array_equal(first["output"], other["output"])


@pytest.mark.parametrize("target", [None, "y"])
@pytest.mark.parametrize("rows", [50, 5000])
def test_spends_the_budget_to_the_end_and_no_more(rows, target):
    data = Asked(rows)
    Neural(target=target, steps=60).fit(data, np.random.default_rng(0), silent)
    assert data.budget * (1 - 1e-9) < data.paid <= data.budget


def test_knows_the_number_of_rows_from_noise_alone():
    """Tables that all say 1,000 rows are believed, whatever the real rows are."""

    class Claims(Asked):
        def _table(self, attrs):
            return np.rint(super()._table(attrs) / 5).astype(int)

    data = Claims()
    model = Neural(target="y", steps=60).fit(data, np.random.default_rng(0), silent)
    assert model.total == pytest.approx(1000, abs=60)


def test_the_loss_of_a_batch_estimates_that_of_all_rows_without_bias():
    """Mean over 4,000 batches of 3 rows against the loss of the whole pool: within 4 standard errors (a plain one misses by 100)."""
    import torch

    rng = np.random.default_rng(0)
    sizes, groups = [2, 3], np.array([0.3, 0.7])
    first = np.hstack([rng.dirichlet(np.ones(k), 2) for k in sizes])
    both = _network.Told(0, [1], rng.dirichlet(np.ones(6)).reshape(1, 2, 3), [2.0])
    each = _network.Told(1, [0], rng.dirichlet(np.ones(12)).reshape(2, 3, 2), [0.5])
    pool = torch.tensor(np.concatenate([rng.dirichlet(np.full(k, 0.3), (2, 500)).swapaxes(1, 2) for k in sizes], axis=1)).float()
    task = _network.Task(sizes, groups, first, [1.0, 3.0], [both, each], np.zeros((2, 1, 2), dtype=int))
    loss = _network._Loss(task, torch.device("cpu"))
    at = np.stack([rng.integers(0, 500, (4000, 3)) for _ in range(2)])
    draws = np.array([float(loss(torch.stack([pool[g][:, at[g, i]] for g in range(2)]))) for i in range(4000)])
    mean = pool.double().mean(2).numpy()
    pair = torch.einsum("gia,gja->gij", pool[:, :2].double(), pool[:, 2:].double()).numpy() / 500
    weighted = groups[:, None, None] * pair
    exact = ((groups[:, None] * (mean - first)) ** 2 * np.repeat([1.0, 3.0], sizes)).sum()
    exact += 2 * ((weighted.sum(0) - both.shares[0]) ** 2).sum()
    exact += 0.5 * ((weighted - each.shares.swapaxes(1, 2)) ** 2).sum()
    assert draws.mean() == pytest.approx(exact, abs=4 * draws.std() / 4000**0.5)


def test_shrinking_removes_noise_and_keeps_what_is_clear():
    rng = np.random.default_rng(0)
    groups, p = np.array([0.4, 0.6]), np.full(10, 0.1)
    related = np.vstack([np.linspace(0.02, 0.18, 10), np.linspace(0.18, 0.02, 10)])
    noise = rng.normal(0, 50, (2, 10))
    nothing = _shrunk(5000 * groups[:, None] * p + noise, groups, 2500)
    assert np.allclose(nothing[0], nothing[1])
    clear = _shrunk(50_000 * groups[:, None] * related + noise, groups, 2500)
    assert np.abs(clear - related).sum(1).max() < 0.05
    u, v = np.linspace(-1, 1, 20)[:, None], np.linspace(-1, 1, 30)
    white = rng.normal(0, 10, (20, 30))
    assert not _low_rank(0.9 * white, 10).any()
    assert np.linalg.norm(_low_rank(100 * u * v + white, 10) - 100 * u * v) < 0.5 * np.linalg.norm(white)


def test_tree_tables_agree_with_both_columns_and_drafts_follow_them():
    facts = Facts.of({"a": 3, "b": 4}, "y", Asked().measure([("a", "y"), ("b", "y"), ("a", "b")], costs=[0.1, 0.1, 0.1]))
    table = _given(facts, 0, 1, facts.denoised(facts.pairs[0]))
    assert np.allclose(table.sum(2), 1)
    assert np.allclose(np.einsum("ga,gab->gb", facts.first[0], table), facts.first[1], atol=1e-4)
    drafts = _drafted([(-1, 0, facts.first[0]), (0, 1, table)], 1, 10_000, np.random.default_rng(0))
    joint = np.histogram2d(drafts[:, 0], drafts[:, 1], bins=(np.arange(4), np.arange(5)))[0] / 10_000
    assert np.abs(joint - facts.first[0][1][:, None] * table[1]).max() < 1e-3


def test_draws_keep_shares_and_are_unbiased_row_by_row():
    rng = np.random.default_rng(0)
    odds = np.tile(np.array([[1.0], [2.0], [1.0]], dtype=np.float32), 16_000)
    codes = _drawn(odds.copy(), np.zeros(16_000, dtype=int), rng)
    assert np.abs(np.bincount(codes) / 16_000 - [0.25, 0.5, 0.25]).max() < 1e-3, "independent draws would be off by 0.004"
    fair = np.mean([_drawn(odds[:, :20].copy(), np.arange(20) % 3, rng) == 1 for _ in range(4000)], axis=0)
    assert np.abs(fair - 0.5).max() < 4.5 * (0.25 / 4000) ** 0.5, "4.5 standard errors, the largest of 20"


def test_threads_are_given_back():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    Neural().fit(Asked(50), np.random.default_rng(0), silent)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_keeps_what_no_tree_can_hold():
    """Three columns, each related to both others, are a loop; independent columns or a tree miss one pair by more than 0.05."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 20_000)
    b = np.where(rng.random(20_000) < 0.7, a, rng.integers(0, 3, 20_000))
    c = np.where(rng.random(20_000) < 0.5, a, np.where(rng.random(20_000) < 0.6, b, rng.integers(0, 3, 20_000)))
    frame = pd.DataFrame({"a": a, "b": b, "c": c})
    columns = {k: {"kind": "categorical", "labels": [0, 1, 2], "nullable": False} for k in "abc"}
    sample = tabsynth.fit(frame, Schema.from_dict({"name": "loop", "columns": columns}), epsilon=5, model="neural").sample(20_000)
    for pair in (["a", "b"], ["a", "c"], ["b", "c"]):
        truth, got = (t.groupby(pair).size().div(len(t)) for t in (frame, sample))
        assert (truth - got).abs().sum() / 2 < 0.015


def test_columns_of_more_codes_than_16_bits_with_a_sign_hold_are_told_apart():
    codes = 40_000
    table = np.eye(2)[np.arange(codes) % 2][None]
    drafts = _drafted([(-1, 0, np.full((1, codes), 1 / codes)), (0, 1, table)], 0, codes, np.random.default_rng(0))
    assert (drafts[:, 1] == drafts[:, 0] % 2).all()
