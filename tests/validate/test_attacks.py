"""Calibration: a leak is found, an independent table raises no alarm; published figures are reproduced.

`attacks` is what the product runs. Tables have 1,200 training and 800 holdout rows: 400 members, 400 non-members, 400 reference rows.
"""

import numpy as np
import pandas as pd
import pytest

from tabsynth.policy import Policy
from tabsynth.schema import Column, Schema
from tabsynth.tradeoff import Tradeoff, gaussian_tpr
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import ATTACKS, OTHERS, attacks, bounds, ldr, membership, nndr, plagiarism, replication, statistics
from tabsynth.validate.attacks._challenge import design
from tabsynth.validate.attacks._nearest import Neighbours
from tabsynth.validate.attacks._view import View
from tabsynth.validate.features import Encoded

LEARNED = ("classifier", "logan")
"""The slow ones; what they cost is paid in few tests."""
QUICK = (*(name for name in ATTACKS if name not in LEARNED), "replication")


def _names(*attacks):
    return [f"attacks.{name}.{scaling}" for name in attacks for scaling in ATTACKS[name].scalings]


NAMES = _names(*(name for name in ATTACKS if name not in LEARNED))
STRONG = _names("dcr", "ldr", "nndr", "monte_carlo")
"""Certain of a copied row, whatever the columns are like; the rest are here because they are published, and weaker."""
SEEDS = 20


def _copies(finding, rows):
    """The first level that looks at these rows."""
    return next(level for level in finding.details["levels"] if level["rows"] == rows)


def _run(schema, train, holdout, synthetic, seed=0, only=QUICK):
    return {finding.check: finding for finding in attacks(Evidence(schema, train, holdout, synthetic, seed=seed), only)}


@pytest.fixture(scope="module")
def independent(schema, people):
    """Findings on 20 synthetic tables that are fresh draws from the population."""
    return [
        _run(schema, people(1200, 10 * seed), people(800, 10 * seed + 1), people(1200, 10 * seed + 2), seed)
        for seed in range(SEEDS)
    ]


def test_an_independent_table_raises_no_alarm(independent):
    """Alarms at nominal level .05 in at most 4 of 20 tables (5 or more have probability .003); scores within 4 standard errors."""
    for check in ("attacks.replication", "attacks.membership", "attacks.controls"):
        assert sum(findings[check].verdict == "fail" for findings in independent) <= 4, check
    assert sum(findings["attacks.familywise"].value <= 0.05 for findings in independent) <= 4
    assert sum(findings["attacks.worst"].value > 0 for findings in independent) <= 4
    for name in NAMES:
        z = np.array([(f[name].value - 0.5) / statistics.auc_null_sd(400, 400) for f in independent])
        assert abs(z.mean()) < 4 / np.sqrt(SEEDS), name
        assert 0.5 < z.std(ddof=1) < 1.6, name
        assert sum(f[name].interval[0] <= 0.5 <= f[name].interval[1] for f in independent) >= SEEDS - 4, name
    gates = [gate for f in independent for gate in f["attacks.controls"].details["gates"] if gate["ok"] is not None]
    assert np.mean([gate["ok"] for gate in gates]) > 0.97
    assert len(gates) == SEEDS * (len(NAMES) + 2)
    z = np.array([(f["attacks.ensemble"].value - 0.5) / statistics.auc_null_sd(200, 200) for f in independent])
    assert abs(z.mean()) < 4 / np.sqrt(SEEDS)


def test_the_training_table_released_as_is_fails_everything(schema, people):
    train = people(1200, 0)
    synthetic = train.sample(frac=1, random_state=0).reset_index(drop=True)
    found = _run(schema, train, people(800, 1), synthetic, only=(*ATTACKS, *OTHERS))
    copied = found["attacks.replication"]
    assert copied.verdict == "fail"
    assert copied.details["distinct_copied"] == 1200
    assert copied.interval[0] > 0.3  # the half of all rows that are unlike anybody else's
    assert _copies(copied, "all")["excess"] == _copies(copied, "own")["excess"] == 1.0
    for name in STRONG:
        assert found[name].interval[0] > 0.95, name
    fixed = [name for name in _names("dcr_diff", "density", "domias", "gen_lra", *LEARNED) if not name.endswith("raw")]
    for name in fixed:
        assert found[name].interval[0] > 0.55, name
    headline = found["attacks.membership"]
    assert headline.verdict == "fail"
    assert headline.value > 0.95
    assert found["attacks.familywise"].value < 0.001
    assert found["attacks.ensemble"].value > 0.97
    assert found["attacks.worst"].value > 5
    assert found["attacks.controls"].verdict == "pass"


