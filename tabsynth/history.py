"""Which earlier releases of the same data set are known here. They add up, and choosing among them is covered by no guarantee.

CONFIDENTIAL: what this computes goes into the internal report alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth import folders
from tabsynth.errors import FolderError
from tabsynth.published import read_document

if TYPE_CHECKING:
    import pandas as pd


def history(frame: pd.DataFrame, places: Iterable[str | Path]) -> dict[str, Any]:
    """What the internal report says of the whole data set and of its earlier releases.

    Parameters
    ----------
    frame : DataFrame
        The whole table, conformed: training and holdout rows, in any order.
    places : iterable of path
        Output folders of releases that may be of the same data set, such as one that is replaced. Those that hold no report, or one
        that cannot be read, are passed over.

    Returns
    -------
    dict
        ``sha256`` of the rows in the order of their own hashes, and ``earlier``: the SHA-256 of the card of each release of this data
        set that the reports in `places` are about or know of. Another table, or another schema for the same one, has another hash.
    """
    found: set[str] = set()
    sha256 = any_order(frame)
    for place in places:
        try:
            told = read_document(folders.report(place), ("tabsynth.report",), "the output folder of a release")
        except FolderError:
            continue
        known = told.get("data_set") or {}
        if known.get("sha256") == sha256:
            found |= {told["card_sha256"], *known["earlier"]}
    return {"sha256": sha256, "earlier": sorted(found)}


def caution(earlier: int) -> str:
    """What to tell whoever makes one more release of a data set after so many."""
    return (
        f"this is one more release of a data set of which {earlier} earlier {'one is' if earlier == 1 else 'ones are'} known here. All of "
        "them count together, and no guarantee covers choosing among them by looking at real rows, as their reports do."
    )


def any_order(frame: pd.DataFrame) -> str:
    """SHA-256 of a conformed table's rows, in the order of their own hashes."""
    from pandas.util import hash_pandas_object

    return hashlib.sha256(np.sort(hash_pandas_object(frame, index=False).to_numpy()).astype("<u8").tobytes()).hexdigest()
