"""NOT PRIVATE. Attack A7, attribute inference: is a secret guessed more often for training units than for unseen ones?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.errors import OptionError
from tabsynth.schema import Column
from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.attacks._inference import ROWS, only, trials
from tabsynth.validate.attacks._nearest import nearest
from tabsynth.validate.attacks.statistics import halves
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import Encoded, Encoder, axis_values, label_values
from tabsynth.validate.intervals import Interval, needed_factor, newcombe

SECRETS = 8
"""Columns attacked unless some are named."""
TRAINING_ROWS = 20_000
"""The forests and the boosting are trained on at most this many synthetic rows; the nearest row is sought among all."""
TOLERANCE = 0.05
"""A number is guessed right within this share of the column's range among reference rows."""
CONFIDENT = 0.9
"""An attacker guesses only where it is more confident than in this share of the cases."""
BOOSTED_LABELS = 50
"""Columns with more labels are not attacked by boosting, which fits a tree for each."""
MINIMUM = 10
"""Units a side and synthetic rows that know the secret."""
_TREES = 25
_DEPTH = 25
_ROUNDS = 100
_SCALING = "rank"


@dataclass(frozen=True)
class _Task:
    """One secret: what the attackers learn from, what they are asked, and the answers.

    Parameters
    ----------
    known, asked : Encoded
        Other columns of the synthetic rows, and of the challenge rows, whose secret is not missing.
    values, truth : ndarray of float64
        The secret in both: axis values, or label numbers (-1 for a label that no synthetic row has).
    tolerance : float
        A guess this near to the truth is right; 0 for labels.
    weights : ndarray of float64
        One over the share of reference rows with the true value (for numbers: in the same twentieth of the range).
    """

    column: Column
    known: Encoded
    asked: Encoded
    values: np.ndarray
    truth: np.ndarray
    tolerance: float
    weights: np.ndarray
    member: np.ndarray
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
class _Guesses:
    """Whether each guess is right, and how sure the attacker was of it (any scale; None where it cannot say)."""

    right: np.ndarray
    confidence: np.ndarray | None


def check(evidence: Evidence, challenge: Challenge, secrets: Sequence[str] | None = None) -> list[Finding]:
    """Guess each secret from all other columns, with attackers trained on synthetic rows only.

    The attackers are the nearest synthetic row (numbers as ranks, as in Gower's distance), a random forest and gradient
    boosting. What they achieve on non-members is inference about the population, which any useful table allows; what they achieve
    on members beyond that is leakage. The attacker is chosen on a random half of the units, and the value is its difference on
    the other half; intervals of all attackers on all units hold for all attackers and columns together. Where units have several
    rows, one row of each is drawn. A missing secret is not guessed.

    Parameters
    ----------
    secrets : sequence of str, optional
        Default: the target, then the other columns in the schema's order, 8 in all.

    Raises
    ------
    OptionError
        If a secret is not a modelled column of the schema.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2 (inference); NIST Collaborative Research Cycle (rarity weights);
    Francis and Wagner (2025), arXiv 2507.01710 (precision and recall of confident guesses).
    """
    columns = [evidence.schema[name] for name in _names(evidence, secrets)]
    tasks = _tasks(evidence, challenge, columns)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        guesses = list(pool.map(lambda task: task if isinstance(task, str) else _attacked(task), tasks))
    family = sum(len(g) for g in guesses if not isinstance(g, str))
    return [
        Finding(f"attacks.attribute.{column.name}", _title(column), None, reference=0.0, note=found)
        if isinstance(found, str)
        else _finding(column, task, found, evidence, family)
        for column, task, found in zip(columns, tasks, guesses, strict=True)
    ]


def _title(column: Column) -> str:
    return f"Guessing {column.name!r} from the other columns: share guessed right of training units, less that of unseen units"


def _names(evidence: Evidence, secrets: Sequence[str] | None) -> list[str]:
    names = [c.name for c in evidence.schema.modelled]
    if secrets is None:
        target = evidence.schema.to_predict(evidence.target)
        return sorted(names, key=lambda name: name != target)[:SECRETS]
    if unknown := [name for name in secrets if name not in names]:
        raise OptionError(f"secrets names {', '.join(map(repr, unknown))}; name some of the columns {', '.join(names)}.")
    return list(dict.fromkeys(secrets))


