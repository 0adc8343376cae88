"""tabsynth beside its peers, on one split, one engine after the other, each peer in an environment of its own.

    python benchmarks/peers.py --data ../shared [--only aim,dpmm-mst] [--epsilon 1] [--seeds 1] [--task adult] [--limit 1200]
                               [--environments DIR] [--again]

`--data` holds ``reference/split_adult.py``, ``reference/evaluate.py`` and ``data``. Environments (about 6 GB in all) are made on first use
with pinned versions. A run that ``results/peers_TASK_EPSILON.json`` already holds is not repeated unless `--again`. Every score comes from
evaluate.py; `load` in the file tells how busy the machine was when a run began. Peers get public ranges and labels where they take
them; what they read off the real rows without paying is listed with each.
All guarantees are per row, at delta 1e-6. Missing: google/dpsynth, which asks for Python 3.12 and unreleased versions of other packages, and
mbi's reference mechanisms, which are no package (smartnoise-mst and smartnoise-aim run the same algorithms on an older mbi).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from _engines import DELTA, REAL, Key, Options, complete, everything, key, measure
from _tasks import prepare

ENVIRONMENTS = Path.home() / ".cache" / "tabsynth-benchmarks"
HEADER = "engine|fit s|sample s|rows/s|CPU s|RSS MB|TVD1|TVD2|TVD3|AUC/AP boosting|AUC/AP logistic|unpaid".split("|")  # noqa: SIM905


def table(runs: list[dict[str, Any]]) -> str:
    """A markdown table of runs: means over seeds, one row an engine, what did not finish last with the reason."""
    engines: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        engines.setdefault(run["engine"], []).append(run)
    rows, rest = [], []
    for engine, some in engines.items():
        finished = [r for r in some if r["ended"] == "finished"]
        if engine == REAL:
            rows += reference(finished)
        elif finished:
            rows.append(line(engine, finished))
        rest += [f"- {engine}, seed {r['seed']}: {r['ended']}" for r in some if r["ended"] != "finished"]
    text = "\n".join("| " + " | ".join(row) + " |" for row in [HEADER, ["---"] * len(HEADER), *rows])
    unpaid = [
        f"- {engine}: {'; '.join(some[0]['unpaid'])}"
        for engine, some in engines.items()
        if engine != REAL and some[0].get("unpaid")
    ]
    for title, lines in (("Did not finish:", rest), ("Unpaid:", unpaid)):
        text += f"\n\n{title}\n" + "\n".join(lines) if lines else ""
    return text


def line(engine: str, runs: list[dict[str, Any]]) -> list[str]:
    """One engine's cells."""

    def average(name: str, form: str) -> str:
        values = [r[name] for r in runs if r.get(name) is not None]
        return format(mean(values), form) if values else "–"

    cells = [average("fit_s", ".1f"), average("sample_s", ".2f"), average("rows_per_s", ",.0f")]
    cells += [average("cpu_s", ".0f"), average("peak_mb", ".0f")]
    cells += [average(f"tvd{k}", ".4f") for k in (1, 2, 3)]
    cells += [f"{average(f'auc_{m}', '.3f')}/{average(f'ap_{m}', '.3f')}" for m in ("hgb", "lr")]
    return [engine, *cells, str(len(runs[0].get("unpaid", [])))]


def reference(runs: list[dict[str, Any]]) -> list[list[str]]:
    """The two rows that the real training table gives."""
    if not runs:
        return []
    cells = line(REAL, runs)
    return [
        ["real rows: floor of distances", *"–––––", *cells[6:9], "–", "–", "–"],
        ["real rows: ceiling of use", *"––––––––", *cells[9:11], "–"],
    ]


def parser(description: str) -> argparse.ArgumentParser:
    """The options that comparisons share."""
    out = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("--data", type=Path, required=True)
    out.add_argument("--seeds", type=int, default=1)
    out.add_argument("--task", choices=("adult", "patient", "creditcard"), default="adult")
    out.add_argument("--limit", type=float, default=1200, help="seconds a run may take")
    out.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    out.add_argument("--again", action="store_true", help="repeat runs that are there already")
    return out


def chosen(text: str | None, allowed: list[str]) -> list[str]:
    """Names from a comma-separated list; all of them where there is none."""
    names = text.split(",") if text else allowed
    unknown = sorted(set(names) - set(allowed))
    if unknown:
        raise SystemExit(f"there is no engine {', '.join(unknown)}; use {', '.join(allowed)}")
    return names


def compare(name: str, keys: list[Key], options: argparse.Namespace, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Prepare the task and make the runs."""
    how = Options(options.limit, options.environments, (options.data / "reference/evaluate.py").resolve(), options.again)
    with tempfile.TemporaryDirectory() as folder:
        task = prepare(options.task, options.data, Path(folder))
        settings = {"task": options.task, "target": task.target, "rows": task.rows, "delta": DELTA} | settings
        return complete(name, keys, lambda k: measure(k, task, how), how, settings)


def main() -> None:
    """Measure, keep and print."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--only", help="engines, separated by commas; default: all")
    options_of.add_argument("--epsilon", type=float, default=1.0)
    options = options_of.parse_args()
    names = chosen(options.only, everything())
    keys = [key(engine, options.epsilon, seed) for engine in names for seed in range(options.seeds)]
    name = f"peers_{options.task}_{options.epsilon:g}"
    print(table(compare(name, keys, options, {"epsilon": options.epsilon})))


if __name__ == "__main__":
    main()
