"""Any order of calls, failures among them, and calls at the same time: never more is paid than there is, and all that is drawn is paid."""

import math
import threading

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of, visits
from dp_accounting import GaussianDpEvent
from exact import ROUNDING, exactly, few
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tabsynth.access import Candidate
from tabsynth.curator import _backprop
from tabsynth.curator import source as source_module
from tabsynth.curator import table as table_module
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import LATTICE, PrivateTable
from tabsynth.errors import BudgetExceeded, OptionError, Unaccounted


class Broken(Exception):
    """What goes wrong in the middle of a call."""


class Trouble:
    """Makes the noise, or the rows, fail when told to, and keeps account of what left the curator or could have."""

    def __init__(self) -> None:
        self.now, self.drawn = "", []

    def noise(self, shape, sigma):
        if self.now == "noise":
            raise Broken
        self.drawn.append(sigma)
        if self.now == "late noise":
            self.now = "noise"
        return np.zeros(shape, dtype=np.int64)

    def around(self, answers):
        def asked(*arguments):
            if self.now == "rows":
                raise Broken
            return answers(*arguments)

        return asked


GUESS = [Candidate(("ward",), np.ones(4, dtype=np.int64)), Candidate(("days",), np.ones(11, dtype=np.int64))]
SCORES = {"ward": np.arange(8).reshape(4, 2), "days": np.arange(33).reshape(11, 3)}
CALLS = {
    "measure": lambda t, rho: t.measure([("ward",), ("ward", "days")], costs=[rho / 3, 2 * rho / 3]),
    "score": lambda t, rho: t.score(GUESS, cost=rho),
    "gram": lambda t, rho: t.gram(SCORES, limit=100, cost=rho),
    "cells": lambda t, rho: t.cells({"days": np.array([2.0, 5.0])}, cost={"days": rho}, note="cells"),
    "labels": lambda t, rho: t.labels("ward", cost=rho, failure=0.6 * t.ledger.budget.failure),
    "listed": lambda t, rho: t.listed({"ward": ["w0", "w1", "none"]}, cost=rho),
    "refused groups": lambda t, rho: t.measure([("ward",)], costs=[rho], groups={"ward": np.array([0.5] * 4)}),
    "too few costs": lambda t, rho: t.measure([("ward",), ("days",)], costs=[rho]),
    "gradients": lambda t, rho: t.gradients(network(), steps=2, rate=1, clip=1.0, share=rho / t.budget),
}
MOVES = {"measure": [3, 3], "score": [3 * math.sqrt(2)], "gram": [3 * 100 / 2], "cells": [3], "labels": [3], "listed": [3]}
"""How far one unit (of 3 rows) may move each array of an answer."""


def network():
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(torch.nn.Linear(15, 1))


def within(ledger: Ledger) -> None:
    """The ledger took no more than there was: in rho, in failure probability, and in epsilon by its own account of the events."""
    budget = ledger.budget
    assert ledger.spent() <= budget.rho * ROUNDING
    assert math.fsum(c.failure for c in ledger.charges) <= budget.failure * ROUNDING
    assert ledger.epsilon() <= budget.epsilon


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return visits([(i % 20, "ABC"[i % 3], i % 10) for i in range(60)])


ask = st.tuples(
    st.sampled_from(list(CALLS)),
    st.sampled_from(["", "", "rows", "noise", "late noise"]),
    st.floats(0.01, 0.3) | st.sampled_from([0.6, 1.0, 1.5, 0.0]),
)


@settings(few, max_examples=18)
@given(st.lists(ask, min_size=1, max_size=14))
def test_any_sequence_of_calls_stays_within_the_budget_and_pays_for_all_noise_it_draws(visits_schema, people, asked):
    """Whatever fails in between is asked again: what left the curator, or could have, was paid for by then."""
    trouble, ledger = Trouble(), Ledger(Budget(2, 1e-6, 0.1))
    with PrivateTable(people, visits_schema, ledger) as table, pytest.MonkeyPatch.context() as patch:
        table.encode(codec_of(visits_schema))
        patch.setattr(table_module, "discrete_gaussian", trouble.noise)
        for name in ("cells", "labels", "counts", "gram", "rows"):
            patch.setattr(table._source, name, trouble.around(getattr(table._source, name)))
        owed = 0.0
        for kind, what, share in asked:
            for trouble.now in dict.fromkeys((what, "")):
                before, trouble.drawn = ledger.charges, []
                try:
                    answer = CALLS[kind](table, share * ledger.budget.rho)
                    event(f"{kind} answered")
                except (Broken, BudgetExceeded, Unaccounted, OptionError, ValueError) as error:
                    answer = None
                    event(f"{type(error).__name__} at {trouble.now or 'nothing'}")
                assert ledger.charges[: len(before)] == before, "what was charged stays charged"
                moves = MOVES.get(kind, [])[: len(trouble.drawn)]
                assert len(moves) == len(trouble.drawn)
                owed += sum(m**2 / (2 * (s**2 - LATTICE**2)) for m, s in zip(moves, trouble.drawn, strict=True))
                if isinstance(answer, GradientStream):
                    owed += answer.left / (2 * answer._multiplier**2)
                assert owed <= ledger.spent() * ROUNDING
                assert answer is None or len(ledger.charges) > len(before)
                within(ledger)


