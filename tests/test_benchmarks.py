"""The benchmarks' own logic: what is measured, kept and shown. No engine runs here."""

# ruff: noqa: E402 - the benchmarks are scripts, found by the path that is set below

import json
import multiprocessing
import re
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPO

sys.path[:0] = [str(REPO / "benchmarks"), str(REPO / "benchmarks/peers")]
import _engines
import _environments
import _machine
import _runner
import _tasks
import frontier
import peers
import sdnist

SCORES = {"tvd1": 0.01, "tvd2": 0.05, "tvd3": 0.1, "auc_hgb": 0.9, "ap_hgb": 0.75, "auc_lr": 0.89, "ap_lr": 0.7}


def finished(engine, epsilon=1.0, seed=0, **more):
    return {"engine": engine, "epsilon": epsilon, "seed": seed, "ended": "finished", "unpaid": [], **SCORES, **more}


def rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


class TestTable:
    def test_means_over_seeds_in_the_columns_named(self):
        runs = [
            finished("mst", fit_s=10.0, rows_per_s=1_000_000),
            finished("mst", seed=1, fit_s=20.0, rows_per_s=2_000_000, tvd3=0.2),
        ]
        header, _, line = rows(peers.table(runs))
        cells = dict(zip(header, line, strict=True))
        assert cells["fit s"] == "15.0"
        assert cells["rows/s"] == "1,500,000"
        assert cells["TVD3"] == "0.1500"
        assert cells["AUC/AP boosting"] == "0.900/0.750"
        assert cells["sample s"] == "–"

    def test_real_rows_give_a_floor_and_a_ceiling(self):
        _, _, floor, ceiling = rows(peers.table([finished("real", None)]))
        assert floor[6:] == ["0.0100", "0.0500", "0.1000", "–", "–", "–"]
        assert ceiling[6:] == ["–", "–", "–", "0.900/0.750", "0.890/0.700", "–"]
        assert len(floor) == len(ceiling) == len(peers.HEADER)

    def test_what_did_not_finish_and_what_was_not_paid_is_said(self):
        runs = [finished("dpmm-mst", unpaid=["the number of rows"]), finished("dpmm-aim") | {"ended": "stopped after 5 s"}]
        text = peers.table(runs)
        assert [r[0] for r in rows(text)[2:]] == ["dpmm-mst"]
        assert "dpmm-aim, seed 0: stopped after 5 s" in text
        assert "dpmm-mst: the number of rows" in text

    def test_an_unknown_engine_is_refused(self):
        assert peers.chosen(None, ["a", "b"]) == ["a", "b"]
        with pytest.raises(SystemExit, match="no engine c"):
            peers.chosen("a,c", ["a", "b"])


class TestResuming:
    @pytest.fixture(autouse=True)
    def results(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_machine, "RESULTS", tmp_path)
        return tmp_path

    def complete(self, keys, ended="finished", *, limit=10.0, again=False):
        """The runs returned, and the keys that were made."""
        made = []

        def make(key):
            made.append(key)
            if ended == "crash":
                raise KeyboardInterrupt
            return {"ended": ended}

        runs = _engines.complete("t", keys, make, _engines.Options(limit, Path(), Path(), again), {"task": "t"})
        return runs, made

    def test_only_what_is_missing_is_made_and_the_order_is_that_asked_for(self):
        a, b, c = ("a", 1.0, 0), ("b", 1.0, 0), ("b", 1.0, 1)
        assert self.complete([a, b])[1] == [a, b]
        runs, made = self.complete([c, b, a, c])
        assert made == [c]
        assert [(r["engine"], r["seed"]) for r in runs] == [("b", 1), ("b", 0), ("a", 0)]
        assert len(_machine.kept("t")["runs"]) == 3

    def test_again_repeats_and_replaces(self):
        a = ("a", 1.0, 0)
        self.complete([a])
        assert self.complete([a], again=True)[1] == [a]
        assert len(_machine.kept("t")["runs"]) == 1

    def test_a_stopped_run_is_repeated_with_more_time_only_and_a_failed_one_always(self):
        a = ("a", 1.0, 0)
        self.complete([a], "stopped after 10 s")
        assert self.complete([a], limit=10)[1] == []
        assert self.complete([a], "failed: x", limit=11)[1] == [a]
        assert self.complete([a], limit=1)[1] == [a]

    def test_an_interruption_loses_nothing_that_was_made(self):
        a, b = ("a", 1.0, 0), ("b", 1.0, 0)
        self.complete([a])
        with pytest.raises(KeyboardInterrupt):
            self.complete([a, b], "crash")
        assert self.complete([a, b])[1] == [b]

    def test_other_epsilons_are_other_runs_except_without_privacy(self):
        assert _engines.key("mst", 1.0, 0) != _engines.key("mst", 3.0, 0)
        assert _engines.key("sdv-ctgan", 1.0, 2) == _engines.key("sdv-ctgan", 3.0, 2)
        assert _engines.key("real", 1.0, 0) == _engines.key("real", 3.0, 1)


