"""Fidelity against the project's reference evaluation and against tables small enough to count by hand."""

import importlib.util
import json
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence, fidelity


def _by_check(findings):
    return {finding.check: finding for finding in findings}


@pytest.fixture(scope="module")
def measured_by_reference(adult, shared, tmp_path_factory):
    """What evaluate.py says about a sample of Adult, and the same rows as Evidence."""
    path = shared / "reference" / "evaluate.py"
    if not path.is_file():
        pytest.skip("the reference evaluation is not here")
    schema, rows = adult
    spec = importlib.util.spec_from_file_location("reference_evaluate", path)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    train, holdout, synthetic = (rows[a:b].reset_index(drop=True) for a, b in ((0, 3000), (3000, 4500), (4500, 7000)))
    synthetic["age"] = synthetic["age"].sample(frac=1, random_state=0).to_numpy()
    folder = tmp_path_factory.mktemp("adult")
    files = [folder / f"{name}.csv" for name in ("train", "holdout", "synthetic")]
    for table, file in zip((train, holdout, synthetic), files, strict=True):
        table.to_csv(file, index=False)
    with threadpool_limits(1):
        measured = reference.main(*map(str, files), "income")
    return measured, Evidence(schema, train, holdout, synthetic, "income")


def test_tvd_agrees_with_the_reference_evaluation(measured_by_reference):
    expected, evidence = measured_by_reference
    found = _by_check(fidelity.tvd(evidence))
    for size in (1, 2, 3):
        assert found[f"fidelity.tvd{size}"].value == pytest.approx(expected[f"tvd{size}"], abs=1e-5)
    assert found["fidelity.tvd3"].details["worst"][0]["value"] == pytest.approx(expected["tvd3_max"], abs=1e-5)
    columns = {c["column"]: c["value"] for c in found["fidelity.tvd1"].details["columns"]}
    assert columns == pytest.approx(expected["tvd1_by_col"], abs=1e-4)


def _tables(*columns):
    """A schema of one categorical and one float column, and three tables of them."""
    schema = Schema(
        "t", (Column("c", "categorical", labels=("a", "b", "c")), Column("x", "float", minimum=0.0, maximum=10.0)), target="c"
    )
    frames = [pd.DataFrame({"c": pd.Series(list(c), dtype=object), "x": np.array(x, float)}) for c, x in columns]
    return Evidence(schema, *frames)


def test_tvd_counts_missing_and_unseen_values():
    found = _by_check(
        fidelity.tvd(_tables(("aabb", [1, 2, 3, 4]), ("aabb", [1, 2, 3, 4]), (["a", "b", "c", None], [1, 2, 3, np.nan])))
    )
    one = {c["column"]: c for c in found["fidelity.tvd1"].details["columns"]}
    assert one["c"]["value"] == pytest.approx(0.5)
    assert one["x"]["value"] == pytest.approx(0.25)
    assert one["c"]["reference"] == one["x"]["reference"] == 0
    assert found["fidelity.tvd2"].value == pytest.approx(0.75)
    assert found["fidelity.tvd3"].value is None
    assert found["fidelity.tvd3"].note
    bars = {h["column"]: h for h in found["fidelity.tvd1"].details["histograms"]}
    assert bars["c"]["bins"] == ["a", "b", "missing", "not in the real rows"]
    assert bars["c"]["synthetic"] == [0.25, 0.25, 0.25, 0.25]
    assert (bars["x"]["bins"][-1], bars["x"]["synthetic"][-1], bars["x"]["train"][-1]) == ("missing", 0.25, 0.0)


def test_histograms_are_shares_of_readable_bins(schema, people):
    found = fidelity.tvd(Evidence(schema, people(900, 0), people(400, 1), people(700, 2)))[0]
    histograms = {h["column"]: h for h in found.details["histograms"]}
    for h in histograms.values():
        for name in ("train", "holdout", "synthetic"):
            assert len(h[name]) == len(h["bins"])
            assert sum(h[name]) == pytest.approx(1)
    assert histograms["born"]["bins"][0].startswith("below 19")
    assert histograms["grade"]["bins"][:3] == ["1", "2", "3"]
    json.dumps(found.details, allow_nan=False)


def test_a_value_that_owns_two_quantiles_has_its_own_bin():
    zeros = np.r_[np.zeros(500), np.linspace(1, 10, 500)]
    train = pd.DataFrame({"c": pd.Series(["a"] * 1000, dtype=object), "x": zeros})
    evidence = _tables(("a", [0]), ("a", [0]), ("a", [0]))
    found = fidelity.tvd(Evidence(evidence.schema, train, train, train))[0]
    bars = next(h for h in found.details["histograms"] if h["column"] == "x")
    assert bars["bins"][:2] == ["below 0", "0"]
    assert bars["train"][:2] == [0.0, 0.5]


