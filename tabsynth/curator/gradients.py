"""Noisy gradient sums over the real rows: DP-SGD for a critic. The only import of opacus.

Each step draws a Poisson sample of units (each by itself, with a public rate), adds up the gradients of a unit's rows, shortens that sum
to the clipping norm, adds the units up and adds Gaussian noise to the sum (Abadi et al., "Deep Learning with Differential Privacy", CCS
2016, algorithm 1, with Poisson batches and without dividing by the size of the batch). One unit moves the sum by at most the clipping norm
and is in the batch with probability at most the rate, so a stream of steps is what the ledger was paid for. An empty batch is
a step like any other.

Gradients and noise are floating point numbers; the noise is made of the operating system's randomness. That low bits of a float may tell
more than the formula says (Mironov, CCS 2012) is not ruled out here, as it is for counts.
"""

from __future__ import annotations

import copy
import os
import threading
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.curator.noise import gaussian
from tabsynth.curator.tap import Event, Tap, flat
from tabsynth.errors import Unaccounted

if TYPE_CHECKING:
    import torch

    from tabsynth.curator.source import Source

LAYERS = ("Sequential", "Linear", "LeakyReLU", "ReLU", "Tanh", "Identity")
"""What a critic may be made of: layers that treat every row by itself and keep nothing of it."""
TOGETHER = 4096
"""Rows, padding included, whose gradients are worked on at once."""


