"""Attacks that know the generator (B1 to B5): focal points, shadow fits, and the most vulnerable units one by one.

Three generators: one hands out its rows again, one ignores them and draws from the population, one publishes some tables exactly.
"""

from functools import partial
from itertools import product
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import FolderError, OptionError
from tabsynth.release import read_json
from tabsynth.schema import Schema
from tabsynth.validate.attacks import ATTACKS, focal, shadows, targeted
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks._view import Attack
from tabsynth.validate.attacks.statistics import auc_null_sd
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import unit_codes

QUICK = {name: ATTACKS[name] for name in ("dcr", "nndr", "density")}
ODD = {"age": 120, "weight": 1.0, "job": "poet", "grade": None, "smoker": None}
"""Values of which no two are often seen together."""
WITH_REFERENCE = QUICK | {name: ATTACKS[name] for name in ("ldr", "domias")}


def resampled(rows, seed, log=None):
    """Its rows again, drawn with replacement; tells `log` of each call."""
    if log:
        Path(log).write_text(f"{Path(log).read_text()}{len(rows)} {seed}\n")
    return rows.sample(300, replace=True, random_state=seed).reset_index(drop=True)


def heedless(rows, seed, *, people):
    """Nothing of its rows, not even how many they are."""
    return people(300, 1_000_000 + seed)


def by_pairs(rows, seed, *, cliques):
    """The rows' exact table of each clique, and nothing of how cliques belong together."""
    rng, out = np.random.default_rng(seed), rows.copy()
    for clique in cliques:
        out[list(clique)] = rows[list(clique)].iloc[rng.integers(0, len(rows), len(rows))].to_numpy()
    return out.astype(rows.dtypes)


@pytest.fixture(scope="module")
def challenge(schema, people):
    """challenge(generate, seed): 200 members and 200 non-members."""

    def make(generate, seed=0, rows=200):
        train = people(rows, 10 * seed + 1)
        return design(Evidence(schema, train, people(3 * rows, 10 * seed + 2), generate(train, seed), seed=seed))

    return make


# B1: focal points


def test_the_focal_score_is_the_published_ratio():
    """Shares of (0, 1) are 2/4 and 1/5, of column 0 alone 3/4 and 2/5."""
    synthetic = np.array([[0, 1], [0, 1], [0, 2], [1, 1]])
    reference = np.array([[0, 1], [0, 0], [1, 1], [1, 0], [2, 2]])
    rows = np.array([[0, 1], [2, 2], [0, 2]])
    found = focal.score(rows, synthetic, reference, [(0, 1), (0,)], [2.0, 1.0])
    expected = [2 * (0.5 / 0.2) + 0.75 / 0.4, 1e-10, 2 * (0.25 / 1e-10) + 0.75 / 0.4]
    assert np.exp(found) == pytest.approx(expected)
    assert focal.score(rows, synthetic, reference, [(1, 0)]) == pytest.approx(np.log([2.5, 1e-10, 0.25 / 1e-10]))


def test_numbers_are_cut_at_reference_quantiles_and_an_atom_is_a_bin_of_its_own(schema, people):
    rows = people(400, 0)
    rows.loc[:199, "weight"] = 70.0
    place = schema.names.index("weight")
    codes, _, reference = focal.discretised(schema, rows, rows.iloc[:7], rows, bins=8)
    assert (codes == reference).all()
    assert codes.shape == (400, 8)
    values, codes = rows["weight"].to_numpy(), codes[:, place]
    atom = codes[0]
    assert set(values[codes == atom]) == {70.0}
    sizes = np.bincount(codes)
    assert 5 <= len(sizes) <= 9
    assert sizes[sizes != 200].max() <= 60  # an eighth, and rounding
    order = np.argsort(values, kind="stable")
    assert (np.diff(codes[order]) != 0).sum() == len(sizes) - 1
    missing = rows["income"].isna().to_numpy()
    incomes = focal.discretised(schema, rows, rows.iloc[:7], rows.iloc[:0])[0][:, schema.names.index("income")]
    assert missing.any()
    assert set(incomes[missing]).isdisjoint(incomes[~missing])
    assert len(set(incomes[missing])) == 1
    assert len(set(focal.discretised(schema, rows, rows, rows, 32)[0][:, schema.names.index("job")])) == 5


