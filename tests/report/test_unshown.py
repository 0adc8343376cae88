"""What is hidden because few people are behind it is drawn and written as not shown, never as zero, and the report says how much."""

from __future__ import annotations

import json
import re

from tabsynth.report import report
from tabsynth.report.figures import UNSHOWN, bins, categories, histogram

from . import sample

FEW = {"column": "job", "bins": ["clerk", "nurse", "poet", None], "train": [0.9, 0.1, None, None], "holdout": [0.8, None, None, 0.2],
       "synthetic": [0.7, 0.2, 0.1, 0.0]}  # fmt: skip


def _group(picture: str, label: str) -> str:
    """The marks of one bin."""
    return next(found for found in re.findall(r"<g>.*?</g>", picture) if f"<title>{label}: " in found)


def test_both_pictures_mark_what_is_not_shown():
    for draw in (histogram, categories):
        picture = str(draw(FEW, title="Job", desc=""))
        clerk, nurse, poet, unnamed = (_group(picture, label) for label in ("clerk", "nurse", "poet", "not shown"))
        assert [part.count('class="unshown"') for part in (clerk, nurse, poet, unnamed)] == [0, 1, 1, 1]
        assert f"training 10.0\u00a0%, holdout {UNSHOWN}, synthetic 20.0\u00a0%" in nurse
        assert f"training {UNSHOWN}, holdout {UNSHOWN}, synthetic 10.0\u00a0%" in poet
        assert [part.count('class="holdout"') for part in (clerk, nurse, poet, unnamed)] == [1, 0, 0, 1], "no tick at zero"


def test_a_bin_stays_where_its_shares_are_not_shown_and_goes_where_they_are_zero():
    data = {"bins": ["a", "b", "c"], "train": [None, 0.0, 1.0], "holdout": [0.0, 0.0, 1.0], "synthetic": [0.0, 0.0, 1.0]}
    assert [row[0] for row in bins(data)] == ["a", "c"]


def test_a_picture_of_nothing_but_hidden_shares_is_drawn():
    data = {"bins": [None, None], "train": [None, None], "holdout": [None, None], "synthetic": [0.0, 0.0]}
    for draw in (histogram, categories):
        assert str(draw(data, title="Job", desc="")).count('class="unshown"') == 2


def test_tables_say_not_shown_and_the_rule_stands_beside_them_and_in_the_limitations():
    text = " ".join(report(sample.report()).split())

    def section(name: str) -> str:
        return re.search(f'<section id="{name}".*?</section>', text)[0]

    rule = "not shown: fewer than 11 rows are behind a number, or such a number could be computed from it (small-cell rule)."
    assert f"9 numbers of the columns are {rule}" in section("fidelity")
    assert f"3 numbers of this table are {rule}" in section("fidelity")
    assert f"2 numbers of the groups are {rule}" in section("worst")
    assert "distance not shown, training rows not shown" in section("fidelity")
    assert section("fidelity").count('<td class="num">not shown</td>') == 3
    assert '<td class="num">not shown</td>' in section("worst")
    assert f"2 numbers of the columns are {rule}" in section("quality")
    assert f"1 number of the pairs is {rule}" in section("quality")
    assert "17 numbers about real rows with something in common are not shown, because fewer than 11" in section("limitations")


def test_where_nothing_was_hidden_the_report_does_not_speak_of_it():
    data = sample.report()
    for finding in data["findings"]:
        for entry in ("suppressed", "small_cell"):
            finding["details"].pop(entry, None)
        for part in finding["details"].get("histograms", ()):
            part |= {name: [value or 0.0 for value in part[name]] for name in ("bins", "train", "holdout")}
        for table in finding["details"].get("drawn", ()):
            table["train"] = [[share or 0.0 for share in line] for line in table["train"]]
    text = report(data)
    assert "small-cell rule" not in text
    assert 'class="unshown"' not in text


def test_a_secret_without_its_counts_is_written():
    data = sample.report()
    finding = next(f for f in data["findings"] if f["check"] == "attacks.attribute.age")
    for result in finding["details"]["attackers"].values():
        result.update(dict.fromkeys(("members", "n_members", "nonmembers", "n_nonmembers", "baseline_nonmembers", "confident")))
    finding["details"] |= {"suppressed": 12, "small_cell": 11}
    text = report(json.loads(json.dumps(data)))
    assert text.count("counts not shown") == 2
    assert "12 numbers of these columns are not shown" in text
