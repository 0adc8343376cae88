"""NOT PRIVATE. The types of the validation: Evidence goes in, Findings come out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.access import Progress, silent
from tabsynth.policy import Policy
from tabsynth.schema import Schema
from tabsynth.tradeoff import Tradeoff


@dataclass(frozen=True)
class Evidence:
    """What a check looks at: three tables with the schema's columns and types (see `tabsynth.conform`).

    Parameters
    ----------
    schema : Schema
    train, holdout, synthetic : DataFrame
        Real rows the generator was fitted on, real rows it never saw (split by privacy unit), and synthetic rows.
    target : str, optional
        The column to predict in the utility checks.
    seed : int
        For every random choice a check makes.
    reference : DataFrame, optional
        Real rows that an attacker may know and that are in neither of the others. Without it, half of the holdout's units.
    measured : sequence of tuple of int
        Sets of modelled columns whose tables the generator is known to have measured; its card says so, and the card is public.
    policy : Policy
        The thresholds of the verdicts.
    further : sequence of DataFrame
        More tables from the same model, attacked to see how much the results vary.
    guarantee : Tradeoff, optional
        What the release's guarantee lets any attacker achieve, where there is a guarantee that may be relied on.
    progress : callable
        Told what a check is doing, and which fraction of it is behind.
    memo : dict
        What one check computed and another can use again, such as a trained classifier's scores. It starts empty, in a copy too.
    """

    schema: Schema
    train: pd.DataFrame
    holdout: pd.DataFrame
    synthetic: pd.DataFrame
    target: str | None = None
    seed: int = 0
    reference: pd.DataFrame | None = None
    measured: Sequence[tuple[int, ...]] = ()
    policy: Policy = field(default_factory=lambda: Policy.load("default"))
    further: Sequence[pd.DataFrame] = ()
    guarantee: Tradeoff | None = None
    progress: Progress = field(default=silent, repr=False, compare=False)
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True)
class Finding:
    """One number with what is needed to read it.

    Parameters
    ----------
    check : str
        Stable dotted name, such as ``fidelity.tvd2`` or ``attacks.ldr``.
    title : str
        One line for a person.
    value : float or None
        None where the check could not be computed; `note` then says why.
    interval : (float, float), optional
        95 % confidence interval of `value`.
    reference : float, optional
        What the same number is for the comparison named in `reference_is`.
    better : {'lower', 'higher', 'closer'}
        Which direction is good (`closer` = closer to the reference).
    verdict : {'pass', 'fail', 'inconclusive'}, optional
        Only for checks that answer a claim.
    details : dict
        Plain JSON data behind the number: tables and curves the report draws.
    """

    check: str
    title: str
    value: float | None
    interval: tuple[float, float] | None = None
    reference: float | None = None
    reference_is: str = ""
    better: str = "lower"
    verdict: str | None = None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> Finding:
        """The same in plain Python, ready for JSON: no NumPy scalars or arrays; NaN and infinity become None."""
        return Finding(**{f.name: _plain(getattr(self, f.name)) for f in fields(Finding)})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


Check = Callable[[Evidence], list[Finding]]
