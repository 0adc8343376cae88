"""Linkage: rows that are equally near count alike, the training table always fails, and what could not fail does not pass."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import linkability
from tabsynth.validate.attacks._halves import met
from tabsynth.validate.attacks._inference import only
from tabsynth.validate.attacks._power import COPIES, WHOLE
from tabsynth.validate.features import Encoder

COARSE = Schema("coarse", (*(Column(f"c{i}", "categorical", labels=tuple("abc")) for i in range(6)),
                           Column("x", "integer", minimum=0, maximum=4, nullable=False)))  # fmt: skip


def coarse(rows, seed):
    """Halves that many rows share; whole rows that few do."""
    rng = np.random.default_rng(seed)
    labels = {f"c{i}": rng.choice(list("abc"), rows).astype(object) for i in range(6)}
    return pd.DataFrame(labels | {"x": pd.array(rng.integers(0, 5, rows), "Int64")})


def test_the_training_table_fails_where_halves_are_shared_by_many():
    train = coarse(5000, 0)
    shared = train.groupby(["c0", "c1", "c2"]).size()
    assert shared.min() > 100
    (found,) = linkability.check(Evidence(COARSE, train, coarse(1200, 1), train))
    assert found.verdict == "fail"
    assert all(result["rate_members"] == 1.0 for result in found.details["results"])
    assert all(result["rate_nonmembers"] < 0.95 for result in found.details["results"])


def test_the_order_of_the_synthetic_rows_says_nothing():
    train, holdout, synthetic = coarse(300, 0), coarse(200, 1), coarse(400, 2)
    encoder = Encoder.fit(COARSE, train, synthetic)
    queries, halves = encoder.transform(holdout), ({"c0", "c1", "x"}, {"c2", "c3", "c4", "c5"})
    found = []
    for seed in range(3):
        table = encoder.transform(synthetic.sample(frac=1, random_state=seed))
        found.append(met(*((only(queries, COARSE, half), only(table, COARSE, half)) for half in halves), "rank", (1, 5, 10)))
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


@pytest.mark.parametrize("rows", [4, 40, 700])
def test_rows_that_meet_in_both_halves_by_brute_force(schema, people, rows):
    """Among them queries with ties in one half, in both and in none, and tables with fewer rows than neighbours."""
    queries, table = people(60, 1), people(rows, 2)
    table = pd.concat([table, table[: rows // 2], queries[:5]], ignore_index=True)
    encoder = Encoder.fit(schema, people(200, 0), table)
    halves = {"age", "job", "born"}, {"income", "weight", "grade", "smoker", "seen"}
    for names in (halves, ({"job", "grade"}, {"smoker", "age"})):
        parts = [tuple(only(encoder.transform(t), schema, half) for t in (queries, table)) for half in names]
        near = []
        for asked, known in parts:
            numbers = np.abs(asked.numeric["rank"][:, None] - known.numeric["rank"][None]).sum(axis=2)
            near.append((numbers + 2 * (asked.codes[:, None] != known.codes[None]).sum(axis=2)).round(4))
        found = met(*parts, "rank", (1, 5, 10))
        for k, linked in zip((1, 5, 10), found, strict=True):
            radii = [np.sort(d, axis=1)[:, min(k, len(table)) - 1, None] for d in near]
            expected = ((near[0] <= radii[0]) & (near[1] <= radii[1])).any(axis=1)
            assert np.mean(linked == expected) > 0.98, "distances that differ in the fifth digit may fall on either side"


def test_a_pass_takes_records_enough_to_see_the_training_table(schema, people):
    for holdout, verdict in ((5, "inconclusive"), (600, "pass")):
        evidence = Evidence(schema, people(1200, 0), people(holdout, 1), people(1200, 2))
        (found,) = linkability.check(evidence)
        assert found.verdict == verdict
        assert set(found.details["power"]) == {WHOLE, COPIES}
        assert found.details["blind"] != found.details["power"][WHOLE]
        (released,) = linkability.check(dataclasses.replace(evidence, synthetic=evidence.train))
        assert (released.verdict == "fail") == found.details["power"][WHOLE]


def test_one_unseen_record_that_is_not_linked_clears_nothing():
    """No training row is linked, so the risk is 0; but neither would 60 that are linked prove anything beside one that is not."""
    schema = Schema("t", tuple(Column(f"x{i}", "float", minimum=-9.0, maximum=9.0, nullable=False) for i in range(12)))
    train, holdout, synthetic = (
        pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, 12)), columns=schema.names)
        for seed, rows in enumerate((60, 1, 3000))
    )
    (found,) = linkability.check(Evidence(schema, train, holdout, synthetic))
    assert all(result["simultaneous"][1] <= 0.09 for result in found.details["results"])
    assert (found.verdict, found.details["blind"]) == ("inconclusive", True)


def test_the_guarantee_settles_what_the_records_cannot_but_no_failure(schema, people):
    train, holdout = people(60, 0), people(60, 1)
    for mu, verdict in ((0.01, "pass"), (2.0, "inconclusive")):
        guarantee = Tradeoff(8.0, 1e-6, mu)
        (found,) = linkability.check(Evidence(schema, train, holdout, people(60, 2), guarantee=guarantee))
        assert (found.verdict, found.details["by_guarantee"]["measured"]) == (verdict, "inconclusive")
        (released,) = linkability.check(Evidence(schema, train, holdout, train, guarantee=guarantee))
        assert released.verdict == "fail"


@pytest.mark.parametrize("guarantee", [Tradeoff(1.0, 1e-6, 0.2367), Tradeoff(1.0, 1e-3), Tradeoff(4.0, 0.0, failure=1e-3)])
def test_the_risk_that_a_guarantee_allows_rises_with_the_rate_of_others(guarantee):
    """So the upper bound of that rate gives the upper bound of the risk; and no mixture of records has a higher one."""
    rates = np.linspace(0.001, 0.999, 400)
    risk = (np.array([guarantee.tpr(c) for c in rates]) - rates) / (1 - rates)
    assert (np.diff(risk) > -1e-12).all()
    for low, high in ((0.001, 0.5), (0.2, 0.9)):
        assert (guarantee.tpr(low) + guarantee.tpr(high)) / 2 <= guarantee.tpr((low + high) / 2) + 1e-12
    allowed = [linkability._allowed(guarantee, linkability._compared(0, n, (100, 100))) for n in range(101)]
    assert (np.diff(allowed) > -1e-9).all()
    assert allowed[-1] == 1.0


def test_the_risk_is_exact_where_everybody_or_nobody_is_linked():
    everybody = linkability._compared(50, 50, (50, 50))
    assert everybody["residual_risk"] == 0.0
    assert everybody["simultaneous"][1] > 0.09
    nobody = linkability._compared(0, 0, (50, 50))
    assert (nobody["residual_risk"], nobody["simultaneous"][1]) == (0.0, 0.0)
    members = linkability._compared(50, 20, (50, 50))
    assert (members["residual_risk"], members["simultaneous"]) == (1.0, [1.0, 1.0])


def test_the_outlook_before_a_release():
    settled, least = linkability.outlook(14_150, 6_040, 0.09, None)
    assert settled == "measurement"
    assert linkability.outlook(14_150, least, 0.09, None) == ("measurement", least)
    assert linkability.outlook(60, 40, 0.09, None)[0] is None
    assert linkability.outlook(60, 40, 0.09, Tradeoff(0.1, 1e-6, 0.03))[0] == "guarantee"
    assert linkability.outlook(0, 40, 0.09, None) == (None, None)
