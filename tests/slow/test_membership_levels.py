"""The membership verdict over 500 divisions of real rows: no leak there is, so hardly a failure, no contradiction, and mostly a pass."""

import numpy as np
import pandas as pd
import pytest

from tabsynth.conform import read
from tabsynth.schema import Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import ATTACKS, membership
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks._view import views
from tabsynth.validate.features import Encoder

pytestmark = pytest.mark.slow
SPLITS = 500


@pytest.fixture(scope="module")
def scores(repo):
    """Scores of 5,600 rows of Adult, with other rows of it in the synthetic and reference rows' place."""
    path = repo / "../shared/data/adult/adult.parquet"
    if not path.exists():
        pytest.skip("the benchmark tables are not here")
    schema = Schema.load(repo / "schemas/adult.yaml")
    table = pd.read_parquet(path).rename(columns=lambda name: name.replace("-", "_"))[list(schema.names)]
    rows = read(table.sample(14_000, random_state=0, ignore_index=True), schema)
    parts = [rows[a:b].reset_index(drop=True) for a, b in ((0, 2_800), (2_800, 5_600), (5_600, 9_800), (9_800, 14_000))]
    challenge = design(Evidence(schema, *parts[:3], reference=parts[3]))
    tables = challenge.rows, challenge.synthetic, challenge.reference
    encoder = Encoder.fit(schema, challenge.reference, challenge.synthetic)
    return {
        f"{name}.{view.scaling}": ATTACKS[name].score(view)
        for view, _ in views(*(encoder.transform(table) for table in tables))
        for name in ("dcr", "ldr", "nndr", "dcr_diff", "neighbourhood", "plagiarism")
    }


def test_five_hundred_divisions(scores):
    """Failures: 2.5 % and 3 standard errors; contradictions of almost no leak at all: none of 500, at a level of .0001; open: one in ten."""
    member, rng = np.repeat([True, False], 2_800), np.random.default_rng(0)
    verdicts, contradicted = [], 0
    for seed in range(SPLITS):
        found = membership.headline(scores, rng.permutation(member), seed, 0.5)
        verdicts.append(found.verdict)
        contradicted += membership.contradicted(found, Tradeoff(0.01, 0.0, mu=0.001))
    assert found.details["fpr"] == 0.01
    assert contradicted == 0
    assert verdicts.count("fail") <= SPLITS * (0.025 + 3 * np.sqrt(0.025 * 0.975 / SPLITS))
    assert verdicts.count("pass") >= 0.9 * SPLITS
