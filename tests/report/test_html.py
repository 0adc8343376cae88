"""What the pages say, and what they must never contain."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from tabsynth.errors import OptionError
from tabsynth.report import card, report
from tabsynth.report.odds import SCRIPT
from tabsynth.report.page import percent

from . import sample
from .conftest import PAGES

SECTIONS = ["verdict", "signoff", "released", "quality", "guarantee", "threats", "thresholds", "controls", "copies", "membership", "worst", "attribute", "singling_out",
            "linkability", "audit", "evidence", "fidelity", "utility", "fairness", "expectations", "limitations", "reproduction", "glossary"]  # fmt: skip
CARD_SECTIONS = ["what", "guarantee", "how", "columns", "uses", "limits", "verify"]


class Page(HTMLParser):
    """Start tags in order, the text of the body, and what lies inside what."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in ("style", "head", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "head", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.text.append(" ".join(data.split()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module", params=PAGES)
def html(request: pytest.FixtureRequest, pages: dict[str, Path]) -> str:
    return pages[request.param].read_text(encoding="utf-8")


def test_the_report_opens_with_the_warning_and_then_the_verdict():
    text = report(sample.report())
    page = Page(text)
    assert page.text[0] == "CONFIDENTIAL. This report must not leave the building."
    assert re.search(r"<title>CONFIDENTIAL", text)
    assert [attrs["id"] for attrs in page.all("section")] == SECTIONS
    badges = re.findall(r'class="badge">([A-Z ]+)<', text)
    assert badges == ["PASS"] * 11 + ["FAIL"]


def test_a_finding_nobody_planned_for_is_shown():
    page = Page(report(sample.minimal()))
    assert "other" in [attrs["id"] for attrs in page.all("section")]
    assert "novelty." in page.text


def test_the_card_has_every_section_and_says_what_it_is():
    page = Page(card(sample.card()))
    assert page.text[0] == "Synthetic data card, which may leave."
    assert [attrs["id"] for attrs in page.all("section")] == CARD_SECTIONS
    assert "tabsynth verify DIR" in page.text
    for name, digest in sample.card()["files"].items():
        assert {name, digest} <= set(page.text)


def test_every_charge_is_on_the_card():
    page = Page(card(sample.card()))
    for charge in sample.card()["ledger"]["charges"]:
        assert charge["note"] in page.text
    assert "Gaussian, noise multiplier 81.01, 105 times" in page.text
    assert "GaussianDpEvent(noise_multiplier=18.9)" in page.text


def test_a_card_without_privacy_says_so_first():
    page = Page(card(sample.not_private_card()))
    assert page.text[0] == "There is NO privacy guarantee."
    assert not any("never saw a row" in part or "most that anyone can achieve" in part for part in page.text)


def test_a_card_that_overspent_says_that_there_is_no_guarantee():
    data = sample.card()
    data["ledger"]["spent_rho"] = 1.0
    assert Page(card(data)).text[0] == "There is NO privacy guarantee."


def test_no_card_no_guarantee():
    text = report(sample.report() | {"card": None})
    assert "There is no formal guarantee on file" in text
    assert 'class="badge">NO GUARANTEE<' in text
    assert "curve-claimed" not in text.split("</style>")[1]


@pytest.mark.parametrize(
    "change", [{"value": None, "note": "A reason."}, {"details": {}}, {"value": None, "details": {}, "interval": None}, None]
)
def test_any_check_may_be_missing_empty_or_without_a_number(change: dict | None):
    """Of the many scores of one kind, those by one attack stand for all."""
    findings = sample.report()["findings"]
    scores = re.compile(r"attacks\.(?!ldr)\w+\.(raw|standardised|rank)(\.\w+)?")
    for place, finding in enumerate(findings):
        if scores.fullmatch(finding["check"]):
            continue
        data = sample.report()
        if change is None:
            del data["findings"][place]
        else:
            data["findings"][place] |= copy.deepcopy(change)
        text = report(data)
        if change and change.get("note"):
            assert "A reason." in text, finding["check"]


def test_the_reason_stands_where_the_number_would():
    page = Page(report(sample.minimal()))
    assert page.text.count("3 non-members are too few: 100 are needed.") == 2
    assert "This check was not run." in page.text


def test_details_that_are_null_do_not_break_the_page():
    data = sample.report()
    for finding in data["findings"]:
        finding["details"] = {key: None for key in finding["details"]}
    assert "not available" in report(data)


def test_missing_parts_of_a_card_do_not_break_it():
    for part in set(sample.card()) - {"format", "version"}:
        data = sample.card()
        assert Page(card(data | {part: None})).all("main"), part
        del data[part]
        assert Page(card(data)).all("main"), part


