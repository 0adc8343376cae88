"""A toy schema and table that every kind of column occurs in. A test lives where its subject lives: tests/ mirrors tabsynth/.

Real tables are looked for beside the checkout; tests that need them skip where they are absent.
"""

import functools
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

import tabsynth
from tabsynth import Release, Schema, cli
from tabsynth.codec import Codec, public_coder

REPO = Path(__file__).parents[1]
SHARED = REPO.parent / "shared"


def real_data(*parts: str) -> Path:
    """Path of a real table, or skip."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {'/'.join(parts)}")
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line in this process: exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tabsynth", *map(str, arguments)])
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        with pytest.raises(SystemExit) as stop:
            cli.main()
        for number, handler in before.items():
            signal.signal(number, handler)
        seen = capsys.readouterr()
        return stop.value.code, seen.out, seen.err

    return call


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def toy_schema() -> Schema:
    return Schema.from_dict(
        {
            "name": "toy",
            "target": "sick",
            "columns": {
                "id": {"kind": "identifier"},
                "age": {"kind": "integer", "minimum": 0, "maximum": 99},
                "cost": {"kind": "float", "minimum": 0, "maximum": 1000, "decimals": 2},
                "ward": {"kind": "categorical", "labels": ["A", "B", "C"]},
                "level": {"kind": "categorical", "labels": [1, 2, 3], "nullable": False},
                "sick": {"kind": "boolean"},
                "seen": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
                "at": {"kind": "datetime", "minimum": "2020-01-01", "maximum": "2020-12-31"},
                "score": {"kind": "float", "discover": True},
                "drug": {"kind": "categorical", "discover": True},
            },
        }
    )


def toy_rows(n: int, seed: int = 0) -> pd.DataFrame:
    """`n` rows that fit the toy schema."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, n)
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "age": age,
            "cost": np.round(np.where(rng.random(n) < 0.4, 0, rng.lognormal(4, 1, n).clip(0, 1000)), 2),
            "ward": np.where(age < 50, "A", rng.choice(["B", "C"], n)),
            "level": rng.integers(1, 4, n),
            "sick": rng.random(n) < age / 150,
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D"),
            "at": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 365 * 86400, n), unit="s"),
            "score": rng.normal(50, 10, n),
            "drug": rng.choice(["aspirin", "insulin", "statin"], n),
        }
    )


@pytest.fixture(scope="session")
def toy_table() -> pd.DataFrame:
    return toy_rows(3000)


@pytest.fixture(scope="session")
def visits_schema() -> Schema:
    """Several rows a person."""
    columns = {
        "person": {"kind": "identifier"},
        "ward": {"kind": "categorical", "labels": ["A", "B", "C"]},
        "days": {"kind": "integer", "minimum": 0, "maximum": 9},
    }
    return Schema.from_dict({"name": "visits", "unit": {"key": "person", "max_rows": 3}, "columns": columns})


def visits(data) -> pd.DataFrame:
    """A table for `visits_schema` from (number of the person, ward, days)."""
    frame = pd.DataFrame(data, columns=["person", "ward", "days"])
    return frame.assign(person="p" + frame.person.astype(str))


def codec_of(schema: Schema) -> Codec:
    """The codec of a schema that has nothing to buy."""
    return Codec(schema, {c.name: public_coder(c) for c in schema.modelled})


@pytest.fixture(scope="session")
def files(tmp_path_factory, toy_schema) -> Path:
    """A folder with a table of 1,500 rows, as Parquet and as CSV, and its schema."""
    folder = tmp_path_factory.mktemp("files")
    toy_rows(1500).to_parquet(folder / "toy.parquet", index=False)
    toy_rows(1500).to_csv(folder / "toy.csv", index=False)
    (folder / "toy.yaml").write_text(toy_schema.dump())
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory, request) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder of a name once, whichever of the processes that run the tests asks for it first."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if hasattr(request.config, "workerinput") else shared

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        path = shared / "once" / name
        path.parent.mkdir(exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.with_suffix(".made").exists():
                make(path)
                path.with_suffix(".made").touch()
        return path

    return folder


@pytest.fixture(scope="session")
def toy_model(once, toy_schema, toy_table) -> Callable[[str], Release]:
    """A release of the toy table by the model of that name."""

    def made(name: str) -> Release:
        return Release.load(
            once(f"model-{name}", lambda folder: tabsynth.fit(toy_table, toy_schema, epsilon=2, model=name).save(folder))
        )

    return functools.cache(made)


@pytest.fixture(scope="session")
def released(files, once) -> tuple[Path, subprocess.CompletedProcess]:
    """A release that the command line made of it, and what it printed."""

    def make(folder: Path) -> None:
        out = folder / "out"
        command = ["-m", "tabsynth", "release", files / "toy.csv", "--schema", files / "toy.yaml", "--epsilon", "3", "--out", out]
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "told.json").write_text(json.dumps([done.stdout, done.stderr]))

    folder = once("released", make)
    out, err = json.loads((folder / "told.json").read_text())
    return folder / "out", subprocess.CompletedProcess([], 0, out, err)
