"""The policy decides: on the same tables another threshold turns the verdict, and nothing else of the finding's evidence.

300 training, 200 holdout and 300 synthetic rows, of which none or some are training rows.
"""

from __future__ import annotations

import pandas as pd
import pytest

from tabsynth.policy import Policy
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import attacks, attribute, linkability, singling_out
from tabsynth.validate.attacks._challenge import design


def judged(name, evidence):
    """One finding, at the price of one."""
    if name in ("membership", "replication"):
        return next(f for f in attacks(evidence, ("ldr", "replication")) if f.check == f"attacks.{name}")
    if name == "attribute":
        return attribute.check(evidence, design(evidence), ["grade"])[0]
    if name == "linkability":
        return linkability.check(evidence)[0]
    return singling_out.check(evidence, design(evidence))[0]


@pytest.mark.parametrize(
    ("name", "threshold", "copied", "verdicts"),
    [
        ("membership", "membership_mu", 0, {None: "inconclusive", 3: "pass"}),
        ("membership", "membership_mu", 150, {0.3: "fail", None: "fail", 3: "pass"}),
        ("replication", "copies", 1, {0.001: "inconclusive", None: "pass", 0.1: "pass"}),
        ("attribute", "attribute", 0, {0.01: "inconclusive", None: "inconclusive", 0.2: "pass"}),
        ("singling_out", "residual_risk", 0, {0.01: "inconclusive", None: "pass"}),
        ("singling_out", "residual_risk", 90, {None: "fail", 0.3: "inconclusive", 0.5: "pass"}),
        ("linkability", "residual_risk", 90, {None: "fail", 0.3: "inconclusive", 0.5: "pass"}),
    ],
)
def test_a_threshold_turns_the_verdict(schema, people, name, threshold, copied, verdicts):
    train = people(300, 0)
    synthetic = pd.concat([train[:copied], people(300 - copied, 2)], ignore_index=True)
    found = {}
    for value in verdicts:
        changed = {} if value is None else {threshold: {"value": value}}
        policy = Policy.from_dict({"format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": changed})
        found[value] = judged(name, Evidence(schema, train, people(200, 1), synthetic, policy=policy))
        said = found[value].details.get("tolerated", found[value].details.get("mu_tolerance"))
        assert said == policy[threshold]
    assert {value: finding.verdict for value, finding in found.items()} == verdicts
    rates = {
        finding.details.get("fpr") for finding in found.values()
    }  # membership is judged at a rate that the tolerance decides
    assert len({(finding.details.get("fpr"), finding.value, finding.interval) for finding in found.values()}) == len(rates)


def test_copies_beyond_chance_fail_however_loose_the_policy(schema, people):
    train = people(300, 0)
    loose = Policy.from_dict(
        {"format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": {"copies": {"value": 0.5}}}
    )
    synthetic = pd.concat([train[:30], people(270, 2)], ignore_index=True)
    assert judged("replication", Evidence(schema, train, people(200, 1), synthetic, policy=loose)).verdict == "fail"
