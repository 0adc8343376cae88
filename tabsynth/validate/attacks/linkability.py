"""NOT PRIVATE. Attack A8, linkability: do synthetic rows tell that two halves of a record belong to the same unit?"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.attacks._inference import ROWS, compared, needed, only, trials, verdict
from tabsynth.validate.attacks._nearest import nearest
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import Encoder

NEIGHBOURS = (1, 5, 10)
SPLITS = 5
SCALING = "rank"
_LEVEL = 1 - 0.05 / len(NEIGHBOURS)


def check(evidence: Evidence, challenge: Challenge) -> list[Finding]:
    """Success of linking the two halves of a record through the synthetic table, on members beyond that on non-members.

    The columns are split at random into two halves. A row is linked when a synthetic row is among its k nearest in both halves.
    A unit's success is its mean over five splits, so that units stay independent trials; the Wilson intervals behind the result
    are then cautious, because a mean over splits varies less than one yes or no. The value is for k = 1, fixed in advance.

    References
    ----------
    Article 29 Working Party (2014), Opinion 05/2014, section 2.2; Giomi et al. (2023), PoPETs 2023(2), section 4.2.
    """
    name, title = (
        "attacks.linkability",
        "Linking the two halves of a record through the synthetic table: risk beyond that of unseen units",
    )
    names = [c.name for c in evidence.schema.modelled]
    if not (len(challenge.rows) and len(challenge.synthetic) and len(names) > 1):
        note = (
            f"There are {challenge.sizes} and {len(names)} columns; units on both sides, synthetic rows and 2 columns are needed."
        )
        return [Finding(name, title, None, note=note)]
    rng = np.random.default_rng([evidence.seed, 7])
    rows = trials(challenge, rng)
    results, tolerated = (
        _results(_linked(evidence, challenge, rows, rng), challenge.row_member[rows]),
        evidence.policy["residual_risk"],
    )
    first, decision = results[0], verdict(results, tolerated)
    more = needed(results, tolerated, _LEVEL) if decision == "inconclusive" else None
    return [Finding(
        name, title, first["residual_risk"], tuple(first["interval"]), 0.0, "as often as for unseen units",
        verdict=decision,
        note=(
            f"The value is for the nearest row (k = 1). Verdict: intervals for k = {', '.join(map(str, NEIGHBOURS))} together "
            f"(Bonferroni); pass if every upper bound is at most {100 * tolerated:g} %, fail if a lower bound is above it."
        ),
        details={"results": results, "splits": SPLITS, "scaling": SCALING, "tolerated": tolerated,
                 "needed_nonmembers": more and ceil(more * first["n_nonmembers"]), "most": ROWS},
    )]  # fmt: skip


def _results(linked: np.ndarray, member: np.ndarray) -> list[dict[str, Any]]:
    """For each number of neighbours, from whether each row is linked, shape (splits, neighbours, rows)."""
    asked, out = (int(member.sum()), int((~member).sum())), []
    for k, by_split in zip(NEIGHBOURS, linked.swapaxes(0, 1), strict=True):
        hits = by_split.mean(axis=0)
        rates = compared(hits[member].sum(), hits[~member].sum(), asked, _LEVEL)
        splits = [[float(split[member].mean()), float(split[~member].mean())] for split in by_split]
        out.append({"neighbours": k, **rates, "rates_by_split": splits})
    return out


def _linked(evidence: Evidence, challenge: Challenge, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether each row is linked, shape (splits, neighbours, rows)."""
    encoder = Encoder.fit(evidence.schema, challenge.reference, challenge.synthetic)
    queries, table = encoder.transform(challenge.rows.iloc[rows]), encoder.transform(challenge.synthetic)
    names = np.array([c.name for c in evidence.schema.modelled], dtype=object)
    out = []
    for _ in range(SPLITS):
        order = rng.permutation(len(names))
        halves = [set(names[half]) for half in np.array_split(order, 2)]
        first, second = (
            nearest(*(only(t, evidence.schema, half) for t in (queries, table)), SCALING, max(NEIGHBOURS)).index
            for half in halves
        )
        same = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] >= 0)
        out.append([same[:, :k, :k].any(axis=(1, 2)) for k in NEIGHBOURS])
    return np.array(out)
