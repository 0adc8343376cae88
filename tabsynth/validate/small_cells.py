"""NOT PRIVATE. Small cells: no count or share of real people with something in common is told where it is of a few of them.

The report on real rows is not private, but it passes through many hands. The rule is that of the US Centers for Medicare and
Medicaid Services: counts of 1 to 10 are not shown, nor is anything from which one could be computed; 0 may be shown. People are
privacy units: a cell of 40 rows of 3 patients is small.

What is hidden:

- Histograms: the share of training or holdout rows in a bin with few units behind it, and as many more as it takes to keep it
  from being computed (`hidden`). The text of a numeric bin names quantiles of the training rows, so it goes with that of its
  neighbours where a bin is small; a label goes where the schema does not list it and few real units have it. A column's own
  distances go where only one or two of its shares are hidden, for two unknowns they would give away, and then those of one more
  column too, because the mean over all columns is told.
- Tails: the threshold and both shares of an end beyond which few units lie, or at and beyond which few lie. A threshold with
  enough people beyond it is told, as percentiles usually are, although on a fine scale it is one person's value.
- Prediction: all of a score where few holdout units have one of the two classes; its curve would count them.
- Columns: a number behind which few units lie (those with a value or those without it, those beyond a quantile, those at an end), with what
  it could be computed from.
- Relations: cells of a pair's table with few units, with complements in their row and column, and the shares of rows that break a link.
- Fairness: a group's counts, shares and rates where few units are behind them, or behind one of its classes, with complements.
- Worst cases: the sizes of a group, with complements among the groups of its column; its rates where they count few people; its
  name where that is a label as above.
- Attribute inference: how often the blind guess is right, which is the share of the most frequent value, where few people have
  that value or few have another; and all sizes where few lack the value. Numbers from which the sizes could be computed are then
  rounded to three digits.

What stays: results of an attack (how many were named rightly or wrongly, copies found, descriptions that fit one record,
controls) and sizes of whole tables. A reviewer has to see them, and they do not say what the people have in common. Numbers of
*labels* (kept, lost) and what is found in the synthetic table alone count no people.

What remains: distances, their means and largest gaps over several hidden cells are told. Each is one equation in many unknowns:
it narrows a hidden count down and rarely settles it, except perhaps in a table of one or two columns. An attacker that always
names the most frequent value is as often right as the blind guess. Whoever has the table can of course compute everything.

References
----------
CMS, Cell Size Suppression Policy (counts 1 to 10); Hundepool et al. (2012), Statistical Disclosure Control, section 4.4
(secondary suppression).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.schema import Column
from tabsynth.validate import fidelity, utility
from tabsynth.validate.attacks import attribute
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import axis_values, label_values, unit_codes
from tabsynth.validate.groups import grouped
from tabsynth.validate.hiding import NOT_SHOWN, REAL, hidden
from tabsynth.validate.small_quality import columns_kept, relations_kept

_DIGITS = 3
_SIZES = ("n_members", "n_nonmembers")


def suppressed(findings: Sequence[Finding], evidence: Evidence, least: int) -> list[Finding]:
    """The findings without small cells: these are None; ``details["suppressed"]`` counts them, ``"small_cell"`` is `least`.

    Pure and idempotent: a finding that carries the mark of at least as strict a rule is returned as it is.

    Parameters
    ----------
    findings : sequence of Finding
        Of all checks on `evidence`, none marked by a laxer rule.
    evidence : Evidence
        The tables the findings are about; what is small is counted in them.
    least : int
        Units that a cell needs to be shown (11 by the CMS rule). With 0 or 1 nothing is hidden.
    """
    people = _People(evidence, least, {f.check: f for f in findings})
    return [people.without_small_cells(finding.plain()) for finding in findings]


@dataclass(frozen=True)
class _People:
    """Who is behind the numbers: the evidence, the rule, and the findings by name."""

    evidence: Evidence
    least: int
    findings: dict[str, Finding]

    def without_small_cells(self, finding: Finding) -> Finding:
        """The finding and its mark, where something was hidden. Its details may be changed: they are a copy."""
        if finding.details.get("small_cell", 0) >= self.least:
            return finding
        rule = next((rule for start, rule in _RULES.items() if finding.check.startswith(start)), None)
        finding, cells = rule(self, finding) if rule else (finding, 0)
        return replace(finding, details=finding.details | {"suppressed": cells, "small_cell": self.least}) if cells else finding

    def few(self, *counts: float) -> bool:
        """Whether some count is small."""
        return any(0 < count < self.least for count in counts)

    @cached_property
    def units(self) -> dict[str, np.ndarray]:
        """The unit of each row, by real table."""
        return {name: unit_codes(getattr(self.evidence, name), self.evidence.schema) for name in REAL}

    @cached_property
    def asked(self) -> tuple[int, int]:
        """How many members and non-members an attribute inference asks about."""
        return attribute.sizes(self.evidence)

    def counts(self, name: str, cells: np.ndarray, size: int) -> np.ndarray:
        """Units that have a row in each cell, shape (size,); `cells` has one of 0 ... size - 1 for each row of the table."""
        pairs = pd.unique(cells + size * self.units[name].astype(np.int64))
        return np.bincount(pairs % size, minlength=size)

    def having(self, name: str, rows: np.ndarray) -> int:
        """Units that have one of the rows of a mask, shape (rows,)."""
        return int(self.counts(name, rows.astype(np.int64), 2)[1])

    def classes(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Masks of a table's rows of the positive and of the negative class."""
        known = getattr(self.evidence, name)[self.evidence.target].notna().to_numpy()
        positive = np.zeros(len(known), bool)
        positive[known] = utility.question(self.evidence).answers[name]
        return positive, known & ~positive

    def gone(self, name: str, cells: np.ndarray, size: int, by_class: bool) -> np.ndarray:
        """Which of `size` groups to hide in a table: by their units, or by those of each class; `cells` is each row's group."""
        masks = self.classes(name) if by_class else (np.ones(len(cells), bool),)
        counts = [self.counts(name, np.where(mask, cells, size), size + 1)[:size] for mask in masks]
        return np.any([hidden(count, self.least) for count in counts], axis=0)

    def rare_labels(self, column: Column) -> set[str]:
        """Labels of few real units that the schema does not list, so that their being there tells something."""
        if column.numeric or column.kind == "boolean" or column.labels:
            return set()
        total: Counter[str] = Counter()
        for name in REAL:
            codes, labels = pd.factorize(label_values(getattr(self.evidence, name), column))
            counts = self.counts(name, codes + 1, len(labels) + 1)[1:]
            total.update(dict(zip(labels, counts.tolist(), strict=True)))
        return {label for label, count in total.items() if count < self.least}


