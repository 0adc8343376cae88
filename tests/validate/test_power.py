"""Whether a pass counts: leaks that are planted, and guarantees that settle a claim."""

import dataclasses

import pytest

from tabsynth.validate import Evidence, Finding
from tabsynth.validate.attacks._power import COPIES, WHOLE, by_guarantee, confirmed, planted, without_guarantee
from tabsynth.validate.features import row_ids

MEASURED = {
    verdict: Finding("attacks.x", "", 0.1, verdict=verdict, details={"kept": 1}) for verdict in ("pass", "fail", "inconclusive")
}


@pytest.mark.parametrize(("leak", "copied"), [(WHOLE, 300), (COPIES, 15)])
def test_a_planted_table_has_so_many_training_rows(schema, people, leak, copied):
    evidence = Evidence(schema, people(200, 0), people(50, 1), people(300, 2), further=(people(5, 3),))
    found = planted(evidence, leak)
    train, before, after = row_ids([evidence.train, evidence.synthetic, found.synthetic], schema)
    same = [row in set(train) for row in after]
    assert sum(same) == copied
    assert [a for a, copy in zip(after, same, strict=True) if not copy] == [
        b for b, copy in zip(before, same, strict=True) if not copy
    ]
    assert len(set(after) & set(train)) == min(copied, 200)
    assert found.further == ()


def test_a_check_that_sees_no_leak_does_not_pass():
    for verdict, finding in MEASURED.items():
        for sees in (True, False):
            found = confirmed(finding, {WHOLE: sees, COPIES: False})
            assert found.verdict == ("inconclusive" if verdict == "pass" and not sees else verdict)
            assert found.details == {"kept": 1, "power": {WHOLE: sees, COPIES: False}, "blind": not sees}


@pytest.mark.parametrize(("allowed", "settled"), [(0.01, True), (0.02, True), (0.021, False)])
def test_a_guarantee_settles_what_no_measurement_fails(allowed, settled):
    for verdict, finding in MEASURED.items():
        found = by_guarantee(finding, allowed, 0.02)
        settles = settled and verdict != "fail"
        assert found.verdict == ("pass" if settles else verdict)
        assert found.details["by_guarantee"] == {
            "allowed": allowed, "tolerated": 0.02, "settled": settles, "measured": verdict,
        }  # fmt: skip
        (back,) = without_guarantee([found])
        assert back.verdict == verdict
        assert not back.details["by_guarantee"]["settled"]


def test_no_guarantee_and_no_number_settle_nothing():
    unknown = dataclasses.replace(MEASURED["inconclusive"], value=None)
    assert by_guarantee(unknown, 0.01, 0.02) == unknown
    assert by_guarantee(MEASURED["inconclusive"], None, 0.02) == MEASURED["inconclusive"]
    assert without_guarantee([unknown]) == [unknown]
