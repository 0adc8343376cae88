"""Any schema, any table, any unit: no answer moves by more than was paid for."""

import contextlib
import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from conftest import codec_of, visits
from exact import ROUNDING, exactly, few
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tabsynth import Schema
from tabsynth.access import Candidate
from tabsynth.codec import Bins, Codec, Labels, public_coder
from tabsynth.conform import read
from tabsynth.curator import _grids
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import LATTICE, PrivateTable
from tabsynth.errors import Unaccounted
from tabsynth.schema import OTHER
from tabsynth.times import LEVELS, Times, is_temporal

DAY = dt.date(2020, 1, 1)
NOON = dt.datetime(2020, 1, 1, 12)

VIEWS = {"day": 3, "time": 1800, "level": 1, "weekday": 1, "monthday": 2, "month": 1}
MISFITS = [None, "", "null", "x", "1e400", "nan", -7, 99, 2.5]
VALUES = {
    "integer": st.integers(-2, 12),
    "float": st.floats(-2, 12, allow_nan=False).map(lambda v: round(v, 2)),
    "categorical": st.sampled_from(["A", "B", "C", OTHER, "A|B"]),
    "boolean": st.sampled_from([True, False, "yes", "0"]),
    "date": st.integers(-3, 15).map(lambda n: (DAY + dt.timedelta(n)).isoformat()),
    "datetime": st.integers(-9, 47).map(lambda n: (NOON + dt.timedelta(hours=7.5 * n)).isoformat()),
}


@st.composite
def columns(draw):
    """What a schema says of one column."""
    kind = draw(st.sampled_from(list(VALUES)))
    out = {"kind": kind, "nullable": draw(st.booleans())}
    if kind == "boolean":
        return out
    if draw(st.booleans()):
        out["discover"] = True
    elif kind == "categorical":
        out["labels"] = draw(st.sampled_from([["A", "B"], ["null", "A"], [1, 2, 99]]))
    else:
        low, high = sorted(draw(st.tuples(st.integers(-1, 8), st.integers(-1, 8))))
        start = {"date": DAY, "datetime": NOON}.get(kind)
        ends = [start + dt.timedelta(n) for n in (low, high)] if start else [low, high]
        out |= dict(zip(("minimum", "maximum"), ends, strict=True))
    texts = kind == "categorical" and "A" in out.get("labels", "A")
    out["outside"] = draw(
        st.sampled_from(["missing"] + (["other"] if texts else []) + (["clamp"] if kind != "categorical" else []))
    )
    if kind == "float" and draw(st.booleans()):
        out["decimals"] = draw(st.integers(0, 2))
    return out


@st.composite
def neighbours(draw):
    """A schema, a table, and the table without one of its units, which has up to 7 rows where units have a key, else one."""
    described = {f"c{i}": column for i, column in enumerate(draw(st.lists(columns(), min_size=1, max_size=4)))}
    data = {"name": "any", "columns": described}
    if keyed := draw(st.booleans()):
        data["unit"] = {"key": "id", "max_rows": draw(st.integers(1, 4))}
        data["columns"] = described | {"id": {"kind": "identifier"}}
    value = {name: st.one_of(VALUES[c["kind"]], VALUES[c["kind"]], st.sampled_from(MISFITS)) for name, c in described.items()}
    row = st.fixed_dictionaries(value | ({"id": st.sampled_from(["p", "q", "r", "s", None])} if keyed else {}))
    rest = draw(st.lists(row, min_size=1, max_size=12))
    theirs = draw(st.lists(row, min_size=1, max_size=7 if keyed else 1))
    marked = [r | {"id": "the unit"} if keyed else r for r in theirs]
    order = draw(st.permutations([(True, r) for r in marked] + [(False, r) for r in rest]))
    # Kept as objects, so that both tables are stored alike: what pandas guesses is another test.
    both, without = ([r for ours, r in order if whole or not ours] for whole in (True, False))
    frames = [pd.DataFrame(rows, dtype=object)[list(data["columns"])] for rows in (both, without)]
    return Schema.from_dict(data), *frames


