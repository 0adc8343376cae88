"""Pages to look at, and a browser to look at them with. A new page goes into `PAGES`; a new test of what it says into test_html.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabsynth.report import card, compare, report

from . import browser as chromium
from . import sample, sample_compare

PAGES = {
    "report": lambda: report(sample.report()),
    "minimal report": lambda: report(sample.minimal()),
    "wide report": lambda: report(sample.wide(50)),
    "card": lambda: card(sample.card()),
    "card without privacy": lambda: card(sample.not_private_card()),
    "hostile card": lambda: card(sample.hostile_card()),
    "comparison": lambda: compare(sample_compare.several(), sample_compare.NAMES),
    "hostile comparison": lambda: compare(sample_compare.hostile(), [sample.HOSTILE, sample.BREAKER]),
}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every page, as a file."""
    folder = tmp_path_factory.mktemp("pages")
    out = {}
    for number, (name, draw) in enumerate(PAGES.items()):
        out[name] = folder / f"{number}.html"
        out[name].write_text(draw(), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """A headless Chromium. Its absence skips a test on a laptop and fails it in CI."""
    program = chromium.find()
    if program is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine")
    assert program is not None, f"CI has to have a Chromium: none of {', '.join(chromium.NAMES)} is on the PATH"
    running = chromium.Browser(program, tmp_path_factory.mktemp("profile"))
    yield running
    running.close()
