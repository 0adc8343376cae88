"""NOT PRIVATE. What a classifier trained on synthetic rows is worth on unseen real rows, next to one trained on real rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes
from tabsynth.validate.intervals import Interval, percentiles, replicates

ROWS = 50_000
"""At most this many rows, drawn at random, are trained on."""
LABELS = 254
"""Labels beyond the most frequent ones of the real rows count as missing."""
_POINTS = 101
_TITLES = {"boosting": "Gradient boosting", "logistic": "Logistic regression"}
_METRICS = {"auc": "area under the ROC curve", "ap": "average precision"}


@dataclass(frozen=True)
class Task:
    """One binary question: which rows have the positive class.

    Parameters
    ----------
    note : str
        Why it cannot be asked of these tables; empty where it can.
    positive : str
        In words.
    features : dict from table name to DataFrame
        Numbers as float64, labels as integer codes (-1 for missing and rare ones); rows with a missing target are left out.
    answers : dict from table name to ndarray of bool
    labels : dict from label column to number of codes
    units : ndarray of int, shape (holdout rows,)
        Privacy unit of each holdout row as 0, 1, ...
    """

    note: str
    positive: str
    features: dict[str, pd.DataFrame]
    answers: dict[str, np.ndarray]
    labels: dict[str, int]
    units: np.ndarray


def utility(evidence: Evidence) -> list[Finding]:
    """Train on synthetic, test on holdout, for gradient boosting and logistic regression: ROC AUC and average precision.

    The positive class is the least frequent one of the training rows; a numeric target is cut at the training rows' median, above
    being positive. Intervals are bootstraps of the holdout, by unit. A synthetic table with one class only is scored as a
    constant guess. Gaps in numbers are filled with the median of the rows trained on.
    """
    if evidence.target is None:
        return [Finding("utility", "Utility for prediction", None, better="higher", note="No target column was named.")]
    task = question(evidence)
    if task.note:
        names = [(f"utility.{m}.{k}", f"{_TITLES[m]} on real rows: {_METRICS[k]}") for m in _MODELS for k in _METRICS]
        return [Finding(check, title, None, better="higher", note=task.note) for check, title in names]
    return [finding for model in _MODELS for finding in _judged(evidence, task, model)]


def _judged(evidence: Evidence, task: Task, model: str) -> list[Finding]:
    truth = task.answers["holdout"]
    scores, numbers, intervals = {}, {}, {}
    for source in ("synthetic", "train"):
        scores[source] = scores_of(evidence, model, source)
        measure = measure_of(truth, scores[source])
        numbers[source] = measure(np.ones(len(truth)))
        draws = replicates(measure, task.units, np.random.default_rng([evidence.seed, 21]))
        intervals[source], evidence.memo["replicates", model, source] = percentiles(draws), draws[:, 0]
    single = task.answers["synthetic"].min() == task.answers["synthetic"].max()
    out = []
    for i, (metric, words) in enumerate(_METRICS.items()):
        details = {
            "reference_interval": _pair(intervals["train"][i]), "target": evidence.target, "positive": task.positive,
            "positive_share_holdout": float(truth.mean()),
        }  # fmt: skip
        if metric == "auc":
            details["roc"] = {"synthetic": _roc(truth, scores["synthetic"]), "real": _roc(truth, scores["train"])}
        out.append(Finding(
            f"utility.{model}.{metric}", f"{_TITLES[model]} on real rows: {words}", numbers["synthetic"][i],
            intervals["synthetic"][i], numbers["train"][i], "trained on the real training rows", "higher", details=details,
            note="The synthetic rows have only one class: scored as a constant guess." if single else "",
        ))  # fmt: skip
    return out


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def question(evidence: Evidence) -> Task:
    """What there is to predict, asked of all three tables; for an `evidence` with a target."""
    if "question" not in evidence.memo:
        evidence.memo["question"] = _asked(evidence)
    return evidence.memo["question"]


def scores_of(evidence: Evidence, model: str, source: str) -> np.ndarray:
    """Scores of the question's holdout rows by a model trained once on the rows of `source`: 'train' or 'synthetic'."""
    key = ("scores", model, source)
    if key not in evidence.memo:
        task, rng = question(evidence), np.random.default_rng([evidence.seed, 20])
        evidence.memo[key] = _scores(task, model, source, np.sort(rng.permutation(len(task.answers[source]))[:ROWS]))
    return evidence.memo[key]


