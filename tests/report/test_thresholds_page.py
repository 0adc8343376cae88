"""The page says by which thresholds it was judged, what was changed, where the table goes, and what evidence is missing."""

from __future__ import annotations

import html
import re

import pytest

from tabsynth.policy import Policy
from tabsynth.report import report
from tabsynth.report.claims import FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS
from tabsynth.report.evidence import evidence
from tabsynth.report.thresholds import CONTEXT, context, thresholds

from . import sample
from .test_map import own


def test_thresholds_of_a_shipped_policy_are_told_as_they_are():
    rows = thresholds(Policy.load("default").to_dict())
    assert [row["value"] for row in rows] == [
        "10", "0.5", "1.0\u00a0%", "5.0\u00a0%", "9.0\u00a0%", "0.2", "5.0\u00a0%", "50.0\u00a0%", "2.0\u00a0%", "50.0\u00a0%", "11"
    ]  # fmt: skip
    assert not any(row["changed"] or row["looser"] for row in rows)
    assert len({row["meaning"] for row in rows}) == len(rows) == len(Policy.load("default").thresholds)
    assert thresholds(None) == thresholds({}) == []


@pytest.mark.parametrize(
    ("name", "looser", "stricter"),
    [
        ("epsilon", 20, 5), ("membership_mu", 1.0, 0.2), ("copies", 0.02, 0.005), ("attribute", 0.1, 0.01), ("residual_risk", 0.2, 0.05),
        ("small_cell", 5, 20), ("column_values", 0.3, 0.1), ("column_shares", 0.1, 0.01), ("relations", 0.7, 0.3), ("broken_links", 0.05, 0.01), ("useful", 0.3, 0.8),
    ],
)  # fmt: skip
def test_looser_is_what_lets_more_pass(name, looser, stricter):
    """Small cells are the other way round: a lower number shows more."""
    for value, expected in ((looser, True), (stricter, False)):
        rows = thresholds(own(**{name: value}))
        assert [(row["changed"], row["looser"]) for row in rows if row["changed"]] == [(True, expected)]
        page = words(report(sample.report() | {"policy": own(**{name: value})}))
        assert ("looser than" in section(page, "What counts as a pass")) == expected
        assert ("stricter than" in page) != expected
        assert ("1 of them is looser than in the policy default" in decision(page)) == expected


def words(page: str) -> str:
    """What a reader sees, in one line."""
    shown = re.sub(r"(?s)<(style|script|title)\b.*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).replace("\u00a0", " ").split())


def decision(page: str) -> str:
    return page[page.index("Decision") : page.index("Contents")]


def section(page: str, start: str) -> str:
    return page[page.index(start) :][:6000]


def test_the_box_counts_looser_thresholds_only():
    policy = own(epsilon=20, copies=0.2, attribute=0.01)
    page = words(report(sample.report() | {"policy": policy}))
    assert "2 of them are looser than in the policy default, on which it is based." in decision(page)
    assert "3 of 11 thresholds were changed." in page
    assert "looser than" not in decision(words(report(sample.report() | {"policy": own(attribute=0.01)})))


def test_a_report_that_does_not_say_by_what_it_was_judged_says_so():
    data = sample.report()
    del data["policy"]
    page = words(report(data))
    assert "Not on file. This report does not say by which thresholds it was judged." in page
    assert "of the policy" not in decision(page)


def test_a_guarantee_that_is_required_is_told():
    told = "A table without a formal guarantee fails."
    assert told in words(report(sample.report() | {"policy": Policy.load("nist").to_dict()}))
    assert told not in words(report(sample.report()))


@pytest.mark.parametrize("data", [sample.report, sample.minimal])
def test_the_first_line_counts_the_verdicts(data):
    """As many as there are badges below it, the worst first, none of zero."""
    page = report(data())
    badges = re.findall(r'<p class="badge">([A-Z ]+)</p>', page)
    order = (FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS)
    expected = ", ".join(f"{badges.count(verdict)} {verdict}" for verdict in order if verdict in badges)
    assert f"{expected} of {len(badges)} claims." in decision(words(page))


def test_context_is_printed_and_cannot_break_out_of_the_page():
    stated = dict.fromkeys(CONTEXT, f"Two hospitals {sample.HOSTILE}") | {"purpose": sample.BREAKER, "access": "  "}
    policy = own() | {"context": stated, "name": sample.HOSTILE, "description": sample.BREAKER}
    policy["thresholds"]["copies"] |= {"source": sample.BREAKER, "reason": sample.HOSTILE, "value": 0.2}
    page = report(sample.report() | {"policy": policy})
    assert sample.HOSTILE not in page
    assert "<img" not in page
    assert "49" not in re.findall(r"Purpose</dt><dd>(.*?)</dd>", page)[0]
    text = words(page)
    assert f"Recipients Two hospitals {sample.HOSTILE} Purpose " in text
    assert f"{sample.BREAKER} Access not stated Controls on recipients Two hospitals" in text
    assert f"Changed by this policy: {sample.HOSTILE}" in text


def test_context_that_was_not_stated_is_not_made_up():
    assert context(None) == context({}) == context(own()) == [(title, "not stated") for title in CONTEXT.values()]
    assert "Recipients not stated Purpose not stated" in words(report(sample.report()))


def test_the_map_on_the_page_says_what_is_here_and_what_is_missing():
    text = words(report(sample.report()))
    shown = text[text.index("From claims to evidence") :]
    for support in evidence({f["check"]: f for f in sample.report()["findings"]}, sample.card(), sample.schema()["unit"]):
        pieces = " ".join(f"{piece.text}: {'here' if piece.present else 'missing'}" for piece in support.pieces)
        assert words(f"{support.claim} {pieces} {support.standing} {support.not_enough}") in shown


def test_further_tables_are_on_the_page_with_their_spread_and_copies():
    text = words(report(sample.report()))
    shown = section(text, "Further tables from the same model")
    assert "3 were attacked, the released one among them." in shown
    assert "Exact copies of training rows: 61, 60, 59, of holdout rows: 24, 25, 26." in shown
    assert "Log distance ratio, rank, whole units (chosen) 0.496 0.503 0.507 0.9 % to 1.1 %" in shown
    without = sample.report()
    without["findings"] = [f for f in without["findings"] if f["check"] != "attacks.regenerations"]
    assert "Further tables from the same model" not in words(report(without))
