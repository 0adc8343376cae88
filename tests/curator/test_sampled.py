"""Streams of Poisson-sampled Gaussian steps: prices, composition with Gaussians, refusals, and what verification finds."""

import json
import math
import time

import dp_accounting as dp
import pytest

from tabsynth import recount
from tabsynth.card import guarantee
from tabsynth.curator import sampled
from tabsynth.curator.ledger import Budget, Ledger, epsilon_of
from tabsynth.errors import BudgetExceeded, OptionError
from tabsynth.report.guarantee import highest_tpr
from tabsynth.schema import Column, Schema

BUDGET = Budget(2, 1e-6)


def gaussian(rho: float) -> dp.GaussianDpEvent:
    return dp.GaussianDpEvent(1 / math.sqrt(2 * rho))


def stream(rate: float, multiplier: float, steps: int) -> dp.SelfComposedDpEvent:
    return dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(multiplier)), steps)


def accountant(*events: dp.DpEvent) -> dp.pld.PLDAccountant:
    out = dp.pld.PLDAccountant(value_discretization_interval=1e-4)
    for event in events:
        out.compose(event)
    return out


@pytest.mark.parametrize(
    ("budget", "rate", "steps", "share"),
    [
        (Budget(1, 1e-6), 0.03, 1000, 0.8),
        (Budget(10, 1e-6), 0.02, 500, 0.5),
        (Budget(3, 1e-5, failure_share=0.1), 0.5, 20, 0.3),
    ],
)
def test_the_whole_budget_can_be_spent_and_no_more(budget, rate, steps, share):
    """An independent composition of all charges is within (epsilon, delta), and epsilon is used up to 1 %."""
    ledger = Ledger(budget)
    cost = share * ledger.left()
    noise = ledger.multiplier(rate, steps, cost)
    ledger.charge(stream(rate, noise, steps), "training")
    assert 0.999 * cost <= ledger.spent() <= cost
    ledger.charge(gaussian(ledger.left()), "the rest", failure=budget.failure)
    with pytest.raises(BudgetExceeded):
        ledger.charge(gaussian(budget.rho / 1e4), "more")
    independent = accountant(*(c.event for c in ledger.charges)).get_epsilon(budget.delta - budget.failure)
    assert 0.99 * budget.epsilon <= independent <= budget.epsilon * (1 + 1e-4)
    assert 0.99 * budget.epsilon <= ledger.epsilon() <= budget.epsilon
    with pytest.raises(BudgetExceeded):
        short = Ledger(budget)
        short.charge(gaussian(budget.rho - cost), "first")
        short.charge(stream(rate, noise * 0.99, steps), "slightly too little noise")


def test_price_is_what_gaussians_lose():
    """Just the Gaussian that still fits beside the stream keeps delta; one larger by a hundredth does not. By dp_accounting alone."""
    training = stream(0.05, 2.5, 200)
    kept = BUDGET.rho - BUDGET.price([(0.05, 2.5, 200)])
    assert 0.1 * BUDGET.rho < kept < 0.9 * BUDGET.rho
    assert accountant(training, gaussian(kept)).get_delta(BUDGET.epsilon) <= BUDGET.delta * (1 + 1e-3)
    assert accountant(training, gaussian(kept * 1.01)).get_delta(BUDGET.epsilon) > BUDGET.delta * (1 + 1e-3)


def test_price_grows_with_steps_and_rate_and_falls_with_noise():
    base = BUDGET.price([(0.3, 10.0, 20)])
    assert 0 < BUDGET.price([(0.3, 10.0, 19)]) < base < BUDGET.price([(0.3, 10.0, 21)]) < BUDGET.rho
    assert 0 < BUDGET.price([(0.29, 10.0, 20)]) < base < BUDGET.price([(0.31, 10.0, 20)])
    assert 0 < BUDGET.price([(0.3, 10.2, 20)]) < base < BUDGET.price([(0.3, 9.8, 20)])


