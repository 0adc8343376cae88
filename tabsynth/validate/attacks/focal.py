"""NOT PRIVATE. Attack B1, focal points (MAMA-MIA): how much likelier a row is among synthetic than among reference rows, judged only in
the small tables that the generator measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.resolution import PARTS
from tabsynth.schema import Schema
from tabsynth.times import part_name
from tabsynth.validate.attacks import statistics
from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.check import Finding
from tabsynth.validate.features import axis_values, label_values

Clique = tuple[int, ...]
"""Numbers of columns, counted in ``schema.modelled``."""

FLOOR = 1e-10
"""Least share of reference rows that a share of synthetic rows is divided by (MAMA-MIA)."""
PAIRS = 300
"""At most this many pairs of columns where the measured tables are not known."""
_KEPT = ((1000, 0.85), (100, 0.8), (10, 0.7), (1, 0.6), (0, 0.5))
_TABLE = "table of "


def score(
    rows: np.ndarray,
    synthetic: np.ndarray,
    reference: np.ndarray,
    cliques: Sequence[Clique],
    weights: Sequence[float] | None = None,
) -> np.ndarray:
    """Logarithm of ``A(x) = sum over cliques c of w_c * P_S(x_c) / max(P_R(x_c), 1e-10)``; higher means "member".

    P_S and P_R are shares of the synthetic and of the reference rows that agree with x in the columns of c. A row that no synthetic
    row agrees with anywhere has A = 1e-10.

    Parameters
    ----------
    rows, synthetic, reference : ndarray of int, shapes (rows, columns), (m, columns) and (r, columns)
        Codes, such as those of `discretised`; m and r are at least 1.
    cliques : sequence of tuple of int
        Columns of each table the generator measured.
    weights : sequence of float, optional
        One for each clique, such as those of `weighted`; all 1 by default.

    Returns
    -------
    ndarray of float, shape (rows,)

    References
    ----------
    Golob, Pentyala, Maratkhan and De Cock (2024), Privacy vulnerabilities in marginals-based synthetic data, arXiv 2410.05506,
    and arXiv 2402.06699. The published threshold on w_c is in `weighted`; the activation is monotone and changes no rate.
    """
    everything, ends = np.vstack([rows, synthetic, reference]), np.cumsum([len(rows), len(synthetic)])
    total = np.zeros(len(rows))
    for clique, weight in zip(cliques, np.ones(len(cliques)) if weights is None else weights, strict=True):
        ids = np.zeros(len(everything), np.int64)
        for column in clique:
            codes = everything[:, column].astype(np.int64)
            ids = pd.factorize(ids * (codes.max() + 1) + codes)[0]
        asked, in_synthetic, in_reference = np.split(ids, ends)
        shares = [np.bincount(part, minlength=ids.max() + 1) / len(part) for part in (in_synthetic, in_reference)]
        total += weight * (shares[0] / np.maximum(shares[1], FLOOR))[asked]
    return np.log(np.maximum(total, FLOOR))


def discretised(
    schema: Schema, rows: pd.DataFrame, synthetic: pd.DataFrame, reference: pd.DataFrame, bins: int = 32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three tables as codes from 0, shape (rows, modelled columns): labels as they are, numbers cut at reference quantiles.

    There are at most `bins` - 1 cuts, so equal bins where values are distinct; a value that owns two or more quantiles is a bin of
    its own. A missing value is a code of its own. Without reference rows the synthetic rows set the cuts.
    """
    tables, columns = (rows, synthetic, reference), []
    for column in schema.modelled:
        values = [axis_values(t, column) if column.numeric else label_values(t, column) for t in tables]
        if column.numeric:
            cuts = _cuts(values[2] if len(reference) else values[1], bins)
            values = [np.where(np.isnan(v), -1, np.searchsorted(cuts, v, side="right")) for v in values]
        columns.append(pd.factorize(np.concatenate(values), use_na_sentinel=False)[0])
    codes = np.array(columns, np.int32).T
    return tuple(np.split(codes, np.cumsum([len(rows), len(synthetic)])))


