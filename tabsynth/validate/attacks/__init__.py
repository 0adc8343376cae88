"""NOT PRIVATE. Attacks on the release: each one file; run together here, because they share one challenge and its distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tabsynth.access import Progress
from tabsynth.schema import Schema
from tabsynth.validate.attacks import (
    attribute,
    classifier,
    controls,
    dcr,
    dcr_diff,
    density,
    domias,
    ensemble,
    focal,
    gen_lra,
    ldr,
    linkability,
    logan,
    membership,
    monte_carlo,
    neighbourhood,
    nndr,
    plagiarism,
    profiles,
    reconstruction,
    regenerations,
    replication,
    singling_out,
    statistics,
    worst,
)
from tabsynth.validate.attacks._challenge import Challenge, design, searched
from tabsynth.validate.attacks._nearest import nearest
from tabsynth.validate.attacks._power import planted, without_guarantee
from tabsynth.validate.attacks._view import Attack, View, views
from tabsynth.validate.check import Evidence, Finding
from tabsynth.validate.features import SCALINGS, Encoded, Encoder

_SHAPED = ("standardised", "rank")
ATTACKS = {
    "dcr": Attack("distance to the closest record", dcr.score),
    "dcr_diff": Attack("calibrated distance to the closest record", dcr_diff.score),
    "ldr": Attack("log distance ratio", ldr.score),
    "nndr": Attack("nearest-neighbour distance ratio", nndr.score),
    "monte_carlo": Attack("synthetic rows in a small ball", monte_carlo.score),
    "neighbourhood": Attack("synthetic rows in the neighbourhood", neighbourhood.score),
    "plagiarism": Attack("data plagiarism index", plagiarism.score),
    "density": Attack("density", density.score, _SHAPED),
    "domias": Attack("density ratio (DOMIAS)", domias.score, _SHAPED),
    "gen_lra": Attack("likelihood ratio (Gen-LRA)", gen_lra.score, _SHAPED),
    "classifier": Attack("classifier", classifier.score, ("standardised",)),
    "logan": Attack("neural network (LOGAN)", logan.score, ("standardised",)),
}
"""Every membership attack; a new one is a file and a line here."""
PROFILED = ("dcr", "ldr", "nndr")
"""The attacks that are also run on whole units, where the synthetic table has units."""
SENSORS = ("dcr", "ldr")
"""Tried on leaks, where they are run, to know whether the membership test would see them: cheap, and sure of a copied row, `dcr` where rows
are rarely equal and `ldr` where many are."""
AGAIN = ("dcr", "ldr", "replication")
"""What further tables from the same model are attacked with in any case."""
OTHERS = ("replication", "focal", "attribute", "singling_out", "linkability", "reconstruction")
"""What else can be asked for by name: attacks that ask another question, or know more than the tables."""
USUAL = (*ATTACKS, *OTHERS[:-1])
"""What is run unless something else is asked for; reconstruction takes longer than all of these on wide tables."""


def attacks(evidence: Evidence, only: Sequence[str] = USUAL) -> list[Finding]:
    """`attack_table` on the table under judgement, and how much the results vary over further tables from the same model.

    Further tables are attacked with the attack that the headline chose, two that are always the same, and replication.
    """
    first = attack_table(evidence, only)
    if not evidence.further:
        return first
    chosen = next(f for f in first if f.check == "attacks.membership").details.get("chosen") or ""
    again = [name for name in only if name in (*AGAIN, chosen.partition(".")[0])]
    others = [attack_table(replace(evidence, synthetic=table), again, brief=True) for table in evidence.further]
    return [*first, regenerations.finding([first, *others])]


def attack_table(evidence: Evidence, only: Sequence[str], *, brief: bool = False) -> list[Finding]:
    """Replication, every membership attack under every scaling that matters to it, all of them together, and the controls.

    Where units have several rows, a unit's score is the mean of its rows' scores, and the headline and the controls are about
    units. Rows are also reported, with intervals of the AUC that allow for dependent rows.

    Parameters
    ----------
    evidence : Evidence
    only : sequence of str
        Names from `ATTACKS` and `OTHERS`; what all attacks say together is then about these.
    brief : bool
        For a further table: copies are only counted.
    """
    chosen = {name: attack for name, attack in ATTACKS.items() if name in only}

    def tell(what: str, done: float) -> None:
        evidence.progress(f"{what}, further table" if brief else what, 0.8 + 0.2 * done if brief else 0.8 * done)

    tell("comparing rows", 0.0)
    challenge = design(evidence)
    encoded = _encoded(evidence.schema, [challenge.rows, challenge.synthetic, challenge.reference])
    found, placebo, to_reference = [], {}, None
    for place, (scaling, (view, fake)) in enumerate(zip(SCALINGS, views(*encoded), strict=True)):
        if scaling == "standardised":
            to_reference = view.to_reference.distances[:, 0]
        for name, attack in chosen.items():
            if scaling in attack.scalings:
                tell(attack.words, 0.1 + 0.1 * place)
                found += _levels(challenge, name, scaling, attack.score(view))
                placebo[f"{attack.words}, {scaling}"] = statistics.pooled(attack.score(fake), challenge.units)
    if profiles.grouped(evidence):
        found += _profiled(evidence, challenge, [name for name in PROFILED if name in chosen])
    scores = {each.key: each.scores for each in found if each.judged(challenge)}
    if "focal" in only and focal.possible(challenge):
        scores["focal"] = focal.scores(evidence.schema, challenge, evidence.measured)
        placebo["tables that were measured"] = focal.scores(evidence.schema, _fake(challenge), evidence.measured)
    tell("all attacks together", 0.4)
    overall = _overall(evidence, challenge, encoded, scores)
    findings = [
        *_unscored(evidence, challenge, only, brief, tell),
        *([focal.finding(scores.get("focal"), evidence.schema, challenge, evidence.measured)] if "focal" in only else []),
        *(each.finding(challenge) for each in found),
        *overall,
        controls.check(evidence, challenge, encoded[0], to_reference, placebo),
    ]
    contradicted = any(membership.contradicted(finding, evidence.guarantee) for finding in overall)
    return without_guarantee(findings) if contradicted else findings


def _sees(evidence: Evidence, challenge: Challenge, leak: str, scores: Mapping[str, np.ndarray]) -> bool:
    """Whether one of `SENSORS` that were run, as one of all attacks, fails with the leak in the synthetic table's place."""
    rng = np.random.default_rng([evidence.seed, 14])
    table = searched(planted(evidence, leak).synthetic, challenge.rows, evidence.schema, rng)
    rows, released, reference = _encoded(evidence.schema, [challenge.rows, table, challenge.reference])
    near = [nearest(rows, known, "standardised", 1) for known in (released, reference)]
    view = View("standardised", rows, released, reference, *near)
    for name in SENSORS:
        found = statistics.pooled(ATTACKS[name].score(view), challenge.units)
        if any(key.startswith(f"{name}.") for key in scores) and np.isfinite(found).all():
            mu = evidence.policy["membership_mu"]
            if membership.fails(found, challenge.member, evidence.seed, mu, len(scores)):
                return True
    return False


