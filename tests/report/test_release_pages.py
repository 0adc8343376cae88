"""The two pages and the JSON of a real release, made by the command line."""

import json

import pytest

from .test_formats import errors

PAGES = ["confidential/report.internal.html", "release/card.html"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_clean_and_fits(browser, released, page, width):
    path = released[0] / page
    browser.open(path, width=width)
    assert browser.requests() == [path.resolve().as_uri()]
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_every_section_is_there(browser, released):
    from .test_html import CARD_SECTIONS, SECTIONS

    for page, sections in zip(PAGES, (SECTIONS, CARD_SECTIONS), strict=True):
        browser.open(released[0] / page)
        assert browser.evaluate("[...document.querySelectorAll('section')].map(s => s.id)") == sections
    browser.open(released[0] / "confidential/report.internal.html")
    assert browser.evaluate("document.body.innerText").startswith("CONFIDENTIAL")
    assert browser.evaluate("document.querySelectorAll('svg').length") >= 10


@pytest.mark.parametrize(
    ("name", "file"),
    [("report", "confidential/report.internal.json"), ("card", "release/card.json"), ("card", "release/model/card.json")],
)
def test_its_json_conforms_to_the_published_schema(released, name, file):
    assert errors(name, json.loads((released[0] / file).read_text())) == []
