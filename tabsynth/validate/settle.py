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
from tabsynth.validate.attacks import ATTACKS, PROFILED, SCALINGS, attribute, linkability, membership, replication, singling_out
from tabsynth.validate.audit import measured
from tabsynth.validate.features import unit_codes

GUARANTEE, MEASUREMENT = "guarantee", "measurement"


@dataclass(frozen=True)
class Setting:
    """What is known before a fit.

    Parameters
    ----------
    schema : Schema
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
        Units that the generator never saw with which a measurement would probably settle it, where there is such a number.
    """

    by: str | None
    needed: int | None = None


def settles(setting: Setting) -> dict[str, Outlook]:
    """The outlook of every claim of `CLAIMS`."""
    return {claim: outlook(setting) for claim, outlook in CLAIMS.items()}


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
        f", which needs about {outlook.needed:,} holdout {what}" if outlook.needed else ", which no larger holdout alone settles"
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


CLAIMS: dict[str, Callable[[Setting], Outlook]] = {
    "copies": _copies,
    "membership": _membership,
    "attribute inference": _attribute,
    "singling out": _singling_out,
    "linkage": _linkage,
}
"""The claims on attacks; one more is a line here."""
