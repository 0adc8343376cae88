"""A tap on the curator, for audits alone: every exact answer beside the noisy one. A fit that was tapped is not private."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    pass


def nothing() -> np.ndarray:
    """No whole numbers."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Event:
    """One call of the curator, in the order in which they happen; charges stand on the ledger beside it.

    Parameters
    ----------
    kind : str
        ``schema`` (codes were fixed), ``cells``, ``grids``, ``labels``, ``listed``, ``measure``, ``score``, ``gram``, ``gradient`` or
        ``output``.
    ask : callable
        What the same call does on a `Source` of other rows: for ``schema`` it fixes the codes, for ``gradient`` it takes
        unit numbers as well and gives the sum of their shortened gradients at this step, for the others it gives the exact answers.
        To be called before the next event.
    exact, noisy : ndarray, shape (answers,)
    sigma : ndarray of float, shape (answers,)
        Standard deviation of each answer's noise, as claimed.
    least : float
        Answers up to this are not shown to anybody.
    batch : ndarray of int
        Units in a gradient step's batch.
    rate : float
        Probability of each unit to be in that.
    output : object
        The release, where that is what happened.
    """

    kind: str
    ask: Callable[..., Any]
    exact: np.ndarray = field(default_factory=nothing)
    noisy: np.ndarray = field(default_factory=nothing)
    sigma: np.ndarray = field(default_factory=nothing)
    least: float = -math.inf
    batch: np.ndarray = field(default_factory=nothing)
    rate: float = 1.0
    output: Any = None


Tap = Callable[[Event], None]


def flat(tables: Sequence[np.ndarray]) -> np.ndarray:
    """All entries of all tables, one after the other."""
    return np.concatenate([nothing(), *(table.ravel() for table in tables)])
