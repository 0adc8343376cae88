"""The PDF that `printed` makes: tags, bookmarks, page numbers, nothing cut, nothing left behind, and what happens without a browser."""

from __future__ import annotations

import io
import os
import re
import stat
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tabsynth.errors import InputError
from tabsynth.report import card, report
from tabsynth.report.pdf import printed

from . import sample
from .browser import Browser
from .test_html import Page

pypdf = pytest.importorskip("pypdf")
DRAWN = {"report": lambda: report(sample.report()), "card": lambda: card(sample.card())}
MARGIN = 17 / 25.4 * 72
"""Left and right, in points."""


@pytest.fixture(scope="module", params=DRAWN)
def made(request: pytest.FixtureRequest, browser: Browser) -> tuple[str, Any]:
    """A page and its PDF. `browser` is asked for so that a machine without one skips."""
    html = DRAWN[request.param]()
    return html, pypdf.PdfReader(io.BytesIO(printed(html)))


@pytest.fixture(scope="module")
def written(made: tuple[str, Any]) -> list[tuple[str, list[tuple[str, float, float]]]]:
    """The text of each page, and where its pieces begin, in points from the lower left corner."""
    out = []
    for page in made[1].pages:
        placed = []

        def place(text, cm, tm, font, size, placed=placed):
            if text.strip():
                placed.append((text, tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]))

        out.append((page.extract_text(visitor_text=place), placed))
    return out


