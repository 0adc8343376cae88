"""Conditions: what can be written, what is refused and how, and that the rows are the model's, given the condition."""

import json
import operator
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from conftest import toy_rows
from hypothesis import given, settings
from hypothesis import strategies as st

import tabsynth
from tabsynth import Release, Schema, where
from tabsynth.codec import Bins, Codec, Labels
from tabsynth.errors import OptionError
from tabsynth.models import MODELS
from tabsynth.where import OPERATORS, Clause, Condition

CARDS = 30_000


@dataclass(frozen=True)
class Deck:
    """A model that holds rows and deals them without replacement, shuffled anew in each call."""

    rows: np.ndarray
    total: float

    def sample(self, rows, rng):
        dealt = [rng.permutation(len(self.rows)) for _ in range(0, rows, len(self.rows))]
        return self.rows[np.concatenate(dealt)[:rows]]


@pytest.fixture(scope="module")
def deck() -> Release:
    """Cards with different numbers; every third has no suit."""
    columns = {
        "id": {"kind": "identifier"},
        "card": {"kind": "integer", "minimum": 0, "maximum": CARDS - 1, "nullable": False},
        "suit": {"kind": "categorical", "labels": ["hearts", "spades"]},
    }
    schema = Schema.from_dict({"name": "deck", "columns": columns})
    cards = Bins(np.arange(CARDS + 1.0), np.arange(CARDS), np.ones(CARDS), False)
    codec = Codec(schema, {"card": cards, "suit": Labels(("hearts", "spades"), True)})
    return Release(codec, Deck(np.stack([np.arange(CARDS), np.arange(CARDS) % 3], axis=1), 100.0), {})


@pytest.fixture(scope="module")
def odd() -> Codec:
    """Columns with names that have to be quoted, and labels of two types."""
    columns = {
        "last name": {"kind": "categorical", "labels": ["O'Hara", "and", "Ünal"]},
        'say "hi"': {"kind": "categorical", "labels": [-1, 2]},
        "and": {"kind": "boolean"},
        "capital-gain.2": {"kind": "integer", "minimum": -5, "maximum": 9},
        "cost": {"kind": "float", "minimum": -10, "maximum": 1000},
        "seen": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
        "at": {"kind": "datetime", "minimum": "2020-01-01", "maximum": "2020-12-31"},
    }
    schema = Schema.from_dict({"name": "odd", "columns": columns})
    spread = Bins(np.array([-10.0, 1e10]), np.array([0]), np.ones(1), True)
    coders = {c.name: Labels(c.labels, True) if c.labels else Labels((False, True), True) for c in schema.columns[:3]}
    return Codec(schema, coders | dict.fromkeys(schema.names[3:], spread))


@pytest.fixture(scope="module", params=MODELS)
def fitted(request, toy_model) -> Release:
    """Every model."""
    return toy_model(request.param)


@pytest.fixture(scope="module")
def gappy(toy_schema) -> Release:
    """Fitted to a table where a fifth of each column is missing."""
    table, rng = toy_rows(3000).astype(object), np.random.default_rng(0)
    for name in toy_schema.names:
        if toy_schema[name].nullable:
            table.loc[rng.random(len(table)) < 0.2, name] = None
    return tabsynth.fit(table, toy_schema, epsilon=10, model="independent")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cost >= 5", [("cost", ">=", 5.0)]),
        ("  cost<.5  ", [("cost", "<", 0.5)]),
        ("cost != +2. and cost > -1E-3", [("cost", "!=", 2.0), ("cost", ">", -0.001)]),
        ("\"last name\" = 'O''Hara'", [("last name", "=", "O'Hara")]),
        ("\"last name\"='and'and and=true", [("last name", "=", "and"), ("and", "=", True)]),
        ("\"last name\" != 'Ünal' AND\nand = False", [("last name", "!=", "Ünal"), ("and", "=", False)]),
        ('"say ""hi""" = -1', [('say "hi"', "=", -1)]),
        ("capital-gain.2 <= -5", [("capital-gain.2", "<=", -5)]),
        ("cost is missing and and is not missing", [("cost", "is missing", None), ("and", "is not missing", None)]),
        ("cost Is  Not  Missing", [("cost", "is not missing", None)]),
        ("seen < '2020-02-29'", [("seen", "<", pd.Timestamp("2020-02-29").date())]),
        ("at > '2020-02-29'", [("at", ">", pd.Timestamp("2020-02-29").to_pydatetime())]),
        ("at > '2020-02-29 18:30:00'", [("at", ">", pd.Timestamp("2020-02-29 18:30").to_pydatetime())]),
    ],
)
def test_what_can_be_written(text, read, odd):
    clauses = Condition.parse(text, odd).clauses
    assert [(c.column.name, c.op, c.value) for c in clauses] == read
    assert [type(c.value) for c in clauses] == [type(value) for _, _, value in read]


