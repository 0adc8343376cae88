"""NOT PRIVATE. Inference by splitting again: what differences between members and others a random split alone explains.

Which units are members was decided at random, by coins that look at nothing. So where a release tells nothing of who was in, every
other division of the same units was as likely, and how large the differences then are is known exactly, whatever the outcomes are and
however they depend on each other. Whatever else is known of all units alike, members or not, may be used to make outcomes less variable:
a prediction of a unit's outcome from its real rows, by a model that was trained on other units, is taken away (regression adjustment).
It must not know the release beyond these outcomes: an attacker's confidence would know who is a member, and hide it.

References
----------
Rosenbaum (2002), Covariance adjustment in randomized experiments and observational studies, Statistical Science 17(3); Lin (2013),
Agnostic notes on regression adjustments to experimental data, Annals of Applied Statistics 7(1); Wu and Ding (2021), Randomization tests
for weak null hypotheses in randomized experiments, JASA 116(536), for studentising, by which intervals hold where members differ;
Westfall and Young (1993), Resampling-Based Multiple Testing, for the largest of many statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.validate.intervals import Interval, normal_quantile

_FOLDS = 2
_TREES = 30
_LEAF = 5
_PERMUTATIONS = 999
_AT_ONCE = 50


@dataclass(frozen=True)
class Differences:
    """Members' mean outcome less that of others, for several questions.

    Parameters
    ----------
    values, errors : ndarray of float, shape (questions,)
        Adjusted differences and their standard errors.
    critical : float
        Errors between a difference and either end of its interval, so that all intervals hold together with probability 95 %.
    """

    values: np.ndarray
    errors: np.ndarray
    critical: float

    def interval(self, question: int, errors: float | None = None) -> Interval:
        """The simultaneous interval, or that of so many standard errors."""
        half = (self.critical if errors is None else errors) * self.errors[question]
        return float(self.values[question] - half), float(self.values[question] + half)


def unexplained(outcomes: np.ndarray, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Outcomes less what can be predicted of them, which makes differences less variable and leaves them what they are.

    Each half of the units is predicted by trees trained on the other half, and predictions are weighted by how well they do over all
    units. Who is a member is not looked at.

    Parameters
    ----------
    outcomes : ndarray of float, shape (units, questions)
        NaN where a unit was not asked.
    features : ndarray of float, shape (units, columns)
        Of real rows, computed in the same way for all units.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    asked = ~np.isnan(outcomes)
    centred = np.where(asked, outcomes - np.nanmean(outcomes, axis=0), 0.0)
    fold, predicted = rng.permutation(len(outcomes)) % _FOLDS, np.zeros_like(centred)
    if len(outcomes) < 2 * _FOLDS or not features.shape[1]:
        return np.where(asked, centred, np.nan)
    for part in range(_FOLDS):
        seed = int(rng.integers(2**31))
        trees = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, max_features=0.5, random_state=seed)
        trees.fit(
            features[fold != part], np.squeeze(centred[fold != part], axis=1) if centred.shape[1] == 1 else centred[fold != part]
        )
        predicted[fold == part] = trees.predict(features[fold == part]).reshape(-1, centred.shape[1])
    predicted = np.where(asked, predicted, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.clip(np.nan_to_num((predicted * centred).sum(axis=0) / (predicted**2).sum(axis=0)), 0.0, 1.0)
    return np.where(asked, centred - weights * predicted, np.nan)


def differences(outcomes: np.ndarray, member: np.ndarray, rng: np.random.Generator | None, level: float = 0.95) -> Differences:
    """Differences between members and others with intervals that hold for all questions together.

    Where there is no difference for any question, some interval lies off 0 with a probability of at most ``1 - level``, exactly and for
    any number of units. Where there are differences, intervals are approximate for few units. Each standard error counts two more
    deviations of 1 than were seen, so that no difference is certain: with n units a side that all do alike the interval still ends
    about 3 / n from 0, as in the rule of three.

    Parameters
    ----------
    outcomes : ndarray of float, shape (units, questions)
        Between 0 and 1, or what `unexplained` left of it; NaN where a unit was not asked.
    member : ndarray of bool, shape (units,)
    rng : Generator, optional
        Without it there is no critical value (NaN).
    """
    asked = ~np.isnan(outcomes)
    filled = np.where(asked, outcomes, 0.0)
    filled = np.where(asked, filled - filled.sum(axis=0) / np.maximum(asked.sum(axis=0), 1), 0.0)
    parts = np.hstack([filled, filled**2, asked]).astype(np.float32)
    values, errors = _studentised(member[None, :], parts)
    if rng is None:
        return Differences(values[0], errors[0], float("nan"))
    largest = []
    for done in range(0, _PERMUTATIONS, _AT_ONCE):
        labels = np.tile(member, (min(_AT_ONCE, _PERMUTATIONS - done), 1))
        again, spread = _studentised(rng.permuted(labels, axis=1), parts)
        largest.append(np.abs(again / spread).max(axis=1))
    reached = np.sort(np.concatenate(largest))
    allowed = int((1 - level) * (_PERMUTATIONS + 1) + 1e-9)
    return Differences(values[0], errors[0], max(float(reached[-allowed]), normal_quantile(level)))


def _studentised(labels: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences and standard errors for each row of labels; `parts` are outcomes, their squares, and whether units were asked."""
    questions = parts.shape[1] // 3
    inside = (labels.astype(np.float32) @ parts).astype(float)
    sides = inside, parts.sum(axis=0, dtype=float) - inside
    means, variances = [], []
    for side in sides:
        total, squares, count = np.split(side, 3, axis=1)
        count = np.maximum(count, 1.0)
        means.append(total / count)
        variances.append((np.maximum(squares - total**2 / count, 0.0) + 2.0) / count**2)
    return means[0] - means[1], np.sqrt(variances[0] + variances[1]).reshape(-1, questions)
