"""The gradient stream: clipped by unit, sampled by independent coins, noised at the scale that was paid for, and no step more than paid."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of
from gradient_bugs import clipped_by_row, half_the_noise, in_the_batch_twice, without_clipping
from scipy import stats

from tabsynth import Schema
from tabsynth.card import card
from tabsynth.curator import gradients
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.noise import gaussian
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import OptionError, Unaccounted
from tabsynth.models._network import one_thread

torch = pytest.importorskip("torch")
SIZES = [3, 4]


@pytest.fixture(autouse=True)
def quick():
    with one_thread():
        yield


def critic(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.LeakyReLU(0.2), torch.nn.Linear(5, 1))


def rows_of(units, per_unit=1, seed=0):
    rng = np.random.default_rng(seed)
    n = units * per_unit
    return np.stack([rng.integers(0, k, n) for k in SIZES]), np.repeat(np.arange(units), per_unit)


def stream(codes, units, net, *, steps=1, rate=1.0, clip=1.0, multiplier=0.0):
    return GradientStream(codes, units, SIZES, net, steps=steps, rate=rate, clip=clip, multiplier=multiplier)


def flat(tensors):
    return np.concatenate([t.detach().numpy().ravel() for t in tensors]).astype(float)


def by_hand(codes, units, net, clip):
    """One backward pass for each unit."""
    total = np.zeros(sum(p.numel() for p in net.parameters()))
    for u in np.unique(units):
        x = torch.zeros((int((units == u).sum()), sum(SIZES)))
        for i, row in enumerate(codes[:, units == u].T):
            x[i, row[0]] = x[i, SIZES[0] + row[1]] = 1
        net.zero_grad()
        torch.nn.functional.softplus(-net(x)).sum().backward()
        g = flat([p.grad for p in net.parameters()])
        total += g * min(1.0, clip / np.linalg.norm(g))
    return total


@pytest.mark.parametrize("per_unit", [1, 3])
@pytest.mark.parametrize("clip", [0.3, 100.0])
def test_it_is_the_sum_of_each_unit_s_shortened_gradient(per_unit, clip):
    codes, units = rows_of(10, per_unit)
    shuffled = np.random.default_rng(1).permutation(len(units))
    found = flat(stream(codes[:, shuffled], units[shuffled], critic(), clip=clip).step(critic()))
    assert found == pytest.approx(by_hand(codes, units, critic(), clip), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("per_unit", [1, 50])
def test_no_unit_moves_the_sum_by_more_than_the_clipping_norm(per_unit):
    net = critic()
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(30)
    codes, units = rows_of(8, per_unit)
    whole = flat(stream(codes, units, net, clip=0.5).step(net))
    moved = []
    for u in range(8):
        rest = units != u
        moved.append(np.linalg.norm(whole - flat(stream(codes[:, rest], units[rest], net, clip=0.5).step(net))))
    assert max(moved) <= 0.5 * (1 + 1e-5)
    assert max(moved) > 0.45, "the bound is met, so clipping is what keeps it"


def deep(*layers, seed=0, scale=1.0):
    """A critic of these layers (a width for a linear one), its weights larger by `scale`."""
    torch.manual_seed(seed)
    width, made = sum(SIZES), []
    for layer in layers:
        made.append(torch.nn.Linear(width, layer) if isinstance(layer, int) else layer)
        width = layer if isinstance(layer, int) else width
    with torch.no_grad():
        for part in made:
            for p in part.parameters():
                p.mul_(scale)
    return torch.nn.Sequential(*made)


CRITICS = {
    "one layer": lambda: deep(1),
    "leaky": lambda: deep(5, torch.nn.LeakyReLU(0.2), 1),
    "three layers": lambda: deep(6, torch.nn.Tanh(), 4, torch.nn.ReLU(), torch.nn.Identity(), 1, torch.nn.LeakyReLU(0.5)),
    "nested": lambda: torch.nn.Sequential(deep(6, torch.nn.ReLU()), torch.nn.Sequential(torch.nn.Linear(6, 1, bias=False))),
}


@pytest.mark.parametrize("made", CRITICS.values(), ids=CRITICS)
@pytest.mark.parametrize("clip", [0.2, 100.0])
def test_every_kind_of_layer_has_the_gradient_that_torch_finds(made, clip):
    codes, units = rows_of(12, 3)
    found = flat(stream(codes, units, made(), clip=clip).step(made()))
    assert found == pytest.approx(by_hand(codes, units, made(), clip), rel=1e-5, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Full backward hook")
@pytest.mark.parametrize("per_unit", [1, 3])
@pytest.mark.parametrize("clip", [0.3, 100.0])
def test_opacus_finds_the_same_sum(per_unit, clip):
    """Its gradients of samples, a sample being a unit, clipped as its optimizer clips."""
    from opacus import GradSampleModule

    codes, units = rows_of(40, per_unit)
    x = torch.zeros((40, per_unit, sum(SIZES)), dtype=torch.float64)
    x.scatter_(2, torch.as_tensor((codes + np.array([[0], SIZES[:1]], dtype=int)).T.reshape(40, per_unit, 2)), 1.0)
    theirs = GradSampleModule(critic().double(), loss_reduction="sum")
    torch.nn.functional.softplus(-theirs(x)).sum().backward()
    each = torch.cat([p.grad_sample.flatten(1) for p in theirs.parameters()], dim=1)
    clipped = each * (clip / each.norm(dim=1, keepdim=True)).clamp(max=1.0)
    found = flat(stream(codes, units, critic(), clip=clip).step(critic()))
    assert found == pytest.approx(clipped.sum(0).numpy(), rel=1e-5, abs=1e-6)


def quanta(codes, units, net, clip):
    """The sum over all units as whole numbers of quanta."""
    opened = stream(codes, units, net, clip=clip)
    return np.concatenate([part.ravel() for part in opened._quanta(np.arange(len(opened._held)))])


@pytest.mark.parametrize("seed", range(40))
def test_a_unit_moves_the_sum_by_its_own_part_exactly_and_by_no_more_than_the_clipping_norm(seed):
    """Neighbours that rounding could part: sums of thousands, rows that nearly cancel within a unit, gradients near the clipping norm."""
    rng = np.random.default_rng(seed)
    per_unit, clip = int(rng.choice([1, 1, 2, 7])), float(rng.choice([1.0, 0.3, 1e-6, 1e4]))
    net = deep(int(rng.integers(2, 9)), torch.nn.LeakyReLU(0.2), 1, seed=seed, scale=float(rng.choice([0.1, 1, 30, 1e4, 1e12])))
    number = int(rng.choice([5, 300, 3000]))
    codes, units = rows_of(number, per_unit, seed)
    whole = quanta(codes, units, net, clip)
    for u in rng.integers(number, size=3):
        rest, own = units != u, units == u
        compact = np.where(units > u, units - 1, units)[rest]
        shuffled = rng.permutation(rest.sum())
        part = whole - quanta(codes[:, rest][:, shuffled], compact[shuffled], net, clip)
        assert (part == quanta(codes[:, own], np.zeros(own.sum(), dtype=int), net, clip)).all()
        assert sum(int(x) ** 2 for x in part) <= 2**64


def test_where_a_row_stands_in_the_table_changes_nothing():
    """Sums of floats depend on their order, so a unit's rows are put into one of their own."""
    codes, units = rows_of(20, 5)
    shuffled = np.random.default_rng(1).permutation(len(units))
    one, other = stream(codes, units, critic()), stream(codes[:, shuffled], units[shuffled], critic())
    assert (one._rows == other._rows).all()