class TestMeasured:
    def test_output_time_processor_and_memory(self):
        code = "import time; x = bytearray(200_000_000); t = time.process_time()\nwhile time.process_time() < t + 0.5: pass\nprint('ok')"
        with ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn")
        ) as fresh:  # a child inherits its parent's peak
            ran = fresh.submit(_machine.measured, [sys.executable, "-c", code]).result()
        assert (ran.ended, ran.output) == ("finished", "ok\n")
        assert 0.5 <= ran.cpu_s < 1.5
        assert 190 < ran.peak_mb < 300
        assert ran.wall_s >= 0.5

    def test_a_limit_stops_children_too(self, tmp_path):
        mark = tmp_path / "alive"
        child = f"import time; time.sleep(2); open({str(mark)!r}, 'w')"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        ran = _machine.measured([sys.executable, "-c", code], limit=0.5)
        assert ran.ended == "stopped after 0.5 s"
        assert ran.wall_s < 2
        time.sleep(2)
        assert not mark.exists()

    def test_a_failure_is_its_last_line_without_paths(self):
        ran = _machine.measured([sys.executable, "-c", "raise ValueError('/tmp/some.where/table.csv is bad, see https://a.b/c')"])
        assert ran.ended == "failed: ValueError: table.csv is bad, see an address"

    def test_a_process_killed_by_others_did_not_reach_its_limit(self):
        ran = _machine.measured([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], limit=60)
        assert ran.ended.startswith("failed")


RUNNERS = sorted((REPO / "benchmarks/peers").glob("run_*.py"))


class TestRunners:
    def test_every_peer_has_one(self):
        assert {f"run_{runner}.py" for runner, _ in _engines.PEERS.values()} | {"run_sdnist.py"} == {r.name for r in RUNNERS}

    @pytest.mark.parametrize("runner", RUNNERS, ids=lambda r: r.stem)
    def test_is_pinned_and_stands_alone(self, runner):
        pins = _environments.metadata(runner)
        extra = pins.get("tool", {}).get("benchmark", {})
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", d) for d in pins["dependencies"] + extra.get("without-dependencies", []))
        assert "tabsynth" not in re.sub(r'""".*?"""', "", runner.read_text(), flags=re.DOTALL)

    def test_threads_are_passed_on(self):
        by_name = {r.stem: _environments.variables(r) for r in RUNNERS}
        assert by_name["run_sdv"] == {"OMP_NUM_THREADS": "1"}
        assert by_name["run_dpmm"] == {}


@pytest.fixture
def job(tmp_path):
    columns = {
        "ward": {"labels": ["b", "a"], "nullable": True},
        "level": {"labels": [1, 2], "nullable": False},
        "age": {"minimum": 17, "maximum": 90},
        "gain": {"minimum": 0, "maximum": 99_999},
    }
    frame = pd.DataFrame({"ward": ["a", None, "b"], "level": [2, 1, 1], "age": [10, 40, 90], "gain": [0, 123_456, 5_000]})
    frame.to_csv(tmp_path / "train.csv", index=False)
    out = str(tmp_path / "synthetic.csv")
    return _runner.Job("m", str(tmp_path / "train.csv"), columns, 1.0, 1e-6, 0, 3, out, "", "")


