"""As ``tests/test_crafted_models.py``, with many more mutations: TABSYNTH_TRIALS for each model, 10,000 unless it is set."""

import os

import pytest
from test_crafted_models import ALGORITHMS, made, tried

pytestmark = pytest.mark.slow

TRIALS, BATCH, FIRST = int(os.environ.get("TABSYNTH_TRIALS", "10000")), 500, 1_000


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_mutation_of_a_model_folder_does_harm(name, tmp_path):
    folder = made(name, tmp_path / name)
    found = [tried(folder, first, min(first + BATCH, FIRST + TRIALS)) for first in range(FIRST, FIRST + TRIALS, BATCH)]
    assert sum(each["refused"] for each in found) > TRIALS / 2
    assert sum(each["works"] for each in found) > TRIALS / 50