def origin(column) -> float:
    """Where a column's usual values start on its axis."""
    return column.to_axis({"date": DAY, "datetime": NOON}[column.kind]) if is_temporal(column) else 0.0


def some_times(column, rng) -> Times:
    """A coder of several parts that could have been bought."""
    first = (DAY - dt.date(1970, 1, 1)).days
    day = Bins(first + np.array([-2.0, 1, 3, 9]), np.array([0, 2]), np.ones(3), column.nullable)
    clock = Bins(np.array([0.0, 3600, 43_200, 86_400]), np.array([0, 1]), np.ones(3), True)
    parts = [p for p in ("weekday", "month", "time") if rng.random() < 0.6 and (p != "time" or column.kind == "datetime")]
    timed = {"time": clock, "levels": np.ones(len(LEVELS))} if column.kind == "datetime" else {}
    return Times(day, {"weekday": np.ones(7)}, tuple(parts), True, **timed)


def some_codec(schema: Schema, seed: int) -> Codec:
    """What is public, and for what is not, something that could have been bought."""
    rng = np.random.default_rng(seed)

    def bought(column) -> Labels | Bins:
        if column.kind == "categorical":
            spare = (OTHER,) if column.outside == "other" or rng.random() < 0.5 else ()
            return Labels((*rng.permutation(["A", "B", "x"])[: rng.integers(1, 4)].tolist(), *spare), column.nullable)
        if is_temporal(column) and rng.random() < 0.7:
            return some_times(column, rng)
        edges = origin(column) + np.sort(rng.choice(np.arange(-3.0, 14), rng.integers(2, 8), replace=False))
        starts = np.unique([0, *rng.integers(0, len(edges) - 1, 3)])
        return Bins(edges, starts, np.ones(len(edges) - 1), column.nullable)

    return Codec(schema, {c.name: public_coder(c) or bought(c) for c in schema.modelled})


def questions(schema: Schema, domain, seed: int):
    """One call of every kind, on random arguments: what it is called and how it is asked."""
    rng = np.random.default_rng(seed)
    names = list(domain)
    cliques = [tuple(rng.permutation(names)[: rng.integers(1, len(names) + 1)].tolist()) for _ in range(3)]
    shape = {c: tuple(domain[a] for a in c) for c in cliques}
    guess = [Candidate(c, rng.integers(0, 5, shape[c])) for c in cliques]
    groups = {a: rng.integers(0, 3, domain[a]) for a in names if rng.random() < 0.5}
    size = {a: int(groups[a].max()) + 1 if a in groups else n for a, n in domain.items()}
    coarse = [Candidate(c, rng.integers(0, 5, tuple(size[a] for a in c))) for c in cliques]
    axis = [c for c in schema.modelled if c.numeric]
    edges = {c.name: origin(c) + np.sort(rng.choice(12, 4, replace=False)).astype(float) for c in axis}
    timed = [c.name for c in axis if is_temporal(c)]
    views = {f"{name}:{what}": np.arange(0, 90_000, step) for name in timed for what, step in VIEWS.items()}
    scores = {a: rng.integers(-9, 10, (domain[a], rng.integers(1, 4))) for a in names}
    limit = int(rng.choice([1, 7, 60, 10_000]))
    listed = [c.name for c in schema.modelled if c.kind == "categorical" and not isinstance((c.labels or ("",))[0], int)]
    yield "measure", lambda t: [m.counts for m in t.measure(cliques, costs=[0.01, 0.02, 0.03])]
    yield "groups", lambda t: [m.counts for m in t.measure(cliques, costs=[0.01] * 3, groups=groups)]
    yield "score", lambda t: [t.score(guess, cost=0.03)]
    yield "score of groups", lambda t: [t.score(coarse, cost=0.03, groups=groups)]
    if axis:
        yield "cells", lambda t: [m.counts for m in t.cells(edges, cost=dict.fromkeys(edges, 0.01), note="cells").values()]
        steps = {c.name: _grids.steps(c) for c in axis if c.kind in ("integer", "float")}
        if steps:
            yield "grids", lambda t: [m.counts for m in t.grids(steps, cost=dict.fromkeys(steps, 0.01)).values()]
    if views:
        yield "cells", lambda t: [m.counts for m in t.cells(views, cost=dict.fromkeys(views, 0.01), note="x").values()]
    if len(names) > 1:
        yield "gram", lambda t: [np.triu(t.gram(scores, limit=limit, cost=0.01)[0])]
    lists = {c.name: c.labels or ("A", "x", OTHER) for c in schema.modelled if c.kind == "categorical"}
    if lists:
        yield "listed", lambda t: [m.counts for m in t.listed(lists, cost=0.01).values()]
    for name in listed:
        yield "labels", lambda t, name=name: (t.labels(name, cost=0.01, failure=1e-9), t._source.labels(name))


