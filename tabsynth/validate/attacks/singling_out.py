"""NOT PRIVATE. Attack A8, singling out: does a description read off the synthetic table fit exactly one training record?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Schema
from tabsynth.validate.attacks._asked import Asked, everyone
from tabsynth.validate.attacks._challenge import SYNTHETIC_ROWS, Challenge
from tabsynth.validate.attacks._inference import verdict
from tabsynth.validate.attacks._power import COPIES, PLANTED, WHOLE, confirmed, planted
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values
from tabsynth.validate.intervals import needed_factor, normal_quantile

PREDICATES = 4_000
"""Of each kind, at most."""
POWER_PREDICATES = 1_000
"""So many where they are read off a planted leak."""
TRIES = 10
"""Conjunctions tried for each one wanted."""
ROWS = 40_000
"""Units are drawn until they have about this many rows on each side."""
MINIMUM = 100
"""A kind with fewer predicates is reported, and can fail, but is not needed for a pass."""
_TOP = np.finfo(float).max
_SCREEN = 500
_PERMUTATIONS = 999
_BROAD = 50
"""A predicate that fits so many records in every part of the size that is compared singles out nobody."""


@dataclass(frozen=True)
class _Predicate:
    """``low <= value <= high`` in each of some columns; a missing value is infinite, and no finite range holds it."""

    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Which rows of a table, shape (columns, rows), fit."""
        live = np.flatnonzero(_between(values[self.columns[0]], self.low[0], self.high[0]))
        for column, low, high in zip(self.columns[1:], self.low[1:], self.high[1:], strict=True):
            live = live[_between(values[column, live], low, high)]
        return live


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return values == low if low == high else (values >= low) & (values <= high)


def check(evidence: Evidence, challenge: Challenge) -> list[Finding]:
    """Share of predicates that fit exactly one training unit, beyond the share that fit exactly one of as many unseen units.

    Univariate predicates are values that occur once in the synthetic table, and ``at most its smallest`` or ``at least its
    largest`` number. Multivariate ones take a synthetic row and one column after the other, in random order, until no other synthetic
    row fits: equal for labels, ``>=`` or ``<=`` its number by side of the median. A predicate fits a unit that has a row it fits.

    Whether a unit is alone depends on how many there are. So the larger side is compared in parts as large as the smaller side: what
    counts is the probability that exactly one unit of such a part fits, known exactly from how many of the whole side do. A description
    of one training record finds it in a part with the chance that it is there, so what is found beyond unseen records is divided by that
    chance: it is the risk of the training table as a whole. Several predicates can fit the same unit; intervals come from splitting
    the units again at random, which allows for it, exactly where there is no leak.

    The same attack with training rows in the synthetic table's place says what the test would show for a release of them (`ceiling`); where
    that would not fail, there is no pass. With 5 % copies the risk is about 5 %, which is within what is tolerated by default, so
    that these would be noticed is reported and not required. Differential privacy bounds this attack too, but only loosely (success depends
    on the records of others), so no pass is given for a guarantee.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2; Giomi et al. (2023), PoPETs 2023(2), section 4.1; Cohen and Nissim
    (2020), Towards formalizing the GDPR's notion of singling out, PNAS 117(15).
    """
    name, title = "attacks.singling_out", "Descriptions that fit exactly one training record: risk beyond that of unseen records"
    asked = everyone(evidence, ROWS)
    if not (0 < asked.member.sum() < len(asked.member) and len(challenge.synthetic)):
        return [Finding(name, title, None, note="The training, holdout or synthetic table has no rows.")]
    tolerated, results = evidence.policy["residual_risk"], _results(evidence, asked, challenge.synthetic)
    ceilings = {leak: _results(evidence, asked, planted(evidence, leak).synthetic, POWER_PREDICATES) for leak in PLANTED}
    seen = {leak: any(result["simultaneous"][0] > tolerated for result in found) for leak, found in ceilings.items()}
    judged = [result for result in results if result["predicates"] >= MINIMUM or result["simultaneous"][0] > tolerated]
    decision = verdict(judged, tolerated) if judged else "inconclusive"
    shown = next((r for r in results if r["kind"] == "multivariate"), results[0] if results else None)
    size = min(int(asked.member.sum()), int((~asked.member).sum()))
    more = _needed(judged, tolerated) if decision == "inconclusive" and seen[WHOLE] and judged else None
    details = {
        "results": results, "ceiling": ceilings[WHOLE], "copies": ceilings[COPIES], "records_a_side": size, "tolerated": tolerated,
        "needed_nonmembers": more and ceil(more * size), "most": size if len(evidence.holdout) > ROWS else None,
    }  # fmt: skip
    if shown is None:
        return [Finding(name, title, None, note="No description fits exactly one synthetic row.", details=details)]
    finding = confirmed(Finding(
        name, title, shown["residual_risk"], tuple(shown["interval"]), 0.0, "as often as for unseen records", verdict=decision,
        note=_note(shown["kind"], size, seen[WHOLE], tolerated), details=details,
    ), seen)  # fmt: skip
    return [finding if judged else replace(finding, details=finding.details | {"blind": True})]


