"""Made-up tables whose relations must not break:  python benchmarks/columns.py --relations

- ``parity k``: seven fair coins, and y, the parity of the first k of them, flipped in 5 % of the rows (after the exclusive-or stress test of Microsoft's
  DPSDA). No fewer than k + 1 columns together show anything.
- ``causes``: a small structural causal model (after the one of DPSDA): season -> load -> heat (a square) -> failure, with a sensor that reads the load
  times the heat.
- ``links``: an amount if and only if an event (1 %), a wage if and only if an employee (60 %), three answers refused together (-9, in 5 % of the rows). ``wide links``: the same among 13 more columns.

`tvd3` is the mean total variation distance of all tables of three columns (numbers in 8 bins of the real quantiles, heavy values alone) to a fresh table of
the same kind; `auc` that of y or failure, predicted for fresh rows by what rows of the synthetic table say; `broken` the share of rows that break a rule.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import tabsynth
from tabsynth.schema import Schema

FLIPPED, EVENTS, EMPLOYED, REFUSED, SENTINEL = 0.05, 0.01, 0.6, 0.05, -9
ANSWERS = ("q1", "q2", "q3")
BINS, COINS, OTHERS = 8, 7, 13
HEADER = "| table | engine | epsilon | fit s | TVD3 | of fresh real rows | AUC | of real rows | broken links | pairs kept |"


def parity(k: int, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Coins x1 to x7 and y, the parity of the first `k`, flipped in `FLIPPED` of the rows."""
    coins = rng.integers(0, 2, (n, COINS))
    y = (coins[:, :k].sum(axis=1) + (rng.random(n) < FLIPPED)) % 2
    return pd.DataFrame({f"x{i + 1}": coins[:, i] for i in range(COINS)} | {"y": y})


