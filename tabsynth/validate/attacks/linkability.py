"""NOT PRIVATE. Attack A8, linkability: do synthetic rows tell that two halves of a record belong to the same unit?"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.tradeoff import Tradeoff
from tabsynth.validate.attacks._challenge import SYNTHETIC_ROWS
from tabsynth.validate.attacks._halves import met
from tabsynth.validate.attacks._inference import ROWS, one_row_each, only, verdict
from tabsynth.validate.attacks._power import COPIES, POWER_ROWS, WHOLE, by_guarantee, confirmed, foreseen, planted
from tabsynth.validate.attacks._randomised import attributable
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import Encoder, unit_codes
from tabsynth.validate.intervals import clopper_pearson, needed_factor, newcombe

NEIGHBOURS = (1, 5, 10)
SPLITS = 5
SCALING = "rank"
PAIRS = 2_000_000_000
"""Units are drawn until they and the synthetic rows are about this many pairs."""
CHANCE = 0.4
"""A usual share of unseen records that are linked at the largest k."""
_LEVEL = 1 - 0.05 / len(NEIGHBOURS)


def check(evidence: Evidence) -> list[Finding]:
    """Success of linking the two halves of a record through the synthetic table, on members beyond that on non-members.

    The columns are split at random into two halves, five times. Under one split a record is linked when a synthetic row is among its
    k nearest in both halves; rows that are equally near count alike, so that the order of the table says nothing, and a record
    that the table holds is always linked, to itself. (To draw one of the rows that tie would be fairer to records with common
    halves, but would hide a released record among those that share a half with it.) A record counts as linked when it is under most of the splits. One
    row of each unit is tried, of all units up to 20,000 a side, or half of `PAIRS` pairs with synthetic rows. The value is for k = 1, fixed in advance.

    The risk is the share of members linked because they are members, among those who would not be linked otherwise. Its intervals
    are exact: under no leak, or once the links that membership explains are taken away, the members among the linked are
    hypergeometric (`_randomised`). Numbers are scaled by the ranks of both sides together, which does not depend on the split.

    The claim passes if the risk is surely tolerable for every k and the same test fails for the training rows in the synthetic table's
    place, tried on some of the units; or by the guarantee. Whether a given record is linked is an event that the release alone decides: the halves are drawn without
    looking, and the real rows that scale the numbers are those of both sides, the same in both worlds. So a record that is linked with
    chance c when its unit is not in the training rows is linked with chance at most ``tpr(c)`` when it is. The curve is concave, hence this
    holds for averages over records, and the risk ``(tpr(c) - c) / (1 - c)`` rises with c: its upper bound is that at the upper bound
    of the rate of non-members.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2; Giomi et al. (2023), PoPETs 2023(2), section 4.2, for the attack.
    """
    name, title = (
        "attacks.linkability",
        "Linking the two halves of a record through the synthetic table: risk beyond that of unseen units",
    )
    names, sizes = (
        [c.name for c in evidence.schema.modelled],
        [len(t) for t in (evidence.train, evidence.holdout, evidence.synthetic)],
    )
    if not all(sizes) or len(names) < 2:
        note = (
            f"There are {sizes[0]} training, {sizes[1]} holdout and {sizes[2]} synthetic rows and {len(names)} columns; rows of each "
            "and 2 columns are needed."
        )
        return [Finding(name, title, None, note=note)]
    results, tolerated = _results(evidence), evidence.policy["residual_risk"]
    first, decision = results[0], verdict(results, tolerated)
    leaks = {leak: _results(planted(evidence, leak), POWER_ROWS) for leak in (WHOLE, COPIES)}
    seen = {leak: verdict(found, tolerated) == "fail" for leak, found in leaks.items()}
    more = _needed(results, tolerated) if decision == "inconclusive" and seen[WHOLE] else None
    finding = Finding(
        name, title, first["residual_risk"], tuple(first["interval"]), 0.0, "as often as for unseen units",
        verdict=decision,
        note=(
            f"The value is for the nearest row (k = 1). Fail: a lower bound above {100 * tolerated:g} %; they hold for "
            f"k = {', '.join(map(str, NEIGHBOURS))} together. Pass: otherwise, if every upper bound is at most that, each at 2.5 %, "
            "and the same test fails for the training rows in the synthetic table's place."
        ),
        details={"results": results, "ceiling": leaks[WHOLE], "copies": leaks[COPIES], "splits": SPLITS, "scaling": SCALING,
                 "tolerated": tolerated, "needed_nonmembers": more and ceil(more * first["n_nonmembers"]), "most": _most(evidence)},
    )  # fmt: skip
    allowed = None if evidence.guarantee is None else max(_allowed(evidence.guarantee, result) for result in results)
    return [by_guarantee(confirmed(finding, seen), allowed, tolerated)]


def outlook(members: int, others: int, tolerated: float, guarantee: Tradeoff | None) -> tuple[str | None, int | None]:
    """What would settle the risk of linkage, if members are linked as often as others, and these as often as `CHANCE`.

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

    def result(held: int, linked: int) -> dict[str, Any]:
        return _compared(linked, round(CHANCE * held), (members, held))

    def settled(held: int) -> bool:
        healthy, whole = result(held, round(CHANCE * members)), result(held, members)
        return verdict([healthy], tolerated) == "pass" and verdict([whole], tolerated) == "fail"

    if not (members and others):
        return None, None
    allowed = None if guarantee is None else _allowed(guarantee, result(others, 0))
    return foreseen(settled, others, allowed, tolerated)