def _histograms(people: _People, finding: Finding) -> tuple[Finding, int]:
    evidence, rows = people.evidence, {row["column"]: row for row in finding.details.get("columns", ())}
    cells, betrayed = 0, []
    for histogram in finding.details.get("histograms", ()):
        column = evidence.schema[histogram["column"]]
        parts, names = _drawn(people, column)
        histogram["bins"] = [None if gone else text for text, gone in zip(histogram["bins"], names, strict=True)]
        for name, gone in parts.items():
            histogram[name] = [None if g else share for share, g in zip(histogram[name], gone, strict=True)]
        hid = [int(gone.sum()) for gone in parts.values()]
        cells += sum(hid)
        if any(0 < n <= 2 for n in hid):
            betrayed.append(column.name)
    if len(betrayed) == 1:
        betrayed += [name for name in sorted(rows, key=lambda name: rows[name]["value"]) if name not in betrayed][:1]
    for name in betrayed:
        rows[name].update(value=None, reference=None)
    return finding, cells + 2 * len(betrayed)


def _drawn(people: _People, column: Column) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """For the bins of a column's histogram: which shares of each real table to hide, and which texts."""
    evidence = people.evidence
    bins = fidelity.binned(column, (evidence.train, evidence.holdout, evidence.synthetic)).drawn(len(evidence.train))
    size, cut = len(bins.labels), len(evidence.train)
    codes = {"train": bins.codes[:cut], "holdout": bins.codes[cut : cut + len(evidence.holdout)]}
    parts = {name: hidden(people.counts(name, rows, size), people.least) for name, rows in codes.items()}
    if column.numeric:
        counts = people.counts("train", codes["train"], size)[: bins.values]
        near = np.convolve((counts > 0) & (counts < people.least), np.ones(3), "same")[: bins.values] > 0
        return parts, np.append(near, False) | (near.any() and parts["train"].all())
    rare = people.rare_labels(column)
    return parts, np.array([i < bins.values and label in rare for i, label in enumerate(bins.labels)])


