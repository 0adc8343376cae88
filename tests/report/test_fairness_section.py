"""The section on fairness: what it says in words, what it shows of each group, and what it does not show."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tabsynth.report import report

from . import sample


def text(findings: list[dict[str, Any]]) -> str:
    """The section as one line of text, of a report with these findings on fairness."""
    data = sample.report()
    data["findings"] = [f for f in data["findings"] if not f["check"].startswith("fairness")] + findings
    (section,) = re.findall(r'<section id="fairness".*?</section>', report(data), re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", section)).replace("\u00a0", " ").split())


@pytest.fixture
def findings() -> dict[str, dict[str, Any]]:
    return {f["check"]: f for f in sample.report()["findings"] if f["check"].startswith("fairness")}


def test_sentences_come_first(findings):
    page = text(list(findings.values()))
    said = (
        "Female is 33.1 % of the holdout and 30.9 % of the synthetic rows. In Female, 11.2 % of the holdout and 10.4 % of the synthetic "
        "rows are positive. Trained on synthetic rows, the classifier finds 61.0 % of the positives in the group Female and 74.0 % in "
        "Male; trained on real rows, 65.0 % and 74.0 %. This gap is wider than the widest one trained on real rows by 4.0 "
        "percentage points [1.0, 7.0], which is more than noise."
    )
    assert said in page
    assert page.index(said) < page.index("Widest gaps")
    assert "From the widest gap trained on real rows it differs by 1.0 percentage points [−2.0, 4.0], which may be noise." in page
    assert "Other: the synthetic table has no row of this group, the training table has." in page
    assert "there is no verdict" in page


def test_a_gap_that_closes_is_said_with_its_size(findings):
    row = findings["fairness.opportunity"]["details"]["columns"][0]
    row |= {"difference": -0.05, "difference_interval": [-0.08, -0.02], "change": "narrower"}
    assert (
        "narrower than the widest one trained on real rows by 5.0 percentage points [2.0, 8.0], which is more than noise."
        in text([*findings.values()])
    )


def test_groups_that_are_too_small_are_named_and_not_judged(findings):
    page = text(list(findings.values()))
    assert (
        "In no gap, because fewer than 20 units of the holdout are positive or fewer are negative: Amer-Indian-Eskimo, Other."
        in page
    )
    assert page.count("too few rows to judge") == 4
    rates = page[page.index("The other rates of race") :]
    assert "Black" in rates
    assert "Amer-Indian-Eskimo" not in rates[: rates.index("In no gap")]


def test_hidden_numbers_are_not_shown(findings):
    for finding in findings.values():
        for row in finding["details"]["groups"]:
            if row["group"] == "Female":
                row |= {key: None for key in row if key not in ("column", "group", "judged", "units", "rows")}
    page = text(list(findings.values()))
    assert "Female not shown not shown" in page
    assert "not available" not in page
    assert "in the group Female" not in page


@pytest.mark.parametrize(("findings", "says"), [([], "This check was not run."), ([{"check": "fairness"}], "Add protected.")])
def test_without_protected_columns_it_says_why(findings, says):
    empty = {"title": "Fairness", "value": None, "interval": None, "reference": None, "reference_is": "", "better": "lower",
             "verdict": None, "note": "Add protected.", "details": {}}  # fmt: skip
    page = text([finding | empty for finding in findings])
    assert page.count("No number. " + says) == 1
    assert "Widest gaps" not in page


def test_without_a_target_the_shares_are_shown_and_one_reason(findings):
    for check in set(findings) - {"fairness.representation"}:
        findings[check] |= {"value": None, "note": "Add target.", "details": {}}
    page = text(list(findings.values()))
    assert "No number for outcome, parity, opportunity, false positives, accuracy. Add target." in page
    assert "Female is 33.1 % of the holdout and 30.9 % of the synthetic rows." in page
    assert "positives that are found" not in page
