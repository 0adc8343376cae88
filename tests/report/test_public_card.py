"""The public card holds and shows nothing computed from real rows outside the ledger; the internal JSON holds counts, nobody's score.

Whether the numbers that may be published are functions of noisy answers alone is the subject of tests/test_noninterference.py.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import toy_rows
from test_noninterference import QUICK, made

import tabsynth
from tabsynth import Schema
from tabsynth.models import MODELS, synthesizer
from tabsynth.report import card, report

from . import linter, records, sample

SAMPLES = {
    "private": sample.card,
    "without privacy": sample.not_private_card,
    "hostile": sample.hostile_card,
    "without mu": lambda: _changed(sample.card(), lambda c: c["guarantee"].update(mu=None)),
    "large epsilon": lambda: _changed(sample.card(), _large),
    "people": lambda: _changed(
        sample.card(), lambda c: [part.update(unit={"key": "patient", "max_rows": 365}) for part in (c["guarantee"], c["schema"])]
    ),
}


def _large(data: dict[str, Any]) -> None:
    data["guarantee"].update(epsilon=12.5, mu=4.75, rho=11.28125)
    data["ledger"].update(spent_rho=11.28125, budget_rho=11.3)
    data["model"].update(chosen="asked for")


def _changed(data: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    change(data)
    return data


@pytest.fixture(scope="module")
def folders(request, files, tmp_path_factory) -> Callable[[str], Path]:
    """Release folders, each made when first asked for: of the command line, or of a model."""
    schema, known = Schema.load(files / "toy.yaml"), {}

    def folder(name: str) -> Path:
        if name == "command line":
            return request.getfixturevalue("released")[0] / "release"
        if name not in known:
            known[name] = tmp_path_factory.mktemp("card") / name
            made(toy_rows(300), schema, known[name], name)
        return known[name]

    return folder


QUICK_TO_MAKE = ("command line", "independent", "copula", "ctgan")
"""The command line chooses aim; ctgan is charged for gradient steps."""


@pytest.fixture(
    params=[*QUICK_TO_MAKE, *(pytest.param(name, marks=pytest.mark.slow) for name in MODELS if name not in QUICK_TO_MAKE)]
)
def real(request, folders) -> Path:
    """A folder that may leave, with columns that were discovered."""
    return folders(request.param)


def contents(folder: Path, name: str = "card.json") -> dict[str, Any]:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_number_of_a_made_up_card_is_explained(name):
    data = SAMPLES[name]()
    assert linter.odd_numbers(card(data), data) == []


def test_every_number_of_a_real_card_is_explained(real):
    assert linter.odd_numbers((real / "card.html").read_text(encoding="utf-8"), contents(real)) == []


def test_a_real_card_is_drawn_from_its_json_alone(real):
    """Byte by byte, so what figures look like has no other source either."""
    assert (real / "card.html").read_text(encoding="utf-8") == card(contents(real))


@pytest.mark.parametrize("name", ["private", "without mu", "large epsilon", "people"])
def test_every_entry_of_a_made_up_card_may_be_published(name):
    assert linter.odd_entries(SAMPLES[name]()) == []


@pytest.mark.parametrize("name", ["card.json", "model/card.json"])
def test_every_entry_of_a_real_card_may_be_published(real, name, files):
    """Its schema is the file's, and its settings are the model's defaults: no fact about the rows hides there."""
    data, schema = contents(real, name), Schema.load(files / "toy.yaml")
    assert linter.odd_entries(data) == []
    assert (data["schema"], data["fingerprint"]) == (schema.to_dict(), schema.fingerprint)
    model = data["model"]
    short = QUICK.get(model["name"], {}) if model["chosen"] == "asked for" else {}
    settings = dataclasses.asdict(dataclasses.replace(synthesizer(model["name"], schema.target), **short))
    assert model["settings"] | {"name": model["name"]} == json.loads(json.dumps(settings))


# What is planted ------------------------------------------------------------------------------------------------------

FOUND = 0.53187
"""An area under the curve, say: a number of the internal report's."""
PLACES = {
    "text": ("<p>A table of made-up", f"<p>AUC {FOUND}. A table of made-up"),
    "text of a figure": ("</text>", f" {FOUND}</text>"),
    "row of a table": ("<tbody>", f"<tbody><tr><td>rows</td><td>34{chr(0x202F)}190</td></tr>"),
    "title": ("<title>", f"<title>{FOUND} "),
    "what a screen reader says": ('aria-label="', f'aria-label="{FOUND} '),
    "a tooltip": ("<h1", f'<h1 title="{FOUND}"'),
    "data of a script": ("<main", f'<main data-auc="{FOUND}"'),
    "the sliders' data": ('"priors":', f'"found": [{FOUND}], "priors":'),
    "a slider's end": ('max="16"', 'max="34190"'),
    "a script": ("const box", f"const auc = {FOUND}; const box"),
    "a style": ("</style>", f"main {{ --auc: {FOUND} }}</style>"),
    "a comment": ("<body>", f"<body><!-- {FOUND} -->"),
    "a section's number elsewhere": ('<section id="uses"', '<section id="uses" title="34170"'),
    "a section nobody knows": ('<section id="uses"', '<section id="membership"><p>none</p></section><section id="uses"'),
    "within a word": ("made-up", f"made-up{FOUND}"),
    "a percentage": ("made-up", "53.2&nbsp;% made-up"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_finding_on_the_page_is_found(place):
    page, (before, after) = card(sample.card()), PLACES[place]
    assert before in page, "the page has no such place any more: plant it elsewhere"
    assert linter.odd_numbers(page.replace(before, after, 1), sample.card())


def test_one_digit_more_is_found():
    """A 7 after any number of the page, one at a time. The result may be another number of the section's (17 to 90), but seldom is."""
    data = sample.card()
    page = card(data)
    read = re.sub(r"<(style|script)>.*?</\1>", lambda hidden: " " * len(hidden[0]), page, flags=re.S)
    texts = [(text.start(1), text[1]) for text in re.finditer(r">([^<>]*\d[^<>]*)<", read)]
    ends = [start + number.end() for start, text in texts for number in re.finditer(r"\d+(?=\D|$)", text)]
    assert len(ends) > 200
    tried = ends[::5]
    missed = [page[e - 30 : e + 5] for e in tried if not linter.odd_numbers(page[:e] + "7" + page[e:], data)]
    assert len(missed) <= len(tried) / 50, missed


ENTRIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a new key": lambda c: c.update(train={"rows": 34190}),
    "a new key without a number": lambda c: c.update(members=[]),
    "a new key in the guarantee": lambda c: c["guarantee"].update(empirical_epsilon=0.71),
    "a new key of a charge": lambda c: c["ledger"]["charges"][3].update(exact=[17, 4]),
    "a new file": lambda c: c["files"].update({"report.internal.json": "0" * 64}),
    "a new version": lambda c: c["environment"].update(rows="34190"),
    "a number as a version": lambda c: c["environment"].update(numpy="34190"),
    "a count in a note": lambda c: c["ledger"]["charges"][0].update(note="range of fnlwgt in 34190 rows"),
    "a count in an event": lambda c: c["ledger"]["charges"][0].update(event="GaussianDpEvent(noise_multiplier=34190)"),
    "a count in the statement": lambda c: c["guarantee"].update(statement=c["guarantee"]["statement"] + " It had 34190 rows."),
    "a count in the limits": lambda c: c["limits"].append("34190 rows are few."),
    "a count in how rows were set": lambda c: c["synthetic"].update(rows_is="34190 less 20"),
    "a count in how the model was chosen": lambda c: c["model"].update(chosen="auto: 34190 rows"),
    "a value as a size": lambda c: c["bought"][0].update(size="90 years"),
    "a column that the schema does not have": lambda c: c["bought"][0].update(column="hiv status"),
    "another unit": lambda c: c["guarantee"]["unit"].update(max_rows=17),
    "another mu": lambda c: c["guarantee"].update(mu=0.71),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_finding_in_the_json_is_found(name):
    assert linter.odd_entries(_changed(sample.card(), ENTRIES[name]))


def test_a_finding_in_the_json_is_found_on_the_page():
    """Where a page writes out whatever it is given, both find it."""
    data = sample.card()
    data["environment"]["auc"] = str(FOUND)
    assert linter.odd_numbers(card(data), sample.card())


# The internal JSON ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def attacked(toy_schema) -> dict[str, Any]:
    """What the attack command writes about 200 members and 160 others, the members released as they are."""
    members, others = toy_rows(200, seed=1), toy_rows(160, seed=2).assign(id=[f"q{i}" for i in range(160)])
    return tabsynth.attack(members, others, members, schema=toy_schema, attacks=("dcr", "ldr", "replication"))


def test_the_internal_report_holds_no_score_of_a_record(released):
    assert records.per_record(contents(released[0], "confidential/report.internal.json")) == []


def test_the_attack_s_json_holds_no_score_of_a_record(attacked):
    assert records.per_record(attacked) == []


@pytest.mark.parametrize("name", ["report", "minimal", "wide"])
def test_made_up_reports_hold_no_score_of_a_record(name):
    assert records.per_record({"report": sample.report, "minimal": sample.minimal, "wide": lambda: sample.wide(50)}[name]()) == []


def test_nobody_s_identifier_is_told(released, files, attacked):
    identifiers = [f"p{i}" for i in range(1500)]
    for name in (
        "confidential/report.internal.json",
        "confidential/report.internal.html",
        "release/card.json",
        "release/card.html",
    ):
        assert records.told((released[0] / name).read_text(encoding="utf-8"), identifiers) == set(), name
    everybody = [f"{letter}{i}" for letter in "pq" for i in range(200)]
    assert records.told(json.dumps(attacked), everybody) == set()


RECORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a score a member": lambda d: d["findings"][0]["details"].update(scores=[0.5] * d["tables"]["members"]["rows"]),
    "a score a member of the challenge": lambda d: _finding(d)["details"].update(
        scores=[0.5] * _finding(d)["details"]["n_members"]
    ),
    "a score a holdout row": lambda d: d.update(extra={"deep": [{"er": [0] * d["tables"]["non_members"]["rows"]}]}),
    "a mapping from each member": lambda d: d.update(scores={str(i): 0.5 for i in range(d["tables"]["members"]["rows"])}),
    "a pair a member": lambda d: d.update(scores=[[0.1, 0.2]] * d["tables"]["members"]["rows"]),
    "a long list": lambda d: _finding(d)["details"]["roc"].update(fpr=[0.1] * 102),
    "a long text": lambda d: d["findings"][0].update(note=" ".join(["0.5312"] * 150)),
}


def _finding(document: dict[str, Any]) -> dict[str, Any]:
    return next(f for f in document["findings"] if f["details"].get("roc") and f["details"].get("n_members"))


@pytest.mark.parametrize("name", RECORDS)
def test_a_score_a_record_is_found(name, attacked):
    assert records.per_record(_changed(copy.deepcopy(attacked), RECORDS[name]))


def test_an_identifier_is_found(attacked):
    for planted in ("row p17 was copied", "the nearest is p17."):
        data = _changed(copy.deepcopy(attacked), lambda d, text=planted: d["findings"][0].update(note=text))
        assert records.told(json.dumps(data), ["p17"]) == {"p17"}
    page = report(_changed(sample.report(), lambda d: d["findings"][0].update(note="p17 was copied")))
    assert records.told(page, ["p17"]) == {"p17"}
