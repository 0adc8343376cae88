"""What the benchmark of columns measures: known errors of made-up tables, intervals that hold and that do not, shapes and links as described."""

# ruff: noqa: E402 - the benchmarks are scripts, found by the path that is set below

import sys

import numpy as np
import pandas as pd
import pytest
from conftest import REPO, SHARED

sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "benchmarks/peers")]
import _columns
import _machine
import _ranges
import _relations
import _release_time
import _runner
import _shapes
import _tasks
import columns

import tabsynth
from tabsynth.misfits import misfits
from tabsynth.schema import Column, Schema

PAY = Column("pay", "float", minimum=0, maximum=1000, decimals=2)


def series(*values):
    return pd.Series(values, dtype="float64")


class TestCompare:
    def test_errors_are_relative_to_the_real_value(self):
        real = pd.Series(np.linspace(100, 300, 201))
        found = _columns.compare(PAY, real, real * 1.1)
        assert {n: found[n] for n in _columns.NUMBERS} == pytest.approx(dict.fromkeys(_columns.NUMBERS, 0.1))
        assert found["missing"] == found["zero"] == 0

    def test_near_zero_they_are_relative_to_the_scale(self):
        real = pd.Series(np.linspace(-1, 1, 201))
        found = _columns.compare(PAY, real, real + 0.5)
        scale = _columns.scale(real.to_numpy(), None)
        assert found["mean"] == pytest.approx(0.5 / scale)
        assert found["p50"] == pytest.approx(0.5 / scale)
        assert found["p99"] == pytest.approx(0.5 / 0.98)
        assert found["sd"] == pytest.approx(0)

    def test_one_outlier_does_not_set_the_scale(self):
        values = np.linspace(-1, 1, 1001)
        assert _columns.scale(np.append(values, 1e9), None) == pytest.approx(_columns.scale(values, None), rel=0.02)
        assert _columns.scale(np.zeros(5), 0.01) == 0.01

    def test_dates_have_no_origin(self):
        day = Column("day", "date", discover=True)
        real = pd.Series(pd.date_range("2020-01-01", periods=101).astype("datetime64[s]"))
        found = _columns.compare(day, real, real + pd.Timedelta(days=10))
        assert found["mean"] == pytest.approx(10 / _columns.scale(np.arange(101.0), 1.0))
        assert found["p99"] == found["p1"] == pytest.approx(found["mean"])

    def test_shares_of_missing_zero_and_frequent_values(self):
        real, other = series(*[0] * 50, *[5] * 30, *[np.nan] * 20), series(*[0] * 40, *[5] * 55, *[np.nan] * 5)
        found = _columns.compare(PAY, real, other)
        assert found["missing"] == pytest.approx(0.15)
        assert found["zero"] == pytest.approx(0.10)
        assert found["values"] == pytest.approx(0.25)
        assert found["tvd"] == pytest.approx(0.25)

    def test_labels_that_one_table_lacks_count(self):
        ward = Column("ward", "categorical", labels=("A", "B", "C"))
        found = _columns.compare(ward, pd.Series(["A"] * 50 + ["B"] * 50), pd.Series(["A"] * 50 + ["C"] * 40 + [None] * 10))
        assert found["tvd"] == pytest.approx(0.5)
        assert found["values"] == pytest.approx(0.5)
        assert found["missing"] == pytest.approx(0.1)

    def test_a_column_that_is_wholly_missing_is_infinitely_wrong(self):
        assert _columns.compare(PAY, series(1, 2), series(np.nan, np.nan))["mean"] == np.inf
        assert "mean" not in _columns.compare(PAY, series(np.nan), series(np.nan))