def test_a_rate_near_one_costs_what_plain_gaussians_cost():
    """At rate 1 the price is steps / (2 multiplier**2), exactly; just below it numerically so, to a thousandth."""
    exact = 40 / (2 * 30.0**2)
    ledger = Ledger(BUDGET)
    ledger.charge(stream(1.0, 30.0, 40), "full batches")
    assert ledger.spent() == exact
    assert ledger.charges[0].to_dict()["sampled"] == []
    assert BUDGET.price([(1 - 1e-9, 30.0, 40)]) == pytest.approx(exact, rel=1e-3)
    noise = Ledger(BUDGET).multiplier(1, 40, exact)
    assert 30 <= noise <= 30 * (1 + 1e-8)


def test_order_and_division_do_not_matter():
    events = [stream(0.3, 12.0, 6), stream(0.2, 8.0, 10), gaussian(0.2 * BUDGET.rho), stream(0.3, 12.0, 4)]
    spent, epsilons = set(), set()
    for order in (events, events[::-1], [events[i] for i in (2, 0, 3, 1)]):
        ledger = Ledger(BUDGET)
        for event in order:
            ledger.charge(event, "part")
        spent.add(round(ledger.spent(), 12))
        epsilons.add(ledger.epsilon())
    together = Ledger(BUDGET)
    together.charge(dp.ComposedDpEvent(events), "all at once")
    assert spent == {round(together.spent(), 12)}
    assert epsilons == {together.epsilon()}
    assert together.charges[0].to_dict()["sampled"] == [[0.2, 8.0, 10], [0.3, 12.0, 10]]


def test_a_refusal_changes_nothing():
    """Refused: what fits alone but not beside the first; what exceeds the budget alone; and what lacks failure probability."""
    ledger = Ledger(BUDGET)
    ledger.charge(stream(0.3, 4.0, 20), "first")
    before = (ledger.charges, ledger.left(), ledger.epsilon())
    Ledger(BUDGET).charge(stream(0.3, 4.5, 20), "fits alone")
    for event in (stream(0.3, 4.5, 20), stream(0.5, 0.5, 10_000)):
        with pytest.raises(BudgetExceeded, match="nothing was charged"):
            ledger.charge(event, "second")
    with pytest.raises(BudgetExceeded, match="delta"):
        ledger.charge(stream(0.3, 4.0, 1), "third", failure=1e-9)
    assert (ledger.charges, ledger.left(), ledger.epsilon()) == before
    ledger.charge(stream(0.3, 4.0, 1), "small enough")
    assert ledger.spent() == pytest.approx(BUDGET.price([(0.3, 4.0, 21)]), rel=1e-9), "what was refused is not among the streams"


def test_multiplier_counts_what_was_charged_before():
    """Beside another stream and a Gaussian: within the cost, and close to it."""
    ledger = Ledger(BUDGET)
    ledger.charge(stream(0.3, 10.0, 20), "first")
    ledger.charge(gaussian(0.1 * BUDGET.rho), "second")
    cost = 0.3 * ledger.left()
    noise, before = ledger.multiplier(0.1, 50, cost), ledger.spent()
    ledger.charge(stream(0.1, noise, 50), "third")
    assert 0.998 * cost <= ledger.spent() - before <= cost * (1 + 1e-9)


@pytest.mark.parametrize(
    ("rate", "steps", "cost", "message"),
    [(rate, 10, 0.01, "rate is") for rate in (0, -0.1, 1.01, math.nan, "0.1", None, True)]
    + [(0.1, steps, 0.01, "steps is") for steps in (0, -1, 2.5, math.nan, math.inf, "10", None)]
    + [(0.1, 10, cost, "cost is") for cost in (0, -1, 5.0, math.nan, math.inf, None)],
)
def test_multiplier_out_of_range(rate, steps, cost, message):
    with pytest.raises(OptionError, match=message):
        Ledger(BUDGET).multiplier(rate, steps, cost)


