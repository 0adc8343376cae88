"""The attack that sees nothing but synthetic rows: how many agree with the canary in each set of columns, learned from other fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tabsynth.validate.attacks.epsilon import epsilon_from_rates

CONFIDENCE, SURE = 0.05, 0.001
"""Chances that a bound is above the truth: of the one that is printed, and of the one that raises an alarm."""


def blackbox(without: Sequence[np.ndarray], having: Sequence[np.ndarray], delta: float, seed: int = 0) -> dict[str, Any]:
    """Lower bounds on epsilon from finished tables; far below the truth by nature.

    A forest learns from the first third of the runs and is judged on the rest.

    Parameters
    ----------
    without, having : sequence of ndarray of int, shape (sets of columns,)
        Of each fit in worlds 0 and 1, how many synthetic rows agree with the canary in each set of columns.
    delta : float
        Of the claim.

    References
    ----------
    Houssiau et al. (2022), TAPAS, arXiv 2211.06550; Annamalai, Ganev and De Cristofaro, USENIX Security 2024, section 4 (black box).
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    features = np.array([*without, *having])
    there = np.repeat([False, True], [len(without), len(having)])
    learning = np.concatenate([np.arange(len(runs)) < len(runs) // 3 for runs in (without, having)])
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=seed).fit(features[learning], there[learning])
    scores, truth = forest.predict_proba(features[~learning])[:, 1], there[~learning]
    called = scores > 0.5
    wrong = int((called & ~truth).sum()), int((~truth).sum()), int((~called & truth).sum()), int(truth.sum())
    printed, sure = (epsilon_from_rates(*wrong, delta, error) for error in (CONFIDENCE, SURE))
    auc = float(roc_auc_score(truth, scores))
    return {"epsilon": printed.epsilon, "mu": printed.mu, "ceiling": printed.ceiling, "auc": auc, "surely": sure.epsilon}
