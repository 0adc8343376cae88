"""NOT PRIVATE. Attack A8, singling out: does a description read off the synthetic table fit exactly one training record?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Schema
from tabsynth.validate.attacks._challenge import SYNTHETIC_ROWS, Challenge
from tabsynth.validate.attacks._inference import compared, needed, one_row_each, verdict
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes

PREDICATES = 2_000
"""Of each kind, at most."""
TRIES = 10
"""Conjunctions tried for each one wanted."""
COLUMNS = (3, 4, 5)
RECORDS = 20_000
"""At most this many training and as many holdout units."""
MINIMUM = 100
"""A kind with fewer predicates is reported, and can fail, but is not needed for a pass."""
_TOP = np.finfo(float).max
_SCREEN = 500


@dataclass(frozen=True)
class _Predicate:
    """``low <= value <= high`` in each of some columns; a missing value is infinite, and no finite range holds it."""

    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def holds(self, values: np.ndarray) -> np.ndarray:
        """For a table, shape (columns, rows): whether each row fits."""
        fits = np.ones(values.shape[1], bool)
        for column, low, high in zip(self.columns, self.low, self.high, strict=True):
            fits &= values[column] == low if low == high else (values[column] >= low) & (values[column] <= high)
        return fits


def check(evidence: Evidence, challenge: Challenge) -> list[Finding]:
    """Share of predicates that fit exactly one training record, beyond the share that fit exactly one of as many unseen records.

    Univariate predicates are values that occur once in the synthetic table, and ``at most its smallest`` or ``at least its
    largest`` number. Multivariate ones take a synthetic row and 3 to 5 random columns: equal for labels, ``>=`` or ``<=`` its
    number by side of the median; those that fit exactly one synthetic row are kept. Whether a record is alone depends on how
    many there are, so the test needs as many as it can get: all units of the training and holdout tables are used, equally many,
    one row each. The same attack on predicates read off the *training* rows says what the test would show for a release of them
    (`ceiling`); where that is not above the tolerated risk, there is no pass.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2; Giomi et al. (2023), PoPETs 2023(2), section 4.1.
    """
    name, title = "attacks.singling_out", "Descriptions that fit exactly one training record: risk beyond that of unseen records"
    rng = np.random.default_rng([evidence.seed, 6])
    units = [unit_codes(table, evidence.schema) for table in (evidence.train, evidence.holdout)]
    size = min(RECORDS, *(int(codes.max(initial=-1)) + 1 for codes in units))
    if not (size and len(challenge.synthetic)):
        return [Finding(name, title, None, note="The training, holdout or synthetic table has no rows.")]
    sides = [t.iloc[one_row_each(u, rng, size)] for t, u in zip((evidence.train, evidence.holdout), units, strict=True)]
    released = evidence.train.iloc[rng.permutation(len(evidence.train))[:SYNTHETIC_ROWS]]
    members, others, synthetic, released = _values([*sides, challenge.synthetic, released], evidence.schema)
    labels, tolerated = np.array([not c.numeric for c in evidence.schema.modelled]), evidence.policy["residual_risk"]
    results, ceilings = (_results(members, others, source, labels, rng) for source in (synthetic, released))
    judged = [result for result in results if result["predicates"] >= MINIMUM or result["simultaneous"][0] > tolerated]
    seen = any(result["interval"][0] > tolerated for result in ceilings)
    decision = verdict(judged, tolerated) if judged else "inconclusive"
    decision = "inconclusive" if decision == "pass" and not seen else decision
    shown = next((r for r in results if r["kind"] == "multivariate"), results[0] if results else None)
    more = needed(judged, tolerated, 1 - 0.05 / len(results)) if decision == "inconclusive" and seen and judged else None
    details = {
        "results": results, "ceiling": ceilings, "records_a_side": size, "tolerated": tolerated, "blind": not seen or not judged,
        "needed_descriptions": more and ceil(more * min(result["predicates"] for result in judged)), "most": PREDICATES,
    }  # fmt: skip
    if shown is None:
        return [Finding(name, title, None, note="No description fits exactly one synthetic row.", details=details)]
    return [Finding(
        name, title, shown["residual_risk"], tuple(shown["interval"]), 0.0, "as often as for unseen records", verdict=decision,
        note=_note(shown["kind"], size, seen, tolerated), details=details,
    )]  # fmt: skip


def _note(kind: str, size: int, seen: bool, tolerated: float) -> str:
    blind = "" if seen else (
        f" Not a pass in any case: with {size} records a side this test would not clearly exceed the bound even if the training "
        "table itself were released. A larger holdout helps."
    )  # fmt: skip
    return (
        f"The value is for {kind} descriptions. Several descriptions can fit the same record, so they are not independent "
        f"trials; the intervals are widened for that and approximate. Pass: the upper bound is at most {100 * tolerated:g} % for every "
        f"kind with {MINIMUM} descriptions or more; fail: a lower bound is above it (Bonferroni over the kinds).{blind}"
    )


def _values(tables: list[pd.DataFrame], schema: Schema) -> list[np.ndarray]:
    """Tables as numbers, shape (columns, rows): axis values and label codes; missing is infinite."""
    table = pd.concat([t[[c.name for c in schema.modelled]] for t in tables], ignore_index=True)
    rows = []
    for column in schema.modelled:
        values = axis_values(table, column) if column.numeric else pd.factorize(label_values(table, column))[0].astype(float)
        rows.append(np.where(np.isnan(values) if column.numeric else values < 0, np.inf, values))
    return np.split(np.array(rows), np.cumsum([len(t) for t in tables])[:-1], axis=1)


def _results(
    members: np.ndarray, others: np.ndarray, source: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """For each kind of which there are any: the successes of the predicates read off `source`."""
    found = {kind: draw(source, labels, rng) for kind, draw in _KINDS.items()}
    found = {kind: predicates for kind, predicates in found.items() if predicates}
    out = []
    for kind, predicates in found.items():
        alone, control = (_singled(predicates, values) for values in (members, others))
        asked, level = (len(predicates), len(predicates)), 1 - 0.05 / len(found)
        effect = max((times @ times / times.sum() for times in (alone, control) if len(times)), default=1.0)
        rates = compared(alone.sum(), control.sum(), asked, level, effect)
        out.append({"kind": kind, "predicates": len(predicates), "distinct_members": len(alone), **rates})
    return out


def _singled(predicates: list[_Predicate], values: np.ndarray) -> np.ndarray:
    """For each record that some predicate fits and fits alone: how many such predicates there are."""
    found = []
    for predicate in predicates:
        fits = predicate.holds(values)
        if np.count_nonzero(fits) == 1:
            found.append(int(fits.argmax()))
    return np.unique(found, return_counts=True)[1]


def _univariate(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> list[_Predicate]:
    pool = []
    for column, row in enumerate(values):
        distinct, counts = np.unique(row, return_counts=True)
        pool += [(column, value, value) for value in distinct[counts == 1]]
        known = distinct[np.isfinite(distinct)]
        if not labels[column] and len(known):
            pool += [(column, -_TOP, known[0]), (column, known[-1], _TOP)]
    drawn = rng.permutation(len(pool))[:PREDICATES]
    return [_Predicate((pool[i][0],), (float(pool[i][1]),), (float(pool[i][2]),)) for i in drawn]


def _multivariate(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> list[_Predicate]:
    """Distinct conjunctions that fit exactly one row; candidates are first tried on a few rows."""
    columns, rows = values.shape
    if columns < min(COLUMNS):
        return []
    tries = TRIES * PREDICATES
    medians = np.array([np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else 0.0 for v in values])[:, None]
    at = values[:, rng.integers(rows, size=tries)]
    free = ~labels[:, None] & np.isfinite(at)
    low, high = np.where(free & (at <= medians), -_TOP, at), np.where(free & (at > medians), _TOP, at)
    orders, sizes = rng.random((tries, columns)).argsort(axis=1), rng.choice(COLUMNS, tries)
    found: dict[_Predicate, None] = {}
    tried: set[_Predicate] = set()  # few rows have few descriptions
    for i in range(tries):
        chosen = np.sort(orders[i, : sizes[i]])
        predicate = _Predicate(tuple(chosen.tolist()), tuple(low[chosen, i].tolist()), tuple(high[chosen, i].tolist()))
        if predicate in tried:
            continue
        tried.add(predicate)
        if np.count_nonzero(predicate.holds(values[:, :_SCREEN])) < 2 and np.count_nonzero(predicate.holds(values)) == 1:
            found[predicate] = None
            if len(found) == PREDICATES:
                break
    return list(found)


_KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], list[_Predicate]]] = {
    "univariate": _univariate, "multivariate": _multivariate,
}  # fmt: skip
