"""Attack the guarantee itself: fits of the engines on tables that differ by one unit, and what their curator lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabsynth.access import Progress, silent
from tabsynth.card import environment, now, version
from tabsynth.errors import OptionError
from tabsynth.release import check_seed

FORMAT, VERSION = "tabsynth.audit", 1


def audit(
    engines: str | Sequence[str] | None = None,
    *,
    tier: str = "commit",
    epsilon: float = 8.0,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Lower bounds on what engines really leak, beside what they claim, as plain data. All tables are made up, so it is public.

    Parameters
    ----------
    engines : sequence of str, or str with commas, optional
        Names of models, ``probe`` (asks the curator all there is to ask) and ``probe with gradients``; by default all whose extras are
        installed.
    tier : str
        ``commit`` (a minute or so an engine), ``nightly`` (some minutes), ``release`` (hours): more fits make tighter bounds.
    epsilon : float
        What is claimed in all fits; bounds are tightest around 8.
    seed : int
        Of the engines' own choices; noise has none.
    workers : int
        Engines audited at a time, each in a process of its own.
    progress : callable, optional

    Returns
    -------
    dict
        Conforms to ``schemas/audit.schema.json``; ``alarms`` of an engine are empty where its claim held.

    Raises
    ------
    OptionError
        If an argument is not one of those.
    """
    from joblib import Parallel, delayed

    from tabsynth.curator.ledger import Budget
    from tabsynth.validate.audit.engines import ENGINES, engine, installed
    from tabsynth.validate.audit.run import DELTA, TIERS
    from tabsynth.validate.audit.run import audit as run

    asked = installed() if engines is None else [n.strip() for n in (engines.split(",") if isinstance(engines, str) else engines)]
    if unknown := [name for name in asked if name not in ENGINES] or (["nothing"] if not asked else []):
        raise OptionError(f"engines names {', '.join(map(repr, unknown))}; allowed are {', '.join(ENGINES)}.")
    if tier not in TIERS:
        raise OptionError(f"tier is {tier!r}; allowed are {', '.join(TIERS)}.")
    if not (isinstance(workers, int) and workers >= 1):
        raise OptionError(f"workers is {workers!r}; give a whole number from 1.")
    Budget(epsilon, DELTA)
    check_seed(seed)
    for name in asked:
        engine(name)

    def told(i: int) -> Progress:
        """Processes of their own tell nothing until an engine is done."""
        return (lambda what, done: progress(what, (i + done) / len(asked))) if workers == 1 else silent

    jobs = (delayed(run)(name, tier=tier, epsilon=epsilon, seed=seed, progress=told(i)) for i, name in enumerate(asked))
    results: dict[str, Any] = {}
    progress("auditing", 0.0)
    for result in Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
        results[result["engine"]] = result
        progress("auditing", len(results) / len(asked))
    about = {"format": FORMAT, "version": VERSION, "created": now(), "tabsynth": version(), "environment": environment()}
    return about | {"tier": tier, "epsilon": epsilon, "delta": DELTA, "engines": [results[name] for name in asked]}


def summary(document: Mapping[str, Any]) -> list[str]:
    """What `audit` found, in lines for a terminal."""
    lines = [
        f"Claimed: epsilon {document['epsilon']:g}, delta {document['delta']:g}. Proven: at least that much leaks, from so many fits in each "
        "of two worlds. Provable: what a perfect implementation shows with as many fits.",
        f"{'engine':<22}{'fits':>7}{'proven':>9}{'provable':>10}{'of it':>7}{'rows alone':>12}{'alarms':>8}{'seconds':>9}",
    ]
    for found in document["engines"]:
        total = found["total"]
        proven, provable = total["epsilon_proven"], total["epsilon_provable"]
        lines.append(
            f"{found['engine']:<22}{total['runs']:>7}{proven:>9.2f}{provable:>10.2f}{proven / provable:>7.0%}"
            f"{found['blackbox']['epsilon']:>12.2f}{len(found['alarms']):>8}{found['seconds']:>9.0f}"
        )
    lines += [f"ALARM  {found['engine']}: {alarm}" for found in document["engines"] for alarm in found["alarms"]]
    return lines
