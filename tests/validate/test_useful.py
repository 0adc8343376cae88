"""The claims on the target and on bought ranges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence
from tabsynth.validate.ranges import ranges
from tabsynth.validate.useful import useful
from tabsynth.validate.utility import utility

SCHEMA = Schema(
    "task",
    (Column("x", "float", minimum=-9, maximum=9), Column("y", "float", minimum=-9, maximum=9), Column("ill", "boolean")),
    target="ill",
)


def draw(rows: int, seed: int, weight: float = 1.5) -> pd.DataFrame:
    rng = np.random.default_rng([seed, 4])
    x, y = rng.normal(size=(2, rows))
    return pd.DataFrame({"x": x, "y": y, "ill": pd.array(weight * (x + y) + rng.logistic(size=rows) > 1, dtype="boolean")})


def judged(synthetic: pd.DataFrame, holdout: int = 1_500, **known):
    evidence = Evidence(SCHEMA, draw(2_000, 1, **known), draw(holdout, 2, **known), synthetic, target="ill")
    utility(evidence)
    return useful(evidence)[0]


def test_what_teaches_as_much_passes_and_what_teaches_nothing_fails():
    good = judged(draw(2_000, 3))
    assert good.verdict == "pass"
    assert good.value == pytest.approx(1, abs=0.05)
    assert good.interval[0] <= good.value <= good.interval[1]
    shuffled = draw(2_000, 3).assign(ill=lambda t: t.ill.to_numpy()[np.random.default_rng(0).permutation(len(t))])
    poor = judged(shuffled)
    assert poor.verdict == "fail"
    assert poor.value < 0.3


def test_where_real_rows_teach_nothing_there_is_nothing_to_keep():
    found = judged(draw(2_000, 3, weight=0), weight=0)
    assert (found.value, found.verdict) == (None, "inconclusive")
    assert "nothing to keep" in found.note


def test_without_a_target_there_is_no_such_claim():
    assert useful(Evidence(SCHEMA, *(draw(20, i) for i in range(3)))) == []


BOUGHT = Schema("bought", (Column("ward", "categorical", discover=True), Column("cost", "float", discover=True)))


@pytest.mark.parametrize(
    ("schema", "entries", "verdict", "lost"),
    [
        (SCHEMA, [], "pass", []),
        (BOUGHT, [{"column": "ward"}, {"column": "cost"}], "pass", []),
        (BOUGHT, [{"column": "ward"}], "inconclusive", []),
        (BOUGHT, [{"column": "ward", "found": True}, {"column": "cost", "found": True}], "pass", []),
        (BOUGHT, [{"column": "ward", "found": True}, {"column": "cost", "found": False}], "fail", ["cost"]),
        (BOUGHT, [{"column": "ward", "found": False}, {"column": "cost"}], "fail", ["ward"]),
    ],
)
def test_ranges_that_did_not_stand_out_fail(schema, entries, verdict, lost):
    found = ranges({"bought": entries}, schema)[0]
    assert (found.verdict, found.details["lost"], found.value) == (verdict, lost, len(lost))


def test_without_a_card_nothing_is_said_of_what_was_bought():
    assert ranges(None, BOUGHT) == []
    assert ranges(None, SCHEMA)[0].verdict == "pass"
