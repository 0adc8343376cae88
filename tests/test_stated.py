"""The report believes a card only as far as its own charges and its table bear it out."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
from conftest import visits

import tabsynth
from tabsynth.conform import read
from tabsynth.publish import publish
from tabsynth.report.claims import by_check, claims
from tabsynth.validate.stated import stated
from tabsynth.writing import write_table

GUARANTEE, AUDIT = "Formal guarantee", "The engine withstands its audit"


@pytest.fixture(scope="module")
def made(tmp_path_factory, visits_schema):
    """Training rows, a release of them with its card, and unseen rows."""
    rng = np.random.default_rng(0)
    people = [100 + i // 2 for i in range(160)]
    table = visits(zip(people, rng.choice(list("ABC"), 160), rng.integers(0, 10, 160), strict=True))
    train, holdout = table[:80], table[80:].reset_index(drop=True)
    fitted = tabsynth.fit(train, visits_schema, epsilon=1, model="independent")
    folder = tmp_path_factory.mktemp("stated") / "release"
    publish(folder, fitted, fitted.sample(90, seed=3), asked=True, seed=3)
    return train, holdout, folder


def card_of(made) -> dict:
    return json.loads((made[2] / "card.json").read_text())


def forged(card: dict) -> dict:
    """Less noise than was paid for, a foreign version and other settings."""
    card = copy.deepcopy(card)
    for charge in card["ledger"]["charges"]:
        charge["gaussians"] = [[0.01, times] for _, times in charge["gaussians"]]
    return card | {"tabsynth": "9.9", "model": card["model"] | {"settings": {"iterations": 1}}}


@pytest.mark.parametrize("ending", ["csv", "parquet", "frame"])
def test_a_card_that_adds_up_and_lists_the_table_passes_from_any_file(ending, made, visits_schema, tmp_path):
    table = pd.read_parquet(made[2] / "synthetic.parquet")
    if ending != "frame":
        write_table(table, tmp_path / f"t.{ending}", visits_schema)
    source = table if ending == "frame" else tmp_path / f"t.{ending}"
    (finding,) = stated(card_of(made), read(source, visits_schema), visits_schema)
    assert (finding.verdict, finding.value) == ("pass", 0)
    assert finding.details["belongs"]
    assert all(check["holds"] for check in finding.details["checks"])


def test_it_is_not_shown_to_belong_to_another_table(made, visits_schema):
    table = read(made[2] / "synthetic.parquet", visits_schema)
    for other in (
        read(made[0], visits_schema),
        table[::-1],
        table[:-1],
        table.assign(days=table["days"].where(table.index != 3, 9 - table["days"].fillna(0))),
    ):
        (finding,) = stated(card_of(made), other, visits_schema)
        assert (finding.verdict, finding.details["belongs"], finding.details["lists_a_table"]) == ("inconclusive", False, True)
    inner = json.loads((made[2] / "model/card.json").read_text())
    (finding,) = stated(inner, table, visits_schema)
    assert (finding.verdict, finding.details["lists_a_table"]) == ("inconclusive", False)
    assert stated(None, table, visits_schema) == []


def test_a_card_that_does_not_add_up_fails_whatever_the_table(made, visits_schema):
    table = read(made[2] / "synthetic.parquet", visits_schema)
    (finding,) = stated(forged(card_of(made)), table, visits_schema)
    assert finding.verdict == "fail"
    assert finding.value == sum(not check["holds"] for check in finding.details["checks"]) >= 2
    for odd in ({}, {"guarantee": None}, {"synthetic": 3}):
        assert stated(card_of(made) | odd if odd else {}, table, visits_schema)[0].verdict in ("fail", "inconclusive")


def judged(made, schema, synthetic, card) -> dict[str, str]:
    report = tabsynth.evaluate(made[0], made[1], synthetic, schema, card=card)
    return {claim.title: claim for claim in claims(by_check(report), report["card"], "units", report["policy"])}


def test_the_training_table_with_a_forged_card_does_not_get_a_guarantee(made, visits_schema):
    found = judged(made, visits_schema, made[0], forged(card_of(made)))
    assert found[GUARANTEE].verdict == "FAIL"
    assert found[AUDIT].verdict == "INCONCLUSIVE"


def test_nor_with_the_true_card_of_another_table(made, visits_schema):
    found = judged(made, visits_schema, made[0], card_of(made))
    assert (found[GUARANTEE].verdict, found[AUDIT].verdict) in {("INCONCLUSIVE", "PASS"), ("FAIL", "PASS")}
    assert "not shown to belong to this table" in found[GUARANTEE].sentence or "does not hold" in found[GUARANTEE].sentence


def test_the_release_itself_does(made, visits_schema):
    found = judged(made, visits_schema, made[2] / "synthetic.parquet", card_of(made))
    assert (found[GUARANTEE].verdict, found[AUDIT].verdict) == ("PASS", "PASS")


def test_attack_says_so_too(made, visits_schema):
    from tabsynth.attack import summary

    for card, word in ((card_of(made), "PASS"), (forged(card_of(made)), "FAIL")):
        result = tabsynth.attack(made[0], made[1], made[2] / "synthetic.parquet", card=card, attacks="dcr")
        assert result["findings"][-1]["check"] == "guarantee.card"
        (line,) = [line for line in summary(result) if "do not follow from its own charges" in line]
        assert line.startswith(word)