class GradientStream:
    """Implements `tabsynth.access.Gradients`. It was paid for in full before it was made.

    Parameters
    ----------
    codes : ndarray of int, shape (columns, rows)
    units : ndarray of int, shape (rows,)
        The unit that each row belongs to, from 0.
    sizes : sequence of int
        Number of codes of each column.
    critic : torch.nn.Module
        Made of `LAYERS`; takes rows as indicators of their codes, shape (rows, sum of sizes), and gives one number a row.
    steps : int
        How many steps were paid for.
    rate, clip, multiplier : float
        Probability of a unit to be in a batch; largest norm of a unit's gradient; noise is `multiplier` times that.
    single : bool
        Whether no unit may have more than one row, by the schema: single precision is enough then.
    tap : callable, optional
        Told every exact sum, for an audit.

    Raises
    ------
    Unaccounted
        If the critic is made of anything else.
    """

    def __init__(
        self,
        codes: np.ndarray,
        units: np.ndarray,
        sizes: Sequence[int],
        critic: torch.nn.Module,
        *,
        steps: int,
        rate: float,
        clip: float,
        multiplier: float,
        single: bool = False,
        tap: Tap | None = None,
    ) -> None:
        import torch
        from opacus.grad_sample import GradSampleModuleFastGradientClipping as GhostClipping

        _refuse_what_mixes_rows(critic)
        self._sizes = sizes
        self._place(codes, units)
        self._precision = torch.float32 if single else torch.float64
        ghost = copy.deepcopy(critic).to(self._precision)
        self._critic = GhostClipping(ghost, loss_reduction="sum")
        self._rate, self._clip = rate, clip
        self._multiplier = multiplier
        self._tap = tap
        self._alone = threading.Lock()
        self.left = steps

    def _place(self, codes: np.ndarray, units: np.ndarray) -> None:
        """Put each unit's rows side by side."""
        order = np.argsort(units, kind="stable")
        self._rows = (codes.astype(np.int64) + np.cumsum([0, *self._sizes[:-1]])[:, None]).T[order]
        self._held = np.bincount(units)
        self._first = np.cumsum(self._held) - self._held

    def step(self, critic: torch.nn.Module) -> list[torch.Tensor]:
        """See `tabsynth.access.Gradients`. A step that is asked for during another one waits for its end."""
        with self._alone:
            if not self.left > 0:
                raise Unaccounted("all gradient steps that were paid for have been taken; open another stream.")
            self.left -= 1
            self._critic._module.load_state_dict(critic.state_dict())
            batch = self._batch()
            sums = self._summed(batch)
            released = self._released(sums)
            if self._tap:
                self._tap(self._event(batch, sums, released))
            return released

    def _summed(self, batch: np.ndarray) -> list[np.ndarray]:
        """Sum of the units' shortened gradients, as many units at a time as fit."""
        batch = batch[np.argsort(self._held[batch], kind="stable")]
        sums = [np.zeros(p.shape) for p in self._critic.parameters()]
        while len(batch):
            fitting = np.arange(1, len(batch) + 1) * self._held[batch] <= TOGETHER
            now, batch = np.split(batch, [max(1, fitting.sum())])
            for total, part in zip(sums, self._clipped(now), strict=True):
                total += part
        return sums

    def _event(self, batch: np.ndarray, sums: list[np.ndarray], released: list[torch.Tensor]) -> Event:
        """What an audit is told of one step."""

        def ask(source: Source, units: np.ndarray) -> np.ndarray:
            other = copy.copy(self)
            other._place(*source.rows())
            return flat(other._summed(units))

        exact, noisy = flat(sums), flat([r.double().cpu().numpy() for r in released])
        return Event(
            "gradient", ask, exact, noisy, np.full(len(exact), self._multiplier * self._clip), batch=batch, rate=self._rate
        )

    def _batch(self) -> np.ndarray:
        """The units of one Poisson sample: each by a coin of its own, never twice."""
        coins = np.frombuffer(os.urandom(8 * len(self._held)), dtype=np.uint64)
        return np.flatnonzero(coins < np.uint64(int(self._rate * 2**64))) if self._rate < 1 else np.arange(len(coins))

    def _clipped(self, units: np.ndarray) -> list[np.ndarray]:
        """Sum over these units of the shortened gradients of ``softplus(-critic(row))``, summed over each unit's rows.

        Units are padded to as many rows as the longest has, and a unit is one sample to Opacus, which finds the norm of its gradient without
        building it (ghost clipping: Li, Tramer, Liang and Hashimoto, ICLR 2022, section 4). That takes differences of large numbers
        where a unit has several rows, so it is done in double precision there. A unit whose norm is not finite counts as zero;
        nothing of another unit, not even as padding, has a part in that.
        """
        import torch

        if not len(units):
            return [np.zeros(p.shape) for p in self._critic.parameters()]
        last = (self._first + self._held)[units, None] - 1
        place = self._first[units, None] + np.arange(self._held[units].max())
        there, place = place <= last, np.minimum(place, last)
        device = next(self._critic.parameters()).device
        x = torch.zeros((*place.shape, sum(self._sizes)), device=device, dtype=self._precision)
        x.scatter_(2, torch.as_tensor(self._rows[place], device=device), 1.0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Full backward hook")
            loss = (torch.nn.functional.softplus(-self._critic(x)[:, :, 0]) * torch.as_tensor(there, device=device)).sum(1)
            loss.sum().backward(retain_graph=True)
            norms = self._critic.get_norm_sample()
            self._critic.zero_grad(set_to_none=True)
            finite = norms.isfinite().cpu().numpy()
            if not finite.all():
                return self._clipped(units[finite])
            kept = (self._clip / (norms * (1 + 1e-5) + 1e-12)).clamp(max=1.0)
            self._critic.disable_hooks()
            (loss * kept).sum().backward()
        sums = [p.grad.double().cpu().numpy() for p in self._critic.parameters()]
        self._critic.zero_grad(set_to_none=True)
        self._critic.enable_hooks()
        return sums

    def _released(self, sums: list[np.ndarray]) -> list[torch.Tensor]:
        import torch

        scale = self._multiplier * self._clip
        return [
            torch.as_tensor(s + scale * gaussian(s.shape), dtype=torch.float32, device=p.device)
            for s, p in zip(sums, self._critic.parameters(), strict=True)
        ]


def _refuse_what_mixes_rows(critic: torch.nn.Module) -> None:
    """Anything that joins the rows of a batch (batch normalisation) or could remember them (hooks, layers of one's own)."""
    for part in critic.modules():
        known = type(part).__module__.startswith("torch.nn.modules.") and type(part).__name__ in LAYERS
        if not known or part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks:
            raise Unaccounted(
                f"a critic may be made of {', '.join(LAYERS)} without hooks; {type(part).__name__} could mix or keep rows."
            )
