"""NEVER SEES A ROW. One algorithm a file; a new one is a line in `MODELS` (and a test runs it through the contract)."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from typing import TYPE_CHECKING, Any

from tabsynth.errors import OptionError

if TYPE_CHECKING:
    from tabsynth.access import Model, Synthesizer

MODELS = {
    "aim": ("tabsynth.models.aim", "AIM", "FieldModel"),
    "copula": ("tabsynth.models.copula", "Copula", "CopulaModel"),
    "ctgan": ("tabsynth.models.ctgan", "CTGAN", "CTGANModel"),
    "independent": ("tabsynth.models.independent", "Independent", "IndependentModel"),
    "mst": ("tabsynth.models.mst", "MST", "TreeModel"),
    "neural": ("tabsynth.models.neural", "Neural", "NeuralModel"),
}
"""Name -> module, synthesizer, fitted model; imported when used."""

FROM_PRIOR = ("aim",)
"""Names of the models that can start from a prior."""

EXTRAS = {"ctgan": "torch", "neural": "torch"}
"""Name -> what fitting it needs besides the core dependencies; the extra has the model's name."""

MANY_COLUMNS = 300


def synthesizer(name: str, target: str | None) -> Synthesizer:
    """The synthesizer of that name, with its default settings.

    Parameters
    ----------
    name : str
    target : str or None
        The column whose relations matter most.

    Raises
    ------
    OptionError
        If there is none, or what it needs is not installed.
    """
    found = _imported(name, 1)
    if name in EXTRAS and importlib.util.find_spec(EXTRAS[name]) is None:
        raise OptionError(
            f"the model {name!r} needs {EXTRAS[name]}; install it with pip install 'tabsynth[{name}]', or use auto."
        )
    return found(target=target)


def settings(algorithm: Synthesizer) -> dict[str, Any]:
    """The public settings of a synthesizer, without its name, as JSON gives them back."""
    plain = json.loads(json.dumps(dataclasses.asdict(algorithm)))
    return {name: value for name, value in plain.items() if name != "name"}


def usual_settings(name: str, target: str | None) -> dict[str, Any]:
    """The default settings of the synthesizer of that name, whether or not what it needs is installed.

    Raises
    ------
    OptionError
        If there is none.
    """
    return settings(_imported(name, 1)(target=target))


def model_class(name: str) -> type[Model]:
    """The class that loads what the synthesizer of that name fitted.

    Raises
    ------
    OptionError
        If there is none.
    """
    return _imported(name, 2)


def choose(columns: int, prior: bool = False) -> tuple[str, str]:
    """The model for ``--model auto``, and why, from public facts alone: the number of columns to model, and whether there is a prior."""
    if prior:
        return FROM_PRIOR[0], "it can start from a prior"
    if columns == 1:
        return "independent", "there is one column, so there is nothing to relate it to"
    if columns > MANY_COLUMNS:
        return "copula", f"{columns} columns have too many pairs to compare them one by one; the limit is {MANY_COLUMNS} columns"
    return "aim", f"{columns} columns, of at most {MANY_COLUMNS} whose pairs can all be compared"


def _imported(name: str, which: int) -> type:
    if name not in MODELS:
        raise OptionError(f"there is no model {name!r}; use auto, {', '.join(MODELS)}.")
    return getattr(importlib.import_module(MODELS[name][0]), MODELS[name][which])