def _cuts(values: np.ndarray, bins: int) -> np.ndarray:
    """Where a new bin starts, ascending."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(0)
    starts, owned = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="lower"), return_counts=True)
    return np.unique(np.concatenate([starts, np.nextafter(starts[owned > 1], np.inf)]))


def pairs(columns: int) -> list[Clique]:
    """The pairs of so many columns, at most 300 of them, in order: for a generator whose tables are not known."""
    return list(islice(combinations(range(columns), 2), PAIRS)) or [(0,)] * columns


def cliques_of(card: Any, schema: Schema) -> list[Clique]:
    """The tables that a release card says were measured, each once; none for a card that does not say or is not tabsynth's.

    They stand in ``card["ledger"]["charges"]``, each a mapping with a ``note`` such as ``table of age x ward``. A part of a date or
    datetime, such as ``sold_at:weekday``, counts as its column: whoever agrees in that agrees in its parts.
    """
    ledger = card.get("ledger") if isinstance(card, Mapping) else None
    charges = ledger.get("charges") if isinstance(ledger, Mapping) else None
    notes = [charge.get("note") for charge in charges if isinstance(charge, Mapping)] if isinstance(charges, list) else []
    parts = [(i, c, part) for i, c in enumerate(schema.modelled) for part in PARTS.get(c.kind, ("date",))]
    names = {part_name(schema, column, part): i for i, column, part in parts}
    found = [_named(n.removeprefix(_TABLE), names) for n in notes if isinstance(n, str) and n.startswith(_TABLE)]
    return list(dict.fromkeys(tuple(dict.fromkeys(clique)) for clique in found if clique))


def _named(text: str, names: Mapping[str, int]) -> Clique:
    """The columns of ``a x b x c``, where names may themselves hold an x between spaces; () if they are not all known."""
    if text in names:
        return (names[text],)
    for name, number in names.items():
        rest = _named(text.removeprefix(f"{name} x "), names) if text.startswith(f"{name} x ") else ()
        if rest:
            return (number, *rest)
    return ()


def weighted(measured: Sequence[Sequence[Clique]], epsilon: float) -> tuple[list[Clique], list[float]]:
    """Cliques and weights from shadow fits: in which share of the fits each was measured; those well below the highest are left out.

    Parameters
    ----------
    measured : sequence of sequence of tuple
        For each shadow fit, what it measured (`cliques_of` of its card).
    epsilon : float
        Of the fits: a clique is kept from 0.5 (below 1) to 0.85 (at 1,000) of the highest weight on, as published.
    """
    counts = Counter(clique for fit in measured for clique in set(fit))
    share = next(share for least, share in _KEPT if epsilon >= least)
    kept = {c: n / len(measured) for c, n in counts.items() if n >= share * max(counts.values())}
    return list(kept), list(kept.values())


def possible(challenge: Challenge) -> bool:
    """Whether there are rows enough: half of the reference rows must suffice too, for the control."""
    return bool(len(challenge.synthetic) and len(challenge.reference) > 1 and challenge.member.any())


def scores(
    schema: Schema, challenge: Challenge, cliques: Sequence[Clique] = (), weights: Sequence[float] | None = None
) -> np.ndarray:
    """Unit scores of a challenge, shape (units,): the mean over a unit's rows; without cliques, for all pairs of columns."""
    codes = discretised(schema, challenge.rows, challenge.synthetic, challenge.reference)
    rows = score(*codes, cliques, weights) if cliques else score(*codes, pairs(codes[0].shape[1]))
    return statistics.pooled(rows, challenge.units)


def check(
    schema: Schema, challenge: Challenge, cliques: Sequence[Clique] = (), weights: Sequence[float] | None = None
) -> Finding:
    """The attack on the challenge's units, as the finding ``attacks.focal``; arguments as in `scores`."""
    return finding(scores(schema, challenge, cliques, weights) if possible(challenge) else None, schema, challenge, cliques)


def finding(found: np.ndarray | None, schema: Schema, challenge: Challenge, cliques: Sequence[Clique]) -> Finding:
    """What `scores` found, None where that is not `possible`."""
    known = f"{len(cliques)} tables that the generator is known to have measured" if cliques else "pairs of columns"
    title = "Membership by the tables that the generator measured (MAMA-MIA), of units (AUC)"
    if found is None:
        return Finding("attacks.focal", title, None, reference=0.5, note=f"Too few rows: {challenge.sizes}.")
    summary = statistics.summary(found, challenge.member, np.arange(len(challenge.member)))
    tables = [[schema.modelled[i].name for i in clique] for clique in cliques]
    summary["details"] = {"attack": "focal", "threat": "Knowledge of the algorithm", "tables": tables} | summary["details"]
    return Finding("attacks.focal", title, reference=0.5, reference_is="chance", note=f"Judged in {known}.", **summary)
