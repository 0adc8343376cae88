"""A fit that starts from a public table or an earlier release: better on small tables, not misled by a wrong one, stated on the card."""

import json

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import pipeline
from tabsynth.errors import DataError, FolderError, OptionError, SchemaError
from tabsynth.prior import prior as read_prior
from tabsynth.verify import verify

COLUMNS = 6


def people(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Numbers that hang together, and an outcome that they tell."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(shift, 1, (rows, 2))
    table = {f"x{i}": np.round(50 + 10 * (hidden[:, i % 2] + rng.normal(0, 0.5, rows)), 1) for i in range(COLUMNS)}
    return pd.DataFrame(table | {"ill": hidden.sum(axis=1) + rng.normal(0, 0.5, rows) > shift})


@pytest.fixture(scope="module")
def schema() -> tabsynth.Schema:
    columns = {f"x{i}": {"kind": "float", "minimum": 0, "maximum": 10_000, "decimals": 1} for i in range(COLUMNS)}
    return tabsynth.Schema.from_dict({"name": "people", "target": "ill", "columns": columns | {"ill": {"kind": "boolean"}}})


def error(synthetic: pd.DataFrame, real: pd.DataFrame) -> float:
    """Median error of the columns' means in standard deviations."""
    numbers = real.drop(columns="ill")
    return float(((synthetic[numbers.columns].mean() - numbers.mean()).abs() / numbers.std()).median())


@pytest.fixture(scope="module")
def started(schema, tmp_path_factory):
    """200 rows, released from a prior of 400 others."""
    out = tmp_path_factory.mktemp("prior") / "out"
    card = pipeline.release(people(300, 1), schema, out, epsilon=1, prior=people(400, 2))
    return out, card


def test_a_small_table_comes_out_better_with_a_prior(schema):
    train, real = people(100, 1), people(5_000, 3)

    def related(table: pd.DataFrame) -> float:
        return float(table["x0"].corr(table["x2"]))

    alone = tabsynth.fit(train, schema, epsilon=1).sample(2_000, seed=0)
    told = tabsynth.fit(train, schema, epsilon=1, prior=people(1_000, 2)).sample(2_000, seed=0)
    assert related(real) > 0.7
    assert related(told) > 0.4 > 0.25 > related(alone)
    assert error(told, real) < 0.2 < error(alone, real)


def test_a_wrong_prior_does_not_hold_when_the_rows_say_otherwise(schema):
    """Its people are three standard deviations elsewhere, and most of them were never seen with the outcome."""
    train = people(15_000, 1)
    wrong = people(1_000, 2, shift=-3.0)
    wrong["ill"] = False
    fitted = tabsynth.fit(train, schema, epsilon=1, prior=wrong)
    told = fitted.sample(5_000, seed=0)
    assert error(told, train) < 0.1
    assert {entry["column"] for entry in fitted.card["bought"]} == {f"x{i}" for i in range(COLUMNS)}
    assert abs(told["ill"].mean() - train["ill"].mean()) < 0.06
    assert 70 < told["x0"].quantile(0.99) < 110


def test_rows_beyond_the_prior_keep_their_range_and_their_labels():
    columns = {
        "bought": {"kind": "float", "discover": True, "decimals": 1},
        "day": {"kind": "date", "minimum": "2020-01-01", "maximum": "2029-12-31"},
        "ward": {"kind": "categorical", "discover": True},
    }
    schema = tabsynth.Schema.from_dict({"name": "later", "columns": columns})
    rng = np.random.default_rng(0)

    def year(first: int, low: float, wards: str) -> pd.DataFrame:
        days = pd.Timestamp(first, 1, 1) + pd.to_timedelta(rng.integers(0, 365, 5_000), unit="D")
        return pd.DataFrame(
            {"bought": rng.uniform(low, low + 50, 5_000).round(1), "day": days, "ward": rng.choice(list(wards), 5_000)}
        )

    made = tabsynth.fit(year(2024, 120, "abz"), schema, epsilon=3, prior=year(2023, 100, "abc")).sample(5_000, seed=0)
    assert made["bought"].median() == pytest.approx(145, abs=5)
    assert (pd.to_datetime(made["day"]).dt.year == 2024).mean() > 0.9
    assert set(made["ward"]) <= {"a", "b", "c", "OTHER"}
    assert (made["ward"] == "OTHER").mean() == pytest.approx(1 / 3, abs=0.05)


def test_the_card_names_it_and_verify_agrees(started):
    out, card = started
    assert card["prior"]["rows"] == 400
    assert len(card["prior"]["sha256"]) == 64
    assert card["bought"] == []
    assert card["prior"]["columns"] == [f"x{i}" for i in range(COLUMNS)]
    assert card["model"]["chosen"] == "auto: it can start from a prior"
    assert sum(charge["note"].startswith("bins of the prior") for charge in card["ledger"]["charges"]) == COLUMNS
    assert any("the prior, which counts as public" in limit for limit in card["limits"])
    assert "a table of 400 rows that counts as public" in (out / "release/card.html").read_text()
    assert "a table of 400 rows that counts as public" in (out / "confidential/report.internal.html").read_text()
    assert [result for result in verify(out) if not result.holds] == []


def test_a_card_that_hides_its_prior_is_found(started, tmp_path):
    import shutil

    shutil.copytree(started[0] / "release", tmp_path / "release")
    path = tmp_path / "release/card.json"
    card = json.loads(path.read_text())
    del card["prior"]
    path.write_text(json.dumps(card))
    wrong = {result.check for result in verify(tmp_path / "release") if not result.holds}
    assert "guarantee, ledger, noise and limits are those of these charges and this schema" in wrong
    assert "the model loads and says the same as the card" in wrong


def test_an_earlier_release_is_a_prior_and_its_epsilon_is_said(started, schema):
    found = read_prior(started[0], schema)
    assert found.about["release"]["epsilon"] == started[1]["guarantee"]["epsilon"]
    assert found.about["rows"] == started[1]["synthetic"]["rows"]
    fitted = tabsynth.fit(people(200, 4), schema, epsilon=1, prior=started[0] / "release")
    assert fitted.card["prior"] == found.about | {"columns": [f"x{i}" for i in range(COLUMNS)]}


def test_shadows_cannot_fit_it_again(started, schema):
    from tabsynth import shadow

    with pytest.raises(OptionError, match="started from a prior"):
        shadow.plan(started[1], shadows=2)


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (pd.DataFrame({"x0": [1.0]}), SchemaError, "the prior: the data has no column 'x1'"),
        (people(0, 0), DataError, "the prior has no rows"),
        (people(5, 0).assign(more=1), SchemaError, "the prior: the data has 'more'"),
    ],
)
def test_what_is_no_prior_is_refused(given, kind, sentence, schema):
    with pytest.raises(kind, match=sentence):
        tabsynth.fit(people(50, 0), schema, epsilon=1, prior=given)


