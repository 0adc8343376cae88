"""The files of a release that may leave, written so that whoever has the model and the card can write them again, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth import folders
from tabsynth.digest import digest
from tabsynth.release import Release, hashes, write_json
from tabsynth.writing import write_table

if TYPE_CHECKING:
    import pandas as pd

ASKED, ESTIMATED = "as asked for", "noisy estimate of the number of training rows"
"""How the number of synthetic rows was set."""


def publish(folder: Path, fitted: Release, synthetic: pd.DataFrame, *, asked: bool, seed: int) -> dict[str, Any]:
    """Write them into a new folder.

    Parameters
    ----------
    folder : Path
    fitted : Release
        As `tabsynth.fit` returned it, or as read from a model folder.
    synthetic : DataFrame
        What it draws with this seed.
    asked : bool
        Whether somebody said how many rows to draw.
    seed : int

    Returns
    -------
    dict
        The card.
    """
    from tabsynth.report import card as render

    (folder / "model").mkdir(parents=True)
    fitted.write(folder / "model")
    write_table(synthetic, folder / folders.TABLE, fitted.schema)
    drawn = {
        "rows": len(synthetic),
        "rows_is": ASKED if asked else ESTIMATED,
        "seed": seed,
        "sha256": digest(synthetic, fitted.schema),
    }
    card = without_files(fitted.card) | {"synthetic": drawn, "files": hashes(folder, folders.HASHED)}
    write_json(folder / folders.CARD, card)
    (folder / folders.PAGE).write_bytes(render(card).encode())
    return card


def without_files(card: dict[str, Any]) -> dict[str, Any]:
    """A card as it was before its model or its release was written."""
    return {name: value for name, value in card.items() if name not in ("synthetic", "files")}
