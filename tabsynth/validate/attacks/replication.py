"""NOT PRIVATE. Attack A0, replication: do training rows occur in the synthetic table more often than unseen real rows do?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.tradeoff import Tradeoff
from tabsynth.validate.attacks._pool import Pool
from tabsynth.validate.attacks._power import COPIES, WHOLE, by_guarantee, confirmed, foreseen, planted
from tabsynth.validate.attacks._randomised import attributable, stratified
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values
from tabsynth.validate.intervals import clopper_pearson, needed_factor, newcombe

MOVED = "training rows, numbers moved"
"""A leak: every fractional number of the training rows is moved by a millionth of its column's standard deviation."""
NEAREST = (0.01, 0.1, 0.5)
"""Shares of all units, those nearest to a synthetic row."""
CHANCE = 0.002
"""A usual share of units of which a row unlike anybody else's occurs in a synthetic table by coincidence."""
LABELS = {
    "apart": "exact copies of rows unlike anybody else's",
    "own": "exact copies of rows that nobody else has",
    "all": "exact copies",
    "near": "the {:g} % nearest to a synthetic row",
}
"""Ways to count, by the rows that are looked at."""
_STRATA = 16
_MOVE = 1e-6


def check(evidence: Evidence, *, brief: bool = False) -> Finding:
    """Compare how many training and how many holdout units are copied, exactly and nearly; all of them, and all of their rows.

    A unit is copied when one of its rows is; an exact copy agrees in every column but the identifiers. A copy exposes somebody
    where nobody else has the row. So a pass depends on *rows unlike anybody else's*: of the rows that only one unit of training and
    holdout together holds, the half whose nearest row of another unit is farthest; rows that lie close together are met by
    coincidence. Also counted are copies of all rows that only one unit holds; of all rows, within strata of units that are as
    likely to be met by coincidence, as far as the number of units that hold their rows tells; and near copies: the 1 %, 10 % and
    50 % of all units that have a row nearest to a synthetic one, in proportion to its distance from the rows of other units.

    All of this is the same however the units had been divided, so that under no leak the members among those counted are
    hypergeometric (`_randomised`): each of the four ways to count raises a false alarm with probability at most 0.625 %, exactly.
    The excess of the first, second and fourth is the share of training units counted because they are training units.

    The claim passes only if the same test fails for the training rows, for those with numbers slightly moved, and for 5 % copies; or
    by the guarantee. Whether a row unlike anybody else's occurs in the release is an event that the release decides: a unit whose
    chance of it is c when it is not in the training rows has at most ``tpr(c)`` when it is, and because the curve is concave, that holds
    for averages over units too. The real rows that decide which rows are unlike others are those of both sides, the same in
    both worlds.

    Parameters
    ----------
    evidence : Evidence
    brief : bool
        Only count exact copies: no distances, no verdict.
    """
    title = "Training units with rows unlike anybody else's that occur in the synthetic table, beyond what unseen units do"
    if not (len(evidence.train) and len(evidence.holdout) and len(evidence.synthetic)):
        return Finding("attacks.replication", title, None, reference=0.0, note="A table has no rows.")
    pool = Pool(evidence)
    if brief:
        level = _all(pool, pool.copied(evidence.synthetic))
        return Finding("attacks.replication", title, level["excess"], tuple(level["interval"]), 0.0, details={"levels": [level]})
    levels = list(_levels(pool, evidence.synthetic))
    first, tolerated = levels[0], evidence.policy["copies"]
    decision = _verdict(levels, tolerated)
    seen = _seen(pool)
    blind = not all(seen.values())
    more = _needed(levels, tolerated) if decision == "inconclusive" and not blind else None
    finding = Finding(
        "attacks.replication", title, first["excess"], tuple(first["interval"]), 0.0, "as many copies as among unseen units",
        verdict=decision,
        note=(
            f"The intervals hold at all {len(levels)} levels together. Fail: a lower bound above 0. Pass: otherwise, if the upper "
            f"bound for rows unlike anybody else's is at most {100 * tolerated:g} %, and the same test fails for training rows in "
            "the synthetic table's place, for those with numbers moved by a millionth, and for 5 % of them."
        ),
        details={
            "levels": levels, "distinct_copied": _distinct(pool, evidence.synthetic), "tolerated": tolerated,
            "needed_nonmembers": more and ceil(more * first["n_holdout"]),
        },
    )  # fmt: skip
    return by_guarantee(confirmed(finding, seen, tuple(seen)), _allowed(evidence.guarantee, first), tolerated)


def outlook(members: int, others: int, tolerated: float, guarantee: Tradeoff | None) -> tuple[str | None, int | None]:
    """What would settle whether a release copies rows, if it copies none but by coincidence as often as `CHANCE`.

    Parameters
    ----------
    members, others : int
        Units in the training rows, and in the holdout.
    tolerated : float
    guarantee : Tradeoff, optional
        That may be relied on.

    Returns
    -------
    (str or None, int or None)
        As `_power.foreseen` gives them.
    """

    def level(held: int) -> dict[str, Any]:
        return _level("apart", 0.0, (round(CHANCE * members), members, round(CHANCE * held), held), _share())

    def settled(held: int) -> bool:
        found, copies = level(held), round(0.05 * members / 2)  # of 5 % copies, about a half of rows that nobody else has
        sees = attributable(found["members"] + copies, members, found["holdout"], held, _share())[0] > 0
        return sees and found["interval"][1] <= tolerated

    if not (members and others):
        return None, None
    allowed = _allowed(guarantee, level(others))
    return foreseen(settled, others, allowed, tolerated)