def _tasks(evidence: Evidence, challenge: Challenge, columns: list[Column]) -> list[_Task | str]:
    """A task for each secret, or why there is none."""
    schema, rng = evidence.schema, np.random.default_rng([evidence.seed, 8])
    rows = trials(challenge, rng)
    asked, member = challenge.rows.iloc[rows], challenge.row_member[rows]
    encoder = Encoder.fit(schema, challenge.reference, challenge.synthetic)
    encoded = encoder.transform(challenge.synthetic), encoder.transform(asked)
    out: list[_Task | str] = []
    for column in columns:
        others = {c.name for c in schema.modelled} - {column.name}
        tables = [_values(table, column) for table in (challenge.synthetic, asked, challenge.reference)]
        present = [~pd.isna(values) for values in tables]
        sizes = [int(present[0].sum()), int((present[1] & member).sum()), int((present[1] & ~member).sum())]
        synthetic, truth, reference = (values[has] for values, has in zip(tables, present, strict=True))
        if not others or min(sizes) < MINIMUM or len(np.unique(reference)) < 2:
            out.append(_why(sizes, bool(others)))
            continue
        known, questions = (only(e, schema, others)[has] for e, has in zip(encoded, present, strict=False))
        task = column, known, questions, *_answers(column, synthetic, truth, reference), member[present[1]], evidence.seed
        out.append(_Task(*task))
    return out


def _why(sizes: list[int], others: bool) -> str:
    if not others:
        return "There is no other column to guess from."
    known, members, nonmembers = sizes
    return (
        f"Known for {known} synthetic rows, {members} members and {nonmembers} non-members: at least {MINIMUM} of each are "
        "needed, and two different values among the reference rows."
    )


def _values(table: pd.DataFrame, column: Column) -> np.ndarray:
    return axis_values(table, column) if column.numeric else label_values(table, column)


