"""Threat models: every way to attack a release that this report knows of, and which were tried. Reads findings, computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.report.claims import available


@dataclass(frozen=True)
class Threat:
    """A way to attack the release, and whether a finding speaks about it."""

    title: str
    text: str
    tested: bool


_ALONE = ("attacks.dcr.", "attacks.density.", "attacks.monte_carlo.", "attacks.neighbourhood.", "attacks.nndr.")
_COMPARING = ("attacks.classifier.", "attacks.dcr_diff.", "attacks.domias.", "attacks.gen_lra.", "attacks.ldr.", "attacks.logan.",
              "attacks.plagiarism.")  # fmt: skip
_THREATS = (
    (
        "Copies",
        "Someone looks for training rows that occur in the synthetic table, unchanged or nearly so.",
        ("attacks.replication",),
        "",
    ),
    (
        "Membership, from the synthetic table alone",
        "Someone knows a full record and asks whether it was used for training, measuring how close synthetic rows come to it.",
        _ALONE,
        "",
    ),
    (
        "Membership, with a sample of similar people",
        "The same, with real records from the same population for comparison.",
        _COMPARING,
        "",
    ),
    (
        "Membership of someone with several rows",
        "The same, for all rows of one person, account or patient at once.",
        _ALONE + _COMPARING,
        (".unit", ".profile"),
    ),
    (
        "Membership, with known members to learn from",
        "Someone knows for half of the people whether they were used for training, and combines all attacks accordingly.",
        ("attacks.ensemble",),
        "",
    ),
    (
        "Several tables from the same model",
        "The same attacks on further tables drawn from the fitted model, which whoever has the model can make.",
        ("attacks.regenerations",),
        "",
    ),
    (
        "Unusual people and subgroups",
        "The strongest of these attacks, looked at among unusual people and in subgroups and not only on average.",
        ("attacks.worst",),
        "attacks.worst",
    ),
    (
        "Attribute inference",
        "Someone knows all of a record but one column and infers that one.",
        ("attacks.attribute.",),
        "",
    ),
    ("Singling out", "Someone writes a description that fits exactly one person.", ("attacks.singling_out",), ""),
    (
        "Linkage",
        "Someone has two halves of a record and learns from the synthetic table that they belong together.",
        ("attacks.linkability",),
        "",
    ),
    (
        "Reconstruction",
        "Someone solves for training records from what was published about all of them.",
        ("attacks.reconstruction",),
        "",
    ),
    (
        "Knowledge of the algorithm",
        "Someone runs the same generator many times on their own data to learn what to look for.",
        ("attacks.shadow", "attacks.focal"),
        "",
    ),
    ("Access to the model", "Someone reads the fitted model, not only its output.", ("attacks.whitebox",), ""),
    (
        "Targeted worst cases",
        "Someone picks one most unusual person and builds an attack against that person alone.",
        ("attacks.worst.targeted",),
        "",
    ),
    (
        "Several releases together",
        "Someone combines this release with others made from the same people.",
        ("attacks.compose",),
        "",
    ),
    ("The implementation", "An audit of the noise itself, by running the generator on neighbouring tables.", ("audit.",), ""),
)
"""Title, text, and how the names of the findings that speak about it start and end."""


def threats(findings: dict[str, dict]) -> list[Threat]:
    """Every threat model this report knows of; tested where a finding with a value speaks about it."""
    done = [check for check, finding in findings.items() if available(finding)]
    return [
        Threat(title, text, any(check.startswith(starts) and check.endswith(end) for check in done))
        for title, text, starts, end in _THREATS
    ]
