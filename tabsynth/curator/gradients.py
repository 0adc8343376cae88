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
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.curator.noise import gaussian
from tabsynth.errors import Unaccounted

if TYPE_CHECKING:
    import torch

LAYERS = ("Sequential", "Linear", "LeakyReLU", "ReLU", "Tanh", "Identity")
"""What a critic may be made of: layers that treat every row by itself and keep nothing of it."""
TOGETHER = 128
"""Units whose gradients are held at once."""


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
    ) -> None:
        from opacus import GradSampleModule

        _refuse_what_mixes_rows(critic)
        self._rows = (codes.astype(np.int64) + np.cumsum([0, *sizes[:-1]])[:, None]).T
        order = np.argsort(units, kind="stable")
        self._rows, held = self._rows[order], np.bincount(units)
        self._first = np.concatenate([[0], np.cumsum(held)])
        self._width = sum(sizes)
        self._critic = GradSampleModule(copy.deepcopy(critic), loss_reduction="sum")
        self._rate, self._clip = rate, clip
        self.multiplier = multiplier
        self.left = steps

    def step(self, critic: torch.nn.Module) -> list[torch.Tensor]:
        """See `tabsynth.access.Gradients`."""
        if not self.left > 0:
            raise Unaccounted("all gradient steps that were paid for have been taken; open another stream.")
        self.left -= 1
        self._critic._module.load_state_dict(critic.state_dict())
        batch = self._batch()
        sums = [np.zeros(p.shape) for p in self._critic.parameters()]
        for at in range(0, len(batch), TOGETHER):
            for total, part in zip(sums, self._clipped(batch[at : at + TOGETHER]), strict=True):
                total += part
        return self._released(sums)

    def _batch(self) -> np.ndarray:
        """The units of one Poisson sample: each by a coin of its own, never twice."""
        coins = np.frombuffer(os.urandom(8 * (len(self._first) - 1)), dtype=np.uint64)
        return np.flatnonzero(coins < np.uint64(int(self._rate * 2**64))) if self._rate < 1 else np.arange(len(coins))

    def _clipped(self, units: np.ndarray) -> list[np.ndarray]:
        """Sum over these units of the shortened gradients of ``softplus(-critic(row))``, summed over each unit's rows."""
        import torch

        device = next(self._critic.parameters()).device
        held = self._first[units + 1] - self._first[units]
        rows = np.concatenate([np.arange(self._first[u], self._first[u + 1]) for u in units])
        owner = torch.as_tensor(np.repeat(np.arange(len(units)), held), device=device)
        x = torch.zeros((len(rows), self._width), device=device)
        x.scatter_(1, torch.as_tensor(self._rows[rows], device=device), 1.0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Full backward hook")
            torch.nn.functional.softplus(-self._critic(x)).sum().backward()
        samples = []
        for p in self._critic.parameters():
            flat = p.grad_sample.reshape(len(rows), -1)
            samples.append(torch.zeros((len(units), flat.shape[1]), device=device).index_add_(0, owner, flat))
        norm = torch.stack([s.square().sum(1) for s in samples]).sum(0).sqrt()
        kept = (self._clip / (norm * (1 + 1e-6) + 1e-12)).clamp(max=1.0)
        self._critic.zero_grad()
        return [
            (kept @ s).double().cpu().numpy().reshape(p.shape) for s, p in zip(samples, self._critic.parameters(), strict=True)
        ]

    def _released(self, sums: list[np.ndarray]) -> list[torch.Tensor]:
        import torch

        scale = self.multiplier * self._clip
        return [
            torch.as_tensor(s + scale * gaussian(s.shape), dtype=p.dtype, device=p.device)
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
