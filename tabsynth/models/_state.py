"""What a model is loaded from, checked before anything uses it: whoever wrote the files, the model samples within its domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tabsynth.access import MAX_ROWS
from tabsynth.errors import FolderError

ROUNDING = 1e-6
"""How far probabilities may be from adding up to one."""


class State:
    """The plain data and arrays that a model's `state` gave, or a forgery of them. Whatever is not as asked is refused.

    Parameters
    ----------
    plain : mapping
    arrays : mapping of str to ndarray
    names : sequence of str
        The names that `plain` has to have, beside ``total``, and no others.

    Raises
    ------
    FolderError
        From here and every method; it quotes nothing of the files.
    """

    def __init__(self, plain: Any, arrays: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> None:
        require(isinstance(plain, dict) and set(plain) == {"total", *names}, "its entries are not those of such a model")
        self._plain, self._arrays, self._taken = plain, arrays, set()

    def __getitem__(self, name: str) -> Any:
        return self._plain[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def number(self, name: str, low: float, high: float) -> float:
        """A finite number within bounds."""
        value = self._plain[name]
        fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        require(fits, f"{name} is not a number from {low:g} to {high:g}")
        return float(value)

    def equal(self, name: str, wanted: Any) -> Any:
        """What the schema gives already."""
        require(self._plain[name] == wanted, f"{name} are not those of the schema")
        return wanted

    def indices(self, name: str, length: int | range, low: int, high: int) -> list[tuple[int, ...]]:
        """A list of tuples of `length` whole numbers, each from `low` up to but without `high`."""
        found = self._plain[name]
        lengths = length if isinstance(length, range) else (length,)
        fits = isinstance(found, list) and all(
            isinstance(each, list) and len(each) in lengths and all(type(i) is int and low <= i < high for i in each)
            for each in found
        )
        require(fits, f"{name} are not tuples of {' or '.join(map(str, lengths))} of the columns")
        return [tuple(each) for each in found]

    def shape(self, name: str, axes: int, most: int) -> tuple[int, ...]:
        """The shape of an array whose size is a setting of the model: `axes` lengths from 1 to `most`."""
        require(name in self._arrays and self._arrays[name].ndim == axes, f"the array {name} is missing or not of {axes} axes")
        shape = self._arrays[name].shape
        require(all(1 <= n <= most for n in shape), f"the array {name} has an axis that is empty or longer than {most:,}")
        return shape

    def array(self, name: str, kind: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
        """An array of exactly this type and shape whose values lie from `low` to `high`, both included."""
        found = self._arrays.get(name)
        require(
            found is not None and found.dtype == np.dtype(kind) and found.shape == tuple(shape),
            f"the array {name} is missing or not of the type and shape that the schema gives it",
        )
        require(bool(((found >= low) & (found <= high)).all()), f"the array {name} holds a value beyond its range")
        self._taken.add(name)
        return np.ascontiguousarray(found)

    def shares(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Probabilities, float64, that add up to one along the last axis."""
        found = self.array(name, "f8", shape, 0, 1 + ROUNDING)
        require(bool((np.abs(found.sum(axis=-1) - 1) <= ROUNDING).all()), f"the shares in {name} do not add up to one")
        return found

    def end(self) -> float:
        """The total, when everything else was asked for: there may be no further array."""
        require(set(self._arrays) == self._taken, "it has arrays that such a model does not have")
        return self.number("total", 1, MAX_ROWS)


def require(holds: bool, otherwise: str) -> None:
    """Refuse a model."""
    if not holds:
        raise FolderError(otherwise)