def test_a_card_tells_the_measured_tables():
    columns = {name: {"kind": "boolean"} for name in ("age", "b", "age x b", "c x d")}
    schema = Schema.from_dict({"name": "odd", "columns": {"id": {"kind": "identifier"}, **columns}})
    notes = [
        "categories of b",
        "table of age",
        "table of b x c x d",
        "table of age x b",
        "table of age",
        "table of zip",
        "fit of 3 tables",
    ]
    card = {"ledger": {"charges": [*({"note": note} for note in notes), {}, 7, {"note": 3}]}}
    assert focal.cliques_of(card, schema) == [(0,), (1, 3), (2,)]
    for foreign in (None, {}, [], {"ledger": 3}, {"ledger": {"charges": None}}, {"ledger": {"charges": ["table of age"]}}):
        assert focal.cliques_of(foreign, schema) == []


def test_the_card_of_a_release_is_understood(released, toy_schema):
    card = read_json(released[0] / "release/card.json", "tabsynth.card", 1)
    tables = [c["note"] for c in card["ledger"]["charges"] if c["note"].startswith("table of ")]
    found = focal.cliques_of(card, toy_schema)
    assert len(found) == len(set(found)) > len(toy_schema.modelled)
    names = [tuple(toy_schema.modelled[i].name for i in clique) for clique in found]
    columns = [[part.split(":")[0] for part in text.removeprefix("table of ").split(" x ")] for text in tables]
    assert any(":" in text for text in tables), "of parts of times"
    assert names == list(dict.fromkeys(tuple(dict.fromkeys(clique)) for clique in columns))


def test_a_part_of_a_time_counts_as_its_column():
    columns = {"at": {"kind": "datetime", "discover": True}, "at:time": {"kind": "boolean"}, "b": {"kind": "boolean"}}
    schema = Schema.from_dict({"name": "odd", "columns": columns})
    notes = ["table of at:weekday x b", "table of at x at:time:", "table of at x at:weekday", "table of at:time x b"]
    card = {"ledger": {"charges": [{"note": note} for note in notes]}}
    assert focal.cliques_of(card, schema) == [(0, 2), (0,), (1, 2)]


def test_cliques_seldom_measured_are_left_out():
    measured = [[(0, 1), (1, 2)], [(0, 1)], [(0, 1), (1, 2), (1, 2)], [(0, 1), (2, 3)]]
    assert focal.weighted(measured, 0.5) == ([(0, 1), (1, 2)], [1.0, 0.5])
    assert focal.weighted(measured, 1) == ([(0, 1)], [1.0])
    assert focal.weighted([*measured[1:], []], 10) == ([(0, 1)], [0.75])
    assert focal.pairs(3) == [(0, 1), (0, 2), (1, 2)]
    assert len(focal.pairs(100)) == 300
    assert focal.pairs(1) == [(0,)]


def test_exact_tables_are_seen_where_they_were_measured(schema, challenge):
    """200 and 200 units: the null's standard deviation is .029."""
    named = [("age", "income"), ("weight", "born")]
    made = challenge(partial(by_pairs, cliques=named))
    right = [tuple(schema.names.index(name) for name in clique) for clique in named]
    wrong = [(right[0][0], right[1][0]), (right[0][1], right[1][1])]
    found = focal.check(schema, made, right)
    assert found.check == "attacks.focal"
    assert found.interval[0] > 0.6
    assert found.details["tables"] == [list(clique) for clique in named]
    assert focal.check(schema, made, wrong).value < found.value - 0.1
    assert focal.check(schema, made, right + wrong, [1, 1, 0, 0]).value == found.value


