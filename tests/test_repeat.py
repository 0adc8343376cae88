"""`tabsynth verify FOLDER --data TABLE`: the report says what the tables say, and where it does not, that is found and named."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import visits

from tabsynth import pipeline
from tabsynth.conform import read
from tabsynth.errors import FolderError
from tabsynth.policy import Policy
from tabsynth.repeat import _findings, _tables, repeat
from tabsynth.schema import Schema

FILES = "the report's files are as tabsynth writes them, byte for byte"
SAME = "the data set is that of the report"
TABLES = "the table splits into the training and holdout rows of the report"
FINDINGS = "evaluating again gives the findings of the report"


def test_a_release_of_the_command_line_is_repeated_from_its_table(released, files, run):
    code, out, _ = run("verify", released[0], "--data", files / "toy.csv")
    assert code == 0
    assert [line[:7] for line in out.splitlines()] == ["ok     "] * 16
    told = json.loads((released[0] / "confidential/report.internal.json").read_text())
    assert out.splitlines()[-1] == f"ok     {FINDINGS}: {len(told['findings'])} findings"


@pytest.fixture(scope="module")
def small(tmp_path_factory, visits_schema):
    """A release by another policy and seed, of 140 rows of 70 people, all within the bound of 3 rows, and its table."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("small")
    table = visits(zip(rng.permutation(140) // 2, rng.choice(list("ABC"), 140), rng.integers(0, 10, 140), strict=True))
    policy = Policy.from_dict({
        "format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": {"attribute": {"value": 0.5}, "small_cell": {"value": 3}},
    })  # fmt: skip
    settings = {"epsilon": 1, "model": "independent", "holdout": 0.4, "rows": 90, "target": "days", "seed": 5}
    pipeline.release(table, visits_schema, folder / "out", policy=policy, **settings)
    table.to_csv(folder / "visits.csv", index=False)
    return folder


def told(small) -> dict:
    return json.loads((small / "out/confidential/report.internal.json").read_text())


def test_the_same_table_in_another_form_repeats_policy_seed_target_and_split(small):
    results = repeat(small / "out", pd.read_csv(small / "visits.csv"))
    assert [(r.check, r.holds) for r in results] == [(check, True) for check in (SAME, TABLES, FINDINGS)]
    rows = told(small)["tables"]
    assert results[1].seen == f"{rows['train']['rows']} and {rows['holdout']['rows']} rows"
    assert rows["holdout"]["units"] + rows["train"]["units"] == 70
    assert abs(rows["holdout"]["units"] - 0.4 * 70) < 5 * (0.4 * 0.6 * 70) ** 0.5  # the seed of the split is secret


def test_a_second_release_can_be_divided_like_the_first(small, run, tmp_path):
    settings = ["--schema", tmp_path / "visits.yaml", "--epsilon", 0.5, "--model", "independent", "--out", tmp_path / "second"]
    (tmp_path / "visits.yaml").write_text(Schema.from_dict(told(small)["schema"]).dump())
    code, _, err = run("release", small / "visits.csv", *settings, "--same-split", small / "out", "--quiet")
    assert (code, err) == (0, "")
    second = json.loads((tmp_path / "second/confidential/report.internal.json").read_text())
    assert second["split"] == told(small)["split"]
    assert {name: second["tables"][name] for name in ("train", "holdout")} == {
        name: told(small)["tables"][name] for name in ("train", "holdout")
    }
    shutil.rmtree(tmp_path / "second")
    code, out, err = run("release", small / "visits.csv", *settings, "--same-split", tmp_path / "gone", "--quiet")
    assert (code, out) == (2, "")
    assert "give the output folder of a release, with its confidential part" in err
    assert not (tmp_path / "second").exists()


def test_another_table_is_wrong_and_ends_in_1(small, run, tmp_path):
    table = pd.read_csv(small / "visits.csv")
    table.assign(ward=table["ward"].map({"A": "B", "B": "C", "C": "A"})).to_csv(tmp_path / "other.csv", index=False)
    code, out, err = run("verify", small / "out", "--data", tmp_path / "other.csv", "--quiet", "--json")
    assert (code, err) == (1, "")
    found = json.loads(out)
    assert found["holds"] is False
    assert [check["check"] for check in found["checks"] if not check["holds"]] == [SAME, TABLES, FINDINGS]
    assert found["checks"][-2]["seen"] == "train, holdout differ"


def test_a_report_of_another_data_set_is_wrong(small, tmp_path):
    """The hash of the whole data set is what tells releases of the same people: an edited one is noticed by itself."""
    shutil.copytree(small / "out", tmp_path / "out")
    path = tmp_path / "out/confidential/report.internal.json"
    report = json.loads(path.read_text())
    report["data_set"]["sha256"] = "0" * 64
    path.write_text(json.dumps(report))
    assert [r.check for r in repeat(tmp_path / "out", pd.read_csv(small / "visits.csv")) if not r.holds] == [SAME]


def changed(table: pd.DataFrame, what: str) -> pd.DataFrame:
    table = table.copy()
    match what:
        case "one value":
            table.loc[7, "days"] = (table.loc[7, "days"] + 1) % 10
        case "one value that is missing now":
            table["ward"] = table["ward"].where(table.index != 7, None)
        case "one row less":
            table = table.drop(index=7)
        case "one row twice":
            table = pd.concat([table, table[7:8]])
        case "one person renamed":
            table["person"] = table["person"].replace(table.loc[7, "person"], "somebody")
        case "two rows in each other's place":
            table = table.iloc[[*range(7), 20, *range(8, 20), 7, *range(21, len(table))]]
    return table


def split_again(small, table: pd.DataFrame):
    """The check on tables alone, without the evaluation."""
    report = told(small)
    schema, split = Schema.from_dict(report["schema"]), report["split"]
    parts = pipeline.split(read(table.reset_index(drop=True), schema), schema, **split)
    found = {name: pipeline._extent(part, schema) for name, part in zip(("train", "holdout"), parts, strict=True)}
    return _tables(report["tables"], found)


@pytest.mark.parametrize(
    "what", ["one value", "one value that is missing now", "one row less", "one row twice", "one person renamed",
             "two rows in each other's place"],
)  # fmt: skip
def test_a_small_change_of_the_table_is_noticed(what, small):
    table = pd.read_csv(small / "visits.csv")
    assert split_again(small, table).holds
    result = split_again(small, changed(table, what))
    assert not result.holds
    assert result.seen in ("train differ", "holdout differ", "train, holdout differ")


def test_a_report_without_hashes_is_wrong(small):
    report = told(small)["tables"]
    without = {name: {"rows": table["rows"]} for name, table in report.items()}
    assert not _tables(without, report).holds
    assert _tables(report, report).holds


def edited(findings: list[dict], edit: str) -> tuple[list[dict], str]:
    """Findings with one entry edited, and its name."""
    out = copy.deepcopy(findings)
    one = next(f for f in out if f["verdict"] == "inconclusive" and f["interval"] and f["value"])
    match edit:
        case "verdict":
            one["verdict"] = "pass"
        case "value":
            one["value"] += 0.00001
        case "no value":
            one["value"] = None
        case "reference":
            one["reference"] += 0.001
        case "interval":
            one["interval"][1] -= 0.001
        case "no interval":
            one["interval"] = None
        case "details":
            one["details"]["tolerated"] = 0.9
        case "words":
            one["note"] += " Really."
        case "removed":
            out.remove(one)
        case "renamed":
            one["check"] = "attacks.other"
    return out, one["check"]


@pytest.mark.parametrize(
    "edit",
    [
        "verdict",
        "value",
        "no value",
        "reference",
        "interval",
        "no interval",
        "details",
        "words",
        "removed",
        "renamed",
    ],
)
def test_an_edited_finding_is_named(edit, small):
    findings = told(small)["findings"]
    report, name = edited(findings, edit)
    result = _findings(report, findings)
    assert (result.check, result.holds) == (FINDINGS, False)
    assert name in result.seen
    assert result.seen.startswith(f"{2 if edit == 'renamed' else 1} of {len(report)} differ: ")
    assert not _findings(findings, report).holds


def test_rounding_on_another_machine_is_no_difference(small):
    findings = told(small)["findings"]
    again = copy.deepcopy(findings)
    for each in again:
        each["value"] = each["value"] and each["value"] * (1 + 1e-9)
    assert _findings(findings, again).holds
    assert _findings(findings, again).seen == f"{len(findings)} findings"


def test_an_edited_report_is_wrong_from_the_command_line(small, run, tmp_path):
    shutil.copytree(small / "out", tmp_path / "out")
    report = told(small)
    report["findings"], name = edited(report["findings"], "verdict")
    (tmp_path / "out/confidential/report.internal.json").write_text(json.dumps(report))
    code, out, _ = run("verify", tmp_path / "out", "--data", small / "visits.csv")
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("WRONG")] == [
        f"WRONG  {FILES}: report.internal.json is not",
        f"WRONG  {FINDINGS}: 1 of {len(report['findings'])} differ: {name}",
    ]


def damaged(small, damage: str) -> bytes | None:
    """What stands in the report's place; nothing for a report that is missing."""
    report = told(small)
    match damage:
        case "missing":
            return None
        case "cut":
            return json.dumps(report).encode()[:-200]
        case "bytes":
            return b"\xff\xfe\x81"
        case "too deep":
            return b"[" * 5000
        case "another format":
            report["format"] = "tabsynth.card"
        case "a list":
            report = [report]
        case "a finding without value":
            del report["findings"][0]["value"]
        case _:
            del report[damage.removeprefix("no ")]
    return json.dumps(report).encode()


DAMAGES = {
    "missing": "there is no",
    "cut": "cannot be read as JSON; restore it or make it again.",
    "bytes": "cannot be read as JSON (it is not UTF-8 text); restore it or make it again.",
    "too deep": "cannot be read as JSON (it is nested too deeply); restore it or make it again.",
    "another format": "has the format 'tabsynth.card'",
    "a list": "has the format None",
    "a finding without value": "does not conform to tabsynth.report, version 1: $.findings[0]",
    "no tables": "does not conform to tabsynth.report, version 1: $",
    "no split": "has no split: it was not written by tabsynth release, so it cannot be repeated.",
    "no policy": "has no policy: it was not written by tabsynth release, so it cannot be repeated.",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_report_that_cannot_be_repeated_ends_in_one_sentence(damage, small, run, tmp_path):
    shutil.copytree(small / "out", tmp_path / "out")
    (tmp_path / "out/confidential/report.internal.json").unlink()
    if (content := damaged(small, damage)) is not None:
        (tmp_path / "out/confidential/report.internal.json").write_bytes(content)
    code, out, err = run("verify", tmp_path / "out", "--data", small / "visits.csv")
    assert (code, out) == (2, "")
    assert DAMAGES[damage] in err
    assert len(err.strip().splitlines()) == 1


def test_a_card_is_needed(small, tmp_path):
    """The report of a table made by another tool."""
    shutil.copytree(small / "out", tmp_path / "out")
    (tmp_path / "out/confidential/report.internal.json").write_text(json.dumps(told(small) | {"card": None}))
    with pytest.raises(FolderError, match="has no card: it was not written by tabsynth release"):
        repeat(tmp_path / "out", small / "visits.csv")


def test_a_table_that_is_not_there_ends_in_one_sentence(small, run):
    code, out, err = run("verify", small / "out", "--data", small / "gone.csv", "--quiet")
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
