"""Policies: each threshold says where it comes from, a change is kept in sight, and a bad policy ends in one sentence before any fit."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import visits
from jsonschema import Draft202012Validator

from tabsynth.cli._options import policy_option
from tabsynth.errors import PolicyError
from tabsynth.policy import CONTEXT, FOLDER, PROFILES, Policy
from tabsynth.yaml_file import read_yaml

OWN = {"format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": {}}


def own(thresholds: dict | None = None, **entries) -> dict:
    """A policy file's contents."""
    return OWN | {"thresholds": thresholds or {}} | entries


@pytest.fixture(scope="module")
def published(repo) -> dict:
    return json.loads((repo / "schemas/policy.schema.json").read_text(encoding="utf-8"))


def test_the_profiles_are_the_same_everywhere(published, run):
    Draft202012Validator.check_schema(published)
    assert published["properties"]["based_on"]["enum"] == list(PROFILES)
    named = re.match(r"Thresholds: (.+), or a YAML file of your own\.", policy_option(lambda: None).__click_params__[0].help)
    assert named[1].split(", ") == list(PROFILES)
    told = re.search(r"thresholds of ([^.]+), with", " ".join(run("policy", "--help")[1].split()))
    assert re.split(", | or ", told[1]) == list(PROFILES)
    assert list(published["properties"]["context"]["properties"]) == list(CONTEXT)


@pytest.mark.parametrize("name", PROFILES)
def test_every_shipped_policy_says_where_each_threshold_comes_from(name, published):
    data = read_yaml(FOLDER / f"{name}.yaml", "policy", PolicyError)
    Draft202012Validator(published).validate(data)
    assert data["name"] == name
    policy = Policy.load(name)
    assert list(policy.thresholds) == list(published["properties"]["thresholds"]["properties"])
    assert policy.name == policy.based_on == name
    assert policy.description
    kinds = set(published["$defs"]["threshold"]["properties"]["kind"]["enum"]) - {"own"}
    for threshold in policy.thresholds.values():
        assert len(threshold.source) > 20
        assert threshold.kind in kinds
        assert threshold.value == threshold.shipped
        assert threshold.reason == ""


def test_a_shipped_policy_states_its_own_and_takes_the_rest_from_the_one_below():
    default, nist = Policy.load("default"), Policy.load("nist")
    assert (default["epsilon"], default["membership_mu"], default["small_cell"]) == (10, 0.5, 11)
    assert nist["epsilon"] == 1
    assert nist.thresholds["copies"] == default.thresholds["copies"]
    assert [name for name in PROFILES if Policy.load(name).guarantee_required] == ["nist"]


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_printed_is_a_file_that_says_the_same(name, run, tmp_path):
    code, out, err = run("policy", name)
    assert (code, err) == (0, "")
    (tmp_path / "p.yaml").write_text(out)
    policy, shipped = Policy.load(tmp_path / "p.yaml"), Policy.load(name)
    assert policy.thresholds == shipped.thresholds
    assert policy.name == f"copy of {name}"
    assert (policy.based_on, policy.guarantee_required) == (name, shipped.guarantee_required)
    assert policy.context == dict.fromkeys(CONTEXT, "")


def test_without_a_name_the_default_policy_is_printed(run):
    assert run("policy")[1] == run("policy", "default")[1]


def test_a_changed_policy_is_printed_as_it_is(tmp_path):
    """What has no source is printed without one, for an empty one is refused; a long name stays within the limit."""
    policy = Policy.from_dict(own({"epsilon": {"value": 3, "reason": "few rows"}, "copies": {"value": 0.2}}, name="n" * 80))
    (tmp_path / "p.yaml").write_text(policy.dump())
    assert Policy.load(tmp_path / "p.yaml").thresholds == policy.thresholds


def test_a_changed_value_loses_its_source_and_keeps_what_was_shipped_and_why():
    policy = Policy.from_dict(own({"residual_risk": {"value": 0.2, "reason": "a closed room"}}, based_on="ema"))
    changed, shipped = policy.thresholds["residual_risk"], Policy.load("ema").thresholds["residual_risk"]
    assert dataclasses.asdict(changed) == {
        "value": 0.2, "source": "", "kind": "own", "shipped": shipped.value, "reason": "a closed room",
    }  # fmt: skip
    assert policy["residual_risk"] == 0.2
    others = {name: each for name, each in policy.thresholds.items() if name != "residual_risk"}
    assert others == {name: each for name, each in Policy.load("ema").thresholds.items() if name != "residual_risk"}


def test_the_source_of_another_value_is_not_taken_over():
    """As when the value of a printed policy is edited and nothing else."""
    shipped = Policy.load("default").thresholds["epsilon"]
    edited = {"value": 20, "kind": shipped.kind, "source": shipped.source}
    changed = Policy.from_dict(own({"epsilon": edited})).thresholds["epsilon"]
    assert (changed.kind, changed.source, changed.shipped) == ("own", "", 10)
    cited = Policy.from_dict(own({"epsilon": {"value": 4, "kind": "guidance", "source": "Our board, 2026."}})).thresholds[
        "epsilon"
    ]
    assert (cited.kind, cited.source) == ("guidance", "Our board, 2026.")
    same = Policy.from_dict(own({"epsilon": {"value": 10.0}})).thresholds["epsilon"]
    assert same == shipped


