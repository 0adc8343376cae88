"""Tables -> weights of a network that redrafts rows. Imports torch; sampling needs numpy alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.models._state import State

if TYPE_CHECKING:
    import torch

WIDEST, DEEPEST, LARGEST = 2048, 16, 1e4
"""Most units and layers, and largest weight, of a network that is loaded."""


@dataclass(frozen=True)
class Told:
    """Shares of the codes of one column crossed with those of its partners, for every group or for all groups together.

    Parameters
    ----------
    column : int
    partners : sequence of int
    shares : ndarray, shape (groups, codes, partners' codes), or (1, codes, partners' codes) for all groups together
    weight : sequence of float
        Of the squared error, for each partner.
    """

    column: int
    partners: Sequence[int]
    shares: np.ndarray
    weight: Sequence[float]


@dataclass(frozen=True)
class Task:
    """What the network has to reproduce.

    Parameters
    ----------
    sizes : sequence of int
        Number of codes of each column; codes are numbered through all columns.
    groups : ndarray, shape (groups,)
        Share of each group of rows (the target's codes); sums to one.
    first : ndarray, shape (groups, codes)
        Share of each code in each group.
    weight : sequence of float
        Of the squared error of `first`, for each column.
    told : sequence of Told
    drafts : ndarray of int, shape (groups, rows, columns)
        Codes (numbered through) of rows to start from.
    """

    sizes: Sequence[int]
    groups: np.ndarray
    first: np.ndarray
    weight: Sequence[float]
    told: Sequence[Told]
    drafts: np.ndarray


@dataclass(frozen=True)
class Training:
    """Public settings; see `tabsynth.models.neural.Neural`."""

    noise: int
    width: int
    layers: int
    doubt: float
    batch: int
    steps: int
    rate: float


def train(task: Task, training: Training, seed: int, progress: Callable[[float], None]) -> dict[str, np.ndarray]:
    """Weights for which the mean tables of redrafted rows are closest to what is told, in weighted squared error.

    Returns
    -------
    dict of ndarray of float32
        ``embed`` (codes, width), ``input`` (width, noise), ``start`` (groups, width), ``hidden_<i>`` (width, width), ``shift_<i>``
        (width,), ``output`` (codes, width), ``bias`` (groups, codes) and ``skip`` (codes,): see `_rows`.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with one_thread():
        generator = torch.Generator().manual_seed(seed)
        weights = {k: w.to(device).requires_grad_() for k, w in _initial(task, training, generator).items()}
        loss, drafts = _Loss(task, device), torch.tensor(task.drafts, device=device)
        optimizer = torch.optim.Adam(weights.values(), lr=training.rate, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.rate, total_steps=training.steps + 1, pct_start=0.1)
        for step in range(training.steps):
            picked = torch.randint(drafts.shape[1], (training.batch,), generator=generator).to(device)
            noise = torch.randn((len(task.groups), training.noise, training.batch), generator=generator).to(device)
            optimizer.zero_grad()
            loss(_rows(weights, drafts[:, picked].long(), noise, training.layers, task.sizes)).backward()
            optimizer.step()
            schedule.step()
            if step % 20 == 0:
                progress(step / training.steps)
        return {name: w.detach().cpu().numpy() for name, w in weights.items()}


def loaded(state: State, groups: int, codes: int) -> dict[str, np.ndarray]:
    """The weights of a state, for so many groups and codes; see `tabsynth.access.Model.load`."""
    width, noise = state.shape("input", 2, WIDEST)
    shapes = {
        "embed": (codes, width), "input": (width, noise), "start": (groups, width),
        "output": (codes, width), "bias": (groups, codes), "skip": (codes,),
    }  # fmt: skip
    layers = next(i for i in range(DEEPEST + 1) if i == DEEPEST or f"hidden_{i}" not in state)
    for i in range(layers):
        shapes |= {f"hidden_{i}": (width, width), f"shift_{i}": (width,)}
    return {name: state.array(name, "f4", shape, -LARGEST, LARGEST) for name, shape in shapes.items()}


def _initial(task: Task, training: Training, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Weights under which a draft's codes are kept but for a share `doubt`, which is drawn anew from its group."""
    import torch

    def normal(rows: int, columns: int, scale: float) -> torch.Tensor:
        return torch.randn((rows, columns), generator=generator) * scale

    def tensor(x: np.ndarray) -> torch.Tensor:
        return torch.tensor(x, dtype=torch.float32)

    width, codes = training.width, task.first.shape[1]
    share = np.maximum(task.first, 1e-5)
    anew = training.doubt * task.groups @ share
    weights = {
        "embed": normal(codes, width, len(task.sizes) ** -0.5),
        "input": normal(width, training.noise, 0.5 * training.noise**-0.5),
        "start": normal(len(task.groups), width, 0.5),
        "output": normal(codes, width, 0.1 * width**-0.5),
        "bias": tensor(np.log(share)),
        "skip": tensor(np.log((1 - training.doubt + anew) / anew)),
    }
    for i in range(training.layers):
        weights |= {f"hidden_{i}": normal(width, width, (2 / width) ** 0.5), f"shift_{i}": torch.zeros(width)}
    return weights


def _rows(
    weights: dict[str, torch.Tensor], drafts: torch.Tensor, noise: torch.Tensor, layers: int, sizes: Sequence[int]
) -> torch.Tensor:
    """Redrafted rows as probabilities, shape (groups, codes, batch)."""
    import torch

    groups, batch, columns = drafts.shape
    x = torch.nn.functional.embedding_bag(drafts.view(-1, columns), weights["embed"], mode="sum")
    x = x.view(groups, batch, -1).transpose(1, 2) + weights["input"] @ noise + weights["start"][:, :, None]
    x = torch.relu(x)
    for i in range(layers):
        x = x + torch.relu(weights[f"hidden_{i}"] @ x + weights[f"shift_{i}"][:, None])
    logits = weights["output"] @ x + weights["bias"][:, :, None]
    drafts = drafts.transpose(1, 2)
    logits = logits.scatter_add(1, drafts, weights["skip"][drafts])
    return torch.cat([column.softmax(1) for column in logits.split(list(sizes), 1)], 1)


class _Loss:
    """Unbiased estimate, from a batch of rows, of the squared error of the tables of infinitely many.

    The squared error of a batch's mean tables is too large by their variance, which falls on rows that relate columns and so pulls
    towards independence; the sample variance is taken off (a U-statistic). A row's table of two columns is an outer product, so
    that its squared norm is the product of the columns' squared norms, and this costs next to nothing.
    """

    def __init__(self, task: Task, device: torch.device) -> None:
        import torch

        def tensor(x: np.ndarray) -> torch.Tensor:
            return torch.tensor(x, dtype=torch.float32, device=device)

        sizes, at = task.sizes, np.cumsum([0, *task.sizes])
        self.sizes, self.groups = list(sizes), tensor(task.groups)
        self.first, self.weight = tensor(task.groups[:, None] * task.first), tensor(np.repeat(task.weight, sizes))
        self.single, self.pair = tensor(task.weight), torch.zeros((len(sizes), len(sizes)), device=device)
        self.told = []
        for t in task.told:
            codes = np.concatenate([np.arange(at[p], at[p + 1]) for p in t.partners])
            weight = np.repeat(t.weight, [sizes[p] for p in t.partners])
            self.pair[t.column, list(t.partners)] = tensor(t.weight)
            self.told.append(
                (at[t.column], sizes[t.column], torch.tensor(codes, device=device), tensor(t.shares), tensor(weight))
            )

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        import torch

        batch = rows.shape[2]
        variance = self.groups**2 / (batch - 1)
        mean = rows.mean(2)
        total = ((self.groups[:, None] * mean - self.first).square() * self.weight).sum()
        total = total + ((mean.square() * self.weight).sum(1) * variance).sum()
        for start, size, partners, shares, weight in self.told:
            table = rows.narrow(1, start, size) @ rows.index_select(1, partners).transpose(1, 2) / batch
            total = total + ((table.square() * weight).sum((1, 2)) * variance).sum()
            table = table * self.groups[:, None, None]
            table = table if len(shares) > 1 else table.sum(0, keepdim=True)
            total = total + ((table - shares).square() * weight).sum()
        norms = torch.stack([c.sum(1) for c in rows.square().split(self.sizes, 1)], 1)
        rows_own = ((self.pair @ norms) * norms).sum(1) + self.single @ norms
        return total - (rows_own.mean(1) * variance).sum()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch: two on a busy machine of two cores can be 40 times slower than one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
