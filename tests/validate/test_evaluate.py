"""`evaluate` end to end: the shapes others rely on, tables too small to say anything, seeds, and errors."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import tabsynth.validate
from tabsynth.errors import OptionError, SchemaError
from tabsynth.schema import Column, Schema, Unit
from tabsynth.validate import CHECKS, evaluate
from tabsynth.validate.attacks import ATTACKS

SCORED = {f"attacks.{name}.{scaling}" for name, attack in ATTACKS.items() for scaling in attack.scalings}
EXPECTED = SCORED | {
    "fidelity.tvd1", "fidelity.tvd2", "fidelity.tvd3", "fidelity.tails", "fidelity.categories",
    "utility.boosting.auc", "utility.boosting.ap", "utility.logistic.auc", "utility.logistic.ap",
    "attacks.replication", "attacks.focal", "attacks.familywise", "attacks.membership", "attacks.ensemble", "attacks.worst", "attacks.controls",
    "attacks.singling_out", "attacks.linkability", "expectations.schema", "fairness",
    "quality.columns", "quality.relations", "quality.useful", "quality.ranges",
    *(f"attacks.attribute.{name}" for name in ("smoker", "age", "income", "weight", "job", "grade", "born", "seen")),
}  # fmt: skip


def _plain(value):
    """Whether JSON gives back the very same thing, and nothing is a NumPy scalar in disguise."""
    if isinstance(value, dict):
        return all(type(k) is str and _plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return type(value) in (str, int, float, bool, type(None))


def _checked(findings):
    """Findings by name, after what must hold for all of them."""
    for finding in findings:
        data = dataclasses.asdict(finding)
        assert _plain(data), finding.check
        json.dumps(data, allow_nan=False)
        assert finding.title
        assert finding.value is not None or finding.note, finding.check
        assert finding.verdict in ("pass", "fail", "inconclusive", None)
        assert finding.better in ("lower", "higher", "closer")
        assert finding.reference is None or finding.reference_is or finding.value is None, finding.check
        if finding.value is not None and finding.interval is not None:
            assert finding.interval[0] <= finding.value <= finding.interval[1], finding.check
    names = [finding.check for finding in findings]
    assert len(names) == len(set(names))
    return dict(zip(names, findings, strict=True))


@pytest.fixture(scope="module")
def findings(schema, people):
    return _checked(evaluate(people(900, 0), people(600, 1), people(800, 2), schema))


def test_every_finding_is_there(findings):
    assert set(findings) == EXPECTED
    assert {name for name, finding in findings.items() if finding.value is None} == {"fairness", "quality.useful"}
    useful = findings["quality.useful"]
    assert (useful.verdict, useful.details["real"] < 0.6) == ("inconclusive", True)
    assert "do not surely teach anything" in useful.note, "the target follows age only a little"


KEYS = {
    "fidelity.tvd1": {"columns", "histograms"},
    "fidelity.tvd2": {"pairs"},
    "fidelity.tvd3": {"worst", "sets", "sampled"},
    "fidelity.tails": {"columns"},
    "fidelity.categories": {"columns"},
    "utility.boosting.auc": {"reference_interval", "target", "positive", "positive_share_holdout", "roc"},
    "utility.logistic.ap": {"reference_interval", "target", "positive", "positive_share_holdout"},
    "attacks.replication": {"levels", "distinct_copied"},
    "attacks.ldr.rank": {"attack", "scaling", "level", "n_members", "n_nonmembers", "mde_auc", "tpr", "roc"},
    "attacks.membership": {
        "chosen", "fpr", "tp", "n_members", "fp", "n_nonmembers", "upper_all", "attacks", "tolerance", "mu_tolerance", "mde_auc",
        "needed_nonmembers", "familywise_p", "precision", "above", "surely", "settleable", "power", "blind",
    },
    "attacks.familywise": {"p", "critical", "permutations", "attacks", "level"},
    "attacks.worst": {"groups", "judged", "auc_all", "interval_all"},
    "attacks.controls": {"gates"},
    "expectations.schema": {"expectations"},
    "quality.columns": {"columns", "wrong", "unsure", "tolerated", "tolerated_shares", "needed_rows"},
    "quality.relations": {
        "pairs", "links", "drawn", "wrong", "broken", "together", "related", "compared", "tolerated", "tolerated_links", "needed_rows",
    },
    "quality.useful": {"target", "real", "synthetic", "tolerated"},
    "quality.ranges": {"lost", "silent", "bought", "columns"},
}  # fmt: skip
ROWS = {
    ("fidelity.tvd1", "columns"): {"column", "value", "reference"},
    ("fidelity.tvd1", "histograms"): {"column", "bins", "train", "holdout", "synthetic"},
    ("fidelity.tvd2", "pairs"): {"columns", "value", "reference"},
    ("fidelity.tvd3", "worst"): {"columns", "value", "reference"},
    ("fidelity.tails", "columns"): {"column", "low", "high", "train_low", "train_high", "synthetic_low", "synthetic_high"},
    ("fidelity.categories", "columns"): {"column", "real", "kept", "lost_rare", "invented"},
    ("attacks.replication", "levels"): {
        "rows", "label", "tau", "members", "n_members", "holdout", "n_holdout", "rate_members", "rate_holdout", "excess", "interval",
    },
    ("attacks.ldr.rank", "tpr"): {"fpr", "tp", "fp", "tpr", "interval", "fpr_upper", "note"},
    ("attacks.controls", "gates"): {"name", "value", "low", "high", "ok"},
    ("expectations.schema", "expectations"): {"expectation", "column", "met", "unexpected_share"},
}  # fmt: skip


def test_details_have_the_shapes_the_report_draws(findings):
    for check, keys in KEYS.items():
        assert keys <= set(findings[check].details), check
    for (check, part), keys in ROWS.items():
        rows = findings[check].details[part]
        assert rows, (check, part)
        assert all(set(row) == keys for row in rows), (check, part)
    assert len(findings["fidelity.tvd2"].details["pairs"]) == 8 * 7 / 2
    assert f"attacks.{findings['attacks.membership'].details['chosen']}" in findings


def test_the_seed_decides(schema, people):
    tables = people(120, 0), people(80, 1), people(120, 2)
    first, again, other = (evaluate(*tables, schema, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_progress_is_told_what_comes_and_what_is_behind(schema, people):
    told = []
    evaluate(people(60, 0), people(40, 1), people(60, 2), schema, progress=lambda label, fraction: told.append((label, fraction)))
    labels = [label for label, _ in told]
    assert [label for label in labels if ": " not in label] == [*CHECKS, "done"]
    assert {label.split(": ")[0] for label in labels if ": " in label} == {"attacks"}
    assert len([label for label in labels if label.startswith("attacks: ")]) > 10
    fractions = [fraction for _, fraction in told]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


def test_the_tables_are_left_as_they_were(schema, people):
    tables = [people(60, seed) for seed in range(3)]
    copies = [table.copy(deep=True) for table in tables]
    evaluate(*tables, schema)
    for table, copy in zip(tables, copies, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_row_labels_do_not_matter(schema, people):
    tables = [people(60, seed) for seed in range(3)]
    labelled = [table.set_index(np.zeros(60, int)) for table in tables]
    assert evaluate(*tables, schema) == evaluate(*labelled, schema)


TINY = [
    (0, 0, 0),
    (0, 5, 5),
    (5, 0, 5),
    (5, 5, 0),
    (1, 1, 1),
    (2, 2, 1),
    (2, 3, 2),
    (30, 20, 1),
    (1, 20, 30),
    (30, 1, 30),
    (30, 20, 30),
]


@pytest.mark.parametrize("sizes", TINY, ids=str)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_tiny_tables_go_through(schema, people, sizes):
    found = _checked(evaluate(*(people(size, seed) for seed, size in enumerate(sizes)), schema))
    assert set(found) == EXPECTED


@pytest.mark.parametrize("sizes", TINY, ids=str)
def test_tiny_tables_of_units_go_through(unit_schema, visits, sizes):
    assert set(_checked(evaluate(*(visits(size, seed) for seed, size in enumerate(sizes)), unit_schema))) >= EXPECTED


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("kind", ["missing", "constant"])
@pytest.mark.parametrize("target", ["smoker", "born"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_columns_without_information_go_through(schema, people, which, kind, target):
    tables = [people(40, seed) for seed in range(3)]
    empty = tables[which].copy()
    for name in schema.names:
        if kind == "constant":
            empty[name] = empty[name].dropna().iloc[[0] * 40].set_axis(empty.index)
        elif schema[name].nullable:
            empty[name] = pd.Series([None] * 40, dtype=empty[name].dtype)
    tables[which] = empty
    assert set(_checked(evaluate(*tables, schema, target=target))) == EXPECTED


SMALL_SCHEMAS = {
    "one number": Schema("t", (Column("x", "float", minimum=0.0, maximum=1.0, nullable=False),), target="x"),
    "one label": Schema("t", (Column("c", "categorical", labels=("a",)),), target="c"),
    "discovered": Schema("t", (Column("x", "integer", discover=True), Column("c", "categorical", discover=True)), target="c"),
    "unit": Schema("t", (Column("who", "identifier"), Column("x", "boolean")), unit=Unit("who", 9)),
}


@pytest.mark.parametrize("name", SMALL_SCHEMAS)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_small_schemas_go_through(name, rows):
    schema, rng = SMALL_SCHEMAS[name], np.random.default_rng(0)
    columns = {
        "x": {
            "boolean": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
            "integer": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
        },
        "c": {"categorical": rng.choice(["a", "b"] if name == "discovered" else ["a"], rows).astype(object)},
        "who": {"identifier": pd.Series(rng.choice(["p", "q", None], rows), dtype=object)},
    }
    columns["x"]["float"] = rng.random(rows)
    table = pd.DataFrame({c.name: columns[c.name][c.kind] for c in schema.columns})
    _checked(evaluate(table, table.copy(), table.copy(), schema))


def test_without_a_target_there_is_one_note_on_utility(people, schema):
    bare = dataclasses.replace(schema, target=None)
    found = _checked(evaluate(people(60, 0), people(40, 1), people(60, 2), bare))
    assert [name for name in found if name.startswith("utility")] == ["utility"]
    assert found["utility"].value is None
    named = _checked(evaluate(people(60, 0), people(40, 1), people(60, 2), bare, target="job"))
    assert named["utility.boosting.auc"].details["target"] == "job" or named["utility.boosting.auc"].value is None


def test_wrong_input_is_refused_in_one_sentence(schema, people):
    table = people(10, 0)
    with pytest.raises(SchemaError, match="the holdout table does not have the schema's columns"):
        evaluate(table, table.drop(columns="age"), table, schema)
    with pytest.raises(OptionError, match="target is 'salary'"):
        evaluate(table, table, table, schema, target="salary")


def test_every_module_says_that_it_holds_real_rows():
    from pathlib import Path

    folder = Path(tabsynth.validate.__file__).parent
    assert "tables it makes up" in (folder / "audit/__init__.py").read_text(encoding="utf-8").splitlines()[0]
    for path in set(folder.rglob("*.py")) - set(folder.glob("audit/*.py")):
        assert "NOT PRIVATE" in path.read_text(encoding="utf-8").splitlines()[0].upper(), path.name
