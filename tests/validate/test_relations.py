"""Pairs that lose their relation fail, links that break fail, and a table as good as other real rows does neither."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence
from tabsynth.validate.relations import needed, relations

LABELS = ("a", "b", "c", "d")
SCHEMA = Schema(
    "pairs",
    (
        Column("age", "integer", minimum=0, maximum=120),
        Column("job", "categorical", labels=LABELS),
        Column("wage", "float", minimum=0, maximum=1e6),
        Column("event", "boolean"),
        Column("amount", "float", minimum=0, maximum=1e6),
        Column("noise", "float", minimum=0, maximum=1),
    ),
    target="event",
)


def draw(rows: int, seed: int) -> pd.DataFrame:
    """Jobs go with age; only those with a job have a wage; only rows with an event have an amount."""
    rng = np.random.default_rng([seed, rows, 9])
    age = rng.integers(18, 90, rows)
    job = np.array(LABELS, dtype=object)[np.clip((age - 18 + rng.normal(0, 12, rows)) // 18, 0, 3).astype(int)]
    event = rng.random(rows) < 0.02
    return pd.DataFrame({
        "age": pd.array(age, dtype="Int64"), "job": job, "wage": np.where(job == "d", 0.0, rng.lognormal(8, 0.5, rows)),
        "event": pd.array(event, dtype="boolean"), "amount": np.where(event, rng.lognormal(5, 1, rows), 0.0), "noise": rng.random(rows),
    })  # fmt: skip


def judged(synthetic: pd.DataFrame, train: pd.DataFrame, holdout: pd.DataFrame):
    return relations(Evidence(SCHEMA, train, holdout, synthetic, target="event"))[0]


def tables(rows: int = 6_000, seed: int = 0) -> dict[str, pd.DataFrame]:
    return {"synthetic": draw(rows, seed), "train": draw(rows, seed + 1), "holdout": draw(rows // 2, seed + 2)}


def independent(table: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({name: table[name].array[rng.permutation(len(table))] for name in table})


def turned(table: pd.DataFrame) -> pd.DataFrame:
    """As strong a relation, the other way round."""
    return table.assign(age=108 - table.age)


def shuffled(table: pd.DataFrame, name: str, share: float) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = rng.random(len(table)) < share
    values = table[name].to_numpy(copy=True)
    values[rows] = rng.permutation(values)[rows]
    return table.assign(**{name: values})


def test_other_real_rows_keep_all_relations():
    found = judged(**tables())
    assert (found.verdict, found.details["wrong"], found.details["broken"]) == ("pass", [], [])
    assert found.value > 0.95


def test_independent_columns_fail():
    given = tables()
    found = judged(**given | {"synthetic": independent(given["synthetic"])})
    assert found.verdict == "fail"
    assert ["age", "job"] in found.details["wrong"]
    assert found.details["together"]
    assert found.value < 0.2
    assert found.details["pairs"][0]["columns"] in (["age", "job"], ["job", "wage"], ["age", "wage"])


def test_a_relation_that_is_turned_round_fails():
    given = tables()
    assert ["age", "job"] in judged(**given | {"synthetic": turned(given["synthetic"])}).details["wrong"]


@pytest.mark.parametrize(("name", "share", "pair"), [("wage", 0.5, ["job", "wage"]), ("amount", 1.0, ["event", "amount"])])
def test_a_broken_link_is_named_with_who_has_it(name, share, pair):
    """A tenth of the rows have a wage without a job; nearly every amount is without its event, though that is 4 % of the rows."""
    given = tables(12_000)
    found = judged(**given | {"synthetic": shuffled(given["synthetic"], name, share)})
    assert found.verdict == "fail"
    assert pair in found.details["broken"]
    link = next(link for link in found.details["links"] if link["columns"] == pair)
    assert link["holdout"] < 0.001 < link["synthetic"]


def test_links_that_are_hardly_broken_pass():
    given = tables(12_000)
    found = judged(**given | {"synthetic": shuffled(given["synthetic"], "wage", 0.05)})
    assert (found.verdict, found.details["broken"]) == ("pass", [])


def test_other_real_rows_hardly_ever_fail():
    """30 tables of all sizes; the level is 2 %, and its bounds are generous: none fails. `tests/slow` has more of them."""
    verdicts = [judged(*(draw(n, 3 * seed + i) for i, n in enumerate((rows, rows, rows // 2)))).verdict
                for rows in (60, 300, 1_500) for seed in range(10)]  # fmt: skip
    assert "fail" not in verdicts


def test_small_tables_leave_it_open_and_say_how_many_rows_settle_it():
    found = judged(**tables(200))
    assert found.verdict == "inconclusive"
    assert found.details["needed_rows"] > 200
    least = needed(len(SCHEMA.columns), 0.5)
    assert judged(**tables(least // 2)).verdict == "inconclusive"
    assert judged(**tables(2 * least)).verdict == "pass"


def test_where_nothing_is_related_nothing_can_be_lost():
    schema = Schema("none", (Column("one", "boolean"), Column("two", "boolean")))
    rng = np.random.default_rng(4)
    given = [pd.DataFrame({n: pd.array(rng.random(3_000) < 0.5, dtype="boolean") for n in ("one", "two")}) for _ in range(3)]
    found = relations(Evidence(schema, *given))[0]
    assert (found.value, found.verdict, found.details["related"]) == (1.0, "pass", 0)
    assert relations(Evidence(Schema("one", schema.columns[:1]), *(t[["one"]] for t in given))) == []
