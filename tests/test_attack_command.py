"""`tabsynth attack`: leaks are caught, storage does not matter, units count, and bad requests end in one sentence.

Tables have 240 members and 240 non-members; two cheap attacks and the copies stand for all, the others have tests of their own.
"""

import json
import signal
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import toy_rows
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import tabsynth
from tabsynth import cli
from tabsynth.attack import summary
from tabsynth.errors import DataError, OptionError
from tabsynth.guess import guess
from tabsynth.policy import Policy
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import ATTACKS, OTHERS
from tabsynth.validate.attacks._challenge import design

SOME = ("dcr", "ldr", "replication")
ROWS = 240


def rows(seed: int, n: int = ROWS) -> pd.DataFrame:
    """Rows of the toy table, without its identifier."""
    return toy_rows(n, seed).drop(columns="id")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, toy_schema):
    """Members `m`, non-members `h`, a fresh table `s`, reference rows `r`, each as CSV and Parquet, and a schema."""
    out = tmp_path_factory.mktemp("attack")
    for seed, name in enumerate("mhsr"):
        rows(seed).to_csv(out / f"{name}.csv", index=False)
        rows(seed).to_parquet(out / f"{name}.parquet", index=False)
    described = toy_schema.to_dict()
    del described["columns"]["id"]
    (out / "toy.yaml").write_text(json.dumps(described))
    (out / "empty.csv").write_text("age,cost,ward,level,sick,seen,at,score,drug\n")
    (out / "bytes.csv").write_bytes(b"\x81\xfe\x00age,\x00\x81" * 50)
    rows(4, 1).to_csv(out / "one.csv", index=False)
    rows(4, 3).to_csv(out / "three.csv", index=False)
    rows(4).drop(columns="age").to_csv(out / "less.csv", index=False)
    rows(4).assign(more=1).to_csv(out / "more.csv", index=False)
    rows(4).assign(age=rows(4).age.astype(str) + " years").to_csv(out / "years.csv", index=False)
    return out


@pytest.fixture(scope="module")
def run():
    """Run a command line in this process, and return its exit code."""

    def call(*arguments):
        patch, before = pytest.MonkeyPatch(), {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        with patch.context() as patched, pytest.raises(SystemExit) as stop:
            patched.setattr(sys, "argv", ["tabsynth", *map(str, arguments)])
            cli.main()
        for number, handler in before.items():
            signal.signal(number, handler)
        return stop.value.code

    return call


def line(folder, **options):
    """The attack command on the fresh table, with options replaced or added."""
    given = {"members": "m.csv", "non-members": "h.csv", "synthetic": "s.csv"} | options
    files = ("members", "non-members", "synthetic", "reference", "schema", "regeneration", "json")
    return ["attack", *(str(part) for n, v in given.items() for part in (f"--{n}", folder / v if n in files else v))]


@pytest.fixture(scope="module")
def leaked(folder, run):
    """The members released as they are, through the command line; beside a table that is not."""
    arguments = line(folder, synthetic="m.csv", regeneration="s.csv", attacks=",".join(SOME), json="new/leak.json")
    assert run(*arguments) == 0
    return json.loads((folder / "new/leak.json").read_text())


def found(result) -> dict:
    return {finding["check"]: finding for finding in result["findings"]}


def test_the_members_released_as_they_are_are_caught(leaked):
    findings = found(leaked)
    assert findings["attacks.replication"]["details"]["levels"][1]["excess"] == 1
    for check in ("attacks.replication", "attacks.membership"):
        assert findings[check]["verdict"] == "fail"
    assert findings["attacks.controls"]["verdict"] == "pass"
    assert findings["attacks.dcr.standardised"]["value"] > 0.99
    assert leaked["attacks"] == list(SOME)
    assert {name: table["rows"] for name, table in leaked["tables"].items()} == dict.fromkeys(
        ("members", "non_members", "synthetic", "regeneration 1"), ROWS
    )
    assert leaked["tables"]["members"]["sha256"] == leaked["tables"]["synthetic"]["sha256"]
    assert leaked["tables"]["members"]["sha256"] != leaked["tables"]["non_members"]["sha256"]
    kinds = {name: column["kind"] for name, column in leaked["schema"]["columns"].items()}
    assert kinds == {
        "age": "integer", "cost": "float", "ward": "categorical", "level": "integer", "sick": "boolean", "seen": "date",
        "at": "datetime", "score": "float", "drug": "categorical",
    }  # fmt: skip


def test_the_file_is_what_its_schema_says(leaked, repo):
    known = {
        name: json.loads((repo / f"schemas/{name}.schema.json").read_text()) for name in ("schema", "card", "report", "attack")
    }
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in known.values())
    validator = Draft202012Validator(known["attack"], registry=registry)
    Draft202012Validator.check_schema(known["attack"])
    assert [error.message for error in validator.iter_errors(leaked)] == []
    broken = (leaked | {"private": True}, leaked | {"scores": [1.0]}, leaked | {"findings": [{"check": "attacks.ldr.raw"}]})
    assert all(list(validator.iter_errors(document)) for document in broken)


