"""The claim-to-evidence map: what has to be shown before a claim may be made, what of it is in this report, and what would not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabsynth.report.claims import available, unaudited
from tabsynth.report.guarantee import is_private
from tabsynth.report.page import is_number, number

ENOUGH = 2_000
"""Unseen units for a statement on members found with 1 % of false alarms: with fewer, intervals are wider than the tolerance."""
TABLES = 3


@dataclass(frozen=True)
class Piece:
    """One thing that has to be shown, and whether this report shows it."""

    text: str
    present: bool


@dataclass(frozen=True)
class Support:
    """What speaks for a claim.

    Parameters
    ----------
    claim : str
        In the words in which people make it.
    pieces : sequence of Piece
    not_enough : str
        What is often shown instead.
    """

    claim: str
    pieces: Sequence[Piece]
    not_enough: str

    @property
    def standing(self) -> str:
        """Whether the evidence is complete; whether it speaks for or against the claim is said by the verdicts."""
        found = sum(piece.present for piece in self.pieces)
        return "complete" if found == len(self.pieces) else "in part" if found else "missing"


def evidence(findings: dict[str, dict], card: dict[str, Any] | None, unit: dict[str, Any]) -> list[Support]:
    """The map for one report.

    Parameters
    ----------
    findings : dict
        By check name.
    card : dict, optional
    unit : dict
        The schema's unit of privacy: key, max_rows.
    """

    def there(*checks: str) -> bool:
        return any(available(finding) and name.startswith(checks) for name, finding in findings.items())

    def detail(check: str, name: str) -> Any:
        value = ((findings.get(check) or {}).get("details") or {}).get(name)
        return value if is_number(value) else 0

    tables, unseen = detail("attacks.regenerations", "tables"), detail("attacks.membership", "n_nonmembers")
    private, bugs = is_private(card), detail("audit.engine", "mutations")
    recounted = there("guarantee.card") and findings["guarantee.card"].get("verdict") == "pass"
    audited = there("audit.engine") and not unaudited(findings["audit.engine"])
    return [
        Support(
            "It does not copy people",
            [
                Piece("copies counted beside those of unseen people", there("attacks.replication")),
                Piece(f"on {TABLES} tables from the same model or more", tables >= TABLES),
            ],
            "that no row is identical",
        ),
        Support(
            "Whether somebody was in the training data cannot be told",
            [
                Piece("many attacks, judged together", there("attacks.familywise") and there("attacks.membership")),
                Piece("an attacker who knows how the generator works", there("attacks.focal", "attacks.shadow")),
                Piece(f"{number(ENOUGH)} unseen people to compare with", 2 * unseen >= ENOUGH),
            ],
            "distances to the closest record, or a single AUC",
        ),
        Support(
            "Unusual people are protected too",
            [
                Piece("attacks looked at among unusual people and in subgroups", available(findings.get("attacks.worst"))),
                Piece("a formal guarantee, or attacks built for single people", private or there("attacks.worst.targeted")),
            ],
            "averages",
        ),
        Support(
            "A sensitive value cannot be inferred from the rest of a record",
            [Piece("guesses compared with those for unseen people", there("attacks.attribute."))],
            "guesses compared with chance",
        ),
        Support(
            "It is differentially private with the epsilon named",
            [
                Piece("a ledger whose charges add up to it, on a card that lists this table", private and recounted),
                Piece("an audit of the engine on neighbouring tables, in the same version and settings", audited),
                Piece("proof that the audit notices known bugs", bugs > 0 and detail("audit.engine", "noticed") == bugs),
            ],
            "attacks that found nothing",
        ),
        Support(
            "People with several rows are protected as a whole",
            [
                Piece("a unit of privacy that gathers a person's rows, with a bound on them", unit.get("key") is not None),
                Piece("split, and attacks, by that unit", unit.get("key") is not None and there("attacks.membership")),
            ],
            "attacks on single rows",
        ),
        Support(
            "Its columns and relations are right",
            [
                Piece("every column\u2019s numbers beside those of unseen rows", there("quality.columns")),
                Piece("pairs of columns and links, beside those of unseen rows", there("quality.relations")),
                Piece("a model trained on it and tested on real rows", there("quality.useful")),
            ],
            "a distance averaged over bins and columns",
        ),
    ]