def _most(evidence: Evidence) -> int:
    """Units a side that are tried at most."""
    return min(ROWS, PAIRS // 2 // min(len(evidence.synthetic), SYNTHETIC_ROWS))


def _results(evidence: Evidence, at_most: int = ROWS) -> list[dict[str, Any]]:
    """For each number of neighbours, how many members and how many others are linked, of so many a side at most."""
    rng = np.random.default_rng([evidence.seed, 7])
    tables = evidence.train, evidence.holdout
    most = min(at_most, _most(evidence))
    asked = [table.iloc[one_row_each(unit_codes(table, evidence.schema), rng, most)] for table in tables]
    member = np.repeat([True, False], [len(side) for side in asked])
    synthetic = evidence.synthetic.iloc[rng.permutation(len(evidence.synthetic))[:SYNTHETIC_ROWS]]
    encoder = Encoder.fit(evidence.schema, pd.concat(tables, ignore_index=True), synthetic)
    by_split = _linked(evidence, encoder.transform(pd.concat(asked, ignore_index=True)), encoder.transform(synthetic), rng)
    out = []
    for k, links in zip(NEIGHBOURS, by_split.swapaxes(0, 1), strict=True):
        linked = 2 * links.sum(axis=0) > SPLITS
        rates = [[float(split[side].mean()) for side in (member, ~member)] for split in links]
        counts = int(linked[member].sum()), int(linked[~member].sum()), (int(member.sum()), int((~member).sum()))
        out.append({"neighbours": k, **_compared(*counts), "rates_by_split": rates})
    return out


def _linked(evidence: Evidence, queries: Any, table: Any, rng: np.random.Generator) -> np.ndarray:
    """Whether each record is linked, shape (splits, neighbours, records)."""
    names, out = np.array([c.name for c in evidence.schema.modelled], dtype=object), []
    for _ in range(SPLITS):
        halves = [set(names[half]) for half in np.array_split(rng.permutation(len(names)), 2)]
        parts = [tuple(only(t, evidence.schema, half) for t in (queries, table)) for half in halves]
        out.append(met(*parts, SCALING, NEIGHBOURS))
    return np.array(out)


def _compared(members: int, others: int, asked: tuple[int, int]) -> dict[str, Any]:
    """Rates, their difference, and the risk, each with its interval.

    The lower end of `simultaneous` holds for all numbers of neighbours together, so that a failure at any is one. A pass takes all upper
    ends, and is wrong only if the end of a k that is beyond the tolerance is: there, one at 2.5 % is enough (Berger 1982, Technometrics 24(4)).
    """
    (n, m), rates = asked, (members / asked[0], others / asked[1])
    bounds = {level: attributable(members, n, others, m, level) for level in (0.95, _LEVEL)}
    return {
        "members": members, "n_members": n, "nonmembers": others, "n_nonmembers": m,
        "rate_members": rates[0], "rate_nonmembers": rates[1], "difference": rates[0] - rates[1],
        "difference_interval": [a / n for a in bounds[0.95]],
        "residual_risk": _risk(rates[0] - rates[1], 1 - rates[0]),
        "interval": [_risk(a, n - members) for a in bounds[0.95]], "simultaneous": [_risk(bounds[_LEVEL][0], n - members), _risk(bounds[0.95][1], n - members)],
    }  # fmt: skip


def _risk(because: float, never: float) -> float:
    """Share of those linked because they are members, among them and those never linked; at least -1, and 0 where there is nobody."""
    others = because + never
    return max(-1.0, because / others) if others > 0 else min(0.0, because)


def _allowed(guarantee: Tradeoff, result: dict[str, Any]) -> float:
    """The highest risk that the guarantee allows, at the upper bound of how often others are linked."""
    chance = clopper_pearson(result["nonmembers"], result["n_nonmembers"])[1]
    return (guarantee.tpr(chance) - chance) / (1 - chance) if chance < 1 else 1.0


def _needed(results: list[dict[str, Any]], tolerated: float) -> float | None:
    """How many times the units would decide, had they been linked at the same rates."""

    def more(result: dict[str, Any], times: float) -> dict[str, Any]:
        counts = [times * result[name] for name in ("members", "n_members", "nonmembers", "n_nonmembers")]
        ends = newcombe(*counts, _LEVEL)[0], newcombe(*counts)[1]
        return {"simultaneous": [_risk(end, 1 - result["rate_members"]) for end in ends]}

    return needed_factor(lambda times: verdict([more(r, times) for r in results], tolerated) != "inconclusive")
