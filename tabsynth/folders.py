"""Where the parts of a release lie. What may leave and what is confidential do not share a folder; this alone knows which is which.

    OUT/release/        may leave: synthetic.parquet, card.json, card.html, model/
    OUT/confidential/   must not leave: report.internal.html, report.internal.json

Whoever received a release has the first part alone, under any name.
"""

from __future__ import annotations

from pathlib import Path

from tabsynth.errors import FolderError

PUBLIC, CONFIDENTIAL = "release", "confidential"
TABLE, CARD, PAGE = "synthetic.parquet", "card.json", "card.html"
MODEL_FILES = ("model.json", "model.npz", "card.json")
HASHED = (TABLE, *(f"model/{name}" for name in MODEL_FILES))
"""The files whose SHA-256 a release's card lists, by their path in the public part."""
PUBLIC_FILES = (*HASHED, CARD, PAGE)
"""All files of a release that may leave."""
REPORT, REPORT_PAGE = "report.internal.json", "report.internal.html"


def public(folder: str | Path) -> Path:
    """The part of a release that may leave, from its output folder or from that part itself."""
    folder = Path(folder)
    return folder / PUBLIC if (folder / PUBLIC).is_dir() else folder


def model(folder: str | Path) -> Path:
    """The model folder in a release, or the folder itself if it is one."""
    inside = public(folder) / "model"
    return inside if inside.is_dir() else Path(folder)


def card(path: str | Path) -> Path:
    """The card of a release or of a model folder, or the file itself."""
    path = Path(path)
    return public(path) / CARD if path.is_dir() else path


def report(path: str | Path) -> Path:
    """The internal report of a release or of an evaluation, or the file itself. Confidential."""
    path = Path(path)
    return path / CONFIDENTIAL / REPORT if path.is_dir() else path


def written_by_us(folder: Path) -> bool:
    """Whether it is a release, the public part of one, a model or an evaluation."""
    return card(folder).is_file() or report(folder).is_file()


def refuse_mixing(path: Path) -> None:
    """Refuse to write something confidential beside files that may leave.

    Raises
    ------
    FolderError
    """
    beside = path.parent
    if (beside / CARD).is_file() and any((beside / name).exists() for name in (TABLE, PAGE, "model", "model.npz")):
        raise FolderError(
            f"{path} is confidential and {beside} holds files that may leave; name another folder, such as {CONFIDENTIAL}."
        )
