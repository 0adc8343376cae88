"""Attribute inference, singling out, linkability: a leak is found, the population is not mistaken for one, counts are exact."""

import json

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import OptionError
from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate.attacks import attribute, linkability, singling_out
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks._inference import compared, one_row_each, only, verdict
from tabsynth.validate.check import Evidence
from tabsynth.validate.features import SCALINGS, Encoder

SEEDS = 20


def _run(attack, schema, train, holdout, synthetic, seed=0, **settings):
    evidence = Evidence(schema, train, holdout, synthetic, seed=seed)
    return attack.check(evidence) if attack is linkability else attack.check(evidence, design(evidence), **settings)


def _noisy(table, seed=0):
    """A copy: 5 % of the labels redrawn, numbers moved by 5 % of their standard deviation."""
    rng = np.random.default_rng(seed)
    redrawn = table.apply(lambda v: v.where(rng.random(len(v)) >= 0.05, v.sample(frac=1, random_state=seed).to_numpy()))
    moved = {name: redrawn[name] + rng.normal(0, 0.05, len(table)) * redrawn[name].std() for name in ("income", "weight")}
    return redrawn.assign(**moved).astype(table.dtypes)


def test_the_training_table_released_as_is_is_caught_by_each(schema, people):
    train, holdout = people(1200, 0), people(800, 1)
    released = train.sample(frac=1, random_state=0).reset_index(drop=True)
    for found in _run(attribute, schema, train, holdout, released, secrets=["smoker", "income", "grade"]):
        assert found.verdict == "fail", found.check
        assert found.interval[0] > 0.3, found.check
        near = found.details["attackers"]["nearest row"]
        assert near["accuracy_members"] == 1.0
        assert (near["members"], near["n_members"]) == (near["n_members"], near["confident"]["members"]["units"])
        assert near["nonmembers"] == pytest.approx(near["accuracy_nonmembers"] * near["n_nonmembers"])
        assert near["confident"]["members"]["guessed"] == near["n_members"]  # at distance 0, all of them
        assert near["confident"]["members"]["precision"] == 1.0
        assert near["confident"]["nonmembers"] == {
            "guessed": 0, "right": 0, "units": near["n_nonmembers"], "precision": None, "recall": 0.0,
        }  # fmt: skip
    (alone,) = _run(singling_out, schema, train, holdout, released)
    assert alone.verdict == "fail"
    assert all(result["simultaneous"][0] > 0.4 for result in alone.details["results"])
    assert all(result["distinct_members"] > 600 or result["kind"] == "multivariate" for result in alone.details["results"])
    (linked,) = _run(linkability, schema, train, holdout, released)
    assert (linked.verdict, linked.value > 0.8) == ("fail", True)
    assert [result["rate_members"] for result in linked.details["results"]] == [1.0] * 3
    assert linked.details["results"][0]["rate_nonmembers"] < 0.02


def test_a_copy_with_noise_is_caught(schema, people):
    train, holdout = people(1200, 0), people(800, 1)
    for found in _run(attribute, schema, train, holdout, _noisy(train), secrets=["weight", "grade"]):
        assert found.verdict == "fail", found.check
        assert found.details["chosen"] == "nearest row"
    assert _run(linkability, schema, train, holdout, _noisy(train))[0].verdict == "fail"


@pytest.fixture(scope="module")
def independent(schema, people):
    """Findings of attribute inference and linkability on 20 independent synthetic tables, of singling out on 5."""
    tables = [(people(300, 10 * seed), people(200, 10 * seed + 1), people(300, 10 * seed + 2)) for seed in range(SEEDS)]
    return (
        [_run(attribute, schema, *t, seed, secrets=["grade"])[0] for seed, t in enumerate(tables)],
        [_run(linkability, schema, *t, seed)[0] for seed, t in enumerate(tables)],
        [_run(singling_out, schema, *t, seed)[0] for seed, t in enumerate(tables) if seed % 4 == 0],
    )