def test_focal_points_see_a_copy_and_nothing_where_there_is_nothing(schema, people, challenge):
    assert focal.check(schema, challenge(resampled)).interval[0] > 0.6
    nothing = partial(heedless, people=people)
    found = [focal.check(schema, challenge(nothing, seed)).value for seed in range(30)]
    assert abs(np.mean(found) - 0.5) < 4 * auc_null_sd(200, 200) / np.sqrt(30)
    empty = design(Evidence(schema, people(0, 0), people(10, 1), people(10, 2)))
    assert focal.check(schema, empty).value is None


# the runner


def test_shadows_are_fitted_on_random_units_of_the_pool(unit_schema, visits):
    pool = visits(60, 0)
    made = shadows.run(lambda rows, seed: rows, unit_schema, pool, 20, 5, settings={})
    units = unit_codes(pool, unit_schema)
    for each in made:
        assert each.members.sum() == 20
        pd.testing.assert_frame_equal(each.synthetic, pool[each.members[units]].reset_index(drop=True))
    assert len({tuple(each.members) for each in made}) == 5
    other = shadows.run(lambda rows, seed: rows, unit_schema, pool, 20, 5, settings={}, seed=1)
    assert not (other[0].members == made[0].members).all()
    for size, runs in ((61, 1), (0, 1), (20, 0)):
        with pytest.raises(OptionError, match="shadow fits"):
            shadows.run(resampled, unit_schema, pool, size, runs, settings={})


def test_interrupted_runs_go_on_where_they_stopped(tmp_path, unit_schema, visits):
    pool, folder, log = visits(60, 0), tmp_path / "runs", tmp_path / "log"
    log.touch()
    pool.loc[:30, "grade"] = None
    once = partial(resampled, log=log)

    def calls():
        return len(log.read_text().splitlines())

    def run(generate, runs=4, pool=pool, **options):
        return shadows.run(generate, unit_schema, pool, 20, runs, folder=folder, **{"settings": {"model": "m"}, **options})

    def stops(rows, seed):
        if calls() == 2:
            raise KeyboardInterrupt
        return once(rows, seed)

    with pytest.raises(KeyboardInterrupt):
        run(stops)
    assert len(list(folder.glob("*.parquet"))) == 2
    (folder / "00003.9.partial").write_text("half a file")
    heard = []
    first = run(once, progress=lambda what, done: heard.append(done))
    assert calls() == 4
    assert heard == [0.5, 0.75, 1.0]
    again = run(once)
    assert calls() == 4
    run(once, runs=6)
    assert calls() == 6
    assert len(set(log.read_text().splitlines())) == 6
    fresh = shadows.run(resampled, unit_schema, pool, 20, 4, settings={})
    for a, b, c in zip(first, again, fresh, strict=True):
        pd.testing.assert_frame_equal(a.synthetic, b.synthetic)
        pd.testing.assert_frame_equal(a.synthetic, c.synthetic)
        assert (a.members == c.members).all()
        assert {*map(type, b.synthetic.grade)} == {int, type(None)}
    for other in ({"seed": 1}, {"settings": {"model": "n"}}, {"pool": pool.assign(age=pool.age + 1)}, {"pool": pool[:-1]}):
        with pytest.raises(FolderError, match="another table, seed or setting"):
            run(once, **other)
    with pytest.raises(FolderError, match="another"):
        shadows.run(once, unit_schema, pool, 21, 4, folder=folder, settings={"model": "m"})
    (folder / shadows.FILE).unlink()
    with pytest.raises(FolderError, match="something else"):
        run(once)
    assert calls() == 6


def test_a_generator_must_keep_to_the_columns(schema, people):
    with pytest.raises(OptionError, match="schema's columns"):
        shadows.run(lambda rows, seed: rows[["age"]], schema, people(20, 0), 10, 1, settings={})


