"""The card: what a release is, what privacy was spent on what, and how to check it. Plain JSON, all of it public."""

from __future__ import annotations

import datetime as dt
import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tabsynth.codec import EXACT_VALUES, Codec, Labels
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import OTHER, Schema
from tabsynth.times import Times

if TYPE_CHECKING:
    from tabsynth.curator.ledger import Ledger

FORMAT, VERSION = "tabsynth.card", 1
_PACKAGES = ("numpy", "pandas", "pyarrow", "duckdb", "ibis-framework", "dp-accounting", "mbi", "jax", "scikit-learn")
LIMITS = (
    "The guarantee covers the rows the model was fitted on, for the unit of privacy named here and at most max_rows rows of it. "
    "What the schema states as public (names, ranges, lists) is not protected.",
    "It bounds what a release adds to what can be learned about one unit. It does not stop conclusions that hold for the whole "
    "population, and it does not cover people who influence several units.",
    "Several releases from the same people add up: their epsilons must be taken together.",
    "Choosing which of several releases to publish by looking at real rows, as their evaluations do, is not covered by the guarantee "
    "of any one of them: the choice itself tells about the rows.",
    "Rows held out for the evaluation are not in the release. Its internal report is computed from them and from the training rows "
    "without noise; no guarantee covers that report.",
    "Relations that the model does not contain are lost. Rare values and unusual combinations are drowned in noise on purpose.",
    "Where a unit has more than max_rows rows, a random choice of them is used, so such units weigh less than in the full table.",
    "Synthetic rows stand alone: rows of one unit are not linked with each other, and identifiers are newly minted.",
)

PRIOR = (
    "The fit started from another table, the prior, which counts as public: nothing in it is protected here. If it is an earlier release from the "
    "same people, its epsilon adds to this one.",
)

NOISE = "exact discrete Gaussian from the operating system's randomness"
GRADIENT_NOISE = "; for gradient steps floating-point Gaussian, also from the operating system, whose low bits no proof covers"

AUDITED = "Audited, not private: the exact answers of this fit were shown to an audit. Do not release it."


def guarantee(ledger: Ledger, schema: Schema, *, tapped: bool = False) -> dict[str, Any]:
    """What the ledger proves, in numbers and in a sentence; nothing, where an audit was told the exact answers."""
    delta, unit = ledger.budget.delta, schema.unit
    exact = ledger.epsilon()
    epsilon = max(exact, min(math.ceil(exact * 1e6) / 1e6, ledger.budget.epsilon))
    whom = f"all rows that share one {unit.key} (at most {unit.max_rows} of them are used)" if unit.key else "any one row"
    return {
        "private": not tapped,
        "epsilon": epsilon,
        "epsilon_budget": ledger.budget.epsilon,
        "delta": delta,
        "unit": {"key": unit.key, "max_rows": unit.max_rows},
        "neighbours": "add or remove one unit",
        "mu": None if ledger.streams else (2 * ledger.spent()) ** 0.5,
        "rho": ledger.spent(),
        "statement": AUDITED
        if tapped
        else f"Adding or removing {whom} changes the probability of any outcome by a factor of at most exp({epsilon:.4g}), "
        f"except with probability {_short(delta)}.",
    }


def derived(schema: Schema, ledger: Ledger, *, prior: bool = False, tapped: bool = False) -> dict[str, Any]:
    """What a card says that follows from the schema and the ledger alone: whoever has these can write it again."""
    return {
        "schema": schema.to_dict(),
        "fingerprint": schema.fingerprint,
        "guarantee": guarantee(ledger, schema, tapped=tapped),
        "ledger": {
            "budget_rho": ledger.budget.rho,
            "spent_rho": ledger.spent(),
            "failure_delta": ledger.budget.failure,
            "charges": [c.to_dict() for c in ledger.charges],
        },
        "noise": NOISE + (GRADIENT_NOISE if ledger.streams else ""),
        "limits": [*LIMITS, *(PRIOR if prior else ())],
    }


def card(
    schema: Schema,
    ledger: Ledger,
    codec: Codec,
    model: Mapping[str, Any],
    *,
    prior: Mapping[str, Any] | None = None,
    tapped: bool = False,
) -> dict[str, Any]:
    """The card of a fitted model.

    Parameters
    ----------
    schema : Schema
    ledger : Ledger
    codec : Codec
    model : mapping
        Name, how it was chosen, seed and settings.
    prior : mapping, optional
        What `tabsynth.prior.Prior` says of the table that the fit started from, and the ``columns`` whose codes it told.
    tapped : bool
        An audit was told the exact answers.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": now(),
        "tabsynth": version(),
        **derived(schema, ledger, prior=prior is not None, tapped=tapped),
        "model": dict(model),
        **({} if prior is None else {"prior": dict(prior)}),
        "bought": bought(codec, prior),
        "environment": environment(),
    }


def environment() -> dict[str, str]:
    """Versions of what computed this."""
    return {"python": platform.python_version(), "system": platform.system()} | _versions(_PACKAGES)


def version() -> str:
    """Version of tabsynth."""
    return metadata.version("tabsynth")


def now() -> str:
    """The time, in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _short(value: float) -> str:
    """A small number as people write it: 1e-6, not 1e-06."""
    return f"{value:g}".replace("e-0", "e-")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def bought(codec: Codec, prior: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The columns whose coding was paid for, and not told by a prior; ``found`` is false where nothing of what was bought stood out from the noise."""
    out, told = [], prior["columns"] if prior else ()
    for c in (c for c in codec.schema.modelled if c.name not in told):
        coder = codec.coders[c.name]
        if isinstance(coder, Times):
            out.append(
                {
                    "column": c.name,
                    "what": "range and days" if c.discover else "days",
                    "size": len(coder.day.starts),
                    "found": coder.day.found,
                }
            )
            if coder.time is not None:
                out.append({"column": c.name, "what": "times of day", "size": len(coder.time.starts)})
        elif isinstance(coder, Labels | GroupedLabels) and c.discover:
            found = coder.values != (OTHER,)
            out.append({"column": c.name, "what": "categories", "size": len(coder.values), "found": found})
        elif isinstance(coder, GroupedLabels):
            out.append({"column": c.name, "what": "groups of labels", "size": coder.size - coder.null})
        elif not isinstance(coder, Labels) and (c.discover or len(coder.mass) > EXACT_VALUES):
            what = "range and bins" if c.discover else "bins"
            out.append({"column": c.name, "what": what, "size": len(coder.starts), "found": coder.found})
    return out
