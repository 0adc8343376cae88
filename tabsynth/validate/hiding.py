"""NOT PRIVATE. Which cells of a whole, or of a table, the small-cell rule hides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REAL = ("train", "holdout")
NOT_SHOWN = "not shown"


def hidden(people: Sequence[int], least: int, also: np.ndarray | None = None) -> np.ndarray:
    """Which cells of one whole to hide: the small ones, then the next larger ones until none of the small ones can be computed.

    The sum of the hidden cells is known (the whole less the others), and that each is at least 1. So at least two are hidden,
    and together they hold ``least - 1`` people more than there are cells: then each could hold 1 or `least`. Where even all
    cells with people do not suffice, the empty ones are hidden too.

    Parameters
    ----------
    people : sequence of int, shape (cells,)
    least : int
    also : ndarray of bool, shape (cells,), optional
        Cells that are hidden in any case.

    Returns
    -------
    ndarray of bool, shape (cells,)
    """
    counts = np.asarray(people)
    out = (counts > 0) & (counts < least) | (also if also is not None else False)
    more = [i for i in np.argsort(counts, kind="stable") if counts[i] >= least and not out[i]]
    while out.any() and (out.sum() < 2 or counts[out].sum() - out.sum() < least - 1):
        if not more:
            return np.ones(len(counts), bool)
        out[more.pop(0)] = True
    return out


def hidden_in_table(people: np.ndarray, least: int) -> np.ndarray:
    """`hidden` for every row and column of a table whose margins are told, shape (rows, columns)."""
    out, before = np.zeros(people.shape, bool), -1
    while out.sum() != before:
        before = int(out.sum())
        for i in range(people.shape[0]):
            out[i] = hidden(people[i], least, out[i])
        for j in range(people.shape[1]):
            out[:, j] = hidden(people[:, j], least, out[:, j])
    return out