def test_a_copy_with_noise_is_caught(schema, people):
    """Every number moved by 5 % of its spread, one label in twenty redrawn: no exact copy, and nearly as easy to attack."""
    train, rng = people(1200, 0), np.random.default_rng(0)
    noisy = train.copy()
    for name, kind in ((c.name, c.kind) for c in schema.columns):
        values, known = train[name], train[name].notna()
        if kind in ("integer", "float"):
            moved = values.astype(float) + rng.normal(0, 0.05 * values.astype(float).std(), len(train))
            noisy[name] = (moved.round() if kind == "integer" else moved).astype(values.dtype)
        elif kind in ("date", "datetime"):
            spread = 0.05 * values[known].astype("int64").std()
            moved = values + pd.to_timedelta(rng.normal(0, spread, len(train)).round(), unit="s")
            noisy[name] = (moved.dt.floor("D") if kind == "date" else moved).astype(values.dtype)
        else:
            redrawn = rng.random(len(train)) < 0.05
            noisy[name] = values.where(~redrawn, rng.permutation(values))
    found = _run(schema, train, people(800, 1), noisy)
    assert found["attacks.replication"].value == 0
    assert found["attacks.replication"].verdict == "fail"
    assert found["attacks.membership"].verdict == "fail"
    assert found["attacks.familywise"].value < 0.001
    for name in (name for name in STRONG if not name.endswith("raw")):
        assert found[name].interval[0] > 0.85, name


@pytest.mark.parametrize("size", [600, 4000])
def test_one_copied_row_in_twenty_is_found_whatever_the_size_of_the_synthetic_table(schema, people, size):
    train = people(1200, 0)
    synthetic = pd.concat([people(size, 2), train[:60]], ignore_index=True)
    found = _run(schema, train, people(800, 1), synthetic)["attacks.replication"]
    assert found.verdict == "fail"
    assert _copies(found, "all")["excess"] == pytest.approx(0.05)
    assert found.details["distinct_copied"] == 60


def test_near_copies_are_found_where_no_row_is_an_exact_copy(schema, people):
    train = people(1200, 0)
    jitter = np.random.default_rng(0).normal(0, 0.01, 1200)
    found = _run(schema, train, people(800, 1), train.assign(weight=train["weight"] + jitter))
    copied = found["attacks.replication"]
    assert _copies(copied, "all")["members"] == 0
    assert copied.verdict == "fail"
    assert _copies(copied, "near")["interval"][0] > 0
    assert found["attacks.ldr.standardised"].value > 0.97


def test_leaks_grow_with_the_share_of_training_rows(schema, people):
    train, fresh = people(1200, 0), people(1200, 2)
    values = []
    for share in (0, 300, 600, 1200):
        found = _run(schema, train, people(800, 1), pd.concat([train[:share], fresh[share:]], ignore_index=True))
        values.append([found[name].value for name in STRONG])
    assert (np.diff(np.array(values), axis=0) > 0).all()


def test_copies_by_coincidence_are_no_leak():
    schema = Schema("t", tuple(Column(f"b{i}", "boolean", nullable=False) for i in range(3)))

    def table(rows, seed):
        return pd.DataFrame(np.random.default_rng(seed).random((rows, 3)) < 0.3, columns=list(schema.names)).astype("boolean")

    found = _run(schema, table(1500, 0), table(1000, 1), table(1500, 2))
    copied = found["attacks.replication"]
    assert _copies(copied, "all")["rate_members"] == 1.0
    assert (copied.value, copied.verdict) == (0.0, "inconclusive")  # nobody has a row of one's own: no copy would be noticed
    assert copied.details["blind"]
    safe = Evidence(schema, table(1500, 0), table(1000, 1), table(1500, 2), guarantee=Tradeoff(1.0, 1e-6, 0.2367))
    assert replication.check(safe).verdict == "pass"  # by the guarantee
    judged = found["attacks.membership"]  # who copies everything looks the same, so that is no pass
    assert (judged.verdict, judged.details["blind"]) == ("inconclusive", True)


def test_too_few_rows_to_clear_a_table_are_not_a_pass(schema, people):
    found = _run(schema, people(60, 0), people(40, 1), people(60, 2))
    assert found["attacks.replication"].verdict == "inconclusive"
    assert found["attacks.membership"].verdict == "inconclusive"
    assert found["attacks.membership"].details["needed_nonmembers"] > 40