def test_an_independent_table_raises_no_alarm(independent):
    """Attributes fail at level .025: at most 3 of 20 (4 or more: probability .002). The others fail beyond 9 % only: never."""
    guessed, linked, alone = independent
    assert sum(found.verdict == "fail" for found in guessed) <= 3
    assert not any(found.verdict == "fail" for found in [*linked, *alone])


def test_differences_on_an_independent_table_average_zero(independent):
    """Within 3 standard errors. The mean of linkability's successes over splits varies less than one yes or no."""
    guessed, linked, alone = independent
    for name in ("nearest row", "forest", "boosting"):
        results = [found.details["attackers"][name] for found in guessed]
        assert abs(np.mean([_z(r, r["accuracy_members"], r["accuracy_nonmembers"]) for r in results])) < 3 / SEEDS**0.5, name
    results = [found.details["results"][2] for found in linked]
    assert abs(np.mean([_z(r, r["rate_members"], r["rate_nonmembers"]) for r in results])) < 3 / SEEDS**0.5
    results = [r for found in alone for r in found.details["results"]]
    assert abs(np.mean([r["difference"] for r in results])) < 0.02


def _z(result, first, second):
    return (first - second) / np.sqrt(first * (1 - first) / result["n_members"] + second * (1 - second) / result["n_nonmembers"])


def test_what_the_population_tells_is_not_leakage():
    """b follows from a: any useful table lets it be guessed, of members and of others alike."""
    columns = (Column("a", "integer", minimum=0, maximum=9, nullable=False), Column("b", "categorical", labels=tuple("xyz")))
    schema = Schema("t", columns, target="b")

    def table(rows, seed):
        a = np.random.default_rng(seed).integers(0, 10, rows)
        return pd.DataFrame({"a": pd.array(a, "Int64"), "b": np.array(list("xyz"), object)[a % 3]})

    first, second = _run(attribute, schema, table(1200, 0), table(800, 1), table(1200, 2))
    assert (first.check, first.verdict, first.value) == ("attacks.attribute.b", "pass", 0.0)
    for result in first.details["attackers"].values():
        assert result["accuracy_members"] == result["accuracy_nonmembers"] == 1.0
        assert result["population_inference"] == pytest.approx(1 - result["baseline_nonmembers"])
        assert 0.3 < result["baseline_members"] < 0.5
    assert second.check == "attacks.attribute.a"


@pytest.mark.parametrize(
    ("guess", "right"), [(-100.0, {-100.0}), (3700.0, {4000.0}), (-3700.0, {-4000.0}), (3500.0, set()), (4300.0, {4000.0})]
)
def test_a_number_is_right_within_a_share_of_the_range_whatever_its_sign(guess, right):
    """Values of -4000, -100 and 4000: a range of 8000, so 400 either way."""
    schema = Schema("t", tuple(Column(n, "float", minimum=-9000.0, maximum=9000.0) for n in ("x", "gain")))
    rng = np.random.default_rng(0)
    train, holdout, synthetic = (
        pd.DataFrame({"x": rng.normal(size=100), "gain": rng.choice([-4000.0, -100.0, 4000.0], 100)}) for _ in range(3)
    )
    evidence = Evidence(schema, train, holdout, synthetic.assign(gain=guess))
    challenge = design(evidence)
    (found,) = attribute.check(evidence, challenge, secrets=["gain"])
    share = train["gain"].isin(right).mean()
    assert all(result["accuracy_members"] == pytest.approx(share) for result in found.details["attackers"].values())
    assert all(result["baseline_members"] == pytest.approx(share) for result in found.details["attackers"].values())