def test_no_list_in_the_file_has_an_entry_for_every_member(leaked):
    """The scores stay inside: curves have 101 points, and no other list is as long as a side of the challenge."""

    def lengths(value):
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return ([len(value)] if isinstance(value, list) else []) + [n for child in children for n in lengths(child)]

    assert max(lengths(leaked)) < ROWS / 2


def test_regenerations_vary_while_the_release_is_judged_alone(leaked):
    spread = leaked["regenerations"]
    assert spread["tables"] == 2
    assert {row["check"] for row in spread["attacks"]} >= {f"attacks.{name}.rank" for name in SOME[:2]}
    for row in spread["attacks"][:6]:
        auc = row["auc"]
        assert auc["max"] == found(leaked)[row["check"]]["value"] > 0.9
        assert auc["min"] < 0.65
        assert auc["median"] == pytest.approx((auc["min"] + auc["max"]) / 2)
        assert row["tpr"]["min"] <= row["tpr"]["median"] <= row["tpr"]["max"]


def test_the_terminal_says_it_in_plain_words(leaked):
    text = "\n".join(summary(leaked))
    for said in (
        "CONFIDENTIAL, must not leave", "sick (yes or no)", "seen (date)", "FAIL", "PASS          Controls", "240 of 240 members, 0 of 240",
        "chosen on one half of the units", "all attacks together", "0 of 8 outside", "2 tables; ",
    ):  # fmt: skip
        assert said in text, said
    voided = leaked | {
        "findings": [f | {"verdict": "fail"} if f["check"] == "attacks.controls" else f for f in leaked["findings"]]
    }
    assert "no pass counts" in "\n".join(summary(voided))


def test_parquet_gives_the_same_findings_and_reference_rows_free_the_non_members(folder, leaked):
    tables = [pd.read_parquet(folder / "m.parquet"), folder / "h.parquet", folder / "m.parquet"]
    assert json.loads(json.dumps(tabsynth.attack(*tables, attacks=SOME)["findings"])) == leaked["findings"]
    given = found(tabsynth.attack(*tables, reference=folder / "r.parquet", attacks="ldr"))["attacks.ldr.raw"]
    assert given["details"]["n_nonmembers"] == ROWS == 2 * found(leaked)["attacks.ldr.raw"]["details"]["n_nonmembers"]


def test_a_given_reference_is_the_reference(toy_schema):
    members, others, synthetic, known = (toy_rows(20, seed) for seed in range(4))
    challenge = design(Evidence(toy_schema, members, others, synthetic, reference=known))
    assert len(challenge.rows) == 40
    pd.testing.assert_frame_equal(challenge.reference.sort_index(), known)
    assert len(design(Evidence(toy_schema, members, others, synthetic)).reference) == 10


