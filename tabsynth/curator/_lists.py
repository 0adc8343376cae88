"""Buy the lists of labels that the schema does not give, and the shares of those that are too long for a code a label.

A long list is counted once, label by label. Labels that are heavy for the number of codes that rows and noise allow are alone; the others
share codes with their neighbours in the list, because lists that people write down are in some order: a codebook has its chapters, a
register its regions. All that happens after the noise is post-processing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tabsynth.codec import LONG_LIST, Labels, listed
from tabsynth.curator import _groups
from tabsynth.curator.table import PrivateTable
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import OTHER, Column

MOST = 64
"""Most codes of a long list."""
LEAST = 4.0
"""A code's rows should be that many times the noise of its own measurement."""
TOP, STEP, EMPTY, ITERATIONS = 8.0, 0.25, 0.9, 300
"""Counts of more standard deviations than `TOP` are what they are. Below that, what a label may hold lies on a grid of so many standard
deviations, and `EMPTY` of the labels hold nothing before the counts are looked at."""
NOTHING = 1e-3
"""Rows; a label that is expected to have fewer has none."""


def lists(table: PrivateTable, columns: Sequence[Column], cost: float) -> dict[str, Labels | GroupedLabels]:
    """Coders of categorical columns without a public list, or with a long one; each column spends `cost`, in rho."""
    coders: dict[str, Labels | GroupedLabels] = {}
    unknown = [c for c in columns if c.discover]
    noise = table.sigma((table.left() - cost * len(columns)) / (2 * len(table.schema.modelled)))
    for c in unknown:
        found = table.labels(c.name, cost=cost, failure=table.ledger.budget.failure / len(unknown))
        found = {value: n for value, n in found.items() if value != OTHER}
        spare = (OTHER,) if c.outside == "other" or not found else ()
        values = (*found, *spare)
        counts = np.array([*found.values(), *(1 for _ in spare)], dtype=float)
        long = len(values) > LONG_LIST
        coders[c.name] = grouped(values, counts, counts > 0, c.nullable, noise) if long else Labels(values, c.nullable)
    public = {c.name: listed(c) for c in columns if not c.discover}
    for name, noisy in (table.listed(public, cost=cost) if public else {}).items():
        clear = noisy.counts > noisy.sigma * math.sqrt(2 * math.log(2 * len(noisy.counts)))
        coders[name] = grouped(public[name], expected(noisy.counts, noisy.sigma), clear, table.schema[name].nullable, noise)
    return coders


def expected(counts: np.ndarray, sigma: float) -> np.ndarray:
    """How many rows each label is expected to have, given the noisy counts of all of them.

    What the labels of the list hold is taken to come from one distribution, itself estimated from the noisy counts: empirical Bayes with a
    nonparametric prior on a grid (Kiefer and Wolfowitz 1956; by EM, as in Koenker and Mizera, JASA 2014). Where most labels are
    empty, the prior says so, and what noise gives them shrinks to nearly nothing; where many hold a little, each gets a little.

    Parameters
    ----------
    counts : ndarray of numbers, shape (labels,)
    sigma : float

    Returns
    -------
    ndarray of float64, shape (labels,)
        Non-negative.
    """
    out = np.maximum(np.asarray(counts, dtype=float), 0.0)
    low = np.flatnonzero(counts < TOP * sigma)
    grid = np.arange(0.0, TOP + 1, STEP)
    likelihood = np.exp(-0.5 * np.square(np.maximum(counts[low, None] / sigma, -TOP) - grid))
    prior = np.append(EMPTY, np.full(len(grid) - 1, (1 - EMPTY) / (len(grid) - 1)))
    for _ in range(ITERATIONS if len(low) else 0):
        prior *= likelihood.T @ (1 / (likelihood @ prior)) / len(low)
    out[low] = likelihood @ (prior * grid) / (likelihood @ prior) * sigma
    return np.where(out < NOTHING, 0.0, out.round(3))


def grouped(values: Sequence[str | int], mass: np.ndarray, clear: np.ndarray, null: bool, noise: float) -> GroupedLabels:
    """Give the labels as many codes as `_groups.wanted` where they are measured with `noise`.

    A label that is `clear` of its noise and has half a code's even share is alone, and so is `OTHER`. The rest are cut into runs of
    the list of similar mass. Labels that are not clear join their neighbours' runs, unless all of them together would fill less than one: these
    may all be empty, and have a code of their own so that the model's measurement tells.
    """
    total = max(mass.sum(), 1.0)
    codes = _groups.wanted(total, noise, MOST)
    alone = clear & (mass >= max(total / (2 * codes), LEAST * noise))
    alone[-1:] |= values[-1] == OTHER
    enough = max(_groups.share(mass, alone, codes), LEAST * noise)
    doubtful = ~alone & ~clear
    apart = mass[doubtful].sum() < enough
    group = np.cumsum(alone) - 1
    for part in (~alone & clear, doubtful) if apart else (~alone,):
        group[part] = len(mass) * (1 + (part is doubtful)) + _runs(mass[part], enough)
    return GroupedLabels(tuple(values), np.unique(group, return_inverse=True)[1], mass, null)


def _runs(mass: np.ndarray, enough: float) -> np.ndarray:
    """The run of each label, from 0, in the order of the list: each run holds about `enough`, one alone where all hold less than that twice."""
    before = np.cumsum(mass) - mass / 2
    return np.minimum(before // enough, max(mass.sum() // enough - 1, 0)).astype(np.int64)
