"""The decision box says what the findings say, and never more."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tabsynth.models import usual_settings
from tabsynth.report import report
from tabsynth.report.beside import compared
from tabsynth.report.claims import FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS, claims
from tabsynth.report.guarantee import ceilings, charge_shares, highest_tpr, is_private
from tabsynth.report.threats import threats
from tabsynth.validate.audit import measured

from . import sample

GUARANTEE, COPIES, MEMBERSHIP, ATTRIBUTE, SINGLING_OUT, LINKAGE, CONTROLS, SCHEMA = range(8)


def findings(**changes: dict | None) -> dict[str, dict]:
    """The sample's findings by check; `attacks_controls={...}` changes one, None removes it."""
    out = {f["check"]: f for f in sample.report()["findings"]}
    for name, change in changes.items():
        check = name.replace("_", ".", 1)
        if change is None:
            del out[check]
        else:
            out[check] |= change
    return out


def verdicts(found: dict[str, dict], card: dict | None = None) -> list[str]:
    return [claim.verdict for claim in claims(found, card, "rows")]


def test_the_sample():
    assert verdicts(findings(), sample.card()) == [*[PASS] * 11, FAIL]


def test_nothing_tested_is_never_a_pass():
    assert verdicts({}) == [NONE, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED]


@pytest.mark.parametrize(("check", "place"), [("replication", COPIES), ("membership", MEMBERSHIP), ("controls", CONTROLS)])
def test_a_finding_without_a_number_proves_nothing(check: str, place: int):
    found = findings(**{f"attacks_{check}": {"value": None, "verdict": "pass", "note": "Too few rows."}})
    claim = claims(found, None, "rows")[place]
    assert claim.verdict == INCONCLUSIVE
    assert "Too few rows." in claim.sentence


@pytest.mark.parametrize("controls", [None, {"verdict": "fail", "value": 2}, {"value": None, "note": "Too few rows."}])
def test_an_attack_passes_only_with_valid_controls(controls: dict | None):
    found = verdicts(findings(attacks_controls=controls))
    assert (found[COPIES], found[MEMBERSHIP]) == (INCONCLUSIVE, INCONCLUSIVE)


def test_an_attack_that_fails_fails_with_or_without_controls():
    found = findings(attacks_membership={"verdict": "fail"}, attacks_controls=None)
    assert verdicts(found)[MEMBERSHIP] == FAIL


@pytest.mark.parametrize("verdict", [None, "inconclusive", "something new"])
def test_an_unknown_verdict_is_inconclusive(verdict: str | None):
    assert verdicts(findings(attacks_membership={"verdict": verdict}))[MEMBERSHIP] == INCONCLUSIVE


def test_the_sentence_on_membership():
    sentence = claims(findings(), None, "units")[MEMBERSHIP].sentence
    assert sentence == (
        "The strongest of 67 attacks, chosen on one half of the units, identified 41 of 3\u202f663 training units on the other half while "
        "wrongly naming 36 of 3\u202f663 others. This does not show that no attack exists."
    )


def test_near_copies_that_fail_are_named():
    levels = next(f for f in sample.report()["findings"] if f["check"] == "attacks.replication")["details"]["levels"]
    levels[2]["interval"] = [0.001, 0.004]
    sentence = claims(findings(attacks_replication={"verdict": "fail", "details": {"levels": levels}}), None, "rows")[
        COPIES
    ].sentence
    assert "More often than chance explains: closest 1 % of holdout rows." in sentence


def test_controls_outside_their_band_are_named():
    gates = [{"name": "reference-only score", "value": 0.6, "low": 0.4, "high": 0.5, "ok": False}]
    claim = claims(findings(attacks_controls={"verdict": "fail", "value": 1.0, "details": {"gates": gates}}), None, "rows")[
        CONTROLS
    ]
    assert (claim.verdict, claim.sentence) == (FAIL, "1 of 1 control gates lie outside their band: reference-only score.")


def test_a_card_without_privacy_or_that_contradicts_itself_is_no_guarantee():
    overspent, infinite = sample.card(), sample.card()
    overspent["ledger"]["spent_rho"] = 0.0281
    infinite["guarantee"]["epsilon"] = "infinity"
    for card, verdict in ((sample.not_private_card(), NONE), (overspent, FAIL), (infinite, FAIL)):
        assert verdicts(findings(), card)[GUARANTEE] == verdict
        assert not is_private(card)


