"""One run of one engine, ours or a peer's: fit, sample, evaluate; and a file of runs that can be taken up again.

Ours run through the command line as a user's would, so their seconds include starting Python, reading the table and writing the model;
a peer's seconds are those of its fit and sample calls alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _environments import RUNNERS, NotInstalledError, python, variables
from _machine import keep, kept, measured
from _tasks import Prepared

import tabsynth
from tabsynth.card import now
from tabsynth.models import MODELS

PEERS = {
    "dpmm-mst": ("dpmm", "mst"),
    "dpmm-aim": ("dpmm", "aim"),
    "smartnoise-mst": ("smartnoise", "mst"),
    "smartnoise-aim": ("smartnoise", "aim"),
    "smartnoise-dpctgan": ("smartnoise", "dpctgan"),
    "smartnoise-patectgan": ("smartnoise", "patectgan"),
    "mostlyai-argn": ("mostlyai", "argn"),
    "sdv-copula": ("sdv", "copula"),
    "sdv-ctgan": ("sdv", "ctgan"),
}
"""Name -> runner, method."""
NOT_PRIVATE = ("real", "sdv-copula", "sdv-ctgan")
REAL = "real"
"""The training rows released as they are: their distances are the floor, what is learned from them is the ceiling."""
DELTA = 1e-6
SCORES = ("tvd1", "tvd2", "tvd3", "auc_hgb", "ap_hgb", "auc_lr", "ap_lr", "frac_out_of_range")
MANY, PATIENCE = 1_000_000, 60
RATE = """
import sys, time, tabsynth
release, rows = tabsynth.Release.load(sys.argv[1]), int(sys.argv[2])
release.sample(1000)
started = time.perf_counter()
release.sample(rows)
print(rows / (time.perf_counter() - started))
"""


@dataclass(frozen=True)
class Options:
    """How runs are made: seconds for each, where environments live, where evaluate.py is."""

    limit: float
    environments: Path
    evaluate: Path
    again: bool = False


Key = tuple[str, float | None, int]


def everything() -> list[str]:
    """Every engine: the reference, ours, the peers."""
    return [REAL, *MODELS, *PEERS]


def key(engine: str, epsilon: float, seed: int) -> Key:
    """What a run is known by; one without privacy is the same at any epsilon."""
    return engine, None if engine in NOT_PRIVATE else epsilon, 0 if engine == REAL else seed


def done(run: dict[str, Any], limit: float) -> bool:
    """Whether a run need not be made again: it finished, or was given at least as much time as now."""
    return run["ended"] == "finished" or (run["ended"].startswith("stopped") and run["limit_s"] >= limit)


def complete(
    name: str, keys: Iterable[Key], make: Callable[[Key], dict[str, Any]], options: Options, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Make the runs that ``results/NAME.json`` lacks, keeping each as it comes; returns all in the order asked for.

    Parameters
    ----------
    name : str
    keys : iterable of (engine, epsilon, seed)
    make : function of a key
    options : Options
    settings : dict
        Kept beside the runs.
    """
    runs = {(r["engine"], r["epsilon"], r["seed"]): r for r in kept(name).get("runs", [])}
    keys = list(dict.fromkeys(keys))
    for number, k in enumerate(keys, start=1):
        if k in runs and done(runs[k], options.limit) and not options.again:
            if runs[k].get("source", source()) != source():
                print(f"{k[0]}, seed {k[2]}: kept, but measured with other code; --again repeats it", file=sys.stderr)
            continue
        engine, epsilon, seed = k
        run = {"engine": engine, "epsilon": epsilon, "seed": seed, "created": now(), "limit_s": options.limit}
        run |= {"load": round(os.getloadavg()[0], 2)} | make(k)
        runs[k] = run
        keep(name, {"settings": settings, "runs": list(runs.values())})
        print(f"{number}/{len(keys)} {engine} epsilon {epsilon} seed {seed}: {run['ended']}", file=sys.stderr)
    return [runs[k] for k in keys]


