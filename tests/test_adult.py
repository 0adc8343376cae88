"""Adult, on the split that peers were measured on: the figures to reach, by the shared evaluation."""

import json
import subprocess
import sys
import time

import pytest
from conftest import real_data


def measured(model, epsilon, repo, folder):
    """Fit and sample with the command line; the scores, and the seconds it took."""
    reference = real_data("reference")

    def call(*command):
        return subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True, text=True).stdout

    train, model_folder, sample = folder / "train.csv", folder / "m", folder / "s.csv"
    call(reference / "split_adult.py", real_data("data", "adult", "adult.parquet"), folder)
    started = time.perf_counter()
    schema = repo / "schemas/adult.yaml"
    call("-m", "tabsynth", "fit", train, "--schema", schema, "--epsilon", epsilon, "--model", model, "--out", model_folder)
    call("-m", "tabsynth", "sample", model_folder, "--rows", 34_189, "--out", sample)
    seconds = time.perf_counter() - started
    return json.loads(call(reference / "evaluate.py", train, folder / "holdout.csv", sample, "income")), seconds


def test_aim_at_epsilon_one_is_better_than_every_peer_measured(repo, tmp_path):
    """3-way TVD at most 0.088 (best peer 0.100) and AUC at least 0.901 (best peer 0.901), everything paid for, in under 60 s."""
    scores, seconds = measured("aim", 1, repo, tmp_path)
    assert scores["tvd3"] <= 0.088
    assert scores["auc_hgb"] >= 0.901
    assert seconds < 60


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "auc", "tvd3"), [(1, 0.90, 0.088), (3, 0.905, 0.080)])
def test_ctgan_is_as_good_as_the_marginals_it_starts_from(epsilon, auc, tvd3, repo, tmp_path):
    """Best private GAN measured: AUC .451 at epsilon 1, .440 at 3."""
    scores, _ = measured("ctgan", epsilon, repo, tmp_path)
    assert scores["auc_hgb"] >= auc
    assert scores["tvd3"] <= tvd3