def test_threats_follow_the_findings():
    tested = {threat.title for threat in threats(findings()) if threat.tested}
    assert {"Copies", "Membership, from the synthetic table alone", "Attribute inference", "Singling out", "Linkage"} <= tested
    assert {"Unusual people and subgroups", "Membership of someone with several rows"} <= tested
    assert {"Knowledge of the algorithm", "Reconstruction", "Access to the model"}.isdisjoint(tested)
    assert not any(threat.tested for threat in threats({}))


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("attacks.worst", {"Unusual people and subgroups"}),
        ("attacks.worst.targeted", {"Targeted worst cases"}),
        ("attacks.focal", {"Knowledge of the algorithm"}),
        ("attacks.dcr.raw", {"Membership, from the synthetic table alone"}),
        (
            "attacks.dcr_diff.rank.profile",
            {"Membership, with a sample of similar people", "Membership of someone with several rows"},
        ),
        ("attacks.attribute.price.unit", {"Attribute inference"}),
        ("attacks.linkability", {"Linkage"}),
    ],
)
def test_a_finding_stands_for_no_threat_but_its_own(check: str, expected: set[str]):
    assert {threat.title for threat in threats({check: sample.finding(check, "", 0.5)}) if threat.tested} == expected
    assert not any(threat.tested for threat in threats({check: sample.finding(check, "", None)}))


def test_inference_is_claimed_only_where_it_was_tried():
    found = findings()
    for check in [c for c in found if c.startswith("attacks.attribute.") or c in ("attacks.singling_out", "attacks.linkability")]:
        del found[check]
    titles = [claim.title for claim in claims(found, None, "rows")]
    assert len(titles) == 9
    assert not any("inference" in title or "Singling" in title or "Linkage" in title for title in titles)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [({"verdict": "fail"}, FAIL), ({"verdict": None}, INCONCLUSIVE), ({"value": None, "note": "Few."}, INCONCLUSIVE)],
)
def test_one_column_decides_about_all(changed: dict, verdict: str):
    found = findings()
    found["attacks.attribute.age"] |= changed
    claim = claims(found, None, "rows")[ATTRIBUTE]
    assert claim.verdict == verdict
    assert ("More often than chance explains: age." in claim.sentence) == (verdict == FAIL)


def test_the_sentence_on_attributes_tells_the_column_that_decides():
    sentence = claims(findings(), None, "units")[ATTRIBUTE].sentence
    assert sentence == (
        "3 of 3 columns were guessed from the others by attackers who learned from the synthetic table. Least protected: income (forest), "
        "guessed right for 82.0\u00a0% of training units and for 81.0\u00a0% of others, a difference of 1.0\u00a0% "
        "[\u22121.7,\u00a03.7\u00a0%], an interval that holds for all columns together."
    )


def test_the_sentence_on_attributes_tells_which_columns_pass_without_a_measurement():
    found = findings()
    by = {"allowed": 0.031, "tolerated": 0.05, "settled": True, "measured": "inconclusive"}
    found["attacks.attribute.age"]["details"] |= {"by_guarantee": by, "harmless": True}
    found["attacks.attribute.income"]["details"] |= {"by_guarantee": by | {"settled": False}, "harmless": True}
    sentence = claims(found, None, "rows")[ATTRIBUTE].sentence
    assert "By the guarantee, and the engine withstood its audit (the measurement is its check): age." in sentence
    assert "Not even the training rows themselves would tell more than is tolerated: income." in sentence
    found["attacks.attribute.age"] |= {"verdict": "fail"}
    assert "By the guarantee" not in claims(found, None, "rows")[ATTRIBUTE].sentence


def test_the_sentences_on_singling_out_and_linkage_tell_the_result_that_decides():
    box = claims(findings(), None, "rows")
    assert box[SINGLING_OUT].sentence == (
        "Of the univariate descriptions read off the synthetic table, 15.20\u00a0% fit exactly one training record and 10.55\u00a0% exactly "
        "one record that the generator never saw: a risk of 5.12\u00a0% [2.12,\u00a08.12\u00a0%] beyond theirs, where 9\u00a0% is tolerated."
    )
    assert "(k = 10), and of 1.96\u00a0% of records that the generator never saw" in box[LINKAGE].sentence