def test_what_is_stated_replaces_what_the_base_says():
    given = {"description": "Ours.", "guarantee_required": False, "context": {"recipients": "One hospital"}}
    policy = Policy.from_dict(own(based_on="nist", **given))
    assert {name: getattr(policy, name) for name in given} == given
    assert Policy.from_dict(own(based_on="nist")).guarantee_required is True


@pytest.mark.parametrize("name", PROFILES)
def test_restored_from_the_report_it_is_the_same(name):
    changed = Policy.from_dict(own({"copies": {"value": 0.05, "reason": "why"}}, based_on=name, context={"access": "open"}))
    for policy in (Policy.load(name), changed):
        assert Policy.restore(json.loads(json.dumps(policy.to_dict()))) == policy


BAD = {
    "unknown threshold": (own({"dcr": {"value": 1}}), "'dcr' was unexpected"),
    "no value": (own({"copies": {"reason": "x"}}), "'value' is a required property"),
    "not a mapping": (own({"copies": 0.1}), "$.thresholds.copies"),
    "text": (own({"copies": {"value": "0.1"}}), "$.thresholds.copies.value"),
    "true": (own({"epsilon": {"value": True}}), "$.thresholds.epsilon.value"),
    "NaN": (own({"epsilon": {"value": float("nan")}}), "'epsilon' is not a number"),
    "NaN of a share": (own({"copies": {"value": float("nan")}}), "'copies' is not a number"),
    "infinity": (own({"epsilon": {"value": float("inf")}}), "$.thresholds.epsilon.value"),
    "epsilon of 0": (own({"epsilon": {"value": 0}}), "$.thresholds.epsilon.value"),
    "mu too large": (own({"membership_mu": {"value": 7}}), "$.thresholds.membership_mu.value"),
    "mu too small": (own({"membership_mu": {"value": 0}}), "$.thresholds.membership_mu.value"),
    "copies of 1": (own({"copies": {"value": 1}}), "$.thresholds.copies.value"),
    "attribute below 0": (own({"attribute": {"value": -0.1}}), "$.thresholds.attribute.value"),
    "risk in percent": (own({"residual_risk": {"value": 9}}), "$.thresholds.residual_risk.value"),
    "small cell of 0": (own({"small_cell": {"value": 0}}), "$.thresholds.small_cell.value"),
    "half a person": (own({"small_cell": {"value": 2.5}}), "$.thresholds.small_cell.value"),
    "unknown field": (own({"copies": {"value": 0.1, "because": "x"}}), "'because' was unexpected"),
    "unknown kind": (own({"copies": {"value": 0.1, "kind": "law"}}), "$.thresholds.copies.kind"),
    "empty source": (own({"copies": {"value": 0.1, "source": ""}}), "$.thresholds.copies.source"),
    "name of a shipped one": (own(name="ema"), "like one that is shipped"),
    "no name": ({k: v for k, v in OWN.items() if k != "name"}, "'name' is a required property"),
    "unknown entry": (own(thresold={}), "'thresold' was unexpected"),
    "unknown context": (own(context={"recipient": "x"}), "'recipient' was unexpected"),
    "number as context": (own(context={"purpose": 5}), "$.context.purpose"),
    "unknown base": (own(based_on="gdpr"), "$.based_on"),
    "wrong format": (own(format="tabsynth.schema"), "$.format"),
    "wrong version": (own(version=2), "$.version"),
    "yes for a guarantee": (own(guarantee_required="yes"), "$.guarantee_required"),
    "a list": ([OWN], '"type": "object"'),
    "nothing": (None, '"type": "object"'),
}


