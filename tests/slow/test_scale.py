"""A table that does not fit a naive tool, and the demo as a newcomer runs it."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabsynth import Schema

pytestmark = pytest.mark.slow
ROWS, BLOCK = 5_000_000, 500_000


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Five million rows, 12 columns: 600 MB as a DataFrame."""
    folder = tmp_path_factory.mktemp("big")
    columns = {f"c{i}": {"kind": "categorical", "labels": list(range(8)), "nullable": False} for i in range(8)}
    columns |= {f"x{i}": {"kind": "integer", "minimum": 0, "maximum": 1_000_000, "nullable": False} for i in range(4)}
    (folder / "s.yaml").write_text(Schema.from_dict({"name": "big", "columns": columns}).dump())
    rng, writer = np.random.default_rng(0), None
    for _ in range(ROWS // BLOCK):
        base = rng.integers(0, 8, BLOCK)
        frame = pd.DataFrame({f"c{i}": (base + rng.integers(0, 2 + i, BLOCK)) % 8 for i in range(8)})
        for i in range(4):
            frame[f"x{i}"] = (rng.lognormal(8 + i / 2, 1, BLOCK)).astype(np.int64).clip(0, 1_000_000)
        block = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(folder / "t.parquet", block.schema)
        writer.write_table(block)
    writer.close()
    return folder


def test_five_million_rows_fit_in_two_minutes_and_three_gigabytes(big):
    command = [
        sys.executable,
        "-m",
        "tabsynth",
        "fit",
        big / "t.parquet",
        "--schema",
        big / "s.yaml",
        "--epsilon",
        "1",
        "--out",
        big / "m",
        "--quiet",
    ]
    started = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)))
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    assert time.perf_counter() - started < 120
    assert usage.ru_maxrss / 1024 < 3000


def test_demo_makes_two_releases_that_verify(tmp_path):
    run = lambda *a: subprocess.run([sys.executable, "-m", "tabsynth", *map(str, a)], capture_output=True, text=True, check=False)  # noqa: E731
    done = run("demo", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    for name in ("patients", "transactions"):
        assert f"{tmp_path}/demo/{name}/confidential/report.internal.html" in done.stdout
        assert f"{name}: May leave: {tmp_path}/demo/{name}/release" in done.stdout
        assert run("verify", tmp_path / "demo" / name).returncode == 0
