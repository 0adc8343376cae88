"""Copies and linkage in the report: what decides, what the test would have seen, and the guarantee; by findings of the checks themselves."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from tabsynth.report import report
from tabsynth.report.claims import FAIL, INCONCLUSIVE, PASS, by_check, claims
from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import linkability, replication

from . import sample
from .test_formats import errors

SCHEMA = Schema("t", tuple(Column(f"x{i}", "float", minimum=-9.0, maximum=9.0, nullable=False) for i in range(4)))


def rows(count, seed):
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(count, 4)), columns=list(SCHEMA.names))


def told(train, holdout, synthetic, guarantee=None):
    """A report with these two findings in the sample's place."""
    evidence = Evidence(SCHEMA, train, holdout, synthetic, guarantee=guarantee)
    found = [dataclasses.asdict(f.plain()) for f in (replication.check(evidence), *linkability.check(evidence))]
    data = sample.report()
    data["findings"] = [next((f for f in found if f["check"] == old["check"]), old) for old in data["findings"]]
    return json.loads(json.dumps(data))


def said(data, what="rows"):
    return {claim.title: claim for claim in claims(by_check(data), None, what)}


@pytest.fixture(scope="module")
def healthy():
    return told(rows(700, 0), rows(300, 1), rows(700, 2))


def test_the_sentence_is_about_rows_unlike_anybody_elses(healthy):
    claim = said(healthy)["Does not copy rows"]
    assert claim.verdict == PASS
    assert claim.sentence.startswith(
        "0 of 700 training rows are unlike anybody else's and occur exactly in the synthetic table, against 0 of 300 holdout rows"
    )
    assert "700 training units have rows that are unlike" in said(healthy, "units")["Does not copy rows"].sentence


def test_the_json_schema_describes_the_details(healthy):
    assert errors("report", healthy) == []
    broken = json.loads(json.dumps(healthy))
    next(f for f in broken["findings"] if f["check"] == "attacks.replication")["details"]["levels"][0]["rows"] = "some"
    assert errors("report", broken)


def test_levels_power_and_ceiling_are_drawn(healthy):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", report(healthy)))
    assert "exact copies of rows unlike anybody else" in text
    assert "of that to other real rows" in text
    assert "training rows, numbers moved: FAIL" in text
    assert "training rows: FAIL; 5 % copies: no failure" in text
    assert "Records that were linked under most of 5 ways" in text
    assert "Training rows in the place of 5 % of the synthetic rows" in text


def test_an_open_claim_says_what_would_not_be_noticed():
    found = said(told(rows(30, 0), rows(10, 1), rows(30, 2)))["Does not copy rows"]
    assert found.verdict == INCONCLUSIVE
    assert found.sentence.endswith(
        "this check would not notice 5 % copies in the synthetic table's place; a larger holdout helps."
    )


def test_a_guarantee_that_settles_a_claim_comes_first_and_a_failure_stays_one():
    strong = Tradeoff(0.1, 1e-6, 0.02)
    settled = said(told(rows(30, 0), rows(60, 1), rows(300, 2), strong))
    for title, done in (("Does not copy rows", "copied"), ("Linkage within tolerance", "linked")):
        assert settled[title].verdict == PASS
        assert settled[title].sentence.startswith("By the guarantee, and the engine withstood its audit: at most ")
        assert f"of members are {done} because they were training data" in settled[title].sentence
    train = rows(60, 0)
    leaky = said(told(train, rows(60, 1), train, strong))
    assert {leaky[title].verdict for title in ("Does not copy rows", "Linkage within tolerance")} == {FAIL}