def _share(of: int = 1) -> float:
    """Level of one of the intervals that hold together, or of one of so many of the same family."""
    return 1 - 0.05 / len(LABELS) / of


def _levels(pool: Pool, synthetic: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Every way to count, what takes longest last."""
    copied = pool.copied(synthetic)
    apart = np.zeros(len(copied), bool)
    apart[pool.near[pool.apart]] = True
    yield _level("apart", 0.0, _counts(pool, copied & apart, pool.near), _share())
    yield _level("own", 0.0, _counts(pool, copied & pool.own), _share())
    yield _all(pool, copied)
    closeness = np.full(len(pool.member), np.inf)
    np.minimum.at(closeness, pool.units[pool.near], pool.closeness(synthetic))
    asked = np.isfinite(closeness)
    for share in NEAREST:
        most = float(np.quantile(closeness[asked], share, method="inverted_cdf"))
        counts = [int(n) for side in (pool.member, ~pool.member) for n in ((closeness[side] <= most).sum(), asked[side].sum())]
        yield _level("near", most, counts, _share(len(NEAREST)), 100 * share)


def _counts(pool: Pool, rows: np.ndarray, among: np.ndarray | slice = slice(None)) -> list[int]:
    """Members with one of the rows of a mask, of how many with rows `among` all, and the same for the others."""
    units, there = (np.bincount(pool.units[part], minlength=len(pool.member)) > 0 for part in (rows, among))
    return [int(part[side].sum()) for side in (pool.member, ~pool.member) for part in (units, there)]


def _all(pool: Pool, copied: np.ndarray) -> dict[str, Any]:
    """Copies of all rows, adjusted for how likely a unit is met by coincidence: by how many units hold the rows that it holds."""
    kinds = np.minimum(np.log2(pool.holders), 12).astype(int) + (pool.holders > 2)
    rates = np.bincount(kinds, copied) / np.maximum(np.bincount(kinds), 1)
    missed = np.bincount(pool.units, np.log(np.maximum(1 - rates[kinds], 1e-9)))
    values, strata = np.unique(missed.round(9), return_inverse=True)
    if len(values) > _STRATA:
        strata = np.unique(np.searchsorted(np.quantile(missed, np.arange(1, _STRATA) / _STRATA), missed), return_inverse=True)[1]
    counted = np.bincount(pool.units, copied) > 0
    excess, interval = stratified(counted, pool.member, strata, _share())
    return _level("all", 0.0, _counts(pool, copied), _share()) | {"excess": excess, "interval": list(interval)}


def _level(rows: str, tau: float, counts: Sequence[int], level: float, percent: float = 0.0) -> dict[str, Any]:
    members, n_members, holdout, n_holdout = counts
    low, high = attributable(*counts, level)
    return {
        "rows": rows, "label": LABELS[rows].format(percent), "tau": tau, "members": members, "n_members": n_members, "holdout": holdout, "n_holdout": n_holdout,
        "rate_members": members / n_members, "rate_holdout": holdout / n_holdout,
        "excess": members / n_members - holdout / n_holdout, "interval": [low / n_members, high / n_members],
    }  # fmt: skip


def _verdict(levels: list[dict[str, Any]], tolerated: float) -> str:
    """Gate G0, by the intervals of all levels, that which decides a pass first."""
    if any(level["interval"][0] > 0 for level in levels):
        return "fail"
    return "pass" if levels[0]["interval"][1] <= tolerated else "inconclusive"


def _seen(pool: Pool) -> dict[str, bool]:
    """Whether the check fails with each of the leaks in the synthetic table's place."""
    leaks = {leak: planted(pool.evidence, leak) for leak in (WHOLE, COPIES)}
    if any(column.kind == "float" for column in pool.evidence.schema.modelled):
        leaks[MOVED] = _moved(leaks[WHOLE])
    return {name: any(level["interval"][0] > 0 for level in _levels(pool, leak.synthetic)) for name, leak in leaks.items()}


def _moved(evidence: Evidence) -> Evidence:
    rng, table = np.random.default_rng([evidence.seed, 14]), evidence.synthetic.copy()
    for column in evidence.schema.modelled:
        if column.kind == "float":
            values = axis_values(table, column)
            by = _MOVE * (np.nanstd(values) if np.isfinite(values).any() else 0.0) or _MOVE
            table[column.name] = (values + by * rng.choice([-1, 1], len(values))).astype(table[column.name].dtype)
    return replace(evidence, synthetic=table)


def _allowed(guarantee: Tradeoff | None, first: dict[str, Any]) -> float | None:
    """The highest excess that the guarantee allows, at the upper bound of how often coincidence does it."""
    if guarantee is None:
        return None
    chance = clopper_pearson(first["holdout"], first["n_holdout"])[1]
    return guarantee.tpr(chance) - chance if chance < 1 else 1.0


def _needed(levels: list[dict[str, Any]], tolerated: float) -> float | None:
    """How many times the units would decide, had they been counted at the same rates."""

    def settled(times: float) -> bool:
        counts = [times * levels[0][name] for name in ("members", "n_members", "holdout", "n_holdout")]
        return newcombe(*counts, _share())[1] <= tolerated

    return needed_factor(settled)


def _distinct(pool: Pool, synthetic: pd.DataFrame) -> int:
    """Distinct training rows that occur in the synthetic table."""
    return len(np.unique(pool.ids[: len(pool.evidence.train)][pool.copied(synthetic)[: len(pool.evidence.train)]]))
