"""Every column of the demo tables and of the benchmark tables, synthetic beside training rows, and held-out beside training rows.

    python benchmarks/columns.py [--tables heart_uci,support2] [--engines aim,dpmm-aim] [--epsilon 1,10] [--seeds 1] [--name columns]
    python benchmarks/columns.py --ranges | --relations | --release-time | --priors

70 % of the units train, 30 % are held out, always the same ones (seed 0). What is measured is defined in `_columns.py`. Results are kept in
results/NAME.json, run after run; a run that is there is not repeated. Peers (names as in peers.py) get public ranges and labels, the columns that have
both, and a guarantee for each row.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _priors
import _ranges
import _relations
import _release_time as _time
import numpy as np
import pandas as pd
from _columns import NUMBERS, compare, explained
from _engines import PEERS, Options, measure_peer, source
from _machine import keep, kept
from _tasks import SCHEMAS, Prepared, select

import tabsynth
from tabsynth import demo_data
from tabsynth.card import now
from tabsynth.conform import read
from tabsynth.pipeline import split
from tabsynth.schema import Schema

DATA = {
    "heart_uci": ("heart_uci", "heart_uci/heart_4sites.parquet"),
    "support2": ("support2", "support2/support2.parquet"),
    "credit_default": ("credit_default", "credit_default/credit_default.parquet"),
    "creditcard": ("creditcard", "creditcard_ulb_trunc/creditcard.parquet"),
    "diabetes130": ("diabetes130", "diabetes130/diabetic_data.parquet"),
    "adult": ("adult", "adult/adult.parquet"),
    "nist_acs": ("nist_acs", "nist_acs/national2019.parquet"),
}
"""Name -> schema, file."""
DEMOS = {"patients": ("randhie", demo_data.patients), "transactions": ("completejourney", demo_data.transactions)}
TARGETS = {"mean": (0.03, 0.15), "p99": (0.05, 0.25)}
"""Wanted at epsilon 1: median and worst relative error over a table's numeric columns."""
HOLDOUT = 0.3
ALL = ",".join([*DATA, *DEMOS])
HEADER = "| table | engine | epsilon | fit s | mean: median, worst | holdout | p99: median, worst | holdout | TVD1 | explained: all / numbers | holdout: all | worst columns |"


def load(name: str, shared: Path) -> tuple[Schema, pd.DataFrame] | None:
    """Schema and conformed rows of a table, or None where its rows are not here."""
    schema_name, where = (DATA | DEMOS)[name]
    schema = Schema.load(SCHEMAS / f"{schema_name}.yaml")
    if callable(where):
        rows = where()
    elif (path := shared / "data" / where).exists():
        rows = pd.read_parquet(path)
    else:
        return None
    if name == "adult":  # the schema has underscores, and "?" where a value is missing
        rows = rows.rename(columns=lambda c: c.replace("-", "_"))
        rows = rows.fillna(dict.fromkeys(rows.select_dtypes("object").columns, "?"))
    return schema, read(rows[list(schema.names)], schema)


def run(schema: Schema, rows: pd.DataFrame, engine: str, epsilon: float, seed: int, options: Options) -> dict[str, Any]:
    """One release, and every column of it beside training rows."""
    train, holdout = split(rows, schema, HOLDOUT, 0)
    result: dict[str, Any] = {"rows": {"train": len(train), "holdout": len(holdout)}}
    started = time.perf_counter()
    if engine in PEERS:
        told, synthetic, schema = peer(schema, train, engine, epsilon, seed, options)
        result |= told
        if synthetic is None:
            return result
        release = None
    else:
        release = tabsynth.fit(train, schema, epsilon=epsilon, model=engine, seed=seed)
        result |= {"ended": "finished", "fit_s": round(time.perf_counter() - started, 1)}
        synthetic = release.sample(len(train), seed=seed)
    result["columns"] = {}
    for column in schema.modelled:
        real, other, kept_out = train[column.name], synthetic[column.name], holdout[column.name]
        found = {"synthetic": rounded(compare(column, real, other)), "holdout": rounded(compare(column, real, kept_out))}
        if release:
            inside = explained(release, column, real, other)
            control = explained(release, column, real, kept_out, noisy=False)
            found |= {"unexplained": [name for name, within in inside.items() if not within]}
            found |= {"statistics": len(inside), "holdout_unexplained": sum(not within for within in control.values())}
        result["columns"][column.name] = {"numeric": column.numeric} | found
    return result


