"""NOT PRIVATE. What an attacker looks at: challenge rows, synthetic and reference rows under one scaling, and their distances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabsynth.validate.attacks._density import Kernel, Projection
from tabsynth.validate.attacks._nearest import Neighbours, merged, nearest, within
from tabsynth.validate.features import SCALINGS, Encoded

_POINTS = 10_000


@dataclass(frozen=True)
class View:
    """One scaling of the three tables an attacker has; S are the synthetic rows and R the reference rows, both in random order.

    Parameters
    ----------
    scaling : str
    rows, synthetic, reference : Encoded
        Challenge rows, S and R.
    to_synthetic, to_reference : Neighbours
        Of the challenge rows.
    """

    scaling: str
    rows: Encoded
    synthetic: Encoded
    reference: Encoded
    to_synthetic: Neighbours
    to_reference: Neighbours

    def within(self, radius: float) -> np.ndarray:
        """How many synthetic rows are nearer than `radius`, shape (rows,)."""
        counts = (self.to_synthetic.distances < radius).sum(axis=1)
        more = counts == self.to_synthetic.distances.shape[1]
        counts[more] = within(self.rows[more], self.synthetic, self.scaling, radius)
        return counts

    @cached_property
    def projection(self) -> Projection:
        """The directions in which S and R vary most; densities are estimated there."""
        return Projection.fit(np.vstack([table[:_POINTS].dense(self.scaling) for table in (self.synthetic, self.reference)]))

    @cached_property
    def synthetic_density(self) -> Kernel:
        """Estimated from at most 10,000 rows of S."""
        return Kernel.fit(self.projection(self.synthetic[:_POINTS].dense(self.scaling)))

    @cached_property
    def reference_density(self) -> Kernel:
        """Estimated from at most 10,000 rows of R."""
        return Kernel.fit(self.projection(self.reference[:_POINTS].dense(self.scaling)))

    @cached_property
    def points(self) -> np.ndarray:
        """The challenge rows where densities are estimated."""
        return self.projection(self.rows.dense(self.scaling))

    @cached_property
    def log_synthetic(self) -> np.ndarray:
        """Logarithm of the density of S at the challenge rows."""
        return self.synthetic_density.log(self.points)

    @cached_property
    def log_reference(self) -> np.ndarray:
        """Logarithm of the density of R at the challenge rows."""
        return self.reference_density.log(self.points)


@dataclass(frozen=True)
class Attack:
    """A membership attack.

    Parameters
    ----------
    words : str
        What it looks at, for a reader.
    score : callable
        From a View to one number a challenge row, higher for members; not finite where it cannot be computed.
    scalings : tuple of str
        Those that change its scores.
    """

    words: str
    score: Callable[[View], np.ndarray]
    scalings: tuple[str, ...] = SCALINGS


def views(rows: Encoded, synthetic: Encoded, reference: Encoded) -> Iterator[tuple[View, View]]:
    """For each scaling the attacker's view, and the same with one half of the reference rows in the synthetic rows' place."""
    half = len(reference) // 2
    fake, other = reference[:half], reference[half:]
    for scaling in SCALINGS:
        to_fake, to_other = nearest(rows, fake, scaling), nearest(rows, other, scaling)
        to_reference = merged([to_fake, to_other], [0, half])
        yield (
            View(scaling, rows, synthetic, reference, nearest(rows, synthetic, scaling), to_reference),
            View(scaling, rows, fake, other, to_fake, to_other),
        )