@pytest.mark.parametrize("place", [ATTRIBUTE, SINGLING_OUT, LINKAGE])
def test_inference_too_passes_only_with_valid_controls(place: int):
    assert claims(findings(attacks_controls={"verdict": "fail", "value": 2}), None, "rows")[place].verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    ("mu", "expected"),
    [
        (0.142, (0.0016, 0.0145, 0.127)),
        (0.268, (0.0024, 0.0198, 0.155)),
        (0.925, (0.0152, 0.0805, 0.361)),
        (2.0, (0.138, 0.372, 0.764)),
    ],
)
def test_the_meaning_of_epsilon_matches_the_published_curve(mu: float, expected: tuple[float, ...]):
    card = sample.card()
    card["guarantee"]["mu"], card["ledger"]["failure_delta"] = mu, 0.0
    for (_, tpr), known in zip(ceilings(card), expected, strict=True):
        assert tpr == pytest.approx(known, rel=0.02)


def test_without_mu_the_ceiling_comes_from_epsilon_and_delta():
    card = sample.card()
    card["guarantee"] |= {"mu": None, "epsilon": 4.0, "delta": 1e-5}
    assert [tpr for _, tpr in ceilings(card)] == pytest.approx([0.0546, 0.546, 0.984], abs=5e-4)


def test_a_failure_probability_raises_the_ceiling():
    card = sample.card()
    before = highest_tpr(card, 0.01)
    card["ledger"]["failure_delta"] = 0.001 + 1e-7
    assert highest_tpr(card, 0.01) == pytest.approx(before + 0.001)


def test_no_guarantee_no_ceiling():
    assert ceilings(None) == ceilings(sample.not_private_card()) == []


def test_the_picture_of_the_ledger_adds_up_to_what_was_spent():
    shares = charge_shares(sample.card())
    assert len(shares) == 12
    assert sum(share for _, share in shares) == pytest.approx(1.0)
    assert shares[-1][0] == "6 smaller charges together"


@pytest.mark.parametrize(
    ("alarms", "verdict", "said"),
    [([], "PASS", "Nothing contradicted"), (["ledger: overspent"], "FAIL", "1 findings contradict")],
)
def test_the_audit_of_the_engine_is_a_claim_where_there_is_one(alarms, verdict, said, monkeypatch):
    assert "The engine withstands its audit" not in [claim.title for claim in claims({}, None, "rows")]
    known = {**measured.results(), "engines": [each | {"alarms": alarms} for each in measured.results()["engines"]]}
    monkeypatch.setattr(measured, "results", lambda: known)
    card = {"tabsynth": known["tabsynth"], "model": {"name": "aim", "settings": usual_settings("aim", "sex")}}
    (finding,) = measured.audited(card)
    found = {claim.title: claim for claim in claims({"audit.engine": dataclasses.asdict(finding)}, None, "rows")}
    assert found["The engine withstands its audit"].verdict == verdict
    assert said in found["The engine withstands its audit"].sentence
    assert measured.audited({"model": {"name": "another"}}) == measured.audited(None) == []


def headline(**details) -> dict:
    """A change of the sample's headline."""
    return {"details": next(f for f in sample.report()["findings"] if f["check"] == "attacks.membership")["details"] | details}


@pytest.mark.parametrize(("measured", "alone"), [("inconclusive", "would not decide"), ("pass", "passes too")])
def test_a_pass_by_guarantee_says_so_before_the_measurement(measured: str, alone: str):
    change = headline(by_guarantee={"allowed": 0.0183, "tolerated": 0.034, "settled": True, "measured": measured})
    claim = claims(findings(attacks_membership=change), sample.card(), "units")[MEMBERSHIP]
    assert claim.verdict == PASS
    assert claim.sentence.startswith(
        "By the guarantee, and the engine withstood its audit: at most 1.83\u00a0% of members are identified while 1\u00a0% of others are wrongly "
        f"named, where 3.40\u00a0% is tolerated. Measured as a check, which alone {alone}: the strongest of 67 attacks"
    )
    change["details"]["by_guarantee"]["settled"] = False
    assert "guarantee" not in claims(findings(attacks_membership=change), sample.card(), "units")[MEMBERSHIP].sentence


def test_a_claim_says_which_leaks_its_test_would_see():
    said = {
        (True, True): "In the synthetic table\u2019s place, this test fails for training rows and for 5 % copies.",
        (True, False): "In the synthetic table\u2019s place, this test fails for training rows, but not for 5 % copies.",
        (False, False): "Had the training rows themselves been released, this test would not have failed: there are too few",
    }
    for (whole, copies), sentence in said.items():
        change = headline(power={"training rows": whole, "5 % copies": copies})
        assert sentence in claims(findings(attacks_membership=change), sample.card(), "units")[MEMBERSHIP].sentence