@pytest.mark.parametrize("only", [("dcr", "nndr"), ("ldr",), ("nndr",)])
def test_only_a_test_that_would_see_the_training_rows_passes(schema, people, only):
    """800 members: enough for a pass at 10 %; the nearest-neighbour ratio alone cannot say what it would see."""
    found = _run(schema, people(900, 0), people(1600, 1), people(900, 2), only=only)["attacks.membership"]
    sees = only != ("nndr",)
    assert found.details["upper_all"] < found.details["tolerance"]
    assert found.details["power"]["training rows"] == sees
    assert found.verdict == ("pass" if sees else "inconclusive")


def test_five_percent_copies_are_seen_where_the_tolerance_forbids_them(schema, people):
    """3,000 members, judged at 1 %, where 5 % copies are beyond the tolerance; the same test with them as the table fails."""
    train, holdout = people(3000, 0), people(6000, 1)
    fresh = people(3000, 2)
    copies = pd.concat([fresh[:2850], train[:150]], ignore_index=True)
    clean, leaky = (_run(schema, train, holdout, table, only=("dcr", "ldr"))["attacks.membership"] for table in (fresh, copies))
    assert clean.details["fpr"] == 0.01
    assert clean.details["power"] == {"training rows": True, "5 % copies": True}
    assert (clean.verdict, leaky.verdict) == ("pass", "fail")


@pytest.mark.parametrize(("rare", "sees"), [(0.02, False), (0.98, True)])
def test_a_table_of_equal_rows_does_not_pass_by_measurement(rare, sees):
    """Where nearly all rows have twins on both sides, the training rows as synthetic ones look like any others, to every sensor."""
    schema = Schema("t", (Column("a", "integer", minimum=0, maximum=10**9, nullable=False),))

    def table(rows, seed):
        rng = np.random.default_rng(seed)
        values = np.where(rng.random(rows) < rare, rng.integers(10, 10**9, rows), rng.integers(0, 10, rows))
        return pd.DataFrame({"a": values}).astype("Int64")

    found = _run(schema, table(900, 0), table(1600, 1), table(900, 2), only=("dcr", "ldr"))["attacks.membership"]
    assert found.details["power"]["training rows"] == sees
    assert found.verdict == ("pass" if sees else "inconclusive")


def _guaranteed(schema, people, synthetic, guarantee, holdout=200, tolerated=0.5):
    policy = {"format": "tabsynth.policy", "version": 1, "name": "ours", "thresholds": {"membership_mu": {"value": tolerated}}}
    evidence = Evidence(
        schema, people(300, 0), people(holdout, 1), synthetic, guarantee=guarantee, policy=Policy.from_dict(policy)
    )
    return next(f for f in attacks(evidence, ("dcr", "ldr")) if f.check == "attacks.membership")


@pytest.mark.parametrize(("mu", "verdict"), [(0.2, "pass"), (0.5, "pass"), (0.6, "inconclusive")])
def test_a_guarantee_below_the_tolerance_settles_membership_with_few_rows(schema, people, mu, verdict):
    finding = _guaranteed(schema, people, people(300, 2), Tradeoff(1.0, 1e-6, mu=mu))
    assert finding.verdict == verdict
    assert finding.details["by_guarantee"] == {
        "allowed": gaussian_tpr(mu, 0.1), "tolerated": finding.details["tolerance"], "settled": verdict == "pass",
        "measured": "inconclusive",
    }  # fmt: skip


def test_a_measured_failure_stays_one_whatever_is_guaranteed(schema, people):
    """100 members, all found: beyond the tolerance, and too few to be sure that the guarantee is broken."""
    finding = _guaranteed(schema, people, people(300, 0), Tradeoff(1.0, 1e-6, mu=0.2))
    assert finding.verdict == "fail"
    assert not finding.details["by_guarantee"]["settled"]


def test_a_guarantee_that_an_attack_contradicts_settles_nothing(schema, people):
    """A tolerance that the training rows themselves do not exceed: 300 members, all found, where the guarantee allows 14 %."""
    claimed = Tradeoff(1.0, 1e-6, mu=0.2)
    finding = _guaranteed(schema, people, people(300, 0), claimed, holdout=800, tolerated=6.0)
    assert membership.contradicted(finding, claimed)
    assert not membership.contradicted(finding, None)
    assert finding.verdict == "inconclusive"
    assert not finding.details.get("by_guarantee", {}).get("settled")


