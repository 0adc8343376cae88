"""Ways to break the gradient stream, for the tests that must notice."""

import numpy as np
import torch

from tabsynth.curator import gradients
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.noise import gaussian


def without_clipping(patch):
    def unclipped(self, units, *, summed=GradientStream._summed):
        kept, self._clip = self._clip, 1e9
        try:
            return summed(self, units)
        finally:
            self._clip = kept

    patch.setattr(GradientStream, "_summed", unclipped)


def clipped_by_row(patch):
    def apart(self, codes, units, *rest, made=GradientStream.__init__, **how):
        made(self, codes, np.arange(len(units)), *rest, **how)

    patch.setattr(GradientStream, "__init__", apart)


def in_the_batch_twice(patch):
    def twice(self, *, batch=GradientStream._batch):
        return np.repeat(batch(self), 2)

    patch.setattr(GradientStream, "_batch", twice)


def half_the_noise(patch):
    patch.setattr(gradients, "gaussian", lambda shape: gaussian(shape) / 2)


def batches_in_a_fixed_order(patch):
    def batch(self):
        return np.arange(len(self._held)) if self.left in (1, 4) else np.array([], dtype=int)

    patch.setattr(GradientStream, "_batch", batch)


def a_rare_code_is_drawn_more_often(patch):
    """As with log-frequencies: a unique category comes up 7.4 times as often as it should."""
    batch = GradientStream._batch

    def more(self):
        rate, self._rate = self._rate, min(1.0, 7.4 * self._rate)
        try:
            return batch(self)
        finally:
            self._rate = rate

    patch.setattr(GradientStream, "_batch", more)


def empty_batches_are_left_out(patch):
    released = GradientStream._released

    def silent(self, sums):
        return released(self, sums) if any(s.any() for s in sums) else [torch.zeros(s.shape) for s in sums]

    patch.setattr(GradientStream, "_released", silent)
