"""The map from claims to evidence, and what the decision box says of open questions, broken guarantees and columns."""

from __future__ import annotations

import pytest

from tabsynth.policy import Policy
from tabsynth.report.claims import FAIL, INCONCLUSIVE, NONE, PASS, Claim, claims
from tabsynth.report.evidence import ENOUGH, TABLES, evidence
from tabsynth.report.guarantee import highest_tpr

from . import sample

UNIT = {"key": "patient", "max_rows": 4}
COPIES = "copies counted beside those of unseen people"
TABLES_3 = "on 3 tables from the same model or more"
MANY = "many attacks, judged together"
KNOWING = "an attacker who knows how the generator works"
UNSEEN = "2\u202f000 unseen people to compare with"
UNUSUAL = "attacks looked at among unusual people and in subgroups"
SINGLE = "a formal guarantee, or attacks built for single people"
GUESSES = "guesses compared with those for unseen people"
LEDGER = "a ledger whose charges add up to it, on a card that lists this table"
AUDIT = "an audit of the engine on neighbouring tables, in the same version and settings"
BUGS = "proof that the audit notices known bugs"
GATHERS = "a unit of privacy that gathers a person's rows, with a bound on them"
BY_UNIT = "split, and attacks, by that unit"
NUMBERS = "every column\u2019s numbers beside those of unseen rows"
PAIRS = "pairs of columns and links, beside those of unseen rows"
TESTED = "a model trained on it and tested on real rows"
CLAIMS = {
    "It does not copy people": (COPIES, TABLES_3),
    "Whether somebody was in the training data cannot be told": (MANY, KNOWING, UNSEEN),
    "Unusual people are protected too": (UNUSUAL, SINGLE),
    "A sensitive value cannot be inferred from the rest of a record": (GUESSES,),
    "It is differentially private with the epsilon named": (LEDGER, AUDIT, BUGS),
    "People with several rows are protected as a whole": (GATHERS, BY_UNIT),
    "Its columns and relations are right": (NUMBERS, PAIRS, TESTED),
}
EVERY = {piece for pieces in CLAIMS.values() for piece in pieces}


def complete() -> dict[str, dict]:
    """Findings that show all there is to show."""
    found = {f["check"]: f for f in sample.report()["findings"]}
    audit = {
        "engine": "mst",
        "epsilon": 8.0,
        "alarms": [],
        "mutations": 37,
        "noticed": 37,
        "same_version": True,
        "same_settings": True,
    }
    more = {
        "attacks.focal": {"tpr": []}, "attacks.shadow": {"tpr": []}, "attacks.worst.targeted": {"targets": []}, "audit.engine": audit,
    }  # fmt: skip
    return found | {check: sample.finding(check, check, 0.5, reference=0.5, details=details) for check, details in more.items()}


def missing(found: dict[str, dict], card: dict | None, unit: dict) -> set[str]:
    """Pieces that are not shown; every claim's standing agrees with them."""
    supports = evidence(found, card, unit)
    for support in supports:
        shown = [piece.present for piece in support.pieces]
        assert support.standing == ("complete" if all(shown) else "in part" if any(shown) else "missing"), support.claim
    return {piece.text for support in supports for piece in support.pieces if not piece.present}


def test_the_map_names_each_claim_its_pieces_and_what_would_not_do():
    supports = evidence(complete(), sample.card(), UNIT)
    assert {support.claim: tuple(piece.text for piece in support.pieces) for support in supports} == CLAIMS
    assert all(support.standing == "complete" and support.not_enough for support in supports)
    assert (ENOUGH, TABLES) == (2000, 3)


def test_where_nothing_was_tried_everything_is_missing():
    assert missing({}, None, {"key": None, "max_rows": 1}) == EVERY
    assert {support.standing for support in evidence({}, None, {})} == {"missing"}