def test_long_label_lists_are_cut_but_complete_in_sum():
    labels = tuple(f"l{i:03}" for i in range(100))
    schema = Schema("t", (Column("c", "categorical", labels=labels),))
    table = pd.DataFrame({"c": pd.Series(np.random.default_rng(0).choice(labels, 5000), dtype=object)})
    bars = fidelity.tvd(Evidence(schema, table, table, table))[0].details["histograms"][0]
    assert len(bars["bins"]) == 41
    assert bars["bins"][-1] == "all others"
    assert sum(bars["synthetic"]) == pytest.approx(1)


def test_many_columns_are_sampled_and_say_so():
    schema = Schema("t", tuple(Column(f"b{i}", "boolean") for i in range(26)))
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame({c: rng.random(30) < 0.5 for c in schema.names}).astype("boolean") for _ in range(3)]
    three = _by_check(fidelity.tvd(Evidence(schema, *tables)))["fidelity.tvd3"]
    assert three.details["sampled"]
    assert three.details["sets"] == fidelity.TRIPLES
    assert len(three.details["worst"]) == 20
    assert "at random" in three.note
    assert three.value == _by_check(fidelity.tvd(Evidence(schema, *tables)))["fidelity.tvd3"].value


def test_tvd_is_the_same_for_dense_and_sparse_counting(schema, people, monkeypatch):
    evidence = Evidence(schema, people(300, 0), people(200, 1), people(250, 2))
    dense = [finding.value for finding in fidelity.tvd(evidence)]
    monkeypatch.setattr(fidelity, "_DENSE", 0)
    assert [finding.value for finding in fidelity.tvd(evidence)] == pytest.approx(dense)


def test_tails_are_the_shares_beyond_the_training_quantiles():
    train = list(np.linspace(1, 9, 1000))
    finding = fidelity.tails(_tables(("a" * 1000, train), ("a" * 1000, train), ("a" * 10, [0, 0, 0, 5, 5, 5, 5, 5, 10, np.nan])))[
        0
    ]
    column = finding.details["columns"][0]
    assert column["synthetic_low"] == pytest.approx(3 / 9)
    assert column["synthetic_high"] == pytest.approx(1 / 9)
    assert column["train_low"] <= 0.01
    assert finding.value == pytest.approx(3 / 9 - column["train_low"])
    assert finding.reference == 0


def test_categories_count_what_was_kept_lost_and_invented():
    finding = fidelity.categories(_tables(("a" * 150 + "b", [1] * 151), ("aabb", [1] * 4), ("aac", [1, 2, 3])))[0]
    assert finding.details["columns"] == [{"column": "c", "real": 2, "kept": 1, "lost_rare": 1, "invented": 1}]
    assert (finding.value, finding.reference) == (0.5, 1.0)


def test_bins_of_integers_are_named_by_whole_numbers():
    schema = Schema.from_dict({"name": "x", "columns": {"a": {"kind": "integer", "minimum": 0, "maximum": 100}}})
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": pd.array(np.where(rng.random(2000) < 0.5, 40, rng.integers(0, 100, 2000)), dtype="Int64")})
    shown = fidelity.tvd(Evidence(schema, table, table, table))[0].details["histograms"][0]["bins"]
    assert "40" in shown
    assert not any("." in label for label in shown)


def test_a_distance_is_at_most_one():
    """Three labels against ten others: summed as they are, the shares make 1.0000000000000002."""
    labels = tuple(f"l{i:03}" for i in range(100))
    schema = Schema("t", (Column("c", "categorical", labels=labels),))
    train, synthetic = (pd.DataFrame({"c": list(chosen)}, dtype=object) for chosen in (labels[:3], labels[50:60]))
    found = fidelity.tvd(Evidence(schema, train, synthetic, train))[0]
    assert found.value == found.reference == found.details["columns"][0]["value"] == 1


def _yardsticks(evidence):
    return {finding.check: finding.details["yardstick"] for finding in fidelity.tvd(evidence)}


def _counted(evidence, share, size):
    """The yardstick's distance by hand, for tables of labels alone: a random order of the units, the first of them, and Counters."""
    keys = [*evidence.train["patient"]] if "patient" in evidence.train else [*range(len(evidence.train))]
    units = list(dict.fromkeys(keys))
    order = np.random.default_rng([evidence.seed, 14]).permutation(len(units))
    chosen = {unit for unit, rank in zip(units, order, strict=True) if rank < round(share * len(units))}
    subset = evidence.train[[key in chosen for key in keys]]
    distances = []
    for names in combinations([c.name for c in evidence.schema.modelled], size):
        p, q = (Counter(zip(*(t[n].astype(str) for n in names), strict=True)) for t in (subset, evidence.holdout))
        distances.append(sum(abs(p[cell] / p.total() - q[cell] / q.total()) for cell in p | q) / 2)
    return np.mean(distances)


