"""The public card: what a release is and what its privacy cost. Nothing in it was computed from real rows outside the ledger."""

from __future__ import annotations

from typing import Any

from tabsynth.report import figures
from tabsynth.report.guarantee import ceilings, charge_shares, is_private, purchases, unit_words
from tabsynth.report.odds import odds
from tabsynth.report.page import check_format, render


def card(data: dict[str, Any]) -> str:
    """The public card as one self-contained HTML page.

    Parameters
    ----------
    data : dict
        The contents of ``card.json`` (``schemas/card.schema.json``).

    Raises
    ------
    OptionError
        If `data` is not a card of version 1.
    """
    check_format(data, "tabsynth.card")
    return render(
        "card.html",
        card=data,
        private=is_private(data),
        calm=is_private(data),
        unit=unit_words((data.get("guarantee") or {}).get("unit")),
        ceilings=ceilings(data),
        odds=odds(data),
        shares=charge_shares(data),
        purchases=purchases(data),
        figures=figures,
    )
