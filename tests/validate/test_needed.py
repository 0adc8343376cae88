"""How much data a decision would take, by brute force; and several tables from the same model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tabsynth.policy import Policy
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import attacks, attribute, linkability, replication, singling_out
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks._inference import compared, needed, verdict
from tabsynth.validate.intervals import needed_factor, newcombe, residual_risk


def tolerating(**values: float) -> Policy:
    thresholds = {name: {"value": value} for name, value in values.items()}
    return Policy.from_dict({"format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": thresholds})


@pytest.fixture(scope="module")
def tables(schema, people):
    """tables(copied, policy): 300 synthetic rows, so many of them training rows."""

    def make(copied: int, **policy: float) -> Evidence:
        train = people(300, 0)
        synthetic = pd.concat([train[:copied], people(300 - copied, 2)], ignore_index=True)
        return Evidence(schema, train, people(200, 1), synthetic, policy=tolerating(**policy))

    return make


@pytest.mark.parametrize("least", [1.05, 1.5, 7.0, 400.0, 9000.0])
def test_the_factor_is_the_smallest_to_a_tenth(least):
    found = needed_factor(lambda times: times >= least)
    assert least <= found < 1.1 * max(least, 1.0) * (1 + 1e-9)


def test_no_factor_where_nothing_settles_it_or_only_too_much():
    assert needed_factor(lambda times: False) is None
    assert needed_factor(lambda times: times >= 10_500) is None
    assert needed_factor(lambda times: times >= 50, most=40) is None


def decided(bounds: list, tolerated: float, *, fails_above: float) -> bool:
    """Whether intervals settle a claim: one lies above where it fails, or all lie under the tolerance."""
    return any(low > fails_above for low, _ in bounds) or all(high <= tolerated for _, high in bounds)


def check_by_brute_force(question, times: float):
    """Decided at so many times the trials, as at twice as many; not at a fifth fewer, nor at those seen."""
    assert times > 1
    assert question(times)
    assert question(2 * times)
    assert not question(times / 1.1**2)
    assert not question(1.0)


def test_needed_of_copies():
    level = replication._level("apart", 0.0, (15, 700, 6, 300), 1 - 0.05 / 4)

    def question(times: float) -> bool:
        return newcombe(*(times * level[k] for k in ("members", "n_members", "holdout", "n_holdout")), 1 - 0.05 / 4)[1] <= 0.01

    check_by_brute_force(question, replication._needed([level], 0.01))


@pytest.mark.parametrize("tolerated", [0.05, 0.08])
def test_needed_of_attribute_inference(tables, tolerated):
    evidence = tables(0, attribute=tolerated)
    finding = attribute.check(evidence, design(evidence), ["grade"])[0]
    details = finding.details
    results, unseen = list(details["attackers"].values()), details["needed_nonmembers"]
    assert finding.verdict == "inconclusive"
    assert results[0]["n_nonmembers"] == 200
    check_by_brute_force(narrowing(results, "difference", tolerated, fails_above=tolerated), unseen / 200)


def narrowing(results: list[dict], value: str, tolerated: float, fails_above: float):
    """Intervals that shrink with the square root of the units."""

    def question(times: float) -> bool:
        bounds = [[r[value] + (end - r[value]) / times**0.5 for end in r["simultaneous"]] for r in results]
        return decided(bounds, tolerated, fails_above=fails_above)

    return question


def residual_question(results: list[dict], tolerated: float, level: float):
    def question(times: float) -> bool:
        names = ("members", "n_members", "nonmembers", "n_nonmembers")
        counts = [[times * r[k] / r["design_effect"] for k in names] for r in results]
        return decided([residual_risk(*each, level)[1] for each in counts], tolerated, fails_above=tolerated)

    return question


@pytest.mark.parametrize(("copied", "tolerated"), [(0, 0.04), (90, 0.28)])
def test_needed_of_linkability(tables, copied, tolerated):
    (finding,) = linkability.check(tables(copied, residual_risk=tolerated))
    assert finding.verdict == "inconclusive"

    def question(times: float) -> bool:
        bounds = []
        for r in finding.details["results"]:
            counts = [times * r[k] for k in ("members", "n_members", "nonmembers", "n_nonmembers")]
            ends = newcombe(*counts, 1 - 0.05 / 3)[0], newcombe(*counts)[1]
            bounds.append([end / (end + 1 - r["rate_members"]) for end in ends])
        return decided(bounds, tolerated, fails_above=tolerated)

    check_by_brute_force(question, finding.details["needed_nonmembers"] / 200)


@pytest.mark.parametrize(("copied", "tolerated"), [(0, 0.02), (90, 0.23)])
def test_needed_of_singling_out(tables, copied, tolerated):
    evidence = tables(copied, residual_risk=tolerated)
    (finding,) = singling_out.check(evidence, design(evidence))
    assert finding.verdict == "inconclusive"
    question = narrowing(finding.details["results"], "residual_risk", tolerated, fails_above=tolerated)
    check_by_brute_force(question, finding.details["needed_nonmembers"] / 200)


def test_nothing_is_needed_where_the_verdict_is_known(tables):
    for copied, tolerated, expected in ((0, 0.5, "pass"), (150, 0.2, "fail")):
        evidence = tables(copied, residual_risk=tolerated, attribute=tolerated, copies=tolerated)
        challenge = design(evidence)
        found = [
            attribute.check(evidence, challenge, ["grade"])[0], *linkability.check(evidence),
            *singling_out.check(evidence, challenge),
            *(f for f in attacks(evidence, ("ldr", "replication")) if f.check == "attacks.replication"),
        ]  # fmt: skip
        for finding in found:
            told = [value for name, value in finding.details.items() if name.startswith("needed_")]
            assert (finding.verdict, told) == (expected, [None]), finding.check


def test_a_risk_that_is_exactly_what_is_tolerated_is_never_settled():
    """(0.181 - 0.1) / (1 - 0.1) = 0.09; a little less or more is settled at last."""
    level = 1 - 0.05 / 3

    def asked(members: int) -> list[dict]:
        return [compared(members, 100, (1000, 1000), level)]

    for members in (181, 170, 192):
        assert verdict(asked(members), 0.09) == "inconclusive"
    assert needed(asked(181), 0.09, level) is None
    for members in (170, 192):
        check_by_brute_force(residual_question(asked(members), 0.09, level), needed(asked(members), 0.09, level))


def test_where_the_test_itself_is_blind_no_number_is_named(schema, people):
    """So few synthetic rows that even training rows in their place make no clear difference, and none that is clearly small."""
    evidence = Evidence(schema, people(1200, 0), people(1200, 100), people(60, 200))
    (finding,) = attribute.check(evidence, design(evidence), ["grade"])
    details = finding.details
    assert all(result["simultaneous"][1] <= 0.05 for result in details["attackers"].values())
    assert details["ceiling"]["training rows"]["simultaneous"][0] < 0 < 0.05 < details["ceiling"]["training rows"]["most"]
    assert (finding.verdict, details["blind"], details["needed_nonmembers"]) == ("inconclusive", True, None)


SOME = ("dcr", "ldr", "nndr", "domias", "replication")
ALWAYS = {f"attacks.{name}.{scaling}" for name in ("dcr", "ldr") for scaling in ("raw", "standardised", "rank")}


@pytest.fixture(scope="module")
def regenerated(schema, people):
    """Findings by name on a fresh table, with two more fresh tables, and with a fresh one and the training table."""
    evidence = Evidence(schema, people(300, 0), people(200, 1), people(300, 2))
    further = {"none": (), "fresh": (people(300, 3), people(300, 4)), "leaky": (people(300, 3), evidence.train)}
    return {
        name: {f.check: f for f in attacks(dataclasses.replace(evidence, further=tables), SOME)}
        for name, tables in further.items()
    }


def test_without_further_tables_nothing_is_said_of_them(regenerated):
    assert "attacks.regenerations" not in regenerated["none"]


def test_the_findings_on_the_table_itself_stay_as_they_are(regenerated):
    for found in (regenerated["fresh"], regenerated["leaky"]):
        assert {check: f for check, f in found.items() if check != "attacks.regenerations"} == regenerated["none"]


def test_rows_are_of_the_attacks_run_on_every_table(regenerated):
    """Not the ensemble: on further tables it has fewer scores to combine."""
    chosen = regenerated["none"]["attacks.membership"].details["chosen"]
    also = {check for check in regenerated["none"] if check.startswith(f"attacks.{chosen.partition('.')[0]}.")}
    for found in (regenerated["fresh"], regenerated["leaky"]):
        details = found["attacks.regenerations"].details
        assert {row["check"] for row in details["attacks"]} == ALWAYS | also
        assert details["tables"] == len(details["copies"]) == 3


def test_a_leaky_table_among_them_shows(regenerated):
    fresh, leaky = (regenerated[name]["attacks.regenerations"] for name in ("fresh", "leaky"))
    chosen = f"attacks.{regenerated['none']['attacks.membership'].details['chosen']}"
    for finding in (fresh, leaky):
        spread = next(row["auc"] for row in finding.details["attacks"] if row["check"] == chosen)
        assert finding.value == spread["max"] >= regenerated["none"][chosen].value
        assert spread["min"] <= spread["median"] <= spread["max"]
    assert leaky.value > 0.8 > 0.65 > fresh.value
    assert [copies["members"] for copies in leaky.details["copies"]] == [0, 0, 300]
    assert [copies["members"] for copies in fresh.details["copies"]] == [0, 0, 0]


def test_regenerations_say_why_there_is_no_number(schema, people):
    evidence = Evidence(schema, people(2, 0), people(2, 1), people(20, 2), further=(people(20, 3),))
    finding = attacks(evidence, ("ldr", "replication"))[-1]
    assert (finding.check, finding.value) == ("attacks.regenerations", None)
    assert finding.note == next(f.note for f in attacks(evidence, ("ldr",)) if f.check == "attacks.membership")


def test_the_chosen_attack_is_run_again_whatever_it_is(schema, people):
    """Only one that is not always run again; with it alone, the ensemble is the same on both tables."""
    evidence = Evidence(schema, people(300, 0), people(200, 1), people(300, 2), further=(people(300, 3),))
    finding = attacks(evidence, ("nndr",))[-1]
    assert {row["check"].split(".")[1] for row in finding.details["attacks"]} == {"nndr", "ensemble"}
    assert finding.details["copies"] == []
    assert np.isfinite(finding.value)
