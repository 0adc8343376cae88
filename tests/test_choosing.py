"""A guarantee is of one release: choosing the best of several by the real rows breaks it, as the texts that people read say."""

import json
import sys

import numpy as np
import pytest
from conftest import REPO
from scipy.stats import beta

from tabsynth.card import LIMITS
from tabsynth.curator.noise import discrete_gaussian
from tabsynth.report.together import epsilon_of

sys.path.insert(0, str(REPO / "benchmarks"))
import choosing


def published(runs: int, times: int, seed: int) -> np.ndarray:
    """Errors of the published count, drawn with the product's noise; of two that are equally near either may be the first."""
    drawn = discrete_gaussian((times, runs), choosing.noise(), random=np.random.default_rng(seed).bytes)
    return drawn[np.arange(times), np.abs(drawn).argmin(axis=1)]


def proven(hits: int, misses: int, times: int, level: float = 1e-6) -> float:
    """Lower bound on epsilon from how often an event was seen in each of two worlds (Clopper and Pearson), at delta 1e-6."""
    low, high = beta.ppf(level / 2, hits, times - hits + 1), beta.ppf(1 - level / 2, misses + 1, times - misses)
    return float(np.log((low - choosing.DELTA) / high))


def test_a_single_release_is_what_it_claims():
    assert choosing.true_epsilon(choosing.chosen(1, choosing.noise())) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("runs", "times", "least"), [(10, 200_000, 2), (100, 20_000, 7)])
def test_choosing_by_the_truth_is_caught_by_simulation(runs, times, least):
    """Bounds hold but for one trial in a million; the event is that the true count, or less, is published, one row up or not."""
    here, there = published(runs, times, 1), published(runs, times, 2) + 1
    event = 0 if runs == 100 else -2
    bound = proven(int((here <= event).sum()), int((there <= event).sum()), times)
    exact = choosing.true_epsilon(choosing.chosen(runs, choosing.noise()))
    assert least < bound < exact


@pytest.mark.parametrize("runs", [1, 2, 10])
def test_the_closed_form_is_what_is_drawn(runs):
    times, probabilities = 100_000, choosing.chosen(runs, choosing.noise())
    middle = len(probabilities) // 2
    seen = np.bincount(published(runs, times, 3) + middle, minlength=len(probabilities)) / times
    assert np.all(np.abs(seen - probabilities) < 5.5 * np.sqrt(probabilities / times) + 1e-4)


def test_the_figures_that_people_read_are_the_ones_computed(repo):
    rows = {row["runs"]: row for row in json.loads((repo / "benchmarks/results/choosing.json").read_text())["rows"]}
    for runs, row in rows.items():
        assert row["best_published"] == pytest.approx(choosing.true_epsilon(choosing.chosen(runs, choosing.noise())))
        assert row["all_published"] == pytest.approx(epsilon_of(runs**0.5 / choosing.noise(), choosing.DELTA))
    assert rows[100]["best_published"] > rows[100]["all_published"], "not even the sum covers a choice by the truth"
    said = f"the best of 10 releases at epsilon 1 is worth epsilon {rows[10]['best_published']:.1f}, the best of 100 epsilon {rows[100]['best_published']:.1f}"
    for text in ((repo / "README.md"), repo / "docs/threat-model.md", repo / "tabsynth/report/templates/closing.html"):
        assert said in " ".join(text.read_text(encoding="utf-8").split()), text
    assert any("Choosing" in limit and "not covered" in limit for limit in LIMITS)