def test_several_conditions_hold_together(odd):
    parts = ["cost >= 5", "and = true and cost < 9"]
    assert Condition.parse(parts, odd) == Condition.parse(" and ".join(parts), odd)
    with pytest.raises(OptionError, match="cannot be read"):
        Condition.parse(['"last name" = \'and', "and' != 'x'"], odd)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the condition '' cannot be read to its end, where a comparison is missing"),
        ("age", "cannot be read from 'age' on; write comparisons such as"),
        ("age >", "cannot be read from 'age >' on"),
        ("age >= 5 and", "cannot be read to its end"),
        ("age >= 5 or sick = true", "cannot be read from 'or sick = true' on; .* joined by and"),
        ("age >= 5 sick = true", "cannot be read from 'sick = true' on"),
        ("ward = 'A", "cannot be read from"),
        ("ageis missing", "cannot be read from"),
        ("age is missingand sick = true", "cannot be read from"),
        ("not age = 5", "cannot be read from"),
        ("age in (5, 6)", "cannot be read from"),
        ("__import__('os')", "cannot be read from"),
        ("nosuch = 1", r"there is no column 'nosuch'; use 'age', 'cost', .*'drug' \(a name with spaces"),
        ("Age = 1", "there is no column 'Age'"),
        ("id = 'p1'", "column 'id' is an identifier, newly minted for each row, .*; use 'age'"),
        ("id is missing", "column 'id' is an identifier"),
        ("age == 5", "column 'age' is compared by '=='; integer columns allow = != < <= > >="),
        ("age <> 5", "is compared by '<>'"),
        ("ward < 'B'", "column 'ward' is compared by '<'; categorical columns allow = !="),
        ("level >= 2", "column 'level' is compared by '>='; categorical columns allow = !="),
        ("sick > false", "boolean columns allow = !="),
        ("age > 5.5", "column 'age' is compared with 5.5; give a whole number"),
        ("age > '5'", "give a whole number"),
        ("age > 1_0", "give a whole number"),
        ("age > ٣", "give a whole number"),
        ("age > " + "9" * 5000, "give a whole number of at most 18 digits"),
        ("cost > cheap", "column 'cost' is compared with cheap; give a number such as 12.5"),
        ("cost > nan", "give a number"),
        ("cost > inf", "give a number"),
        ("cost > 1e999", "give a number"),
        ("cost > age", "give a number"),
        ("ward = A", "column 'ward' is compared with A; give a text in single quotes"),
        ("level = '2'", "column 'level' is compared with '2'; give a whole number"),
        ("sick = 1", "column 'sick' is compared with 1; give true or false"),
        ("sick = 'true'", "give true or false"),
        ("seen > 2020-02-01", "column 'seen' is compared with 2020-02-01; give a date in single quotes, such as '2020-01-31'"),
        ("seen > '2020-02-30'", "give a date in single quotes"),
        ("seen > '2020-02-01 12:00'", "give a date in single quotes"),
        ("at > 'noon'", "give a date or time in single quotes"),
        ("at > '2020-02-01T00:00+02:00'", "give a date or time in single quotes"),
        ("ward = 'Z'", "column 'ward' has no label 'Z'; use 'A', 'B', 'C'"),
        ("ward != 'a'", "column 'ward' has no label 'a'"),
        ("level = 4", "column 'level' has no label 4; use 1, 2, 3"),
        ("drug = 'gin'", "column 'drug' has no label 'gin'; use 'aspirin', 'insulin', 'statin', 'OTHER'"),
        ("age > 100", "column 'age' is compared with 100, outside its range in the schema; give a value from 0 to 99"),
        ("cost >= -0.01", "give a value from 0 to 1000"),
        ("seen = '2021-01-01'", "give a value from 2020-01-01 to 2020-12-31"),
        ("at < '2019-12-31 23:59:59'", "give a value from 2020-01-01 00:00:00 to 2020-12-31 00:00:00"),
        ("level is missing", "the condition on column 'level' leaves no value that the model can draw; widen it"),
        ("age < 10 and sick = true and age > 90", "the condition on column 'age' leaves no value"),
        ("score > 1e12", "the condition on column 'score' leaves no value"),
        (5, "where is a int; give text such as"),
        (["age > 5", 5], "where is a list; give text"),
    ],
)
@pytest.mark.parametrize("rows", [None, 10])
def test_what_is_refused_in_one_sentence(text, says, rows, gappy):
    with pytest.raises(OptionError, match=says) as error:
        gappy.sample(rows, where=text)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")
    assert len(str(error.value)) < 500