def _answers(
    column: Column, synthetic: np.ndarray, truth: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """The secret as numbers in synthetic and challenge rows, the tolerance, and the rarity weights of the challenge rows."""
    if not column.numeric:
        labels = pd.Index(np.unique(synthetic.astype(str)))
        values, answers = (labels.get_indexer(part).astype(float) for part in (synthetic, truth))
        return values, answers, 0.0, _rarity(truth, reference)
    low, high = reference.min(), reference.max()
    cells = (((part - low) / (high - low) / TOLERANCE).clip(0, 1 / TOLERANCE - 1).astype(int) for part in (truth, reference))
    return synthetic, truth, TOLERANCE * float(high - low), _rarity(*cells)


def _rarity(truth: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """One over the share of reference rows with the same value; a value they lack counts as if one had it."""
    counts = pd.Series(reference).value_counts().reindex(truth).fillna(1).to_numpy(float)
    return len(reference) / counts


def _attacked(task: _Task) -> dict[str, _Guesses]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # secrets run side by side
        return {name: _ATTACKERS[name](task) for name in task.attackers}


def _nearest_row(task: _Task) -> _Guesses:
    found = nearest(task.asked, task.known, _SCALING, 1)
    return _Guesses(task.right(task.values[found.index[:, 0]]), -found.distances[:, 0])


def _forest(task: _Task) -> _Guesses:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestRegressor if task.column.numeric else RandomForestClassifier
    model = kind(_TREES, max_depth=_DEPTH, max_features="sqrt", random_state=task.seed).fit(*_training(task))
    if not task.column.numeric:
        return _likeliest(task, model)
    trees = np.array([tree.predict(_features(task.asked).astype(np.float32)) for tree in model.estimators_])
    return _Guesses(task.right(trees.mean(axis=0)), -trees.std(axis=0))


def _boosting(task: _Task) -> _Guesses:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    settings = {"early_stopping": False, "random_state": task.seed}
    if task.column.numeric:
        model = HistGradientBoostingRegressor(max_iter=_ROUNDS, **settings).fit(*_training(task))
        return _Guesses(task.right(model.predict(_features(task.asked))), None)
    features, values = _training(task)
    rounds = max(10, 2 * _ROUNDS // max(len(np.unique(values)), 2))  # each fits a tree for every label
    return _likeliest(task, HistGradientBoostingClassifier(max_iter=rounds, **settings).fit(features, values))


_ATTACKERS = {"nearest row": _nearest_row, "forest": _forest, "boosting": _boosting}


def _likeliest(task: _Task, model: Any) -> _Guesses:
    chances = model.predict_proba(_features(task.asked))
    return _Guesses(task.right(model.classes_[chances.argmax(axis=1)]), chances.max(axis=1))


def _features(table: Encoded) -> np.ndarray:
    return np.hstack([table.numeric[_SCALING], table.codes])


def _training(task: _Task) -> tuple[np.ndarray, np.ndarray]:
    return _features(task.known[:TRAINING_ROWS]), task.values[:TRAINING_ROWS]


def _finding(column: Column, task: _Task, found: dict[str, _Guesses], evidence: Evidence, family: int) -> Finding:
    level, tolerated = 1 - 0.05 / family, evidence.policy["attribute"]
    results = {name: _result(task, guesses, level) for name, guesses in found.items()}
    choosing, judging = halves(task.member, np.random.default_rng([evidence.seed, 9]))
    gaps = {name: np.subtract(*_rates(g.right[choosing], task.member[choosing])) for name, g in found.items()}
    chosen = max(gaps, key=gaps.__getitem__)
    right, member = found[chosen].right[judging], task.member[judging]
    decision = _verdict([result["simultaneous"] for result in results.values()], tolerated)
    more = _needed(list(results.values()), tolerated, level) if decision == "inconclusive" else None
    rule = f"A guess within {TOLERANCE:.0%} of the column's range counts as right. " if column.numeric else ""
    return Finding(
        f"attacks.attribute.{column.name}", _title(column), float(np.subtract(*_rates(right, member))), _gap(right, member), 0.0,
        "guessed no more often than for unseen units", verdict=decision,
        note=(
            f"The attacker ({chosen}) was chosen on one half of the units, the value is from the other half. {rule}Verdict: "
            f"intervals for all {family} attackers and columns together (Bonferroni); fail if a lower bound is above 0, pass if "
            f"every upper bound is at most {100 * tolerated:g} percentage points. What is guessed equally well for unseen "
            "units is known from the population and is not counted as leakage, though it can still harm."
        ),
        details={
            "column": column.name, "chosen": chosen, "attackers": results, "family": family, "tolerated": tolerated,
            "tolerance": TOLERANCE if column.numeric else None, "synthetic_rows": len(task.known),
            "needed_nonmembers": more and ceil(more * int((~task.member).sum())), "most": ROWS,
        },
    )  # fmt: skip


def _verdict(bounds: Sequence[Sequence[float]], tolerated: float) -> str:
    """Gate G3, by the simultaneous intervals of all attackers on one column."""
    if any(low > 0 for low, _ in bounds):
        return "fail"
    return "pass" if all(high <= tolerated for _, high in bounds) else "inconclusive"


def _needed(results: Sequence[dict[str, Any]], tolerated: float, level: float) -> float | None:
    """How many times the units `_verdict` would need to decide, if all rates stayed as they are; None if no number would do."""
    counts = [[result[name] for name in ("members", "n_members", "nonmembers", "n_nonmembers")] for result in results]
    return needed_factor(
        lambda times: _verdict([newcombe(*(times * n for n in each), level) for each in counts], tolerated) != "inconclusive"
    )


def _result(task: _Task, guesses: _Guesses, level: float) -> dict[str, Any]:
    right, member = guesses.right, task.member
    base = _rates(task.right(task.baseline), member)
    rates = _rates(right, member)
    return {
        "members": int(right[member].sum()), "n_members": int(member.sum()),
        "nonmembers": int(right[~member].sum()), "n_nonmembers": int((~member).sum()),
        "accuracy_members": rates[0], "accuracy_nonmembers": rates[1], "difference": rates[0] - rates[1],
        "interval": list(_gap(right, member)), "simultaneous": list(_gap(right, member, level)),
        "baseline_members": base[0], "baseline_nonmembers": base[1], "population_inference": rates[1] - base[1],
        "rarity_weighted": _weighted(right, member, task.weights),
        "confident": None if guesses.confidence is None else _confident(right, member, guesses.confidence),
    }  # fmt: skip


def _rates(right: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """Share of right guesses on members, on non-members."""
    return float(right[member].mean()), float(right[~member].mean())


def _gap(right: np.ndarray, member: np.ndarray, level: float = 0.95) -> Interval:
    """Newcombe's interval of the difference of the two."""
    counts = [int(n) for side in (member, ~member) for n in (right[side].sum(), side.sum())]
    low, high = newcombe(*counts, level)
    return float(low), float(high)


def _weighted(right: np.ndarray, member: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Accuracy weighted by rarity: sum of weights of the right guesses over the sum of all; and the difference with its interval.

    The interval is Newcombe's for as many trials as a plain proportion would need for the variance of the weighted one, at most
    Kish's effective sample size.
    """
    rates, trials = [], []
    for side in (member, ~member):
        w, hits = weights[side], right[side]
        rate = float(w @ hits / w.sum())
        kish, variance = w.sum() ** 2 / (w @ w), float(w**2 @ (hits - rate) ** 2 / w.sum() ** 2)
        rates.append(rate)
        trials.append(float(min(kish, rate * (1 - rate) / variance) if variance > 0 else kish))
    low, high = newcombe(rates[0] * trials[0], trials[0], rates[1] * trials[1], trials[1])
    return {
        "accuracy_members": rates[0], "accuracy_nonmembers": rates[1], "difference": rates[0] - rates[1],
        "interval": [float(low), float(high)],
    }  # fmt: skip


def _confident(right: np.ndarray, member: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    """Precision and recall where the attacker guesses only in its most confident tenth (more, where cases tie)."""
    sure = confidence >= np.quantile(confidence, CONFIDENT)
    out: dict[str, Any] = {}
    for name, side in (("members", member), ("nonmembers", ~member)):
        guessed, hits = int((sure & side).sum()), int((sure & side & right).sum())
        out[name] = {
            "guessed": guessed, "right": hits, "units": int(side.sum()), "precision": hits / guessed if guessed else None,
            "recall": hits / int(side.sum()),
        }  # fmt: skip
    both = all(out[name]["guessed"] for name in out)
    return {"quantile": CONFIDENT, **out, "precision_interval": list(_gap(right[sure], member[sure])) if both else None}
