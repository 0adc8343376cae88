"""A model folder that anybody may have made gives one sentence or a model that samples rows of its schema, and never anything else."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.curator.ledger import Budget
from tabsynth.fit import fit_with
from tabsynth.models.aim import AIM
from tabsynth.models.copula import Copula
from tabsynth.models.ctgan import CTGAN
from tabsynth.models.independent import Independent
from tabsynth.models.mst import MST
from tabsynth.models.neural import Neural

SMALL = AIM(fewest=64, steps=5, rounds=1)
ALGORITHMS = {
    "aim": SMALL,
    "copula": Copula(iterations=5),
    "ctgan": CTGAN(steps=4, refit=4, drafts=64, width=8, trust=(0.5,), generator=SMALL),
    "independent": Independent(),
    "mst": MST(iterations=20),
    "neural": Neural(target="sick", steps=20, width=16),
}
PROGRAM = Path(__file__).parent / "crafted.py"


def small_table() -> tuple[pd.DataFrame, Schema]:
    rng = np.random.default_rng(0)
    columns = {
        "id": {"kind": "identifier"},
        "sick": {"kind": "boolean", "nullable": False},
        "age": {"kind": "integer", "minimum": 0, "maximum": 99, "nullable": False},
        "level": {"kind": "categorical", "labels": [1, 2, 3]},
        "cost": {"kind": "float", "minimum": 0, "maximum": 50, "decimals": 1},
        "seen": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
        "score": {"kind": "float", "discover": True},
        "drug": {"kind": "categorical", "discover": True, "nullable": False},
    }
    sick = rng.random(400) < 0.3
    frame = pd.DataFrame(
        {
            "id": np.arange(400).astype(str),
            "sick": sick,
            "age": rng.integers(0, 100, 400),
            "level": 1 + sick + rng.integers(0, 2, 400),
            "cost": rng.uniform(0, 50, 400).round(1),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, 400), unit="D"),
            "score": rng.normal(50, 10, 400),
            "drug": rng.choice(["aspirin", "insulin", "statin"], 400),
        }
    )
    return frame, Schema.from_dict({"name": "small", "columns": columns})


def made(name: str, folder: Path) -> Path:
    """A small model of that name, saved."""
    frame, schema = small_table()
    release = fit_with(ALGORITHMS[name], frame, schema, Budget(8, 1e-6, 0.1))
    if name == "ctgan":
        release = dataclasses.replace(release, model=dataclasses.replace(release.model, trust=0.5))
    release.save(folder)
    return folder


def tried(folder: Path, first: int, last: int) -> dict[str, int]:
    """What became of the mutations of these seeds, each batch in a process of its own."""
    command = [sys.executable, str(PROGRAM), str(folder), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_crafted_folder_is_refused_in_a_sentence_or_works(name, tmp_path):
    found = tried(made(name, tmp_path / name), 0, 40)
    assert found["refused"] > 20
    assert found["works"] > 1