def test_a_folder_without_a_table_and_a_model_that_cannot_start_from_one_are_refused(schema, tmp_path):
    with pytest.raises(FolderError, match="is a folder without"):
        tabsynth.fit(people(50, 0), schema, epsilon=1, prior=tmp_path)
    with pytest.raises(OptionError, match="'copula' cannot start from a prior; use aim"):
        tabsynth.fit(people(50, 0), schema, epsilon=1, model="copula", prior=people(50, 1))


def test_a_prior_needs_only_the_columns_that_are_modelled():
    columns = {"who": {"kind": "identifier"}, "x": {"kind": "integer", "minimum": 0, "maximum": 9}, "y": {"kind": "boolean"}}
    schema = tabsynth.Schema.from_dict({"name": "kept", "unit": {"key": "who", "max_rows": 2}, "columns": columns})
    table = pd.DataFrame({"who": ["a", "b", "a"], "x": [1, 2, 3], "y": [True, False, True]})
    assert read_prior(table.drop(columns="who"), schema).about == read_prior(table, schema).about
    assert len(tabsynth.fit(table, schema, epsilon=1, prior=table.drop(columns="who")).sample(3, seed=0)) == 3


def test_the_command_reads_it_as_it_reads_the_table(schema, tmp_path, run):
    people(60, 0).to_csv(tmp_path / "t.csv", index=False, sep=";")
    people(80, 1).to_csv(tmp_path / "p.csv", index=False, sep=";")
    (tmp_path / "s.yaml").write_text(schema.dump())
    asked = ["--schema", tmp_path / "s.yaml", "--epsilon", 1, "--delimiter", ";", "--prior", tmp_path / "p.csv"]
    code, _, err = run("fit", tmp_path / "t.csv", *asked, "--out", tmp_path / "model")
    assert code == 0, err
    assert "Model aim (auto: it can start from a prior)" in err
    assert json.loads((tmp_path / "model/card.json").read_text())["prior"]["rows"] == 80
    code, _, err = run("fit", tmp_path / "t.csv", *asked, "--model", "mst", "--out", tmp_path / "OTHER")
    assert code == 2
    assert "'mst' cannot start from a prior" in err
