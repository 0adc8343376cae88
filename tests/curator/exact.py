"""Answers without noise, and how many examples are tried."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from tabsynth.curator import gradients as gradients_module
from tabsynth.curator import table as table_module

few = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Every example opens databases, so a failing one is shown as it was found."""
ROUNDING = 1 + 1e-9


@contextlib.contextmanager
def exactly(scales: list[float]):
    """Answers come without noise (`scales` is told how much there would have been), and a unit's rows are always the same ones."""

    def none(shape, sigma):
        scales.append(sigma)
        return np.zeros(shape, dtype=np.int64)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "discrete_gaussian", none)
        patch.setattr(gradients_module, "gaussian", np.zeros)
        patch.setattr("secrets.token_hex", lambda _: "fixed")
        yield