def _view(synthetic, reference, rows=1):
    """A view of rows whose distances alone are known."""
    none = Encoded({"raw": np.zeros((rows, 0))}, np.zeros((rows, 0), np.int32))
    near = [Neighbours(np.array(d, float), np.zeros((rows, len(d[0])), int)) for d in (synthetic, reference)]
    return View("raw", none, none, none, *near)


def test_attack_formulas_on_one_row():
    view = _view([[1.0, 2.0, 4.0, 6.0, 8.0, 99.0]], [[3.0, 5.0, 7.0, 9.0, 9.0, 9.0]])
    assert ldr.score(view) == pytest.approx(np.log(3))
    assert nndr.score(view) == pytest.approx(np.log(5))
    assert plagiarism.score(view) == pytest.approx(4 / 6)  # nearest six: 1 2 3 4 5 6, of which 3 and 5 are real
    few = _view([[1.0, 2.0, np.inf, np.inf, np.inf]], [[np.inf] * 5])
    assert nndr.score(few) == pytest.approx(np.log(2))
    assert not np.isfinite(ldr.score(few)).any()
    assert not np.isfinite(plagiarism.score(few)).any()


def test_challenge_is_balanced_random_and_by_unit(unit_schema, visits):
    train, holdout = visits(300, 0), visits(200, 1)
    challenge = design(Evidence(unit_schema, train, holdout, visits(100, 2), seed=3))
    assert challenge.member.tolist() == [True] * 100 + [False] * 100
    patients = challenge.rows["patient"].groupby(challenge.units)
    assert (patients.nunique() == 1).all()
    whole = pd.concat([train, holdout])["patient"].value_counts()
    assert (patients.size().to_numpy() == whole[patients.first()].to_numpy()).all()
    assert not set(challenge.rows["patient"]) & set(challenge.reference["patient"])
    assert set(challenge.rows["patient"][~challenge.row_member]) | set(challenge.reference["patient"]) == set(holdout["patient"])
    again = design(Evidence(unit_schema, train, holdout, visits(100, 2), seed=4))
    assert set(again.rows["patient"]) != set(challenge.rows["patient"])


def test_large_tables_are_subsampled_with_the_seed(unit_schema, visits, monkeypatch):
    from tabsynth.validate.attacks import _challenge

    for name, limit in {"UNITS": 50, "REFERENCE_ROWS": 60, "SYNTHETIC_ROWS": 70}.items():
        monkeypatch.setattr(_challenge, name, limit)
    evidence = Evidence(unit_schema, visits(300, 0), visits(200, 1), visits(100, 2))
    challenge = design(evidence)
    assert (challenge.member.sum(), len(challenge.member), len(challenge.reference), len(challenge.synthetic)) == (
        50,
        100,
        60,
        70,
    )
    pd.testing.assert_frame_equal(challenge.synthetic, design(evidence).synthetic)
    monkeypatch.setattr(_challenge, "ROWS", 60)
    assert len(design(evidence).rows) == pytest.approx(120, rel=0.25)


def test_units_are_attacked_as_a_whole(unit_schema, visits):
    train, holdout = visits(600, 0), visits(400, 1)
    found = _run(unit_schema, train, holdout, train)
    assert {f"{name}{end}" for name in NAMES for end in ("", ".unit")} < set(found)
    unit, row = found["attacks.ldr.standardised.unit"], found["attacks.ldr.standardised"]
    assert (unit.details["n_members"], unit.details["n_nonmembers"]) == (200, 200)
    assert row.details["n_members"] > 400
    assert unit.value > 0.97
    assert row.note
    assert found["attacks.membership"].details["chosen"].endswith(".unit")
    assert found["attacks.membership"].details["n_members"] == 100
    copied = found["attacks.replication"]
    assert copied.details["levels"][0]["n_members"] == 600
    assert (_copies(copied, "all")["excess"], copied.verdict) == (1.0, "fail")


def test_dependent_rows_raise_no_alarm_by_unit(unit_schema, visits):
    """As for rows: at most 3 of 12 alarms at nominal level .05 (4 or more have probability .002)."""
    runs = [_run(unit_schema, visits(300, 3 * s), visits(200, 3 * s + 1), visits(300, 3 * s + 2), s) for s in range(12)]
    for name in NAMES:
        for end in ("", ".unit"):
            assert sum(not f[name + end].interval[0] <= 0.5 <= f[name + end].interval[1] for f in runs) <= 3, name + end
    for check in ("attacks.replication", "attacks.membership", "attacks.controls"):
        assert sum(f[check].verdict == "fail" for f in runs) <= 3, check


