"""NOT PRIVATE. Attack A6, classifier: does a row look synthetic to a forest that tells synthetic from real rows?"""

from __future__ import annotations

import numpy as np

from tabsynth.validate.attacks._view import View

ROWS = 10_000


def score(view: View) -> np.ndarray:
    """Probability of "synthetic" by 100 trees trained on R against S, at most 10,000 rows of each: Houssiau et al. (2022), TAPAS.

    Trees do not see how columns are scaled.
    """
    from sklearn.ensemble import RandomForestClassifier

    tables = [np.hstack([t.numeric[view.scaling], t.codes]) for t in (view.reference[:ROWS], view.synthetic[:ROWS])]
    if not all(map(len, (*tables, view.rows))):
        return np.full(len(view.rows), np.nan)
    labels = np.repeat([0, 1], [len(t) for t in tables])
    forest = RandomForestClassifier(random_state=42, n_jobs=-1).fit(np.vstack(tables), labels)
    forest.n_jobs = 1  # several threads add the trees' votes in the order in which they finish: other digits each time
    return forest.predict_proba(np.hstack([view.rows.numeric[view.scaling], view.rows.codes]))[:, 1]