def test_a_failure_names_the_attack_and_the_rate():
    above = [
        {"fpr": 0.1, "attack": "nndr.raw", "tpr": 0.25, "fpr_seen": 0.08, "least": 0.24},
        {"fpr": 0.01, "attack": "dcr.raw", "tpr": 0.06, "fpr_seen": 0.006, "least": 0.04},
    ]
    change = headline(above=above) | {"verdict": "fail"}
    assert (
        "Beyond the tolerance: dcr.raw identifies 6.0\u00a0% of the members while wrongly naming 0.6\u00a0% of the others; an attack within the "
        "tolerance would hardly ever identify 4.0\u00a0%."
    ) in claims(findings(attacks_membership=change), sample.card(), "units")[MEMBERSHIP].sentence


OTHERS = {
    "another version": lambda c: c.update(tabsynth="9.9"),
    "no version": lambda c: c.pop("tabsynth"),
    "another setting": lambda c: c["model"]["settings"].update(steps=1),
    "a setting less": lambda c: c["model"]["settings"].pop("steps"),
    "no settings": lambda c: c["model"].pop("settings"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_the_audit_counts_for_the_version_and_settings_that_were_audited_alone(what):
    card = {"tabsynth": measured.results()["tabsynth"], "model": {"name": "aim", "settings": usual_settings("aim", None)}}
    assert measured.audited(card)[0].verdict == "pass"
    OTHERS[what](card)
    (finding,) = measured.audited(card)
    assert finding.verdict == "inconclusive"
    (claim,) = [c for c in claims({"audit.engine": dataclasses.asdict(finding)}, None, "rows") if c.section == "audit"]
    assert claim.verdict == "INCONCLUSIVE"
    same = "version" if "version" in what else "settings"
    assert f"in another version or with other settings: this release is not shown to have the same {same}." in claim.sentence


def test_an_audit_of_an_older_report_does_not_say_what_it_was_about_and_does_not_count():
    card = {"tabsynth": measured.results()["tabsynth"], "model": {"name": "aim", "settings": usual_settings("aim", None)}}
    finding = dataclasses.asdict(measured.audited(card)[0])
    del finding["details"]["same_version"], finding["details"]["same_settings"]
    (claim,) = [c for c in claims({"audit.engine": finding}, None, "rows") if c.section == "audit"]
    assert claim.verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("finding", "verdict", "says"),
    [
        (sample.recounted(), "PASS", "the charges on the release card add up to it, and the card lists this table"),
        (
            sample.recounted("fail"),
            "FAIL",
            "does not follow from its own charges: epsilon 3.2 at delta 1e-06, claimed 0.1. Do not rely",
        ),
        (sample.recounted("inconclusive"), "INCONCLUSIVE", "is not shown to belong to this table: it lists another table"),
        (sample.recounted("inconclusive", lists_a_table=False), "INCONCLUSIVE", "it lists no table"),
        (sample.recounted() | {"value": None}, "INCONCLUSIVE", "is not shown to belong to this table"),
        (None, "INCONCLUSIVE", "the evaluation did not look"),
    ],
)
def test_the_guarantee_passes_only_if_its_charges_and_its_table_bear_it_out(finding, verdict, says):
    found = {} if finding is None else {"guarantee.card": finding}
    claim = claims(found, sample.card(), "rows")[0]
    assert (claim.title, claim.verdict) == ("Formal guarantee", verdict)
    assert says in claim.sentence


def test_a_guarantee_that_does_not_follow_from_its_charges_is_shown_nowhere():
    data = sample.report()
    forged = data | {"findings": [sample.recounted("fail"), *data["findings"][:-1]]}
    kept, page = report(data), report(forged)
    assert "The most that anyone can achieve against this guarantee" in kept
    assert "The most that anyone can achieve against this guarantee" not in page
    assert "There is no privacy guarantee." in page
    assert compared("A", "a", forged).entry.epsilon == math.inf
    assert compared("A", "a", data).entry.epsilon == 1.0


def test_a_policy_s_epsilon_counts_though_the_card_is_not_shown_to_belong_to_the_table():
    policy = {"thresholds": {"epsilon": {"value": 0.5}}}
    assert claims({"guarantee.card": sample.recounted("inconclusive")}, sample.card(), "rows", policy)[0].verdict == "FAIL"


def test_a_report_of_an_older_version_is_drawn_without_the_finding():
    data = sample.report()
    older = data | {"findings": [f for f in data["findings"] if f["check"] != "guarantee.card"]}
    assert "was not looked at" in report(older)
    assert "counted again from its own charges" in report(data)
