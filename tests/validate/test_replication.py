"""Copies: what is counted does not depend on the split, leaks fail at small sizes, and what could not fail does not pass."""

import numpy as np
import pandas as pd
import pytest

from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import replication
from tabsynth.validate.attacks._pool import Pool
from tabsynth.validate.attacks._power import COPIES, WHOLE, planted


def _moved(table):
    rng = np.random.default_rng(0)
    return table.assign(**{name: table[name] + rng.choice([-1e-6, 1e-6], len(table)) for name in ("income", "weight")})


@pytest.mark.parametrize(("train", "holdout"), [(60, 40), (300, 40), (1500, 40)])
def test_training_rows_moved_by_a_millionth_fail_with_forty_holdout_rows(schema, people, train, holdout):
    rows = people(train, 0)
    found = replication.check(Evidence(schema, rows, people(holdout, 1), _moved(rows)))
    assert found.verdict == "fail"
    assert (
        next(level for level in found.details["levels"] if level["rows"] == "all")["rate_members"] < 0.2
    )  # those without a number


@pytest.mark.parametrize("copy", [lambda rows: rows, _moved], ids=["exact", "moved"])
def test_one_copy_in_ten_fails_with_190_holdout_rows(schema, people, copy):
    train = people(443, 0)
    synthetic = pd.concat([copy(train[:44]), people(399, 2)], ignore_index=True)
    assert replication.check(Evidence(schema, train, people(190, 1), synthetic)).verdict == "fail"


@pytest.mark.parametrize(
    ("train", "holdout", "verdict"), [(60, 40, "inconclusive"), (300, 6, "inconclusive"), (420, 180, "pass")]
)
def test_a_pass_takes_records_enough_to_see_a_leak(schema, people, train, holdout, verdict):
    """The measured bound is 0 in all three tables: nothing is copied."""
    evidence = Evidence(schema, people(train, 0), people(holdout, 1), people(train, 2))
    found = replication.check(evidence)
    assert found.verdict == verdict
    assert found.details["levels"][0]["interval"][1] == 0
    assert set(found.details["power"]) == {WHOLE, COPIES, replication.MOVED}
    assert all(found.details["power"].values()) == (verdict == "pass") != found.details["blind"]
    for leak in (WHOLE, COPIES):
        copied = replication.check(planted(evidence, leak)).verdict == "fail"
        assert found.details["power"][leak] == copied


def test_the_guarantee_settles_what_the_records_cannot_but_no_failure(schema, people):
    train, holdout = people(300, 0), people(1000, 1)
    strong, weak = Tradeoff(0.5, 1e-6, 0.13), Tradeoff(8.0, 1e-6, 2.0)
    coarse = Schema("flags", tuple(Column(f"b{i}", "boolean", nullable=False) for i in range(3)))
    flags = [
        pd.DataFrame(np.random.default_rng(seed).random((500, 3)) < 0.3, columns=coarse.names).astype("boolean")
        for seed in range(3)
    ]
    for guarantee, verdict in ((None, "inconclusive"), (weak, "inconclusive"), (strong, "pass")):
        found = replication.check(Evidence(coarse, *flags, guarantee=guarantee))
        assert (found.verdict, found.details["blind"]) == (verdict, True)
    assert found.details["by_guarantee"]["measured"] == "inconclusive"
    assert replication.check(Evidence(schema, train, holdout, train, guarantee=strong)).verdict == "fail"


def test_what_is_counted_is_the_same_whichever_units_were_drawn(unit_schema, visits):
    """Sides exchanged: the same units hold each row, the same rows are unlike others, and the same are near."""
    train, holdout, synthetic = visits(60, 0), visits(40, 1), visits(50, 2)
    pools = [Pool(Evidence(unit_schema, *sides, synthetic)) for sides in ((train, holdout), (holdout, train))]
    cut = len(train)
    for known in (lambda p: p.holders, lambda p: p.apart, lambda p: p.to_others, lambda p: p.closeness(synthetic)):
        here, there = (known(pool) for pool in pools)
        np.testing.assert_allclose(here, np.concatenate([there[-cut:], there[:-cut]]), rtol=1e-5)
    assert pools[0].member.sum() == 60


def test_distances_to_the_rows_of_others_by_brute_force(unit_schema, visits):
    pool = Pool(Evidence(unit_schema, visits(30, 0), visits(20, 1), visits(30, 2)))
    encoded = pool._encoder.transform(pool.rows)
    numbers = np.abs(encoded.numeric["standardised"][:, None] - encoded.numeric["standardised"][None]).sum(axis=2)
    all_pairs = numbers + 2 * (encoded.codes[:, None] != encoded.codes[None]).sum(axis=2)
    all_pairs[pool.units[:, None] == pool.units[None]] = np.inf
    np.testing.assert_allclose(pool.to_others, all_pairs.min(axis=1), rtol=1e-4, atol=1e-5)


def test_a_value_is_ones_own_if_no_other_unit_holds_it_however_often_one_does():
    schema = Schema("t", (Column("x", "integer", minimum=0, maximum=9),))

    def table(values):
        return pd.DataFrame({"x": pd.array(values, "Int64")})

    pool = Pool(Evidence(schema, table([1, 2, 2, 3]), table([3, 4]), table([1])))
    assert pool.holders.tolist() == [1, 2, 2, 2, 2, 1]
    assert pool.own.tolist() == [True, False, False, False, False, True]


def test_counts_are_of_units_with_a_copied_row_and_large_tables_are_sampled_by_unit(unit_schema, visits, monkeypatch):
    from tabsynth.validate.attacks import _pool

    train, holdout = visits(300, 0), visits(200, 1)
    found = replication.check(Evidence(unit_schema, train, holdout, train))
    every = {level["rows"]: level for level in found.details["levels"]}
    assert {(level["n_members"], level["n_holdout"]) for level in every.values()} == {(300, 200)}
    assert every["own"]["members"] == 300
    monkeypatch.setattr(_pool, "ROWS", 250)
    few = {level["rows"]: level for level in replication.check(Evidence(unit_schema, train, holdout, train)).details["levels"]}
    assert few["own"] == every["own"]
    assert 80 < few["apart"]["n_members"] + few["apart"]["n_holdout"] < 120
    assert few["apart"]["n_members"] == few["near"]["n_members"]


def test_the_outlook_before_a_release():
    settled, least = replication.outlook(14_150, 6_040, 0.01, None)
    assert settled == "measurement"
    assert replication.outlook(14_150, least, 0.01, None) == ("measurement", least)
    assert replication.outlook(60, 40, 0.01, None)[0] is None
    assert replication.outlook(14_150, 6_040, 0.01, Tradeoff(1.0, 1e-6, 0.2367))[0] == "guarantee"
    assert replication.outlook(0, 40, 0.01, None) == (None, None)
