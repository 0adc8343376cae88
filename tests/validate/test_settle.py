"""What a table of some size can settle, said before anything is spent: as the verdicts then come out."""

import pytest

from tabsynth.fit import fit, promised
from tabsynth.policy import Policy
from tabsynth.tradeoff import Tradeoff, gaussian_tpr
from tabsynth.validate.attacks import bounds, membership
from tabsynth.validate.settle import CLAIMS, Outlook, Setting, relied_on, setting, settles, told


def at(schema, holdout, guarantee=None, train=14_150):
    return Setting(schema, train, holdout, Policy.load("default"), guarantee)


def test_membership_is_settled_by_the_guarantee_by_enough_rows_or_not_at_all(schema):
    least = 2 * bounds.needed(0.5, 0.1, 31)
    weak = Tradeoff(4.0, 1e-6, mu=0.84)
    assert settles(at(schema, 300, Tradeoff(1.0, 1e-6, mu=0.24)))["membership"] == Outlook("guarantee", least)
    for guarantee in (None, weak):
        assert settles(at(schema, least - 2, guarantee))["membership"] == Outlook(None, least)
        assert settles(at(schema, least, guarantee))["membership"] == Outlook("measurement", least)
    assert settles(at(schema, least, train=100))["membership"].by is None  # as few members are few non-members
    assert settles(at(schema, 0))["membership"].by is None


def test_a_guarantee_counts_at_the_rate_that_will_be_judged():
    """Pure epsilon 1 allows 2.7 % at 1 %, within 3.4 %, and 27 % at 10 %, beyond 21.8 %: it settles large tables only."""
    pure = Tradeoff(1.0, 0.0)
    assert pure.tpr(0.01) < gaussian_tpr(0.5, 0.01)
    assert membership.outlook(100, 31, 0.5, pure)[0] is None
    assert membership.outlook(5_000, 31, 0.5, pure)[0] == "guarantee"


def test_the_sentence_names_every_claim_once(schema, monkeypatch):
    monkeypatch.setitem(CLAIMS, "copies", lambda _setting: Outlook("measurement"))
    monkeypatch.setitem(CLAIMS, "linkage", lambda _setting: Outlook(None))
    least = 2 * bounds.needed(0.5, 0.1, 31)
    text = told(at(schema, 300))
    assert text.startswith("With 14,150 training and 300 holdout rows, the report can probably settle: ")
    assert f"membership, which needs about {least:,} holdout rows" in text
    assert "linkage, which no larger holdout alone settles" in text
    assert text.count("copies") == text.count("membership") == 1


def test_sizes_are_those_of_units(unit_schema, visits):
    found = setting(visits(30, 0), visits(20, 1), unit_schema, Policy.load("default"), None)
    assert (found.train, found.holdout, found.guarantee) == (30, 20, None)
    assert "30 training and 20 holdout units" in told(found)


@pytest.mark.parametrize("model", ["independent", "copula"])
def test_the_promise_before_a_fit_is_what_the_card_then_states(schema, people, model):
    before = promised(schema, epsilon=1.0, delta=1e-6, model=model)
    card = fit(people(200, 0), schema, epsilon=1.0, delta=1e-6, model=model).card
    assert relied_on(before) is not None
    assert before["model"]["name"] == card["model"]["name"]
    assert before["guarantee"]["mu"] == pytest.approx(card["guarantee"]["mu"], rel=1e-3)
    assert before["ledger"]["failure_delta"] == card["ledger"]["failure_delta"]


def test_a_promise_without_an_audit_is_not_relied_on(schema):
    before = promised(schema, epsilon=1.0, delta=1e-6, model="aim")
    assert relied_on(before | {"model": {"name": "another"}}) is None
    assert relied_on(None) is None
    assert promised(schema, epsilon=1.0, delta=1e-6, model="ctgan")["guarantee"]["mu"] is None