def test_calls_at_the_same_time_with_failures_among_them_stay_within_the_budget(visits_schema, people, monkeypatch):
    """Four threads ask 20 times each for a twentieth of the budget: 20 charges are taken, and no more answers than charges are given."""
    ledger, given_out, refused, broken = Ledger(Budget(2, 1e-6, 0.1)), [], [], []
    turn = iter(range(10**6))

    def noise(shape, sigma):
        if next(turn) % 5 == 0:
            raise Broken
        return np.zeros(shape, dtype=np.int64)

    monkeypatch.setattr(table_module, "discrete_gaussian", noise)
    kinds = [CALLS["score"], CALLS["gram"], lambda t, rho: t.measure([("ward",)], costs=[rho])]
    with PrivateTable(people, visits_schema, ledger) as table:
        table.encode(codec_of(visits_schema))
        barrier = threading.Barrier(4)

        def work(number: int) -> None:
            barrier.wait(30)
            for i in range(20):
                try:
                    given_out.append(kinds[(number + i) % 3](table, ledger.budget.rho / 20))
                except Broken:
                    broken.append(1)
                except BudgetExceeded:
                    refused.append(1)
                within(ledger)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
    assert len(given_out) + len(broken) == len(ledger.charges) == 20
    assert len(refused) == 60
    assert len(broken) >= 4


def test_a_gradient_step_that_fails_is_spent_and_leaves_clipping_as_it_was(monkeypatch):
    """Whether a sum breaks off before or after it was added up, later steps are right; no step is given back."""
    torch = pytest.importorskip("torch")
    codes, units = np.zeros((1, 30), dtype=int), np.repeat(np.arange(10), 3)
    net = torch.nn.Sequential(torch.nn.Linear(2, 1))
    add_units, calls = _backprop.add_units, []

    def breaking(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise Broken
        add_units(*arguments)
        if len(calls) == 3:
            raise Broken

    monkeypatch.setattr(_backprop, "add_units", breaking)
    for _ in range(2):
        calls.clear()
        answers, fails = [], 0
        with exactly([]):
            stream = GradientStream(codes, units, [2], net, steps=5, rate=1.0, clip=0.1, multiplier=1.0)
            while stream.left:
                before = stream.left
                try:
                    answers.append(math.sqrt(sum(float((r**2).sum()) for r in stream.step(net))))
                except Broken:
                    fails += 1
                assert stream.left == before - 1
        assert fails == 2
        assert np.array(answers) == pytest.approx(10 * 0.1, rel=1e-4), "ten units that all point the same way"


def meanwhile(first, second):
    """Runs `second` in a thread of its own once `first` calls the function it is given, and waits half a second for it to end."""
    done = threading.Thread(target=second)

    def pause() -> None:
        if not done.ident:
            done.start()
            done.join(0.5)

    answer = first(pause)
    done.join(30)
    return answer


def test_a_charge_in_the_middle_of_another_waits(monkeypatch):
    """Between looking at what is left and taking it, nobody else takes it."""
    ledger, refused = Ledger(Budget(2, 1e-6)), []
    step, left = GaussianDpEvent((1.2 * ledger.budget.rho) ** -0.5), ledger.left

    def second() -> None:
        try:
            ledger.charge(step, "the second")
        except BudgetExceeded:
            refused.append(1)

    def first(pause) -> None:
        def slowly() -> float:
            found = left()
            pause()
            return found

        monkeypatch.setattr(ledger, "left", slowly)
        ledger.charge(step, "the first")

    meanwhile(first, second)
    assert refused
    within(ledger)


@pytest.mark.parametrize("paid", [1, 2])
def test_a_step_in_the_middle_of_another_waits_or_is_refused(paid, monkeypatch):
    """Where only one step was paid for, the second is refused already; else it must not begin before the first has ended."""
    torch = pytest.importorskip("torch")
    net, inside, refused = torch.nn.Sequential(torch.nn.Linear(2, 1)), [], []
    stream = GradientStream(np.zeros((1, 3), int), np.arange(3), [2], net, steps=paid, rate=1.0, clip=0.1, multiplier=1.0)

    def second() -> None:
        try:
            stream.step(net)
        except Unaccounted:
            refused.append(1)

    def first(pause) -> None:
        summed = stream._summed

        def slowly(batch):
            inside.append(threading.current_thread())
            pause()
            ended.append(len(inside))
            return summed(batch)

        monkeypatch.setattr(stream, "_summed", slowly)
        stream.step(net)

    ended = []
    meanwhile(first, second)
    assert len(refused) == 2 - paid
    assert ended == [1, 2][:paid], "a step began while another was under way"


def test_histograms_asked_for_at_the_same_time_are_whole(visits_schema, monkeypatch):
    """A cut-off stream of rows is another table: which rows it still holds depends on everybody's."""
    frame = visits(pd.DataFrame({"person": np.arange(150_000), "ward": "A", "days": np.arange(150_000) % 10}))
    edges = {"days": np.array([2.0, 5.0])}
    cell = source_module._cell
    with exactly([]), PrivateTable(frame, visits_schema, Ledger(Budget(1, 1e-6))) as table:

        def ask():
            return table.cells(edges, cost={"days": 1e-4}, note="cells")["days"].counts

        def first(pause):
            def slowly(*arguments, **more):
                pause()
                return cell(*arguments, **more)

            monkeypatch.setattr(source_module, "_cell", slowly)
            return ask()

        assert meanwhile(first, ask).tolist() == [30_000, 45_000, 75_000]