def test_workers_change_nothing(tmp_path, schema, people):
    alone = shadows.run(resampled, schema, people(40, 0), 20, 3, settings={})
    together = shadows.run(resampled, schema, people(40, 0), 20, 3, settings={}, workers=2, folder=tmp_path)
    for a, b in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(a.synthetic, b.synthetic)


# B4, B5: what shadows teach


def _shadow(schema, challenge, generate, seed=0, runs=4):
    made = shadows.run(generate, schema, challenge.reference, 100, runs, settings={}, seed=seed)
    return shadows.shadow(schema, challenge, challenge.reference, made, WITH_REFERENCE)


def _from_synthetic(schema, challenge, generate, seed=0, runs=4):
    made = shadows.run(generate, schema, challenge.synthetic, 150, runs, settings={}, seed=seed)
    return shadows.shadow_synthetic(schema, challenge, made, QUICK)


@pytest.mark.parametrize("attack", [_shadow, _from_synthetic])
def test_shadows_teach_to_see_a_copy_and_learn_nothing_from_the_challenge(schema, challenge, attack):
    """The same scores judge the labels exchanged: AUC and 1 - AUC."""
    made = challenge(resampled)
    found = attack(schema, made, resampled)
    assert found.check == {"_shadow": "attacks.shadow"}.get(attack.__name__, "attacks.shadow_synthetic")
    assert found.interval[0] > 0.65
    assert found.details["threat"] == "Knowledge of the algorithm"
    assert found.details["shadows"] == 4
    made.member[:] = ~made.member
    assert attack(schema, made, resampled).value == pytest.approx(1 - found.value)


@pytest.mark.parametrize("attack", [_shadow, _from_synthetic])
def test_shadows_of_a_heedless_generator_teach_nothing(schema, people, challenge, attack):
    nothing = partial(heedless, people=people)
    found = [attack(schema, challenge(nothing, seed), nothing, seed, 2).value for seed in range(6)]
    assert abs(np.mean(found) - 0.5) < 4 * auc_null_sd(200, 200) / np.sqrt(6)


def test_an_attack_that_cannot_be_computed_changes_nothing(schema, challenge):
    made = challenge(resampled)
    broken = Attack("broken", lambda view: np.where(np.arange(len(view.rows)) == 3, np.nan, 1.0), ("raw",))
    fitted = shadows.run(resampled, schema, made.reference, 100, 2, settings={})
    found = [shadows.shadow(schema, made, made.reference, fitted, QUICK | more) for more in ({}, {"broken": broken})]
    assert found[0].value == found[1].value > 0.6


def test_shadows_must_leave_units_out(schema, challenge):
    made = challenge(resampled)
    whole = shadows.run(resampled, schema, made.reference, 399, 1, settings={})
    with pytest.raises(OptionError, match="too few out"):
        shadows.shadow(schema, made, made.reference, whole, QUICK)


# B2 on B3: the most vulnerable, one by one


def test_query_counts_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    target, synthetic = rng.integers(0, 3, 4), rng.integers(0, 3, (50, 4))
    masks = targeted.queries(4, rng)
    assert masks.shape == (16, 4)
    assert {tuple(mask) for mask in masks} == set(product([False, True], repeat=4))
    expected = [sum(all(row[mask] == target[mask]) for row in synthetic) for mask in masks]
    assert (targeted.counts(target, synthetic, masks) == expected).all()
    wide = targeted.queries(30, rng)
    assert wide.shape == (1001, 30)
    assert not wide[0].any()
    assert {0.1, 0.9} <= {round(share, 1) for share in wide.mean(1)}


