"""WCAG 2.2 AA: axe-core on every page, and what no checker sees: keyboard, zoom, text spacing, motion, forced colours, no script.

tests/slow/test_accessibility_whole.py runs axe-core on every row in every mode; here, repeated rows and pictures are left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tabsynth.report import card

from . import sample
from .axe import SVG_CONTRAST, complaints
from .browser import Browser
from .conftest import PAGES

SMALL = ["tbody tr:nth-child(n+3)", ".multiples > :nth-child(n+3)", ".claim:nth-child(n+4)"]
"""What repeats what stands above it."""


@pytest.mark.parametrize("name", [name for name in PAGES if name != "wide report"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], name: str, width: int, dark: bool):
    browser.open(pages[name], width=width, dark=dark)
    assert [found for found in browser.evaluate(SVG_CONTRAST) if found[1] < 4.5] == []
    assert complaints(browser, SMALL, uncut=width == 1280) == []


PLANTED = {
    "color-contrast": ("--muted: #55616e", "--muted: #8a949e"),
    "html-has-lang": ('<html lang="en">', "<html>"),
    "svg-img-alt": ("aria-label=", "data-label="),
    "label": ('<label for="odds-prior">', "<label>"),
    "scrollable-region-focusable": ('tabindex="0"', ""),
    "heading-order": ("<h3", "<h5"),
    "region": ("<aside", "<div"),
    "target-size": ("</main>", "<p style='line-height:9px;font-size:8px'>" + "<a href='#main'>x</a><br>" * 3 + "</p></main>"),
    "list": ("<ul>", "<ul><p>"),
    "empty-table-header": ('<th scope="col">Column</th>', '<th scope="col"></th>'),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_axe_would_find(browser: Browser, tmp_path: Path, rule: str):
    html = card(sample.card())
    assert PLANTED[rule][0] in html
    page = tmp_path / "bad.html"
    page.write_text(html.replace(*PLANTED[rule]), encoding="utf-8")
    browser.open(page, width=390)
    assert rule in {found["rule"] for found in complaints(browser)}


FOCUS = """(() => {
  const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
  return [e == document.body ? null : [...document.querySelectorAll('*')].indexOf(e), s.outlineStyle, parseFloat(s.outlineWidth),
    box.width, box.height];
})()"""
FOCUSABLE = "[...document.querySelectorAll('a[href], input, summary, [tabindex]')].filter(e => e.checkVisibility()).length"


@pytest.mark.parametrize("name", ["report", "card"])
def test_the_tab_key_reaches_everything_visibly_and_is_never_caught(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name])
    expected, reached = browser.evaluate(FOCUSABLE), []
    for _ in range(expected):
        browser.press("Tab")
        place, style, thick, width, height = browser.evaluate(FOCUS)
        reached.append(place)
        assert style == "solid"
        assert thick >= 2
        assert min(width, height) >= 20
    assert reached == sorted(set(reached)), "not in the order of the page"
    assert None not in reached
    browser.press("Tab")
    assert browser.evaluate(FOCUS)[0] in (None, reached[0])
    assert expected > 5


@pytest.mark.parametrize("name", ["report", "card"])
def test_the_first_stop_skips_to_the_content(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name], width=390)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.matches('a.skip') && document.activeElement.offsetHeight >= 24")
    browser.press("Enter")
    assert browser.evaluate("location.hash") == "#main"
    browser.press("Tab")
    assert browser.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_screen_reader_hears_the_slider(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["card"])
    browser.evaluate("document.getElementById('odds-prior').focus()")
    browser.press("ArrowRight")
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=root, selector="#odds-prior")["nodeId"]
    heard = browser.call("Accessibility.getPartialAXTree", nodeId=node, fetchRelatives=False)["nodes"][0]
    assert (heard["role"]["value"], heard["name"]["value"]) == ("slider", "Belief beforehand")
    assert browser.evaluate("document.getElementById('odds-prior').getAttribute('aria-valuetext')") == "20\xa0%"
    answer = browser.call("DOM.querySelector", nodeId=root, selector="#odds output")["nodeId"]
    heard = browser.call("Accessibility.getPartialAXTree", nodeId=answer, fetchRelatives=False)["nodes"][0]
    assert heard["role"]["value"] == "status", "a live region: what the slider changes is said"


@pytest.mark.parametrize("name", PAGES)
def test_targets_are_large_enough(browser: Browser, pages: dict[str, Path], name: str):
    """2.5.8: 24 by 24 CSS pixels, links inside a sentence aside."""
    for width in (1280, 390):
        browser.open(pages[name], width=width)
        boxes = browser.evaluate(
            "[...document.querySelectorAll('a[href]:not(.skip), input, summary')].filter(e => e.checkVisibility()).map(e => "
            "[e.textContent, e.getBoundingClientRect().width, e.getBoundingClientRect().height])"
        )
        assert [box for box in boxes if min(box[1:]) < 24] == []


SPACING = """document.head.insertAdjacentHTML('beforeend', `<style>* { line-height: 1.5 !important; letter-spacing: .12em !important;
word-spacing: .16em !important; } p { margin-bottom: 2em !important; }</style>`);
document.querySelectorAll('details').forEach(e => e.open = true);"""
CUT = """[...document.querySelectorAll('body *')].filter(e => !e.closest('svg, .skip') && getComputedStyle(e).overflow != 'visible'
&& (e.scrollHeight > e.clientHeight + 1 || !e.matches('.scroll, pre') && e.scrollWidth > e.clientWidth + 1)).map(e => e.outerHTML.slice(0, 99))"""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 320])
def test_narrow_and_widely_spaced_text_is_neither_cut_nor_scrolled_sideways(
    browser: Browser, pages: dict[str, Path], name: str, width: int
):
    """1.4.10 and 1.4.12. Tables and pictures may scroll inside the page."""
    browser.open(pages[name], width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.evaluate(SPACING)
    assert browser.evaluate("getComputedStyle(document.querySelector('main p')).letterSpacing") != "normal"
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(CUT) == []


def test_nothing_moves_where_motion_is_unwelcome(browser: Browser, pages: dict[str, Path]):
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    browser.open(pages["report"], prefers_reduced_motion="no-preference")
    assert browser.evaluate(behaviour) == "smooth"
    browser.open(pages["report"], prefers_reduced_motion="reduce")
    assert browser.evaluate(behaviour) == "auto"
    assert browser.evaluate("document.getAnimations().length") == 0
    assert not any(
        word in browser.evaluate("document.querySelector('style').textContent") for word in ("animation", "transition")
    )


@pytest.mark.parametrize("dark", [False, True])
def test_forced_colours_keep_badges_and_pictures(browser: Browser, pages: dict[str, Path], dark: bool):
    """Pictures take the reader's own colours: browsers do not force them on shapes."""
    browser.open(pages["report"], dark=dark, forced_colors="active")
    styles = "new Set([...document.querySelectorAll('.badge')].map(e => getComputedStyle(e).borderTopWidth))"
    assert browser.evaluate(f"[...{styles}]") == ["2px"]
    probe = "document.body.insertAdjacentHTML('beforeend', `<i style='color: ${name}'></i>`)"
    system = f"['Canvas', 'CanvasText', 'LinkText', 'GrayText'].map(name => ({probe}, getComputedStyle(document.body.lastChild).color))"
    ground, text, link, grey = browser.evaluate(system)
    assert len({ground, text, link, grey}) == 4
    marks = {".train": ("fill", grey), ".holdout": ("stroke", text), ".synthetic": ("stroke", link), ".bar": ("fill", link)}
    for selector, (which, colour) in marks.items():
        assert browser.evaluate(f"getComputedStyle(document.querySelector('main svg {selector}')).{which}") == colour, selector


def test_without_a_script_all_but_the_sliders_is_there(browser: Browser, pages: dict[str, Path]):
    text = "document.body.innerText.replace(document.getElementById('odds').innerText, '')"
    for name in ("report", "card"):
        browser.open(pages[name])
        with_script = browser.evaluate(text)
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            browser.open(pages[name])
            without = browser.evaluate("document.body.innerText")
        finally:
            browser.call("Emulation.setScriptExecutionDisabled", value=False)
        assert without.split() == with_script.split()
        assert "Try other values" not in without


def test_every_id_is_used_once(pages: dict[str, Path]):
    from .test_html import Page

    for path in pages.values():
        ids = [attrs["id"] for _, attrs in Page(path.read_text(encoding="utf-8")).tags if "id" in attrs]
        assert len(ids) == len(set(ids))