def scores_by_part(evidence: Evidence, model: str, parts: int) -> list[np.ndarray]:
    """Scores of the question's holdout rows by models that are each trained on one of `parts` random parts of the training rows.

    The parts have about as many privacy units each and none in common; together they have at most `ROWS` rows.
    """
    task, rng = question(evidence), np.random.default_rng([evidence.seed, 24])
    known = evidence.train[evidence.train[evidence.target].notna()]
    units = np.unique(unit_codes(known, evidence.schema), return_inverse=True)[1]
    part = (rng.permutation(units.max(initial=-1) + 1) % parts)[units]
    rows = [np.flatnonzero(part == p)[: ROWS // parts] for p in range(parts)]
    return [_scores(task, model, "train", chosen) for chosen in rows]


def _asked(evidence: Evidence) -> Task:
    schema, tables = evidence.schema, {name: getattr(evidence, name) for name in ("train", "holdout", "synthetic")}
    tables = {name: table[table[evidence.target].notna()] for name, table in tables.items()}
    positive, answers = _answers(schema[evidence.target], tables)
    features: dict[str, dict[str, np.ndarray]] = {name: {} for name in tables}
    labels = {}
    for column in schema.modelled:
        if column.name == evidence.target:
            continue
        if column.numeric:
            for name, table in tables.items():
                features[name][column.name] = axis_values(table, column)
            continue
        values = {name: label_values(table, column) for name, table in tables.items()}
        real = pd.Series(np.concatenate([values["train"], values["holdout"]])).value_counts()
        known = pd.Index(real.index[:LABELS])
        labels[column.name] = len(known)
        for name in tables:
            features[name][column.name] = known.get_indexer(values[name])
    frames = {name: pd.DataFrame(columns, index=range(len(tables[name]))) for name, columns in features.items()}
    note = next(
        (f"The {words} rows have only one class of {evidence.target!r}, or none." for name, words in
         (("train", "training"), ("holdout", "holdout")) if len(np.unique(answers[name])) < 2),
        "" if len(answers["synthetic"]) else "The synthetic table has no rows with a target.",
    )  # fmt: skip
    units = np.unique(unit_codes(tables["holdout"], schema), return_inverse=True)[1]
    return Task(note, positive, frames, answers, labels, units)


def _answers(column: Column, tables: dict[str, pd.DataFrame]) -> tuple[str, dict[str, np.ndarray]]:
    if column.numeric:
        values = {name: axis_values(table, column) for name, table in tables.items()}
        median = float(np.median(values["train"])) if len(values["train"]) else 0.0
        return "above the median of the training rows", {name: v > median for name, v in values.items()}
    labels = {name: label_values(table, column) for name, table in tables.items()}
    found, counts = np.unique(labels["train"].astype(str), return_counts=True)
    rarest = str(found[counts.argmin()]) if len(found) else ""
    return rarest, {name: v == rarest for name, v in labels.items()}


def _scores(task: Task, model: str, source: str, rows: np.ndarray) -> np.ndarray:
    """Scores of the holdout rows by a model trained on these rows of `source`; constant where they have one class or none."""
    features, answers = task.features[source].iloc[rows], task.answers[source][rows]
    if len(np.unique(answers)) < 2 or not features.shape[1]:
        return np.zeros(len(task.answers["holdout"]))
    holdout, numbers = task.features["holdout"], [name for name in features if name not in task.labels]
    medians = features[numbers].median().fillna(0.0)
    features, holdout = (t.assign(**t[numbers].fillna(medians)) for t in (features, holdout))
    return _MODELS[model](task, features, answers, holdout)


def _boosting(task: Task, features: pd.DataFrame, answers: np.ndarray, holdout: pd.DataFrame) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    coded = [name in task.labels for name in features]
    train, test = (t.mask(t.isin([-1]) & coded).to_numpy(float) for t in (features, holdout))
    stopping = "auto" if min(answers.sum(), (~answers).sum()) >= 10 else False  # it sets rows of both classes aside
    model = HistGradientBoostingClassifier(random_state=0, categorical_features=coded, early_stopping=stopping)
    with threadpool_limits(1):  # many small steps: waiting for a busy core costs more than a second thread gains
        return model.fit(train, answers).predict_proba(test)[:, 1]


def _logistic(task: Task, features: pd.DataFrame, answers: np.ndarray, holdout: pd.DataFrame) -> np.ndarray:
    from sklearn.compose import ColumnTransformer
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    onehot = OneHotEncoder(categories=[np.arange(n) for n in task.labels.values()], handle_unknown="ignore")
    numbers = [name for name in features if name not in task.labels]
    encode = ColumnTransformer([("numbers", StandardScaler(), numbers), ("labels", onehot, list(task.labels))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make_pipeline(encode, LogisticRegression(max_iter=300)).fit(features, answers)
    return model.predict_proba(holdout)[:, 1]


_MODELS: dict[str, Callable[..., np.ndarray]] = {"boosting": _boosting, "logistic": _logistic}


def measure_of(truth: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], tuple[float, float]]:
    """From row weights to ROC AUC and average precision (NaN where a class has no weight); the scores are sorted once."""
    order = np.argsort(-scores, kind="stable")
    truth, ends = truth[order], np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))

    def measure(weights: np.ndarray) -> tuple[float, float]:
        weights = weights[order]
        hits = np.append(0.0, np.cumsum(weights * truth)[ends])
        named = np.append(0.0, np.cumsum(weights)[ends])
        false = named - hits
        if not (hits[-1] > 0 and false[-1] > 0):
            return np.nan, np.nan
        auc = np.sum(np.diff(false) * (hits[1:] + hits[:-1]) / 2) / hits[-1] / false[-1]
        precision = np.divide(hits[1:], named[1:], out=np.zeros(len(ends)), where=named[1:] > 0)
        return float(auc), float(np.sum(np.diff(hits) * precision) / hits[-1])

    return measure


def _roc(truth: np.ndarray, scores: np.ndarray) -> dict[str, list[float]]:
    """The ROC curve, thinned to at most 101 of its corners."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(truth, scores)
    kept = np.unique(np.linspace(0, len(fpr) - 1, _POINTS).astype(int))
    return {"fpr": fpr[kept].tolist(), "tpr": tpr[kept].tolist()}
