"""The ledger: closed forms, refusals that change nothing, and nothing unknown."""

import math
import threading

import dp_accounting as dp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabsynth.curator.ledger import Budget, Ledger, epsilon_of
from tabsynth.errors import BudgetExceeded, OptionError, Unaccounted


def gaussian(rho: float) -> dp.GaussianDpEvent:
    return dp.GaussianDpEvent(1 / math.sqrt(2 * rho))


def test_gaussian_budget_at_epsilon_one():
    assert Budget(1, 1e-6).rho == pytest.approx(0.0280, rel=0.01)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1, 3, 10, 50])
@pytest.mark.parametrize("delta", [1e-12, 1e-6, 1e-3])
def test_spending_everything_stays_within_epsilon_and_close_to_it(epsilon, delta):
    ledger = Ledger(Budget(epsilon, delta))
    ledger.charge(gaussian(ledger.left()), "all of it")
    assert epsilon * (1 - 1e-6) < ledger.epsilon() <= epsilon


def test_agrees_with_an_independent_accountant():
    """dp_accounting's numerical privacy-loss accountant on the same events; its bound is a little pessimistic."""
    ledger, accountant = Ledger(Budget(2, 1e-6)), dp.pld.PLDAccountant()
    for share in (0.1, 0.2, 0.3, 0.4):
        event = gaussian(share * ledger.budget.rho)
        ledger.charge(event, "part")
        accountant.compose(event)
    assert accountant.get_epsilon(1e-6) == pytest.approx(ledger.epsilon(), rel=2e-3)


def test_gaussian_trade_off_at_one_point():
    """delta(epsilon) = Phi(-epsilon/mu + mu/2) - exp(epsilon) Phi(-epsilon/mu - mu/2), Dong, Roth and Su, Corollary 2.13."""
    phi = lambda x: math.erfc(-x / math.sqrt(2)) / 2  # noqa: E731
    mu = 0.7
    epsilon = epsilon_of(mu**2 / 2, 1e-5)
    assert phi(-epsilon / mu + mu / 2) - math.exp(epsilon) * phi(-epsilon / mu - mu / 2) == pytest.approx(1e-5, rel=1e-6)


def test_a_refusal_changes_nothing():
    ledger = Ledger(Budget(1, 1e-6))
    ledger.charge(gaussian(0.02), "first")
    before = (ledger.charges, ledger.left(), ledger.epsilon())
    with pytest.raises(BudgetExceeded, match=r"only 0\.008"):
        ledger.charge(gaussian(0.02), "second")
    with pytest.raises(BudgetExceeded, match="delta"):
        ledger.charge(gaussian(0.001), "third", failure=1e-9)
    assert (ledger.charges, ledger.left(), ledger.epsilon()) == before


@pytest.mark.parametrize(
    "event",
    [
        dp.NoOpDpEvent(),
        dp.NonPrivateDpEvent(),
        dp.UnsupportedDpEvent(),
        dp.LaplaceDpEvent(1.0),
        dp.GaussianDpEvent(0.0),
        dp.GaussianDpEvent(-1.0),
        dp.GaussianDpEvent(math.nan),
        dp.PoissonSampledDpEvent(0.1, dp.LaplaceDpEvent(1.0)),
        dp.PoissonSampledDpEvent(0.0, dp.GaussianDpEvent(1.0)),
        dp.PoissonSampledDpEvent(1.1, dp.GaussianDpEvent(1.0)),
        dp.PoissonSampledDpEvent(math.nan, dp.GaussianDpEvent(1.0)),
        dp.PoissonSampledDpEvent(0.1, dp.GaussianDpEvent(0.0)),
        dp.PoissonSampledDpEvent(0.1, dp.GaussianDpEvent(math.nan)),
        dp.PoissonSampledDpEvent(0.1, dp.SelfComposedDpEvent(dp.GaussianDpEvent(1.0), 2)),
        dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(0.1, dp.GaussianDpEvent(1.0)), 2.5),
        dp.SampledWithoutReplacementDpEvent(100, 10, dp.GaussianDpEvent(1.0)),
        dp.SelfComposedDpEvent(dp.GaussianDpEvent(1.0), 0),
        dp.ComposedDpEvent([]),
        dp.ComposedDpEvent([dp.GaussianDpEvent(1.0), dp.LaplaceDpEvent(1.0)]),
    ],
    ids=str,
)
def test_what_it_has_no_proof_for_is_refused(event):
    ledger = Ledger(Budget(1, 1e-6))
    with pytest.raises(Unaccounted):
        ledger.charge(event, "unknown")
    assert ledger.charges == ()


def test_failure_probability_comes_out_of_delta():
    plain, reserved = Budget(1, 1e-6), Budget(1, 1e-6, failure_share=0.5)
    assert reserved.rho < plain.rho
    ledger = Ledger(reserved)
    ledger.charge(gaussian(ledger.left()), "lists", failure=5e-7)
    assert ledger.epsilon() <= 1
    with pytest.raises(BudgetExceeded):
        ledger.charge(gaussian(1e-12), "more", failure=1e-8)


@given(st.lists(st.floats(1e-6, 0.02), max_size=30))
def test_any_sequence_of_charges_stays_within_the_budget(costs):
    ledger = Ledger(Budget(1, 1e-6))
    for cost in costs:
        try:
            ledger.charge(gaussian(cost), "step")
        except BudgetExceeded:
            continue
    assert ledger.spent() <= ledger.budget.rho * (1 + 1e-9)
    assert ledger.epsilon() <= 1


def test_concurrent_charges_do_not_overspend():
    ledger = Ledger(Budget(1, 1e-6))
    refused = []

    def spend():
        for _ in range(50):
            try:
                ledger.charge(gaussian(ledger.budget.rho / 100), "step")
            except BudgetExceeded:
                refused.append(1)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(ledger.charges) == 100
    assert len(refused) == 100


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, "1", None, True])
def test_epsilon_out_of_range(epsilon):
    with pytest.raises(OptionError, match="epsilon is"):
        Budget(epsilon, 1e-6)


@pytest.mark.parametrize("delta", [0, 1, 2, -1, math.nan, None])
def test_delta_out_of_range(delta):
    with pytest.raises(OptionError, match="delta is"):
        Budget(1, delta)
