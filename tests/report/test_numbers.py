"""Numbers read alike in every country: no comma as a thousands separator, and texts that look like numbers come through untouched."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tabsynth.report import card, report
from tabsynth.report.page import interval, number, plain

from . import sample
from .browser import Browser

FOREIGN = ["1.234,56", "1 234,5", "1,234", "1\u202f234", "1'234.5", "-1,5", "12.345", "0,001"]
"""As written in Germany, France, England, France again, Switzerland, ..."""


def test_thousands_are_parted_by_a_narrow_space():
    assert number(12345) == "12\u202f345"
    assert number(-1234567.891, 1) == "\u22121\u202f234\u202f567.9"
    assert (number(999), number(0.5), number(1000.0, 0)) == ("999", "0.500", "1\u202f000")
    assert plain(1500000.0) == "1\u202f500\u202f000"
    assert [plain(text) for text in FOREIGN] == FOREIGN
    assert interval([-1234.5, 2345.25], 1) == "[\u22121\u202f234.5,\u00a02\u202f345.2]"


def test_no_page_writes_a_comma_into_a_number(pages: dict[str, Path]):
    """What a finding's own note says is passed on as it is."""
    for path in pages.values():
        body = re.sub(r"<(style|script).*?</\1>|data-curve='[^']*'", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"(?<!needs )\b\d{1,3},\d{3}\b", body)
        assert "How numbers are written: a narrow space parts the thousands and a point the decimals (12\u202f345.6)" in body


def foreign() -> tuple[dict[str, Any], dict[str, Any]]:
    """A report and a card with columns, labels and bins named like numbers."""
    data, made = copy.deepcopy(sample.report()), copy.deepcopy(sample.card())
    columns = {
        FOREIGN[0]: {"kind": "categorical", "labels": FOREIGN},
        FOREIGN[1]: {"kind": "integer", "minimum": -12345, "maximum": 1234567},
    }
    data["schema"]["columns"] = made["schema"]["columns"] = columns
    even = [1 / len(FOREIGN)] * len(FOREIGN)
    for finding in data["findings"]:
        if finding["check"] == "fidelity.tvd1":
            finding["details"] = {
                "columns": [{"column": FOREIGN[0], "value": 0.1, "reference": 0.1}],
                "histograms": [{"column": FOREIGN[0], "bins": FOREIGN, "train": even, "holdout": even, "synthetic": even}],
            }
    return data, made


def test_texts_that_look_like_numbers_are_left_alone():
    data, made = foreign()
    html = report(data)
    for text in FOREIGN:
        escaped = text.replace("'", "&#39;")
        assert f'text-anchor="end">{escaped}</text>' in html
        assert f"<g><title>{escaped}: training" in html
    shown = card(made)
    assert ", ".join(FOREIGN).replace("'", "&#39;") in shown
    assert "<td>integer</td><td>\u221212\u202f345 to 1\u202f234\u202f567</td>" in shown


LANGUAGES = ("en-US", "de-DE", "fr-FR")


@pytest.mark.parametrize("name", ["report", "card"])
def test_every_browser_shows_the_same_text(browser: Browser, tmp_path: Path, name: str):
    """The sliders are moved to where numbers have thousands."""
    made = foreign()[1]
    made["guarantee"] |= {"epsilon": 9.0, "delta": 1e-6, "mu": None}
    page = tmp_path / "page.html"
    page.write_text(card(made) if name == "card" else report(foreign()[0] | {"card": made}), encoding="utf-8")
    own, seen = {}, {}
    for language in LANGUAGES:
        browser.call("Emulation.setLocaleOverride", locale=language)
        try:
            browser.open(page)
            own[language] = browser.evaluate("(1234.5).toLocaleString()")
            move = "document.getElementById('odds-prior').value = 16; document.getElementById('odds-rate').value = 0;"
            browser.evaluate(f"{move} document.getElementById('odds').dispatchEvent(new Event('input'))")
            seen[language] = browser.evaluate("document.body.innerText")
            values = browser.evaluate("[...document.querySelectorAll('#odds input')].map(e => e.getAttribute('aria-valuetext'))")
        finally:
            browser.call("Emulation.setLocaleOverride")
        assert values == ["99\xa0%", "0.01\xa0%"]
    assert own == {"en-US": "1,234.5", "de-DE": "1.234,5", "fr-FR": "1\u202f234,5"}
    assert seen["de-DE"] == seen["fr-FR"] == seen["en-US"]
    assert re.search(r"\d\u202f\d{3} right\s+for each false alarm", seen["en-US"])


DRAW = """
import json, locale, sys
from tabsynth.report import card, report
locale.setlocale(locale.LC_ALL, "")
out = report(json.load(open(sys.argv[1]))) + card(json.load(open(sys.argv[2])))
sys.stdout.buffer.write(locale.localeconv()["decimal_point"].encode() + out.encode())
"""


@pytest.mark.parametrize("language", ["de_DE", "fr_FR"])
def test_a_foreign_locale_draws_the_same_bytes(tmp_path: Path, language: str):
    if not (shutil.which("localedef") and (Path("/usr/share/i18n/locales") / language).is_file()):
        pytest.skip("no sources of locales on this machine")
    subprocess.run(["localedef", "-i", language, "-f", "UTF-8", tmp_path / f"{language}.UTF-8"], check=True, capture_output=True)
    files = []
    for name, data in zip(("report", "card"), foreign(), strict=True):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(data), encoding="utf-8")
    environment = os.environ | {"LOCPATH": str(tmp_path), "LC_ALL": f"{language}.UTF-8", "LANG": f"{language}.UTF-8"}
    run = subprocess.run([sys.executable, "-c", DRAW, *files], env=environment, capture_output=True, check=True)
    data, made = foreign()
    assert run.stdout == b"," + (report(data) + card(made)).encode()