def squeezed(text: str) -> str:
    """Without spaces and ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def elements(node: Any, page: Any = None) -> Iterator[tuple[str, Any, set[int]]]:
    """Kind, element and pages of each element of the tag tree, in the order of reading."""
    node = node.get_object()
    if isinstance(node, list):
        for child in node:
            yield from elements(child, page)
    elif isinstance(node, dict) and "/S" in node:
        yield node["/S"], node, pages_of(node)
        yield from elements(node.get("/K", pypdf.generic.ArrayObject()))
    elif isinstance(node, dict) and "/K" in node:
        yield from elements(node["/K"])


def pages_of(node: Any, page: Any = None) -> set[int]:
    """Object numbers of the pages on which something of an element is marked."""
    node = node.get_object()
    if isinstance(node, list):
        return {number for child in node for number in pages_of(child, page)}
    if isinstance(node, int):
        return {page.idnum}
    if not isinstance(node, dict):
        return set()
    page = node.raw_get("/Pg") if "/Pg" in node else page
    return {page.idnum} if "/MCID" in node else pages_of(node["/K"], page) if "/K" in node else set()


def bookmarks(outline: list, level: int = 1) -> Iterator[tuple[int, Any]]:
    for entry in outline:
        if isinstance(entry, list):
            yield from bookmarks(entry, level + 1)
        else:
            yield level, entry


def test_is_tagged_and_says_its_title_and_language(made: tuple[str, Any]):
    html, pdf = made
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712
    assert root["/Lang"] == "en"
    assert pdf.metadata.title == re.search("<title>(.*?)</title>", html)[1]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712


def test_every_heading_is_a_bookmark_on_its_page(made: tuple[str, Any], written: list):
    html, pdf = made
    headings = re.findall(r"<h([1-4])[^>]*>(.*?)</h\1>", html.replace("<h2>Contents</h2>", ""))
    found = list(bookmarks(pdf.outline))
    assert [(level, entry.title) for level, entry in found] == [
        (int(level), " ".join(Page(f"<p>{text}</p>").text)) for level, text in headings
    ]
    numbers = [pdf.get_destination_page_number(entry) for _, entry in found]
    assert numbers == sorted(numbers)
    for (_, entry), number in zip(found, numbers, strict=True):
        assert squeezed(entry.title) in squeezed(written[number][0])


def test_tables_have_header_cells_and_pictures_have_words(made: tuple[str, Any]):
    html, pdf = made
    tags = list(elements(pdf.trailer["/Root"]["/StructTreeRoot"]))
    kinds = [kind for kind, _, _ in tags]
    assert kinds.count("/Table") == html.count("<table>")
    scopes = [{a.get("/Scope") for a in node["/A"]} - {None} for kind, node, _ in tags if kind == "/TH"]
    assert len(scopes) == html.count('<th scope="')
    assert all(len(scope) == 1 and scope <= {"/Row", "/Column"} for scope in scopes)
    assert all(any("/Headers" in a for a in node["/A"]) for kind, node, _ in tags if kind == "/TD")
    told = [node.get("/Alt") for kind, node, _ in tags if kind == "/Figure"]
    pictures = [attrs["aria-label"] for attrs in Page(html).all("svg") if attrs.get("role") == "img"]
    assert told == pictures != []


def test_no_row_and_no_picture_is_cut_and_no_heading_left_behind(made: tuple[str, Any]):
    _, pdf = made
    tags = [tag for tag in elements(pdf.trailer["/Root"]["/StructTreeRoot"]) if tag[2]]
    for kind, node, pages in tags:
        body = kind == "/TR" and "/TD" in {cell for cell, _, _ in elements(node["/K"])}
        if body or kind in ("/Figure", "/Caption", "/H1", "/H2", "/H3", "/H4"):
            assert len(pages) == 1, (kind, node.get("/Alt"))
    for i, (kind, node, pages) in enumerate(tags):
        if kind in ("/H1", "/H2", "/H3", "/H4", "/Caption"):
            inside = sum(bool(tag[2]) for tag in elements(node["/K"]))
            after, _, its_pages = tags[i + 1 + inside]
            # The caption of a picture stands below it.
            assert pages & its_pages or (kind == "/Caption" and after != "/TR"), (kind, after)
    assert any(len(pages) > 1 for kind, _, pages in tags if kind == "/Table"), "no table is long enough to tell"


def test_all_is_inside_the_margins_and_every_last_column_is_there(made: tuple[str, Any], written: list):
    html, pdf = made
    whole = squeezed("".join(text for text, _ in written))
    for number, (text, placed) in enumerate(written, 1):
        width, height = (float(v) for v in pdf.pages[number - 1].mediabox[2:])
        assert (round(width), round(height)) == (595, 842)
        assert [p for p in placed if not (MARGIN - 1 <= p[1] <= width - MARGIN and 15 <= p[2] <= height - 15)] == []
        assert f"Page {number} of {len(pdf.pages)}" in text
    last = re.findall(r"<td[^>]*>((?:(?!<td|</tr>).)*)</td>\s*</tr>", html, re.DOTALL)
    assert len(last) > 20
    for cell in last:
        for part in Page(f"<p>{cell}</p>").text:
            assert squeezed(part) in whole


def test_header_rows_are_repeated(made: tuple[str, Any], written: list):
    html, pdf = made
    texts = {page.indirect_reference.idnum: squeezed(text) for page, (text, _) in zip(pdf.pages, written, strict=True)}
    tags = [pages for kind, _, pages in elements(pdf.trailer["/Root"]["/StructTreeRoot"]) if kind == "/Table"]
    seen = 0
    for pages, table in zip(tags, re.findall(r"<table>.*?</table>", html, re.DOTALL), strict=True):
        head = re.search(r"<thead>(.*?)</thead>", table, re.DOTALL)
        if head and len(pages) > 1:
            words = squeezed("".join(Page(head[1]).text))
            assert all(words in texts[page] for page in pages), words
            seen += 1
    assert seen, "no table begins on one page and ends on the next"


def test_leaves_nothing_behind(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither a file nor a process; and nobody else can look into the folder meanwhile."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = tmp_path / "seen"
    real = browser.program
    fake = _program(tmp_path, f'stat -c %a "$HOME" > {seen}; echo "$HOME" "$XDG_CACHE_HOME" >> {seen}; exec {real} "$@"')
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert printed("<!DOCTYPE html><title>t</title><p>x").startswith(b"%PDF-")
    mode, folders = seen.read_text().splitlines()
    assert mode == "700"
    assert set(folders.split()) == {folders.split()[0]}
    assert folders.startswith(str(tmp_path))
    assert not list(tmp_path.glob("tabsynth-pdf-*"))
    assert not [
        p for p in Path("/proc").glob("[0-9]*/cmdline") if b"tabsynth-pdf-" in _read(p) and str(tmp_path).encode() in _read(p)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _program(folder: Path, script: str) -> Path:
    """A shell script that is found as chromium."""
    path = folder / "bin" / "chromium"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_a_browser_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match=r"^a PDF needs a Chromium, and none of chromium, .* is on the PATH; .* from any browser\.$"
    ):
        printed("<p>x")


def test_a_browser_that_fails_or_hangs_is_one_sentence_and_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bin_path = _program(tmp_path, "echo a row of the table >&2; exit 1").parent
    monkeypatch.setenv("PATH", f"{bin_path}:{os.environ['PATH']}")
    with pytest.raises(InputError, match=r"chromium made no PDF of the page; check .* from any browser\.$"):
        printed("<p>x")
    _program(tmp_path, f"sleep 300 & echo $! > {tmp_path}/child; sleep 300")
    with pytest.raises(InputError, match=r"chromium took longer than 0\.5 s to print the page; .* from any browser\.$"):
        printed("<p>x", seconds=0.5)
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "cmdline"
    deadline = time.monotonic() + 5
    while b"sleep" in _read(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert b"sleep" not in _read(child)
    assert not list(tmp_path.glob("tabsynth-pdf-*"))