def outlook(members: int, others: int, tolerated: float) -> tuple[str | None, int | None]:
    """Whether a measurement would settle the claim, and units that the generator never saw with which it would, as in `attribute.outlook`.

    By experience, not by a bound: in tables whose rows differ, half an interval is about a third over the square root of the units of the
    smaller side, times how many times larger the other is. Where few rows are unlike all others, it takes more.
    """
    if not (tolerated > 0 and members):
        return None, None
    enough = (0.53 / tolerated) ** 2
    least = ceil(max(enough, min((enough * members**2) ** (1 / 3), members)))
    scale = max(members, others) / max(min(members, others), 1)
    return "measurement" if min(members, others) >= enough * scale**2 else None, least


def _note(kind: str, size: int, seen: bool, tolerated: float) -> str:
    blind = "" if seen else (
        f" Not a pass in any case: with {size} records a side this test would not clearly exceed the bound even if the training "
        "table itself were released. A larger holdout helps."
    )  # fmt: skip
    return (
        f"The value is for {kind} descriptions. Shares are of descriptions that fit exactly one of {size} records; the risk is that for "
        f"the whole training table. Intervals come from splitting the records again at random. Pass: the upper bound is at most "
        f"{100 * tolerated:g} % for every kind with {MINIMUM} descriptions or more; fail: a lower bound is above it (all kinds "
        f"together).{blind}"
    )


def _values(tables: list[pd.DataFrame], schema: Schema) -> list[np.ndarray]:
    """Tables as numbers, shape (columns, rows): axis values and label codes; missing is infinite."""
    table = pd.concat([t[[c.name for c in schema.modelled]] for t in tables], ignore_index=True)
    rows = []
    for column in schema.modelled:
        values = axis_values(table, column) if column.numeric else pd.factorize(label_values(table, column))[0].astype(float)
        rows.append(np.where(np.isnan(values) if column.numeric else values < 0, np.inf, values))
    return np.split(np.array(rows), np.cumsum([len(t) for t in tables])[:-1], axis=1)


def _results(evidence: Evidence, asked: Asked, synthetic: pd.DataFrame, at_most: int = PREDICATES) -> list[dict[str, Any]]:
    """For each kind of which there are any: the successes of the predicates read off a table, with intervals for all kinds together."""
    rng, schema = np.random.default_rng([evidence.seed, 6]), evidence.schema
    values, source = _values([asked.rows, synthetic.iloc[rng.permutation(len(synthetic))[:SYNTHETIC_ROWS]]], schema)
    labels = np.array([not c.numeric for c in schema.modelled])
    found = {kind: predicates for kind, draw in _KINDS.items() if (predicates := draw(source, labels, rng, at_most))}
    fitting = {kind: _fitting(predicates, values, asked) for kind, predicates in found.items()}
    every = np.vstack([asked.member, rng.permuted(np.tile(asked.member, (_PERMUTATIONS, 1)), axis=1)])
    successes = {kind: _successes(fits, every) for kind, fits in fitting.items()}
    risks = {kind: _risk(*rates, asked.member) for kind, rates in successes.items()}
    errors = {
        kind: float(np.sqrt(risk[1:].var() + 2 * _scale(asked.member) ** 2 / len(found[kind]) ** 2))
        for kind, risk in risks.items()
    }
    largest = np.max([np.abs(risk[1:]) / errors[kind] for kind, risk in risks.items()], axis=0) if risks else np.zeros(1)
    critical = max(float(np.quantile(largest, 0.95, method="higher")), normal_quantile())
    return [
        _told(kind, len(found[kind]), fitting[kind], asked.member, successes[kind], float(risks[kind][0]), errors[kind], critical)
        for kind in found
    ]


def _told(
    kind: str, predicates: int, fits: Any, member: np.ndarray, successes: tuple[np.ndarray, np.ndarray], risk: float,
    error: float, critical: float,
) -> dict[str, Any]:  # fmt: skip
    (members, *_), (others, *_) = (np.asarray(rates, float) for rates in successes)
    scale, half = _scale(member), error * (1 - others) / _scale(member)
    alone = fits[np.asarray(fits @ member).ravel() == 1][:, member]
    interval, simultaneous = ([max(risk - e * error, -1.0), min(risk + e * error, 1.0)] for e in (normal_quantile(), critical))
    return {
        "kind": kind, "predicates": predicates, "distinct_members": int(np.unique(alone.indices).size),
        "members": float(members * predicates), "n_members": predicates, "nonmembers": float(others * predicates), "n_nonmembers": predicates,
        "rate_members": float(members), "rate_nonmembers": float(others), "difference": float(members - others),
        "difference_interval": [float(members - others - normal_quantile() * half), float(members - others + normal_quantile() * half)],
        "residual_risk": min(risk, 1.0), "interval": interval, "simultaneous": simultaneous, "scale": scale,
    }  # fmt: skip