def rounded(errors: dict[str, float]) -> dict[str, float]:
    """Four digits are enough, and the file stays small."""
    return {name: float(f"{value:.4g}") for name, value in errors.items()}


def peer(
    schema: Schema, train: pd.DataFrame, engine: str, epsilon: float, seed: int, options: Options
) -> tuple[dict[str, Any], pd.DataFrame | None, Schema]:
    """A peer's run: what is to be told of it, its table, and the schema of the columns that it was given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "whole.yaml").write_text(schema.dump(), encoding="utf-8")
        public = [c.name for c in schema.modelled if not c.discover]
        chosen = select(folder / "whole.yaml", public, None, folder / "schema.yaml")
        train[public].to_csv(folder / "train.csv", index=False)
        task = Prepared(folder / "train.csv", folder / "train.csv", chosen, "", len(train))
        told = measure_peer(engine, epsilon, seed, task, folder, options)
        known = Schema.load(chosen)
        return told, read(folder / "synthetic.csv", known) if told["ended"] == "finished" else None, known


def line(result: dict[str, Any]) -> str:
    """One row of the printed table."""
    head = [result["table"], result["engine"], f"{result['epsilon']:g}"]
    if result["ended"] != "finished":
        return f"| {' | '.join([*head, result['ended']])} |"
    columns = result["columns"]
    numeric = {name: c for name, c in columns.items() if c["numeric"]}
    cells = [*head, f"{result['fit_s']:.0f}"]
    for number in TARGETS:
        for side in ("synthetic", "holdout"):
            errors = [c[side][number] for c in numeric.values() if number in c[side]]
            cells.append(f"{median(errors):.1%}, {max(errors):.1%}" if errors else "–")
    cells.append(f"{np.mean([c['synthetic']['tvd'] for c in columns.values()]):.4f}")
    told = [c for c in columns.values() if "statistics" in c]
    total = sum(c["statistics"] for c in told)
    cells.append(f"{inside(told)} / {inside([c for c in told if c['numeric']], NUMBERS)}" if told else "–")
    cells.append(f"{1 - sum(c['holdout_unexplained'] for c in told) / total:.1%}" if total else "–")
    return f"| {' | '.join([*cells, worst(numeric)])} |"


def inside(columns: list[dict[str, Any]], names: tuple[str, ...] = ()) -> str:
    """Share of the statistics (of the `names`, where some are given) that noise explains."""
    total = sum(len(names) or c["statistics"] for c in columns)
    outside = sum(not names or name in names for c in columns for name in c["unexplained"])
    return f"{1 - outside / total:.1%}" if total else "–"


def worst(numeric: dict[str, Any], most: int = 3) -> str:
    """The columns with the largest errors of mean or p99, by name."""
    errors = {name: [(c["synthetic"].get(number, 0.0), number) for number in TARGETS] for name, c in numeric.items()}
    order = sorted(errors, key=lambda name: -max(errors[name])[0])[:most]
    return ", ".join(f"{name} ({max(errors[name])[1]} {max(errors[name])[0]:.0%})" for name in order)


def verdict(runs: list[dict[str, Any]]) -> str:
    """How many of the tables at epsilon 1 reach the targets, engine by engine."""
    lines = []
    for engine in dict.fromkeys(r["engine"] for r in runs):
        reached = {}
        for r in runs:
            if (r["engine"], r["epsilon"], r["ended"]) == (engine, 1.0, "finished"):
                errors = {n: [c["synthetic"][n] for c in r["columns"].values() if n in c["synthetic"]] for n in TARGETS}
                missed = [
                    n for n, (mid, top) in TARGETS.items() if errors[n] and (median(errors[n]) > mid or max(errors[n]) > top)
                ]
                reached[f"{r['table']}, seed {r['seed']}"] = ", ".join(missed) or "reached"
        lines += [f"- {engine}, {name}: {told}" for name, told in reached.items()]
    return "\n".join(lines)


def complete(
    name: str,
    asked: list[tuple[Any, ...]],
    make: Callable[..., dict[str, Any] | None],
    show: Callable[[dict[str, Any]], str],
    fields: tuple[str, ...],
    again: bool,
) -> list[dict[str, Any]]:
    """Make the runs that results/NAME.json lacks, keep each as it comes, print all; a run is known by its `fields`."""
    done = {tuple(r[f] for f in fields): r for r in kept(name).get("runs", [])}
    for key in asked:
        if again or key not in done or done[key].get("ended", "").startswith("failed"):
            load = round(os.getloadavg()[0], 2)
            if (result := make(*key)) is None:
                continue
            done[key] = dict(zip(fields, key, strict=True)) | {"created": now(), "source": source(), "load": load} | result
            keep(name, {"runs": list(done.values())})
        elif done[key]["source"] != source():
            print(f"{key}: kept, but measured with other code; --again repeats it", file=sys.stderr)
        print(show(done[key]), flush=True)
    return [done[key] for key in asked if key in done]


def title(header: str) -> None:
    """Head of a table."""
    print(header, "|---" * header.count(" | ") + "|---|", sep="\n", flush=True)


def tables(arguments: argparse.Namespace) -> None:
    """The comparison of all columns."""
    options = Options(arguments.limit, arguments.environments, Path())
    rows: dict[str, Any] = {}

    def make(table: str, engine: str, epsilon: float, seed: int) -> dict[str, Any] | None:
        if table not in rows:
            rows.clear()
            rows[table] = load(table, arguments.data)
        return rows[table] and run(*rows[table], engine, epsilon, seed, options)

    asked = [
        (table, engine, float(epsilon), seed)
        for epsilon in arguments.epsilon.split(",")
        for table in arguments.tables.split(",")
        for engine in arguments.engines.split(",")
        for seed in range(arguments.seeds)
    ]
    title(HEADER)
    runs = complete(arguments.name or "columns", asked, make, line, ("table", "engine", "epsilon", "seed"), arguments.again)
    print("\nAgainst the targets at epsilon 1 (mean and p99; median, worst of the numeric columns):", verdict(runs), sep="\n")


def ranges(arguments: argparse.Namespace) -> None:
    """What a range that is too wide does."""
    title(_ranges.HEADER)
    fields = ("shape", "whole", "n", "epsilon")
    runs = complete(arguments.name or "ranges", _ranges.keys(), _ranges.measure, _ranges.line, fields, arguments.again)
    print("", _ranges.summary(runs), sep="\n")


def relations(arguments: argparse.Namespace) -> None:
    """What happens to links, parity and causes."""
    title(_relations.HEADER)
    fields = ("table", "engine", "epsilon", "seed")
    names = arguments.tables.split(",") if arguments.tables != ALL else list(_relations.TABLES)
    asked = [
        (name, engine, epsilon, seed)
        for name in names
        for engine in arguments.engines.split(",")
        for epsilon in (1.0, 10.0)
        for seed in range(arguments.seeds)
    ]
    runs = complete(arguments.name or "relations", asked, _relations.measure, _relations.line, fields, arguments.again)
    print("", _relations.summary(runs), sep="\n")


def release_time(arguments: argparse.Namespace) -> None:
    """Seconds of a whole release."""
    title(_time.HEADER)
    asked = [(_time.ROWS, _time.COLUMNS, engine) for engine in arguments.engines.split(",")]
    complete(arguments.name or "release_time", asked, _time.measure, _time.line, ("rows", "columns", "engine"), arguments.again)


def priors(arguments: argparse.Namespace) -> None:
    """Small tables with and without a prior."""
    title(_priors.HEADER)
    asked = [(table, what, seed) for table in _priors.ROWS for what in _priors.WHAT for seed in range(arguments.seeds)]
    measure = partial(_priors.measure, partial(load, shared=arguments.data))
    complete(arguments.name or "priors", asked, measure, _priors.line, ("table", "what", "seed"), arguments.again)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--tables", default=ALL, help="names, separated by commas")
    parser.add_argument("--engines", default="aim")
    parser.add_argument("--epsilon", default="1")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=float, default=3600, help="seconds that a peer's run may take")
    parser.add_argument("--environments", type=Path, default=Path.home() / ".cache/tabsynth-benchmarks")
    parser.add_argument("--name", help="results/NAME.json; by default columns, ranges, relations, release_time or priors")
    parser.add_argument("--again", action="store_true", help="repeat runs that are there already")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--ranges", action="store_const", dest="part", const=ranges, help="public ranges that are too wide")
    part.add_argument("--relations", action="store_const", dest="part", const=relations, help="links, parity, causes")
    part.add_argument("--release-time", action="store_const", dest="part", const=release_time, help="seconds of a release")
    part.add_argument("--priors", action="store_const", dest="part", const=priors, help="small tables with and without a prior")
    arguments = parser.parse_args()
    (arguments.part or tables)(arguments)


if __name__ == "__main__":
    main()
