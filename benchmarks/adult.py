"""Utility of a model on Adult: fit, sample and evaluate as a user would, from the command line.

    python benchmarks/adult.py --data ../shared --model mst --epsilon 1 --seeds 5 [--target income]

`--data` holds ``reference/split_adult.py``, ``reference/evaluate.py`` and ``data/adult/adult.parquet``; the split is 70/30, stratified, seed 0. Every
number comes from evaluate.py. Privacy noise cannot be seeded, so runs differ.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean

from _engines import SCORES, ours
from _machine import keep, measured
from _tasks import Prepared, prepare


def once(folder: Path, task: Prepared, evaluate: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """One fit, one sample, one evaluation; seconds and peak memory of the first two."""
    place = folder / str(seed)
    place.mkdir()
    run = ours(options.model, options.epsilon, seed, task, place, target=options.target)
    scored = measured([sys.executable, evaluate, task.train, task.holdout, place / "synthetic.csv", task.target])
    if (run["ended"], scored.ended) != ("finished", "finished"):
        raise SystemExit(f"seed {seed}: {run['ended']}; evaluation: {scored.ended}")
    scores = json.loads(scored.output)
    return {k: scores[k] for k in SCORES} | {k: run[k] for k in ("fit_s", "sample_s", "peak_mb")}


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = replace(prepare("adult", options.data, folder), rows=options.rows)
        runs = [once(folder, task, options.data / "reference/evaluate.py", seed, options) for seed in range(options.seeds)]
    means = {k: round(mean(r[k] for r in runs), 4) for k in runs[0]}
    settings = {"model": options.model, "epsilon": options.epsilon, "delta": 1e-6, "target": options.target, "rows": options.rows}
    path = keep(
        f"adult_{options.model}_{options.epsilon:g}{'_target' if options.target else ''}",
        {"settings": settings, "mean": means, "runs": runs},
    )
    print(json.dumps(means), path)


if __name__ == "__main__":
    main()