def test_long_lists_of_labels_and_columns_are_not_told():
    columns = {f"c{i}": {"kind": "boolean"} for i in range(50)}
    many = {"kind": "categorical", "labels": [f"v{i}" for i in range(21)]}
    schema = Schema.from_dict({"name": "wide", "columns": {"many": many} | columns})
    codec = Codec(schema, {c.name: Labels(c.labels or (False, True), False) for c in schema.columns})
    with pytest.raises(OptionError, match="has no label 'x'; use one of its 21 labels"):
        Condition.parse("many = 'x'", codec)
    with pytest.raises(OptionError, match="'c18' or 31 more"):
        Condition.parse("x = 1", codec)


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(["age", "ward", '"id"', "'A'", "'", '"', "=", "<", "and", "is", "not", "missing", " ", "5", "é"])
        | st.text(max_size=4)
    )
)
def test_any_text_is_read_or_refused_never_worse(text, gappy):
    try:
        Condition.parse("".join(text), gappy.codec)
    except OptionError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1500


VALUES = {
    "age": (0, 37, 99),
    "cost": (0.0, 12.34, 1000.0),
    "seen": tuple(d.date() for d in pd.to_datetime(["2020-01-01", "2020-03-07", "2020-12-31"])),
    "at": tuple(pd.to_datetime(["2020-01-01 00:00:00", "2020-03-07 01:02:03", "2020-12-31 00:00:00"]).to_pydatetime()),
    "score": (50.0, -1e6),
    "ward": ("B",),
    "level": (2,),
    "sick": (True, False),
    "drug": ("aspirin", "OTHER"),
}