@pytest.mark.parametrize(
    "data", [{}, {"format": "tabsynth.card", "version": 1}, {"format": "tabsynth.report", "version": 2}, [], None]
)
def test_refuses_what_is_not_a_report(data):
    with pytest.raises(OptionError, match=r"tabsynth\.report"):
        report(data)


def test_hostile_names_stay_text():
    for text in (report(sample.minimal()), card(sample.hostile_card())):
        page = Page(text)
        assert page.all("img") == []
        assert re.findall(r"<script.*?</script>", text, re.DOTALL) == [f"<script>{SCRIPT}</script>"] * text.count('id="odds"')
        assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
        assert sample.HOSTILE in page.text
        assert sample.BREAKER in page.text
        assert text.count("</style>") == 1


def test_nothing_is_loaded_from_anywhere(html: str):
    page = Page(html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert page.all("script") == [{}] * html.count('id="odds"')
    assert not {"iframe", "object", "embed", "img", "base", "form"} & {tag for tag, _ in page.tags}
    assert {attrs.get("href") for attrs in page.all("link")} == {"data:,"}
    targets = {attrs["href"] for attrs in page.all("a")}
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert targets <= {f"#{name}" for name in ids}
    assert len(ids) == len(set(ids))


def test_can_be_read_without_seeing_it(html: str):
    page = Page(html)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("main")) == len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("table")) == len(page.all("caption")) > 0
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.all("th"))
    assert all(re.fullmatch(r".+\. .+", a["aria-label"]) if a.get("role") == "img" else a["aria-hidden"] for a in page.all("svg"))


def test_promises_nothing_it_cannot_keep(html: str):
    prose = re.sub(r'<small class="code">attacks\..*?</small>', "", html)
    assert not re.search(r"anonym|GDPR|HIPAA|zero risk|privacy score|\bDCR\b|100 % (safe|private)", prose, re.IGNORECASE)
    assert "This does not show that no attack exists." in report(sample.report())


def test_every_attack_is_reported_with_counts_and_interval():
    text, data = report(sample.report()), sample.report()
    attacks = [f for f in data["findings"] if "tpr" in f["details"]]
    assert len(attacks) == 68
    for attack in attacks:
        assert attack["check"].replace(".", ".<wbr>") in text
        rate = attack["details"]["tpr"][1]
        assert f"{rate['tp']} / {rate['fp']}" in text
        assert f"{attack['interval'][0]:.3f},\u00a0{attack['interval'][1]:.3f}" in text
    assert "needs 10,000 non-members" in text


def _section(text: str, name: str) -> str:
    return re.search(rf'<section id="{name}".*?</section>', text, re.DOTALL)[0]


def _open(text: str) -> str:
    """What is seen before anything is unfolded."""
    return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)


def test_many_attacks_take_one_line_each():
    seen = _open(_section(report(sample.report()), "membership"))
    levels = re.findall(r"<h4>(.+?)</h4>", seen)
    assert [level.split(":")[0] for level in levels] == ["Whole units", "Whole units", "Single rows"]
    assert len(re.findall(r'<th scope="row">Log distance ratio</th>', seen)) == 3
    assert len(re.findall("<tr", seen)) < 45
    assert seen.count("<strong>chosen</strong>") == 1
    assert re.search(r'class="num chosen">0\.\d{3}<abbr title="better than chance">\*</abbr> <strong>chosen', seen)
    assert seen.count('<abbr title="better than chance">*') == 3


def test_an_attacker_who_knows_more_can_be_the_headline():
    data = sample.report()
    next(f for f in data["findings"] if f["check"] == "attacks.membership")["details"]["chosen"] = "ensemble"
    section = _section(report(data), "membership")
    assert "all 67 scores together, trained on half" in Page(section).text
    assert section.count('class="curve-chosen"') == _section(report(sample.report()), "membership").count('class="curve-chosen"')


def test_attacks_without_a_number_say_so():
    data = sample.report()
    for finding in data["findings"]:
        if finding["check"].endswith((".raw", ".raw.unit", ".raw.profile")):
            finding.update(value=None, interval=None, note="Columns that do not vary.", details={})
    text = report(data)
    assert _open(_section(text, "membership")).count("no number") == 17
    assert "Columns that do not vary." in text
    assert 'id="other"' not in text


def test_precision_and_the_test_of_all_attacks_are_in_the_open():
    seen = Page(_open(_section(report(sample.report()), "membership"))).text
    assert {"53.2 %", "[40.2, 66.0 %]", "nobody was named"} <= set(seen)
    assert any("probability 0.0315 (2 000 permutations" in part for part in seen)


