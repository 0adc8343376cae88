"""The critic, the steps that pass it, and the choice between versions."""

import itertools
import types

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from tabsynth import Schema
from tabsynth.access import silent
from tabsynth.curator import ledger
from tabsynth.curator.gradients import GradientStream
from tabsynth.fit import fit_with
from tabsynth.models import _critic
from tabsynth.models._critic import Critic
from tabsynth.models._field import Field
from tabsynth.models._walk import step
from tabsynth.models.aim import AIM
from tabsynth.models.ctgan import CTGAN, CTGANModel

SIZES = np.array([2, 3, 2])


def cells():
    return np.array(list(itertools.product(*map(range, SIZES))), dtype=np.int32)


def related(seed=0):
    """A field over three columns with two relations."""
    rng = np.random.default_rng(seed)
    pairs = {(i, j): rng.normal(size=(SIZES[i], SIZES[j])).astype(np.float32) for i, j in ((0, 1), (1, 2))}
    return Field(SIZES, rng.normal(size=SIZES.sum()).astype(np.float32), pairs)


def test_steps_leave_field_times_doubt_as_it_is():
    """40,000 rows drawn from it exactly are still distributed like it after 15 steps, and rows drawn from the field become so in 100."""
    field, score = related(), np.random.default_rng(1).normal(size=SIZES)
    x = cells()
    single = np.split(field.single.astype(float), np.cumsum(SIZES)[:-1])
    log = sum(single[i][x[:, i]] for i in range(3)) + sum(w[x[:, i], x[:, j]] for (i, j), w in field.pairs.items())
    plain, wanted = (p / p.sum() for p in (np.exp(log), np.exp(log + score[tuple(x.T)])))
    for start, steps in ((plain, 100), (wanted, 15)):
        rng = np.random.default_rng(2)
        rows = np.ascontiguousarray(x[rng.choice(len(x), 40_000, p=start)])
        for _ in range(steps):
            step(field, lambda codes: score[tuple(codes.T)], rows, rng)
        found = np.bincount(np.ravel_multi_index(rows.T, SIZES), minlength=len(x))
        assert stats.chisquare(found, 40_000 * wanted).pvalue > 1e-4
        assert stats.chisquare(found, 40_000 * plain).pvalue < 1e-9


def parity(rows, rng, agree=0.95):
    """Three coins of which the third is the parity of the others in a share `agree` of rows, and a fourth that means nothing."""
    x = rng.integers(0, 2, (rows, 4))
    x[:, 2] = (x[:, 0] + x[:, 1] + (rng.random(rows) > agree)) % 2
    return x.astype(np.int32)


def exact_gradients(rows, net, steps):
    """A stream without noise, for tests alone."""
    return GradientStream(rows.T, np.arange(len(rows)), [2] * 4, net, steps=steps, rate=1.0, clip=100.0, multiplier=0.0)


def test_a_critic_estimates_the_log_density_ratio():
    rng = np.random.default_rng(3)
    net = _critic.network(8, 32, seed=0)
    stream = exact_gradients(parity(2000, rng), net, 600)
    critic = _critic.train(net, stream, lambda: parity(2000, rng, agree=0.5), [2] * 4, 2000, 0.01, lambda done: None)
    assert stream.left == 0
    x = np.array(list(itertools.product(range(2), repeat=4)))
    ratio = np.where((x[:, 0] + x[:, 1]) % 2 == x[:, 2], np.log(0.95 / 0.5), np.log(0.05 / 0.5))
    assert critic(x) == pytest.approx(ratio, abs=0.5)
    assert np.abs(critic(x)).max() <= _critic.LIMIT


def test_the_numpy_critic_is_the_network():
    net = _critic.network(8, 5, seed=1)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for p in net.parameters():
            p.normal_(generator=generator)
    inner, shift, outer, bias = (p.detach().numpy() for p in net.parameters())
    critic = Critic(np.arange(0, 8, 2), inner.T, shift, outer[0], bias)
    rows = parity(3000, np.random.default_rng(5))
    x = torch.zeros((3000, 8)).scatter_(1, torch.as_tensor(rows + np.arange(0, 8, 2)), 1.0)
    wanted = net(x)[:, 0].detach().numpy()
    assert 0.1 < (np.abs(wanted) < 3).mean() < 0.9
    assert critic(rows) == pytest.approx(wanted.clip(-3, 3), abs=1e-4)


def seen_by(node, known):
    """Every tensor that a graph holds on to, parameters left out."""
    found, nodes = [], [node]
    while nodes:
        node = nodes.pop()
        if node is None:
            continue
        held = [getattr(node, name) for name in dir(node) if name.startswith("_saved_")] + [getattr(node, "variable", None)]
        found += [t for t in held if isinstance(t, torch.Tensor) and not any(t.data_ptr() == p.data_ptr() for p in known)]
        nodes += [n for n, _ in node.next_functions]
    return found


