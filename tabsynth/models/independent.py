"""Every column on its own: the baseline, and the fallback where there are too many columns to relate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import Codes, Counts, Progress
from tabsynth.models import _tables
from tabsynth.models._state import State


@dataclass(frozen=True)
class Independent:
    """Measures each column's histogram with an equal part of the noise error, and samples columns independently.

    Guarantee: spends exactly ``data.left()``, all of it on Gaussian histograms. A target changes nothing: there are no relations.
    """

    name: str = "independent"
    target: str | None = None

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> IndependentModel:
        """See `tabsynth.access.Synthesizer`."""
        progress("measuring columns", 0.0)
        cliques = [(name,) for name in data.domain]
        marginals = data.measure(cliques, costs=_tables.split(data.left(), list(data.domain.values())))
        return IndependentModel(_tables.total(marginals), [_tables.distribution(m, data.ordered[m.attrs[0]]) for m in marginals])


@dataclass(frozen=True)
class IndependentModel:
    """One probability vector for each column."""

    total: float
    columns: list[np.ndarray]

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`."""
        return np.stack([_tables.draw(p, rows, rng) for p in self.columns], axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        return {"total": self.total}, {f"column_{i}": p for i, p in enumerate(self.columns)}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> IndependentModel:
        """See `tabsynth.access.Model`."""
        state = State(plain, arrays)
        columns = [state.shares(f"column_{i}", (size,)) for i, size in enumerate(domain.values())]
        return cls(state.end(), columns)