def causes(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Season -> load -> heat -> failure, and a sensor of load times heat."""
    season = rng.integers(0, 4, n)
    load = np.clip(20 + 10 * season + rng.normal(0, 8, n), 0, 100)
    heat = np.clip(load**2 / 50 + rng.normal(0, 10, n), 0, 250)
    sensor = np.clip(load * heat / 50 + rng.normal(0, 15, n), 0, 600)
    failure = rng.random(n) < 1 / (1 + np.exp(-(heat - 0.4 * sensor - 10) / 8))
    numbers = {"load": load.round(1), "heat": heat.round(1), "sensor": sensor.round(1)}
    return pd.DataFrame({"season": season} | numbers | {"failure": failure.astype(np.int64)})


def links(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Event and amount, worker and wage, three answers that are refused together."""
    event = rng.random(n) < EVENTS
    amount = np.where(event, np.clip(rng.lognormal(6, 1, n), 1, 20_000), 0).round(2)
    worker = rng.choice(["employee", "self-employed", "none"], n, p=[EMPLOYED, 0.1, 0.3])
    wage = np.where(worker == "employee", np.clip(rng.lognormal(7.8, 0.5, n), 100, 20_000).round(), np.nan)
    refused = rng.random(n) < REFUSED
    answers = {q: np.where(refused, SENTINEL, rng.integers(0, 51, n)) for q in ANSWERS}
    return pd.DataFrame({"event": event.astype(np.int64), "amount": amount, "worker": worker, "wage": wage} | answers)


def wide_links(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """`links` among `OTHERS` more columns, which follow each other in chains and share the budget."""
    table, before = links(n, rng), rng.normal(size=n)
    for i in range(OTHERS):
        before = 0.6 * before + 0.8 * rng.normal(size=n)
        table[f"z{i + 1}"] = np.clip(np.rint(10 + 4 * before), 0, 20).astype(np.int64)
    return table


def broken_links(table: pd.DataFrame) -> dict[str, float]:
    """Shares of the rows of `links` that break a rule; and how many rows have event and amount."""
    amount, event = table.amount.astype(float).to_numpy() > 0, table.event.to_numpy() == 1
    wage, employee = table.wage.notna().to_numpy(), table.worker.to_numpy() == "employee"
    refused = sum((table[q].to_numpy() == SENTINEL).astype(int) for q in ANSWERS)
    return {
        "amount without event": float((amount & ~event).mean()),
        "event without amount": float((event & ~amount).mean()),
        "wage without employee": float((wage & ~employee).mean()),
        "employee without wage": float((employee & ~wage).mean()),
        "refused in part": float(((refused > 0) & (refused < len(ANSWERS))).mean()),
        "pairs of event and amount": float((event & amount).mean()),
    }


def _flag(*labels: int) -> dict[str, Any]:
    return {"kind": "categorical", "labels": list(labels or (0, 1)), "nullable": False}


def _number(low: float, high: float, decimals: int | None = None, *, nullable: bool = False) -> dict[str, Any]:
    kind = {"kind": "integer"} if decimals is None else {"kind": "float", "decimals": decimals}
    return kind | {"minimum": low, "maximum": high, "nullable": nullable}


LINKS: dict[str, Any] = {
    "event": _flag(),
    "amount": _number(0, 20_000, 2),
    "worker": {"kind": "categorical", "labels": ["employee", "self-employed", "none"], "nullable": False},
    "wage": _number(0, 20_000, nullable=True),
    **{q: _number(SENTINEL, 50) for q in ANSWERS},
}
CAUSES = {"season": _flag(0, 1, 2, 3)} | {
    name: _number(0, most, 1) for name, most in (("load", 100), ("heat", 250), ("sensor", 600))
}
COLUMNS = {f"x{i + 1}": _flag() for i in range(COINS)} | {"y": _flag()}
TABLES: dict[str, tuple[Callable[[int, np.random.Generator], pd.DataFrame], dict[str, Any], str | None, int]] = {
    **{f"parity {k}": (partial(parity, k), COLUMNS, "y", 100_000) for k in range(1, COINS + 1)},
    "causes": (causes, CAUSES | {"failure": _flag()}, "failure", 50_000),
    "links": (links, LINKS, None, 50_000),
    "wide links": (wide_links, LINKS | {f"z{i + 1}": _number(0, 20) for i in range(OTHERS)}, None, 50_000),
}
"""Name -> maker, columns, target, rows."""


def measure(table: str, engine: str, epsilon: float, seed: int) -> dict[str, Any]:
    """One release of one table."""
    make, columns, target, n = TABLES[table]
    document = {"name": "made-up", "columns": columns} | ({"target": target} if target else {})
    rng = np.random.default_rng(seed)
    train, fresh = make(n, rng), make(n, rng)
    started = time.perf_counter()
    release = tabsynth.fit(train, Schema.from_dict(document), epsilon=epsilon, model=engine, seed=seed)
    result = {"fit_s": round(time.perf_counter() - started, 1)}
    synthetic = release.sample(n, seed=seed)
    result |= {"tvd3": tvd3(fresh, synthetic), "tvd3_real": tvd3(fresh, train)}
    if target:
        result |= {"auc": auc(synthetic, fresh, target), "auc_real": auc(train, fresh, target)}
    return result | ({"broken": broken_links(synthetic), "real": broken_links(train)} if table.endswith("links") else {})


def coded(real: pd.DataFrame, other: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Codes of both tables; numbers with many values in `BINS` bins of the real quantiles, heavy values alone."""
    columns = []
    for name in real:
        both = pd.concat([real[name], other[name].astype(real[name].dtype, copy=False)], ignore_index=True)
        if pd.api.types.is_numeric_dtype(both) and both.nunique() > 2 * BINS:
            cuts = np.unique(np.quantile(real[name].dropna(), np.linspace(0, 1, BINS + 1)))
            edges = np.unique(np.concatenate([cuts, np.nextafter(cuts, np.inf)]))
            columns.append(np.where(both.isna(), 0, 1 + np.searchsorted(edges, both.fillna(0).to_numpy(float), side="right")))
        else:
            columns.append(pd.factorize(both)[0] + 1)
    codes = np.column_stack(columns).astype(np.int64)
    return codes[: len(real)], codes[len(real) :]


def tvd3(real: pd.DataFrame, other: pd.DataFrame) -> float:
    """Mean total variation distance of all tables of three columns."""
    a, b = coded(real, other)
    sizes, distances = np.maximum(a.max(axis=0), b.max(axis=0)) + 1, []
    for triple in itertools.combinations(range(a.shape[1]), 3):
        shape = sizes[list(triple)]
        held = [np.bincount(np.ravel_multi_index(t[:, triple].T, shape), minlength=int(shape.prod())) / len(t) for t in (a, b)]
        distances.append(np.abs(held[0] - held[1]).sum() / 2)
    return round(float(np.mean(distances)), 5)


def auc(train: pd.DataFrame, fresh: pd.DataFrame, target: str) -> float:
    """AUC on fresh rows of the share of the target among the training rows that agree in all (binned) columns; rows seen nowhere get the mean."""
    from sklearn.metrics import roc_auc_score

    kept = [c for c in fresh if c != target]
    codes, asked = coded(train[kept].astype(float), fresh[kept].astype(float))
    known = pd.DataFrame(codes).assign(y=train[target].to_numpy(dtype=float)).groupby(list(range(len(kept)))).y
    prior = float(train[target].astype(float).mean())
    smooth = ((known.sum() + prior) / (known.count() + 1)).to_dict()
    return round(float(roc_auc_score(fresh[target].to_numpy(int), [smooth.get(tuple(row), prior) for row in asked.tolist()])), 4)


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [result["table"], result["engine"], f"{result['epsilon']:g}", f"{result['fit_s']:.0f}"]
    cells += [f"{result['tvd3']:.4f}", f"{result['tvd3_real']:.4f}"]
    cells += [f"{result[name]:.3f}" if name in result else "–" for name in ("auc", "auc_real")]
    broken = dict(result.get("broken", {}))
    pairs = broken.pop("pairs of event and amount", None)
    cells.append(", ".join(f"{name} {share:.2%}" for name, share in broken.items()) or "–")
    cells.append("–" if pairs is None else f"{pairs / result['real']['pairs of event and amount']:.0%}")
    return f"| {' | '.join(cells)} |"


def summary(runs: list[dict[str, Any]]) -> str:
    """What more budget buys: broken links and TVD3 at the largest epsilon over those at the smallest."""
    lines = []
    for key in dict.fromkeys((r["table"], r["engine"], r["seed"]) for r in runs):
        some = sorted((r for r in runs if (r["table"], r["engine"], r["seed"]) == key), key=lambda r: r["epsilon"])
        if len(some) > 1:
            told = [f"TVD3 above that of real rows x {excess(some[-1]) / max(excess(some[0]), 1e-9):.2f}"]
            if "broken" in some[0]:
                first, last = (sum(v for n, v in r["broken"].items() if not n.startswith("pairs")) for r in (some[0], some[-1]))
                told.append(f"broken links x {last / max(first, 1e-9):.2f}")
            lines.append(f"- {key[0]}, {key[1]}: epsilon {some[0]['epsilon']:g} to {some[-1]['epsilon']:g}: {', '.join(told)}")
    return "\n".join(lines)


def excess(result: dict[str, Any]) -> float:
    """TVD3 above what fresh real rows have."""
    return max(result["tvd3"] - result["tvd3_real"], 0.0)
