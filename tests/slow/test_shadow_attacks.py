"""Attacks that know the generator, on our own engines: they see what a large epsilon lets through and never more than was claimed."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth.conform import read
from tabsynth.validate.attacks import ATTACKS, focal, shadows, targeted
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks.statistics import auc_null_sd
from tabsynth.validate.check import Evidence

pytestmark = pytest.mark.slow
ROWS = 300
COLUMNS = {
    "age": {"kind": "integer", "minimum": 0, "maximum": 99},
    "cost": {"kind": "integer", "minimum": 0, "maximum": 40},
    "ward": {"kind": "categorical", "labels": ["A", "B", "C"]},
    "sick": {"kind": "boolean"},
}


@pytest.fixture(scope="module")
def schema():
    return tabsynth.Schema.from_dict({"name": "ward", "columns": COLUMNS})


def _rows(n, seed, schema):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, n)
    ward = np.where(age < 50, "A", rng.choice(["B", "C"], n))
    table = {"age": age, "cost": (age // 4 + rng.integers(0, 16, n)), "ward": ward, "sick": rng.random(n) < age / 150}
    return read(pd.DataFrame(table), schema)


def _fitted(rows, seed, *, schema, epsilon, model):
    return tabsynth.fit(rows, schema, epsilon=epsilon, model=model, seed=seed).sample(ROWS, seed=seed)


def _challenge(schema, epsilon, model, seed):
    train = _rows(ROWS, 10 * seed, schema)
    release = tabsynth.fit(train, schema, epsilon=epsilon, model=model, seed=seed)
    evidence = Evidence(schema, train, _rows(3 * ROWS, 10 * seed + 1, schema), release.sample(10 * ROWS, seed=seed), seed=seed)
    return design(evidence), focal.cliques_of(release.card, schema)


@pytest.mark.parametrize("model", ["independent", "mst"])
def test_focal_points_see_more_the_larger_epsilon_is(schema, model):
    """300 and 300 units, 4 releases: the null's standard deviation of the mean is .012."""
    found = {}
    for epsilon in (0.1, 10, 1000):
        values = [focal.check(schema, *_challenge(schema, epsilon, model, seed)).value for seed in range(4)]
        found[epsilon] = np.mean(values)
    sd = auc_null_sd(ROWS, ROWS) / 2
    assert abs(found[0.1] - 0.5) < 4 * sd
    assert found[1000] > 0.5 + 4 * sd
    assert found[0.1] < found[10] < found[1000] + 2 * sd


def test_shadow_fits_teach_what_a_large_epsilon_leaves(schema):
    quick = {name: attack for name, attack in ATTACKS.items() if name not in shadows.SLOW}
    generate = partial(_fitted, schema=schema, epsilon=1000, model="independent")
    found = []
    for seed in range(3):
        challenge, cliques = _challenge(schema, 1000, "independent", seed)
        made = shadows.run(generate, schema, challenge.reference, 150, 10, settings={}, seed=seed)
        found.append(shadows.shadow(schema, challenge, challenge.reference, made, quick, cliques).value)
    assert np.mean(found) > 0.5 + 3 * auc_null_sd(ROWS, ROWS) / np.sqrt(3)


def test_the_command_learns_what_a_large_epsilon_leaves(schema):
    """All the way from the card; 300 and 300 units, 8 releases."""
    found = []
    for seed in range(8):
        train, others, known = (_rows(n * ROWS, 10 * seed + i, schema) for i, n in enumerate((1, 1, 2)))
        release = tabsynth.fit(train, schema, epsilon=1000, model="independent", seed=seed)
        asked = {"reference": known, "card": release.card, "shadows": 10, "attacks": "dcr", "seed": seed}
        result = tabsynth.attack(train, others, release.sample(10 * ROWS, seed=seed), **asked)
        found += [each["value"] for each in result["findings"] if each["check"] == "attacks.shadow"]
    assert np.mean(found) > 0.5 + 3 * auc_null_sd(ROWS, ROWS) / np.sqrt(8)


@pytest.mark.parametrize(("epsilon", "caught"), [(1000, True), (0.05, False)])
def test_the_command_finds_the_person_of_forty_rows(epsilon, caught, tmp_path):
    """A large epsilon shows whether he was there; at .05, ten judged fits a world prove anything with probability .05 at most."""
    columns = {"person": {"kind": "identifier"}, **COLUMNS}
    schema = tabsynth.Schema.from_dict({"name": "visits", "unit": {"key": "person", "max_rows": 40}, "columns": columns})
    tables = {name: _rows(n, seed, tabsynth.Schema.from_dict({"name": "ward", "columns": COLUMNS})) for name, n, seed in
              (("members", 100, 0), ("non_members", 100, 1), ("reference", 200, 2))}  # fmt: skip
    tables = {
        name: t.assign(age=t.age.clip(upper=60), person=[f"{name} {i}" for i in range(len(t))]) for name, t in tables.items()
    }
    odd = pd.DataFrame({"age": [99] * 40, "cost": 0, "ward": None, "sick": None, "person": "odd"})
    tables["members"] = pd.concat([tables["members"], odd], ignore_index=True)
    release = tabsynth.fit(tables["members"], schema, epsilon=epsilon, model="independent")
    asked = {"targets": 1, "runs": 20, "attacks": "dcr", "workers": 2, "keep": tmp_path / "kept"}
    result = tabsynth.attack(synthetic=release.sample(300, seed=0), card=release.card, **tables, **asked)
    (found,) = (each for each in result["findings"] if each["check"] == "attacks.worst.targeted")
    assert (found["details"]["targets"][0]["rows"], found["details"]["base_rows"]) == (40, 200)
    assert found["value"] == (found["details"]["ceiling"] if caught else 0)
    assert found["verdict"] == ("fail" if found["value"] > epsilon else None)


@pytest.mark.parametrize(("model", "targets", "runs"), [("independent", 2, 60), ("mst", 1, 30)])
def test_no_unit_is_worth_more_than_epsilon(schema, model, targets, runs):
    """A wrong alarm has probability .05 at most."""
    train, reference = _rows(ROWS, 0, schema), _rows(ROWS, 1, schema)
    generate = partial(_fitted, schema=schema, epsilon=1, model=model)
    options = {"settings": {"model": model}, "delta": 1e-6, "claimed": 1.0, "size": 100, "targets": targets, "runs": runs}
    found = targeted.check(schema, train, reference, generate, **options)
    assert found.verdict is None
    assert found.value <= 1 < found.details["ceiling"]
