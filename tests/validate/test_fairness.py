"""Fairness between groups: rates against a naive count, what is seen (a lost group, a flipped outcome) and what is not."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from sklearn.metrics import roc_auc_score

from tabsynth.schema import Column, Schema, Unit
from tabsynth.validate import Evidence, fairness, utility
from tabsynth.validate.groups import GROUPS, MEASURES, Groups, grouped, rates_of

ROOT = Path(__file__).parents[2]
SCHEMA = Schema(
    "t",
    (
        Column("x", "float", minimum=-9.0, maximum=9.0),
        Column("sex", "categorical", labels=("f", "m")),
        Column("race", "categorical", labels=("green", "blue", "rare")),
        Column("y", "categorical", labels=("no", "yes")),
    ),
    target="y",
    protected=("sex", "race"),
)
CHECKS = ["representation", "outcome", "parity", "opportunity", "false_positives", "accuracy"]
NAMES = [f"fairness.{name}" for name in CHECKS]


def table(seed, rows=1500):
    rng = np.random.default_rng(seed)
    x, sex = rng.normal(size=rows), rng.choice(["f", "m"], rows)
    race = rng.choice(["green", "blue", "rare"], rows, p=[0.6, 0.38, 0.02])
    y = x + 0.7 * (sex == "m") + rng.normal(size=rows) > 1
    columns = {"x": x, "sex": sex.astype(object), "race": race.astype(object), "y": np.where(y, "yes", "no").astype(object)}
    return pd.DataFrame(columns)


def found(evidence):
    return {finding.check: finding.plain() for finding in fairness.fairness(evidence)}


@pytest.fixture(scope="module")
def trained():
    """What is trained on real rows alone, once for all tests."""
    evidence = Evidence(SCHEMA, table(0), table(1), table(2), "y")
    fairness.fairness(evidence)
    return {key: evidence.memo[key] for key in (("scores", "boosting", "train"), "parts")}


@pytest.fixture(scope="module")
def judged(trained):
    """judged(synthetic): the findings on a synthetic table."""

    def judge(synthetic, schema=SCHEMA):
        evidence = Evidence(schema, table(0), table(1), synthetic, "y")
        evidence.memo.update(trained)
        return found(evidence)

    return judge


def group(finding, column, label):
    (row,) = [row for row in finding.details["groups"] if (row["column"], row["group"]) == (column, label)]
    return row


def gap(finding, column):
    (row,) = [row for row in finding.details["columns"] if row["column"] == column]
    return row


@pytest.fixture(scope="module")
def good(judged):
    """A synthetic table that is as good as a second sample."""
    return judged(table(2))


def test_rates_are_those_that_one_counts():
    rng = np.random.default_rng(0)
    n = 400
    codes, truth, weights = rng.integers(0, 3, n), rng.random(n) < 0.4, rng.integers(0, 4, n)
    scores = [rng.permutation(n).astype(float), rng.permutation(n).astype(float)]
    rates = rates_of(Groups("c", ["a", "b", "c"], {"holdout": codes}), truth, scores)(weights.astype(float))
    assert rates.shape == (2, MEASURES, 3)
    rows = np.repeat(np.arange(n), weights)
    for s, score in enumerate(scores):
        chosen = set(np.argsort(-score)[: truth.sum()])
        for g in range(3):
            own = [i for i in rows if codes[i] == g]
            named = [i for i in own if i in chosen]
            positives = [i for i in own if truth[i]]
            expected = [
                len(named) / len(own),
                len([i for i in named if truth[i]]) / len(positives),
                len([i for i in named if not truth[i]]) / (len(own) - len(positives)),
                roc_auc_score(truth[own], score[own]),
            ]
            assert rates[s, :, g] == pytest.approx(expected)


def test_rows_tied_at_the_cut_share_what_is_left():
    truth = np.array([True, True, True, False, False, False])
    rates = rates_of(Groups("c", ["a", "b"], {"holdout": np.array([0, 0, 1, 1, 1, 0])}), truth, [np.array([3.0, 1, 1, 1, 1, 0])])
    selection, found, false, _ = rates(np.ones(6))[0]
    assert selection == pytest.approx([(1 + 0.5) / 3, 3 * 0.5 / 3])
    assert found == pytest.approx([(1 + 0.5) / 2, 0.5])
    assert false == pytest.approx([0, 0.5])


def test_groups_are_labels_quarters_and_missing():
    rng = np.random.default_rng(0)
    columns = (
        Column("n", "integer", minimum=0, maximum=99),
        Column("c", "categorical", labels=tuple(f"l{i:02}" for i in range(20))),
    )
    schema = Schema("t", columns, protected=("n", "c"))

    def draw(rows):
        number = pd.array(rng.integers(0, 100, rows), dtype="Int64")
        number[0] = pd.NA
        label = rng.choice([f"l{i:02}" for i in range(20)], rows, p=np.arange(20, 0, -1) / 210).astype(object)
        label[1] = None
        return pd.DataFrame({"n": number, "c": label})

    train = draw(4000)
    evidence = Evidence(schema, train, draw(4000), train[:100])
    numbers, labels = (grouped(column, evidence) for column in columns)
    cuts = [int(np.sort(train["n"].dropna().astype(int))[int(np.ceil(q * 3999)) - 1]) for q in (0.25, 0.5, 0.75)]
    assert numbers.labels == [
        f"up to {cuts[0]}", f"above {cuts[0]}, up to {cuts[1]}", f"above {cuts[1]}, up to {cuts[2]}", f"above {cuts[2]}", "missing"
    ]  # fmt: skip
    assert numbers.counts("train")[1] == train["n"].between(cuts[0] + 1, cuts[1]).sum()
    assert numbers.counts("train").tolist()[-1] == 1
    real = pd.concat([train, evidence.holdout])["c"].value_counts()
    assert labels.labels == [*sorted(real.index[:GROUPS]), "all others", "missing"]
    assert labels.counts("train")[:GROUPS].tolist() == [(train["c"] == label).sum() for label in labels.labels[:GROUPS]]
    assert labels.counts("synthetic").sum() == 100


def test_every_finding_has_its_number_and_its_groups(good):
    assert list(good) == NAMES
    for check, finding in good.items():
        assert finding.interval[0] <= finding.value <= finding.interval[1], check
        assert finding.reference_is
        assert finding.verdict is None
        assert [(row["column"], row["group"]) for row in finding.details["groups"]] == [
            ("sex", "f"), ("sex", "m"), ("race", "green"), ("race", "blue"), ("race", "rare"),
        ]  # fmt: skip
    train, holdout = table(0), table(1)
    women = group(good["fairness.representation"], "sex", "f")
    assert (women["train"], women["holdout"]) == ((train["sex"] == "f").mean(), (holdout["sex"] == "f").mean())
    outcome = group(good["fairness.outcome"], "sex", "m")
    assert outcome["holdout"] == (holdout["y"][holdout["sex"] == "m"] == "yes").mean()
    assert outcome["interval"][0] < outcome["holdout"] < outcome["interval"][1]
    assert good["fairness.parity"].details["named"] == (holdout["y"] == "yes").sum()


def test_both_classifiers_name_as_many_rows(good):
    parity = good["fairness.parity"].details
    sizes = table(1)["sex"].value_counts()
    for classifier in ("synthetic", "real"):
        named = sum(group(good["fairness.parity"], "sex", label)[classifier] * sizes[label] for label in sizes.index)
        assert named == pytest.approx(parity["named"])


def test_a_good_table_changes_little(good):
    for check in NAMES:
        assert abs(good[check].value - good[check].reference) < 0.1, check
        assert all(row["change"] == "unclear" for row in good[check].details.get("columns", [])), check


def test_the_training_rows_themselves_change_nothing(judged):
    findings = judged(table(0))
    for check, finding in findings.items():
        assert finding.value == finding.reference, check
        for row in finding.details.get("columns", []):
            assert (row["difference"], row["change"]) == (0, "unclear")
    assert "no gap differs" in findings["fairness.opportunity"].note


def test_a_lost_group_is_seen(judged):
    synthetic = table(2)
    finding = judged(synthetic[synthetic["race"] != "blue"].reset_index(drop=True))["fairness.representation"]
    share = (table(1)["race"] == "blue").mean()
    gained = abs(group(finding, "race", "green")["synthetic"] - group(finding, "race", "green")["holdout"])
    assert finding.value == pytest.approx(max(share, gained))
    assert finding.interval[0] > 5 * finding.reference
    assert finding.details["lost"] == [{"column": "race", "group": "blue"}]
    assert "race = blue" in finding.note


def test_a_flipped_outcome_is_seen(judged, good):
    synthetic = table(2)
    flipped = synthetic["y"].map({"yes": "no", "no": "yes"}).where(synthetic["sex"] == "f", synthetic["y"])
    bad = judged(synthetic.assign(y=flipped))
    assert bad["fairness.outcome"].details["most"] == {"column": "sex", "group": "f"}
    assert bad["fairness.outcome"].interval[0] > 0.4
    accuracy = gap(bad["fairness.accuracy"], "sex")
    assert (accuracy["highest"], accuracy["lowest"], accuracy["change"]) == ("m", "f", "wider")
    assert accuracy["difference_interval"][0] > 0.4
    assert accuracy["reference"] == gap(good["fairness.accuracy"], "sex")["reference"]
    assert gap(bad["fairness.accuracy"], "race")["change"] == "unclear"
    assert bad["fairness.accuracy"].note.endswith("beyond noise: sex.")


def test_positives_that_are_denied_to_a_group_are_found_less_often(judged):
    synthetic = table(2)
    denied = (synthetic["sex"] == "f") & (np.random.default_rng(4).random(len(synthetic)) < 0.9)
    opportunity = judged(synthetic.assign(y=synthetic["y"].mask(denied, "no")))["fairness.opportunity"]
    row = gap(opportunity, "sex")
    assert (row["highest"], row["lowest"], row["change"]) == ("m", "f", "wider")
    assert opportunity.value == row["value"] > 0.5 > row["reference"] == opportunity.reference
    assert row["difference"] == pytest.approx(row["value"] - row["reference"])


def test_a_gap_that_closes_is_told_too(judged):
    """Real rows favour men; the synthetic ones draw the outcome from x alone."""
    synthetic = table(2)
    neutral = np.where(synthetic["x"] + np.random.default_rng(3).normal(size=len(synthetic)) > 0.65, "yes", "no").astype(object)
    parity = gap(judged(synthetic.assign(y=neutral))["fairness.parity"], "sex")
    assert parity["change"] == "narrower"
    assert parity["value"] < parity["reference"]


def test_groups_that_are_too_small_are_listed_and_in_no_gap(judged, good):
    """30 rows of `rare`, few of them positive: whatever the synthetic rows say of them."""
    for check in NAMES[1:]:
        assert not group(good[check], "race", "rare")["judged"], check
        for row in good[check].details.get("columns", []):
            assert "rare" not in (row["highest"], row["lowest"])
    units = group(good["fairness.outcome"], "race", "rare")["units"]
    holdout = table(1)
    assert units == {
        kind: ((holdout["race"] == "rare") & (holdout["y"] == y)).sum() for kind, y in (("positive", "yes"), ("negative", "no"))
    }
    synthetic = table(2)
    never = judged(synthetic.assign(y=synthetic["y"].where(synthetic["race"] != "rare", "yes")))
    assert never["fairness.outcome"].details["most"]["group"] != "rare"
    assert never["fairness.outcome"].value < 0.1


def test_without_two_groups_that_are_large_enough_there_is_no_gap():
    short = table(1).iloc[:40].reset_index(drop=True)
    findings = found(Evidence(SCHEMA, table(0), short, table(2), "y"))
    for check in NAMES[2:]:
        assert findings[check].value is None
        assert "No protected column has two groups" in findings[check].note
        assert len(findings[check].details["groups"]) >= 4
    assert findings["fairness.representation"].value is not None


def test_intervals_count_units_not_rows():
    """Four copies of every person tell no more than one."""
    schema = Schema("t", (Column("who", "identifier"), *SCHEMA.columns), Unit("who", 4), "y", protected=("sex",))
    holdout = table(1, 300)
    people = pd.concat([holdout.assign(who=[f"p{i}" for i in range(300)])] * 4, ignore_index=True)[list(schema.names)]
    others = [table(seed, 300).assign(who=[f"q{seed}-{i}" for i in range(300)])[list(schema.names)] for seed in (0, 2)]
    by_unit = found(Evidence(schema, others[0], people, others[1], "y"))
    once = found(Evidence(schema, others[0], people[:300], others[1], "y"))
    by_row = found(Evidence(dataclasses.replace(schema, unit=Unit()), others[0], people, others[1], "y"))
    for check, part in (("fairness.representation", "interval"), ("fairness.opportunity", "real_interval")):
        widths = [np.ptp(group(f[check], "sex", "f")[part]) for f in (by_unit, once, by_row)]
        assert widths[0] == pytest.approx(widths[1], rel=0.2)
        assert widths[2] < 0.65 * widths[0]
    assert group(by_unit["fairness.outcome"], "sex", "f")["units"] == group(once["fairness.outcome"], "sex", "f")["units"]


def test_the_classifiers_are_those_of_the_utility_check():
    evidence = Evidence(SCHEMA, table(0, 400), table(1, 400), table(2, 400), "y")
    utility.utility(evidence)
    evidence.memo["scores", "boosting", "train"] = (evidence.holdout["y"] == "yes").to_numpy(float)
    assert group(found(evidence)["fairness.opportunity"], "sex", "f")["real"] == 1
    assert not dataclasses.replace(evidence).memo


def test_what_is_missing_is_named(judged):
    (bare,) = fairness.fairness(Evidence(dataclasses.replace(SCHEMA, protected=()), table(0), table(1), table(2), "y"))
    assert (bare.check, bare.value) == ("fairness", None)
    assert "protected: [sex, race]" in bare.note
    findings = found(Evidence(SCHEMA, table(0), table(1), table(2)))
    assert list(findings) == NAMES
    assert findings["fairness.representation"].value is not None
    assert all(findings[check].value is None and "target" in findings[check].note for check in NAMES[1:])
    own = judged(table(2), dataclasses.replace(SCHEMA, protected=("y",)))
    assert all("only protected column is the one to predict" in own[check].note for check in NAMES[1:])
    both = judged(table(2), dataclasses.replace(SCHEMA, protected=("sex", "y")))
    assert [row["column"] for row in both["fairness.parity"].details["columns"]] == ["sex"]


def test_one_class_in_the_synthetic_rows_is_a_constant_guess(judged):
    findings = judged(table(2).assign(y="no"))
    parity = findings["fairness.parity"]
    assert parity.value == pytest.approx(0)
    assert "constant guess" in parity.note
    assert findings["fairness.outcome"].value == group(findings["fairness.outcome"], "sex", "m")["holdout"]
    real = found(Evidence(SCHEMA, table(0).assign(y="no"), table(1), table(2), "y"))
    assert all("only one class" in real[check].note for check in NAMES[1:])


@pytest.mark.parametrize(
    "sizes", [(0, 0, 0), (0, 5, 5), (5, 0, 5), (5, 5, 0), (1, 1, 1), (30, 20, 1), (1, 200, 30), (200, 200, 2)]
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_tiny_tables_go_through(schema, people, sizes):
    protected = dataclasses.replace(schema, protected=("job", "age", "born", "weight", "smoker"))
    findings = found(Evidence(protected, *(people(size, seed) for seed, size in enumerate(sizes)), "smoker"))
    assert list(findings) == NAMES
    for finding in findings.values():
        assert finding.value is not None or finding.note
        assert finding.interval is None or finding.interval[0] <= finding.value <= finding.interval[1]


def test_the_published_format_describes_the_details(good, judged):
    """A bad synthetic table, so that there are lost groups and shares of nothing."""
    schemas = [json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()) for name in ("report", "schema", "card")]
    registry = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)
    validator = Draft202012Validator({"$ref": "urn:tabsynth:report:1#/$defs/finding"}, registry=registry)
    synthetic = table(2)
    lost = judged(synthetic[synthetic["race"] == "green"].reset_index(drop=True))
    for finding in (*good.values(), *lost.values()):
        validator.validate(json.loads(json.dumps(dataclasses.asdict(finding))))
        wrong = dataclasses.asdict(finding)
        wrong["details"]["groups"][0]["synthetic"] = 2
        assert not validator.is_valid(json.loads(json.dumps(wrong))), finding.check