def test_rare_values_weigh_more():
    schema = Schema(
        "t", (Column("x", "float", minimum=-9.0, maximum=9.0), Column("job", "categorical", labels=("clerk", "poet")))
    )
    rng = np.random.default_rng(0)
    train, holdout, synthetic = (
        pd.DataFrame({"x": rng.normal(size=400), "job": rng.choice(["clerk", "poet"], 400, p=[0.9, 0.1])}) for _ in range(3)
    )
    evidence = Evidence(schema, train, holdout, synthetic.assign(job="clerk"))
    challenge = design(evidence)
    (found,) = attribute.check(evidence, challenge, secrets=["job"])
    assert set(found.details["attackers"]) == {"nearest row", "forest"}  # there is one label only to learn
    for result in found.details["attackers"].values():
        for side, rows in (("members", train), ("nonmembers", holdout)):
            common = (pd.concat([train, holdout])["job"] == "clerk").mean()
            weights = np.where(rows["job"] == "clerk", 1 / common, 1 / (1 - common))
            expected = weights[rows["job"] == "clerk"].sum() / weights.sum()
            assert expected < 0.7 < result[f"accuracy_{side}"]
            assert result["rarity_weighted"][f"accuracy_{side}"] == pytest.approx(expected)
        low, high = result["rarity_weighted"]["interval"]
        assert low < result["rarity_weighted"]["difference"] < high
        assert high - low > result["interval"][1] - result["interval"][0]


def test_secrets_are_the_target_and_the_first_columns_unless_named(schema, people):
    tables = people(200, 0), people(200, 1), people(200, 2)
    found = _run(attribute, schema, *tables)
    assert [f.details["column"] for f in found] == ["smoker", "age", "income", "weight", "job", "grade", "born", "seen"]
    assert {f.details["family"] for f in found} == {24}
    assert [f.details["column"] for f in _run(attribute, schema, *tables, secrets=["job"])] == ["job"]
    with pytest.raises(OptionError, match=r"secrets names 'salary'; name some of the columns age, income, .*seen\."):
        _run(attribute, schema, *tables, secrets=["job", "salary"])


def test_a_column_of_many_labels_is_left_to_the_cheaper_attackers():
    labels = tuple(f"l{i}" for i in range(51))
    schema = Schema("t", (Column("x", "float", minimum=-9.0, maximum=9.0), Column("code", "categorical", labels=labels)))
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame({"x": rng.normal(size=600), "code": rng.permutation(labels * 12)[:600]}) for _ in range(3)]
    (found,) = _run(attribute, schema, *tables, secrets=["code"])
    assert list(found.details["attackers"]) == ["nearest row", "forest"]


def test_the_value_comes_from_units_the_attacker_was_not_chosen_on(schema, people):
    """Half of the units judge: the interval is that much wider than the one of all units."""
    found, age = _run(attribute, schema, people(1200, 0), people(800, 1), people(1200, 2), secrets=["grade", "age"])
    every = found.details["attackers"][found.details["chosen"]]["interval"]
    assert found.interval[1] - found.interval[0] == pytest.approx(2**0.5 * (every[1] - every[0]), rel=0.1)
    assert found.interval[0] < found.value < found.interval[1]
    bounds = {name: result["simultaneous"][1] for name, result in age.details["attackers"].items()}
    assert bounds["boosting"] < 0.05 < bounds["nearest row"]
    assert age.verdict == "inconclusive"  # a pass needs every attacker's bound


@pytest.mark.parametrize(("rows", "others"), [(5, 5), (0, 20), (20, 0)])
def test_too_small_a_table_has_no_value(schema, people, rows, others):
    for attack in (attribute, linkability, singling_out):
        found = _run(attack, schema, people(rows, 0), people(others, 1), people(rows, 2))
        assert all(f.verdict in (None, "inconclusive") for f in found)
        assert all(f.note for f in found)
    assert all(f.value is None for f in _run(attribute, schema, people(rows, 0), people(others, 1), people(rows, 2)))


def test_a_column_alone_cannot_be_guessed_or_linked():
    schema = Schema("t", (Column("x", "float", minimum=-9.0, maximum=9.0),))
    tables = [pd.DataFrame({"x": np.random.default_rng(seed).normal(size=100)}) for seed in range(3)]
    assert "no other column" in _run(attribute, schema, *tables)[0].note
    assert "2 columns are needed" in _run(linkability, schema, *tables)[0].note
    assert [r["kind"] for r in _run(singling_out, schema, *tables)[0].details["results"]] == ["univariate"]