def _gates(found):
    return {gate["name"]: gate for gate in found["attacks.controls"].details["gates"]}


def test_a_split_that_is_balanced_better_than_by_chance_is_healthy():
    """Every age as often among members as among non-members: one half of them then foretells the other, the wrong way round."""
    schema = Schema("t", (Column("age", "integer", minimum=0, maximum=99),))

    def side(seed):
        return pd.DataFrame({"age": pd.array(np.random.default_rng(seed).permutation(np.arange(1200) % 100), dtype="Int64")})

    tables = side(0), side(1), side(2), side(3)
    evidence = Evidence(schema, *tables[:3], reference=tables[3])
    gates = _gates({f.check: f for f in attacks(evidence, ("ldr",))})
    assert gates["member vs non-member classifier"]["value"] < 0.45
    assert gates["member vs non-member classifier"]["ok"]


def test_controls_notice_a_split_that_is_not_random(schema, people):
    rows = people(2400, 0).sort_values("weight", ignore_index=True)
    found = _run(schema, rows[:1400].reset_index(drop=True), rows[1400:].reset_index(drop=True), people(1000, 1))
    assert found["attacks.controls"].verdict == "fail"
    assert not _gates(found)["member vs non-member classifier"]["ok"]
    assert found["attacks.controls"].value == sum(gate["ok"] is False for gate in _gates(found).values())


def test_controls_notice_units_on_both_sides_and_count_shared_rows(unit_schema, visits):
    train, holdout = visits(200, 0), visits(150, 1)
    mixed = pd.concat([holdout, train[:5]], ignore_index=True)
    found = _run(unit_schema, train, mixed, visits(200, 2))
    gate = _gates(found)["units in both training and holdout rows"]
    assert (gate["value"], gate["ok"]) == (train[:5]["patient"].nunique(), False)
    assert found["attacks.controls"].verdict == "fail"
    clean = _gates(_run(unit_schema, train, holdout, visits(200, 2)))
    assert clean["units in both training and holdout rows"]["ok"]
    assert clean["exact rows shared by members and non-members"]["ok"] is None


def test_the_headline_is_free_of_selection_and_the_best_attack_wins():
    """Mean over 100 runs within 4 standard errors of chance, among 15 useless attacks; a useful one is chosen and reported."""
    rng, member = np.random.default_rng(0), np.repeat([True, False], 200)
    useless = [membership.headline({str(k): rng.normal(size=400) for k in range(15)}, member, seed, 0.5) for seed in range(100)]
    values = np.array([finding.value for finding in useless])
    assert abs(values.mean() - 11 / 101) < 4 * values.std() / np.sqrt(100)  # beat the 11th of 100 non-members
    verdicts = [finding.verdict for finding in useless]
    assert verdicts.count("pass") < 50  # 15 attacks on 200 units leave too much room
    assert "fail" not in verdicts
    scores = {"noise": rng.normal(size=400), "good": rng.normal(size=400) + 2 * member}
    best = membership.headline(scores, member, 0, 0.5)
    assert best.details["chosen"] == "good"
    assert best.verdict == "fail"
    assert best.details["fpr"] == best.reference == 0.1
    assert best.details["n_members"] == best.details["n_nonmembers"] == 100


def test_the_headline_uses_one_percent_where_there_are_enough_non_members():
    rng, member = np.random.default_rng(0), np.repeat([True, False], 2600)
    finding = membership.headline({"noise": rng.normal(size=5200)}, member, 0, 0.5)
    assert (finding.details["fpr"], finding.details["n_nonmembers"], finding.details["fp"]) == (0.01, 1300, 13)
    assert finding.verdict == "pass"
    assert finding.details["upper_all"] < finding.details["tolerance"] == pytest.approx(0.0339, abs=1e-4)


def test_an_attack_on_the_tolerance_curve_passes_in_at_most_one_table_of_twenty():
    """The claim behind a pass. A plain Clopper-Pearson bound at the observed threshold passes 15 % of these tables."""
    rng, member = np.random.default_rng(0), np.repeat([True, False], 1000)
    tolerance = gaussian_tpr(0.5, 0.1)
    passed = [bounds.tpr_upper(rng.normal(size=2000) + 0.5 * member, member, 0.1, 0.05) < tolerance for _ in range(300)]
    assert np.mean(passed) <= 0.05
    useless = [bounds.tpr_upper(rng.normal(size=2000), member, 0.1, 0.05) < tolerance for _ in range(100)]
    assert np.mean(useless) > 0.95
