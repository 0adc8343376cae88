"""Noisy gradient sums over the real rows: DP-SGD for a critic.

Each step draws a Poisson sample of units (each by itself, with a public rate), adds up the gradients of a unit's rows, shortens that sum
to the clipping norm, adds the units up and adds Gaussian noise to the sum (Abadi et al., "Deep Learning with Differential Privacy", CCS
2016, algorithm 1, with Poisson batches and without dividing by the size of the batch). One unit is in the batch with probability at most
the rate, so a stream of steps is what the ledger was paid for. An empty batch is a step like any other.

How far one unit moves the sum: at most the clipping norm times ``1 + MARGIN``, rounding included; the noise is as much larger.

Proof. Let q be the quantum, the clipping norm C times 2**-32. A unit's part, `_backprop.add_units`, is a vector t of whole numbers (of
quanta) that is a function of the unit's own rows and public weights: a fixed sequence of float64 operations on the unit's rows, put in
the order of their codes, with no part in it of other units or of where the unit stands. With g its gradient as computed, whatever that is,
n the computed norm and u = 2**-53, n >= |g| (1 - (P + 2) u / 2 - u) for P parameters (Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, section 3.1), which is above |g| / (1 + 2.1e-9) for P <= 2**25 (C is at least `SMALLEST`: no square that counts is
too small to be held). The part is g times 2**32 / max(n (1 + 1e-8), C),
computed with a relative error of at most 4 u in each entry, and rounded towards zero, which makes no entry larger. So ``q |t| <= C``.
Parts are added as 64-bit whole numbers, of which 2**30 units fill less than 63 bits: exactly, in any order. So the exact sums of
neighbouring tables differ by t, and by at most C in L2 norm. A sum s is then turned into float64 with a relative error of at most 2 u in
each entry. Since ``|s| <= 2**30 C``, that moves each of the two by at most 2**30 * 2**-52 C = 2**-22 C, both together by less than
``MARGIN`` times C. Adding noise to a float and rounding that to float32 is post-processing.

The noise is floating point numbers made of the operating system's randomness. That its low bits may tell more than the formula says
(Mironov, CCS 2012) is not ruled out here, as it is for counts.
"""

from __future__ import annotations

import copy
import math
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tabsynth.curator import _backprop
from tabsynth.curator.noise import gaussian
from tabsynth.curator.tap import Event, Tap, flat
from tabsynth.errors import Unaccounted

if TYPE_CHECKING:
    import torch

    from tabsynth.curator.source import Source

