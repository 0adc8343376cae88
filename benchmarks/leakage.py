"""Every attack on our own engines, and on the training rows themselves:  python benchmarks/leakage.py

Adult (each row a unit), diabetes130 (each patient) and grocery receipts (each household), half of the units held out, at epsilon 1 and 10. One
line a release is printed; every finding is kept in results/leakage.json, run after run, and a run that is there is not repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
import secrets
import time
from pathlib import Path
from typing import Any

import pandas as pd
from _machine import keep, kept
from _tasks import SCHEMAS

import tabsynth
from tabsynth import demo_data
from tabsynth.conform import read
from tabsynth.pipeline import split
from tabsynth.schema import Schema
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import attacks, focal

ENGINES = ("aim", "mst", "copula", "independent", "ctgan", "neural")
HEADER = "| table | engine | epsilon | fit s | attack s | strongest attack | TPR @ FPR | tolerated | family-wise p | AUC of all together | copies, excess | controls |"


def tables(shared: Path) -> dict[str, tuple[Schema, Any]]:
    """Schema and rows of each table; those whose rows are not here are left out."""
    found = {
        "adult": ("adult.yaml", shared / "data/adult/adult.parquet"),
        "diabetes130": ("diabetes130.yaml", shared / "data/diabetes130/diabetic_data.parquet"),
    }
    out: dict[str, tuple[Schema, Any]] = {}
    for name, (schema, path) in found.items():
        if path.exists():
            known = Schema.load(SCHEMAS / schema)
            rows = pd.read_parquet(path)
            rows.columns = [column.replace("-", "_") if name == "adult" else column for column in rows]
            out[name] = known, rows[list(known.names)]
    return out | {"transactions": (Schema.load(SCHEMAS / "completejourney.yaml"), demo_data.transactions())}


def run(name: str, schema: Schema, rows: pd.DataFrame, engine: str, epsilon: float | None) -> dict[str, Any]:
    """One release, with a split of its own, and all the attacks on it; `engine` "as it is" releases the training rows."""
    train, holdout = split(rows, schema, 0.5, secrets.randbits(63))
    started = time.perf_counter()
    if epsilon is None:
        synthetic, measured = train.sample(frac=1, random_state=0, ignore_index=True), []
    else:
        release = tabsynth.fit(train, schema, epsilon=epsilon, model=engine)
        synthetic, measured = release.sample(len(train)), focal.cliques_of(release.card, schema)
    fitted = time.perf_counter()
    findings = attacks(Evidence(schema, train, holdout, synthetic, measured=measured))
    return {
        "table": name,
        "engine": engine,
        "epsilon": epsilon,
        "fit_s": round(fitted - started, 1),
        "attack_s": round(time.perf_counter() - fitted, 1),
        "rows": {"train": len(train), "holdout": len(holdout)},
        "findings": [_short(dataclasses.asdict(f)) for f in findings],
    }


def _short(finding: dict[str, Any]) -> dict[str, Any]:
    """The number, and for the headline and the test of all attacks what it is made of; everything else would make the file large."""
    short = {k: finding[k] for k in ("check", "value", "interval", "verdict")}
    if finding["check"] == "attacks.membership":
        short["details"] = finding["details"]
    if finding["check"] == "attacks.familywise":
        short["details"] = {"attacks": [{k: row[k] for k in ("attack", "auc", "p")} for row in finding["details"]["attacks"]]}
    return short


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    found = {f["check"]: f for f in result["findings"]}
    head, copies = found["attacks.membership"], found["attacks.replication"]
    d = head["details"]
    cells = [
        result["table"], result["engine"], "–" if result["epsilon"] is None else f"{result['epsilon']:g}", f"{result['fit_s']:.0f}",
        f"{result['attack_s']:.0f}", d["chosen"],
        f"{head['value']:.2%} ({head['interval'][0]:.2%} to {head['interval'][1]:.2%}) @ {d['fpr']:.0%}", f"{d['tolerance']:.1%}",
        f"{found['attacks.familywise']['value']:.4f}", f"{found['attacks.ensemble']['value']:.3f}", f"{copies['value']:.2%}",
        found["attacks.controls"]["verdict"],
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run what is missing, and keep each run as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--only", help="Engines, separated by commas.", default=",".join(ENGINES))
    parser.add_argument("--tables", help="Tables, separated by commas.", default="adult,diabetes130,transactions")
    arguments = parser.parse_args()
    runs = kept("leakage").get("runs", [])
    done = {(r["table"], r["engine"], r["epsilon"]) for r in runs}
    print(HEADER, "|---" * HEADER.count(" | ") + "|---|", sep="\n")
    found = {name: (schema, read(rows, schema)) for name, (schema, rows) in tables(arguments.data).items()}
    asked = [("as it is", None), *((engine, epsilon) for engine in arguments.only.split(",") for epsilon in (1.0, 10.0))]
    for engine, epsilon in asked:
        for name in arguments.tables.split(","):
            if name in found and (name, engine, epsilon) not in done:
                runs.append(run(name, *found[name], engine, epsilon))
                keep("leakage", {"runs": runs})
                print(line(runs[-1]), flush=True)


if __name__ == "__main__":
    main()