@pytest.mark.parametrize(
    ("starts", "gone"),
    [
        (("attacks.replication",), {COPIES}),
        (("attacks.regenerations",), {TABLES_3}),
        (("attacks.familywise",), {MANY}),
        (("attacks.membership",), {MANY, UNSEEN, BY_UNIT}),
        (("attacks.focal",), set()),
        (("attacks.shadow",), set()),
        (("attacks.focal", "attacks.shadow"), {KNOWING}),
        (("attacks.worst.targeted",), set()),
        (("attacks.attribute.age",), set()),
        (("attacks.attribute.",), {GUESSES}),
        (("audit.engine",), {AUDIT, BUGS}),
        (("guarantee.card",), {LEDGER}),
        (("quality.columns",), {NUMBERS}),
        (("quality.relations",), {PAIRS}),
        (("quality.useful",), {TESTED}),
        (("quality.ranges",), set()),
        (("attacks.controls", "attacks.ensemble", "attacks.singling_out", "attacks.linkability", "fidelity."), set()),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else None,
)
@pytest.mark.parametrize("how", ["removed", "without a value"])
def test_without_a_finding_exactly_its_pieces_are_missing(starts, gone, how):
    found = complete()
    for check in [check for check in found if check.startswith(starts)]:
        if how == "removed":
            del found[check]
        else:
            found[check] |= {"value": None, "details": {}}
    assert missing(found, sample.card(), UNIT) == gone


def test_attacks_on_single_people_do_not_stand_for_subgroups():
    found = complete()
    del found["attacks.worst"]
    assert missing(found, sample.card(), UNIT) == {UNUSUAL}


def test_without_a_guarantee_its_pieces_are_missing():
    overspent = sample.card()
    overspent["ledger"]["spent_rho"] = 1.0
    for card in (None, sample.not_private_card(), overspent):
        assert missing(complete(), card, UNIT) == {LEDGER}  # single people were attacked
        found = complete()
        del found["attacks.worst.targeted"]
        assert missing(found, card, UNIT) == {LEDGER, SINGLE}


def test_a_row_is_no_person():
    assert missing(complete(), sample.card(), {"key": None, "max_rows": 1}) == {GATHERS, BY_UNIT}


@pytest.mark.parametrize(
    ("check", "details", "gone"),
    [
        ("attacks.regenerations", {"tables": 2}, {TABLES_3}),
        ("attacks.regenerations", {"tables": 3}, set()),
        ("attacks.membership", {"n_nonmembers": 999}, {UNSEEN}),  # on the half that is reported on
        ("attacks.membership", {"n_nonmembers": 1000}, set()),
        ("audit.engine", {"mutations": 37, "noticed": 36}, {BUGS}),
        ("audit.engine", {"mutations": 0, "noticed": 0}, {BUGS}),
        ("audit.engine", {"same_version": False}, {AUDIT}),
        ("audit.engine", {"same_settings": False}, {AUDIT}),
    ],
)
def test_too_little_of_it_is_missing(check, details, gone):
    found = complete()
    found[check]["details"] = found[check]["details"] | details
    assert missing(found, sample.card(), UNIT) == gone


def box(changes: dict[str, dict] | None = None, card: dict | None = None, policy: dict | None = None) -> dict[str, Claim]:
    """The claims by title; a change of a finding may change some of its details."""
    found = {f["check"]: f for f in sample.report()["findings"]}
    for check, change in (changes or {}).items():
        found[check] = found[check] | change | {"details": found[check]["details"] | change.get("details", {})}
    return {claim.title: claim for claim in claims(found, card or sample.card(), "units", policy)}


NEEDING = {
    "attacks.replication": ("Does not copy rows", {"needed_nonmembers": 45678, "tolerated": 0.01}),
    "attacks.membership": ("Membership within tolerance", {"needed_nonmembers": 45678}),
    "attacks.attribute.age": ("Attribute inference within tolerance", {"needed_nonmembers": 45678, "tolerated": 0.05}),
    "attacks.linkability": ("Linkage within tolerance", {"needed_nonmembers": 45678, "tolerated": 0.09}),
    "attacks.singling_out": ("Singling out within tolerance", {"needed_descriptions": 45678, "tolerated": 0.09}),
}


@pytest.mark.parametrize("check", NEEDING)
def test_an_open_question_says_how_much_data_would_settle_it(check):
    title, details = NEEDING[check]
    claim = box({check: {"verdict": "inconclusive", "details": details}})[title]
    assert claim.verdict == INCONCLUSIVE
    wanted = (
        "A decision needs about 45\u202f678 descriptions of each kind, which takes more synthetic rows."
        if check == "attacks.singling_out"
        else "A decision needs about 45\u202f678 units that the generator never saw."
    )
    assert claim.sentence.count(wanted) == 1
    beyond = box({check: {"verdict": "inconclusive", "details": details | {"most": 5000}}})[title].sentence
    assert f"{wanted[:-1]}, more than the 5\u202f000 that this test draws at most." in beyond
    enough = box({check: {"verdict": "inconclusive", "details": details | {"most": 45678}}})[title].sentence
    assert enough == claim.sentence


@pytest.mark.parametrize("check", NEEDING)
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_decided_question_asks_for_no_more_data(check, verdict):
    title, details = NEEDING[check]
    claim = box({check: {"verdict": verdict, "details": details | {"most": 5000}}})[title]
    assert claim.verdict == verdict.upper()
    assert "decision needs" not in claim.sentence
    assert "no larger sample" not in claim.sentence


@pytest.mark.parametrize("check", [check for check in NEEDING if check != "attacks.membership"])
def test_where_no_number_settles_it_that_is_said(check):
    title, details = NEEDING[check]
    found = {check: {"verdict": "inconclusive", "details": dict.fromkeys(details) | {"tolerated": 0.05}}}
    sentence = box(found)[title].sentence
    assert "If the rates stay as they are, no larger sample settles it." in sentence
    assert "decision needs" not in sentence


def test_a_tolerance_too_close_to_chance_is_said():
    found = {"attacks.membership": {"verdict": "inconclusive", "details": {"needed_nonmembers": None, "settleable": False}}}
    sentence = box(found)["Membership within tolerance"].sentence
    assert "The tolerance is too close to chance for a sample of usual size to settle it." in sentence


def test_a_blind_test_asks_for_a_larger_holdout():
    power = {"training rows": False, "5 % copies": False}
    found = {"attacks.singling_out": {"verdict": "inconclusive", "details": {"blind": True, "tolerated": 0.09, "power": power}}}
    sentence = box(found)["Singling out within tolerance"].sentence
    assert "With so few records this check would not notice training rows" in sentence
    assert "no larger sample" not in sentence


def test_a_column_that_no_number_settles_is_not_hidden_behind_one_that_has_a_number():
    found = guessed("income", -0.03, 0.2, "inconclusive") | guessed("age", -0.03, 0.1, "inconclusive")
    found["attacks.attribute.age"]["details"] |= {"needed_nonmembers": 900, "tolerated": 0.05}
    found["attacks.attribute.income"]["details"] |= {"needed_nonmembers": None, "tolerated": 0.05}
    assert box(found)[ATTRIBUTE].sentence.endswith("If the rates stay as they are, no larger sample settles it.")


def test_a_pass_that_does_not_count_asks_for_controls_and_not_for_data():
    found = {check: {"details": details} for check, (_, details) in NEEDING.items()}
    for title, _ in NEEDING.values():
        claim = box(found | {"attacks.controls": {"verdict": "fail", "value": 2}})[title]
        assert claim.verdict == INCONCLUSIVE
        assert "without valid controls that does not count" in claim.sentence
        assert "decision needs" not in claim.sentence


def seen(low: float) -> dict[str, dict]:
    """A headline that surely finds so many at 1 %, and nobody at 10 %; its interval, which ignores that thresholds err, says more."""
    lowest = [{"fpr": 0.01, "attack": "dcr.rank.unit", "lower": low}, {"fpr": 0.1, "attack": "dcr.rank.unit", "lower": 0.0}]
    return {"attacks.membership": {"value": 0.9, "interval": [0.8, 0.95], "details": {"surely": lowest}}}


def test_a_rate_beyond_what_the_guarantee_allows_breaks_it():
    ceiling = highest_tpr(sample.card(), 0.01)
    claim = box(seen(ceiling + 1e-6))["Formal guarantee"]
    assert claim.verdict == FAIL
    assert claim.sentence.startswith("The card's guarantee does not hold: ")
    assert "name more than 1.83\u00a0% of the members while wrongly naming 1\u00a0% of the others" in claim.sentence
    assert "an attack names more than 1.83\u00a0%, a bound that is wrong less than once in 1\u202f000 reports" in claim.sentence
    assert "Do not release this" in claim.sentence


def test_a_rate_that_the_guarantee_allows_does_not():
    ceiling = highest_tpr(sample.card(), 0.01)
    unknown = {"attacks.membership": {"value": 0.5, "interval": None, "details": {"surely": None}}}
    for changes in (seen(ceiling - 1e-6), seen(ceiling), unknown):
        assert box(changes)["Formal guarantee"].verdict == PASS
    assert box(seen(0.9), sample.not_private_card())["Formal guarantee"].verdict == NONE
    broken = {"attacks.membership": {"details": {"surely": [{"fpr": None, "attack": "x", "lower": 0.9}]}}}
    assert box(broken)["Formal guarantee"].verdict == PASS


def test_what_breaks_the_guarantee_comes_before_what_the_policy_tolerates():
    strict = {"thresholds": {"epsilon": {"value": 0.5}}}
    claim = box(seen(0.9), policy=strict)["Formal guarantee"]
    assert claim.verdict == FAIL
    assert "does not hold" in claim.sentence
    assert "tolerates" not in claim.sentence


def own(name: str = "default", **thresholds: float) -> dict:
    """A policy as the report's JSON holds it."""
    changed = {name: {"value": value} for name, value in thresholds.items()}
    data = {"format": "tabsynth.policy", "version": 1, "name": "ours", "based_on": name, "thresholds": changed}
    return Policy.from_dict(data).to_dict()


@pytest.mark.parametrize(
    ("epsilon", "most", "verdict"), [(1.0, 1.0, PASS), (1.0, 0.999, FAIL), (10.0, 10, PASS), (10.5, 10, FAIL)]
)
def test_the_policy_bounds_epsilon(epsilon, most, verdict):
    card = sample.card()
    card["guarantee"]["epsilon"] = epsilon
    claim = box(card=card, policy=own(epsilon=most))["Formal guarantee"]
    assert claim.verdict == verdict
    assert (f"The policy tolerates an epsilon of at most {most:g}." in claim.sentence) == (verdict == FAIL)
    assert f"Differential privacy with epsilon {epsilon:g}" in claim.sentence


def test_a_policy_can_require_a_guarantee():
    for card in (sample.not_private_card(), None):
        found = {f["check"]: f for f in sample.report()["findings"]}
        lenient, strict = (claims(found, card, "rows", Policy.load(name).to_dict())[0] for name in ("default", "nist"))
        assert (lenient.verdict, strict.verdict) == (NONE, FAIL)
        assert strict.sentence == f"{lenient.sentence} The policy requires one."
    assert box(policy=Policy.load("nist").to_dict())["Formal guarantee"].verdict == PASS


def test_no_policy_of_old_changes_no_verdict():
    without, default = (
        [claim.verdict for claim in box(policy=policy).values()] for policy in (None, Policy.load("default").to_dict())
    )
    assert without == default


def guessed(column: str, low: float, high: float, verdict: str) -> dict[str, dict]:
    """A column's finding in which the nearest row reaches that interval and the others know nothing."""
    found = next(f for f in sample.report()["findings"] if f["check"] == f"attacks.attribute.{column}")
    attackers = {
        name: each | {"simultaneous": [low, high] if name == "nearest row" else [-0.001, 0.001], "difference": (low + high) / 2}
        for name, each in found["details"]["attackers"].items()
    }
    return {f"attacks.attribute.{column}": {"verdict": verdict, "details": {"attackers": attackers}}}


ATTRIBUTE = "Attribute inference within tolerance"


def test_the_attribute_claim_is_explained_by_a_column_that_has_its_verdict():
    """Occupation is least certain, but age fails; then income is open and occupation, which is closer to nothing, passed."""
    fails = guessed("occupation", -0.2, 0.3, "inconclusive") | guessed("age", 0.011, 0.012, "fail")
    claim = box(fails)[ATTRIBUTE]
    assert claim.verdict == FAIL
    assert "Least protected: age (nearest row)" in claim.sentence
    assert "[1.1,\u00a01.2\u00a0%]" in claim.sentence
    assert claim.sentence.endswith("More often than chance explains: age.")
    opens = guessed("occupation", 0.0, 0.049, "pass") | guessed("income", -0.03, 0.051, "inconclusive")
    claim = box(opens)[ATTRIBUTE]
    assert claim.verdict == INCONCLUSIVE
    assert "Least protected: income (nearest row)" in claim.sentence
    assert "[\u22123.0,\u00a05.1\u00a0%]" in claim.sentence
    assert " Not decided: income." in claim.sentence


def test_several_columns_that_fail_or_are_open_are_all_named():
    fails = guessed("occupation", 0.02, 0.3, "fail") | guessed("age", 0.01, 0.5, "fail")
    assert "Least protected: occupation" in box(fails)[ATTRIBUTE].sentence
    assert box(fails)[ATTRIBUTE].sentence.endswith("More often than chance explains: occupation, age.")
    opens = guessed("occupation", -0.1, 0.2, "inconclusive") | guessed("age", -0.1, 0.1, "inconclusive")
    opens["attacks.attribute.age"]["details"] |= {"needed_nonmembers": 900}
    opens["attacks.attribute.occupation"]["details"] |= {"needed_nonmembers": 12345}
    sentence = box(opens)[ATTRIBUTE].sentence
    assert "Least protected: occupation" in sentence
    assert "Not decided: occupation, age. A decision needs about 12\u202f345 units" in sentence


def test_a_column_that_could_not_be_attacked_is_the_one_that_is_not_decided():
    claim = box({"attacks.attribute.age": {"value": None, "verdict": None, "note": "Few."}})[ATTRIBUTE]
    assert claim.verdict == INCONCLUSIVE
    assert " Not decided: age." in claim.sentence
