"""Made-up findings on columns, relations, ranges and the target, in the shapes that `evaluate` writes."""

from __future__ import annotations

from typing import Any

from .sample_attacks import finding


def number(what: str, of: str, train: Any, synthetic: Any, off: float | None, verdict: str = "pass") -> dict[str, Any]:
    surely = None if off is None else max(0.0, off - 0.4)
    unsure = None if off is None else 0.4
    return {"what": what, "of": of, "train": train, "holdout": train, "synthetic": synthetic, "off": off, "usual": 0.1, "surely": surely,
            "unsure": unsure, "verdict": verdict}  # fmt: skip


def quality(failing: bool = False) -> list[dict[str, Any]]:
    """The four findings of a good table, or of one that is wrong in every respect."""
    verdict = "fail" if failing else "pass"
    mean = number("mean", "", 1078.3, 3250.9 if failing else 1101.2, 9.3 if failing else 0.3, verdict)
    ends = [
        number("bottom", "", None, 0, 0.1),
        number("top", "", None, 1e13 if failing else 99_999, 1000.0 if failing else 1.0, verdict),
    ]
    sex = [number("share", "Male", 0.669, 0.688, 0.5), number("share", "missing", 0.0, 0.001, 0.1)]
    columns = [
        {"column": "capital_gain", "part": "", "numbers": [mean, *ends, number("quantile", "99 %", 15_024, 15_831, 0.2)]},
        {"column": "sex", "part": "", "numbers": sex},
    ]
    pair = {"columns": ["age", "income"], "size": 0.21, "change": 0.19 if failing else 0.02, "usual": 0.01, "target": True,
            "off": 1.8 if failing else 0.2, "surely": 1.6 if failing else 0.1, "unsure": 0.2, "verdict": verdict}  # fmt: skip
    link = {"columns": ["relationship", "sex"], "example": ["Wife", "Male"], "train": None, "holdout": 0.0, "independent": 0.031,
            "synthetic": 0.06 if failing else 0.006, "tolerated": 0.015, "off": 4.0 if failing else 0.4, "surely": 3.0 if failing else 0.2,
            "unsure": 0.3, "verdict": verdict}  # fmt: skip
    drawn = {"columns": ["age", "income"], "labels": [["below 30", "30 to 50", "50 and above", "missing"], ["<=50K", ">50K"]],
             "train": [[0.3, None], [0.25, 0.15], [0.2, 0.1], [0.0, 0.0]], "synthetic": [[0.29, 0.01], [0.26, 0.14], [0.2, 0.1], [0.0, 0.0]]}  # fmt: skip
    return [
        finding("quality.columns", "Share of columns that surely do not keep their values", 0.5 if failing else 0.0, verdict=verdict,
                details={"columns": columns, "wrong": ["capital_gain"] if failing else [], "unsure": [], "tolerated": 0.2, "tolerated_shares": 0.05,
                         "needed_rows": None, "suppressed": 2, "small_cell": 11}),
        finding("quality.relations", "Part of the relations kept", 0.31 if failing else 0.94, better="higher", verdict=verdict,
                details={"pairs": [pair], "links": [link], "drawn": [drawn], "wrong": [["age", "income"]] if failing else [],
                         "broken": [["relationship", "sex"]] if failing else [], "together": failing, "related": 41, "compared": 105,
                         "tolerated": 0.5, "tolerated_links": 0.02, "needed_rows": None, "suppressed": 1, "small_cell": 11}),
        finding("quality.useful", "Part of what real rows teach", 0.2 if failing else 0.93, interval=[0.1, 0.3] if failing else [0.9, 0.95],
                reference=1.0, better="higher", verdict=verdict,
                details={"target": "income", "real": 0.927, "synthetic": 0.897, "tolerated": 0.5, "needed_nonmembers": None}),
        finding("quality.ranges", "Columns whose range did not stand out", 1 if failing else 0, verdict=verdict,
                details={"lost": ["fnlwgt"] if failing else [], "silent": [], "bought": 1, "columns": 15}),
    ]  # fmt: skip
