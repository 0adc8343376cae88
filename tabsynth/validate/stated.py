"""NOT PRIVATE like all findings, though computed from the card and the synthetic table alone: may a card's guarantee be believed here?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from tabsynth.digest import digest
from tabsynth.recount import recount
from tabsynth.schema import Schema
from tabsynth.validate.check import Finding


def stated(card: Mapping[str, Any] | None, synthetic: pd.DataFrame, schema: Schema) -> list[Finding]:
    """Whether what a card states of its guarantee follows from its own charges, and whether it lists this table.

    Parameters
    ----------
    card : mapping, optional
    synthetic : DataFrame
        Conformed to the schema.
    schema : Schema

    Returns
    -------
    list of Finding
        ``guarantee.card``, or nothing without a card. The value is how many of its statements do not follow; it fails where any does
        not, and is inconclusive where the card does not list the hash of this table's values (`tabsynth.digest`).
    """
    if card is None:
        return []
    results = recount(card)
    wrong = sum(not result.holds for result in results)
    drawn = card.get("synthetic")
    listed = drawn.get("sha256") if isinstance(drawn, Mapping) else None
    belongs = listed is not None and listed == digest(synthetic, schema)
    return [
        Finding(
            "guarantee.card",
            "Statements of the card that do not follow from its own charges and schema",
            wrong,
            verdict="fail" if wrong else "pass" if belongs else "inconclusive",
            note="That the charges are those of the fit, no card can show.",
            details={
                "checks": [dataclasses.asdict(result) for result in results],
                "lists_a_table": listed is not None,
                "belongs": belongs,
            },
        )
    ]