def aligned(kind, here, there):
    """The answers for both tables as arrays that belong together."""
    if kind != "labels":
        return list(zip(here, there, strict=True))
    values = sorted({*here[1], *there[1]})
    return [tuple(np.array([counts.get(v, 0) for v in values]) for counts in (here[1], there[1]))]


@settings(few, max_examples=22)
@given(neighbours(), st.integers(0, 2**32 - 1))
def test_no_answer_moves_by_more_than_was_paid_for(tables, seed):
    """Steps of noise sigma that move by d cost d**2 / (2 (sigma**2 - LATTICE**2)) in rho: never more than the ledger took for them."""
    schema, *frames = tables
    codec, k = some_codec(schema, seed), schema.unit.max_rows
    with contextlib.ExitStack() as stack:
        scales = []
        stack.enter_context(exactly(scales))
        opened = [stack.enter_context(PrivateTable(f, schema, Ledger(Budget(10, 1e-6, 0.1)))) for f in frames]
        for table in opened:
            table.encode(codec)
        for kind, ask in questions(schema, codec.domain, seed):
            answers, paid, drawn = [], [], []
            for table in opened:
                before = table.ledger.spent()
                scales.clear()
                answers.append(ask(table))
                paid.append(table.ledger.spent() - before)
                drawn.append(list(scales))
            assert paid[0] == pytest.approx(paid[1], rel=1e-9)
            assert drawn[0] == drawn[1]
            pairs = aligned(kind, *answers)
            moved = [np.linalg.norm((a - b).astype(float)) for a, b in pairs]
            event(f"{kind} moved" if any(moved) else f"{kind} stayed")
            assert sum(d**2 / (2 * (s**2 - LATTICE**2)) for d, s in zip(moved, drawn[0], strict=True)) <= paid[0] * ROUNDING
            if kind in ("measure", "groups", "cells", "grids", "labels"):
                assert all(np.abs(a - b).sum() <= k for a, b in pairs)
            if kind == "score":
                assert np.abs(pairs[0][0] - pairs[0][1]).max() <= k
            if kind == "labels":
                assert not {*answers[0][0]} - {*answers[1][1]}, "a value of the unit's own was released"


