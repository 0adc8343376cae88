"""NOT PRIVATE. Attack B4, ensemble: the scores of all attacks together, weighed by a model trained on one half of the challenge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tabsynth.validate.attacks import statistics
from tabsynth.validate.check import Finding


def scores(found: Mapping[str, np.ndarray], member: np.ndarray, learning: np.ndarray, judging: np.ndarray) -> np.ndarray:
    """Probability of membership for the judged units, by boosted trees trained on the ranks of the attacks' scores.

    This attacker knows for one half of the challenge who is a member, which is more than any attack of `ATTACKS` assumes; the other
    half is judged. Compare CITADEL & UQAM's meta-classifier in the MIDST challenge (2025).

    Parameters
    ----------
    found : mapping from attack name to ndarray of float, shape (units,)
    member : ndarray of bool, shape (units,)
    learning, judging : ndarray of int
        Units, disjoint.

    Returns
    -------
    ndarray of float, shape (judging,)
    """
    from scipy.stats import rankdata
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    features = np.stack([rankdata(score) for score in found.values()], axis=1)
    model = HistGradientBoostingClassifier(max_iter=50, max_depth=3, learning_rate=0.05, random_state=0)
    with threadpool_limits(1):
        return model.fit(features[learning], member[learning]).predict_proba(features[judging])[:, 1]


def finding(judged: np.ndarray, member: np.ndarray, attacks: int) -> Finding:
    """The ensemble on the units it was not trained on."""
    title = f"Membership by all {attacks} scores together, trained on the other half of the challenge (AUC)"
    if len(np.unique(member)) < 2:
        return Finding(
            "attacks.ensemble", title, None, reference=0.5, note="Too few rows to train on one half and judge on the other."
        )
    summary = statistics.summary(judged, member, np.arange(len(member)))
    summary["details"] = {"attack": "ensemble", "scaling": "all", "level": "unit"} | summary["details"]
    return Finding(
        "attacks.ensemble", title, reference=0.5, reference_is="chance", note="This attacker knows who is a member for half of the challenge.", **summary,
    )  # fmt: skip