@pytest.mark.parametrize("name", VALUES)
def test_each_comparison_means_what_it_says_and_no_code_is_ruled_out_wrongly(name, gappy):
    """Against plain Python, value by value, on every code of the column 300 times, whatever the other codes are."""
    column, coder = gappy.schema[name], gappy.codec.coders[name]
    size, null = gappy.codec.domain[name], column.nullable
    codes = np.random.default_rng(1).integers(0, list(gappy.codec.domain.values()), (300 * size, len(gappy.codec.domain)))
    codes[:, list(gappy.codec.domain).index(name)] = own = np.arange(size).repeat(300)
    values = gappy.codec.decode(codes, np.random.default_rng(0))[name]
    plain = [None if pd.isna(v) else v.date() if column.kind == "date" else v for v in values]
    told = {">=": "ge", ">": "gt", "<=": "le", "<": "lt", "=": "eq", "!=": "ne"}
    for op in OPERATORS if column.numeric else ("=", "!="):
        for value in VALUES[name]:
            clause = Clause(column, op, value)
            expected = [v is not None and getattr(operator, told[op])(v, value) for v in plain]
            assert clause.holds(values).tolist() == expected, (op, value)
            possible = clause.possible(coder)
            assert possible[own][expected].all(), (op, value)
            assert not possible[size - 1] or not null, "a missing value satisfies no comparison"
    missing = [v is None for v in plain]
    assert any(missing) == null
    for op, expected in (("is missing", missing), ("is not missing", [not m for m in missing])):
        assert Clause(column, op).holds(values).tolist() == expected
        assert Clause(column, op).possible(coder)[own].tolist() == expected


def test_codes_far_from_the_condition_are_never_decoded(gappy):
    """The shortcut cuts: of a column with many bins, those on the wrong side are not possible."""
    coder = gappy.codec.coders["age"]
    possible = Clause(gappy.schema["age"], ">=", 50).possible(coder)
    assert 0.2 * coder.size < possible.sum() < 0.8 * coder.size


CONDITION = "age >= 37 and ward != 'A' and seen < '2020-09-17'"


def satisfying(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame.age >= 37).fillna(False) & frame.ward.isin(["B", "C"]) & (frame.seen < pd.Timestamp("2020-09-17"))]


def test_exactly_as_many_rows_as_asked_for_and_all_satisfy(fitted):
    for rows in (1, 500):
        frame = fitted.sample(rows, seed=1, where=CONDITION)
        assert len(frame) == len(satisfying(frame)) == rows
        assert list(frame.index) == list(range(rows))
        assert frame.id.is_unique
        assert frame.dtypes.equals(fitted.sample(5).dtypes)


def test_same_seed_same_rows(fitted):
    first = fitted.sample(300, seed=3, where=CONDITION)
    assert first.equals(fitted.sample(300, seed=3, where=CONDITION))
    assert not first.equals(fitted.sample(300, seed=4, where=CONDITION))


def test_rows_follow_the_models_distribution_given_the_condition(fitted):
    """Shares of other columns, and of the compared ones within the condition, within 5 standard errors of a filtered sample's."""
    free, given_it = satisfying(fitted.sample(40_000, seed=1)), fitted.sample(6000, seed=2, where=CONDITION)
    assert len(free) > 3000

    def shares(frame):
        out = {
            f"{c}={v}": (frame[c] == v).fillna(False).mean()
            for c, values in VALUES.items()
            for v in values
            if c in ("level", "sick", "ward", "drug")
        }
        cuts = {
            "age": (40, 50, 60, 80),
            "cost": (0.01, 50, 100),
            "score": (40, 50, 60),
            "seen": tuple(pd.to_datetime(["2020-03-01", "2020-09-01"])),
        }
        return out | {f"{c}<{v}": (frame[c] < v).fillna(False).mean() for c, values in cuts.items() for v in values}

    one, other = shares(free), shares(given_it)
    for what, p in one.items():
        error = np.sqrt((p * (1 - p) + 1 / len(free)) * (1 / len(free) + 1 / len(given_it)))
        assert abs(p - other[what]) < 5 * error, (what, p, other[what], error)


def test_without_rows_one_sample_of_the_default_size_is_filtered(fitted):
    frame = fitted.sample(seed=1, where=CONDITION)
    assert len(satisfying(frame)) == len(frame)
    share = len(satisfying(fitted.sample(40_000, seed=2))) / 40_000
    assert abs(len(frame) - share * fitted.rows) < 5 * np.sqrt(share * (1 - share) * fitted.rows)


