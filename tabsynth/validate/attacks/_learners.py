"""NOT PRIVATE. The attackers of attribute inference: what each guesses of a secret, having learned from synthetic rows only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.schema import Column, Schema
from tabsynth.validate.attacks._nearest import Neighbours, nearest_without
from tabsynth.validate.features import Encoded

TRAINING_ROWS = 20_000
"""The forests and the boosting are trained on at most this many synthetic rows; the nearest row is sought among all."""
BOOSTED_LABELS = 50
"""Columns with more labels are not attacked by boosting, which fits a tree for each."""
NEAREST = "nearest row"
_TREES = 25
_DEPTH = 25
_ROUNDS = 100
_SCALING = "rank"


@dataclass(frozen=True)
class Task:
    """One secret: what the attackers learn from, what they are asked, and the answers.

    Parameters
    ----------
    known, asked : ndarray of float32, shape (rows, columns)
        Features of the other columns, of the first `TRAINING_ROWS` synthetic rows and of the real rows whose secret is not missing.
    values, truth : ndarray of float64
        The secret of all such synthetic rows and of the real rows: axis values, or label numbers (-1 for a label that no synthetic row has).
    tolerance : float
        A guess this near to the truth is right; 0 for labels.
    near, distances : ndarray of float64
        The secret of the synthetic row that is nearest to each row asked about, and how near that is.
    """

    column: Column
    known: np.ndarray
    asked: np.ndarray
    values: np.ndarray
    truth: np.ndarray
    tolerance: float
    near: np.ndarray
    distances: np.ndarray
    seed: int

    @property
    def attackers(self) -> list[str]:
        labels = 0 if self.column.numeric else len(np.unique(self.values[:TRAINING_ROWS]))
        return [name for name in _ATTACKERS if name != "boosting" or (labels != 1 and labels <= BOOSTED_LABELS)]

    @property
    def baseline(self) -> float:
        """The guess of one who does not look at the row: the median or most frequent value of the synthetic rows."""
        return float(np.median(self.values)) if self.column.numeric else float(np.bincount(self.values.astype(int)).argmax())

    def right(self, guesses: np.ndarray | float) -> np.ndarray:
        """Whether each guess is right; the error is absolute and never relative to the guess."""
        return np.abs(guesses - self.truth) <= self.tolerance


@dataclass(frozen=True)
class Guesses:
    """Whether each guess is right, and how sure the attacker was of it (any scale; None where it cannot say)."""

    right: np.ndarray
    confidence: np.ndarray | None


def guessed(task: Task, names: Sequence[str] | None = None) -> dict[str, Guesses]:
    """What each attacker makes of the task; all that can take it on, unless some are named."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # secrets run side by side
        return {name: _ATTACKERS[name](task) for name in names or task.attackers}


def nearest_rows(asked: Encoded, known: Encoded, schema: Schema, columns: Sequence[Column], usable: np.ndarray) -> Neighbours:
    """For each of the columns, the synthetic row that is nearest in all others (numbers as ranks, as in Gower's distance).

    Parameters
    ----------
    usable : ndarray of bool, shape (columns, synthetic rows)
        Rows whose secret is not missing.
    """
    order = {column.name: i for i, column in enumerate(columns)}
    numbers = np.array([order.get(c.name, -1) for c in schema.modelled if c.numeric], np.int64)
    codes = np.array([order.get(c.name, -1) for c in schema.modelled if c.nullable or not c.numeric], np.int64)
    return nearest_without(asked, known, _SCALING, (numbers, codes), usable)


def features(table: Encoded) -> np.ndarray:
    """Ranks and codes side by side, float32, shape (rows, columns)."""
    return np.hstack([table.numeric[_SCALING], table.codes], dtype=np.float32)


def _nearest_row(task: Task) -> Guesses:
    return Guesses(task.right(task.near), -task.distances)


def _forest(task: Task) -> Guesses:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if task.column.numeric else RandomForestClassifier
    model = kind(_TREES, max_depth=_DEPTH, max_features="sqrt", random_state=task.seed).fit(*_training(task))
    if not task.column.numeric:
        return _likeliest(task, model)
    trees = np.array([tree.predict(task.asked) for tree in model.estimators_])
    return Guesses(task.right(trees.mean(axis=0)), -trees.std(axis=0))


def _boosting(task: Task) -> Guesses:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings = {"early_stopping": False, "random_state": task.seed}
    if task.column.numeric:
        model = HistGradientBoostingRegressor(max_iter=_ROUNDS, **settings).fit(*_training(task))
        return Guesses(task.right(model.predict(task.asked)), None)
    table, values = _training(task)
    rounds = max(10, 2 * _ROUNDS // max(len(np.unique(values)), 2))  # each fits a tree for every label
    return _likeliest(task, HistGradientBoostingClassifier(max_iter=rounds, **settings).fit(table, values))


_ATTACKERS = {NEAREST: _nearest_row, "forest": _forest, "boosting": _boosting}


def _likeliest(task: Task, model: Any) -> Guesses:
    chances = model.predict_proba(task.asked)
    return Guesses(task.right(model.classes_[chances.argmax(axis=1)]), chances.max(axis=1))


def _training(task: Task) -> tuple[np.ndarray, np.ndarray]:
    return task.known, task.values[:TRAINING_ROWS]
