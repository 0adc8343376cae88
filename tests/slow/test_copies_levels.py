"""Level and power of the claims on copies and linkage, over splits of real rows; the synthetic table is other real rows of the same table."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import demo_data
from tabsynth.conform import read
from tabsynth.schema import Schema
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import linkability, replication
from tabsynth.validate.attacks._pool import Pool
from tabsynth.validate.attacks._power import COPIES, WHOLE, planted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(repo):
    """real(name): schema and all rows of a table."""

    def adult():
        path = repo / "../shared/data/adult/adult.parquet"
        if not path.exists():
            pytest.skip("the benchmark tables are not here")
        return "adult.yaml", pd.read_parquet(path).rename(columns=lambda name: name.replace("-", "_"))

    def patients():
        return "randhie.yaml", demo_data.patients()

    def make(name):
        file, table = {"adult": adult, "patients": patients}[name]()
        schema = Schema.load(repo / "schemas" / file)
        return schema, read(table[list(schema.names)], schema)

    return make


def drawn(schema, table, units, holdout, seed):
    """So many real rows, divided at random, and as many others as synthetic ones."""
    rng = np.random.default_rng(seed)
    rows = table.iloc[rng.permutation(len(table))[: 2 * units]].reset_index(drop=True)
    held = rng.permutation(units) < holdout * units
    tables = rows[:units][~held], rows[:units][held], rows[units:]
    return Evidence(schema, *(t.reset_index(drop=True) for t in tables), seed=seed)


def fails(pool, synthetic):
    return any(level["interval"][0] > 0 for level in replication._levels(pool, synthetic))


@pytest.mark.parametrize(("name", "units", "holdout"), [("adult", 300, 0.3), ("adult", 1000, 0.3), ("patients", 1000, 0.3)])
def test_copies_over_500_splits(real, name, units, holdout):
    """False alarms at 2.5 % at most: 22 or more of 500 have probability .01. Leaks fail in 95 % of splits at least."""
    schema, table = real(name)
    alarms, passes, copies, whole, moved = 0, 0, 0, 0, 0
    for seed in range(500):
        evidence = drawn(schema, table, units, holdout, seed)
        pool = Pool(evidence)
        levels = list(replication._levels(pool, evidence.synthetic))
        decision = replication._verdict(levels, 0.01)
        alarms, passes = alarms + (decision == "fail"), passes + (decision == "pass")
        if seed % 5 == 0:
            released = planted(evidence, WHOLE)
            copies += fails(pool, planted(evidence, COPIES).synthetic)
            whole += fails(pool, released.synthetic)
            moved += fails(pool, replication._moved(released).synthetic)  # Adult has no fractions: the rows as they are
    assert alarms <= 21
    if name == "adult":  # of a thousand patients too few have a row unlike anybody else's
        assert passes >= 450
        assert copies >= 95
    assert whole == 100
    assert moved == 100


def test_linkage_over_100_splits(real):
    """A release without a leak passes in most splits and never fails; the training rows always do."""
    schema, table = real("adult")
    found = [linkability.check(drawn(schema, table, 2000, 0.4, seed))[0] for seed in range(100)]
    assert not any(f.verdict == "fail" for f in found)
    assert sum(f.verdict == "pass" for f in found) >= 80
    assert all(f.details["power"][WHOLE] for f in found)
