"""Training and holdout: each unit by a coin of its own, whoever else is there; either half, and the table, may be empty."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import visits

from tabsynth.conform import read
from tabsynth.pipeline import release, split
from tabsynth.repeat import repeat
from tabsynth.verify import verify


@pytest.mark.parametrize("holdout", [0.3, 0.9])
def test_another_unit_moves_nobody(holdout, visits_schema):
    """Also where all others are held out: with 3 people and 90 % that is 4 of 5 splits."""
    with_one = read(visits([(i, "A", i) for i in (0, 1, 2, 2, 3)]), visits_schema)
    without = with_one[with_one.person != "p3"]
    alone = 0
    for seed in range(200):
        halves = [split(table, visits_schema, holdout, seed) for table in (with_one, without)]
        for more, less in zip(*halves, strict=True):
            pd.testing.assert_frame_equal(more[more.person != "p3"].reset_index(drop=True), less)
        alone += halves[1][0].empty
    expected = 200 * holdout**3
    assert abs(alone - expected) < 4 * np.sqrt(expected), "so often the training half is empty"


def test_a_row_s_coin_is_its_own(toy_schema, toy_table):
    rows = read(toy_table.head(20), toy_schema)
    for seed in range(50):
        train, held = split(rows, toy_schema, 0.9, seed)
        fewer, fewer_held = split(rows.head(2), toy_schema, 0.9, seed)
        assert set(fewer.id) <= set(train.id)
        assert set(fewer_held.id) <= set(held.id)


EMPTY = {"training": (30, 1 - 1e-12), "holdout": (30, 1e-12), "table": (0, 0.3)}


@pytest.mark.parametrize("half", EMPTY)
def test_a_release_with_an_empty_half_finishes_and_verifies(half, visits_schema, tmp_path):
    rows, holdout = EMPTY[half]
    path = tmp_path / "visits.csv"
    visits([(i, "AB"[i % 2], i % 10) for i in range(rows)]).to_csv(path, index=False)
    release(path, visits_schema, tmp_path / "out", epsilon=1, model="independent", holdout=holdout)
    told = json.loads((tmp_path / "out/confidential/report.internal.json").read_text())
    sizes = told["tables"]["train"]["rows"], told["tables"]["holdout"]["rows"]
    assert sizes == {"training": (0, 30), "holdout": (30, 0), "table": (0, 0)}[half]
    verdicts = {finding["verdict"] for finding in told["findings"] if finding["check"].startswith("attacks.")}
    assert verdicts <= {None, "inconclusive"}
    assert all(result.holds for result in [*verify(tmp_path / "out"), *repeat(tmp_path / "out", path)])


def test_a_header_is_a_table(run, visits_schema, tmp_path):
    (tmp_path / "s.yaml").write_text(visits_schema.dump())
    (tmp_path / "t.csv").write_text("person,ward,days\n")
    options = ("--schema", tmp_path / "s.yaml", "--epsilon", 1, "--model", "independent", "--quiet")
    assert run("fit", tmp_path / "t.csv", *options, "--out", tmp_path / "m") == (0, "", "")
    (tmp_path / "t.csv").write_text("")
    code, _, err = run("fit", tmp_path / "t.csv", *options, "--out", tmp_path / "n")
    assert (code, (tmp_path / "n").exists()) == (2, False)
    assert "t.csv is empty" in err