def test_the_noise_covers_what_turning_the_sum_into_a_float_may_add():
    opened = stream(*rows_of(3), critic(), clip=2.0, multiplier=3.0)
    assert opened._scale == 6.0 * (1 + gradients.MARGIN)
    worst = gradients.MOST_UNITS * 2.0**-52
    assert 2 * worst <= gradients.MARGIN <= 1e-6


@pytest.mark.parametrize(
    "net",
    [
        torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(7, 1)),
        torch.nn.Sequential(torch.nn.Linear(7, 2)),
        torch.nn.Sequential(torch.nn.Linear(6, 1)),
        torch.nn.Sequential(torch.nn.Linear(7, 4), torch.nn.ReLU(), torch.nn.Tanh(), torch.nn.Linear(4, 1)),
        torch.nn.Sequential(torch.nn.Linear(7, 7), *[torch.nn.Linear(7, 7)] * 2, torch.nn.Linear(7, 1)),
        torch.nn.Sequential(torch.nn.Identity()),
    ],
)
def test_a_critic_whose_gradient_would_not_be_worked_out_is_refused(net):
    with pytest.raises(Unaccounted, match="a critic begins with a linear layer"):
        stream(*rows_of(5), net)


def test_another_critic_than_the_stream_was_opened_for_is_refused():
    opened = stream(*rows_of(5), critic())
    with pytest.raises(Unaccounted, match="not the one"):
        opened.step(deep(6, 1))


