"""Names and texts in a card or report stay text: they make no element, reorder no sentence, and hide nothing on the page."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabsynth.errors import OptionError
from tabsynth.escapes import visible
from tabsynth.report import card, compare, report

from . import sample, sample_compare
from .browser import Browser

LIE = "\u202eDILAV\u2066\u200b\x1b[2K\x9b\0\r\u2028<bad-tag onload='x'>\"'--></script></style></svg></title>]]>{{ 7*7 }}\ud800"
HEBREW = "אבג"
KEPT = {"format", "check", "verdict", "kind"}
"""Entries by which pages find their way; what else they hold is only shown."""


def lying(data: Any, key: str = "") -> Any:
    """The same data with the lie at the end of every text and name, but of those in `KEPT` and of the entries' own names."""
    if isinstance(data, dict):
        named = key in ("columns", "files", "settings")
        return {name + LIE * (named and isinstance(name, str)): lying(value, name) for name, value in data.items()}
    if isinstance(data, list):
        return [lying(value, key) for value in data]
    return data + LIE if isinstance(data, str) and key not in KEPT else data


def leaves(data: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where the texts are."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    elif isinstance(data, str):
        yield path


def replaced(data: Any, path: tuple, text: str) -> Any:
    out = copy.deepcopy(data)
    *above, last = path
    place = out
    for key in above:
        place = place[key]
    place[last] = text
    return out


def calm(html: str) -> str:
    """The page, once it holds no element, script or unseen character that a text brought in."""
    assert visible(html, keep="\n\u2068\u2069") == html
    assert "<bad-tag" not in html
    assert "\\u202eDILAV" in html, "the lie is on the page"
    assert "{{ 7*7 }}" in html, "and was not run as a template"
    assert not re.search(r"\]\]>|--></script>", html)
    html.encode()
    return html


@pytest.mark.parametrize("draw", [
    lambda: report(lying(sample.report())), lambda: report(lying(sample.minimal())), lambda: card(lying(sample.card())),
    lambda: card(lying(sample.not_private_card())),
    lambda: compare([lying(each) for each in sample_compare.several()], [LIE + name for name in sample_compare.NAMES]),
])  # fmt: skip
def test_lies_everywhere_stay_text(draw):
    calm(draw())


@pytest.mark.parametrize("draw", [card, report])
def test_a_lie_in_any_one_place_stays_text(draw):
    data = {card: sample.card, report: sample.minimal}[draw]()
    shown = 0
    for path in leaves(data):
        try:
            html = draw(replaced(data, path, LIE))
        except OptionError:
            continue
        assert visible(html, keep="\n") == html, path
        assert "<bad-tag" not in html, path
        shown += "DILAV" in html
    assert shown > 20


def test_data_for_scripts_holds_no_text_of_the_card():
    """What the page's script reads is numbers alone, so no name of a card reaches it."""
    html = calm(card(lying(sample.card())))
    curve = re.search(r"data-curve='([^']*)'", html)[1].replace("&#34;", '"')
    assert not [path for path in leaves(json.loads(curve))]


def test_words_from_right_to_left_are_isolated_wherever_they_stand():
    data = sample.card()
    data["schema"]["name"] = HEBREW
    data["schema"]["columns"] = {HEBREW: {"kind": "categorical", "labels": [HEBREW, "x"]}}
    data["ledger"]["charges"][0]["note"] = f"{HEBREW} 12"
    html = card(data)
    assert html.count(HEBREW) == html.count(f"\u2068{HEBREW}\u2069") >= 4
    assert f"<title>Synthetic data card: \u2068{HEBREW}\u2069</title>" in html


def test_a_sentence_keeps_its_order_on_the_screen(browser: Browser, tmp_path: Path):
    """In each cell of the columns' table, labels are drawn from left to right in the order of the schema, with what separates them."""
    data = sample.card()
    labels = [HEBREW, "12", "דהו", "7"]
    data["schema"]["columns"] = {
        "a": {"kind": "categorical", "labels": labels},
        "b": {"kind": "categorical", "labels": ["x\u202ey", "z"]},
    }
    path = tmp_path / "card.html"
    path.write_text(card(data), encoding="utf-8")
    places = """(() => {
      const cell = [...document.querySelectorAll('#columns td')].find(c => c.textContent.includes('12'));
      const node = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode(), text = node.textContent;
      return LABELS.map(label => { const range = document.createRange(), start = text.indexOf(label);
        range.setStart(node, start); range.setEnd(node, start + label.length); return range.getBoundingClientRect().left; });
    })()""".replace("LABELS", json.dumps(labels))
    browser.open(path)
    lefts = browser.evaluate(places)
    assert lefts == sorted(lefts)
