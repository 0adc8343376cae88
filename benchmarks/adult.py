"""Utility of a model on Adult: fit, sample and evaluate as a user would, from the command line.

    python benchmarks/adult.py --data ../shared --model mst --epsilon 1 --seeds 5 [--target income]

`--data` holds ``reference/split_adult.py``, ``reference/evaluate.py`` and ``data/adult/adult.parquet``; the split is 70/30, stratified, seed 0. Every
number comes from evaluate.py. Privacy noise cannot be seeded, so runs differ.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

from _machine import keep

SCHEMA = Path(__file__).parents[1] / "schemas" / "adult.yaml"
KEPT = ("tvd1", "tvd2", "tvd3", "auc_hgb", "ap_hgb", "auc_lr", "ap_lr", "frac_out_of_range")


def call(*command: str | Path | float) -> str:
    """Run a command with this interpreter and return what it printed."""
    return subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True, text=True).stdout


def once(folder: Path, evaluate: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """One fit, one sample, one evaluation; seconds and peak memory of the first two."""
    model, synthetic = folder / f"model{seed}", folder / f"synthetic{seed}.csv"
    target = ["--target", options.target] if options.target else []
    started = time.perf_counter()
    call("-m", "tabsynth", "fit", folder / "train.csv", "--schema", SCHEMA, "--epsilon", options.epsilon, "--model", options.model, "--seed", seed,
         "--quiet", "--out", model, *target)  # fmt: skip
    fitted = time.perf_counter()
    call("-m", "tabsynth", "sample", model, "--rows", options.rows, "--seed", seed, "--quiet", "--out", synthetic)
    sampled = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    scores = json.loads(call(evaluate, folder / "train.csv", folder / "holdout.csv", synthetic, "income"))
    return {k: scores[k] for k in KEPT} | {"fit_s": fitted - started, "sample_s": sampled - fitted, "peak_mb": peak}


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mst")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=34_189)
    parser.add_argument("--target")
    options = parser.parse_args()
    reference = options.data / "reference"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call(reference / "split_adult.py", options.data / "data/adult/adult.parquet", folder)
        runs = [once(folder, reference / "evaluate.py", seed, options) for seed in range(options.seeds)]
    means = {k: round(mean(r[k] for r in runs), 4) for k in runs[0]}
    settings = {"model": options.model, "epsilon": options.epsilon, "delta": 1e-6, "target": options.target, "rows": options.rows}
    path = keep(
        f"adult_{options.model}_{options.epsilon:g}{'_target' if options.target else ''}",
        {"settings": settings, "mean": means, "runs": runs},
    )
    print(json.dumps(means), path)


if __name__ == "__main__":
    main()
