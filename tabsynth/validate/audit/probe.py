"""An engine that asks the curator every question there is, and nothing else: audited in milliseconds a fit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.access import Candidate, Codes, CountsAndGradients, Progress


@dataclass(frozen=True)
class Probe:
    """Settings, all public.

    Parameters
    ----------
    steps : int
        Gradient steps; 0 for none, so that torch is not needed.
    rate : float
        Probability of a unit to be in a step's batch.
    """

    name: str = "probe"
    steps: int = 0
    rate: float = 0.2

    def fit(self, data: CountsAndGradients, rng: np.random.Generator, progress: Progress) -> ProbeModel:
        """See `tabsynth.access.Synthesizer`. Spends exactly ``data.left()``."""
        sizes = data.domain
        if self.steps:
            self._gradients(data)
        part = data.left() / 4
        pairs = list(itertools.combinations(sizes, 2))
        single = data.measure([(name,) for name in sizes], costs=[part / len(sizes)] * len(sizes))
        data.measure(pairs, costs=[part / len(pairs)] * len(pairs), groups={name: np.arange(n) // 2 for name, n in sizes.items()})
        data.score([Candidate(pair, np.zeros([sizes[a] for a in pair], dtype=np.int64)) for pair in pairs], cost=part)
        data.gram({name: 4 * np.eye(n, dtype=np.int64) for name, n in sizes.items()}, limit=16 * len(sizes), cost=data.left())
        shares = [np.maximum(table.counts, 0) + 1.0 for table in single]
        return ProbeModel(float(max(1.0, single[0].counts.sum())), [share / share.sum() for share in shares])

    def _gradients(self, data: CountsAndGradients) -> None:
        """Steps of a critic whose gradient for any row is longer than the clipping norm, and whose parameters never change."""
        import torch

        critic = torch.nn.Sequential(torch.nn.Linear(sum(data.domain.values()), 1, bias=False))
        with torch.no_grad():
            critic[0].weight.fill_(-20.0)
        stream = data.gradients(critic, steps=self.steps, rate=self.rate, clip=1.0, share=0.25)
        while stream.left:
            stream.step(critic)


@dataclass(frozen=True)
class ProbeModel:
    """Columns independent of each other."""

    total: float
    shares: list[np.ndarray]

    def sample(self, rows: int, rng: np.random.Generator) -> Codes:
        """See `tabsynth.access.Model`."""
        return np.stack([rng.choice(len(share), rows, p=share) for share in self.shares], axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        return {"total": self.total}, {str(i): share for i, share in enumerate(self.shares)}

    @classmethod
    def load(cls, plain: dict[str, Any], arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> ProbeModel:
        """See `tabsynth.access.Model`."""
        return cls(plain["total"], [arrays[str(i)] for i in range(len(domain))])
