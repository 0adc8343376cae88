"""Public rows that a fit starts from: asked the same questions as the private ones, with exact answers and nothing to pay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tabsynth.cells import on_step
from tabsynth.codec import Bins, Codec, public_coder
from tabsynth.curator._axis import Axis
from tabsynth.curator._moments import days_between
from tabsynth.curator.discover import Coder, discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.schema import Column, Schema
from tabsynth.simplex import nonnegative
from tabsynth.times import Times, part_name

EXACT = 0.5
"""What is said of the noise of counts that have none."""
CHANCE = (1 - 2 / math.pi) ** 0.5
"""Standard deviation of the distance of n independent rows to what is expected of them, over the square root of n, at most."""
NEAR, FAR = 0.25, 3.0
"""Private rows may lie beyond the range of the public ones. A bin on either side reaches so far, in terms of that range, and a second one to the end of the
public range, or `FAR`."""

CHECK, MORE, MUCH, SURELY = 0.04, 2.0, 0.1, 4.0
"""Share of the budget for a look at whether a prior's bins suit the private rows. They do not if one holds `MORE` times what it held, and `MUCH` of all
rows, by `SURELY` standard deviations of the noise."""


class PriorTable(PrivateTable):
    """Implements `tabsynth.access.Counts` over public rows, such as those of an earlier release.

    These are a sample, too: `sigma` says what chance leaves, whatever is offered.

    Parameters
    ----------
    rows : DataFrame
        Conformed to the schema.
    schema : Schema
        Every row is a unit of its own.
    """

    def __init__(self, rows: pd.DataFrame, schema: Schema) -> None:
        super().__init__(rows, schema, Ledger(Budget(1.0, failure_share=0.5, delta=1e-6)))
        self._chance = max(EXACT, CHANCE * len(rows) ** 0.5)

    def sigma(self, cost: float) -> float:
        """Standard deviation of a distance of tables by chance, in rows."""
        return self._chance

    def _charge(self, answers: int, cost: float, note: str, *, failure: float = 0.0) -> float:
        return EXACT

    def _answers(
        self, kind: str, ask: Callable[[Source], list[np.ndarray]], sigmas: Sequence[float], *, least: float = -math.inf
    ) -> list[np.ndarray]:
        return ask(self._source)


def codec_of(prior: PriorTable, table: PrivateTable) -> tuple[Codec, list[str]]:
    """The codec of a private table whose ranges, bins and lists are those of a prior, with room for rows beyond them; and the columns that are coded so.

    A noisy histogram over the prior's bins, for `CHECK` of the budget, tells where a bin holds far more than in the prior; for such columns the codec is
    bought as without a prior.
    """
    coders = dict(discover(prior).coders)
    for column in table.schema.modelled:
        coder = coders[column.name]
        if isinstance(coder, Times):
            low, high = days_between(column)
            coders[column.name] = replace(coder, day=_widened(coder.day, low, high + 1, 1))
        elif isinstance(coder, Bins):
            coders[column.name] = _widened(coder, *_ends(coder, column), column.step)
    public = [c.name for c in table.schema.modelled if public_coder(c) is not None]
    strayed = _strayed(prior, table, coders)
    told = {name: coder for name, coder in coders.items() if name not in strayed}
    return discover(table, told), [name for name in told if name not in public]


def _strayed(prior: PriorTable, table: PrivateTable, coders: Mapping[str, Coder]) -> set[str]:
    """The columns of which a bin that can be cut holds far more than the prior tells."""
    bins = {name: c.day if isinstance(c, Times) else c for name, c in coders.items() if isinstance(c, Bins | Times)}
    views = {part_name(table.schema, table.schema[n], "day") if isinstance(coders[n], Times) else n: n for n in bins}
    edges = {view: bins[name].edges[bins[name].starts[1:]] for view, name in views.items()}
    if not edges:
        return set()
    cost = dict.fromkeys(edges, CHECK * table.left() / len(edges))
    seen, known = (each.cells(edges, cost=cost, note="bins of the prior") for each in (table, prior))
    out = set()
    for view, name in views.items():
        counts, ends = nonnegative(seen[view].counts), np.append(bins[name].edges[bins[name].starts], bins[name].edges[-1])
        expected = known[view].counts * counts.sum() / max(known[view].counts.sum(), 1)
        divisible = np.diff(ends) > 1.5 * ((1 if isinstance(coders[name], Times) else table.schema[name].step) or 0)
        far = counts > np.maximum(MORE * expected, MUCH * counts.sum()) + SURELY * seen[view].sigma
        if (far & divisible).any():
            out.add(name)
    return out


def _ends(bins: Bins, column: Column) -> tuple[float, float]:
    """Where a column may end: its public range, or else well beyond the bins."""
    low, high = bins.edges[[0, -1]]
    if column.minimum is None:
        return low - FAR * (high - low), high + FAR * (high - low)
    axis = Axis(column, column.step)
    return axis.ends()[0], float(axis.after(np.float64(axis.ends()[1])))


def _widened(bins: Bins, low: float, high: float, step: float | None) -> Bins:
    """The bins, and up to two more at each end, from `low` and up to `high`."""
    near = NEAR * (bins.edges[-1] - bins.edges[0])
    below, above = np.array([bins.edges[0] - near, low]), np.array([bins.edges[-1] + near, high])
    if step is not None:
        below, above = on_step(below, step), on_step(above, step)
    for edge in below:
        if low <= edge < bins.edges[0]:
            bins = bins.below(edge, np.ones(1))
    for edge in above:
        if bins.edges[-1] < edge <= high:
            bins = bins.above(edge, np.ones(1))
    return bins