def test_a_unit_of_several_rows_is_one_trial(unit_schema, visits):
    evidence = Evidence(unit_schema, visits(300, 0), visits(200, 1), visits(300, 2))
    challenge = design(evidence)
    assert challenge.clustered
    assert len(one_row_each(challenge.units, np.random.default_rng(0))) == 200
    (found,) = attribute.check(evidence, challenge, secrets=["grade"])
    assert {(r["n_members"], r["n_nonmembers"]) for r in found.details["attackers"].values()} == {(300, 200)}
    (linked,) = linkability.check(evidence)
    assert {(r["n_members"], r["n_nonmembers"]) for r in linked.details["results"]} == {(300, 200)}
    assert singling_out.check(evidence, challenge)[0].details["records_a_side"] == 200


def test_one_row_of_each_unit_at_random():
    units = np.repeat(np.arange(1000), 3)
    rows = one_row_each(units, np.random.default_rng(0))
    assert sorted(units[rows]) == list(range(1000))
    assert abs(np.bincount(rows % 3, minlength=3) - 1000 / 3).max() < 4 * np.sqrt(1000 * 2 / 9)
    some = units[one_row_each(units, np.random.default_rng(0), 100)]
    assert len(set(some)) == 100
    assert 400 < some.mean() < 600  # 3.5 standard errors: units at random, not the first ones


def test_some_of_the_columns_are_those_of_a_smaller_schema(schema, people):
    names = {"income", "weight", "grade", "seen"}
    smaller = Schema("part", tuple(c for c in schema.columns if c.name in names))
    tables = people(200, 0), people(200, 1)
    part = only(Encoder.fit(schema, *tables).transform(tables[0]), schema, names)
    expected = Encoder.fit(smaller, *tables).transform(tables[0])
    assert all(np.array_equal(part.numeric[scaling], expected.numeric[scaling]) for scaling in SCALINGS)
    assert np.array_equal(part.codes, expected.codes)
    assert part.levels == expected.levels


def test_predicates_on_a_table_small_enough_to_count():
    """Synthetic 5, 5, 7, 7, missing: at most 5, at least 7, missing. Job: poet alone."""
    schema = Schema("t", (Column("x", "integer", minimum=0, maximum=9), Column("job", "categorical", labels=("clerk", "poet"))))

    def table(x, job):
        return pd.DataFrame({"x": pd.array(x, "Int64"), "job": np.array(job, object)})

    synthetic = table([5, 5, 7, 7, None], ["clerk"] * 4 + ["poet"])
    train = table([3, 6, 8, None], ["clerk", "clerk", "poet", "clerk"])  # each of the four fits one record; two fit the third
    holdout = table([3, 5, 9, 6], ["clerk", "poet", "clerk", "poet"])  # 'at least 7' only
    (found,) = _run(singling_out, schema, train, holdout, synthetic)
    result = found.details["results"][0]
    assert (result["kind"], result["predicates"], result["scale"]) == ("univariate", 4, 1.0)
    assert (result["members"], result["nonmembers"], result["distinct_members"]) == (4, 1, 3)
    assert result["residual_risk"] == pytest.approx((1 - 1 / 4) / (1 - 1 / 4))
    assert found.verdict == "inconclusive"  # four descriptions decide nothing