def _tails(people: _People, finding: Finding) -> tuple[Finding, int]:
    cells = 0
    for row in finding.details.get("columns", ()):
        values = axis_values(people.evidence.train, people.evidence.schema[row["column"]])
        low, high = np.quantile(values[~np.isnan(values)], (0.01, 0.99), method="inverted_cdf")
        for end, beyond, reached in (("low", values < low, values <= low), ("high", values > high, values >= high)):
            if people.few(people.having("train", beyond), people.having("train", reached)):
                row.update(dict.fromkeys((end, f"train_{end}", f"synthetic_{end}")))
                cells += 3
    return finding, cells


def _prediction(people: _People, finding: Finding) -> tuple[Finding, int]:
    if not finding.details or not people.few(*(people.having("holdout", rows) for rows in people.classes("holdout"))):
        return finding, 0
    note = f"Not shown: fewer than {people.least} units of the holdout have one of the two classes."
    return replace(finding, value=None, interval=None, reference=None, note=note, details={"target": people.evidence.target}), 1


def _fairness(people: _People, finding: Finding) -> tuple[Finding, int]:
    details, shares = finding.details, finding.check == "fairness.representation"
    without, cells = (finding, 0) if shares else _prediction(people, finding)
    if cells:
        return without, cells
    texts: dict[tuple[str, str], str] = {}
    for name in dict.fromkeys(row["column"] for row in details.get("groups", ())):
        column = people.evidence.schema[name]
        groups = grouped(column, people.evidence)
        gone = {table: people.gone(table, groups.codes[table], len(groups.labels), by_class=not shares) for table in REAL}
        rare = groups.labels if column.numeric and gone["train"].any() else people.rare_labels(column)
        texts |= {(name, label): NOT_SHOWN for label in rare}
        family = [row for row in details["groups"] if row["column"] == name]
        cells += sum(_hide_fair(row, {t for t in REAL if gone[t][i]}, details.get("most")) for i, row in enumerate(family))
    for row in [*details.get("groups", ()), *details.get("columns", ()), *details.get("lost", ()), details.get("most") or {}]:
        row.update({key: texts.get((row["column"], row[key]), row[key]) for key in ("group", "highest", "lowest") if key in row})
    for (name, label), text in texts.items():
        finding = replace(finding, note=finding.note.replace(f"{name} = {label}", f"{name} = {text}"))
    if (details.get("most") or {}).pop("hidden", False):
        finding = replace(finding, value=None, interval=None, note="Not shown: it would give a small group away.")
    if shares and cells:
        gaps = [abs(row["train"] - row["holdout"]) for row in details["groups"] if None not in (row["train"], row["holdout"])]
        finding = replace(finding, reference=max(gaps, default=None))
    return finding, cells


def _hide_fair(row: dict[str, Any], tables: set[str], most: dict[str, Any] | None) -> int:
    """Hide what a fairness check says of a group that is small in some real tables; tell `most` where it is that group."""
    if "rows" in row:
        hide = [*tables, *(["interval"] if "holdout" in tables else [])]
        row["rows"].update(dict.fromkeys(tables))
    elif "units" in row:
        hide = [*REAL, "interval"] if tables else []
        row["units"] = dict.fromkeys(row["units"]) if tables else row["units"]
    else:
        hide = ["synthetic", "synthetic_interval", "real", "real_interval"] if "holdout" in tables else []
    row.update(dict.fromkeys(hide))
    if hide and most and (most["column"], most["group"]) == (row["column"], row["group"]):
        most["hidden"] = True
    return len(hide)


