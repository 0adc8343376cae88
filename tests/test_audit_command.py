"""`tabsynth audit`: exit code 0 where the guarantee held, 1 where it was broken, 2 where it was asked for what is not there."""

import dataclasses
import json

import pytest
from audit_mutations import MUTATIONS

from tabsynth.validate.audit.run import TIERS


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Few fits: what the audit finds is tested elsewhere."""
    monkeypatch.setitem(TIERS, "commit", dataclasses.replace(TIERS["commit"], runs=40, others=(), shown=()))


def test_a_sound_engine_is_told_in_lines_and_json(run, tmp_path):
    code, out, err = run("audit", "--engines", "independent", "--quiet", "--json", tmp_path / "audit.json")
    assert (code, out, err) == (0, "", "")
    found = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert [(each["engine"], each["alarms"]) for each in found["engines"]] == [("independent", [])]
    code, out, _ = run("audit", "--engines", "independent")
    assert code == 0
    assert "proven" in out
    assert "independent" in out
    assert "ALARM" not in out


def test_a_broken_product_ends_with_one_and_says_what_is_broken(run, monkeypatch, tmp_path):
    MUTATIONS["M06"].patch(monkeypatch)
    code, out, _ = run("audit", "--engines", "independent", "--json", tmp_path / "audit.json")
    assert code == 1
    assert "ALARM  independent: noise: measure: the noise has another scale than claimed" in out
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["engines"][0]["alarms"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--engines", "mts"), "engines names 'mts'; allowed are probe"),
        (("--tier", "daily"), "tier is 'daily'; allowed are commit, nightly, release"),
        (("--epsilon", "much"), "--epsilon is 'much'; give a number"),
        (("--epsilon", "0"), "epsilon is 0"),
        (("--workers", "0"), "workers is 0"),
        (("--json", "."), "is a folder"),
    ],
)
def test_bad_input(run, arguments, said):
    code, out, err = run("audit", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