def test_conjunctions_fit_one_synthetic_row_and_nothing_missing_is_at_least_a_number():
    columns = (*(Column(f"x{i}", "float", minimum=-9.0, maximum=9.0) for i in range(4)), Column("flag", "boolean"))
    schema = Schema("t", columns)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(600, 4)), columns=list(schema.names[:4])).mask(rng.random((600, 4)) < 0.1)
    table["flag"] = pd.array(rng.random(600) < 0.5, "boolean")
    values, others = singling_out._values([table[:300], table[300:]], schema)
    found = singling_out._multivariate(values, np.array([False] * 4 + [True]), rng, 4_000)
    assert len(set(found)) == len(found) > 500
    assert {len(predicate.columns) for predicate in found} == {2, 3, 4, 5}
    medians = table[:300][list(schema.names[:4])].median()
    for predicate in found[:300]:
        fits = np.ones(600, bool)
        for column, low, high in zip(predicate.columns, predicate.low, predicate.high, strict=True):
            value = table.iloc[:, column]
            if low == high:
                assert column == 4 or low == np.inf  # equal: labels and missing
                fits &= value.isna().to_numpy() if low == np.inf else np.append(values[column], others[column]) == low
            else:
                assert (low > medians.iloc[column]) == (high > 1e300)
                fits &= ((value >= low) & (value <= high)).to_numpy()
        assert fits[:300].sum() == 1
        assert np.array_equal(np.flatnonzero(fits[300:]), predicate.rows(others))


def test_a_handful_of_univariate_predicates_do_not_stand_in_the_way_of_a_pass():
    """Labels by the hundred and one small integer: few values occur once, conjunctions that do abound."""
    codes = tuple(Column(f"c{i}", "categorical", labels=tuple("abcdefghij")) for i in range(5))
    schema = Schema("t", (Column("x", "integer", minimum=0, maximum=9, nullable=False), *codes))

    def table(seed):
        rng = np.random.default_rng(seed)
        labels = {c.name: rng.choice(list("abcdefghij"), 1000).astype(object) for c in codes}
        return pd.DataFrame({"x": pd.array(rng.integers(0, 10, 1000), "Int64"), **labels})

    (found,) = _run(singling_out, schema, table(0), table(1), table(2))
    few, many = found.details["results"]
    assert (few["predicates"], many["predicates"]) == (2, 4000)
    assert few["simultaneous"][1] > 0.09 > many["simultaneous"][1]
    assert found.verdict == "pass"


def test_where_descriptions_of_training_rows_would_single_out_nobody_there_is_no_pass():
    """Every real row occurs twice: small bounds prove nothing, for the training table itself would not fail."""
    codes = tuple(Column(f"c{i}", "categorical", labels=tuple("abcdefghij")) for i in range(5))
    schema = Schema("t", codes)

    def table(seed):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({c.name: rng.choice(list("abcdefghij"), 500).astype(object) for c in codes})

    train, holdout = (pd.concat([table(seed)] * 2, ignore_index=True) for seed in (0, 1))
    (found,) = _run(singling_out, schema, train, holdout, table(2))
    assert all(result["simultaneous"][1] <= 0.09 for result in found.details["results"])
    assert (found.verdict, found.details["blind"], found.details["power"]["training rows"]) == ("inconclusive", True, False)
    assert "even if the training table itself were released" in found.note


@pytest.mark.parametrize("others", [12, 40, 190])
def test_the_training_table_never_passes_however_few_unseen_rows_there_are(schema, people, others):
    train = people(1200, 0)
    released = train.sample(frac=1, random_state=0).reset_index(drop=True)
    for found in (
        *_run(attribute, schema, train, people(others, 1), released, secrets=["smoker", "income", "grade"]),
        *_run(singling_out, schema, train, people(others, 1), released),
    ):
        assert found.verdict == ("fail" if others >= 40 else found.verdict) != "pass", found.check


def test_a_fresh_table_and_few_unseen_rows_pass_nothing_that_could_leak(schema, people):
    tables = people(1200, 0), people(20, 1), people(1200, 2)
    for found in (*_run(attribute, schema, *tables, secrets=["smoker", "grade"]), *_run(singling_out, schema, *tables)):
        assert found.verdict == "inconclusive", found.check


def test_a_column_that_tells_nobody_apart_is_harmless():
    """99.9 % have one value: even the training table lets nobody be guessed better than others, and that is said."""
    schema = Schema("t", (Column("x", "float", minimum=-9.0, maximum=9.0), Column("rare", "boolean")))

    def table(seed):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({"x": rng.normal(size=3000), "rare": pd.array(rng.random(3000) < 0.001, "boolean")})

    (found,) = _run(attribute, schema, table(0), table(1), table(2), secrets=["rare"])
    assert (found.verdict, found.details["harmless"]) == ("pass", True)
    assert 0 < max(high for _, high in (r["simultaneous"] for r in found.details["attackers"].values())) < 0.01


