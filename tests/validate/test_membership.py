"""The headline, the test of all attacks together, the gates and the worst cases, on plain score arrays."""

import numpy as np
import pytest

from tabsynth.tradeoff import gaussian_tpr
from tabsynth.validate import Evidence, Finding
from tabsynth.validate.attacks import controls, membership, statistics, worst


def _noise(units, attacks, seed=0):
    rng = np.random.default_rng(seed)
    return {str(k): rng.normal(size=units) for k in range(attacks)}, np.repeat([True, False], units // 2)


def test_the_headline_reports_on_other_units_than_it_chose_on():
    """An attack that is right on the choosing half and blind on the other is chosen, and reported as blind."""
    _, member = _noise(2000, 0)
    choosing, reporting = membership.split(member, 3)
    assert len(choosing) == len(reporting) == 1000
    assert not set(choosing) & set(reporting)
    assert member[choosing].sum() == member[reporting].sum() == 500
    rng = np.random.default_rng(0)
    lucky = rng.normal(size=2000)
    lucky[choosing] += 10 * member[choosing]
    found = membership.headline({"lucky": lucky, "weak": rng.normal(size=2000) + 0.5 * member}, member, 3, 0.5)
    assert found.details["chosen"] == "lucky"
    assert found.value < 0.2


def test_the_headline_states_precision_at_three_priors():
    """1,000 and 1,000 units to report on, shift 2: 37 % found at 1 %, so 97 % right among halves, 27 % right among one in 100."""
    scores, member = _noise(4000, 1)
    found = membership.headline({"good": scores["0"] + 2 * member}, member, 0, 0.5, familywise_p=0.02)
    assert found.details["familywise_p"] == 0.02
    rows = found.details["precision"]
    assert [row["prior"] for row in rows] == [0.5, 0.1, 0.01]
    tpr, fpr = found.details["tp"] / 1000, found.details["fp"] / 1000
    for row in rows:
        expected = tpr * row["prior"] / (tpr * row["prior"] + fpr * (1 - row["prior"]))
        assert row["precision"] == pytest.approx(expected)
        assert 0 <= row["interval"][0] < expected < row["interval"][1] <= 1


def test_a_small_leak_is_reported_though_it_is_within_the_tolerance():
    """Shift 0.1: 4 to 5 standard deviations of the AUC, true positive rate 1.3 % where 3.4 % is tolerated."""
    scores, member = _noise(10_000, 5)
    scores["leaky"] = scores["0"] + 0.1 * member
    together = membership.familywise(scores, member, 0)
    assert together.check == "attacks.familywise"
    assert together.value < 0.01
    assert together.verdict is None
    assert "1 of 6 attacks did better than chance" in together.note
    assert membership.headline(scores, member, 0, 0.5).verdict == "pass"


def test_useless_attacks_are_not_called_a_leak():
    together = membership.familywise(*_noise(1000, 20), 0)
    assert together.value > together.reference == 0.05
    assert together.note.startswith("No attack did better than chance")
    rows = together.details["attacks"]
    assert len(rows) == 20
    assert min(row["p"] for row in rows) == together.value
    assert membership.familywise(*_noise(1000, 20), 0) == together


def test_too_few_units_give_no_number():
    for scores, member in (({}, np.array([], bool)), ({}, np.repeat([True, False], 50)), _noise(2, 3)):
        for found in (membership.headline(scores, member, 0, 0.5), membership.familywise(scores, member, 0)):
            assert found.value is None
            assert found.note


def _gates(scores, member, seed):
    return list(controls._bands(scores, member, np.random.default_rng(seed)))


def test_healthy_gates_fail_in_fewer_than_one_family_of_a_hundred():
    """Level 0.5 % for a family: 6 or more failures in 200 families of 12 correlated gates have probability .0006."""
    failures = 0
    for seed in range(200):
        scores, member = _noise(200, 12, seed)
        gates = _gates({name: s + scores["0"] for name, s in scores.items()}, member, seed)
        assert len(gates) == 12
        failures += not all(gate["ok"] for gate in gates)
    assert failures <= 5


def test_the_band_of_a_gate_alone_is_the_two_sided_one():
    """0.5 % two-sided is 2.81 standard deviations, one-sided 2.58; a quantile of 2,000 permutations has standard error .10."""
    widths = []
    for seed in range(20):
        scores, member = _noise(400, 1, seed)
        widths.append((_gates(scores, member, seed)[0]["high"] - 0.5) / statistics.auc_null_sd(200, 200))
    assert abs(np.mean(widths) - 2.81) < 4 * 0.10 / np.sqrt(20)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gate_opens_in_both_directions_and_no_other_does(sign):
    """Shift 0.7 deviations, AUC .69 or .31, 400 units: 6.6 standard deviations."""
    scores, member = _noise(400, 12)
    scores["shifted"] = scores.pop("0") + sign * 0.7 * member
    gates = {gate["name"]: gate for gate in _gates({**scores, "broken": np.full(400, np.inf)}, member, 0)}
    assert "broken" not in gates
    assert [name for name, gate in gates.items() if not gate["ok"]] == ["shifted"]
    gate = gates["shifted"]
    assert (gate["value"] > gate["high"]) if sign > 0 else (gate["value"] < gate["low"])
    assert gate["low"] + gate["high"] == pytest.approx(1)
    assert _gates({}, member, 0) == _gates(scores, np.ones(400, bool), 0) == []


def test_vulnerability_is_the_mean_cosine_distance_to_five_neighbours():
    rng = np.random.default_rng(0)
    hot = np.eye(4)
    numbers, labels = rng.normal(size=(30, 3)), np.hstack([hot[rng.integers(0, 4, 30)] for _ in range(2)])
    numbers[0] = 0  # no direction: similar to nothing

    def cosine(a, b):
        return a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) if a.any() and b.any() else 0.0

    expected = []
    for i in range(10):
        distances = [1 - 3 / 5 * cosine(numbers[i], numbers[j]) - 2 / 5 * cosine(labels[i], labels[j]) for j in range(10, 30)]
        expected.append(np.mean(np.sort(distances)[:5]))
    found = worst.vulnerability((numbers[:10], labels[:10]), (numbers[10:], labels[10:]), (3, 2))
    assert found == pytest.approx(expected, abs=1e-6)
    assert np.isnan(worst.vulnerability((numbers[:10], labels[:10]), (numbers[:0], labels[:0]), (3, 2))).all()
    only = worst.vulnerability((numbers[:10, :0], labels[:10]), (numbers[10:, :0], labels[10:]), (0, 2))
    assert (only >= 0).all()