@pytest.mark.parametrize("clip", [0.0, math.nan, math.inf, 1e-40])
def test_a_clipping_norm_that_the_proof_does_not_cover_is_refused(clip):
    with pytest.raises(Unaccounted, match="clipping norm"):
        stream(*rows_of(5), critic(), clip=clip)


def test_a_unit_without_a_finite_gradient_counts_as_zero():
    net = deep(4, torch.nn.LeakyReLU(0.2), 1)
    with torch.no_grad():
        net[0].weight[:, 0] = torch.inf
    codes, units = rows_of(50)
    finite = codes[0] != 0
    there = quanta(codes, units, net, 1.0)
    assert (there == quanta(codes[:, finite], np.arange(finite.sum()), net, 1.0)).all()
    assert there.any()


def test_the_parameters_of_the_moment_count():
    codes, units = rows_of(10)
    opened = stream(codes, units, critic(0), steps=2)
    assert not np.allclose(flat(opened.step(critic(0))), flat(opened.step(critic(5))))


def test_batches_are_independent_coins_and_nobody_is_in_one_twice():
    """2,000 batches of 40 units at rate .15: sizes are binomial, units uncorrelated, each at its rate; 5 standard errors."""
    codes, units = rows_of(40)
    opened = stream(codes, units, critic(), rate=0.15)
    inside = np.zeros((2000, 40), dtype=int)
    for row in inside:
        np.add.at(row, opened._batch(), 1)
    assert inside.max() == 1
    error = math.sqrt(0.15 * 0.85 / 2000)
    assert np.abs(inside.mean(0) - 0.15).max() < 5 * error
    sizes = inside.sum(1)
    variance = 40 * 0.15 * 0.85
    assert abs(sizes.var() - variance) < 5 * variance * math.sqrt(2 / 2000)
    between = np.corrcoef(inside.T)[np.triu_indices(40, 1)]
    assert np.abs(between).max() < 5 / math.sqrt(2000)
    assert abs(np.corrcoef(sizes[1:], sizes[:-1])[0, 1]) < 5 / math.sqrt(2000)


def test_an_empty_batch_is_a_step_with_noise():
    codes, units = rows_of(3)
    opened = stream(codes, units, critic(), steps=2, rate=1e-12, multiplier=1.0)
    assert np.abs(flat(opened.step(critic()))).min() > 0
    assert opened.left == 1


def test_noise_has_the_scale_that_was_paid_for():
    """Two-sided: the sample variance of 20,000 noises is within 5 standard errors; 2/3 and 3/2 of the scale are far outside."""
    codes, units = rows_of(5)
    opened = stream(codes, units, critic(), steps=500, rate=1e-12, clip=2.0, multiplier=3.0)
    noise = np.concatenate([flat(opened.step(critic())) for _ in range(435)]) / 6.0
    assert len(noise) > 20_000
    assert abs(noise.var() - 1) < 5 * math.sqrt(2 / len(noise))
    assert stats.kstest(noise, "norm").pvalue > 1e-4


def test_noise_does_not_follow_any_seed():
    codes, units = rows_of(5)

    def one():
        torch.manual_seed(0)
        return flat(stream(codes, units, critic(), multiplier=1.0).step(critic()))

    assert not np.array_equal(one(), one())


def test_standard_normal_numbers_and_their_tails():
    x = gaussian((1_000_000,))
    assert stats.kstest(x, "norm").pvalue > 1e-4
    beyond = (np.abs(x) > 4).sum()
    expected = 1_000_000 * 2 * stats.norm.sf(4)
    assert abs(beyond - expected) < 5 * math.sqrt(expected)
    assert gaussian((3, 5)).shape == (3, 5)


def test_past_the_last_step_nothing_is_answered():
    codes, units = rows_of(5)
    opened = stream(codes, units, critic(), steps=1, multiplier=1.0)
    opened.step(critic())
    with pytest.raises(Unaccounted, match="open another stream"):
        opened.step(critic())


class Remembers(torch.nn.Linear):
    def forward(self, x):
        self.seen = x
        return super().forward(x)


def hooked():
    net = critic()
    net[0].register_forward_hook(lambda module, inputs, output: None)
    return net


@pytest.mark.parametrize(
    "net", [torch.nn.Sequential(torch.nn.BatchNorm1d(7), torch.nn.Linear(7, 1)), torch.nn.Sequential(Remembers(7, 1)), hooked()]
)
def test_what_mixes_or_keeps_rows_is_refused(net):
    with pytest.raises(Unaccounted, match="could mix or keep rows"):
        stream(*rows_of(5), net)


