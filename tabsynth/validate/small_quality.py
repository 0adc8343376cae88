"""NOT PRIVATE. The small-cell rule for columns and relations: see `tabsynth.validate.small_cells`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.validate.check import Finding
from tabsynth.validate.hiding import NOT_SHOWN, REAL, hidden_in_table

if TYPE_CHECKING:
    from tabsynth.validate.small_cells import _People

_ENDS = ("bottom", "top")


def columns_kept(people: _People, finding: Finding) -> tuple[Finding, int]:
    """Hide the numbers of few people, and what they could be computed from: how far the synthetic table's is off."""
    cells, rare = 0, {c.name: people.rare_labels(c) for c in people.evidence.schema.modelled}
    for row in finding.details.get("columns", ()):
        for number in row["numbers"]:
            behind = dict(zip(REAL, number.pop("people", (0, 0)), strict=True))
            gone = [name for name in REAL if number[name] is not None and people.few(behind[name])]
            number.update(dict.fromkeys(gone))
            if "train" in gone:
                number.update(off=_magnitude(number) if number["what"] in _ENDS else None, surely=None, unsure=None)
            if gone:
                number["usual"] = None
            if number["of"] in rare[row["column"]]:
                number["of"] = NOT_SHOWN
            cells += len(gone)
    return finding, cells


def _magnitude(number: dict[str, Any]) -> float:
    """How far an end is off, as a power of ten."""
    return float(10.0 ** np.floor(np.log10(max(number["off"], 1e-3))))


def relations_kept(people: _People, finding: Finding) -> tuple[Finding, int]:
    """Hide small cells of the tables that are drawn, and few people who break a link."""
    evidence, cells = people.evidence, 0
    most = evidence.schema.unit.max_rows
    for link in finding.details.get("links", ()):
        gone = [name for name in REAL if people.few(link[name] * len(getattr(evidence, name)) // most)]
        gone += [name for name in REAL if name not in gone and 0 < link[name] * len(getattr(evidence, name)) < most]
        link.update(dict.fromkeys([*gone, *(("off", "surely", "unsure") if "holdout" in gone else ())]))
        link["example"] = [_label(people, *pair) for pair in zip(link["columns"], link["example"], strict=True)]
        cells += len(gone)
    for table in finding.details.get("drawn", ()):
        counts = np.ceil(np.array(table["train"]) * len(evidence.train) / most - 1e-9).astype(int)
        gone = hidden_in_table(counts, people.least)
        table["train"] = np.where(gone, None, np.array(table["train"], dtype=object)).tolist()
        table["labels"] = [
            [_label(people, name, text) for text in texts] for name, texts in zip(table["columns"], table["labels"], strict=True)
        ]
        cells += int(gone.sum())
    return finding, cells


def _label(people: _People, name: str, text: str) -> str:
    """The name of a group: hidden for labels of few people, and for numbers where few people lie between two cuts."""
    column = people.evidence.schema[name]
    few = (
        people.few(people.counts("train", np.zeros(len(people.evidence.train), np.int64), 1)[0] // 8) if column.numeric else False
    )
    return NOT_SHOWN if (few and text != "missing") or text in people.rare_labels(column) else text
