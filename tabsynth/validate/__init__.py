"""HOLDS REAL ROWS. What it returns is NOT private: findings about the real table, for people who may see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tabsynth.access import Progress, silent
from tabsynth.errors import SchemaError
from tabsynth.policy import Policy
from tabsynth.schema import Schema
from tabsynth.validate import (
    attacks,
    columns,
    expectations,
    fairness,
    fidelity,
    ranges,
    relations,
    settle,
    small_cells,
    useful,
    utility,
)
from tabsynth.validate.audit import measured
from tabsynth.validate.check import Check, Evidence, Finding
from tabsynth.validate.stated import stated

CHECKS: dict[str, Check] = {
    "columns": columns.columns,
    "relations": relations.relations,
    "distances": fidelity.tvd,
    "tails": fidelity.tails,
    "categories": fidelity.categories,
    "prediction": utility.utility,
    "use for the target": useful.useful,
    "fairness": fairness.fairness,
    "attacks": attacks.attacks,
    "schema": expectations.expectations,
}
"""Every check by what it looks at; a new one is a line here."""
_LONG = {"attacks": 16, "prediction": 3, "distances": 2, "fairness": 2}
"""About how long a check takes as a multiple of the others: for the progress alone."""


class _Steps:
    """A progress that reports what a check says of itself as its part of the whole."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.label, self.start, self.width = progress, "", 0.0, 0.0
        self.lengths = [_LONG.get(label, 1) for label in CHECKS]

    def begin(self, place: int, label: str) -> None:
        whole = sum(self.lengths)
        self.label, self.start, self.width = label, sum(self.lengths[:place]) / whole, self.lengths[place] / whole
        self.progress(label, self.start)

    def __call__(self, what: str, done: float) -> None:
        self.progress(f"{self.label}: {what}", self.start + self.width * done)


def evaluate(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    *,
    target: str | None = None,
    seed: int = 0,
    card: Any = None,
    policy: Policy | None = None,
    further: Sequence[pd.DataFrame] = (),
    progress: Progress = silent,
) -> list[Finding]:
    """Compare a synthetic table with the real rows it was fitted on and with real rows it never saw. The result is NOT private.

    Parameters
    ----------
    train, holdout, synthetic : DataFrame
        Conformed to the schema. Training and holdout rows must have been split at random, by privacy unit.
    schema : Schema
    target : str, optional
        Column to predict; without it the schema's target, and without that no utility.
    seed : int
        Of every random choice; the same seed gives the same findings.
    card : dict, optional
        The release's card, which tells attackers what was measured, whose charges are counted again, and whose engine's audit is quoted.
    policy : Policy, optional
        Thresholds of the verdicts; the default policy without.
    further : sequence of DataFrame
        More tables from the same model, to see how much attacks vary.
    progress : callable, optional
        Told what is done next and which fraction is behind us.

    Returns
    -------
    list of Finding
        Plain values, ready for JSON. A check that cannot be computed has value None and a note that says why.

    Raises
    ------
    SchemaError
        If a table does not have the schema's columns.
    OptionError
        If the target is not one of the schema's modelled columns.
    """
    for name, table in (("train", train), ("holdout", holdout), ("synthetic", synthetic)):
        if tuple(table.columns) != schema.names:
            raise SchemaError(f"the {name} table does not have the schema's columns in the schema's order; conform it first.")
    target = schema.to_predict(target)
    cliques = attacks.focal.cliques_of(card, schema)
    policy = policy or Policy.load("default")
    about = [*stated(card, synthetic, schema), *measured.audited(card)]
    steps = _Steps(progress)
    guarantee = settle.relied_on(card) if all(f.verdict == "pass" for f in about) else None
    known = {"measured": cliques, "policy": policy, "further": further, "guarantee": guarantee, "progress": steps}
    evidence = Evidence(schema, train, holdout, synthetic, target, seed, **known)
    findings = []
    for place, (label, check) in enumerate(CHECKS.items()):
        steps.begin(place, label)
        findings += check(evidence)
    progress("done", 1.0)
    shown = small_cells.suppressed(findings, evidence, int(policy["small_cell"]))
    return [finding.plain() for finding in (*shown, *ranges.ranges(card, schema), *about)]


__all__ = ["CHECKS", "Evidence", "Finding", "evaluate"]