def test_the_most_vulnerable_units_come_first_with_all_their_rows(unit_schema, visits):
    train, reference = visits(50, 0), visits(200, 1)
    odd = train.index[len(train) // 2]
    train.loc[odd, list(ODD)] = list(ODD.values())
    chosen = targeted.most_vulnerable(unit_schema, train, reference, 3)
    units = unit_codes(train, unit_schema)
    assert len(chosen) == 3
    assert chosen[0].rows[0] == odd
    for target in chosen:
        assert set(target.rows) == set(np.flatnonzero(units == units[target.rows[0]]))
        assert len(set(target.rows)) == len(target.rows)
    assert chosen[0].vulnerability >= chosen[1].vulnerability >= chosen[2].vulnerability


def shown(rows, seed, *, people, epsilon):
    """100 rows of the population, of which 20, and 60 more for each given row above 119 and for Laplace noise, are 120 years old."""
    rng = np.random.default_rng(seed)
    noisy = (rows.age > 119).sum() + (rng.laplace(0, 1 / epsilon) if epsilon else 0)
    made = people(100, 2_000_000 + seed)
    made["age"] = made["age"].fillna(50).clip(upper=50)
    made.iloc[: round(min(100, max(0, 20 + 60 * noisy))), 0] = 120
    return made


def _targeted(schema, people, generate, targets=1, runs=40, seed=0, **options):
    train, reference = people(60, 3), people(150, 4)
    train.loc[7, list(ODD)] = list(ODD.values())
    options = {"settings": {}, "delta": 0.0, "size": 80, "targets": targets, "runs": runs, "seed": seed, **options}
    return targeted.check(schema, train, reference, generate, **options)


def test_a_generator_that_shows_the_unit_is_worth_the_ceiling(schema, people):
    """20 judged fits a world, none wrong: the upper bounds at .025 / targets are 1 - (.025 / 2) ** (1 / 20)."""
    found = _targeted(schema, people, partial(shown, people=people, epsilon=0), targets=1, claimed=0.7)
    rate = 1 - 0.025 ** (1 / 20)
    assert found.check == "attacks.worst.targeted"
    assert found.value == pytest.approx(found.details["ceiling"]) == pytest.approx(log((1 - rate) / rate))
    assert found.verdict == "fail"
    (row,) = found.details["targets"]
    rate = 1 - 0.0005 ** (1 / 20)
    assert found.value > 0.8 > row["surely"] == pytest.approx(log((1 - rate) / rate))
    assert (row["fp"], row["fn"], row["with"], row["without"], row["auc"]) == (0, 0, 20, 20, 1)
    two = _targeted(schema, people, partial(shown, people=people, epsilon=0), targets=2, runs=20)
    rate = 1 - 0.0125 ** (1 / 10)
    assert two.details["ceiling"] == pytest.approx(log((1 - rate) / rate))
    assert two.verdict is None
    assert two.value == max(row["epsilon"] for row in two.details["targets"])


def test_one_epsilon_is_not_more(schema, people):
    """Bounds above a true epsilon of 1 have probability .05 each at most; here, five."""
    found = [_targeted(schema, people, partial(shown, people=people, epsilon=1), seed=s, claimed=1.0) for s in range(3)]
    found += [_targeted(schema, people, partial(heedless, people=people), seed=s, claimed=1.0) for s in range(2)]
    assert max(each.value for each in found) < 1
    assert not any(each.verdict for each in found)
    assert np.mean([each.details["auc"] for each in found[:3]]) > 0.6
    assert _targeted(schema, people, partial(shown, people=people, epsilon=4), runs=120, claimed=1.0).verdict == "fail"


def test_worlds_differ_in_the_target_alone(schema, people):
    """And kept fits are used again only for as many targets and runs."""
    seen = []

    def spy(rows, seed):
        seen.append(rows)
        return people(50, seed)

    _targeted(schema, people, spy, targets=2, runs=4)
    without, first, second = seen[:4], seen[4:8], seen[8:]
    assert len(second) == 4
    for table in without + first + second:
        pd.testing.assert_frame_equal(table[:80], without[0])
    assert {len(table) for table in without} == {80}
    assert {len(table) for table in first + second} == {81}
    assert {table.age[80] for table in first} == {120}
    assert 120 not in {table.age[80] for table in second}
    with pytest.raises(OptionError, match="at least 4 runs"):
        _targeted(schema, people, spy, runs=3)