def _fitting(predicates: list[_Predicate], values: np.ndarray, asked: Asked) -> Any:
    """Which units each predicate fits, a sparse matrix of shape (predicates, units); none for one that fits very many."""
    from scipy.sparse import csr_matrix

    most = _BROAD * len(asked.member) / min(asked.member.sum(), (~asked.member).sum())
    found = [np.unique(asked.units[predicate.rows(values)]) for predicate in predicates]
    found = [units if len(units) <= most else units[:0] for units in found]
    starts = np.cumsum([0, *map(len, found)])
    return csr_matrix((np.ones(starts[-1], np.float32), np.concatenate(found), starts), (len(found), len(asked.member)))


def _successes(fits: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of predicates that fit exactly one unit of a part of the members, of the others; for each row of labels."""
    from scipy.stats import hypergeom

    inside = (fits @ labels.T.astype(np.float32)).round().astype(int)
    counts, size = (inside, np.asarray(fits.sum(axis=1)).round().astype(int) - inside), labels[0].sum()
    sizes = int(size), int(labels.shape[1] - size)
    chances = [hypergeom.pmf(1, n, np.arange(side.max(initial=0) + 1), min(sizes)) for n, side in zip(sizes, counts, strict=True)]
    members, others = (chance[side].mean(axis=0) for chance, side in zip(chances, counts, strict=True))
    return members, others


def _risk(members: np.ndarray, others: np.ndarray, member: np.ndarray) -> np.ndarray:
    return _scale(member) * (members - others) / np.maximum(1 - others, 1e-9)


def _scale(member: np.ndarray) -> float:
    """One over the chance that a member is in the part of the members that is compared."""
    return float(member.sum() / min(member.sum(), (~member).sum()))


def _needed(results: list[dict[str, Any]], tolerated: float) -> float | None:
    """How many times the units `verdict` would need to decide, if the risk stayed as it is; None if no number would do."""

    def settled(times: float) -> bool:
        bounds = [[r["residual_risk"] + (end - r["residual_risk"]) / times**0.5 for end in r["simultaneous"]] for r in results]
        return verdict([{"simultaneous": pair} for pair in bounds], tolerated) != "inconclusive"

    return needed_factor(settled)


def _univariate(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator, at_most: int) -> list[_Predicate]:
    pool = []
    for column, row in enumerate(values):
        distinct, counts = np.unique(row, return_counts=True)
        pool += [(column, value, value) for value in distinct[counts == 1]]
        known = distinct[np.isfinite(distinct)]
        if not labels[column] and len(known):
            pool += [(column, -_TOP, known[0]), (column, known[-1], _TOP)]
    drawn = rng.permutation(len(pool))[:at_most]
    return [_Predicate((pool[i][0],), (float(pool[i][1]),), (float(pool[i][2]),)) for i in drawn]


def _multivariate(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator, at_most: int) -> list[_Predicate]:
    """Distinct conjunctions that fit exactly one row.

    Rows whose description fits others too are tried once, the others again as long as one in ten descriptions is a new one.
    """
    columns, rows = values.shape
    if columns < 2:
        return []
    medians = np.array([np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else 0.0 for v in values])
    found: dict[_Predicate, None] = {}
    pool, tries = rng.permutation(rows), 0
    while len(pool) and len(found) < at_most and tries < TRIES * at_most:
        unique, before = [], len(found)
        for row in pool[: TRIES * at_most - tries]:
            tries += 1
            if (predicate := _described(values, row, labels, medians, rng.permutation(columns))) is not None:
                found[predicate] = None
                unique.append(row)
                if len(found) == at_most:
                    break
        pool = np.array(unique if len(found) - before > len(unique) / 10 else [], int)
    return list(found)


def _described(values: np.ndarray, row: int, labels: np.ndarray, medians: np.ndarray, order: np.ndarray) -> _Predicate | None:
    """The row's description by as many columns, in this order, as it takes to fit no other row; None if all do not suffice."""
    at = values[:, row]
    free = ~labels & np.isfinite(at)
    low, high = np.where(free & (at <= medians), -_TOP, at), np.where(free & (at > medians), _TOP, at)
    live: np.ndarray | None = None  # rows that fit so far, first among a few rows, then among all
    for used, column in enumerate(order):
        among = np.arange(min(_SCREEN, values.shape[1])) if live is None else live
        live = among[_between(values[column, among], low[column], high[column])]
        if used == 0 or len(live) > 1:
            continue
        chosen = np.sort(order[: used + 1])
        predicate = _Predicate(tuple(chosen.tolist()), tuple(low[chosen].tolist()), tuple(high[chosen].tolist()))
        live = predicate.rows(values)
        if len(live) == 1:
            return predicate
    return None


_KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator, int], list[_Predicate]]] = {
    "univariate": _univariate, "multivariate": _multivariate,
}  # fmt: skip