@pytest.fixture(scope="module")
def fitted():
    """A column of 20,000 rows, its release by the engine of single columns, and the column."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": np.clip(np.rint(rng.normal(50, 15, 20_000)), 0, 99), "ward": rng.choice(["A", "B"], 20_000)})
    frame["pay"] = np.rint(rng.lognormal(3.8, 1, 20_000))
    kinds = {"age": {"kind": "integer", "minimum": 0, "maximum": 99}, "ward": {"kind": "categorical", "labels": ["A", "B"]}}
    kinds["pay"] = {"kind": "integer", "minimum": 0, "maximum": 100_000}
    schema = Schema.from_dict({"name": "t", "columns": kinds})
    return frame.astype({"age": "Int64", "pay": "Int64"}), tabsynth.fit(frame, schema, epsilon=1, model="independent"), schema


class TestExplained:
    def test_noise_is_that_of_the_card(self, fitted):
        _, release, _ = fitted
        charges = {c["note"]: c["gaussians"][0][0] for c in release.card["ledger"]["charges"]}
        counted, within = _columns.noise(release, "ward")
        assert counted == pytest.approx(np.hypot(charges["table of ward"], 2))
        assert within == 0
        assert _columns.noise(release, "age")[1] > 0

    @pytest.mark.slow
    def test_a_sample_of_the_same_rows_is_explained_and_moved_values_are_not(self, fitted):
        real, release, schema = fitted
        again = real.sample(len(real), replace=True, random_state=0, ignore_index=True)
        for column in schema.modelled:
            assert all(_columns.explained(release, column, real[column.name], again[column.name]).values())
        inside = _columns.explained(release, schema["age"], real.age, again.age + 3)
        assert inside["sd"]
        assert not any(inside[name] for name in ("mean", "p10", "p50", "p90"))
        flipped = again.ward.where(np.arange(len(again)) > 2000, "A")
        assert not any(v for k, v in _columns.explained(release, schema["ward"], real.ward, flipped).items() if k != "missing")

    def test_mass_in_an_empty_region_is_not_explained(self, fitted):
        real, release, schema = fitted
        far = real.pay.where(np.arange(len(real)) % 1000 > 0, 90_000)
        inside = _columns.explained(release, schema["pay"], real.pay, far)
        assert not inside["mean"]
        assert not inside["sd"]

    def test_a_holdout_is_explained_by_sampling(self, fitted):
        real, release, schema = fitted
        half = real.sample(frac=0.5, random_state=1).index
        parts = real.loc[half].reset_index(drop=True), real.drop(half).reset_index(drop=True)
        inside = [_columns.explained(release, c, parts[0][c.name], parts[1][c.name], noisy=False) for c in schema.modelled]
        assert np.mean([v for each in inside for v in each.values()]) > 0.97


class TestTable:
    def result(self, **columns):
        found = {
            name: {"numeric": True, "synthetic": {"mean": m, "p99": p, "tvd": 0.1}, "holdout": {"mean": 0.01, "p99": 0.01},
                   "unexplained": ["mean"], "statistics": 10, "holdout_unexplained": 0} for name, (m, p) in columns.items()
        }  # fmt: skip
        head = {"table": "t", "engine": "aim", "epsilon": 1.0, "seed": 0, "ended": "finished", "fit_s": 3.2}
        return head | {"columns": found}

    def test_a_line_has_medians_worst_and_names(self):
        line = columns.line(self.result(a=(0.01, 0.02), b=(0.03, 0.9), c=(0.05, 0.1)))
        assert "3.0%, 5.0%" in line
        assert "10.0%, 90.0%" in line
        assert "90.0% / 85.7%" in line
        assert line.index("b (p99 90%)") < line.index("c (p99 10%)")
        assert line.count("|") == columns.HEADER.count("|")

    def test_targets_are_those_of_median_and_worst(self):
        good, bad = self.result(a=(0.02, 0.04)), self.result(a=(0.02, 0.04), b=(0.02, 0.3))
        assert columns.verdict([good]).endswith("reached")
        assert columns.verdict([bad]).endswith("p99")

    def test_what_did_not_finish_says_so(self):
        assert "stopped after 5 s" in columns.line(self.result() | {"ended": "stopped after 5 s"})

    def test_runs_are_kept_and_taken_up_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_machine, "RESULTS", tmp_path)
        made = []

        def make(name, epsilon):
            made.append(name)
            return None if name == "absent" else {"x": epsilon, "ended": "failed: x" if name == "bad" else "finished"}

        for again in (False, False, True):
            runs = columns.complete("t", [("a", 1.0), ("absent", 1.0), ("bad", 1.0)], make, str, ("name", "epsilon"), again)
            assert [(r["name"], r["x"]) for r in runs] == [("a", 1.0), ("bad", 1.0)]
        assert made == ["a", "absent", "bad", "absent", "bad", "a", "absent", "bad"]
        assert _machine.kept("t")["benchmark"] == "t"

    def test_every_table_has_a_schema(self):
        for name, (schema, _) in (columns.DATA | columns.DEMOS).items():
            assert (columns.SCHEMAS / f"{schema}.yaml").is_file(), name
        if (SHARED / "data").exists():
            schema, rows = columns.load("heart_uci", SHARED)
            assert rows.shape == (920, len(schema.columns))
        assert columns.load("heart_uci", REPO / "nowhere") is None


class TestShapes:
    @pytest.mark.parametrize("name", _shapes.SHAPES)
    def test_values_are_seeded_in_range_and_as_rounded_as_said(self, name):
        shape = _shapes.SHAPES[name]
        values = shape.values(5000, 3)
        np.testing.assert_array_equal(values, shape.values(5000, 3))
        assert (values != shape.values(5000, 4)).any()
        assert shape.low <= values.min() <= values.max() <= shape.high
        assert (values == values.round(2)).all()
        assert shape.values(100, 0, whole=True).dtype == np.int64
        assert np.mean((values == shape.low) | (values == shape.high)) < (0.7 if name == "zero-inflated" else 1e-3)

    def test_shapes_are_what_they_are_called(self):
        drawn = {name: shape.values(50_000, 0) for name, shape in _shapes.SHAPES.items()}
        assert drawn["lognormal"].mean() == pytest.approx(74, rel=0.03)
        assert (drawn["zero-inflated"] == 0).mean() == pytest.approx(0.6, abs=0.01)
        assert drawn["negative"].max() <= 0
        assert (drawn["mixed sign"] < 0).mean() == pytest.approx(0.5, abs=0.01)

    def test_a_wider_range_is_so_many_times_as_wide(self):
        column = _shapes.SHAPES["mixed sign"].schema(50)["x"]
        assert (column.minimum, column.maximum) == (-250_000, 250_000)

    def test_a_cell_is_right_within_one_and_a_half_times_the_tight_one(self):
        errors = {"1": {"mean": 0.1, "sd": 0.0}, "50": {"mean": 0.15, "sd": 0.014}, "1000": {"mean": 0.16, "sd": 0.016}}
        assert _ranges.right(errors) == (2, 4)


class TestRelations:
    @pytest.mark.parametrize("k", [1, 4, 7])
    def test_parity_is_in_k_plus_one_columns_and_in_no_fewer(self, k):
        table = _relations.parity(k, 40_000, np.random.default_rng(0))
        odd = table.filter(like="x").to_numpy()[:, :k].sum(axis=1) % 2
        assert (odd == table.y).mean() == pytest.approx(1 - _relations.FLIPPED, abs=0.005)
        if k > 1:
            without = table.filter(like="x").to_numpy()[:, : k - 1].sum(axis=1) % 2
            assert (without == table.y).mean() == pytest.approx(0.5, abs=0.01)
        assert _relations.auc(table, _relations.parity(k, 10_000, np.random.default_rng(1)), "y") == pytest.approx(0.95, abs=0.01)

    def test_broken_links_are_counted(self):
        table = _relations.links(20_000, np.random.default_rng(0))
        whole = _relations.broken_links(table)
        assert whole.pop("pairs of event and amount") == pytest.approx(_relations.EVENTS, abs=0.003)
        assert set(whole.values()) == {0.0}
        table.loc[:99, "event"] = 1 - table.loc[:99, "event"]
        table.loc[:199, "q1"] = np.where(table.loc[:199, "q1"] == -9, 3, -9)
        table.loc[table.worker == "none", "wage"] = 1000.0
        broken = _relations.broken_links(table)
        assert broken["amount without event"] + broken["event without amount"] == pytest.approx(100 / 20_000)
        assert broken["refused in part"] == pytest.approx(200 / 20_000)
        assert broken["wage without employee"] == pytest.approx((table.worker == "none").mean())

    def test_distance_of_tables_of_three(self):
        rng = np.random.default_rng(0)
        real = pd.DataFrame(rng.integers(0, 2, (8000, 2)), columns=["a", "b"]).assign(c=lambda t: t.a ^ t.b)
        loose = real.assign(c=rng.integers(0, 2, 8000))
        assert _relations.tvd3(real, real) == 0
        assert _relations.tvd3(real, loose) == pytest.approx(0.5, abs=0.03)

    def test_every_table_fits_its_schema(self):
        for name, (make, kinds, target, _) in _relations.TABLES.items():
            frame = make(300, np.random.default_rng(0))
            schema = Schema.from_dict({"name": "t", "columns": kinds})
            assert list(schema.names) == list(frame), name
            assert target is None or target in kinds
            changed = misfits(frame, schema) if "parity" not in name else {}
            assert not any(found.total for found in changed.values())


def test_steps_are_timed_by_name():
    clock = _release_time.Clock()
    for step in ("reading", "reading", "fitting", "reading", "done"):
        clock(step, 0.0)
    assert [what for what, _ in clock.steps] == ["reading", "fitting", "reading", "done"]
    assert set(clock.seconds()) == {"reading", "fitting"}
    frame, schema = _release_time.table(500, 20)
    assert list(frame) == list(schema.names)
    assert len({c.kind for c in schema.columns}) == 3


def test_peers_get_decimals_and_gaps(tmp_path):
    schema = Schema.from_dict(
        {"name": "t", "columns": {"oldpeak": {"kind": "float", "minimum": -1.5, "maximum": 9, "decimals": 1}, "chol": {"kind": "integer", "minimum": 0, "maximum": 600}}}
    )  # fmt: skip
    (tmp_path / "s.yaml").write_text(schema.dump())
    pd.DataFrame({"oldpeak": [0.5, None, 12.0], "chol": [200, None, 300]}).to_csv(tmp_path / "train.csv", index=False)
    task = _tasks.Prepared(tmp_path / "train.csv", tmp_path / "train.csv", tmp_path / "s.yaml", "", 3)
    out = str(tmp_path / "synthetic.csv")
    job = _runner.Job("m", str(task.train), task.columns(), 1.0, 1e-6, 0, 3, out, "", "")
    table = job.table()
    assert table.oldpeak.tolist()[::2] == [0.5, 9.0]
    assert table.isna().sum().tolist() == [1, 1]
    job.write(pd.DataFrame({"oldpeak": [0.26, np.nan], "chol": [199.6, np.nan]}))
    written = pd.read_csv(out)
    assert written.chol.tolist()[0] == 200
    assert written.oldpeak.tolist()[0] == 0.26