def test_ledgers_without_streams_compute_no_loss_distribution(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a loss distribution was computed")

    monkeypatch.setattr("dp_accounting.pld.privacy_loss_distribution.from_gaussian_mechanism", refuse)
    ledger = Ledger(BUDGET)
    ledger.charge(gaussian(0.01), "plain")
    assert ledger.epsilon() == epsilon_of(ledger.spent(), BUDGET.delta)
    with pytest.raises(AssertionError):
        ledger.charge(stream(0.1, 50.0, 3), "sampled")


@pytest.fixture(scope="module")
def card():
    """As much of a card as the checks of its ledger read."""
    ledger = Ledger(BUDGET)
    ledger.charge(gaussian(0.2 * BUDGET.rho), "counts")
    ledger.charge(stream(0.3, 6.0, 20), "training")
    schema = Schema(name="t", columns=(Column("a", "boolean"),))
    charges = [c.to_dict() for c in ledger.charges]
    return json.loads(
        json.dumps(
            {
                "guarantee": guarantee(ledger, schema),
                "ledger": {"spent_rho": ledger.spent(), "failure_delta": 0.0, "charges": charges},
            }
        )
    )


def checked(card, check, **training):
    card = json.loads(json.dumps(card))
    card["ledger"]["charges"][1].update(training)
    return recount.looked("check", check, card)


def test_verify_accepts_an_honest_ledger(card):
    assert checked(card, recount._within).holds
    assert checked(card, recount._epsilon).holds


@pytest.mark.parametrize(
    ("check", "training", "seen"),
    [
        ("_within", {"sampled": [[0.3, 6.0, 400]]}, "add up to rho inf"),
        ("_within", {"sampled": [[0.3, 6.0, 20], [0.3, 4.0, 20]]}, "the budget is"),
        ("_within", {"sampled": [[0.3, 5.9, 20]]}, "the card says"),
        ("_within", {"rho": 0.01}, "the card says"),
        ("_epsilon", {"sampled": [[0.3, 5.9, 20]]}, "amount to epsilon"),
        ("_epsilon", {"sampled": [[0.3, 6.0, -20]]}, "in another form"),
        ("_within", {"sampled": [[0.3, 1e-300, 20]]}, "in another form"),
        ("_within", {"gaussians": [[1.0, -5]]}, "in another form"),
        ("_within", {"gaussians": [[0.0, 1]]}, "in another form"),
    ],
)
def test_verify_finds_streams_that_were_under_accounted(card, check, training, seen):
    result = checked(card, getattr(recount, check), **training)
    assert not result.holds
    assert seen in result.seen


def test_reports_do_not_take_streams_for_gaussians(card):
    """The rho of a stream is a Gaussian's at (epsilon, delta) only, so the ceiling at other rates comes from epsilon and delta."""
    given = card["guarantee"]
    assert highest_tpr(card, 0.01) == pytest.approx(min(1.0, math.exp(given["epsilon"]) * 0.01 + given["delta"]))


@pytest.mark.parametrize(
    "streams",
    [
        [(0.1, 1.0, 10**12)],
        [(0.1, 1.0, 10**400)],
        [(0.1, 1.0, 1e300)],
        [(0.1, 1.0, math.inf)],
        [(0.1, 1.0, 900_000), (0.2, 1.0, 900_000)],
        [(0.1, 1.0 + i, 1) for i in range(1000)],
        [(0.1, 1e300, 100)],
        [(math.nan, 1.0, 100)],
        [(0.1, math.nan, 100)],
    ],
)
def test_what_a_forged_card_asks_to_add_up_is_refused_at_once(streams):
    started = time.monotonic()
    with pytest.raises(ValueError, match="steps"):
        Budget(1.0, 1e-6).price(streams)
    with pytest.raises(ValueError, match="steps"):
        epsilon_of(0.0, 1e-6, streams)
    assert time.monotonic() - started < 2


def test_the_most_that_is_added_up_takes_seconds():
    started = time.monotonic()
    assert epsilon_of(0.0, 1e-6, [(0.1, 1.0, sampled.MOST_STEPS)]) > 1000
    assert time.monotonic() - started < 60
