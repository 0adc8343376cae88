"""NOT PRIVATE like all findings, though it follows from noisy counts on the card alone: were the bought ranges and lists found?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tabsynth.schema import Schema
from tabsynth.validate.check import Finding

CHECK = "quality.ranges"


def ranges(card: Mapping[str, Any] | None, schema: Schema) -> list[Finding]:
    """The columns whose range or list the budget did not buy: what was counted did not stand out from its noise.

    Returns
    -------
    list of Finding
        ``quality.ranges``, or nothing where no card says how the table was made and something had to be bought. The value is the number of such
        columns; it fails where there is one (``"found": false`` in what the card lists as bought), and is inconclusive where the card does
        not list a column that had to be bought.
    """
    known = ((card or {}).get("prior") or {}).get("columns") or ()
    wanted = [c.name for c in schema.modelled if c.discover and c.name not in known]
    if card is None and wanted:
        return []
    entries = card.get("bought") if card else None
    told = {e.get("column"): e.get("found", True) for e in entries if isinstance(e, Mapping)} if isinstance(entries, list) else {}
    lost = [name for name, found in told.items() if found is False]
    silent = [name for name in wanted if name not in told]
    title = "Columns whose range or list did not stand out from the noise"
    details = {"lost": lost, "silent": silent, "bought": len(wanted), "columns": len(schema.modelled)}
    verdict = "fail" if lost else "inconclusive" if silent else "pass"
    return [Finding(CHECK, title, len(lost), verdict=verdict, details=details)]
