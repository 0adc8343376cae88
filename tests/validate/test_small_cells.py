"""No count from 1 to 10 can be read off the report's shares; what hides it is no more than it takes, and says so."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from tabsynth.conform import as_types
from tabsynth.schema import Column, Schema, Unit
from tabsynth.validate import attacks, fairness, fidelity
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.small_cells import hidden, suppressed

LEAST = 11


def shares_of(evidence: Evidence) -> list[Finding]:
    found = [f for check in (fidelity.tvd, fidelity.tails, fidelity.categories) for f in check(evidence)]
    return [f.plain() for f in found]


def possible(shares: list, rows: int) -> list[tuple[float, float]]:
    """The least and the most rows that each share can stand for: an attack by whoever knows the table's size and the rule.

    A null stands for at least one row where some share is above 0 (empty bins are shown), and all nulls for what the others leave.
    """
    counts = [None if share is None else share * rows for share in shares]
    left, nulls = rows - sum(c for c in counts if c is not None), sum(c is None for c in counts)
    floor = 1 if nulls < len(counts) else 0
    unknown = (floor, left - floor * (nulls - 1)) if nulls > 1 else (left, left)
    return [unknown if c is None else (c, c) for c in counts]


def recovered(findings: list[Finding], evidence: Evidence) -> list[tuple]:
    """Counts from 1 to 10 of real rows that are certain."""
    details = {f.check: f.details for f in findings}
    out = []
    for name in ("train", "holdout"):
        rows = len(getattr(evidence, name))
        for histogram in details["fidelity.tvd1"]["histograms"]:
            for i, (low, high) in enumerate(possible(histogram[name], rows)):
                if low > 0.5 and high < LEAST - 0.5:
                    out.append((name, histogram["column"], i, low, high))
    for row in details["fidelity.tails"].get("columns", ()):
        for end in ("low", "high"):
            share = row[f"train_{end}"]
            if share is not None and 0.5 < share * len(evidence.train) < LEAST - 0.5:
                out.append(("train", row["column"], end))
    return out


@pytest.fixture
def drawn(schema, people):
    """drawn(rows, seed): evidence on tables of about that size; small ones have small cells everywhere."""

    def make(rows: int, seed: int) -> Evidence:
        return Evidence(schema, people(rows, seed), people(max(1, rows // 2), seed + 500), people(rows, seed + 900), "smoker")

    return make


@pytest.mark.parametrize("rows", [1, 2, 5, 12, 40, 300, 900, 3000])
def test_no_small_count_can_be_recovered_from_the_shares(drawn, rows):
    for seed in range(4):
        evidence = drawn(rows, seed)
        findings = shares_of(evidence)
        assert recovered(findings, evidence), "the attack finds small counts where they are told"
        kept = suppressed(findings, evidence, LEAST)
        assert recovered(kept, evidence) == []


def test_the_hidden_cells_of_random_tables_leave_each_other_free():
    rng = np.random.default_rng(0)
    for _ in range(2_000):
        counts = rng.geometric(rng.choice([0.02, 0.1, 0.5]), rng.integers(1, 12)) - 1
        gone = hidden(counts, LEAST)
        small = (counts > 0) & (counts < LEAST)
        assert gone[small].all()
        assert gone.any() == small.any()
        if gone.any() and not gone.all():
            assert gone.sum() >= 2
            assert counts[gone].sum() - gone.sum() >= LEAST - 1
            assert counts[gone & ~small].max(initial=0) <= counts[~gone & (counts > 0)].min(initial=10**9)


def test_no_more_is_hidden_than_that_takes():
    assert hidden([500, 5, 6, 30, 0], LEAST).tolist() == [False, True, True, True, False], (
        "5 and 6 alone would each be 10 at most"
    )
    assert hidden([500, 9, 10, 30, 0], LEAST).tolist() == [False, True, True, False, False]
    assert hidden([500, 3, 0], LEAST).tolist() == [True, True, False]
    assert hidden([3, 0, 0], LEAST).all()
    assert not hidden([0, 11, 12], LEAST).any()


def test_five_rows_are_told_nothing_about(drawn):
    evidence = drawn(5, 1)
    kept = {f.check: f for f in suppressed(shares_of(evidence), evidence, LEAST)}
    for histogram in kept["fidelity.tvd1"].details["histograms"]:
        assert set(histogram["train"]) | set(histogram["holdout"]) == {None}
        if evidence.schema[histogram["column"]].numeric:
            assert set(histogram["bins"]) <= {None, "missing"}, "the texts would name the five rows' values"
    for row in kept["fidelity.tails"].details["columns"]:
        assert {value for name, value in row.items() if name != "column"} == {None}


def test_hiding_again_changes_nothing_and_the_findings_given_stay_as_they_are(drawn):
    evidence = drawn(300, 0)
    findings = shares_of(evidence)
    before = json.dumps([dataclasses.asdict(f) for f in findings])
    once = suppressed(findings, evidence, LEAST)
    assert suppressed(once, evidence, LEAST) == once
    assert suppressed(once, evidence, 5) == once, "a laxer rule brings nothing back"
    assert json.dumps([dataclasses.asdict(f) for f in findings]) == before
    assert once != findings


@pytest.mark.parametrize("least", [0, 1])
def test_without_a_rule_nothing_is_hidden(drawn, least):
    evidence = drawn(40, 0)
    findings = shares_of(evidence)
    assert suppressed(findings, evidence, least) == findings


def test_the_mark_counts_what_is_null(drawn):
    evidence = drawn(900, 2)
    for finding in suppressed(shares_of(evidence), evidence, LEAST):
        d = finding.details
        nulls = sum(s is None for h in d.get("histograms", ()) for n in ("train", "holdout") for s in h[n])
        nulls += sum(v is None for row in d.get("columns", ()) for v in row.values())
        assert d.get("suppressed", 0) == nulls
        assert ("small_cell" in d) == bool(nulls)


def test_distances_over_all_columns_stay_and_those_that_would_tell_go():
    schema = Schema(
        "rare", (Column("ill", "boolean", nullable=False), Column("age", "integer", minimum=0, maximum=9, nullable=False))
    )
    rng = np.random.default_rng(0)

    def table(ill: int, rows: int) -> pd.DataFrame:
        return as_types(pd.DataFrame({"ill": np.arange(rows) < ill, "age": rng.integers(0, 10, rows)}).astype(object), schema)

    evidence = Evidence(schema, table(5, 2000), table(40, 1000), table(30, 2000))
    findings = shares_of(evidence)
    told = findings[0].details["columns"][0]
    assert round((40 / 1000 - told["reference"]) * 2000) == 5, "the distance to the holdout gives the five away"
    kept = suppressed(findings, evidence, LEAST)
    assert (kept[0].value, kept[0].reference) == (findings[0].value, findings[0].reference)
    assert [row["reference"] for row in kept[0].details["columns"]] == [None, None], "the mean would give one alone away"
    ill = kept[0].details["histograms"][0]
    assert ill["train"].count(None) == 2
    assert ill["holdout"].count(None) == 0


def test_a_cell_is_small_by_its_units_not_by_its_rows():
    columns = (Column("patient", "identifier"), Column("job", "categorical", labels=("clerk", "nurse", "poet")))
    schema = Schema("visits", columns, unit=Unit("patient", 40))
    many = pd.DataFrame({"patient": [f"p{i}" for i in range(600)], "job": ["clerk", "nurse"] * 300})
    three = pd.DataFrame({"patient": np.repeat(["a", "b", "c"], 30), "job": "poet"})
    train = as_types(pd.concat([many, three], ignore_index=True), schema)
    evidence = Evidence(schema, train, as_types(many, schema), train)
    [histogram] = suppressed(fidelity.tvd(evidence), evidence, LEAST)[0].details["histograms"]
    at = dict(zip(histogram["bins"], histogram["train"], strict=True))
    assert at["poet"] is None, "90 rows of 3 patients"
    assert sum(share is None for share in histogram["train"]) == 2


def test_a_label_that_is_not_public_goes_with_its_share():
    schema = Schema("jobs", (Column("job", "categorical", discover=True),))
    jobs = pd.DataFrame({"job": ["clerk"] * 400 + ["nurse"] * 300 + ["king of Spain"] * 2})
    evidence = Evidence(schema, as_types(jobs, schema), as_types(jobs[:600], schema), as_types(jobs[:600], schema))
    text = json.dumps([dataclasses.asdict(f) for f in suppressed(shares_of(evidence), evidence, LEAST)])
    assert "king of Spain" not in text
    assert "clerk" in text


def test_scores_with_few_positives_are_not_told(narrow, people):
    train, holdout, synthetic = (people(400, seed)[list(narrow.names)] for seed in (1, 2, 3))
    holdout["smoker"] = pd.array([True] * 7 + [False] * 393, "boolean")
    evidence = Evidence(narrow, train, holdout, synthetic, "smoker")
    details = {"reference_interval": [0.6, 0.8], "target": "smoker", "positive": "True", "positive_share_holdout": 7 / 400,
               "roc": {"synthetic": {"fpr": [0.0, 1.0], "tpr": [1 / 7, 1.0]}}}  # fmt: skip
    findings = [Finding("utility.boosting.auc", "", 0.7, (0.6, 0.8), 0.7, details=details)]
    for finding in suppressed(findings, evidence, LEAST):
        assert (finding.value, finding.interval, finding.reference) == (None, None, None)
        assert "fewer than 11" in finding.note
        assert finding.details == {"target": "smoker", "suppressed": 1, "small_cell": LEAST}
    assert suppressed(findings, evidence, 7) == findings


@pytest.fixture(scope="module")
def narrow(schema):
    """Three columns of the population."""
    columns = tuple(column for column in schema.columns if column.name in ("age", "job", "smoker"))
    return Schema("people", columns, target="smoker", protected=("job",))


@pytest.fixture(scope="module")
def attacked(narrow, people):
    tables = [people(400, seed)[list(narrow.names)] for seed in (11, 12, 13)]
    for table in tables:
        table["job"] = ["poet"] * 24 + list(table["job"][24:])
        table["smoker"] = table["smoker"].fillna(False).mask(table.index < 5)
    evidence = Evidence(narrow, *tables, "smoker")
    found = attacks.attacks(evidence, ("dcr", "attribute", "replication", "linkability"))
    return evidence, [f.plain() for f in found]


def test_groups_are_not_counted_where_they_are_small(attacked):
    evidence, findings = attacked
    kept = {f.check: f for f in suppressed(findings, evidence, LEAST)}
    told, groups = ({g["group"]: g for g in f["attacks.worst"].details["groups"]} for f in ({f.check: f for f in findings}, kept))
    assert told.keys() == groups.keys(), "the labels are public"
    small = [name for name, g in told.items() if min(g["n_members"], g["n_nonmembers"]) < LEAST]
    assert "job = poet" in small
    assert all(groups[name]["n_members"] is None and groups[name]["n_nonmembers"] is None for name in small)
    jobs = [name for name in groups if name.startswith("job = ") and groups[name]["n_members"] is None]
    assert len(jobs) > 1, "one alone is the whole less the others"
    judged = {name: g["auc"] for name, g in told.items() if g["auc"] is not None}
    assert {name: groups[name]["auc"] for name in judged} == pytest.approx(judged, abs=5e-4)
    for group in groups.values():
        for rate in group["tpr"]:
            assert not {rate["tp"], group["n_members"] - rate["tp"], rate["fp"]} & set(range(1, LEAST))


def test_rates_within_a_group_go_where_they_count_few_people(attacked):
    evidence, _ = attacked
    rate = {"fpr": 0.1, "tp": 30, "fp": 20, "tpr": 0.15, "interval": [0.1, 0.2], "fpr_upper": 0.2, "note": ""}
    few = [{"tp": 4}, {"fp": 4}, {"tp": 196}, {"fp": 196}]
    group = {
        "group": "smoker = True",
        "n_members": 200,
        "n_nonmembers": 200,
        "auc": 0.5,
        "interval": [0.4, 0.6],
        "stands_out": False,
    }
    finding = Finding("attacks.worst", "", 0.0, details={"groups": [group | {"tpr": [rate, *(rate | each for each in few)]}]})
    [kept] = suppressed([finding], evidence, LEAST)
    assert kept.details == {"groups": [group | {"tpr": [rate]}], "suppressed": 4, "small_cell": LEAST}


def test_results_of_attacks_stay(attacked):
    evidence, findings = attacked
    for before, after in zip(findings, suppressed(findings, evidence, LEAST), strict=True):
        assert before.verdict == after.verdict
        if not before.check.startswith(("attacks.worst", "attacks.attribute")):
            assert before == after


def test_a_blind_guess_does_not_count_a_rare_disease(narrow, people):
    tables = [people(400, seed)[list(narrow.names)] for seed in (21, 22, 23)]
    for table, ill in zip(tables[:2], (7, 7), strict=True):
        table["smoker"] = pd.array([True] * ill + [False] * (400 - ill), "boolean")
    evidence = Evidence(narrow, *tables, "smoker")
    findings = [f.plain() for f in attacks.attacks(evidence, ("attribute",))]
    smoker = next(f for f in suppressed(findings, evidence, LEAST) if f.check == "attacks.attribute.smoker")
    before = next(f for f in findings if f.check == "attacks.attribute.smoker")
    for name, result in smoker.details["attackers"].items():
        told = before.details["attackers"][name]
        few = 0 < round(told["n_nonmembers"] * (1 - told["baseline_nonmembers"])) < LEAST
        assert few
        assert result["baseline_nonmembers"] is None
        assert result["population_inference"] is None
        assert result["accuracy_members"] == told["accuracy_members"]


def test_how_many_lack_a_value_is_not_told_by_the_guesses_about_it(attacked):
    evidence, findings = attacked
    asked = len(evidence.holdout)
    seen = 0
    for before, after in zip(findings, suppressed(findings, evidence, LEAST), strict=True):
        for name, told in before.details["attackers"].items() if before.check.startswith("attacks.attribute.") else ():
            result = after.details["attackers"][name]
            if not {asked - told["n_members"], asked - told["n_nonmembers"]} & set(range(1, LEAST)):
                assert result["n_members"] == told["n_members"]
                continue
            seen += 1
            assert {result[size] for size in ("members", "n_members", "nonmembers", "n_nonmembers", "confident")} == {None}
            assert result["accuracy_members"] == round(told["accuracy_members"], 3)
            assert after.value == round(before.value, 3)
            assert after.details["needed_nonmembers"] is None
    assert seen


def test_groups_of_the_fairness_check_are_hidden_with_their_complement(narrow, people):
    evidence = Evidence(narrow, *(people(900, seed)[list(narrow.names)] for seed in (31, 32, 33)), "smoker")
    findings = [f.plain() for f in fairness.fairness(evidence)]
    kept = {f.check: f for f in suppressed(findings, evidence, LEAST)}
    for name in ("train", "holdout"):
        counts = {row["group"]: row["rows"][name] for row in kept["fairness.representation"].details["groups"]}
        assert counts["poet"] is None
        assert list(counts.values()).count(None) == 2
        shares = [row[name] for row in kept["fairness.representation"].details["groups"]]
        assert [share is None for share in shares] == [count is None for count in counts.values()]
    for row in kept["fairness.outcome"].details["groups"]:
        assert all(n is None or n >= LEAST for n in row["units"].values())
    poet = next(row for row in kept["fairness.parity"].details["groups"] if row["group"] == "poet")
    assert poet["synthetic"] is None
    assert poet["real"] is None
    assert kept["fairness.parity"].value == next(f for f in findings if f.check == "fairness.parity").value


def test_a_change_that_would_tell_a_hidden_share_is_not_told():
    columns = (Column("ill", "boolean", nullable=False), Column("age", "integer", minimum=0, maximum=120, nullable=False))
    schema = Schema("rare", columns, protected=("ill", "age"))
    rare, usual = (
        as_types(pd.DataFrame({"ill": np.arange(24) < ill, "age": range(24)}).astype(object), schema) for ill in (3, 12)
    )
    findings = [f.plain() for f in fairness.fairness(Evidence(schema, rare, rare, usual))]
    assert findings[0].details["most"] == {"column": "ill", "group": "False"}
    [kept, *_] = suppressed(findings, Evidence(schema, rare, rare, usual), LEAST)
    assert kept.value is None
    assert kept.note
    assert {row["holdout"] for row in kept.details["groups"]} == {None}
    assert {row["group"] for row in kept.details["groups"] if row["column"] == "age"} == {"not shown"}, "six ages each"


def test_those_whom_no_group_of_a_column_counts_are_not_told_either(attacked):
    evidence, _ = attacked
    membership = Finding("attacks.membership", "", 0.1, details={"n_members": 205, "n_nonmembers": 200})
    sizes = {"smoker = True": (120, 100), "smoker = False": (80, 100)}
    groups = [{"group": g, "n_members": n, "n_nonmembers": m, "auc": None, "tpr": []} for g, (n, m) in sizes.items()]
    worst = Finding("attacks.worst", "", 0.0, details={"groups": groups})
    kept = suppressed([membership, worst], evidence, LEAST)[1].details["groups"]
    assert [group["n_members"] for group in kept] == [120, None], "five members have no value for it"
