"""NOT PRIVATE. Which claims of the report a table of some size can settle, before anything is spent. Sizes are private, and so is the answer.

By the same formulas as the verdicts, with expected rates where a rate is not known: that nothing leaks beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tabsynth.policy import Policy
from tabsynth.schema import Schema
from tabsynth.tradeoff import Tradeoff
from tabsynth.validate import columns, relations, useful
from tabsynth.validate.attacks import ATTACKS, PROFILED, SCALINGS, attribute, linkability, membership, replication, singling_out
from tabsynth.validate.audit import measured
from tabsynth.validate.features import unit_codes

GUARANTEE, MEASUREMENT = "guarantee", "measurement"
_NUMBERS = 20
"""Numbers of a column that are looked at, about."""


@dataclass(frozen=True)
class Setting:
    """What is known before a fit.

    Parameters
    ----------
    schema : Schema
        With the column to predict, if there is one, as its target.
    train, holdout : int
        Units the generator will be fitted on, and units it will never see.
    policy : Policy
    guarantee : Tradeoff, optional
        What the release will guarantee, where its engine withstood its audit.
    """

    schema: Schema
    train: int
    holdout: int
    policy: Policy
    guarantee: Tradeoff | None = None


@dataclass(frozen=True)
class Outlook:
    """Whether a claim can be settled.

    Parameters
    ----------
    by : {'guarantee', 'measurement'}, optional
        What will probably settle it; None where it will probably stay open.
    needed : int, optional
        Units with which a measurement would probably settle it, where there is such a number.
    what : {'holdout', 'training'}
        Which units those are.
    """

    by: str | None
    needed: int | None = None
    what: str = "holdout"


def settles(setting: Setting) -> dict[str, Outlook]:
    """The outlook of every claim of `CLAIMS` that will be made."""
    found = {claim: outlook(setting) for claim, outlook in CLAIMS.items()}
    return {claim: outlook for claim, outlook in found.items() if outlook is not None}


def told(setting: Setting) -> str:
    """`settles` in a sentence or two. CONFIDENTIAL."""
    what = "rows" if setting.schema.unit.key is None else "units"
    found = settles(setting)
    words = {GUARANTEE: "{} (by the guarantee)", MEASUREMENT: "{}"}
    can = [words[outlook.by].format(claim) for claim, outlook in found.items() if outlook.by]
    cannot = [claim + _wanting(outlook, what) for claim, outlook in found.items() if not outlook.by]
    text = f"With {setting.train:,} training and {setting.holdout:,} holdout {what}, the report can probably settle: {', '.join(can) or 'nothing'}."
    return text + (f" Probably not: {'; '.join(cannot)}." if cannot else "")


def _wanting(outlook: Outlook, what: str) -> str:
    return (
        f", which needs about {outlook.needed:,} {outlook.what} {what}"
        if outlook.needed
        else ", which no larger holdout alone settles"
    )


def setting(
    train: pd.DataFrame, holdout: pd.DataFrame, schema: Schema, policy: Policy, card: Mapping[str, Any] | None
) -> Setting:
    """The setting of two tables; of the card, guarantee and model are looked at."""
    units = (int(unit_codes(table, schema).max(initial=-1)) + 1 for table in (train, holdout))
    return Setting(schema, *units, policy, relied_on(card))


def relied_on(card: Mapping[str, Any] | None) -> Tradeoff | None:
    """What a card's guarantee allows any attacker, where its engine withstood its audit; else None."""
    audit = measured.audited(card)
    return Tradeoff.of(card) if audit and audit[0].verdict == "pass" else None


def _membership(setting: Setting) -> Outlook:
    """With half of the holdout as reference rows, and as many members as there are non-members."""
    attacks = sum(len(attack.scalings) for attack in ATTACKS.values()) + 1
    attacks += len(PROFILED) * len(SCALINGS) if setting.schema.unit.key else 0
    return Outlook(
        *membership.outlook(min(setting.train, setting.holdout // 2), attacks, setting.policy["membership_mu"], setting.guarantee)
    )


def _attribute(setting: Setting) -> Outlook:
    columns, rows, tolerated = len(setting.schema.modelled), setting.schema.unit.max_rows, setting.policy["attribute"]
    return Outlook(*attribute.outlook(setting.train, setting.holdout, columns, rows, tolerated, setting.guarantee))


def _singling_out(setting: Setting) -> Outlook:
    return Outlook(*singling_out.outlook(setting.train, setting.holdout, setting.policy["residual_risk"]))


def _copies(setting: Setting) -> Outlook:
    return Outlook(*replication.outlook(setting.train, setting.holdout, setting.policy["copies"], setting.guarantee))


def _linkage(setting: Setting) -> Outlook:
    return Outlook(*linkability.outlook(setting.train, setting.holdout, setting.policy["residual_risk"], setting.guarantee))


def _by_size(units: int, needed: int, what: str) -> Outlook:
    return Outlook(MEASUREMENT if units >= needed else None, needed, what)


def _columns(setting: Setting) -> Outlook:
    """With as many synthetic rows as there are training units, and `_NUMBERS` numbers a column."""
    return _by_size(
        setting.train, columns.needed(_NUMBERS * len(setting.schema.modelled), setting.policy["column_shares"]), "training"
    )


def _relations(setting: Setting) -> Outlook | None:
    """With as many synthetic rows as there are training units, and a holdout of the size there is."""
    count = len(setting.schema.modelled)
    return (
        None
        if count < 2
        else _by_size(setting.train, relations.needed(count, setting.holdout / max(setting.train, 1)), "training")
    )


def _useful(setting: Setting) -> Outlook | None:
    """For a target that is as easy to predict, and as rare, as many are."""
    return (
        None if setting.schema.target is None else _by_size(setting.holdout, useful.needed(setting.policy["useful"]), "holdout")
    )


CLAIMS: dict[str, Callable[[Setting], Outlook | None]] = {
    "copies": _copies,
    "membership": _membership,
    "attribute inference": _attribute,
    "singling out": _singling_out,
    "linkage": _linkage,
    "columns": _columns,
    "relations": _relations,
    "use for the target": _useful,
}
"""The claims that a measurement or the guarantee settles; one more is a line here. Whether ranges were found, the card says."""