@pytest.mark.parametrize(("data", "says"), BAD.values(), ids=BAD)
def test_bad_policies_are_refused_in_a_sentence(data, says, tmp_path):
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(PolicyError) as error:
        Policy.load(tmp_path / "p.yaml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


FILES = {
    "not YAML": (b"name: [", "is not valid YAML (line 1)"),
    "a name twice": (b"format: tabsynth.policy\nversion: 1\nversion: 1\n", "is not valid YAML (line 3): 'version' stands twice"),
    "bytes": (b"\xff\xfe\x00\x81", "cannot be read as text"),
    "a list as a name": (b"? [a]\n: 1\n", "a name must be plain text"),
    "an object of Python": (b"!!python/object/apply:os.getcwd []", "is not valid YAML"),
    "no date": (b"name: 2020-99-99", "holds a value that YAML cannot read"),
    "too deep": (b"[" * 5000, "it is nested too deeply, or its aliases repeat too much"),
}


@pytest.mark.parametrize(("content", "says"), FILES.values(), ids=FILES)
def test_files_that_are_no_yaml_are_refused_in_a_sentence(content, says, tmp_path):
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(PolicyError) as error:
        Policy.load(tmp_path / "p.yaml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


COMMANDS = {
    "release": ["{toy.csv}", "--schema", "{toy.yaml}", "--epsilon", "1", "--out", "{new}"],
    "evaluate": [
        *(f"--{name}={{toy.csv}}" for name in ("train", "holdout", "synthetic")),
        "--schema",
        "{toy.yaml}",
        "--out",
        "{new}",
    ],
    "attack": [*(f"--{name}={{toy.csv}}" for name in ("members", "non-members", "synthetic")), "--json", "{new.json}"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("gdpr", "there is no policy 'gdpr'; name one of default, ema, hipaa, nist, or a YAML file."),
        ("{gone.yaml}", "there is no policy"),
        ("{.}", "cannot be read as text"),
        ("{toy.yaml}", "does not conform to policy.schema.json"),
    ],
)
def test_commands_refuse_a_bad_policy_before_any_work(command, policy, says, files, run, monkeypatch):
    for work in ("tabsynth.pipeline.fit", "tabsynth.validate.evaluate", "tabsynth.validate.attacks.attacks"):
        monkeypatch.setattr(work, lambda *_, **__: pytest.fail("work was begun"))
    before = sorted(files.rglob("*"))
    line = [re.sub(r"\{(.+)\}", lambda name: str(files / name[1]), part) for part in (*COMMANDS[command], "--policy", policy)]
    code, out, err = run(command, *line)
    assert (code, out) == (2, "")
    assert says in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert sorted(files.rglob("*")) == before


def test_an_unknown_policy_cannot_be_printed(run):
    code, out, err = run("policy", "gdpr")
    assert (code, out) == (2, "")
    assert err == "tabsynth: there is no policy 'gdpr'; name one of default, ema, hipaa, nist, or a YAML file.\n"


@pytest.fixture(scope="module")
def rows(tmp_path_factory, visits_schema):
    """A folder with three small tables of visits, in which few people have some days, and their schema."""
    folder = tmp_path_factory.mktemp("visits")
    for seed, name in enumerate(("train", "holdout", "synthetic")):
        rng = np.random.default_rng(seed)
        people = 1000 * seed + rng.integers(0, 60, 120)
        visits(zip(people, rng.choice(list("ABC"), 120, p=[0.6, 0.36, 0.04]), rng.integers(0, 10, 120), strict=True)).to_csv(
            folder / f"{name}.csv", index=False
        )
    (folder / "visits.yaml").write_text(visits_schema.dump())
    return folder


def evaluated(rows, run, policy) -> tuple[dict, str]:
    """The report by a policy: its JSON and its page."""
    out = rows / f"report {Path(policy).stem}"
    tables = [part for name in ("train", "holdout", "synthetic") for part in (f"--{name}", rows / f"{name}.csv")]
    code, _, err = run("evaluate", *tables, "--schema", rows / "visits.yaml", "--policy", policy, "--out", out)
    assert code == 0, err
    return json.loads((out / "confidential/report.internal.json").read_text()), (
        out / "confidential/report.internal.html"
    ).read_text()


def test_a_change_is_recorded_told_and_obeyed(rows, run):
    """Small cells of 1: nothing is hidden any more. Attribute inference: the verdicts quote the new number."""
    changes = {
        "small_cell": {"value": 1, "reason": "a closed <room>"},
        "attribute": {"value": 0.3},
        "copies": {"value": 0.005, "reason": "few people", "source": "Our board, 2026."},
    }
    (rows / "ours.yaml").write_text(yaml.safe_dump(own(changes, context={"recipients": "Two <hospitals>"})))
    (usual, plain), (ours, page) = (evaluated(rows, run, policy) for policy in ("default", rows / "ours.yaml"))
    hidden = [sum(f["details"].get("suppressed", 0) for f in report["findings"]) for report in (usual, ours)]
    assert hidden[0] > 10
    assert hidden[1] == 0
    assert usual["policy"] == Policy.load("default").to_dict()
    assert ours["policy"] == Policy.load(rows / "ours.yaml").to_dict()
    recorded = ours["policy"]["thresholds"]["small_cell"]
    assert recorded == {"value": 1, "source": "", "kind": "own", "shipped": 11, "reason": "a closed <room>"}
    guessed = next(f for f in ours["findings"] if f["check"] == "attacks.attribute.ward")
    assert guessed["value"] is not None
    assert guessed["details"]["tolerated"] == 0.3

    text, before = (" ".join(re.sub(r"<[^>]+>", " ", p).replace("\u00a0", " ").split()) for p in (page, plain))
    assert "3 of 11 thresholds were changed." in text
    assert "No threshold was changed." in before
    assert "11 looser than" not in before
    assert "2 of them are looser than in the policy default, on which it is based." in text[: text.index("Contents")]
    assert "of them are looser" not in before[: before.index("Contents")]
    assert re.search(r"1 looser than 11 people that .* No source was given. Changed by this policy: a closed &lt;room&gt;", text)
    assert re.search(
        r"30.0 % looser than 5.0 % guessed .* No source was given. Changed by this policy: no reason was given", text
    )
    assert re.search(r"stricter than 1.0 % exact copies .* Our board, 2026. own Changed by this policy: few people", text)
    assert "Recipients Two &lt;hospitals&gt;" in text
