"""Ways to break the gradient stream, for the tests that must notice."""

import numpy as np

from tabsynth.curator import gradients
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.noise import gaussian


def without_clipping(patch):
    def unclipped(self, units, *, clipped=GradientStream._clipped):
        kept, self._clip = self._clip, 1e9
        try:
            return clipped(self, units)
        finally:
            self._clip = kept

    patch.setattr(GradientStream, "_clipped", unclipped)


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
