"""The command that draws pages from JSON: report."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tabsynth import folders
from tabsynth.cli._options import output, table
from tabsynth.cli._tell import MUST_NOT_LEAVE, done

_REPORT, _CARD, _COMPARISON = "tabsynth.report", "tabsynth.card", "tabsynth.comparison"
_NAMES = {_REPORT: "report.internal", _CARD: "card", _COMPARISON: "comparison.internal"}
"""Usual name of each page, without its suffix."""
_TOLD = {
    _REPORT: f"Report ({MUST_NOT_LEAVE})",
    _CARD: "Public card (may leave)",
    _COMPARISON: f"Comparison ({MUST_NOT_LEAVE})",
}
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}")
"""What looks like the suffix of a file: eps.0.3 and release.2026 are names of folders, page.docx is not."""


@click.command()
@click.option("--from", "source", type=table, help="report.internal.json or card.json, or the release; nothing else is read.")
@click.option("--compare", "several", is_flag=True, help="Put the releases A B ... beside each other on one page.")
@click.argument("releases", nargs=-1, type=table, metavar="[A B ...]")
@click.option("--out", required=True, type=table, help="New .html or .pdf file, or the folder for a page under its usual name.")
@output
def report(source: Path | None, several: bool, releases: tuple[Path, ...], out: Path, quiet: bool, as_json: bool) -> None:
    """Draw the page of a confidential report, or of a public card, again from its JSON alone; or compare releases.

    The same tabsynth draws the same page, byte for byte, as release or evaluate did: the report of a whole release (its OUT), the card
    of the part that may leave (OUT/release). With --compare, A B ... are 2 to 12 releases of one data set (each its OUT, or its
    report.internal.json); one page, which is confidential, shows what each costs, what it is good for, and which of them is beaten by
    another. A name that ends in .pdf asks for a PDF, for which a Chromium prints the page. No file is ever replaced.
    """
    if several == (source is not None):
        raise click.UsageError("give either --from FILE, or --compare with two or more releases.")
    if releases and not several:
        raise click.UsageError("releases are given without --compare; give --compare A B ..., or --from FILE alone.")
    if several:
        kind, html = _COMPARISON, _compared(releases)
    else:
        kind, html = _redrawn(source)
    path = _new_file(out, _NAMES[kind])
    if kind != _CARD:
        folders.refuse_mixing(path)
    _write(path, html)
    done(quiet, as_json, {"out": str(path), "format": kind}, f"{_TOLD[kind]}: {path}")


def _redrawn(source: Path) -> tuple[str, str]:
    """The format of a document, and its page."""
    from tabsynth.published import read_document
    from tabsynth.report import card, report

    whole = (source / folders.CONFIDENTIAL).is_dir()
    path = folders.report(source) if whole else folders.card(source)
    document = read_document(path, (_REPORT, _CARD), "a release, or its report.internal.json or card.json")
    return document["format"], {_REPORT: report, _CARD: card}[document["format"]](document)


def _compared(releases: tuple[Path, ...]) -> str:
    """The page of several releases."""
    from tabsynth.published import read_document
    from tabsynth.report import compare

    files = [folders.report(path) for path in releases]
    documents = [read_document(path, (_REPORT,), "the output folder of a release, or its report.internal.json") for path in files]
    return compare(documents, _distinct(files))


def _distinct(files: list[Path]) -> list[str]:
    """What to call each report: its release, or its own name where it lies elsewhere; with parents where equal."""
    usual = Path(folders.CONFIDENTIAL, folders.REPORT)
    paths = [path.parents[1] if path.parts[-2:] == usual.parts else path.with_suffix("") for path in map(Path.absolute, files)]
    depths = range(1, max((len(path.parts) for path in paths), default=1))
    short = (["/".join(path.parts[-depth:]) for path in paths] for depth in depths)
    return next((names for names in short if len(set(names)) == len(names)), [str(path) for path in files])


def _new_file(out: Path, name: str) -> Path:
    """Where the page goes: a new .html or .pdf file, or one of its usual name in a folder."""
    from tabsynth.errors import FolderError, OptionError
    from tabsynth.release import check_new_file

    named = out.suffix.lower() in (".html", ".pdf")
    if not named and not out.exists() and _SUFFIX.fullmatch(out.suffix):
        raise OptionError(f"--out is {out.name}; give a new .html or .pdf file, or a folder.")
    path = out if named and not out.is_dir() else out / f"{name}.html"
    check_new_file(path)
    if path.exists():
        raise FolderError(f"{path} already exists; name a new file or another folder.")
    return path


def _write(path: Path, html: str) -> None:
    """The page as HTML, or printed, by the file's suffix."""
    from tabsynth.report.pdf import printed
    from tabsynth.tables import replacing

    content = printed(html) if path.suffix.lower() == ".pdf" else html.encode(errors="replace")
    with replacing(path) as partial:
        partial.write_bytes(content)