LAYERS = ("Sequential", "Linear", "LeakyReLU", "ReLU", "Tanh", "Identity")
"""What a critic may be made of: layers that treat every row by itself and keep nothing of it."""
MARGIN = 2.0**-20
"""Share by which rounding can lengthen what one unit moves: see above."""
MOST_UNITS, SMALLEST, LARGEST = 2**30, 1e-30, 1e30
"""Most units in a batch; bounds of the clipping norm."""


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
        Linear layers, with at most one of the other `LAYERS` behind each; takes rows as indicators of their codes, shape (rows, sum of
        sizes), and gives one number a row.
    steps : int
        How many steps were paid for.
    rate, clip, multiplier : float
        Probability of a unit to be in a batch; largest norm of a unit's gradient; noise is `multiplier` times that, and `MARGIN` more.
    tap : callable, optional
        Told every exact sum, for an audit.

    Raises
    ------
    Unaccounted
        If the critic is made of anything else, or the numbers are beyond what the proof covers.
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
        tap: Tap | None = None,
    ) -> None:
        if not SMALLEST <= clip <= LARGEST:
            raise Unaccounted(f"the clipping norm is {clip!r}; give a number from {SMALLEST:g} to {LARGEST:g}.")
        _refuse_what_mixes_rows(critic)
        self._sizes = sizes
        self._linear, self._kinds, self._slopes = _layers(critic, sum(sizes))
        self._place(codes, units)
        self._weights = self._read(critic)
        self._rate, self._clip = rate, clip
        self._multiplier = multiplier
        self._tap = tap
        self._alone = threading.Lock()
        self.left = steps

    def _place(self, codes: np.ndarray, units: np.ndarray) -> None:
        """Put each unit's rows side by side, in the order of their codes: nothing depends on where in the table they stood."""
        order = np.lexsort((*codes[::-1], units)) if len(np.unique(units)) < len(units) else np.argsort(units)
        self._rows = np.ascontiguousarray((codes.astype(np.int64) + np.cumsum([0, *self._sizes[:-1]])[:, None]).T[order])
        self._held = np.bincount(units)
        self._first = np.cumsum(self._held) - self._held

    def step(self, critic: torch.nn.Module) -> list[torch.Tensor]:
        """See `tabsynth.access.Gradients`. A step that is asked for during another one waits for its end."""
        with self._alone:
            if not self.left > 0:
                raise Unaccounted("all gradient steps that were paid for have been taken; open another stream.")
            self.left -= 1
            self._weights = self._read(critic)
            batch = self._batch()
            sums = self._summed(batch)
            released = self._released(sums)
            if self._tap:
                self._tap(self._event(batch, sums, released))
            return [r.to(p.device) for r, p in zip(released, critic.parameters(), strict=True)]

    def _read(self, critic: torch.nn.Module) -> list[np.ndarray]:
        """The critic's parameters of the moment, in float64, which holds float32 exactly."""
        weights = [p.detach().double().cpu().numpy() for p in critic.parameters()]
        if [w.shape for w in weights] != [shape for shapes in self._linear for shape in shapes]:
            raise Unaccounted("the critic is not the one that the stream was opened for.")
        return weights

    def _event(self, batch: np.ndarray, sums: list[np.ndarray], released: list[torch.Tensor]) -> Event:
        """What an audit is told of one step."""

        def ask(source: Source, units: np.ndarray) -> np.ndarray:
            other = copy.copy(self)
            other._place(*source.rows())
            return flat(other._summed(units))

        exact, noisy = flat(sums), flat([r.double().numpy() for r in released])
        return Event("gradient", ask, exact, noisy, np.full(len(exact), self._scale), batch=batch, rate=self._rate)

    @property
    def _scale(self) -> float:
        """Standard deviation of the noise."""
        return self._multiplier * self._clip * (1 + MARGIN)

    def _batch(self) -> np.ndarray:
        """The units of one Poisson sample: each by a coin of its own, never twice."""
        coins = np.frombuffer(os.urandom(8 * len(self._held)), dtype=np.uint64)
        return np.flatnonzero(coins < np.uint64(int(self._rate * 2**64))) if self._rate < 1 else np.arange(len(coins))

    def _summed(self, units: np.ndarray) -> list[np.ndarray]:
        """Sum over these units of the shortened gradients of ``softplus(-critic(row))``, summed over each unit's rows.

        A unit whose gradient's norm is not finite counts as zero.
        """
        return [part * (self._clip * 2.0**-_backprop.BITS) for part in self._quanta(units)]

    def _quanta(self, units: np.ndarray) -> Iterator[np.ndarray]:
        """That sum in whole numbers of quanta, as the critic's parameters lie."""
        if len(units) > MOST_UNITS:
            raise Unaccounted(f"a batch has more than {MOST_UNITS:,} units; take a lower rate.")
        weights = iter(self._weights)
        layers = [(next(weights), next(weights) if len(shapes) == 2 else None) for shapes in self._linear]
        table, dense = np.ascontiguousarray(layers[0][0].T), _joined([w for w, _ in layers[1:]])
        biases = _joined([np.zeros(len(w)) if b is None else b for w, b in layers])
        widths, biased = np.array([len(w) for w, _ in layers]), np.array([b is not None for _, b in layers])
        sums = [np.zeros(part.shape, dtype=np.int64) for part in (table, dense, biases)]
        _backprop.add_units(
            self._rows, self._first, self._held, units, table, dense, biases, biased, widths, self._kinds, self._slopes, self._clip,
            *sums,
        )  # fmt: skip
        table, dense, biases = sums
        for i, (shape, *bias) in enumerate(self._linear):
            size = math.prod(shape) if i else 0
            part, dense = dense[:size], dense[size:]
            yield part.reshape(shape) if i else table.T
            if bias:
                yield biases[: shape[0]]
            biases = biases[shape[0] :]

    def _released(self, sums: list[np.ndarray]) -> list[torch.Tensor]:
        import torch

        return [torch.as_tensor(s + self._scale * gaussian(s.shape), dtype=torch.float32) for s in sums]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(part.ravel() for part in parts)])


def _layers(critic: torch.nn.Module, codes: int) -> tuple[list[list[tuple[int, ...]]], np.ndarray, np.ndarray]:
    """Of each linear layer the shapes of its parameters, what stands behind it, and the slope of that below zero."""
    import torch

    parts = list(_flat(critic))
    linear = [part for part in parts if isinstance(part, torch.nn.Linear)]
    behind = [[] for _ in linear]
    for part in parts:
        if isinstance(part, torch.nn.Linear):
            at = linear.index(part)
        elif linear and parts[0] is linear[0] and not isinstance(part, torch.nn.Identity):
            behind[at].append(part)
    shapes = [[tuple(p.shape) for p in (part.weight, part.bias) if p is not None] for part in linear]
    ends = [codes, *(part.out_features for part in linear)]
    chained = [part.in_features for part in linear] == ends[:-1] and ends[-1] == 1 and len({*map(id, linear)}) == len(linear)
    held = sum(math.prod(shape) for each in shapes for shape in each)
    if not (linear and parts[0] is linear[0] and chained and max(map(len, behind)) <= 1 and held <= _backprop.MOST_PARAMETERS):
        raise Unaccounted(
            "a critic begins with a linear layer on the codes, has at most one other layer behind each linear one, gives one number, "
            f"uses no layer twice, and has at most {_backprop.MOST_PARAMETERS:,} parameters."
        )
    kinds = {torch.nn.Tanh: _backprop.TANH, torch.nn.LeakyReLU: _backprop.LEAKY, torch.nn.ReLU: _backprop.LEAKY}
    return (
        shapes,
        np.array([kinds[type(each[0])] if each else _backprop.IDENTITY for each in behind]),
        np.array([getattr(each[0], "negative_slope", 0.0) if each else 0.0 for each in behind]),
    )


def _flat(part: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Layers in the order in which rows go through them."""
    if type(part).__name__ != "Sequential":
        yield part
    for child in part._modules.values():
        yield from _flat(child)


def _refuse_what_mixes_rows(critic: torch.nn.Module) -> None:
    """Anything that joins the rows of a batch (batch normalisation) or could remember them (hooks, layers of one's own)."""
    for part in critic.modules():
        known = type(part).__module__.startswith("torch.nn.modules.") and type(part).__name__ in LAYERS
        if not known or part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks:
            raise Unaccounted(
                f"a critic may be made of {', '.join(LAYERS)} without hooks; {type(part).__name__} could mix or keep rows."
            )
