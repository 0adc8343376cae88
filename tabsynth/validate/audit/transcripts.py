"""Run an engine on one of two neighbouring tables again and again, and hear through the tap what each run showed about which it was."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from tabsynth.access import Synthesizer
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.curator.tap import Event
from tabsynth.fit import learn
from tabsynth.validate.attacks.targeted import counts, queries
from tabsynth.validate.audit.neighbours import Pair

KEPT = 20_000
"""Most residuals of a stage that are kept."""
SAMPLED = 256
"""Synthetic rows a run, for the attack that sees nothing else."""
ROUNDING = 1e-6
"""Relative difference that floating point may make."""
ROUNDED_SUM = 1e-3
"""Difference that it may make to sums of gradients, whose norm is about 1."""


@dataclass
class Transcripts:
    """What `runs` fits on one table showed.

    Parameters
    ----------
    scores : dict of list of float
        For each stage, log likelihood ratios of world 1 to world 0, one a run.
    rho : dict of float
        What the charges of each stage cost, on average; streams are in `streams`.
    streams : tuple of (rate, noise multiplier, steps)
        As charged.
    residuals : dict of list of ndarray
        For each stage, noise in units of its claimed standard deviation, one array a run.
    samples : list of ndarray
        What synthetic rows show: how many agree with the unit that makes the difference, in each set of columns; one array a run.
    batches : list of ndarray of bool, shape (steps, units)
        Who was in the batches of gradient steps, one array a run.
    complaints : dict
        What broke a rule that no fit may break, and how often.
    """

    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rho: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    streams: tuple = ()
    residuals: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    samples: list[np.ndarray] = field(default_factory=list)
    batches: list[np.ndarray] = field(default_factory=list)
    complaints: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def transcripts(algorithm: Synthesizer, pair: Pair, budget: Budget, world: int, runs: int, seed: int = 0) -> Transcripts:
    """Fit `algorithm` on one world's table `runs` times.

    Parameters
    ----------
    world : int
        0 or 1.
    seed : int
        Of the engine's own choices; run i has seed + i in both worlds. Noise has no seed.
    """
    heard = Transcripts()
    sources = [Source(frame, pair.schema) for frame in pair.tables]
    ear = _Ear(sources, world, pair, heard)
    masks = queries(len(pair.schema.modelled), np.random.default_rng(0))
    try:
        with PrivateTable(pair.tables[world], pair.schema, Ledger(budget), tap=ear.hear) as table:
            for run in range(runs):
                ear.start(table)
                table.ledger = Ledger(budget)
                _, model, _ = learn(algorithm, table, seed + run)
                ear.end()
                heard.samples.append(counts(ear.canary(), model.sample(SAMPLED, np.random.default_rng([seed, run])), masks))
    finally:
        for source in sources:
            source.close()
    heard.rho = {stage: rho / runs for stage, rho in heard.rho.items()}
    return heard


class _Ear:
    """What one run shows, summed up stage by stage."""

    def __init__(self, sources: list[Source], world: int, pair: Pair, heard: Transcripts) -> None:
        self._sources, self._world, self._pair, self._heard = sources, world, pair, heard
        self._rng = np.random.default_rng(world)

    def start(self, table: PrivateTable) -> None:
        self._table, self._charges, self._batches = table, 0, []
        self._scores: dict[str, float] = defaultdict(float)
        self._noise: dict[str, list[np.ndarray]] = defaultdict(list)

    def hear(self, event: Event) -> None:
        """One call of the curator: what it says about the world, and whether it was paid for."""
        if event.kind == "schema":
            for source in self._sources:
                event.ask(source)
            self._last = [int(source.rows()[1].max(initial=-1)) for source in self._sources]
            return
        self._scores[event.kind] += self._step(event) if event.kind == "gradient" else self._answer(event)
        self._noise[event.kind].append(self._residuals(event))

    def end(self) -> None:
        """The run is over."""
        ledger = self._table.ledger
        paid = sum(steps for _, _, steps in ledger.streams)
        if len(self._batches) != paid:
            self._complain(f"gradient: {len(self._batches)} steps were answered and {paid} paid for")
        if self._batches:
            self._heard.batches.append(np.array(self._batches))
        if math.fsum(charge.rho for charge in ledger.charges) > ledger.budget.rho * (1 + ROUNDING):
            self._complain("ledger: more was spent than there is")
        self._heard.streams = ledger.streams
        for stage, score in self._scores.items():
            self._heard.scores[stage].append(score)
        self._heard.scores["total"].append(sum(self._scores.values()))
        for stage, noise in self._noise.items():
            if sum(map(len, self._heard.residuals[stage])) < KEPT:
                self._heard.residuals[stage].append(np.concatenate(noise)[:KEPT])

    def canary(self) -> np.ndarray:
        """A row of the unit that makes the difference, as codes."""
        codes, units = self._sources[1].rows()
        return codes[:, units.argmax()]

    def _answer(self, event: Event) -> float:
        """Log likelihood ratio of noisy counts."""
        if event.noisy.dtype.kind != "i":
            self._complain(f"{event.kind}: an answer is no whole number, so its low bits may tell more than its noise hides")
        without, having = (event.ask(source) for source in self._sources)
        held = (without > 0) & (having > 0) if event.kind == "labels" else np.ones(len(without), dtype=bool)
        if (event.noisy[~held] > event.least).any():
            self._complain("labels: a label that one unit alone has was shown")
        off, apart = (event.noisy - without) / event.sigma, (having - without) / event.sigma
        if np.sqrt(apart @ apart) > self._pair.factor * self._paid(event) * (1 + ROUNDING):
            self._complain(f"{event.kind}: one unit moves the answer by more than was paid for")
        return float(off[held] @ apart[held] - apart[held] @ apart[held] / 2)

    def _paid(self, event: Event) -> float:
        """The mu that the charges since the last answer pay for; streams are not among them."""
        charges = self._table.ledger.charges[self._charges :]
        rho = math.fsum(c.rho for c in charges if not c.to_dict()["sampled"])
        self._charges += len(charges)
        self._heard.rho[event.kind] += rho
        if not rho > 0:
            self._complain(f"{event.kind}: an answer was given that nobody paid for")
        return math.sqrt(2 * rho)

    def _step(self, event: Event) -> float:
        """Log likelihood ratio of a gradient step for somebody who knows which others were in the batch."""
        self._batches.append(np.isin(np.arange(self._last[self._world] + 1), event.batch))
        if len(np.unique(event.batch)) < len(event.batch):
            self._complain("gradient: a unit was in a batch more than once")
        if event.batch.max(initial=-1) >= self._batches[-1].size:
            self._complain("gradient: the batch holds others than the units")
            return 0.0
        shifts, here = [], np.zeros_like(event.exact)
        for world, (source, canary) in enumerate(zip(self._sources, self._last, strict=True)):
            there = world == 1 or self._pair.relation == "replace"
            shifts.append(event.ask(source, np.array([canary])) if there else np.zeros_like(event.exact))
            if world == self._world:
                others = event.ask(source, event.batch[event.batch != canary] if there else event.batch)
                here = shifts[-1] if there and canary in event.batch else here
        seen, scale = event.noisy - others, event.sigma
        if not np.allclose(event.exact, others + here, rtol=0, atol=ROUNDED_SUM):
            self._complain("gradient: the sum is not that of the units' shortened gradients")
        if max(np.linalg.norm(s / scale) for s in shifts) * self._multiplier() > 1 + ROUNDING:
            self._complain("gradient: one unit moves the sum by more than the clipping norm")
        logs = [math.log(event.rate) + (s / scale) @ (seen / scale) - (s / scale) @ (s / scale) / 2 for s in shifts]
        rest = math.log1p(-event.rate) if event.rate < 1 else -math.inf
        return float(np.logaddexp(logs[1], rest) - np.logaddexp(logs[0], rest))

    def _residuals(self, event: Event) -> np.ndarray:
        """Noise in units of its claimed standard deviation; whole numbers are spread evenly over one row, which adds 1 / 12 to the variance."""
        noise = event.noisy - event.exact
        if event.kind == "gradient":
            return noise / event.sigma
        return (noise + self._rng.random(len(noise)) - 0.5) / np.sqrt(event.sigma**2 + 1 / 12)

    def _multiplier(self) -> float:
        return self._table.ledger.streams[-1][1] if self._table.ledger.streams else math.inf

    def _complain(self, what: str) -> None:
        self._heard.complaints[what] += 1
