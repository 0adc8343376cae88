"""How many codes a column gets, and which neighbouring cells share one. Post-processing: it spends no privacy."""

from __future__ import annotations

import math

import numpy as np

FEWEST, CLEAR = 8, 10.0
"""Codes of a column, and how many times its noise a cell of a table of two such columns should hold."""


def wanted(total: float, noise: float, most: int) -> float:
    """So many codes that a cell of a table of two such columns holds `CLEAR` times the `noise` it will be measured with, on average."""
    return min(max(math.sqrt(total / (CLEAR * noise)), FEWEST), most)


def share(mass: np.ndarray, alone: np.ndarray, codes: float) -> float:
    """What a code holds of the cells that are not `alone`, where they share what those leave of the codes evenly."""
    return mass[~alone].sum() / max(codes - alone.sum(), FEWEST / 2)


def starts(mass: np.ndarray, alone: np.ndarray, enough: float) -> list[int]:
    """First cells of runs of neighbours that hold `enough`, in order; a cell that is `alone` is a run of its own."""
    first, held = [0], 0.0
    for i, m in enumerate(mass):
        if i > first[-1] and (alone[i] or held >= enough):
            first.append(i)
            held = 0.0
        held += math.inf if alone[i] else m
    return first