def test_worst_finds_a_leak_of_the_most_vulnerable_only():
    """3,000 and 3,000 units; those above the 90th percentile of vulnerability are known with AUC .86, others not at all."""
    scores, member = _noise(6000, 1)
    vulnerability = np.random.default_rng(1).random(6000)
    leaky = scores["0"] + 1.5 * (member & (vulnerability > 0.9))
    groups = {
        "usual": vulnerability < 0.5,
        "unusual": vulnerability >= 0.85,
        "few": np.arange(6000) < 3,
        "none": member & ~member,
    }
    found = worst.check(leaky, member, vulnerability, groups)
    rows = {row["group"]: row for row in found.details["groups"]}
    standing = {name for name, row in rows.items() if row["stands_out"]}
    assert standing == {"vulnerability, tenth 10 of 10", "vulnerability, highest 1 %", "unusual"}
    assert found.value == len(standing)
    assert rows["few"]["auc"] is rows["few"]["stands_out"] is None
    assert "none" not in rows
    assert rows["vulnerability, tenth 10 of 10"]["n_members"] + rows["vulnerability, tenth 10 of 10"]["n_nonmembers"] == 600
    assert [rate["fpr"] for rate in rows["usual"]["tpr"]] == [0.1, 0.01]
    assert [rate["fpr"] for rate in rows["vulnerability, tenth 10 of 10"]["tpr"]] == [0.1]
    assert rows["vulnerability, highest 1 %"]["tpr"] == []
    assert found.details["auc_all"] < 0.6


def test_worst_raises_few_alarms_over_all_groups():
    """Scores that follow vulnerability but not membership; 300 tables, 13 groups: at most 2.5 % plus 4 standard errors."""
    alarms = 0
    for seed in range(300):
        rng, member = np.random.default_rng(seed), np.repeat([True, False], 300)
        vulnerability = rng.normal(size=600)
        groups = {"half": vulnerability > 0, "tenth": rng.random(600) < 0.1}
        alarms += worst.check(vulnerability + rng.normal(size=600), member, vulnerability, groups).value > 0
    assert alarms / 300 < 0.025 + 4 * np.sqrt(0.025 * 0.975 / 300)


def test_equal_vulnerabilities_stay_together():
    """Members come first: were ties cut by position, a tenth would hold members of one kind and non-members of another."""
    member = np.repeat([True, False], 300)
    vulnerability = np.tile([0.0, 1.0, 2.0], 200)
    found = worst.check(vulnerability, member, vulnerability, {})
    sizes = [(row["n_members"], row["n_nonmembers"]) for row in found.details["groups"]]
    assert sizes == [(100, 100)] * 3
    assert found.value == 0


def test_worst_says_why_it_has_no_number():
    scores, member = _noise(60, 1)
    for vulnerability in (np.arange(60.0), np.full(60, np.nan)):
        found = worst.check(scores["0"], member, vulnerability, {})
        assert found.value is None
        assert found.note


@pytest.mark.parametrize(("rate", "clustered", "whole", "copies", "verdict"), [
    (0.01, False, True, True, "pass"), (0.01, False, True, False, "inconclusive"), (0.1, False, True, False, "pass"),
    (0.01, True, True, False, "pass"), (0.1, False, False, False, "inconclusive"), (0.01, True, False, False, "inconclusive"),
])  # fmt: skip
def test_a_pass_takes_sight_of_what_the_tolerance_forbids(schema, people, rate, clustered, whole, copies, verdict):
    """5 % copies are 5.95 % of members found at 1 %, beyond 3.4 %, and 14.5 % at 10 %, within 21.8 %."""
    evidence = Evidence(schema, people(20, 0), people(20, 1), people(20, 2))
    details = {"fpr": rate, "tolerance": gaussian_tpr(0.5, rate), "attacks": 1, "surely": []}
    finding = Finding("attacks.membership", "", rate, verdict="pass", details=details)
    sees = {"training rows": whole, "5 % copies": copies}
    assert membership.settled(finding, evidence, sees.get, clustered=clustered).verdict == verdict
