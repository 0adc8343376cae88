"""`tabsynth report`: a page from its JSON alone, or one sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabsynth.pipeline import write_report
from tabsynth.release import write_json
from tabsynth.report import card

from . import browser as chromium
from . import sample


@pytest.fixture
def run(run):
    """Run `tabsynth report` in this process: exit code, standard output, standard error."""
    return lambda *arguments: run("report", *arguments)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The files of the sample, written as a release writes them."""
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "release").mkdir()
    write_report(folder, sample.report())
    write_json(folder / "release/card.json", sample.card())
    (folder / "release/card.html").write_text(card(sample.card()), encoding="utf-8")
    return folder


REPORT, CARD = "confidential/report.internal.json", "release/card.json"
PAIRS = [(REPORT, "confidential/report.internal.html"), (CARD, "release/card.html")]


@pytest.mark.parametrize(("source", "page"), PAIRS)
def test_a_release_is_redrawn_byte_for_byte(released, run, tmp_path, source, page):
    code, out, err = run("--from", released[0] / source, "--out", tmp_path / "new" / "place")
    assert (code, err) == (0, "")
    name = Path(page).name
    which = "Public card (may leave)" if source == CARD else "Report (CONFIDENTIAL, must not leave)"
    assert out == f"{which}: {tmp_path}/new/place/{name}\n"
    assert [p.name for p in (tmp_path / "new/place").iterdir()] == [name]
    assert (tmp_path / "new/place" / name).read_bytes() == (released[0] / page).read_bytes()


@pytest.mark.parametrize(("folder", "page"), [(".", PAIRS[0][1]), ("release", PAIRS[1][1])])
def test_a_release_gives_its_report_and_what_may_leave_of_it_the_card(released, run, tmp_path, folder, page):
    assert run("--from", released[0] / folder, "--out", tmp_path / "page.html", "--quiet")[0] == 0
    assert (tmp_path / "page.html").read_bytes() == (released[0] / page).read_bytes()


def test_no_confidential_page_is_written_beside_what_may_leave(written, run):
    says = "is confidential and"
    _refused(run("--from", written, "--out", written / "release/new.html"), says, written / "release/new.html")
    _refused(run("--from", written, "--out", written / "release"), says, written / "release/report.internal.html")
    assert run("--from", written / CARD, "--out", written / "release/new.html", "--quiet")[0] == 0


@pytest.mark.parametrize(("source", "page"), PAIRS)
def test_into_a_file_of_any_name(written, run, tmp_path, source, page):
    (written / "elsewhere.json").write_bytes((written / source).read_bytes())
    code, out, _ = run("--from", written / "elsewhere.json", "--out", tmp_path / "mine.html", "--json")
    assert code == 0
    assert json.loads(out)["out"] == str(tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_bytes() == (written / page).read_bytes()


def test_into_a_folder_that_exists_and_quietly(written, run, tmp_path):
    (tmp_path / "there.html").mkdir()
    assert run("--from", written / CARD, "--out", tmp_path / "there.html", "--quiet") == (0, "", "")
    assert [p.name for p in (tmp_path / "there.html").iterdir()] == ["card.html"]


@pytest.mark.parametrize(
    "draw",
    [
        sample.minimal,
        lambda: sample.report() | {"card": None},
        lambda: sample.report() | {"card": sample.not_private_card()},
        lambda: sample.report() | {"findings": [sample.minimal()["findings"][0] | {"check": "utility", "value": None}]},
    ],
)
def test_every_kind_of_report(run, tmp_path, draw):
    write_report(tmp_path, draw())
    assert run("--from", tmp_path / REPORT, "--out", tmp_path / "again.html")[0] == 0
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / PAIRS[0][1]).read_bytes()


REPORTS: dict[str, tuple[Callable[[dict], object], str]] = {
    "other version": (lambda d: d.update(version=2), "has version 2; this tabsynth reads version 1"),
    "other format": (
        lambda d: d.update(format="tabsynth.attack"),
        "has the format 'tabsynth.attack'; give a release, or its report.internal.json",
    ),
    "no format": (lambda d: d.pop("format"), "has the format None"),
    "a format that is no text": (lambda d: d.update(format={"a": 1}), "has the format {'a': 1}"),
    "called private": (lambda d: d.update(private=True), '$.private: breaks the rule "const"'),
    "no findings": (lambda d: d.pop("findings"), "$: 'findings' is a required property"),
    "an entry too many": (lambda d: d.update(score=97), "('score' was unexpected)"),
    "a text for a number": (lambda d: d["findings"][0].update(value="secret"), "$.findings[0].value: breaks the rule"),
    "a broken card inside": (lambda d: d["card"]["ledger"].pop("charges"), "$.card.ledger: 'charges' is a required property"),
}