def test_rows_that_the_model_holds_come_once(deck):
    """600 of the 1,000 such cards take more than the first draw of 10,000; dealt again and added up, cards would repeat."""
    frame = deck.sample(600, seed=0, where="card < 1000")
    assert frame.card.nunique() == 600
    assert frame.card.between(0, 999).all()
    assert frame.id.is_unique


def test_missing_values_can_be_asked_for(deck):
    assert deck.sample(50, where="suit is missing").suit.isna().all()
    assert deck.sample(50, where="suit != 'hearts'").suit.eq("spades").all()
    assert deck.sample(50, where="suit is not missing").suit.notna().all()


def test_a_condition_that_is_too_rare_is_refused_with_what_was_found(deck, monkeypatch):
    with pytest.raises(
        OptionError, match=r"^3[34] of 1,000,000 drawn rows satisfy the condition, .*; ask for fewer rows or for a wider"
    ):
        deck.sample(2000, where="card = 7")
    assert (deck.sample(20, where="card = 7").card == 7).all()
    monkeypatch.setattr(where, "MOST_ROWS", 50_000)
    with pytest.raises(OptionError, match=r"^[12] of 50,000 drawn rows satisfy the condition, which is too rare for 5 rows"):
        deck.sample(5, where="card = 7")
    with pytest.raises(OptionError, match="none of 100 drawn rows satisfies the condition; widen it, or say how many"):
        deck.sample(where="card = 7")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, gappy):
    path = tmp_path_factory.mktemp("where")
    gappy.save(path / "model")
    return path


def run(folder, *arguments):
    command = [sys.executable, "-m", "tabsynth", "sample", str(folder / "model"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_on_the_command_line_conditions_add_up(folder, gappy):
    out = folder / "some.csv"
    done = run(
        folder,
        "--rows",
        200,
        "--seed",
        5,
        "--where",
        "age >= 37",
        "--where",
        "ward != 'A' and seen < '2020-09-17'",
        "--out",
        out,
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 200
    expected = gappy.sample(200, seed=5, where=CONDITION)
    assert pd.read_csv(out).age.tolist() == expected.age.tolist()
    out.unlink()


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("age >= 37 or sick = true", "cannot be read from 'or sick = true' on"),
        ("nosuch = 1", "there is no column 'nosuch'"),
        ("", "cannot be read to its end"),
        ("cost = 0.123", "none of [1-9][0-9,]* drawn rows satisfies the condition"),
    ],
)
def test_on_the_command_line_bad_conditions_end_with_2_and_write_nothing(condition, says, folder):
    (folder / "kept.csv").write_text("earlier")
    before = sorted(folder.rglob("*"))
    for name in ("new.parquet", "kept.csv"):
        done = run(folder, "--rows", 3000, "--where", condition, "--out", folder / name)
        assert done.returncode == 2
        assert done.stdout == ""
        assert pd.Series(done.stderr.strip().splitlines()[-1]).str.contains(says).all()
        assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before
    assert (folder / "kept.csv").read_text() == "earlier"


def test_the_example_runs():
    import doctest

    assert doctest.testmod(where).attempted > 0
    assert doctest.testmod(where).failed == 0


def test_a_condition_without_mass_says_so_and_which_part_of_it_has_none(deck, monkeypatch):
    """Not "ask for fewer rows": no number of rows is few enough."""
    with pytest.raises(
        OptionError, match=r"no mass, or next to none; what is said about each column .* never together"
    ) as refused:
        deck.sample(10, where="card = 3 and suit is missing")
    assert "fewer rows" not in str(refused.value)
    monkeypatch.setattr(where, "MOST_ROWS", 1_000)
    monkeypatch.setattr(where, "FIRST_ROWS", 1_000)
    with pytest.raises(OptionError, match=r"none of 1,000 .*; what is said about 'card' holds in none of them by itself"):
        deck.sample(10, where="card = 7 and suit = 'spades'")