def test_only_gates_that_matter_are_in_the_open():
    data = sample.report()
    controls = next(f for f in data["findings"] if f["check"] == "attacks.controls")
    controls["details"]["gates"][5] |= {"ok": False, "name": "the broken one"}
    section = _section(report(data), "controls")
    seen = Page(_open(section)).text
    assert "29 of 30 control gates lie inside their band." in seen
    assert {"the broken one", "OUTSIDE", "for information"} <= set(seen)
    assert "inside" not in seen
    assert "reference-only score" in Page(section).text


def test_worst_cases_stand_beside_the_average():
    section = _section(report(sample.report()), "worst")
    seen = Page(_open(section)).text
    assert {
        "The attack beats chance in 1 of 12 groups.",
        "all rows together",
        "0.507",
        "tenth 10 of 10",
        "race = Black",
        "stands out",
    } <= set(seen)
    assert seen.count("stands out") == 1
    assert "sex = Male" not in seen
    assert {"sex = Male", "too few to judge"} <= set(Page(section).text)


@pytest.mark.parametrize("column", ["raw", "rank.unit", sample.HOSTILE])
def test_a_column_of_any_name_is_not_taken_for_an_attack(column: str):
    data = sample.report()
    age = next(f for f in data["findings"] if f["check"] == "attacks.attribute.age")
    age["check"], age["details"]["column"] = f"attacks.attribute.{column}", column
    text = report(data)
    assert column in Page(_open(_section(text, "attribute"))).text
    assert "Guessing" not in _section(text, "membership")


def test_a_difference_of_nothing_but_rounding_is_nothing():
    assert [percent(value) for value in (1e-17, -1e-17, 2e-6, -0.0)] == [
        "0.0\u00a0%",
        "0.0\u00a0%",
        "0.0002\u00a0%",
        "0.0\u00a0%",
    ]


def test_what_is_known_from_the_population_is_not_called_leakage():
    data = sample.report()
    age = next(f for f in data["findings"] if f["check"] == "attacks.attribute.age")
    age["verdict"] = "fail"
    text = _section(report(data), "attribute")
    seen = Page(_open(text)).text
    assert any("learned about the population" in part and "not counted as leakage" in part for part in seen)
    assert {"82.00 %", "4 100 of 5 000", "[\u22121.70, 3.70 %]", "75.8 %", "FAIL", "forest"} <= set(seen)
    assert "boosting" not in seen
    assert "boosting" in Page(text).text


def test_singling_out_and_linkage_show_both_sides_and_the_risk():
    text = report(sample.report())
    assert {"univariate", "304 of 2 000", "211 of 2 000", "[2.12, 8.12 %]", "PASS"} <= set(
        Page(_open(_section(text, "singling_out"))).text
    )
    assert {"1", "5", "10", "102 of 5 000", "98 of 5 000", "PASS"} <= set(Page(_section(text, "linkability")).text)


def test_all_tried_findings_have_a_place():
    assert "other" not in [attrs["id"] for attrs in Page(report(sample.report())).all("section")]


def test_curves_are_drawn_without_points_that_nobody_can_see():
    path = re.search(r'<path d="M([^"]+)" class="curve-chosen"', report(sample.report()))[1]
    points = [tuple(map(float, point.split())) for point in path.split("L")]
    assert all(abs(a - c) + abs(b - d) >= 1 for (a, b), (c, d) in pairwise(points[:-1]))
    assert 20 < len(points) < 101
    assert points[-1] == (392.0, 10.0)


def test_a_wide_table_stays_small():
    for columns in (60, 100):
        text = report(sample.wide(columns))
        assert len(text.encode()) < 3e6
        assert ('class="heatmap"' in text) == (columns <= 60)


def test_is_the_same_for_data_that_went_through_json():
    data = sample.report()
    for finding in data["findings"]:
        finding["interval"] = tuple(finding["interval"]) if finding["interval"] else None
    assert report(data) == report(json.loads(json.dumps(data)))


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _mixed(over: str, under: str, opacity: float) -> str:
    pairs = [(int(over[i : i + 2], 16), int(under[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def test_contrast_meets_wcag_aa_in_light_and_dark():
    css = card(sample.card()).split("<style>")[1].split("</style>")[0]
    found = [dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)]
    palettes = [colours for colours in found if colours]  # forced colours are the system's
    assert (len(found), len(palettes)) == (3, 2)
    for colours in palettes:
        for ground in ("paper", "panel"):
            for text in ("ink", "muted", "link", "pass", "fail", "unsure", "none"):
                assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for mark in ("train", "holdout", "synthetic", "claimed", "unsure"):
            assert _contrast(colours[mark], colours["paper"]) >= 3, mark
        for ground in ("notice", "safe"):
            assert _contrast("#ffffff", colours[ground]) >= 4.5, ground
        assert _contrast(colours["ink"], _mixed(colours["heat"], colours["track"], 0.55)) >= 4.5