@pytest.mark.parametrize("units", [False, True], ids=["rows", "units"])
def test_the_yardstick_is_the_distance_of_random_training_rows(units, people, visits, schema, unit_schema, monkeypatch):
    whole, draw = (unit_schema, visits) if units else (schema, people)
    names = [*(["patient"] if units else []), "job", "grade", "smoker"]
    labels = Schema("labels", tuple(whole[name] for name in names), unit=whole.unit)
    evidence = Evidence(labels, *(draw(300, seed)[names] for seed in range(3)), seed=5)
    for dense in (fidelity._DENSE, 0):
        monkeypatch.setattr(fidelity, "_DENSE", dense)
        for finding, size in zip(fidelity.tvd(evidence), (1, 2, 3), strict=True):
            *parts, last = finding.details["yardstick"]["shares"]
            assert [share for share, _ in parts] == [0.05, 0.1, 0.2, 0.5]  # 2 % are 6 units
            assert [d for _, d in parts] == pytest.approx([_counted(evidence, share, size) for share, _ in parts])
            assert last == [1, finding.reference]


def test_the_yardstick_shrinks_with_the_share_and_depends_on_the_seed_alone(schema, people):
    tables = people(2500, 0), people(1500, 1), people(500, 2)
    first, again, *others = (_yardsticks(Evidence(schema, *tables, seed=seed)) for seed in (0, 0, 1, 2, 3))
    assert first == again
    for check in first:
        shares, distances = np.mean([yardstick[check]["shares"] for yardstick in (first, *others)], axis=0).T
        assert shares.tolist() == [*fidelity.SHARES, 1]
        assert (np.diff(distances) < 0).all()
        assert all(first[check]["shares"][0] != other[check]["shares"][0] for other in others)


def test_five_percent_of_other_rows_of_the_population_are_placed_at_five_percent(schema, people):
    """Over 10 draws, the mean gap to the distance of 5 % of the training rows is 0 within 4 standard errors; to 2 and 10 % it is not."""
    gaps = []
    for seed in range(10):
        tables = (people(rows, 10 * seed + i) for i, rows in enumerate((2000, 2000, 100)))
        found = fidelity.tvd(Evidence(schema, *tables, seed=seed))
        distances = [dict(map(tuple, finding.details["yardstick"]["shares"])) for finding in found]
        gaps.append([[f.value - d[share] for share in (0.02, 0.05, 0.1)] for f, d in zip(found, distances, strict=True)])
        assert all({f.details["yardstick"]["share"], f.details["yardstick"]["further"]} & {0.05} for f in found)
    scores = np.mean(gaps, 0) / (np.std(gaps, 0, ddof=1) / 10**0.5)
    assert (np.abs(scores[:, 1]) < 4).all()
    assert (scores[:, 0] < -4).all()
    assert (scores[:, 2] > 4).all()


def test_the_yardstick_says_between_which_shares_a_distance_lies(schema, people):
    train, holdout = people(3000, 0), people(500, 1)
    missing = holdout.assign(income=np.nan, born=pd.NaT, job=None, weight=1.0, age=pd.NA)
    missing = missing.astype({name: train[name].dtype for name in missing})
    near, between, apart = (_yardsticks(Evidence(schema, train, holdout, t)) for t in (holdout, people(700, 2), missing))
    for check, yardstick in between.items():
        shares = yardstick["shares"]
        value = next(f.value for f in fidelity.tvd(Evidence(schema, train, holdout, people(700, 2))) if f.check == check)
        place = [share for share, _ in shares].index(yardstick["share"])
        assert shares[place - 1][0] == yardstick["further"]
        assert shares[place][1] == yardstick["distance"] <= value < shares[place - 1][1]
        assert near[check] == {"share": None, "distance": None, "further": None, "shares": shares}
        assert apart[check] == {"share": shares[0][0], "distance": shares[0][1], "further": None, "shares": shares}


@pytest.mark.parametrize(("rows", "shares"), [(21, None), (22, [0.5, 1])])
def test_a_subset_of_ten_units_is_left_out(rows, shares, schema, people):
    for yardstick in _yardsticks(Evidence(schema, people(rows, 0), people(50, 1), people(50, 2))).values():
        assert (yardstick and [share for share, _ in yardstick["shares"]]) == shares