def measure(k: Key, task: Prepared, options: Options) -> dict[str, Any]:
    """One run: what it took and, where it finished, what came out."""
    engine, epsilon, seed = k
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic = folder / "synthetic.csv"
        if engine == REAL:
            run, synthetic = {"ended": "finished", "unpaid": ["everything: these are the real rows"]}, task.train
        elif engine in MODELS:
            run = ours(engine, epsilon, seed, task, folder, options.limit)
            if run["ended"] == "finished":  # a second of sampling goes to starting Python and writing the file
                run |= rate(folder / "model", max(run["sample_s"] - 1, 0.1), task.rows)
        else:
            run = measure_peer(engine, epsilon or 1.0, seed, task, folder, options)
        if run["ended"] != "finished":
            return run
        scored = measured([sys.executable, options.evaluate, task.train, task.holdout, synthetic, task.target])
        if scored.ended != "finished":
            return run | {"ended": f"the evaluation {scored.ended}"}
        scores = json.loads(scored.output)
        return run | {s: scores[s] for s in SCORES}


def ours(engine: str, epsilon: float, seed: int, task: Prepared, folder: Path, limit: float = 3600) -> dict[str, Any]:
    """Fit and sample with the command line; leaves ``folder/model`` and ``folder/synthetic.csv``."""
    model, cli = folder / "model", (sys.executable, "-m", "tabsynth")
    fit = measured(
        [*cli, "fit", task.train, "--schema", task.schema, "--epsilon", epsilon, "--model", engine, "--seed", seed,
         "--quiet", "--out", model], limit=limit)  # fmt: skip
    run = {"ended": fit.ended, "fit_s": fit.wall_s, "cpu_s": fit.cpu_s, "peak_mb": fit.peak_mb, "unpaid": [], "source": source()}
    if fit.ended != "finished":
        return run
    sample = measured(
        [*cli, "sample", model, "--rows", task.rows, "--seed", seed, "--quiet", "--out", folder / "synthetic.csv"], limit=limit
    )
    run |= {"ended": sample.ended, "sample_s": sample.wall_s, "cpu_s": round(fit.cpu_s + sample.cpu_s, 1)}
    return run | {"peak_mb": max(fit.peak_mb, sample.peak_mb), "wall_s": round(fit.wall_s + sample.wall_s, 2)}


def rate(model: Path, expected_s: float, rows: int) -> dict[str, int]:
    """Rows per second that a release draws in memory: a million of them where that should take less than a minute."""
    many = MANY if expected_s * MANY / rows < PATIENCE else rows
    ran = measured([sys.executable, "-c", RATE, model, many], limit=5 * PATIENCE)
    return {"rows_per_s": round(float(ran.output)), "rate_rows": many} if ran.ended == "finished" else {}


def source() -> str:
    """A digest of this package's code, to tell runs of other code."""
    files = sorted(Path(tabsynth.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def measure_peer(engine: str, epsilon: float, seed: int, task: Prepared, folder: Path, options: Options) -> dict[str, Any]:
    """A run of a peer in its own environment; leaves ``folder/synthetic.csv`` where it finished."""
    name, method = PEERS[engine]
    runner, result = RUNNERS / f"run_{name}.py", folder / "result.json"
    try:
        interpreter = python(runner, options.environments)
    except NotInstalledError as e:
        return {"ended": f"not installed: {e}"}
    job = {
        "method": method,
        "train": str(task.train),
        "columns": task.columns(),
        "epsilon": epsilon,
        "delta": DELTA,
        "seed": seed,
        "rows": task.rows,
        "synthetic": str(folder / "synthetic.csv"),
        "result": str(result),
        "folder": str(folder),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    ran = measured([interpreter, runner, folder / "job.json"], limit=options.limit, env=variables(runner))
    run = {"ended": ran.ended, "wall_s": ran.wall_s, "cpu_s": ran.cpu_s, "peak_mb": ran.peak_mb}
    if result.exists():  # written before the rate of sampling is measured, which may fail or run out of time
        return run | {"ended": "finished"} | json.loads(result.read_text(encoding="utf-8"))
    return run
