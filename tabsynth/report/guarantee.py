"""What a card's guarantee means in plain words. Closed forms of the claimed numbers, nothing else."""

from __future__ import annotations

from typing import Any

from tabsynth.report.page import is_number
from tabsynth.tradeoff import Tradeoff

RATES = (0.001, 0.01, 0.1)


def highest_tpr(card: dict[str, Any] | None, fpr: float) -> float | None:
    """Highest true-positive rate that the card's guarantee allows at a false-positive rate, or None without a guarantee."""
    claimed = Tradeoff.of(card)
    return None if claimed is None else claimed.tpr(fpr)


def highest_advantage(card: dict[str, Any] | None) -> float | None:
    """Highest true-positive rate less false-positive rate that the card's guarantee allows, or None without a guarantee."""
    claimed = Tradeoff.of(card)
    return None if claimed is None else claimed.advantage


def ceilings(card: dict[str, Any] | None) -> list[tuple[float, float]]:
    """Pairs of false-positive rate and the highest true-positive rate allowed at it; empty without a guarantee."""
    pairs = [(fpr, highest_tpr(card, fpr)) for fpr in RATES]
    return [(fpr, tpr) for fpr, tpr in pairs if tpr is not None]


def unit_of(data: dict[str, Any]) -> Any:
    """The unit of privacy of a report: that of its card's guarantee, else that of its schema."""
    return ((data.get("card") or {}).get("guarantee") or {}).get("unit") or (data.get("schema") or {}).get("unit")


def unit_words(unit: Any) -> str:
    """The unit of privacy as a phrase."""
    key = (unit or {}).get("key")
    if key is None:
        return "one row of the table"
    return f"all rows that share one value of \u201c{key}\u201d (at most {unit.get('max_rows')} rows each were used)"


def is_private(card: dict[str, Any] | None) -> bool:
    """Whether the card states a finite guarantee and its ledger stayed within the budget."""
    given, ledger = ((card or {}).get(part) or {} for part in ("guarantee", "ledger"))
    spent, budget = ledger.get("spent_rho"), ledger.get("budget_rho")
    within = is_number(spent) and is_number(budget) and spent <= budget * (1 + 1e-9)
    return given.get("private") is True and is_number(given.get("epsilon")) and within


def relied_on(card: dict[str, Any] | None, findings: dict[str, dict]) -> dict[str, Any] | None:
    """The card, without its guarantee where the finding ``guarantee.card`` says that this does not follow from its own charges."""
    if card is None or (findings.get("guarantee.card") or {}).get("verdict") != "fail":
        return card
    return card | {"guarantee": (card.get("guarantee") or {}) | {"private": False}}


def purchases(card: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The ledger's charges in order, those with the same note as one: note, steps, rho, delta, gaussians, event."""
    rows: dict[str, dict[str, Any]] = {}
    for charge in ((card or {}).get("ledger") or {}).get("charges") or []:
        row = rows.setdefault(
            str(charge.get("note")), {"steps": 0, "rho": 0.0, "delta": 0.0, "gaussians": [], "event": charge.get("event")}
        )
        row["steps"] += 1
        row["rho"] = row["rho"] + charge["rho"] if is_number(charge.get("rho")) and is_number(row["rho"]) else None
        row["delta"] += charge.get("delta") or 0.0
        row["gaussians"] += [g for g in charge.get("gaussians") or [] if g not in row["gaussians"]]
    return [{"note": note, **row} for note, row in rows.items()]


def charge_shares(card: dict[str, Any] | None, most: int = 12) -> list[tuple[str, float]]:
    """Label and share of the budget of each purchase, in the ledger's order; the smallest become one entry beyond `most`."""
    budget = ((card or {}).get("ledger") or {}).get("budget_rho")
    if not is_number(budget) or not budget > 0:
        return []
    shares = [(row["note"], row["rho"] / budget) for row in purchases(card) if is_number(row["rho"])]
    if len(shares) <= most:
        return shares
    kept = set(sorted(range(len(shares)), key=lambda i: -shares[i][1])[: most - 1])
    rest = [share for i, (_, share) in enumerate(shares) if i not in kept]
    return [shares[i] for i in sorted(kept)] + [(f"{len(rest)} smaller charges together", sum(rest))]
