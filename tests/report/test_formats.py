"""The published JSON Schemas accept what we write and refuse what we must not write."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from . import sample

FOLDER = Path(__file__).parents[2] / "schemas"
SCHEMAS = {
    name: json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")) for name in ("schema", "card", "report")
}
REGISTRY = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())


def errors(name: str, data: Any) -> list[str]:
    validator = Draft202012Validator(SCHEMAS[name], registry=REGISTRY)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(json.dumps(data)))]


@pytest.mark.parametrize("name", ["card", "report"])
def test_is_a_json_schema(name: str):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report", sample.report()),
        ("report", sample.minimal()),
        ("report", sample.report() | {"split": {"holdout": 0.3, "seed": 1}}),
        ("card", sample.card()),
        ("card", sample.not_private_card()),
        ("card", {key: value for key, value in sample.card().items() if key not in ("files", "synthetic")}),
    ],
)
def test_accepts(name: str, data: dict):
    assert errors(name, data) == []


def _finding(data: dict, check: str) -> dict:
    return next(f for f in data["findings"] if f["check"] == check)


BROKEN_REPORTS: dict[str, Callable[[dict], Any]] = {
    "claims to be private": lambda d: d.update(private=True),
    "other version": lambda d: d.update(version=2),
    "no findings": lambda d: d.pop("findings"),
    "unknown entry": lambda d: d.update(score=97),
    "unknown verdict": lambda d: d["findings"][0].update(verdict="probably"),
    "interval of three": lambda d: d["findings"][0].update(interval=[0.1, 0.2, 0.3]),
    "no number and no reason": lambda d: d["findings"][0].update(value=None, note=""),
    "a rate above one": lambda d: _finding(d, "attacks.ldr.raw")["details"]["tpr"][0].update(tpr=1.2),
    "a curve of 102 points": lambda d: _finding(d, "attacks.ldr.raw")["details"]["roc"].update(fpr=[0.0] * 102),
    "a precision above one": lambda d: _finding(d, "attacks.membership")["details"]["precision"][0].update(precision=1.2),
    "an adjusted p above one": lambda d: _finding(d, "attacks.familywise")["details"]["attacks"][0].update(p=1.2),
    "a group that stands out maybe": lambda d: _finding(d, "attacks.worst")["details"]["groups"][0].update(stands_out="maybe"),
    "a secret guessed without counts": lambda d: _finding(d, "attacks.attribute.age")["details"]["attackers"]["forest"].pop(
        "members"
    ),
    "a risk without its control": lambda d: _finding(d, "attacks.linkability")["details"]["results"][0].pop("rate_nonmembers"),
    "a ceiling without its control": lambda d: _finding(d, "attacks.singling_out")["details"]["ceiling"][0].pop(
        "rate_nonmembers"
    ),
    "an aggregate's rate above one": lambda d: _finding(d, "attacks.dcr.rank.profile")["details"]["tpr"][0].update(tpr=1.2),
    "a rate of the ensemble above one": lambda d: _finding(d, "attacks.ensemble")["details"]["tpr"][0].update(tpr=1.2),
    "a name in capitals": lambda d: d["findings"][0].update(check="attacks.Shadow"),
    "a level without counts": lambda d: _finding(d, "attacks.replication")["details"]["levels"][0].pop("members"),
    "a gate without its band": lambda d: _finding(d, "attacks.controls")["details"]["gates"][0].pop("low"),
    "pairs without names": lambda d: _finding(d, "fidelity.tvd2")["details"]["pairs"][0].pop("columns"),
    "a broken card inside": lambda d: d["card"].pop("guarantee"),
}
BROKEN_CARDS: dict[str, Callable[[dict], Any]] = {
    "private with infinite epsilon": lambda d: d["guarantee"].update(epsilon="infinity"),
    "finite epsilon, not private": lambda d: d["guarantee"].update(private=False),
    "no ledger": lambda d: d.pop("ledger"),
    "negative price": lambda d: d["ledger"]["charges"][0].update(rho=-1),
    "short hash": lambda d: d["files"].update({"synthetic.parquet": "abc"}),
    "unknown entry": lambda d: d.update(findings=[]),
    "unknown kind of column": lambda d: d["schema"]["columns"]["age"].update(kind="number"),
    "unit without rows": lambda d: d["guarantee"]["unit"].update(max_rows=0),
}


@pytest.mark.parametrize("what", BROKEN_REPORTS)
def test_refuses_a_report(what: str):
    data = copy.deepcopy(sample.report())
    BROKEN_REPORTS[what](data)
    assert errors("report", data)


@pytest.mark.parametrize("what", BROKEN_CARDS)
def test_refuses_a_card(what: str):
    data = copy.deepcopy(sample.card())
    BROKEN_CARDS[what](data)
    assert errors("card", data)