def test_what_is_trained_outside_the_curator_never_meets_a_real_row(monkeypatch):
    """Real rows have code 1 in the first column, drafts never: no graph built outside `gradients.step` may hold that code."""
    net = _critic.network(8, 4, seed=0)
    real = parity(50, np.random.default_rng(6))
    real[:, 0] = 1
    stream = exact_gradients(real, net, 5)
    inside, graphs, answers = [], [], []
    answer, backward = stream.step, torch.Tensor.backward

    def spied(critic):
        inside.append(1)
        answers.extend(answer(critic))
        inside.pop()
        return answers[-4:]

    def watched(self, *args, **kwargs):
        if not inside:
            graphs.append(seen_by(self.grad_fn, list(net.parameters())))
        return backward(self, *args, **kwargs)

    monkeypatch.setattr(stream, "step", spied)
    monkeypatch.setattr(torch.Tensor, "backward", watched)
    drafts = np.zeros((20, 4), dtype=np.int32)
    _critic.train(net, stream, lambda: drafts, [2] * 4, 50, 0.01, lambda done: None)
    inputs = [t for graph in graphs for t in graph if t.ndim == 2 and t.shape[1] == 8]
    assert len(graphs) == 5
    assert len(inputs) >= 5
    assert all((t[:, 1] == 0).all() and (t[:, 0] == 1).all() for t in inputs)
    assert all(a.grad_fn is None and not a.requires_grad for a in answers)


@pytest.fixture(scope="module")
def fitted():
    """Releases of 20,000 rows with a relation that no pair of columns shows, at epsilon 3; `aim` is kept from looking at tables of three."""
    frame = pd.DataFrame(parity(20_000, np.random.default_rng(7)), columns=list("abcd"))
    columns = {c: {"kind": "integer", "minimum": 0, "maximum": 1, "nullable": False} for c in frame}
    schema = Schema.from_dict({"name": "parity", "columns": columns})
    pairs = AIM(tables=0)
    return {a.name: fit_with(a, frame, schema, ledger.Budget(3, 1e-6)) for a in (pairs, CTGAN(generator=pairs))}


def kept(frame):
    return float(((frame.a + frame.b) % 2 == frame.c).mean())


def test_a_relation_of_three_columns_is_kept(fitted):
    """95 % of the real rows agree; pairs of columns alone give a half."""
    assert kept(fitted["aim"].sample(20_000)) < 0.55
    assert kept(fitted["ctgan"].sample(20_000)) > 0.85


def test_rows_beyond_those_that_walked_keep_it_too(fitted):
    many = fitted["ctgan"].sample(60_000)
    assert kept(many.tail(30_000)) == pytest.approx(kept(many.head(20_000)), abs=0.02)


class Distances:
    """Answers `score` exactly, from the real rows; what is left has a noise of `noise` rows a table."""

    def __init__(self, rows, noise):
        self.rows, self.noise = rows, noise

    def left(self):
        return 1.0

    def sigma(self, cost):
        return self.noise

    def score(self, candidates, *, cost):
        real = [np.histogramdd(self.rows[:, ["abcd".index(a) for a in c.attrs]], c.estimate.shape)[0] for c in candidates]
        return np.array([np.abs(c.estimate - r).sum() for c, r in zip(candidates, real, strict=True)])


@pytest.mark.parametrize(("versions", "noise", "best"), [((0.5, 0.95), 1.0, 1), ((0.95, 0.5), 1.0, 0), ((0.5, 0.95), 3000.0, 0)])
def test_a_version_is_taken_only_if_it_is_clearly_closer(versions, noise, best):
    rng = np.random.default_rng(8)
    field = Field(np.array([2] * 4), np.zeros(8, np.float32), {})
    models = [CTGANModel(4000.0, list("abcd"), field, parity(4000, rng, agree), None, i) for i, agree in enumerate(versions)]
    chosen = CTGAN()._closest(Distances(parity(4000, rng), noise), models, rng)
    assert chosen.trust == best


class Asked(Exception):
    """The share that a stream was asked for."""


class Budget:
    """A table of two columns; what is left of its budget is nobody's business before the stream is open."""

    domain = types.MappingProxyType({"a": 2, "b": 2})

    def __init__(self, rho):
        self.budget = rho

    def gradients(self, critic, *, steps, rate, clip, share):
        raise Asked(share)


@pytest.mark.parametrize(("rho", "share"), [(1e-4, 1e-4), (0.3, 0.15), (100, 0.2991)])
def test_the_critic_s_part_of_the_budget_grows_with_it(rho, share):
    """It is told by the whole budget: what is left after ranges were bought depends on answers, which a stream's price must not."""
    with pytest.raises(Asked) as asked:
        CTGAN().fit(Budget(rho), np.random.default_rng(0), silent)
    assert asked.value.args[0] == pytest.approx(share, rel=1e-3)