def _fake(challenge: Challenge) -> Challenge:
    """The challenge with one half of the reference rows in the synthetic rows' place."""
    half = len(challenge.reference) // 2
    return replace(challenge, synthetic=challenge.reference[:half], reference=challenge.reference[half:])


def _unscored(evidence: Evidence, challenge: Challenge, only: Sequence[str], brief: bool, tell: Progress) -> list[Finding]:
    """The attacks of `OTHERS` that give units no score."""
    findings = []
    if "replication" in only:
        tell("copies", 0.5)
        findings.append(replication.check(evidence, brief=brief))
    for place, (name, check) in enumerate((("attribute", attribute.check), ("singling_out", singling_out.check))):
        if name in only:
            tell(f"{'attribute inference' if name == 'attribute' else 'singling out'}", 0.55 + 0.25 * place)
            findings += check(evidence, challenge)
    if "linkability" in only:
        tell("linkage", 0.9)
        findings += linkability.check(evidence)
    if "reconstruction" in only:
        tell("reconstruction", 0.95)
        findings += [f(evidence.schema, challenge, seed=evidence.seed) for f in (reconstruction.linear, reconstruction.tree)]
    return findings


@dataclass(frozen=True)
class _Scored:
    """One attack's scores under one scaling, of rows or of whole units."""

    attack: str
    scaling: str
    level: str
    scores: np.ndarray

    @property
    def key(self) -> str:
        return f"{self.attack}.{self.scaling}{'' if self.level == 'row' else f'.{self.level}'}"

    @property
    def complete(self) -> bool:
        return len(self.scores) > 0 and bool(np.isfinite(self.scores).all())

    def judged(self, challenge: Challenge) -> bool:
        """Whether it counts in the statements about all attacks, which are about units."""
        return self.complete and (self.level == "row") != challenge.clustered

    def finding(self, challenge: Challenge) -> Finding:
        name, words, rows = f"attacks.{self.key}", ATTACKS[self.attack].words, self.level == "row"
        of = {"row": "rows", "unit": "whole units (mean of their rows)", "profile": "whole units (their aggregates)"}[self.level]
        title = f"Membership by {words}, {self.scaling} columns, of {of} (AUC)"
        if not self.complete:
            note = f"Too few rows, or columns that do not vary: {challenge.sizes}."
            return Finding(name, title, None, reference=0.5, note=note)
        member, units = (challenge.row_member, challenge.units) if rows else (challenge.member, np.arange(len(challenge.member)))
        summary = statistics.summary(self.scores, member, units)
        known = {"attack": self.attack, "scaling": self.scaling, "level": self.level}
        summary["details"] = known | summary["details"]
        note = (
            "Rows of one unit depend on each other: only the AUC's interval allows for it."
            if rows and challenge.clustered
            else ""
        )
        return Finding(name, title, reference=0.5, reference_is="chance", note=note, **summary)


