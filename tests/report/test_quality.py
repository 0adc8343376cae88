"""What the report says of columns, relations, ranges and the target, and what its first line says."""

from __future__ import annotations

import re

import pytest

from tabsynth.report import card, headline, report
from tabsynth.report.claims import by_check, claims
from tabsynth.report.quality import TITLES, noise
from tabsynth.report.verdicts import FAIL, INCONCLUSIVE, PASS

from . import sample
from .sample_quality import quality
from .test_thresholds_page import words


def failing() -> dict:
    data = sample.report()
    kept = [f for f in data["findings"] if not f["check"].startswith("quality.")]
    return data | {"findings": [*kept, *quality(failing=True)]}


def box(data: dict) -> dict[str, tuple[str, str]]:
    found = claims(by_check(data), data["card"], "rows", data["policy"])
    return {claim.title: (claim.verdict, claim.sentence) for claim in found}


def test_a_good_table_passes_and_has_no_headline():
    found = box(sample.report())
    assert {found[title][0] for title in TITLES.values()} == {PASS}
    assert not headline(sample.report())
    assert "Do not use this table" not in report(sample.report())


def test_the_first_line_says_that_nobody_should_use_it():
    found = box(failing())
    assert {found[title][0] for title in TITLES.values()} == {FAIL}
    line = headline(failing())
    assert line.startswith("Do not use this table: 1 of 2 columns does not keep its values (capital_gain); ")
    for part in ("relations between columns are lost (age and income, relationship and sex)", "the range or list of fnlwgt",
                 "it teaches 20\u00a0% of what real rows teach about income"):  # fmt: skip
        assert part in line
    page = words(report(failing()))
    start = page.index("Decision") + len("Decision ")
    assert page[start:].startswith(line.replace("\u00a0", " "))


def test_one_column_of_many_is_no_reason_to_use_nothing():
    data = sample.report()
    columns = next(f for f in data["findings"] if f["check"] == "quality.columns")
    columns |= {"value": 0.05, "verdict": "fail", "details": columns["details"] | {"wrong": ["sex"]}}
    assert headline(data).startswith("Not fit for every use: 1 of 2 columns does not keep its values (sex).")


def test_what_leaks_is_not_to_be_released():
    data = sample.report()
    copies = next(f for f in data["findings"] if f["check"] == "attacks.replication")
    copies["verdict"] = "fail"
    assert headline(data).startswith("Do not release this table: it fails \u201cDoes not copy rows\u201d.")


def test_the_worst_number_is_told_with_what_it_should_be():
    sentence = box(failing())[TITLES["quality.columns"]][1]
    assert "capital_gain (top 1e+13, over 2\u202f000 times as far out as in the training rows)" in sentence
    data = failing()
    data["findings"][-4]["details"]["columns"][0]["numbers"][2]["verdict"] = "pass"
    assert "capital_gain (mean 3\u202f250.9, in the training rows 1\u202f078.3)" in box(data)[TITLES["quality.columns"]][1]
    sentence = box(failing())[TITLES["quality.relations"]][1]
    assert "relationship and sex (6.0\u00a0% of synthetic rows, 0.0\u00a0% of holdout rows)" in sentence
    assert "Give a public range or list" in box(failing())[TITLES["quality.ranges"]][1]


def test_the_worst_comes_first_and_is_drawn():
    page = report(failing())
    section = re.search(r'<section id="quality".*?</section>', page, re.DOTALL)[0]
    assert section.index("capital_gain") < section.index(">sex<")
    assert section.count("<svg") >= 4
    assert "over 1" not in words(section)
    assert "not shown (small-cell rule)" in section


@pytest.mark.parametrize(("count", "said"), [(45_678, "A decision needs about 45\u202f678 training rows and as many synthetic rows."),
                                              (None, "No sample of usual size settles it.")])  # fmt: skip
def test_an_open_question_says_how_much_would_settle_it(count, said):
    data = sample.report()
    for check in ("quality.columns", "quality.relations"):
        finding = next(f for f in data["findings"] if f["check"] == check)
        finding |= {"verdict": "inconclusive", "details": finding["details"] | {"needed_rows": count}}
        verdict, sentence = box(data)[TITLES[check]]
        assert verdict == INCONCLUSIVE
        assert sentence.endswith(said)


def test_noise_is_that_of_a_column_s_most_exact_table():
    made = sample.card()
    assert noise(made) == {}
    charges = [("bins of age", 10.0), ("table of age x sex", 4.0), ("fit of 3 tables", 1.0)]
    made["ledger"]["charges"] = [{"note": note, "gaussians": [[multiplier, 1]]} for note, multiplier in charges]
    made["guarantee"]["unit"]["max_rows"] = 5
    assert noise(made) == {"age": pytest.approx(20 / 34_170), "sex": pytest.approx(20 / 34_170)}
    made["synthetic"]["rows_is"] = "as asked for"
    assert noise(made) == {}
    assert noise(None) == {}


def test_the_public_card_holds_none_of_it():
    page = words(card(failing()["card"]))
    assert not any(title in page for title in TITLES.values())
    assert "Do not use" not in page