class TestCodes:
    def test_the_table_lies_in_its_public_facts(self, job):
        table = job.table()
        assert table.ward.tolist() == ["a", _runner.MISSING, "b"]
        assert table.level.tolist() == ["2", "1", "1"]
        assert table.age.tolist() == [17, 40, 90]
        assert table.gain.tolist() == [0, 99_999, 5_000]

    def test_an_unlisted_label_is_refused_by_column_only(self, job):
        job.columns["ward"]["labels"] = ["b"]
        with pytest.raises(ValueError, match="column ward") as caught:
            job.table()
        assert "'a'" not in str(caught.value)

    def test_short_columns_come_back_exactly_and_long_ones_in_their_cell(self, job):
        codes, table = _runner.Discrete(job), job.table()
        coded = codes.encode(table)
        back = codes.decode(coded)
        pd.testing.assert_frame_equal(back[["ward", "level", "age"]], table[["ward", "level", "age"]], check_dtype=False)
        pd.testing.assert_frame_equal(codes.encode(back), coded)
        assert back.gain.tolist()[:2] == [0, 99_999]
        assert codes.sizes["age"] == 74
        assert 40 < codes.sizes["gain"] <= 66

    def test_cells_cover_the_range_once(self, job):
        codes = _runner.Discrete(job)
        every = pd.DataFrame({"gain": np.arange(100_000), "ward": "a", "level": "1", "age": 17})
        coded = codes.encode(every).gain.to_numpy()
        assert coded.min() == 0
        assert coded.max() == codes.sizes["gain"] - 1
        assert (np.diff(coded) >= 0).all()
        assert len(np.unique(coded)) == codes.sizes["gain"]

    def test_missing_labels_are_written_as_nothing(self, job):
        job.write(job.table())
        assert Path(job.synthetic).read_text().splitlines()[2] == ",1,40,99999"


class TestFrontier:
    RUNS = (
        finished("real", None, tvd3=0.06),
        *(finished(e, x, s, auc_hgb=0.8 + s / 100) for e in ("mst", "dpmm-mst") for x in (10.0, 0.1) for s in (0, 1)),
        finished("mst", 1.0) | {"ended": "failed: x"},
    )

    def test_series_are_sorted_means_with_extremes_of_what_finished(self):
        lines = frontier.series(self.RUNS, "auc_hgb")
        assert set(lines) == {"mst", "dpmm-mst"}
        assert lines["mst"] == [(0.1, pytest.approx(0.805), 0.8, 0.81), (10.0, pytest.approx(0.805), 0.8, 0.81)]

    def test_table_has_a_dash_where_nothing_finished(self):
        text = frontier.table(self.RUNS, [0.1, 1.0, 10.0])
        assert rows(text)[3] == ["mst", "0.805 / 0.100", "–", "0.805 / 0.100"]
        assert rows(text)[2][1] == "0.900 / 0.060"

    def test_picture_is_well_formed_and_names_everything(self):
        root = ET.fromstring(frontier.picture(self.RUNS, "a < b"))
        texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts.count("mst") == texts.count("dpmm-mst") == 2
        assert "a < b" in texts
        assert "trained on real rows: 0.900" in texts

    def test_names_do_not_overlap_and_stay_inside(self):
        wanted = {f"e{i}": 100 + i for i in range(8)} | {"last": 399.0}
        placed = frontier.spread(wanted, 50, 400)
        heights = sorted(placed.values())
        assert min(np.diff(heights)) >= 17
        assert heights[0] >= 50
        assert heights[-1] <= 400

    @pytest.mark.parametrize(("low", "high"), [(0.5, 0.93), (0.061, 0.41), (0.9, 0.9001), (0.0, 1.0)])
    def test_ticks_enclose_the_range(self, low, high):
        ticks = frontier.nice(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 3 <= len(ticks) <= 10


def test_equivalent_sample_lies_between_its_neighbours():
    samples = {"0.10": 965, "0.40": 986, "0.90": 996}
    assert sdnist.equivalent(986, samples) == pytest.approx(0.4)
    assert sdnist.equivalent(975.5, samples) == pytest.approx(0.25)
    assert sdnist.equivalent(999, samples) == 0.9
    assert sdnist.equivalent(100, samples) == 0


def test_a_selected_schema_keeps_facts_and_makes_rows_units(tmp_path):
    schema = _tasks.select(_tasks.SCHEMAS / "diabetes130.yaml", _tasks.PATIENT, "readmitted", tmp_path / "s.yaml")
    task = _tasks.Prepared(tmp_path / "t", tmp_path / "h", schema, "readmitted", 1)
    columns = task.columns()
    assert list(columns) == _tasks.PATIENT
    assert columns["time_in_hospital"] == {"minimum": 1, "maximum": 14}
    assert columns["race"]["nullable"]
    assert "patient_nbr" not in schema.read_text()


def test_results_that_are_kept_name_no_machine_path(repo):
    for path in (repo / "benchmarks/results").glob("*.json"):
        assert json.loads(path.read_text())["benchmark"] == path.stem
