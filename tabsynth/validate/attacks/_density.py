"""NOT PRIVATE. Kernel density estimates on mixed columns, in the few directions in which the rows vary most."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

DIRECTIONS = 10
_CELLS = 2**22


@dataclass(frozen=True)
class Projection:
    """Principal directions, at most DIRECTIONS and none along which nothing varies.

    Where no more than DIRECTIONS columns are independent, nothing is lost: a kernel estimate with the rows' own covariance does not
    depend on how its axes lie.
    """

    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, points: np.ndarray) -> Projection:
        """From rows, shape (rows, columns)."""
        centre = points.mean(axis=0) if len(points) else np.zeros(points.shape[1])
        spread, axes = np.linalg.eigh(np.cov(points.T).reshape(len(centre), -1) if len(points) > 1 else np.eye(len(centre)))
        keep = np.argsort(spread)[::-1][:DIRECTIONS]
        return cls(centre, axes[:, keep[spread[keep] > 1e-12 * max(spread.max(initial=0), 1e-300)]])

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Coordinates, shape (rows, directions)."""
        return (points - self.centre) @ self.axes


@dataclass(frozen=True)
class Kernel:
    """A Gaussian kernel estimate with the rows' covariance and Silverman's factor ``(n (d + 2) / 4) ** (-1 / (d + 4))``.

    Parameters
    ----------
    whitened : ndarray, shape (n, d)
        The rows it is made of, scaled so that the kernel is standard normal.
    scale : ndarray, shape (d, d)
        Whitens: ``points @ scale``.
    constant : float
        Logarithm of the kernel's height.

    References
    ----------
    Silverman (1986), Density Estimation for Statistics and Data Analysis, section 4.3.2.
    """

    whitened: np.ndarray
    scale: np.ndarray
    constant: float

    @classmethod
    def fit(cls, points: np.ndarray) -> Kernel | None:
        """None where there are too few rows for a covariance, or they do not vary in some direction."""
        n, d = points.shape
        if n <= d or not d:
            return None
        factor = (n * (d + 2) / 4) ** (-1 / (d + 4))
        spread, axes = np.linalg.eigh(np.cov(points.T).reshape(d, d))
        if not spread.min() > 1e-12 * spread.max():
            return None
        deviations = factor * np.sqrt(spread)
        scale = axes / deviations
        return cls(points @ scale, scale, -0.5 * d * math.log(2 * math.pi) - float(np.log(deviations).sum()))

    def log(self, points: np.ndarray) -> np.ndarray:
        """Logarithm of the density at each point, shape (points,)."""
        queries = points @ self.scale
        step = max(1, _CELLS // len(self.whitened))
        blocks = [queries[start : start + step] for start in range(0, len(queries), step)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(self._block, blocks))
        return np.concatenate([np.zeros(0), *found]) + self.constant - math.log(len(self.whitened))

    def log_kernel(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Logarithm of the kernel between pairs of points, shape (...); the last axis holds coordinates."""
        return self.constant - 0.5 * (((first - second) @ self.scale) ** 2).sum(axis=-1)

    def _block(self, queries: np.ndarray) -> np.ndarray:
        squares = (self.whitened**2).sum(axis=1)
        exponent = queries @ self.whitened.T - 0.5 * squares - 0.5 * (queries**2).sum(axis=1)[:, None]
        highest = exponent.max(axis=1)
        exponent -= highest[:, None]
        return highest + np.log(np.exp(exponent, out=exponent).sum(axis=1))
