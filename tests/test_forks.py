"""A fork leaves threads behind: what needs them in a forked process works without or is refused, and nothing waits without end."""

import subprocess
import sys

import pytest

SECONDS = 240
"""Long enough for a busy machine that has to compile; the fault is to wait for ever."""
PROGRAM = """
import multiprocessing, os, sys
import numpy as np, pandas as pd
import tabsynth
from tabsynth.curator.ledger import Budget
from tabsynth.fit import fit_with
from tabsynth.forks import threads_lost
from tabsynth.models._field import Field, Tables
from tabsynth.models.aim import AIM
from tabsynth.models.mst import MST

rng = np.random.default_rng(0)
SIZES = np.array([5, 40, 3, 17])
PAIRS = {(i, j): rng.normal(size=(SIZES[i], SIZES[j])) for i in range(4) for j in range(i + 1, 4)}
FIELD = Field(SIZES, rng.normal(size=SIZES.sum()), PAIRS)
START = np.stack([rng.integers(0, n, 3000) for n in SIZES], axis=1).astype(np.int32)
TABLE = pd.DataFrame({c: rng.choice(["a", "b"], 500) for c in "xyz"})
SCHEMA = tabsynth.Schema.from_dict({"name": "t", "columns": {c: {"kind": "categorical", "labels": ["a", "b"]} for c in "xyz"}})
ALGORITHMS = {"aim": AIM(fewest=64, steps=3, rounds=1), "mst": MST(iterations=3)}

def walked(reversible):
    codes = START.copy()
    for _ in range(3):
        FIELD.step(codes, np.random.default_rng(1), reversible=reversible)
    return codes, Tables(SIZES, [(0, 1), (2, 3)]).count(codes)

def fitted(name):
    try:
        return fit_with(ALGORITHMS[name], TABLE, SCHEMA, Budget(1, 1e-6)).rows
    except tabsynth.TabsynthError as error:
        return str(error)

if __name__ == "__main__":
    here = [walked(False), walked(True)]
    assert fitted(sys.argv[1]) > 0 and not threads_lost("numba")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.map(walked, [False, True])
        assert all(np.array_equal(a, b) for one, other in zip(here, there) for a, b in zip(one, other)), "other rows"
        print(pool.apply(fitted, [sys.argv[1]]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
@pytest.mark.parametrize(("model", "said"), [("aim", ""), pytest.param("mst", "spawn", marks=pytest.mark.slow)])
def test_a_forked_process_fits_after_a_fit_or_says_why_not(model, said, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program, model], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    out = done.stdout.strip()
    assert (said in out and "\n" not in out) if said else int(out) > 0
