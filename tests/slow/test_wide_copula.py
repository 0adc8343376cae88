"""A thousand columns through the product: read, buy bins, fit, sample."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from tabsynth import Schema

pytestmark = pytest.mark.slow
ROWS = 100_000


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """600 numbers (500 need bins bought), 300 categories, 50 booleans, 50 numbers that are mostly zero; eight hidden factors."""
    folder = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((ROWS, 8)).astype(np.float32)
    frame, columns = {}, {}

    def hidden():
        weight = rng.standard_normal(8) * (rng.random(8) < 0.3)
        share = rng.uniform(0.3, 0.95) if weight.any() else 0.0
        signal = factors @ (weight / max(np.linalg.norm(weight), 1e-9)).astype(np.float32)
        return np.sqrt(share) * signal + np.sqrt(1 - share) * rng.standard_normal(ROWS, dtype=np.float32)

    def number(name, values, high, kind="integer", **more):
        frame[name] = np.clip(values, 0, high).astype(np.int64 if kind == "integer" else float)
        columns[name] = {"kind": kind, "minimum": 0, "maximum": high, "nullable": False} | more

    for i in range(300):
        number(f"i{i}", np.exp(3 + 0.8 * hidden()), 999)
    for i in range(200):
        number(f"x{i}", np.round(50 + 10 * hidden().astype(float), 2), 100, "float", decimals=2)
    for i in range(100):
        number(f"s{i}", np.rint(10 + 3 * hidden()), 20)
    for i in range(50):
        values = hidden()
        number(f"z{i}", np.where(values < 0.5, 0, np.exp(2 + values)), 9999)
    for i in range(300):
        size, values = int(rng.integers(3, 8)), hidden()
        names = np.array([f"v{k}" for k in range(size)], dtype=object)
        code = np.searchsorted(np.quantile(values, np.sort(rng.random(size - 1))), values)
        frame[f"c{i}"] = names[rng.permutation(size)[code]]
        columns[f"c{i}"] = {"kind": "categorical", "labels": list(names), "nullable": False}
    for i in range(50):
        frame[f"b{i}"] = hidden() > rng.uniform(0, 1.5)
        columns[f"b{i}"] = {"kind": "boolean", "nullable": False}
    pd.DataFrame(frame).to_parquet(folder / "t.parquet", index=False)
    (folder / "s.yaml").write_text(Schema.from_dict({"name": "wide", "columns": columns}).dump())
    return folder


def test_a_thousand_columns_fit_and_sample_in_five_minutes_and_four_gigabytes(wide):
    program = (
        "import sys, tabsynth; folder = sys.argv[1]\n"
        "release = tabsynth.fit(folder + '/t.parquet', folder + '/s.yaml', epsilon=1, model='copula')\n"
        f"assert release.sample({ROWS}).shape == ({ROWS}, 1000)\n"
    )
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program, str(wide)])
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    assert time.perf_counter() - started < 300
    assert usage.ru_maxrss / 2**20 < 4
