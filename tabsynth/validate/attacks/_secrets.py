"""NOT PRIVATE. The secrets of attribute inference: what attackers learn from, what they are asked, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate.attacks._asked import Asked
from tabsynth.validate.attacks._inference import only
from tabsynth.validate.attacks._learners import TRAINING_ROWS, Task, features, nearest_rows
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import Encoder, axis_values, label_values

TOLERANCE = 0.05
"""A number is guessed right within this share of the column's range among real rows."""
MINIMUM = 10
"""Units a side and synthetic rows that know the secret."""


@dataclass(frozen=True)
class Secret:
    """A task with what is known of the rows: which have the secret, and one over the share of real rows with the true value."""

    task: Task
    present: np.ndarray
    weights: np.ndarray


def secrets_of(evidence: Evidence, asked: Asked, synthetic: pd.DataFrame, columns: Sequence[Column]) -> list[Secret | str]:
    """A task for each secret, or why there is none."""
    schema, encoder = evidence.schema, Encoder.fit(evidence.schema, asked.rows, synthetic)
    known, questions = encoder.transform(synthetic), encoder.transform(asked.rows)
    values = [(_values(synthetic, column), _values(asked.rows, column)) for column in columns]
    usable = np.array([~pd.isna(released) for released, _ in values])
    near = nearest_rows(questions, known, schema, columns, usable)
    out: list[Secret | str] = []
    for i, (column, (released, truth)) in enumerate(zip(columns, values, strict=True)):
        others, present = {c.name for c in schema.modelled} - {column.name}, ~pd.isna(truth)
        units = [np.unique(asked.units[present & (asked.member[asked.units] == side)]).size for side in (True, False)]
        known_to = [int(usable[i].sum()), *units]
        if not others or min(known_to) < MINIMUM or len(np.unique(truth[present])) < 2:
            out.append(_why(known_to, bool(others)))
            continue
        learned, answers, tolerance, weights = _answers(column, released[usable[i]], truth[present])
        place = np.cumsum(usable[i]) - 1  # among synthetic rows that know the secret
        task = Task(
            column, features(only(known, schema, others)[usable[i]][:TRAINING_ROWS]), features(only(questions, schema, others)[present]), learned, answers, tolerance,
            learned[place[near.index[present, i]]], near.distances[present, i], evidence.seed,
        )  # fmt: skip
        out.append(Secret(task, present, weights))
    return out


def _why(sizes: list[int], others: bool) -> str:
    if not others:
        return "There is no other column to guess from."
    known, members, nonmembers = sizes
    return (
        f"Known for {known} synthetic rows, {members} members and {nonmembers} non-members: at least {MINIMUM} of each are "
        "needed, and two different values among the real rows."
    )


def _values(table: pd.DataFrame, column: Column) -> np.ndarray:
    return axis_values(table, column) if column.numeric else label_values(table, column)


def _answers(column: Column, synthetic: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """The secret as numbers in synthetic and real rows, the tolerance, and the rarity weights of the real rows."""
    if not column.numeric:
        labels = pd.Index(np.unique(synthetic.astype(str)))
        values, answers = (labels.get_indexer(part).astype(float) for part in (synthetic, truth))
        return values, answers, 0.0, _rarity(truth)
    low, high = truth.min(), truth.max()
    cells = ((truth - low) / (high - low) / TOLERANCE).clip(0, 1 / TOLERANCE - 1).astype(int)
    return synthetic, truth, TOLERANCE * float(high - low), _rarity(cells)


def _rarity(truth: np.ndarray) -> np.ndarray:
    """One over the share of real rows with the same value (for numbers: in the same twentieth of the range)."""
    codes, counts = np.unique(truth.astype(str), return_inverse=True, return_counts=True)[1:]
    return len(truth) / counts[codes]
