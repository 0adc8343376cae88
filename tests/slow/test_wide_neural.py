"""Three hundred columns: what `neural` is for."""

import time

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import Schema

pytestmark = pytest.mark.slow
COLUMNS, ROWS, LABELS = 300, 50_000, 8


def test_three_hundred_columns_in_ten_minutes_tell_the_target_on_new_rows():
    """AUC on a holdout at least 0.65 at epsilon 1 (columns independent: 0.5), trained on synthetic rows alone."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((2 * ROWS, 10))
    values = 0.8 * hidden[:, np.arange(COLUMNS) % 10] + 0.6 * rng.standard_normal((2 * ROWS, COLUMNS))
    codes = np.searchsorted(np.linspace(-1.5, 1.5, LABELS - 1), values)
    y = rng.random(2 * ROWS) < 1 / (1 + np.exp(-values[:, :20].sum(1) / 3))
    frame = pd.DataFrame({f"c{i}": codes[:, i] for i in range(COLUMNS)}).assign(y=y)
    columns = {f"c{i}": {"kind": "categorical", "labels": list(range(LABELS)), "nullable": False} for i in range(COLUMNS)}
    columns["y"] = {"kind": "boolean", "nullable": False}
    schema = Schema.from_dict({"name": "wide", "target": "y", "columns": columns})
    started = time.perf_counter()
    sample = tabsynth.fit(frame[:ROWS], schema, epsilon=1, model="neural").sample(ROWS)
    assert time.perf_counter() - started < 600
    features = [f"c{i}" for i in range(COLUMNS)]
    model = HistGradientBoostingClassifier(random_state=0).fit(sample[features].astype(float), sample.y.astype(bool))
    assert roc_auc_score(frame.y[ROWS:], model.predict_proba(frame[features][ROWS:].astype(float))[:, 1]) > 0.65