def _groups(people: _People, finding: Finding) -> tuple[Finding, int]:
    rows, cells = finding.details.get("groups", []), 0
    sizes = people.findings["attacks.membership"].details if "attacks.membership" in people.findings else {}
    columns = {c.name: people.rare_labels(c) for c in people.evidence.schema.modelled}
    rare = {f"{name} = {label}": f"{name} = {NOT_SHOWN}" for name, labels in columns.items() for label in labels}
    for start in (*(f"{name} = " for name in columns), "vulnerability, tenth", "vulnerability, highest"):
        family = [row for row in rows if row["group"].startswith(start)]
        gone = np.zeros(len(family), bool)
        for size in _SIZES:
            counts = [row[size] for row in family]
            rest = max(0, (sizes.get(size) or 0) - sum(counts))  # those in no group: missing, or less unusual
            gone |= hidden([*counts, rest], people.least)[: len(family)]
        for row, hide in zip(family, gone, strict=True):
            cells += _hide_group(people, row, hide)
    for row in rows:
        row["group"] = rare.get(row["group"], row["group"])
    return finding, cells


def _hide_group(people: _People, row: dict[str, Any], hide: bool) -> int:
    """Hide the sizes of a group of `attacks.worst`, or only the rates that count few people."""
    members, others = row["n_members"], row["n_nonmembers"]
    rates = [] if hide else [
        rate for rate in row["tpr"] if not people.few(rate["tp"], members - rate["tp"], rate["fp"], others - rate["fp"])
    ]  # fmt: skip
    cells = len(row["tpr"]) - len(rates) + 2 * hide
    row["tpr"] = rates
    if hide:
        row.update(_rounded(row) | dict.fromkeys(_SIZES))
    return cells


def _attribute(people: _People, finding: Finding) -> tuple[Finding, int]:
    if finding.value is None:
        counts = re.search(r"(\d+) members and (\d+) non-members", finding.note)
        if not (counts and people.few(*map(int, counts.groups()))):
            return finding, 0
        return replace(finding, note=f"Too few: fewer than {people.least} units of one side have a value that is not missing."), 1
    results = finding.details["attackers"]
    cells = sum(_hide_blind(people, result) for result in results.values())
    if people.few(
        *(n - known for result in results.values() for n, known in zip(people.asked, (result[s] for s in _SIZES), strict=True))
    ):
        sizes = dict.fromkeys(("members", "nonmembers", "confident", *_SIZES))
        finding.details["needed_nonmembers"] = None
        finding.details["attackers"] = {name: _rounded(result) | sizes for name, result in results.items()}
        finding.details["ceiling"] = _rounded(finding.details["ceiling"])
        low, high = finding.interval
        finding = replace(finding, value=_rounded(finding.value), interval=(_rounded(low), _rounded(high)))
        cells += 4 * len(results)
    return finding, cells


def _hide_blind(people: _People, result: dict[str, Any]) -> int:
    """Hide how often the blind guess is right, where that or its contrary is of few people."""
    hide = []
    for side, size in (("members", "n_members"), ("nonmembers", "n_nonmembers")):
        right = round(result[f"baseline_{side}"] * result[size], 6)  # of units with several rows each counts with its share
        hide += [f"baseline_{side}"] * people.few(right, result[size] - right)
    if "baseline_nonmembers" in hide:
        hide.append("population_inference")
    result.update(dict.fromkeys(hide))
    return len(hide)


def _rounded(value: Any) -> Any:
    """Every number with a fraction, however deep, to three digits."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, _DIGITS) if isinstance(value, float) else value


_RULES: dict[str, Callable[[_People, Finding], tuple[Finding, int]]] = {
    "fidelity.tvd1": _histograms,
    "fidelity.tails": _tails,
    "utility.": _prediction,
    "fairness.": _fairness,
    "attacks.worst": _groups,
    "attacks.attribute.": _attribute,
    "quality.columns": columns_kept,
    "quality.relations": relations_kept,
}
"""What to do with the findings whose name starts so, and how many numbers it hid; all others have no cells."""
