"""axe-core on every row and picture of every page, in every mode: minutes on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.axe import SVG_CONTRAST, complaints
from report.browser import Browser
from report.conftest import PAGES, browser, pages

pytestmark = pytest.mark.slow
__all__ = ["browser", "pages"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_anywhere(browser: Browser, pages: dict[str, Path], name: str, dark: bool, width: int):
    browser.open(pages[name], width=width, dark=dark)
    assert [found for found in browser.evaluate(SVG_CONTRAST) if found[1] < 4.5] == []
    assert complaints(browser, uncut=width == 1280) == []
