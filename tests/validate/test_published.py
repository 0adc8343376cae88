"""Published attack tables are reproduced to the printed digit: California Housing of Synth-MIA, and this project's own rows for it.

200 members, 200 non-members, 200 reference and 200 synthetic rows of 9 raw columns; Euclidean distances, and rates interpolated on the
ROC curve, as published. The product itself uses mixed-type L1 distances and strict thresholds.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score, roc_curve

from tabsynth.schema import Column, Schema
from tabsynth.validate.attacks import (
    classifier,
    dcr,
    dcr_diff,
    density,
    domias,
    gen_lra,
    ldr,
    logan,
    monte_carlo,
    neighbourhood,
    nndr,
    plagiarism,
    statistics,
)
from tabsynth.validate.attacks._nearest import Neighbours
from tabsynth.validate.attacks._view import View, views
from tabsynth.validate.features import Encoder

MEMBER = np.repeat([True, False], 200)
PUBLISHED = {
    dcr.score: (0.527, 0.025, 0.025, 0.035, 0.145),
    plagiarism.score: (0.531, 0.010, 0.017, 0.050, 0.124),
    dcr_diff.score: (0.562, 0, 0, 0.015, 0.215),
    domias.published: (0.684, 0.020, 0.020, 0.055, 0.270),
    monte_carlo.score: (0.511, 0, 0.006, 0.050, 0.117),
    density.score: (0.643, 0.020, 0.020, 0.035, 0.165),
    classifier.score: (0.647, 0.030, 0.030, 0.100, 0.360),  # AUC .646 in print: scikit-learn's forests have changed since
    gen_lra.published: (0.648, 0.220, 0.220, 0.220, 0.310),
}


@pytest.fixture(scope="module")
def bench(shared):
    """Encoded challenge, synthetic and reference rows."""
    folder = shared / "data" / "attack_bench" / "synthmia_housing"
    if not folder.is_dir():
        pytest.skip("the attack bench is not here")
    members, others, reference, synthetic = (
        pd.read_csv(folder / f"{n}.csv").astype(float) for n in ("mem", "non_mem", "ref", "synth")
    )
    schema = Schema("housing", tuple(Column(name, "float", discover=True, nullable=False) for name in members))
    encoder = Encoder.fit(schema, reference, synthetic)
    return [encoder.transform(t) for t in (pd.concat([members, others], ignore_index=True), synthetic, reference)]


@pytest.fixture(scope="module")
def view(bench):
    """Raw columns; the 20 nearest rows by Euclidean distance for the plagiarism index, all of them otherwise."""

    def near(table, k):
        distances = cdist(bench[0].numeric["raw"], table.numeric["raw"])
        index = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Neighbours(np.take_along_axis(distances, index, 1), index)

    return {k: View("raw", *bench, near(bench[1], k), near(bench[2], k)) for k in (20, 200)}


def _rates(scores):
    fpr, tpr, _ = roc_curve(MEMBER, scores)
    return [roc_auc_score(MEMBER, scores), *(np.interp(at, fpr, tpr) for at in (0, 0.001, 0.01, 0.1))]


@pytest.mark.parametrize("score", PUBLISHED, ids=lambda s: f"{s.__module__.split('.')[-1]}.{s.__name__}")
def test_the_published_table(view, score):
    scores = score(view[20 if score is plagiarism.score else 200])
    assert _rates(scores) == pytest.approx(PUBLISHED[score], abs=5.001e-4)


def test_a_fixed_radius_says_nothing(view):
    scores = neighbourhood.score(view[200], radius=1.0)
    assert _rates(scores) == pytest.approx([0.500, 0, 0.001, 0.010, 0.100], abs=5.001e-4)


def test_logan_as_published_and_corrected(bench, view):
    """As published it learns from one class only: AUC .536 +- .003 there. Corrected, with scaled columns and all 300 epochs: .677."""
    assert roc_auc_score(MEMBER, logan.published(view[20])) == pytest.approx(0.536, abs=0.004)
    _, (standardised, _), _ = views(*bench)
    assert roc_auc_score(MEMBER, logan.score(standardised, steps=469)) == pytest.approx(0.677, abs=0.02)


def test_rows_of_our_own(bench):
    """Standardised L1: log distance ratio .709 with .365 at 1 %, nearest-neighbour ratio .733 with .375, at strict thresholds."""
    _, (standardised, _), _ = views(*bench)
    for score, auc, tpr in ((ldr.score, 0.709, 0.365), (nndr.score, 0.733, 0.375)):
        found = statistics.summary(score(standardised), MEMBER, np.arange(400))
        assert found["value"] == pytest.approx(auc, abs=6e-4)
        assert statistics.tpr_at_fpr(score(standardised), MEMBER, 0.01)["tpr"] == pytest.approx(tpr, abs=1e-9)
        assert found["interval"][0] < auc < found["interval"][1]


def test_shortcuts_change_little(view, bench):
    """Gen-LRA's rank-one change and DOMIAS in logarithms are as strong as what is published, on columns where densities do not vanish."""
    for scaling, (seen, _) in zip(("raw", "standardised", "rank"), views(*bench), strict=True):
        if scaling != "raw":
            assert roc_auc_score(MEMBER, gen_lra.score(seen)) > 0.648 - 0.03
            assert roc_auc_score(MEMBER, domias.score(seen)) > 0.60