def _encoded(schema: Schema, tables: Sequence[pd.DataFrame]) -> list[Encoded]:
    """Challenge rows, synthetic and reference rows as features."""
    encoder = Encoder.fit(schema, tables[2], tables[1])
    return [encoder.transform(table) for table in tables]


def _levels(challenge: Challenge, attack: str, scaling: str, scores: np.ndarray) -> list[_Scored]:
    rows = _Scored(attack, scaling, "row", scores)
    return [rows, _Scored(attack, scaling, "unit", statistics.pooled(scores, challenge.units))] if challenge.clustered else [rows]


def _profiled(evidence: Evidence, challenge: Challenge, names: Sequence[str]) -> list[_Scored]:
    """The attacks on one row of aggregates a unit."""
    encoded = _encoded(*profiles.tables(evidence, challenge))
    return [
        _Scored(name, scaling, "profile", ATTACKS[name].score(view))
        for scaling, (view, _) in zip(SCALINGS, views(*encoded), strict=True)
        for name in names
    ]


def _overall(evidence: Evidence, challenge: Challenge, encoded: list[Encoded], scores: dict[str, np.ndarray]) -> list[Finding]:
    """What all attacks say together: the family-wise test, the headline, the ensemble, and the worst groups."""
    member, units = challenge.member, challenge.units
    overall = membership.familywise(scores, member, evidence.seed)
    unseen = 2 if evidence.reference is None else 1
    headline = membership.headline(scores, member, evidence.seed, evidence.policy["membership_mu"], overall.value, unseen=unseen)
    headline = membership.settled(
        headline, evidence, lambda leak: _sees(evidence, challenge, leak, scores), clustered=challenge.clustered
    )
    if headline.value is None:
        nobody = np.zeros(0)
        return [overall, headline, ensemble.finding(nobody, nobody > 0, 0), worst.check(nobody, nobody > 0, nobody, {})]
    choosing, reporting = membership.split(member, evidence.seed)
    judged = ensemble.scores(scores, member, choosing, reporting)
    most = np.full(len(member), -np.inf)
    rows, reference = ((table.numeric["standardised"], table.hot()) for table in encoded[::2])
    columns = rows[0].shape[1], encoded[0].codes.shape[1]
    np.maximum.at(most, units, worst.vulnerability(rows, reference, columns))
    groups = {name: mask[reporting] for name, mask in worst.groups(evidence.schema, challenge.rows, units).items()}
    chosen = scores[headline.details["chosen"]][reporting]
    return [
        overall,
        headline,
        ensemble.finding(judged, member[reporting], len(scores)),
        worst.check(chosen, member[reporting], most[reporting], groups),
    ]
