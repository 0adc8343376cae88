"""NOT PRIVATE. Attack B6, reconstruction: hidden values of known rows, by linear programming and by belief propagation.

Both guess for members and, as a control, for non-members: what is guessed as well for people the generator never saw is knowledge
about the population and counts as no leak. One row of each unit is attacked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from tabsynth.errors import OptionError
from tabsynth.schema import Column, Schema
from tabsynth.validate.attacks._challenge import Challenge
from tabsynth.validate.attacks._inference import compared, one_row_each
from tabsynth.validate.attacks.focal import discretised
from tabsynth.validate.check import Finding
from tabsynth.validate.features import axis_values, label_values
from tabsynth.validate.intervals import bootstrap

ROWS = 1_000
"""At most this many targets a side."""
PAIRS = 40
"""At most this many pairs of known columns make equations, drawn at random: some 10 seconds for 1,000 targets in 20 columns."""
COARSE, FINE = 6, 32
"""Bins of the known columns in the linear program, and for the forests."""
HIDDEN = 8
"""At most this many columns are guessed by belief propagation."""


def linear(schema: Schema, challenge: Challenge, secret: str | None = None, seed: int = 0) -> Finding:
    """One yes-or-no column of up to 1,000 known rows, from three-way tables of the synthetic rows; ``attacks.reconstruction.linear``.

    Parameters
    ----------
    secret : str, optional
        The column that is guessed; by default the schema's target if it has two values, else the first column that has, else the
        target or first column. A column with more values is guessed as its most frequent label (above the median, for numbers) or not.

    References
    ----------
    Annamalai, Gadotti and Rocher (2024), A linear reconstruction approach for attribute inference attacks against synthetic data,
    USENIX Security, arXiv 2301.10053 (k = 3).
    """
    title = "A hidden yes-or-no column of members by linear programming, right answers beyond those on non-members"
    sides = _sides(challenge, seed)
    if sides is None or len(schema.modelled) < 3:
        return Finding("attacks.reconstruction.linear", title, None, note=f"Too few rows or columns: {challenge.sizes}.")
    column = _secret(schema, challenge.synthetic, secret)
    place = schema.modelled.index(column)
    rows = challenge.rows.iloc[np.concatenate(sides)]
    truth, published = _bits(rows, challenge.synthetic, column), _bits(challenge.synthetic, challenge.synthetic, column)
    known, synthetic, _ = (
        np.delete(t, place, 1) for t in discretised(schema, rows, challenge.synthetic, challenge.reference, COARSE)
    )
    rng = np.random.default_rng([seed, 41])
    every = list(combinations(range(known.shape[1]), 2))
    chosen = [every[i] for i in np.sort(rng.permutation(len(every))[:PAIRS])]
    cut = len(sides[0])
    right = [
        (solved(known[part], synthetic, published, chosen) > 0.5) == truth[part] for part in (slice(0, cut), slice(cut, None))
    ]
    result = compared(int(right[0].sum()), int(right[1].sum()), (cut, len(right[1])), 0.95)
    majority = published.mean() > 0.5
    baseline = {"members": float((truth[:cut] == majority).mean()), "nonmembers": float((truth[cut:] == majority).mean())}
    details = {
        "threat": "Knowledge of all other columns",
        "secret": column.name,
        "pairs": len(chosen),
        "majority": baseline,
        **result,
    }
    note = (
        f"Column {column.name}: {result['rate_members']:.1%} right on {cut} members, {result['rate_nonmembers']:.1%} on as many "
        f"non-members; always naming the more frequent answer is {baseline['members']:.1%} and {baseline['nonmembers']:.1%} right."
    )
    return Finding(
        "attacks.reconstruction.linear", title, result["difference"], tuple(result["difference_interval"]), 0.0, "no leak",
        note=note, details=details,
    )  # fmt: skip


def solved(known: np.ndarray, synthetic: np.ndarray, published: np.ndarray, pairs: Sequence[tuple[int, ...]]) -> np.ndarray:
    """The most plausible secrets, shape (rows,), each from 0 to 1.

    Minimises, over all cells of the pairs' tables, the sum of ``|sum of t_i over the rows i in the cell - n_cell * P_S(1 | cell)|``;
    cells without synthetic rows say nothing. A row that no equation holds gets P_S(1).

    Parameters
    ----------
    known : ndarray of int, shape (rows, columns)
        The targets' other columns, in codes.
    synthetic : ndarray of int, shape (m, columns)
        The same of the synthetic rows.
    published : ndarray of bool, shape (m,)
        The synthetic rows' secrets.
    pairs : sequence of tuple of int
        The columns of each table.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, identity

    rows, cells, expected, start = [], [], [], 0
    for pair in pairs:
        ids = np.unique(np.vstack([known, synthetic])[:, pair], axis=0, return_inverse=True)[1].ravel()
        asked, given = ids[: len(known)], ids[len(known) :]
        size = ids.max() + 1
        seen, ones = np.bincount(given, minlength=size), np.bincount(given, published, minlength=size)
        targets = np.bincount(asked, minlength=size)
        used = (seen > 0) & (targets > 0)
        number = np.where(used, np.cumsum(used) - 1 + start, -1)[asked]
        rows.append(np.flatnonzero(number >= 0))
        cells.append(number[number >= 0])
        expected.append((targets[used] * ones[used]) / seen[used])
        start += int(used.sum())
    guess = np.full(len(known), published.mean())
    if not start:
        return guess
    row, cell = np.concatenate(rows), np.concatenate(cells)
    system = csr_matrix((np.ones(len(row)), (cell, row)), shape=(start, len(known)))
    program = linprog(
        np.concatenate([np.zeros(len(known)), np.ones(2 * start)]),
        A_eq=hstack([system, -identity(start), identity(start)], format="csc"),
        b_eq=np.concatenate(expected),
        bounds=[(0, 1)] * len(known) + [(0, None)] * (2 * start),
        method="highs-ipm",
    )
    held = np.unique(row)
    guess[held] = program.x[held]
    return guess


