"""NOT PRIVATE. Attack A6, LOGAN: does a row look synthetic to a neural network that tells synthetic from real rows?"""

from __future__ import annotations

import warnings

import numpy as np

from tabsynth.validate.attacks._view import View

BATCH, EPOCHS, STEPS = 256, 300, 300


def score(view: View, steps: int = STEPS) -> np.ndarray:
    """Log odds of "synthetic" by a network trained on R against S: Hayes et al. (PoPETs 2019), LOGAN, section 4.2.

    Two hidden layers of 256 units, Adam at 1e-3, batches of 256 for 300 epochs, `steps` at most. Corrected: public code draws its batches
    from one of the two classes and leaves the columns as they are.
    """
    return _trained(view, None, steps)


def published(view: View) -> np.ndarray:
    """As published, for comparison with printed tables: batches hold synthetic rows only, and no limit on the steps."""
    return _trained(view, min(len(view.synthetic), len(view.reference)), EPOCHS * len(view.rows) // BATCH)


def _trained(view: View, only: int | None, limit: int) -> np.ndarray:
    """The log odds; `only` is how many of the rows, synthetic ones first, batches are drawn from (by default all)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    size = min(len(view.synthetic), len(view.reference))
    if not (size and len(view.rows)):
        return np.full(len(view.rows), np.nan)
    points = np.vstack([view.synthetic[:size].dense(view.scaling), view.reference[:size].dense(view.scaling)]).astype(np.float32)
    labels, rng = np.repeat([1, 0], size), np.random.default_rng(42)
    network = MLPClassifier((256, 256), alpha=0, learning_rate_init=1e-3, batch_size=BATCH, random_state=42)
    steps = min(limit, EPOCHS * 2 * size // BATCH + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(steps):
            batch = rng.integers(0, only or 2 * size, BATCH)
            network.partial_fit(points[batch], labels[batch], classes=[0, 1])
    signal = view.rows.dense(view.scaling).astype(np.float32)
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        signal = np.maximum(signal @ weights + bias, 0)
    return (signal @ network.coefs_[-1] + network.intercepts_[-1])[:, 0].astype(float)