@pytest.mark.parametrize("what", REPORTS)
def test_a_document_that_does_not_conform_is_named(written, run, tmp_path, what):
    document = copy.deepcopy(sample.report())
    REPORTS[what][0](document)
    (written / REPORT).write_text(json.dumps(document))
    _refused(run("--from", written / REPORT, "--out", tmp_path / "new"), REPORTS[what][1], tmp_path / "new")


def test_a_card_that_does_not_conform_is_named(written, run, tmp_path):
    (written / CARD).write_text(json.dumps(sample.card() | {"guarantee": sample.card()["guarantee"] | {"private": False}}))
    _refused(run("--from", written / CARD, "--out", tmp_path / "new"), "$.guarantee.epsilon: breaks the rule", tmp_path / "new")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x04", b"{" * 5, b"[" * 100_000, b'{"format": "tabsynth.card"'])
def test_what_is_not_json_is_refused(run, tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    _refused(run("--from", tmp_path / "x.json", "--out", tmp_path / "new"), "cannot be read as JSON", tmp_path / "new")


@pytest.mark.parametrize("content", ["[]", "null", "3", '"tabsynth.card"'])
def test_json_of_something_else_is_refused(run, tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    _refused(run("--from", tmp_path / "x.json", "--out", tmp_path / "new"), "has the format None", tmp_path / "new")


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("gone.json", "new", "there is no file"),
        ("gone", "new", "there is no file"),
        (CARD, "release/card.html", "card.html already exists; name a new file or another folder"),
        (CARD, "release", "card.html already exists"),
        (REPORT, "confidential/report.internal.html", "already exists"),
        (CARD, CARD, "lies in a file"),
        (CARD, "/sys/x.html", "no permission to read or write"),
    ],
)
def test_bad_places_are_refused_and_nothing_is_replaced(written, run, source, out, says):
    before = {p: p.read_bytes() for p in written.rglob("*") if p.is_file()}
    _refused(run("--from", written / source, "--out", written / out), says, written / "new")
    assert {p: p.read_bytes() for p in written.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["page.docx", "page.json", "card.htm", "page.HTM", "report.md", "page.png"])
def test_a_file_of_another_kind_is_not_taken_for_a_folder(written, run, tmp_path, name):
    says = f"--out is {name}; give a new .html or .pdf file, or a folder."
    _refused(run("--from", written / CARD, "--out", tmp_path / name), says, tmp_path / name)


@pytest.mark.parametrize("name", ["eps0.3", "release.2026-03", "plain", ".hidden"])
def test_a_folder_may_have_a_point_in_its_name(written, run, tmp_path, name):
    assert run("--from", written / CARD, "--out", tmp_path / name)[0] == 0
    assert [p.name for p in (tmp_path / name).iterdir()] == ["card.html"]


def test_a_folder_that_is_there_may_have_any_name(written, run, tmp_path):
    (tmp_path / "my.docx").mkdir()
    assert run("--from", written / CARD, "--out", tmp_path / "my.docx")[0] == 0
    assert [p.name for p in (tmp_path / "my.docx").iterdir()] == ["card.html"]


@pytest.mark.skipif(chromium.find() is None, reason="printing needs a Chromium")
@pytest.mark.parametrize("name", ["card.pdf", "CARD.PDF"])
def test_a_name_that_ends_in_pdf_is_printed(written, run, tmp_path, name):
    code, out, err = run("--from", written / CARD, "--out", tmp_path / name)
    assert (code, err) == (0, "")
    assert out == f"Public card (may leave): {tmp_path / name}\n"
    assert (tmp_path / name).read_bytes().startswith(b"%PDF")
    code, _, err = run("--from", written / CARD, "--out", tmp_path / name)
    assert code == 2
    assert "already exists; name a new file" in err


def test_without_a_browser_a_pdf_is_refused_and_nothing_is_written(written, run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _refused(run("--from", written / CARD, "--out", tmp_path / "new.pdf"), "a PDF needs a Chromium", tmp_path / "new.pdf")


def test_text_that_no_file_can_hold_is_refused(written, run, tmp_path):
    (written / CARD).write_text(json.dumps(sample.card() | {"noise": "\ud800"}))
    _refused(run("--from", written / CARD, "--out", tmp_path / "new"), "cannot be read as JSON", tmp_path / "new")


def test_it_explains_itself(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(
        word in out for word in ("--from", "report.internal.json", "card.json", "--out", "byte for byte", "--compare", ".pdf")
    )
    assert run()[0] == 2


def _refused(answer: tuple[int, str, str], says: str, place: Path) -> None:
    code, out, err = answer
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert "secret" not in err
    assert not place.exists()
