"""Columns that are missing in the same rows stay so, also where the noise of a table of all their codes would hide it."""

import numpy as np
import pandas as pd
import pytest

import tabsynth

ASKED = [f"q{i}" for i in range(6)]


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """Six answers of 30 levels that a third of the people did not give at all, one that another third did not, and one that few did not."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.integers(0, 30, 6_000).astype(float) for name in [*ASKED, "other", "rare"]})
    table.loc[rng.random(6_000) < 1 / 3, ASKED] = np.nan
    table.loc[rng.random(6_000) < 1 / 3, "other"] = np.nan
    table.loc[rng.random(6_000) < 0.005, "rare"] = np.nan
    return table


@pytest.fixture(scope="module")
def fitted(survey) -> tabsynth.Release:
    columns = {name: {"kind": "integer", "minimum": 0, "maximum": 29} for name in survey}
    schema = tabsynth.Schema.from_dict({"name": "survey", "columns": columns})
    return tabsynth.fit(survey, schema, epsilon=0.7, model="aim")


def test_answers_that_are_missing_together_stay_so(survey, fitted):
    missing = fitted.sample(6_000, seed=0).isna()
    for name in ASKED[1:]:
        assert (missing[name] != missing["q0"]).mean() < 0.01
    assert missing["q0"].mean() == pytest.approx(1 / 3, abs=0.08)
    apart = (missing["other"] != missing["q0"]).mean()
    assert apart == pytest.approx((survey["other"].isna() != survey["q0"].isna()).mean(), abs=0.1)


def test_they_are_counted_several_at_a_time_and_the_rare_one_is_not(fitted):
    bought = [charge["note"].removeprefix("table of ").split(" x ") for charge in fitted.card["ledger"]["charges"]]
    assert [names for names in bought if len(names) >= 3 and set(names) < {*ASKED, "other"}]
    assert not [names for names in bought if len(names) >= 3 and "rare" in names]
