"""NOT PRIVATE. Attack A7, attribute inference: is a secret guessed more often for training units than for unseen ones?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from tabsynth.errors import OptionError
from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate.attacks._asked import Asked, everyone
from tabsynth.validate.attacks._challenge import SYNTHETIC_ROWS, Challenge
from tabsynth.validate.attacks._inference import one_row_each
from tabsynth.validate.attacks._learners import NEAREST, Guesses, guessed
from tabsynth.validate.attacks._power import PLANTED, POWER_ROWS, WHOLE, by_guarantee, confirmed, planted
from tabsynth.validate.attacks._resplit import Differences, differences, unexplained
from tabsynth.validate.attacks._secrets import MINIMUM, TOLERANCE, Secret, secrets_of
from tabsynth.validate.attacks.statistics import halves
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.intervals import Interval, needed_factor, newcombe, normal_quantile

SECRETS = 8
"""Columns attacked unless some are named."""
ROWS = 40_000
"""Units are drawn until they have about this many rows on each side: half an interval is then below one percentage point."""
CONFIDENT = 0.9
"""An attacker guesses only where it is more confident than in this share of the cases."""


def check(evidence: Evidence, challenge: Challenge, secrets: Sequence[str] | None = None) -> list[Finding]:
    """Guess each secret from all other columns, with attackers trained on synthetic rows only.

    The attackers are the nearest synthetic row (numbers as ranks, as in Gower's distance), a random forest and gradient
    boosting. What they achieve on non-members is inference about the population, which any useful table allows; what they achieve
    on members beyond that is leakage. Asked about are all units of the training and holdout tables and all their rows; a unit
    counts once, by the share of its rows that were guessed right. Differences are those of what real rows alone do not predict
    (`unexplained`), and intervals, for all attackers and columns together, come from splitting the units again (`differences`). The
    attacker is chosen on a random half of the units, and the value is its difference on the other half. A missing secret is not guessed.

    A pass needs more than small bounds: with the training rows in the synthetic table's place, the nearest row has to be
    noticed, its interval above 0, on the same column. A difference that is noticed and surely within the tolerance is no failure: a table
    that keeps the training rows' frequencies is always a little nearer to them, and with enough rows that shows. Where not even that makes a difference for any attacker beyond what is tolerated, because everybody's value is
    guessed right from the population or nobody's can be told from other columns, the column is harmless, and passes too. That 5 % copies
    would be noticed is reported and not required: they let at most 5 % of members be guessed better, which is within the tolerance.

    Where the release's guarantee can be relied on, a right guess about a unit is an event that it bounds, because the attackers learn
    from the release alone: its probability for a member is at most ``tpr(p)``, where p is that for the same unit left out, and for
    averages, because the curve is concave. Where ``tpr(p) - p`` is at most what is tolerated for all p in the interval of the
    non-members' rate, a column passes by the guarantee, unless the measurement fails.

    Parameters
    ----------
    secrets : sequence of str, optional
        Default: the target, then the other columns in the schema's order, 8 in all.

    Raises
    ------
    OptionError
        If a secret is not a modelled column of the schema.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2 (inference); NIST Collaborative Research Cycle (rarity weights);
    Francis and Wagner (2025), arXiv 2507.01710 (precision and recall of confident guesses); Yeom et al. (2018), CSF (attribute advantage).
    """
    columns = [evidence.schema[name] for name in _names(evidence, secrets)]
    asked = everyone(evidence, ROWS)
    tasks = secrets_of(evidence, asked, challenge.synthetic, columns)
    secret = [each for each in tasks if isinstance(each, Secret)]
    judged = iter(_judged(evidence, asked, secret) if secret else ())
    return [
        Finding(f"attacks.attribute.{column.name}", _title(column), None, reference=0.0, note=task)
        if isinstance(task, str)
        else next(judged)
        for column, task in zip(columns, tasks, strict=True)
    ]


def outlook(
    members: int, others: int, columns: int, rows: int, tolerated: float, guarantee: Tradeoff | None
) -> tuple[str | None, int | None]:
    """What would settle the claim, for a release that leaks nothing: that all columns pass has then a probability of 90 %.

    Cautious for guesses (right half of the time and not predicted by real rows; usually half as many units suffice) and for attackers and
    columns, which are taken to have nothing to do with each other; units' rows are taken to resemble each other little (correlation .1).

    Parameters
    ----------
    members, others : int
        Units.
    columns, rows : int
        Modelled columns; rows of a unit.

    Returns
    -------
    str or None
        ``guarantee`` or ``measurement``; None where it would probably stay open.
    int or None
        Units that the generator never saw with which a measurement would settle it.
    """
    family = max(3 * min(columns, SECRETS), 1)
    reach = normal_quantile(1 - 0.05 / family) + normal_quantile(1 - 0.2 / family)
    room = (tolerated / reach) ** 2 / (0.25 * (0.1 + 0.9 / rows)) - 1 / max(members, 1)
    least = ceil(1 / room) if room > 0 and columns > 1 and tolerated > 0 else None
    if guarantee is not None and guarantee.advantage <= tolerated:
        return "guarantee", least
    return "measurement" if least is not None and others >= max(least, MINIMUM) else None, least


def sizes(evidence: Evidence) -> tuple[int, int]:
    """How many members and non-members are asked about."""
    member = everyone(evidence, ROWS).member
    return int(member.sum()), int((~member).sum())


def _title(column: Column) -> str:
    return f"Guessing {column.name!r} from the other columns: share guessed right of training units, less that of unseen units"


def _names(evidence: Evidence, secrets: Sequence[str] | None) -> list[str]:
    names = [c.name for c in evidence.schema.modelled]
    if secrets is None:
        target = evidence.schema.to_predict(evidence.target)
        return sorted(names, key=lambda name: name != target)[:SECRETS]
    if unknown := [name for name in secrets if name not in names]:
        raise OptionError(f"secrets names {', '.join(map(repr, unknown))}; name some of the columns {', '.join(names)}.")
    return list(dict.fromkeys(secrets))


def _judged(evidence: Evidence, asked: Asked, secrets: Sequence[Secret]) -> list[Finding]:
    """The findings on secrets that were guessed."""
    guesses, rng = _side_by_side(secrets), np.random.default_rng([evidence.seed, 8])
    left = unexplained(_outcomes(asked, secrets, guesses), asked.features(evidence.schema), rng)
    together = differences(left, asked.member, rng)
    ceilings = _ceilings(evidence, asked, [s.task.column for s in secrets], together.critical)
    findings, at = [], 0
    for secret, own, ceiling in zip(secrets, guesses, ceilings, strict=True):
        columns = slice(at, at := at + len(own))
        found = Differences(together.values[columns], together.errors[columns], together.critical)
        finding = _finding(evidence, asked, secret, own, left[:, columns], found, left.shape[1])
        seen = {leak: bool(ceiling[leak]["simultaneous"][0] > 0) for leak in PLANTED}
        harmless = ceiling[WHOLE]["most"] <= evidence.policy["attribute"]
        finding = replace(finding, details=finding.details | {"ceiling": ceiling, "harmless": harmless})
        finding = confirmed(finding, seen, () if harmless else (WHOLE,))
        if finding.details["blind"]:
            finding = replace(finding, details=finding.details | {"needed_nonmembers": None})
        findings.append(
            by_guarantee(finding, _allowed(evidence, asked, secret, own, together.critical), evidence.policy["attribute"])
        )
    return findings


def _side_by_side(secrets: Sequence[Secret], names: Sequence[str] | None = None) -> list[dict[str, Guesses]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda secret: guessed(secret.task, names), secrets))


def _outcomes(asked: Asked, secrets: Sequence[Secret], guesses: Sequence[dict[str, Guesses]]) -> np.ndarray:
    """Shares guessed right, shape (units, attackers of all secrets)."""
    return np.array([
        asked.shares(guess.right, secret.present) for secret, own in zip(secrets, guesses, strict=True) for guess in own.values()
    ]).T  # fmt: skip


def _ceilings(evidence: Evidence, asked: Asked, columns: Sequence[Column], critical: float) -> list[dict[str, dict[str, Any]]]:
    """For each column and planted leak: what the nearest row gains, with its interval.

    The gain is measured on some of the units, and the interval is as wide as it is for all. ``most`` of the training rows is the
    highest bound of all attackers, looked at where the nearest row notices nothing.
    """
    some, rng = asked.some(POWER_ROWS, np.random.default_rng([evidence.seed, 13])), np.random.default_rng([evidence.seed, 14])
    scale = critical * (_information(some.member) / _information(asked.member)) ** 0.5
    out: list[dict[str, dict[str, Any]]] = [{} for _ in columns]
    for leak in PLANTED:
        table = planted(evidence, leak).synthetic
        tasks = secrets_of(evidence, some, table.iloc[rng.permutation(len(table))[:SYNTHETIC_ROWS]], columns)
        known = [i for i, task in enumerate(tasks) if isinstance(task, Secret)]
        gains = _gains(evidence.schema, some, [tasks[i] for i in known], scale, (NEAREST,))
        for i, told in enumerate(out):
            difference, interval = gains[known.index(i)] if i in known else (None, (-1.0, 1.0))
            told[leak] = {"difference": difference, "simultaneous": list(interval), "most": interval[1]}
            if leak == WHOLE and i in known and interval[0] <= 0:
                told[leak]["most"] = max(high for _, (_, high) in _gains(evidence.schema, some, [tasks[i]], scale))
    return out


def _gains(
    schema: Schema, asked: Asked, secrets: Sequence[Secret], errors: float, names: Sequence[str] | None = None
) -> list[tuple[float, Interval]]:
    """Differences, and intervals of so many standard errors either way."""
    if not secrets:
        return []
    outcomes = _outcomes(asked, secrets, _side_by_side(secrets, names))
    found = differences(unexplained(outcomes, asked.features(schema), np.random.default_rng(0)), asked.member, None)
    return [(float(value), found.interval(i, errors)) for i, value in enumerate(found.values)]


def _information(member: np.ndarray) -> float:
    """What the variance of a difference is inversely proportional to."""
    return member.sum() * (~member).sum() / len(member)


def _allowed(evidence: Evidence, asked: Asked, secret: Secret, own: dict[str, Guesses], critical: float) -> float | None:
    """Most by which the guarantee lets members be guessed right more often, at the non-members' rates that are compatible with theirs."""
    if evidence.guarantee is None:
        return None
    most = []
    for guess in own.values():
        shares = asked.shares(guess.right, secret.present)[~asked.member]
        shares = shares[~np.isnan(shares)]
        rate, half = shares.mean(), critical * float(np.sqrt(((shares - shares.mean()) ** 2).sum() + 2.0)) / len(shares)
        most.append(_advantage(evidence.guarantee, max(0.0, rate - half), min(1.0, rate + half)))
    return max(most)


def _advantage(guarantee: Tradeoff, low: float, high: float) -> float:
    """Highest true-positive rate less false-positive rate, at a false-positive rate between two: concave in it, so ever closer."""

    def gain(rate: float) -> float:
        return guarantee.tpr(min(max(rate, 1e-12), 1 - 1e-12)) - rate

    while high - low > 1e-6:
        third = (high - low) / 3
        low, high = (low + third, high) if gain(low + third) < gain(high - third) else (low, high - third)
    return gain((low + high) / 2)


def _finding(
    evidence: Evidence, asked: Asked, secret: Secret, own: dict[str, Guesses], left: np.ndarray, found: Differences, family: int
) -> Finding:
    column, tolerated = secret.task.column, evidence.policy["attribute"]
    results = {name: _result(asked, secret, guess, found, i) for i, (name, guess) in enumerate(own.items())}
    choosing, judging = halves(asked.member, np.random.default_rng([evidence.seed, 9]))
    chosen = int(differences(left[choosing], asked.member[choosing], None).values.argmax())
    told = differences(left[judging], asked.member[judging], None)
    decision = _verdict([result["simultaneous"] for result in results.values()], tolerated)
    more = _more(found, tolerated) if decision == "inconclusive" else None
    rule = f"A guess within {TOLERANCE:.0%} of the column's range counts as right. " if column.numeric else ""
    return Finding(
        f"attacks.attribute.{column.name}", _title(column), float(told.values[chosen]), told.interval(chosen, normal_quantile()), 0.0,
        "guessed no more often than for unseen units", verdict=decision,
        note=(
            f"The attacker ({list(own)[chosen]}) was chosen on one half of the units, the value is from the other half. {rule}Differences "
            "allow for how predictable each record is from real rows, so they are not exactly those of the shares. Verdict: intervals "
            f"for all {family} attackers and columns together, by splitting the units again at random; fail if a lower bound is above what is tolerated, "
            f"pass if every upper bound is at most {100 * tolerated:g} percentage points and a release of the training rows would be noticed. "
            "What is guessed equally well for unseen units is known from the population and is not counted as leakage, though it can "
            "still harm."
        ),
        details={
            "column": column.name, "chosen": list(own)[chosen], "attackers": results, "family": family, "tolerated": tolerated,
            "tolerance": TOLERANCE if column.numeric else None, "synthetic_rows": len(secret.task.values),
            "needed_nonmembers": more and ceil(more * int((~asked.member).sum())), "most": int((~asked.member).sum()) if len(evidence.holdout) > ROWS else None,
        },
    )  # fmt: skip


def _verdict(bounds: Sequence[Sequence[float]], tolerated: float) -> str:
    """Gate G3, by the simultaneous intervals of all attackers on one column."""
    if any(low > tolerated for low, _ in bounds):
        return "fail"
    return "pass" if all(high <= tolerated for _, high in bounds) else "inconclusive"


def _more(found: Differences, tolerated: float) -> float | None:
    """How many times the units `_verdict` would need to decide, if all differences stayed as they are; None if no number would do."""

    def settled(times: float) -> bool:
        bounds = [found.interval(i, found.critical / times**0.5) for i in range(len(found.values))]
        return _verdict(bounds, tolerated) != "inconclusive"

    return needed_factor(settled)


def _result(asked: Asked, secret: Secret, guess: Guesses, found: Differences, at: int) -> dict[str, Any]:
    """One attacker on one column. Shares are of units; what counts rows is about one row of each."""
    task = secret.task
    shares, blind = (asked.shares(right, secret.present) for right in (guess.right, task.right(task.baseline)))
    known = ~np.isnan(shares)
    shares, blind, member = shares[known], blind[known], asked.member[known]
    rates, base = ([float(values[side].mean()) for side in (member, ~member)] for values in (shares, blind))
    units = asked.units[secret.present]
    one = np.sort(one_row_each(units, np.random.default_rng([task.seed, 15]), len(units)))
    right, row_member = guess.right[one], asked.member[units[one]]
    return {
        "members": _count(shares[member]), "n_members": int(member.sum()),
        "nonmembers": _count(shares[~member]), "n_nonmembers": int((~member).sum()),
        "accuracy_members": rates[0], "accuracy_nonmembers": rates[1], "difference": float(found.values[at]),
        "interval": list(found.interval(at, normal_quantile())), "simultaneous": list(found.interval(at)),
        "baseline_members": base[0], "baseline_nonmembers": base[1], "population_inference": rates[1] - base[1],
        "rarity_weighted": _weighted(right, row_member, secret.weights[one]),
        "confident": None if guess.confidence is None else _confident(right, row_member, guess.confidence[one]),
    }  # fmt: skip


def _count(shares: np.ndarray) -> float:
    """Their sum, an integer where no unit has several rows."""
    total = round(float(shares.sum()), 2)
    return int(total) if total == int(total) else total


def _gap(right: np.ndarray, member: np.ndarray) -> Interval:
    """Newcombe's interval of the difference of two shares."""
    low, high = newcombe(*(int(n) for side in (member, ~member) for n in (right[side].sum(), side.sum())))
    return float(low), float(high)


def _weighted(right: np.ndarray, member: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Accuracy weighted by rarity: sum of weights of the right guesses over the sum of all; and the difference with its interval.

    The interval is Newcombe's for as many trials as a plain proportion would need for the variance of the weighted one, at most
    Kish's effective sample size.
    """
    rates, trials = [], []
    for side in (member, ~member):
        w, hits = weights[side], right[side]
        rate = float(w @ hits / w.sum())
        kish, variance = w.sum() ** 2 / (w @ w), float(w**2 @ (hits - rate) ** 2 / w.sum() ** 2)
        rates.append(rate)
        trials.append(float(min(kish, rate * (1 - rate) / variance) if variance > 0 else kish))
    low, high = newcombe(rates[0] * trials[0], trials[0], rates[1] * trials[1], trials[1])
    return {
        "accuracy_members": rates[0], "accuracy_nonmembers": rates[1], "difference": rates[0] - rates[1],
        "interval": [float(low), float(high)],
    }  # fmt: skip


def _confident(right: np.ndarray, member: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    """Precision and recall where the attacker guesses only in its most confident tenth (more, where cases tie)."""
    sure = confidence >= np.quantile(confidence, CONFIDENT)
    out: dict[str, Any] = {}
    for name, side in (("members", member), ("nonmembers", ~member)):
        guessed, hits = int((sure & side).sum()), int((sure & side & right).sum())
        out[name] = {
            "guessed": guessed, "right": hits, "units": int(side.sum()), "precision": hits / guessed if guessed else None,
            "recall": hits / int(side.sum()),
        }  # fmt: skip
    both = all(out[name]["guessed"] for name in out)
    return {"quantile": CONFIDENT, **out, "precision_interval": list(_gap(right[sure], member[sure])) if both else None}