def test_the_curator_s_copy_of_the_critic_is_its_own():
    """Nothing of a real row stays in what the model holds."""
    net = critic()
    stream(*rows_of(5), net, multiplier=1.0).step(net)
    assert all(p.grad is None and not hasattr(p, "grad_sample") for p in net.parameters())


@pytest.fixture
def visits():
    schema = Schema.from_dict(
        {
            "name": "visits",
            "unit": {"key": "person", "max_rows": 3},
            "columns": {
                "person": {"kind": "identifier"},
                "ward": {"kind": "categorical", "labels": ["a", "b", "c"], "nullable": False},
                "level": {"kind": "integer", "minimum": 0, "maximum": 3, "nullable": False},
            },
        }
    )
    frame = pd.DataFrame({"person": [f"p{i % 7}" for i in range(40)], "ward": list("abca") * 10, "level": [0, 1, 2, 3] * 10})
    with PrivateTable(frame, schema, Ledger(Budget(1, 1e-6))) as table:
        table.encode(codec_of(schema))
        yield table


def test_a_stream_is_charged_whole_before_a_row_is_looked_at(visits, monkeypatch):
    seen = []
    rows = visits._source.rows
    monkeypatch.setattr(visits._source, "rows", lambda: seen.append(len(visits.ledger.charges)) or rows())
    before = visits.left()
    opened = visits.gradients(critic(), steps=50, rate=0.1, clip=1.0, share=0.5)
    assert seen == [1]
    assert opened.left == 50
    assert 0.45 * before < before - visits.left() <= before / 2 * (1 + 1e-6)
    with pytest.raises(OptionError, match="at most what is left"):
        visits.gradients(critic(), steps=50, rate=0.1, clip=1.0, share=0.6)
    assert len(seen) == 1


def test_rows_of_a_person_stay_together_and_within_max_rows(visits):
    codes, units = visits._source.rows()
    assert codes.shape == (2, 21)
    assert (np.bincount(units) == 3).all()
    assert len(np.unique(units)) == 7


RATE, NOISE, STEPS = 0.2, 0.8, 2000


def agreement():
    """How well steps with and without the worst unit agree with the pair of distributions that is paid for (Kolmogorov-Smirnov).

    The unit has three rows, each with a gradient longer than the clipping norm, all pointing where no other row's does. Along that
    direction a step without it should be N(0, noise**2), and with it (1 - rate) N(0, noise**2) + rate N(1, noise**2): the dominating
    pair of the subsampled Gaussian (Zhu, Dong and Wang, AISTATS 2022). Returns the smaller p-value.
    """
    net = torch.nn.Sequential(torch.nn.Linear(7, 1, bias=False))
    with torch.no_grad():
        net[0].weight.fill_(-20.0)
    found = []
    for canary, share in ((0, 0.0), (3, RATE)):
        codes = np.array([[0] * 10 + [2] * canary, [1] * 10 + [3] * canary])
        units = np.array([*range(10), *[10] * canary])
        opened = stream(codes, units, net, steps=STEPS, rate=RATE, multiplier=NOISE)
        along = [-flat(opened.step(net))[[2, 6]].sum() / math.sqrt(2) for _ in range(STEPS)]
        paid = lambda x, p=share: (1 - p) * stats.norm.cdf(x / NOISE) + p * stats.norm.cdf((x - 1) / NOISE)  # noqa: E731
        found.append(stats.kstest(along, paid).pvalue)
    return min(found)


def test_the_worst_unit_shows_exactly_as_much_as_was_paid_for():
    assert agreement() > 1e-5


def too_often(patch):
    def shuffled(self):
        return np.arange(len(self._held)) if self.left % 2 else np.array([], dtype=int)

    patch.setattr(GradientStream, "_batch", shuffled)


@pytest.mark.parametrize("mutation", [without_clipping, clipped_by_row, in_the_batch_twice, too_often, half_the_noise])
def test_a_broken_mechanism_is_caught(mutation, monkeypatch):
    mutation(monkeypatch)
    assert agreement() < 1e-6


def test_the_card_says_what_kind_of_noise_it_was(visits):
    codec = codec_of(visits.schema)
    before = card(visits.schema, visits.ledger, codec, {})
    visits.gradients(critic(), steps=50, rate=0.1, clip=1.0, share=0.5)
    after = card(visits.schema, visits.ledger, codec, {})
    assert before["guarantee"]["mu"] is not None
    assert after["guarantee"]["mu"] is None, "sampled steps are not Gaussian-DP with any one mu"
    assert "floating-point" in after["noise"]
    assert "floating-point" not in before["noise"]