@pytest.mark.parametrize(("mu", "verdict", "settled"), [(0.02, "pass", True), (0.5, "inconclusive", False)])
def test_a_guarantee_that_allows_less_than_is_tolerated_decides(schema, people, mu, verdict, settled):
    """2 Phi(mu / 2) - 1: 0.8 points at most for mu .02, 19.7 for mu .5; five points are tolerated."""
    evidence = Evidence(schema, people(300, 0), people(40, 1), people(300, 2), guarantee=Tradeoff(1.0, 1e-6, mu=mu))
    (found,) = attribute.check(evidence, design(evidence), secrets=["grade"])
    told = found.details["by_guarantee"]
    assert (found.verdict, told["settled"], told["measured"]) == (verdict, settled, "inconclusive")
    assert told["allowed"] == pytest.approx(evidence.guarantee.advantage, rel=0.02)  # the rate may be near one half


@pytest.mark.parametrize(("low", "high", "verdict"), [(0.004, 0.023, "pass"), (0.02, 0.06, "inconclusive"), (0.051, 0.2, "fail")])
def test_what_is_noticed_and_surely_within_the_tolerance_is_no_failure(low, high, verdict):
    assert attribute._verdict([(-0.01, 0.01), (low, high)], 0.05) == verdict


def test_a_measured_failure_stays_one_whatever_is_guaranteed(schema, people):
    train = people(600, 0)
    evidence = Evidence(schema, train, people(400, 1), train, guarantee=Tradeoff(0.01, 0.0, mu=0.01))
    assert attribute.check(evidence, design(evidence), secrets=["income"])[0].verdict == "fail"


def test_the_guarantee_is_asked_about_the_rates_that_non_members_may_have():
    """At a rate near 0 or 1 little is possible: tpr(p) - p is largest in the middle, and highest in the interval."""
    mu = Tradeoff(1.0, 1e-6, mu=0.24)
    for low, high in ((0.01, 0.05), (0.3, 0.9), (0.9, 0.95)):
        rates = np.linspace(low, high, 10_001)
        assert attribute._advantage(mu, low, high) == pytest.approx(max(mu.tpr(r) - r for r in rates), abs=1e-6)


def test_gate_on_hand_made_counts():
    clear, leak, wide = (
        compared(20, 20, (2000, 2000), 0.975),
        compared(400, 20, (2000, 2000), 0.975),
        compared(2, 2, (40, 40), 0.975),
    )
    assert (verdict([clear], 0.09), verdict([clear, leak], 0.09), verdict([clear, wide], 0.09)) == (
        "pass",
        "fail",
        "inconclusive",
    )
    assert clear["difference"] == 0.0
    assert leak["difference"] == pytest.approx(0.19)
    assert leak["residual_risk"] == pytest.approx(0.19 / 0.99, abs=0.002)
    spread = compared(400, 20, (2000, 2000), 0.975, effect=4.0)
    width, wider = (r["difference_interval"][1] - r["difference_interval"][0] for r in (leak, spread))
    assert wider == pytest.approx(2 * width, rel=0.05)
    assert spread["simultaneous"][1] - spread["simultaneous"][0] > spread["interval"][1] - spread["interval"][0]


def test_results_are_counts_in_plain_json_and_repeat(schema, people):
    tables = people(300, 0), people(200, 1), people(300, 2)
    for attack, settings in ((attribute, {"secrets": ["income", "job"]}), (linkability, {}), (singling_out, {})):
        first, again = (_run(attack, schema, *tables, seed=3, **settings) for _ in range(2))
        assert first == again
        for found in first:
            text = json.dumps(found.details, allow_nan=False)
            assert len(text) < 9000
            assert not {"clerk", "nurse", "pilot", "poet"} & set(text.split('"'))
