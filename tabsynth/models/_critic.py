"""A small network that tells real rows from drafted ones, learned from noisy gradients. Using it needs numpy alone.

The critic is trained as a logistic classifier, so that its output estimates log p(row) - log q(row), where p is the distribution of the
real rows and q that of the drafts (Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, proposition 1). What it learns of real rows comes through
`tabsynth.access.Gradients` alone: sums that are noisy already. The drafts' part of the gradient is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.access import Codes
from tabsynth.models._network import one_thread
from tabsynth.models._state import State, require

if TYPE_CHECKING:
    import torch

    from tabsynth.access import Gradients

SLOPE = 0.2
LIMIT = 3.0
"""A row is never held to be more than exp(LIMIT) times as frequent or rare as drafted."""
BLOCK = 1024
WIDEST, LARGEST = 4096, 1e6
"""Most hidden units, and largest weight, of a critic that is loaded."""


@dataclass(frozen=True)
class Critic:
    """What was learned.

    Parameters
    ----------
    starts : ndarray of int64, shape (columns,)
        The number of each column's first code, counted through all columns.
    inner, shift, outer, bias : ndarray of float32, shape (codes, width), (width,), (width,), (1,)
    """

    starts: np.ndarray
    inner: np.ndarray
    shift: np.ndarray
    outer: np.ndarray
    bias: np.ndarray

    def __call__(self, codes: Codes) -> np.ndarray:
        """Estimated log p - log q of each row, within `LIMIT`; float32, shape (rows,)."""
        parts = [self._block(codes[at : at + BLOCK]) for at in range(0, len(codes), BLOCK)]
        return np.clip(np.concatenate(parts), -LIMIT, LIMIT)

    @classmethod
    def loaded(cls, state: State, sizes: Sequence[int]) -> Critic:
        """The critic of a state whose columns have so many codes; see `tabsynth.access.Model.load`."""
        (width,) = state.shape("critic_shift", 1, WIDEST)
        shapes = {"inner": (sum(sizes), width), "shift": (width,), "outer": (width,), "bias": (1,)}
        weights = {n: state.array(f"critic_{n}", "f4", shape, -LARGEST, LARGEST) for n, shape in shapes.items()}
        starts = state.array("critic_starts", "i8", (len(sizes),), 0, sum(sizes))
        require(starts.tolist() == np.cumsum([0, *sizes[:-1]]).tolist(), "the critic's columns are not those of the schema")
        return cls(starts, **weights)

    def _block(self, codes: Codes) -> np.ndarray:
        x = np.tile(self.shift, (len(codes), 1))
        for column, start in zip(codes.T, self.starts, strict=True):
            x += self.inner[start + column]
        return np.maximum(x, SLOPE * x) @ self.outer + self.bias


def network(codes: int, width: int, seed: int) -> torch.nn.Module:
    """From indicators of a row's codes, shape (rows, codes), to one number a row, zero before training; on CUDA if there is any."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(codes, width), torch.nn.LeakyReLU(SLOPE), torch.nn.Linear(width, 1))
    torch.nn.init.zeros_(net[2].weight)
    torch.nn.init.zeros_(net[2].bias)
    return net.to("cuda" if torch.cuda.is_available() else "cpu")


def train(
    net: torch.nn.Module,
    gradients: Gradients,
    drafts: Callable[[], Codes],
    sizes: Sequence[int],
    expected: float,
    rate: float,
    progress: Callable[[float], None],
) -> Critic:
    """Take all steps that `gradients` has; the weights are averaged over the second half of them.

    Parameters
    ----------
    net : torch.nn.Module
        As made by `network`; trained in place.
    gradients : Gradients
    drafts : callable
        Gives fresh drafted rows.
    sizes : sequence of int
        Number of codes of each column.
    expected : float
        Public estimate of the number of rows behind a noisy gradient.
    rate : float
        Largest learning rate (Adam, one cycle).
    progress : callable
    """
    import torch

    starts, device = np.cumsum([0, *sizes[:-1]]), next(net.parameters()).device
    steps = gradients.left
    optimizer = torch.optim.Adam(net.parameters(), lr=rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps + 1, pct_start=0.1)
    mean = [torch.zeros_like(p) for p in net.parameters()]
    with one_thread():
        for step in range(steps):
            rows = torch.as_tensor(drafts() + starts, device=device)
            x = torch.zeros((len(rows), sum(sizes)), device=device).scatter_(1, rows, 1.0)
            optimizer.zero_grad()
            torch.nn.functional.softplus(net(x)).mean().backward()
            for p, real in zip(net.parameters(), gradients.step(net), strict=True):
                p.grad += real / expected
            optimizer.step()
            schedule.step()
            for m, p in zip(mean, net.parameters(), strict=True):
                m += p.detach() * (step >= steps // 2) / (steps - steps // 2)
            if step % 20 == 0:
                progress(step / steps)
    inner, shift, outer, bias = (m.cpu().numpy() for m in mean)
    return Critic(starts, np.ascontiguousarray(inner.T), shift, outer[0], bias)
