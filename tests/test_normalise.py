"""Columns that are written otherwise on the two sides are said to be, with the likely cause, and can be read alike."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tabsynth import attack
from tabsynth.attack import summary
from tabsynth.normalise import canonical, likely

DATES = pd.date_range("2011-01-01", periods=300).strftime("%d/%m/%Y").to_numpy()


def rows(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "zip": [f"0{n}" for n in rng.integers(2100, 2160, 240)],
        "town": rng.choice(["Boston", "New York", "Lynn"], 240),
        "day": rng.choice(DATES, 240),
        "price": [f"{n:,}" for n in rng.integers(1_000, 1_040, 240)],
    })  # fmt: skip


CAUSES = {
    "upper and lower case": ({"BOSTON ", "LYNN"}, {"Boston", "Lynn", "New York"}),
    "leading zeros": ({"2134", "2135"}, {"02134", "02135"}),
    "thousands": ({"1234", "5678"}, {"1,234", "5,678"}),
    "dates": ({"2011-09-15"}, {"15/09/2011"}),
    "month before the day": ({"2011-09-15"}, {"09/15/2011"}),
    "": ({"a", "b"}, {"c", "d"}),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_likely_cause_is_seen(cause):
    found = likely(*CAUSES[cause])
    assert cause in found
    assert bool(found) == bool(cause)


def test_an_attack_says_which_columns_never_meet_and_reads_them_alike_when_asked():
    members, others, synthetic = rows(0), rows(1), rows(2)
    told = attack(members, others, synthetic, attacks="dcr")
    assert told["apart"] == []
    odd = synthetic.assign(
        town=synthetic.town.str.upper(), day=pd.to_datetime(synthetic.day, dayfirst=True).dt.strftime("%Y.%m.%d")
    )
    told = attack(members, others, odd, attacks="dcr")
    assert [found["column"] for found in told["apart"]] == ["town", "day"]
    lines = [line for line in summary(told) if line.startswith("WARNING: no synthetic value of ")]
    assert len(lines) == 2
    assert "upper and lower case differ" in lines[0]
    assert "--normalise" in lines[0]
    alike = attack(members, others, odd, attacks="dcr", normalise=True)
    assert (alike["apart"], alike["normalised"]) == ([], True)
    assert not any("WARNING" in line for line in summary(alike))
    kinds = {name: column["kind"] for name, column in alike["schema"]["columns"].items()}
    assert kinds == {"zip": "integer", "town": "categorical", "day": "date", "price": "integer"}
    json.dumps(alike)


def test_codes_saved_as_numbers_meet_codes_with_zeros():
    members, others, synthetic = rows(0), rows(1), rows(2)
    numbers = synthetic.assign(zip=synthetic.zip.astype(int))
    assert attack(members, others, numbers, attacks="dcr", normalise=True)["apart"] == []


@pytest.mark.parametrize(
    ("text", "one_way"),
    [
        ("1.234", "1.234"),
        ("-007", "-7"),
        ("0.50", "0.5"),
        ("31/02/2011", "31/02/2011"),
        ("1,23", "1,23"),
        ("a  B", "a b"),
        ("", ""),
    ],
)
def test_what_is_no_number_and_no_date_stays(text, one_way):
    assert canonical(text) == one_way
