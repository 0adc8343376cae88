"""The protocols: how a model may touch data, and what a model is. Read this first.

A model never sees a row. It is handed something that is `Counts` and buys noisy answers from it; each answer is charged to a
ledger before its noise is drawn, in one additive currency: rho = mu**2 / 2, where a step that is mu-Gaussian-DP costs rho.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

Attrs = tuple[str, ...]
Codes = np.ndarray
"""Integer codes, shape (rows, columns), in the order of `Counts.domain`."""

MAX_ROWS = 10**9
"""Most rows that a model is asked for, and its largest total."""

Progress = Callable[[str, float], None]
"""Told what is being done and which fraction of the whole is behind us."""


def silent(_what: str, _done: float) -> None:
    """A `Progress` that nobody looks at."""


@dataclass(frozen=True)
class Marginal:
    """A noisy contingency table.

    Parameters
    ----------
    attrs : tuple of str
    counts : ndarray of int64, one axis per attribute
        Exact count plus discrete Gaussian noise; may be negative.
    sigma : float
        Standard deviation of the noise, in rows.
    """

    attrs: Attrs
    counts: np.ndarray
    sigma: float


@dataclass(frozen=True)
class Candidate:
    """A model's public guess of a contingency table, to be compared with the real one.

    `estimate` holds non-negative whole counts, so that one row moves the L1 distance to the real table by at most one.
    """

    attrs: Attrs
    estimate: np.ndarray


class Counts(Protocol):
    """Noisy counts over a private table. Implemented by `tabsynth.curator.table.PrivateTable`."""

    @property
    def domain(self) -> Mapping[str, int]:
        """Number of codes of each column, in order. Public: from the schema, or bought."""

    @property
    def ordered(self) -> Mapping[str, int]:
        """How many of each column's first codes lie in an order: all but a missing one for numbers and dates, none for categories."""

    @property
    def nullable(self) -> Mapping[str, bool]:
        """Whether each column has a code for missing, its last."""

    def left(self) -> float:
        """Budget left, in rho."""

    def sigma(self, cost: float) -> float:
        """Standard deviation, in rows, of the noise that `cost` buys."""

    def measure(
        self, cliques: Sequence[Attrs], *, costs: Sequence[float], groups: Mapping[str, np.ndarray] | None = None
    ) -> list[Marginal]:
        """Noisy contingency tables; each one for its own cost.

        ``groups[a][code]`` is a public whole number from 0: codes of `a` that share it are counted as one.
        """

    def score(
        self, candidates: Sequence[Candidate], *, cost: float, groups: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Noisy L1 distances, in rows, between each candidate's estimate and the real table; all together cost `cost`.

        Tables are of groups of codes where `groups` has some, as in `measure`.
        """

    def gram(self, scores: Mapping[str, np.ndarray], *, limit: int, cost: float) -> tuple[np.ndarray, float]:
        """Noisy sum over the rows of v v^T, and the noise's standard deviation.

        v strings together the rows ``scores[a][code of a]`` of public integer tables, shape (codes, scores), one table for each column
        in `scores`. A row whose squared length exceeds `limit` is shortened to it. Blocks of a column with itself are not answered: 0.
        """


class Gradients(Protocol):
    """Noisy gradients over a private table, paid for in full. Implemented by `tabsynth.curator.gradients.GradientStream`."""

    left: int
    """Steps that are left."""

    def step(self, critic: torch.nn.Module) -> list[torch.Tensor]:
        """Sum over a Poisson sample of units of the clipped gradients of ``softplus(-critic(row))``, plus noise, for each parameter."""


class CountsAndGradients(Counts, Protocol):
    """Both. Implemented by `tabsynth.curator.table.PrivateTable`."""

    @property
    def budget(self) -> float:
        """The whole budget, in rho, whatever of it is spent. What is left may depend on answers; this does not."""

    def gradients(self, critic: torch.nn.Module, *, steps: int, rate: float, clip: float, share: float) -> Gradients:
        """Open a stream of `steps` noisy gradients for a share of the whole budget; a unit is in a step's batch with probability `rate`.

        Steps, rate and share must be settings, not results of earlier answers.
        """


class Model(Protocol):
    """What a synthesizer learned: already private, so anything may be done with it."""

    total: float
    """Noisy estimate of the number of rows it was fitted on, from 1 to `MAX_ROWS`."""

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """Draw synthetic rows."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What `load` needs: plain JSON data and arrays."""

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> Model:
        """Inverse of `state`, for columns of so many codes.

        Anybody may have written the files, so it refuses (with a FolderError) whatever could make `sample` leave the domain, read
        beyond an array, or not end.
        """


class Synthesizer(Protocol):
    """An algorithm with its public settings. Implemented by every class in `tabsynth.models.MODELS`."""

    name: str

    def fit(self, data: Counts, rng: np.random.Generator, progress: Progress) -> Model:
        """Spend at most ``data.left()`` and return the fitted model."""
