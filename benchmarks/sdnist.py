"""SDNist's k-marginal score on NIST's national2019 excerpt, ten demographic features, as SDNist itself computes it.

    python benchmarks/sdnist.py --data ../shared --model aim --epsilon 1 [--seeds 1] [--environments DIR]

The score is 1000 for identical pairs of columns. Beside it stand a 40 % random sample of the real rows (about 987: if not, the scoring is
wrong) and the share of the real rows that scores the same. The excerpt is fitted whole, as others did for their published scores; the
schema is cut from ``schemas/nist_acs.yaml``. Writes ``results/sdnist_MODEL_EPSILON.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from _engines import ours
from _environments import RUNNERS, python
from _machine import keep, measured
from _tasks import SCHEMAS, Prepared, select
from peers import ENVIRONMENTS

FEATURES = ["AGEP", "SEX", "MSP", "RAC1P", "HOUSING_TYPE", "OWN_RENT", "EDU", "PINCP_DECILE", "DVET", "DEYE"]
SAMPLE, EXPECTED, TOLERANCE = 0.4, 987, 2


def lay_out(source: Path, root: Path) -> Any:
    """Copy the excerpt into the layout SDNist reads, missing values as 'N'; returns the table."""
    import pandas as pd

    table = pd.read_parquet(source / "national2019.parquet")
    for name in table.columns[table.dtypes == "float64"]:
        if name != "DENSITY":
            table[name] = table[name].astype("Int64")
    (root / "national").mkdir(parents=True)
    table.to_csv(root / "national/national2019.csv", index=False, na_rep="N")
    shutil.copy(source / "national2019.schema.json", root / "national/national2019.json")
    for name in ("mappings.json", "data_dictionary.json"):
        shutil.copy(source / name, root / name)
    (root / "config.json").write_text("{}", encoding="utf-8")
    return table


def equivalent(score: float, samples: dict[str, float]) -> float:
    """The share of the real rows whose random samples score the same, by straight lines between the samples measured."""
    points = sorted((float(fraction), value) for fraction, value in samples.items())
    for (f0, s0), (f1, s1) in pairwise(points):
        if score < s1:
            return max(0.0, f0 + (f1 - f0) * (score - s0) / (s1 - s0)) if s1 > s0 else f0
    return points[-1][0]


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="aim")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "data"
        table = lay_out((options.data / "data/nist_acs").resolve(), root)
        table.sample(frac=SAMPLE, random_state=0).to_csv(folder / "sample.csv", index=False, na_rep="N", columns=FEATURES)
        table.to_csv(folder / "train.csv", index=False, columns=FEATURES)
        schema = select(SCHEMAS / "nist_acs.yaml", FEATURES, None, folder / "schema.yaml")
        task = Prepared(folder / "train.csv", folder / "train.csv", schema, "", len(table))
        runs = [run(options, seed, task, folder) for seed in range(options.seeds)]
        scored = score(folder, root, [r["synthetic"] for r in runs], options.environments)
    for r in runs:
        r["k_marginal"] = round(scored["scores"][r.pop("synthetic")], 1)
        r["equivalent_sample"] = round(equivalent(r["k_marginal"], scored["samples"]), 2)
    sample = round(scored["scores"]["sample.csv"], 1)
    result = {
        "settings": {"model": options.model, "epsilon": options.epsilon, "delta": 1e-6, "rows": len(table), "features": FEATURES},
        "sample_40_percent": sample,
        "samples": scored["samples"],
        "runs": runs,
    }
    path = keep(f"sdnist_{options.model}_{options.epsilon:g}", result)
    score_mean, share = mean(r["k_marginal"] for r in runs), mean(r["equivalent_sample"] for r in runs)
    print(f"| engine | epsilon | k-marginal | like a sample of | 40 % sample | fit s |\n{'| --- ' * 6}|")
    print(
        f"| {options.model} | {options.epsilon:g} | {score_mean:.1f} | {share:.0%} | {sample} | {mean(r['fit_s'] for r in runs):.1f} |"
    )
    print(path)
    if abs(sample - EXPECTED) > TOLERANCE:
        raise SystemExit(f"a 40 % sample scores {sample}, not about {EXPECTED}: the scoring is not SDNist's")


def run(options: argparse.Namespace, seed: int, task: Prepared, folder: Path) -> dict[str, Any]:
    """Fit and sample once; the table's missing values become 'N'."""
    place = folder / str(seed)
    place.mkdir()
    ran = ours(options.model, options.epsilon, seed, task, place)
    if ran["ended"] != "finished":
        raise SystemExit(f"{options.model} {ran['ended']}")
    import pandas as pd

    drawn = pd.read_csv(place / "synthetic.csv", dtype=str, keep_default_na=False).replace("", "N")
    drawn.to_csv(folder / f"synthetic{seed}.csv", index=False)
    return {"seed": seed, "synthetic": f"synthetic{seed}.csv"} | ran


def score(folder: Path, root: Path, tables: list[str], environments: Path) -> dict[str, Any]:
    """SDNist's scores of CSV files in `folder`, computed in its own environment."""
    runner = RUNNERS / "run_sdnist.py"
    job = {
        "root": str(root),
        "tables": {name: str(folder / name) for name in [*tables, "sample.csv"]},
        "features": FEATURES,
        "seed": 0,
        "result": str(folder / "result.json"),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    ran = measured([python(runner, environments), runner, folder / "job.json"])
    if ran.ended != "finished":
        raise SystemExit(f"SDNist {ran.ended}")
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
