"""All layers of the audit on one engine, and what they found as plain data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabsynth.access import Progress, silent
from tabsynth.curator.ledger import Budget, epsilon_of
from tabsynth.fit import FAILURE_SHARE, fit_with
from tabsynth.validate.audit import neighbours
from tabsynth.validate.audit.blackbox import blackbox
from tabsynth.validate.audit.differences import differences
from tabsynth.validate.audit.engines import engine
from tabsynth.validate.audit.ledger import recomputed
from tabsynth.validate.audit.likelihood import Claim, bound, ideal
from tabsynth.validate.audit.neighbours import Pair
from tabsynth.validate.audit.noise import residuals, sampling
from tabsynth.validate.audit.transcripts import Transcripts, transcripts

DELTA = 1e-5
ADD, REPLACE = "add", "replace"


@dataclass(frozen=True)
class Tier:
    """How much is run.

    Parameters
    ----------
    runs : int
        Fits in each world of `worst`, on which the bounds that are printed rest.
    fewer : int
        Fits in each world of every other pair.
    worst, others : sequence of Pair
        `worst` is where every answer of every engine moves as far as it may.
    fits : int
        In each world of `shown`, for what is not noise.
    shown : sequence of Pair
    """

    runs: int
    fewer: int
    others: tuple[Pair, ...]
    fits: int
    shown: tuple[Pair, ...]
    worst: Pair


_WORST = neighbours.rare_category()
_OTHERS = (
    neighbours.worst_case(), neighbours.worst_case(REPLACE), neighbours.bought(), neighbours.bought(REPLACE), neighbours.zeros(),
    neighbours.zeros(REPLACE), neighbours.new_values(), neighbours.rare_category(REPLACE), neighbours.heavy_unit(), neighbours.heavy_unit(REPLACE),
    neighbours.only_unit(), neighbours.usual_table(), neighbours.combination(),
)  # fmt: skip
_SHOWN = tuple(
    pair
    for make in (neighbours.new_values, neighbours.rare_category, neighbours.heavy_unit, neighbours.only_unit)
    for pair in (make(ADD), make(REPLACE))
)
TIERS = {
    "commit": Tier(300, 100, (neighbours.bought(), neighbours.worst_case(REPLACE)), 20, (neighbours.new_values(),), _WORST),
    "nightly": Tier(1_000, 100, _OTHERS, 20, _SHOWN, _WORST),
    "release": Tier(10_000, 1_000, _OTHERS, 20, _SHOWN, _WORST),
}


def audit(
    name: str, *, tier: str = "commit", epsilon: float = 8.0, delta: float = DELTA, seed: int = 0, progress: Progress = silent
) -> dict[str, Any]:
    """Attack one engine's guarantee in every way there is here.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    tier : str
        One of `TIERS`.
    epsilon, delta : float
        What is claimed. Bounds are tightest around epsilon 8.
    seed : int
        Of the engine's own choices.

    Returns
    -------
    dict
        ``alarms`` lists what broke the claim, in sentences; empty, as it should be. ``stages`` holds claimed, proven and provable mu
        of every stage and pair, ``total`` the same for all stages together on the worst pair, with epsilons.
    """
    started, todo, algorithm, budget = time.monotonic(), TIERS[tier], engine(name), Budget(epsilon, delta, FAILURE_SHARE)
    pairs = [(todo.worst, todo.runs), *((pair, todo.fewer) for pair in todo.others)]
    result: dict[str, Any] = {
        "engine": name,
        "tier": tier,
        "epsilon": epsilon,
        "delta": delta,
        "stages": [],
        "noise": {},
        "alarms": [],
    }
    for i, (pair, runs) in enumerate(pairs):
        progress(f"{name}: {pair.name}", i / (len(pairs) + 1))
        spent = replace(budget, epsilon=min(epsilon, pair.epsilon or epsilon))
        heard = [transcripts(algorithm, pair, spent, world, runs, seed) for world in (0, 1)]
        judge(pair, heard, spent, result)
    progress(f"{name}: what is not noise", len(pairs) / (len(pairs) + 1))
    for pair in todo.shown:
        result["alarms"] += [f"differences: {found}" for found in differences(algorithm, pair, budget, fits=todo.fits, seed=seed)]
    card = fit_with(algorithm, todo.worst.having, todo.worst.schema, budget).card
    result["alarms"] += [f"ledger: {found}" for found in recomputed(card)]
    return result | {"seconds": round(time.monotonic() - started, 1)}


def judge(pair: Pair, heard: Sequence[Transcripts], budget: Budget, result: dict[str, Any]) -> None:
    """Hold the transcripts of both worlds against what was paid for, and add what was found to `result`."""
    alarms = sorted({f"ledger: {what}" for world in heard for what in world.complaints})
    runs = len(heard[0].samples)
    for stage in heard[0].scores:
        claim = _claim(stage, heard[0], pair)
        found = bound(*(world.scores[stage] for world in heard), claim)
        result["stages"].append(
            {
                "pair": pair.name, "stage": stage, "runs": runs, "claimed": claim.most(0.1), "proven": found.mu,
                "provable": ideal(claim, runs), "fpr": found.fpr, "fnr": found.fnr,
            }
        )  # fmt: skip
        if found.broken:
            alarms.append(f"likelihood: {stage} shows mu {found.mu:.3g} at least, {claim.most(found.fpr):.3g} was paid for")
    tests, wrong = residuals({stage: [*heard[0].residuals[stage], *heard[1].residuals[stage]] for stage in heard[0].residuals})
    for world in heard:
        wrong += sampling(world.batches, world.streams[0][0]) if world.batches and world.batches[0].size else []
    seen = blackbox(heard[0].samples, heard[1].samples, budget.delta)
    if seen["surely"] > pair.factor * budget.epsilon:
        alarms.append(f"black box: synthetic rows show epsilon {seen['surely']:.3g} at least, {budget.epsilon:g} is claimed")
    if not result["noise"]:
        total = result["stages"][-1]
        in_epsilon = {f"epsilon_{k}": epsilon_of(total[k] ** 2 / 2, budget.delta) for k in ("proven", "provable")}
        result |= {"noise": tests, "total": total | in_epsilon, "blackbox": seen}
    result["alarms"] += [f"{alarm} ({pair.name})" for alarm in alarms + [f"noise: {w}" for w in wrong]]


def _claim(stage: str, heard: Transcripts, pair: Pair) -> Claim:
    """What was paid for a stage, or for all of them."""
    rho = sum(heard.rho.values()) if stage == "total" else heard.rho.get(stage, 0.0)
    streams = heard.streams if stage in ("total", "gradient") else ()
    return Claim(rho, streams, int(pair.factor))
