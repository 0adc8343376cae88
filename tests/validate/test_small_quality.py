"""The small-cell rule for columns and relations: nothing that few people are behind is told, nor what it could be computed from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tabsynth.validate import Evidence
from tabsynth.validate.columns import columns
from tabsynth.validate.hiding import hidden_in_table
from tabsynth.validate.relations import relations
from tabsynth.validate.small_cells import suppressed

LEAST = 11


@pytest.fixture(scope="module")
def found(schema, people):
    evidence = Evidence(schema, people(300, 0), people(150, 1), people(300, 2))
    return evidence, suppressed([*columns(evidence), *relations(evidence)], evidence, LEAST)


def test_ends_are_never_told_and_shares_of_few_people_neither(found):
    evidence, (told, _) = found
    job = evidence.train.job.value_counts()
    assert 0 < job["poet"] < LEAST
    rows = [(row["column"], number) for row in told.details["columns"] for number in row["numbers"]]
    assert not any("people" in number for _, number in rows)
    for name, number in rows:
        if number["what"] in ("bottom", "top") and name in ("income", "weight", "seen"):
            assert number["train"] is number["holdout"] is None
            assert number["off"] is None or np.log10(number["off"]) % 1 == 0
        if (name, number["of"]) == ("job", "poet"):
            assert number["train"] is number["off"] is number["surely"] is number["usual"] is None
    assert any(number["what"] == "mean" and number["train"] is not None for _, number in rows)
    assert told.details["suppressed"] > 0


def test_no_one_person_s_value_stands_in_the_findings(found):
    evidence, shown = found
    text = json.dumps([finding.details for finding in shown])
    for name in ("income", "weight"):
        for end in (evidence.train[name].max(), evidence.holdout[name].min()):
            assert f"{end:.6g}" not in text


def test_cells_that_are_drawn_hold_no_few_people(found):
    evidence, (_, told) = found
    assert told.details["drawn"]
    for table in told.details["drawn"]:
        for share in (share for line in table["train"] for share in line if share):
            assert share * len(evidence.train) > LEAST - 1


def test_a_hidden_cell_cannot_be_computed_from_its_row_and_column():
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 40, (4, 5))
        gone = hidden_in_table(counts, LEAST)
        assert gone[(counts > 0) & (counts < LEAST)].all()
        for line, hid in ((counts, gone), (counts.T, gone.T)):
            for people, hide in zip(line, hid, strict=True):
                assert not hide.any() or hide.sum() >= 2
                assert not hide.any() or hide.all() or people[hide].sum() - hide.sum() >= LEAST - 1
