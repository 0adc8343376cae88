"""A generator and a private critic: `aim` fits noisy tables, the critic learns from the real rows what these cannot hold.

A conditional tabular GAN (Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling Tabular data using Conditional GAN", NeurIPS 2019) with private
gradients loses nearly all that it could learn to their noise. So the game is played from the other end. The generator is `aim`'s random field with
rows that walk through it, fitted to noisy tables. The critic learns to tell real rows from those, by DP-SGD (Abadi et al., "Deep Learning with Differential
Privacy", CCS 2016); its output estimates a log density ratio, and the refined generator is the field times the exponential of it (Che et al., "Your GAN is
Secretly an Energy-based Model and You Should Use Discriminator Driven Latent Sampling", NeurIPS 2020, section 3.1). The field is then fitted to its noisy tables
again, with the critic in place, so that the critic's noise cannot harm what they say. How far the critic is trusted, if at all, is
settled by noisy distances of each version's tables to the real ones.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabsynth.access import Codes, CountsAndGradients, Progress
from tabsynth.models import _critic, _tables
from tabsynth.models._critic import Critic
from tabsynth.models._field import Tables
from tabsynth.models._state import State
from tabsynth.models._walk import Cells, Walk, step
from tabsynth.models.aim import AIM, NAMES, FieldModel

MOVES, MOST_TRUST = 3, 100.0
"""Steps that take copies of a row away from it; largest factor on a critic's output."""


@dataclass(frozen=True)
class CTGAN:
    """Settings, all public.

    Parameters
    ----------
    target : str, optional
        As in `tabsynth.models.aim.AIM`.
    most, half : float
        The critic's share of the budget: `most` of a large one, and half as much of a budget of `half` rho. Small budgets are better
        spent on tables.
    look : float
        Share of the rest for the comparison of versions.
    steps, rate : int, float
        Gradient steps, and the probability of a unit to be in a step's batch.
    clip : float
        Largest norm of a unit's gradient.
    width : int
        Units of the critic's hidden layer.
    learning : float
        Largest learning rate.
    drafts : int
        Most drafted rows a step.
    trust : sequence of float
        Factors on the critic's output that are tried.
    refit : int
        Gibbs steps of the fit with a critic.
    sure : float
        A version is taken only if it is that many standard deviations of the noise closer to the real rows than `aim`'s.
    tables, cells : int
        Most tables that versions are compared by, and most cells of each.
    generator : AIM
        Settings of the generator; `target` and `kept` are set here.
    """

    name: str = "ctgan"
    target: str | None = None
    most: float = 0.3
    half: float = 0.3
    look: float = 0.02
    steps: int = 600
    rate: float = 0.1
    clip: float = 1.0
    width: int = 64
    learning: float = 0.01
    drafts: int = 4096
    trust: tuple[float, ...] = (0.5, 1.0)
    refit: int = 60
    sure: float = 2.0
    tables: int = 500
    cells: int = 20_000
    generator: AIM = field(default_factory=AIM)

    def fit(self, data: CountsAndGradients, rng: np.random.Generator, progress: Progress) -> CTGANModel:
        """See `tabsynth.access.Synthesizer`. Spends exactly ``data.left()``."""
        sizes = list(data.domain.values())
        net = _critic.network(sum(sizes), self.width, int(rng.integers(2**63)))
        share = self.most * data.budget / (data.budget + self.half)
        gradients = data.gradients(net, steps=self.steps, rate=self.rate, clip=self.clip, share=share)
        generator = dataclasses.replace(self.generator, target=self.target, kept=self.look)
        walk = generator.walk(data, rng, lambda what, done: progress(what, 0.4 * done))
        rows = walk.codes.copy()

        def drafted() -> Codes:
            at = int(rng.integers(max(1, len(rows) - self.drafts + 1)))
            walk.field.step(rows[at : at + self.drafts], rng)
            return rows[at : at + self.drafts]

        critic = _critic.train(
            net, gradients, drafted, sizes, self.rate * walk.total, self.learning,
            lambda done: progress("training the critic", 0.4 + 0.4 * done),
        )  # fmt: skip
        versions = []
        for i, trust in enumerate((0.0, *self.trust)):
            progress("refining rows", 0.8 + 0.2 * i / (1 + len(self.trust)))
            versions.append(self._version(walk, list(data.domain), critic, trust))
        return self._closest(data, versions, rng)

    def _version(self, walk: Walk, columns: list[str], critic: Critic, trust: float) -> CTGANModel:
        """The generator as refined by a critic that is trusted so far."""
        own = copy.deepcopy(walk)
        if trust:
            own.doubt = lambda codes: trust * critic(codes)
            own.run(self.refit, 0.15, 0.02)
        return CTGANModel(walk.total, columns, own.field, own.balanced(), critic, trust)

    def _closest(self, data: CountsAndGradients, versions: Sequence[CTGANModel], rng: np.random.Generator) -> CTGANModel:
        """The version whose tables are closest to the real ones; the first unless another is clearly closer. Spends what is left."""
        base = versions[0]
        sizes = base.field.sizes
        attrs = self._compared(sizes, rng)
        names, tables = [tuple(base.columns[i] for i in a) for a in attrs], Tables(sizes, attrs)
        candidates = []
        for version in versions:
            counts = tables.count(version.rows) * (base.total / len(version.rows))
            candidates += _tables.candidates(names, tables.split(counts))
        cost = data.left()
        distance = data.score(candidates, cost=cost).reshape(len(versions), -1).sum(1)
        noise = data.sigma(cost / len(candidates)) * math.sqrt(2 * len(attrs))
        best = int(distance.argmin())
        return versions[best if distance[0] - distance[best] > self.sure * noise else 0]

    def _compared(self, sizes: np.ndarray, rng: np.random.Generator) -> list[Cells]:
        """Random tables of three columns, or of as many as there are."""
        every = itertools.combinations(range(len(sizes)), min(3, len(sizes)))
        small = [a for a in every if math.prod(sizes[list(a)]) <= self.cells] or [(int(sizes.argmin()),)]
        return [small[i] for i in np.sort(rng.permutation(len(small))[: self.tables])]


@dataclass(frozen=True)
class CTGANModel(FieldModel):
    """A random field, a critic that corrects it as far as `trust` says, and rows that follow both."""

    critic: Critic
    trust: float

    def move(self, codes: Codes, rng: np.random.Generator) -> None:
        """Walk on, in place."""
        if not self.trust:
            return super().move(codes, rng)
        for _ in range(MOVES):
            step(self.field, lambda rows: self.trust * self.critic(rows), codes, rng)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `tabsynth.access.Model`."""
        plain, arrays = super().state()
        return plain | {"trust": self.trust}, arrays | {f"critic_{name}": a for name, a in vars(self.critic).items()}

    @classmethod
    def load(cls, plain: Any, arrays: Mapping[str, np.ndarray], domain: Mapping[str, int]) -> CTGANModel:
        """See `tabsynth.access.Model`."""
        state = State(plain, arrays, (*NAMES, "trust"))
        trust, critic = state.number("trust", 0, MOST_TRUST), Critic.loaded(state, list(domain.values()))
        return cls._loaded(state, domain, critic=critic, trust=trust)