def tree(schema: Schema, challenge: Challenge, hidden: Sequence[str] | None = None, seed: int = 0) -> Finding:
    """Several hidden columns of up to 1,000 known rows at once, by belief propagation; ``attacks.reconstruction.tree``.

    Each hidden column's probabilities given the known columns come from a random forest trained on the synthetic rows; pairs of
    hidden columns are tied by their synthetic table along the spanning tree of the highest mutual information; the column's value is
    the one with the highest probability given all of it. Right answers count 1 / share of the value among reference rows.

    Parameters
    ----------
    hidden : sequence of str, optional
        Columns that are guessed; by default the second half of the columns, at most 8.

    References
    ----------
    SoK: Reconstruction attacks on synthetic tabular data (2026), arXiv 2606.08372 (CoBP-RA, first place in the NIST Collaborative
    Research Cycle 2025; rarity weights as there).
    """
    title = "Hidden columns of members by belief propagation, right answers (rare values count more) beyond those on non-members"
    sides, names = _sides(challenge, seed), [c.name for c in schema.modelled]
    hidden = names[-min(len(names) // 2, HIDDEN) :] if hidden is None else list(hidden)
    if sides is None or len(names) < 3 or not set(names) - set(hidden) or not len(challenge.reference):
        return Finding("attacks.reconstruction.tree", title, None, note=f"Too few rows or columns: {challenge.sizes}.")
    places, cut = [names.index(name) for name in hidden], len(sides[0])
    tables = challenge.rows.iloc[np.concatenate(sides)], challenge.synthetic, challenge.reference
    fine, coarse = (discretised(schema, *tables, bins) for bins in (FINE, COARSE))
    truth, synthetic, reference = (t[:, places] for t in coarse)
    levels = [int(max(t[:, j].max() for t in (truth, synthetic, reference))) + 1 for j in range(len(hidden))]
    unary = [_forest(*(np.delete(t, places, 1) for t in fine[:2]), synthetic[:, j], levels[j]) for j in range(len(hidden))]
    edges = spanning_tree(synthetic, levels)
    guesses = np.stack(
        [p.argmax(1) for p in marginals(unary, edges, [_tie(synthetic[:, e], [levels[i] for i in e]) for e in edges])], 1
    )
    weights = np.stack(
        [1 / np.maximum(np.bincount(r, minlength=k)[t], 1) for r, k, t in zip(reference.T, levels, truth.T, strict=True)], 1
    )
    right, member = guesses == truth, np.arange(len(truth)) < cut
    value, interval = _weighted(right, weights, member, seed)
    details = {
        "threat": "Knowledge of the other columns", "n_members": cut, "n_nonmembers": len(truth) - cut,
        "rate_members": _rate(right[member], weights[member]), "rate_nonmembers": _rate(right[~member], weights[~member]),
        "edges": [[hidden[i] for i in e] for e in edges],
        "columns": [
            {"column": name, "members": float(right[member, j].mean()), "nonmembers": float(right[~member, j].mean()),
             "majority": float((truth[:, j] == np.bincount(synthetic[:, j]).argmax()).mean())} for j, name in enumerate(hidden)
        ],
    }  # fmt: skip
    note = (
        f"Weighted by rarity, {details['rate_members']:.1%} right on members and {details['rate_nonmembers']:.1%} on non-members."
    )
    return Finding("attacks.reconstruction.tree", title, value, interval, 0.0, "no leak", note=note, details=details)


def spanning_tree(codes: np.ndarray, levels: Sequence[int]) -> list[tuple[int, int]]:
    """The tree over the columns with the highest sum of mutual information in the rows of `codes`: Chow and Liu (1968)."""
    joined, edges = {0}, []
    while len(joined) < len(levels):
        left = [(i, j) for i in joined for j in range(len(levels)) if j not in joined]
        best = max(left, key=lambda e: _information(_shares(codes[:, e], [levels[i] for i in e], 0)))
        edges.append(best)
        joined.add(best[1])
    return edges


def marginals(unary: Sequence[np.ndarray], edges: Sequence[tuple[int, int]], ties: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Sum-product on a tree: for each node its marginals of ``prod of unary * prod of ties``, normalised; exact.

    Parameters
    ----------
    unary : sequence of ndarray of float, shapes (rows, levels of the node)
    edges : sequence of (parent, child)
        Each parent stands before its children, from the root 0 on; all nodes are reached.
    ties : sequence of ndarray of float, shapes (levels of the parent, levels of the child)
        One for each edge.

    Returns
    -------
    list of ndarray, shapes (rows, levels of the node)
    """
    upward = [u / u.sum(1, keepdims=True) for u in unary]
    sent = {}
    for (parent, child), tie in reversed(list(zip(edges, ties, strict=True))):
        sent[child] = upward[child] @ tie.T
        upward[parent] = _normal(upward[parent] * sent[child])
    out = list(upward)
    for (parent, child), tie in zip(edges, ties, strict=True):
        without = out[parent] / np.maximum(sent[child], 1e-300)
        out[child] = _normal(upward[child] * (without @ tie))
    return out


def _normal(values: np.ndarray) -> np.ndarray:
    return values / values.sum(1, keepdims=True)


def _shares(codes: np.ndarray, levels: Sequence[int], added: float) -> np.ndarray:
    """The two columns' table, as shares, with `added` rows spread over the cells as if the columns were independent."""
    table = np.bincount(codes[:, 0] * levels[1] + codes[:, 1], minlength=levels[0] * levels[1]).reshape(levels)
    table = table / max(len(codes), 1)
    return (len(codes) * table + added * np.outer(table.sum(1), table.sum(0))) / (len(codes) + added)


def _information(shares: np.ndarray) -> float:
    ratio = shares / np.maximum(np.outer(shares.sum(1), shares.sum(0)), 1e-300)
    return float(np.sum(shares * np.log(np.where(shares > 0, ratio, 1))))


def _tie(codes: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """P(a, b) / (P(a) P(b)), so that the columns' own probabilities, which the forests gave already, are not counted twice."""
    shares = _shares(codes, levels, 1.0)
    apart = np.outer(shares.sum(1), shares.sum(0))
    return np.where(apart > 0, shares / np.where(apart > 0, apart, 1), 1.0)


def _forest(rows: np.ndarray, synthetic: np.ndarray, values: np.ndarray, levels: int) -> np.ndarray:
    """Probabilities of a column's values for each row, all above 0."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(25, max_depth=25, random_state=0).fit(synthetic, values)
    out = np.full((len(rows), levels), 1e-4)
    out[:, forest.classes_] += forest.predict_proba(rows)
    return _normal(out)


def _rate(right: np.ndarray, weights: np.ndarray) -> float:
    return float((right * weights).sum() / weights.sum())


def _weighted(right: np.ndarray, weights: np.ndarray, member: np.ndarray, seed: int) -> tuple[float, tuple[float, float] | None]:
    """Difference of the weighted rates between members and non-members, with its bootstrap interval over rows."""
    got, possible = (right * weights).sum(1), weights.sum(1)

    def difference(times: np.ndarray) -> tuple[float]:
        rates = [(times * got)[side].sum() / max((times * possible)[side].sum(), 1e-300) for side in (member, ~member)]
        return (rates[0] - rates[1],)

    rng = np.random.default_rng([seed, 42])
    return difference(np.ones(len(got)))[0], bootstrap(difference, np.arange(len(got)), rng)[0]


def _sides(challenge: Challenge, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Row numbers of equally many members and non-members, one row a unit; None where there are too few."""
    picked = one_row_each(challenge.units, np.random.default_rng([seed, 40]), len(challenge.member))
    sides = [picked[challenge.row_member[picked] == side] for side in (True, False)]
    size = min(*map(len, sides), ROWS)
    return (sides[0][:size], sides[1][:size]) if size >= 2 and len(challenge.synthetic) else None


def _secret(schema: Schema, synthetic: pd.DataFrame, name: str | None) -> Column:
    if name is not None and name not in {c.name for c in schema.modelled}:
        raise OptionError(f"secret is {name!r}; name one of the columns {', '.join(c.name for c in schema.modelled)}.")
    if name is not None:
        return schema[name]
    first = [c for c in schema.modelled if c.name == schema.target]
    columns = [*first, *schema.modelled]
    binary = [c for c in columns if not c.numeric and len(set(label_values(synthetic, c)) - {None}) == 2]
    return [*binary, *columns][0]


def _bits(table: pd.DataFrame, synthetic: pd.DataFrame, column: Column) -> np.ndarray:
    """Whether each row has the column's most frequent synthetic label, or lies above its synthetic median; missing does not."""
    if column.numeric:
        known = axis_values(synthetic, column)
        return axis_values(table, column) > (np.nanmedian(known) if not np.isnan(known).all() else math.inf)
    return label_values(table, column) == pd.Series(label_values(synthetic, column)).mode().iloc[0]