def test_a_schema_changes_next_to_nothing(folder):
    """Half of the members are released. Public ranges add what is missing nowhere, and clamp nothing."""
    synthetic = pd.concat([rows(0)[: ROWS // 2], rows(2)[ROWS // 2 :]])
    tables = folder / "m.csv", folder / "h.csv", synthetic
    with_schema, without = (found(tabsynth.attack(*tables, schema=s, attacks="ldr")) for s in (folder / "toy.yaml", None))
    assert 0.6 < without["attacks.ldr.rank"]["value"] < 0.9
    for scaling in ("raw", "standardised", "rank"):
        check = f"attacks.ldr.{scaling}"
        assert with_schema[check]["value"] == pytest.approx(without[check]["value"], abs=0.05)


def test_units_are_people(folder):
    """Two rows a person; everything is stated of persons, and no row is cut."""
    rng = np.random.default_rng(0)

    def people(first):
        frame = rows(first).assign(person=[f"{first}.{i // 2}" for i in range(ROWS)])
        return frame.iloc[rng.permutation(ROWS)]

    members = people(0)
    result = tabsynth.attack(members, people(1), members, unit="person", attacks=("dcr", "replication"))
    assert result["schema"]["unit"] == {"key": "person", "max_rows": ROWS}
    assert result["tables"]["members"].items() >= {"rows": ROWS, "units": ROWS // 2}.items()
    assert result["schema"]["columns"]["person"] == {"kind": "identifier"}
    findings = found(result)
    assert findings["attacks.dcr.standardised.unit"]["details"]["n_members"] == ROWS // 4
    assert findings["attacks.replication"]["details"]["levels"][0]["n_members"] == ROWS // 2


def test_names_of_attacks():
    with pytest.raises(OptionError, match="'nosuch'; allowed are") as error:
        tabsynth.attack(rows(0), rows(1), rows(2), attacks=["ldr", "nosuch"])
    assert all(name in str(error.value) for name in (*ATTACKS, *OTHERS))
    result = tabsynth.attack(rows(0, 9), rows(1, 9), rows(2, 9), attacks="replication")
    assert result["attacks"] == ["replication"]
    assert "attacks.replication" in found(result)
    assert not [check for check in found(result) if check.startswith("attacks.ldr")]
    assert summary(result)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", None, "NA"], "integer"),
        (["1", "2.5", "1e3", "nan"], "float"),
        ([str(2**60), "1"], "float"),
        (["007", "12"], "categorical"),
        (["yes", "No"], "boolean"),
        (["0", "1"], "integer"),
        (["2020-01-31", "?"], "date"),
        (["2020-01-31", "2020-01-31 10:00:00"], "datetime"),
        (["1", "two"], "categorical"),
        ([None, None], "categorical"),
        ([1.0, np.nan], "integer"),
        ([1.0, np.inf], "float"),
        (["1", "inf"], "float"),
        ([True, False], "boolean"),
        (pd.to_datetime(["2020-01-31", "2020-02-01"]), "date"),
    ],
)
def test_how_a_column_is_read(values, kind):
    assert guess({"members": pd.DataFrame({"x": values})})["x"].kind == kind


def test_tables_are_read_alike_or_refused():
    def read_as(*columns):
        return guess({f"table {i}": pd.DataFrame({"x": column}) for i, column in enumerate(columns)})["x"].kind

    assert read_as([1, 2], [1.5, 2.5]) == "float"
    assert read_as([1, 2], ["3", "4"]) == "integer"
    assert read_as([True, False], [1, 0]) == "boolean"
    assert read_as(["1", "2"], ["a", "b"]) == "categorical"
    with pytest.raises(DataError, match="integer in table 0, categorical in table 1; store it alike"):
        read_as([1, 2], ["a", "b"])
    unique = pd.DataFrame({"x": [f"p{i}" for i in range(50)], "y": 1})
    assert "identifier" in guess({"members": unique})["x"].description
    assert guess({"members": unique}, unit="x")["x"].kind == "identifier"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"members": "gone.csv"}, "there is no file"),
        ({"synthetic": "empty.csv"}, "synthetic has no rows"),
        ({"regeneration": "empty.csv"}, "regeneration 1 has no rows"),
        ({"members": "one.csv"}, "members has only 1 row(s); at least 2 are needed"),
        ({"non-members": "three.csv"}, "non_members has only 3 row(s); at least 4 are needed; half of them serve as reference"),
        ({"non-members": "one.csv", "reference": "r.csv"}, "non_members has only 1 row(s); at least 2 are needed."),
        ({"synthetic": "less.csv"}, "synthetic has no column 'age', which members has"),
        ({"synthetic": "more.csv"}, "synthetic has a column 'more', which members has not"),
        ({"reference": "less.csv"}, "reference has no column 'age'"),
        ({"synthetic": "less.csv", "schema": "toy.yaml"}, "synthetic has no column 'age', which schema 'toy' has"),
        ({"members": "m.parquet", "synthetic": "years.csv"}, "column 'age' is stored differently: integer in members"),
        ({"members": "bytes.csv"}, "bytes.csv is refused because of line 1: its bytes are not utf-8"),
        ({"schema": "gone.yaml"}, "there is no schema file"),
        ({"unit": "nosuch"}, "unit is 'nosuch'; name one of the columns age, cost"),
        ({"unit": "ward", "schema": "toy.yaml"}, "unit is 'ward', but the schema's unit.key is None"),
        ({"attacks": "ldr,gpt"}, "attacks names 'gpt'; allowed are"),
        ({"attacks": ""}, "attacks names ''; allowed are"),
        ({"seed": "-1"}, "seed is -1"),
        ({"json": "."}, "is a folder or lies in a file"),
        ({"json": "m.csv/x.json"}, "is a folder or lies in a file"),
        ({"json": "m.csv"}, "is one of the input files"),
    ],
    ids=lambda v: " ".join(map("=".join, v.items())) if isinstance(v, dict) else None,
)
def test_bad_requests_end_in_one_sentence_and_leave_nothing(options, says, folder, run, capsys):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert run(*line(folder, **{"json": "bad.json", **options})) == 2
    seen = capsys.readouterr()
    assert says in seen.err.strip().splitlines()[-1]
    assert "Traceback" not in seen.err
    assert seen.out == ""
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_quiet_and_progress(folder, run, capsys):
    arguments = line(folder, attacks="replication", json="quiet.json")
    assert run(*arguments, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    seen = []
    tabsynth.attack(
        *(rows(seed, 9) for seed in range(3)),
        regeneration=[rows(3, 9)],
        attacks="dcr",
        progress=lambda what, done: seen.append((what, done)),
    )
    parts = [what.partition(": ")[0] for what, _ in seen]
    assert list(dict.fromkeys(parts)) == ["reading", "attacking synthetic", "attacking regeneration 1", "done"]
    assert "attacking synthetic: distance to the closest record" in [what for what, _ in seen]
    assert [done for _, done in seen] == sorted(done for _, done in seen)


def test_the_attack_that_knows_what_was_measured_can_be_the_strongest(run, folder, capsys):
    assert run(*line(folder, attacks="focal")) == 0
    assert "Membership by the tables that the generator measured" in capsys.readouterr().out


def test_sizes_of_small_groups_are_hidden_as_the_policy_says(folder):
    """Groups by ward of about 40 members: shown by the rule of 11, hidden by one of 100."""
    tables = [folder / f"{name}.csv" for name in "mhs"]
    strict = {"format": "tabsynth.policy", "version": 1, "name": "strict", "thresholds": {"small_cell": {"value": 100}}}
    sizes = {}
    for least, policy in ((11, "default"), (100, Policy.from_dict(strict))):
        result = tabsynth.attack(*tables, attacks="dcr", policy=policy)
        assert result["policy"]["thresholds"]["small_cell"]["value"] == least
        sizes[least] = [g["n_members"] for g in found(result)["attacks.worst"]["details"]["groups"] if "ward" in g["group"]]
    assert len(sizes[11]) == len(sizes[100]) > 1
    assert all(sizes[11])
    assert not any(sizes[100])