@settings(few, max_examples=8)
@given(neighbours(), st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.5, 20.0]), st.sampled_from([1.0, 30.0]))
def test_no_sum_of_gradients_moves_by_more_than_the_clipping_norm(tables, seed, clip, size):
    """Up to single precision, in which sums are released: 1e-5 of the clipping norm, and 1e-6 of the sum itself."""
    torch = pytest.importorskip("torch")
    schema, *frames = tables
    codec, sums = some_codec(schema, seed), []
    torch.manual_seed(seed)
    critic = torch.nn.Sequential(torch.nn.Linear(sum(codec.domain.values()), 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    with torch.no_grad():
        for p in critic.parameters():
            p.mul_(size)
    with exactly([]):
        for frame in frames:
            with PrivateTable(frame, schema, Ledger(Budget(10, 1e-6))) as table:
                table.encode(codec)
                if not table._source.rows()[1].size:
                    return
                stream = table.gradients(critic, steps=1, rate=1, clip=clip, share=0.5)
                assert stream._multiplier**-2 / 2 <= table.ledger.spent() * ROUNDING
                sums.append(np.concatenate([t.numpy().ravel().astype(float) for t in stream.step(critic)]))
    moved = np.linalg.norm(sums[0] - sums[1])
    event("clipped" if moved > 0.99 * clip else "not clipped")
    assert moved <= clip * (1 + 1e-5) + 1e-6 * np.linalg.norm(sums[0])


READ = {
    "integer": {"kind": "integer", "minimum": 0, "maximum": 3},
    "float": {"kind": "float", "minimum": 0, "maximum": 3},
    "boolean": {"kind": "boolean"},
    "texts": {"kind": "categorical", "discover": True},
    "codes": {"kind": "categorical", "labels": [0, 1, 2]},
    "date": {"kind": "date", "minimum": "1900-01-01", "maximum": "2030-01-05"},
    "datetime": {"kind": "datetime", "minimum": "1900-01-01", "maximum": "2030-01-05"},
}
NIGHT = pd.Timestamp("2020-01-02T23", tz="US/Eastern")
STORED = {
    "whole": [0, 1, 2, 2**53],
    "float": [0.0, 1.0, 0.1, 2.5, -0.0, 1e20, 1e-7, math.inf],
    "single": pd.Series([0.1, 1.5], dtype="float32"),
    "truth": [True, False],
    "times": [pd.Timestamp("2020-01-02 03:04:05.5"), pd.Timestamp("1969-12-31 23:59:59.9999999995")],
    "zone": [NIGHT],
    "dates": [DAY],
    "spans": [pd.Timedelta("1D"), pd.Timedelta("1.5h")],
    "texts": ["1", "1.0", "true", "2020-01-02", "20200102"],
    "categories": pd.Series([2, 1, 1], dtype="category"),
    "nullable": pd.Series([1, 2], dtype="Int64"),
}
ODD = [None, "x", True, 1, 2.5, 2**70, 1j, DAY, dt.datetime(9999, 1, 1), NIGHT, [1], b"x", object(), np.float32(0.1)]
"""What may stand in one row more: pandas stores the others differently for many of them, and some no engine takes."""


@pytest.mark.parametrize("stored", STORED)
def test_one_row_does_not_change_how_the_others_are_read(stored):
    """Each value is the same alone and beside any other, in every storage that pandas chooses for both."""
    values = pd.Series(STORED[stored])
    columns = [pd.concat([values, values[:1]], ignore_index=True), values.reindex(range(len(values) + 1))]
    for odd in ODD:
        made = isinstance(STORED[stored], list)
        columns.append(pd.Series([*STORED[stored], odd]) if made else pd.concat([values, pd.Series([odd])], ignore_index=True))
    distinct = {}
    for column in columns:
        distinct.setdefault((str(column.dtype), pd.api.types.infer_dtype(column, skipna=False)), column)
    columns = [*distinct.values(), pd.Series([*STORED[stored], "\ud800"], dtype=object)]
    names = {f"{kind} {i}": (READ[kind], column) for kind in READ for i, column in enumerate(columns)}
    schema = Schema.from_dict({"name": "any", "columns": {name: described for name, (described, _) in names.items()}})
    got = read(pd.DataFrame({name: column for name, (_, column) in names.items()}), schema)[: len(values)]
    for name in names:
        kind, i = name.split()
        pd.testing.assert_series_equal(
            got[name], got[f"{kind} 0"], check_names=False, obj=f"{kind} beside {list(columns[int(i)])}"
        )
    assert got.notna().any(axis=None)


@pytest.mark.parametrize("rows", [[(None, "b"), ("null", "b")], [("a|b", "c"), ("a", "b|c")]])
def test_rows_that_differ_are_told_apart_by_the_secret(rows, monkeypatch):
    """Which of two rows of a unit is used is a fair coin: with 12 secrets, always the same ones, it comes out both ways."""
    labels = sorted({v for row in rows for v in row if v})
    columns = {name: {"kind": "categorical", "labels": labels} for name in ("u", "v")}
    schema = Schema.from_dict({"name": "two", "unit": {"key": "id"}, "columns": {"id": {"kind": "identifier"}, **columns}})
    frame = pd.DataFrame(rows, columns=["u", "v"]).assign(id="p")
    picked = set()
    for secret in range(12):
        monkeypatch.setattr("secrets.token_hex", lambda _, secret=secret: str(secret))
        with PrivateTable(frame, schema, Ledger(Budget(1, 1e-6))) as table:
            table.encode(codec_of(schema))
            picked.add(int(np.argmax(table._source.counts([("u", "v")])[0])))
    assert len(picked) == 2


@pytest.mark.parametrize(
    "estimate",
    [np.zeros((100, 4), dtype=np.int64), np.full(4, 2**60, dtype=np.uint64), np.array([2**63 - 2, 2**61, 0, 0])],
    ids=["broadcast", "rounded", "overflowing"],
)
def test_an_estimate_that_would_move_the_distance_further_is_refused(visits_schema, estimate):
    """Several tables of the same column, or numbers that a float rounds or that leave 64 bits."""
    with PrivateTable(visits([(0, "A", 1)]), visits_schema, Ledger(Budget(1, 1e-6))) as table:
        table.encode(codec_of(visits_schema))
        with pytest.raises(Unaccounted):
            table.score([Candidate(("ward",), estimate)], cost=1e-3)
        assert not table.ledger.charges


@pytest.mark.parametrize("units", [[0, 1, 2], [0, 1, 2, 2]])
def test_a_unit_with_an_infinite_gradient_counts_as_zero_and_changes_no_other(units):
    """The first unit's row comes first in the table."""
    torch = pytest.importorskip("torch")
    critic = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1)).double()
    with torch.no_grad():
        for p, value in zip(critic.parameters(), (0.1, 0.0, -1.0, 0.0), strict=True):
            p.fill_(value)
        critic[0].weight[:, [0, 2]] = 1e308
    codes, units = (np.array(units) > 0).astype(int) * np.ones((2, 1), dtype=int), np.array(units)
    released = []
    with exactly([]):
        for start in (0, 1):
            paid = {"steps": 1, "rate": 1, "clip": 1.0, "multiplier": 1.0}
            stream = GradientStream(codes[:, start:], units[start:] - start, [2, 2], critic, **paid)
            released.append(np.concatenate([t.numpy().ravel() for t in stream.step(critic)]))
    assert released[0] == pytest.approx(released[1], rel=1e-6)
    assert 1 < np.linalg.norm(released[0]) <= 2


def test_types_come_from_the_schema_and_not_from_the_rows():
    """Truth values are floats where the schema says so."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "float", "minimum": 0, "maximum": 3, "decimals": 0}}})
    with PrivateTable(pd.DataFrame({"x": [True, False, True]}), schema, Ledger(Budget(1, 1e-6))) as table:
        table.encode(codec_of(schema))
        assert table._source.counts([("x",)])[0].tolist() == [1, 2, 0, 0, 0]


def test_scores_whose_size_overflows_are_refused(visits_schema):
    """The size of the smallest 64-bit number is negative."""
    scores = {"ward": np.full((4, 1), -(2**63)), "days": np.ones((11, 1), dtype=int)}
    with PrivateTable(visits([(0, "A", 1)]), visits_schema, Ledger(Budget(1, 1e-6))) as table:
        table.encode(codec_of(visits_schema))
        with pytest.raises(Unaccounted):
            table.gram(scores, limit=10, cost=1e-3)
        assert not table.ledger.charges
