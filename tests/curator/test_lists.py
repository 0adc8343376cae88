"""Long lists of labels: few codes, heavy labels alone, rare ones grouped with their neighbours, empty ones nearly never drawn."""

import time

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import Schema
from tabsynth.codec import LONG_LIST, Codec, Labels
from tabsynth.curator import _lists
from tabsynth.curator.discover import MOST, discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import SchemaError
from tabsynth.grouped import GroupedLabels
from tabsynth.schema import OTHER

MANY = 10_000


def coder_of(values, column, *, epsilon=1.0):
    """The coder that a one-column table buys, and its ledger."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", **column}}})
    ledger = Ledger(Budget(epsilon, 1e-6, 0.1))
    with PrivateTable(pd.DataFrame({"x": values}), schema, ledger) as table:
        return discover(table).coders["x"], ledger


@pytest.fixture(scope="module")
def codes() -> tuple[str, ...]:
    return tuple(f"c{i:04}" for i in range(MANY))


@pytest.fixture(scope="module")
def sparse(codes) -> pd.Series:
    """100,000 rows that hold 200 of the labels, 500 times each on average."""
    rng = np.random.default_rng(0)
    return pd.Series(np.array(codes, dtype=object)[rng.choice(rng.choice(MANY, 200, replace=False), 100_000)])


def test_a_long_public_list_has_few_codes_and_is_paid_for(codes, sparse):
    coder, ledger = coder_of(sparse, {"labels": list(codes)})
    assert isinstance(coder, GroupedLabels)
    assert coder.values == codes
    assert coder.size <= _lists.MOST + _lists.FEWEST + 1
    assert [c.note for c in ledger.charges] == ["labels of x"]
    assert 0 < ledger.spent() <= MOST * ledger.budget.rho
    short, ledger = coder_of(sparse, {"labels": list(codes[:LONG_LIST])})
    assert isinstance(short, Labels)
    assert ledger.charges == ()


@pytest.mark.parametrize("model", ["independent", "aim"])
def test_empty_labels_get_almost_no_mass(model, codes, sparse):
    """Cutting the noise of 9,800 empty labels at zero would give them half of the table."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(codes)}}})
    out = tabsynth.fit(pd.DataFrame({"x": sparse}), schema, epsilon=1, model=model).sample(100_000).x
    assert (~out.isin(sparse.unique())).mean() < 0.005
    real, drawn = (s.value_counts(normalize=True).reindex(codes, fill_value=0) for s in (sparse, out))
    assert (real - drawn).abs().sum() / 2 < 0.03


def test_many_rare_labels_keep_their_common_share(codes):
    """Half of the rows have one of 5,000 labels of ten rows each, far below the noise, in one half of the list."""
    rng = np.random.default_rng(0)
    rare = rng.random(100_000) < 0.5
    x = pd.Series(np.array(codes, dtype=object)[np.where(rare, rng.integers(0, 5000, 100_000), 7_000)])
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(codes)}}})
    out = tabsynth.fit(pd.DataFrame({"x": x}), schema, epsilon=1, model="independent").sample(100_000).x
    assert abs((out == "c7000").mean() - 0.5) < 0.01
    assert abs((out < "c5000").mean() - 0.5) < 0.05
    assert out.nunique() > 2500


def test_neighbours_in_the_list_share_a_code(codes):
    """Chapters of a codebook: the second column depends on the thousands; each label is too rare to stand alone."""
    rng = np.random.default_rng(0)
    number = rng.integers(0, MANY, 50_000)
    frame = pd.DataFrame({"code": np.array(codes, dtype=object)[number], "ward": np.where(number < 5000, "a", "b")})
    columns = {"code": {"kind": "categorical", "labels": list(codes)}, "ward": {"kind": "categorical", "labels": ["a", "b"]}}
    out = tabsynth.fit(frame, Schema.from_dict({"name": "two", "columns": columns}), epsilon=1, model="aim").sample()
    assert ((out.code < "c5000") == (out.ward == "a")).mean() > 0.9


def test_a_bought_list_that_turns_out_long_is_grouped_and_others_stay_apart():
    rng = np.random.default_rng(0)
    x = pd.Series([f"v{i:03}" for i in rng.integers(0, 300, 300_000)])
    coder, ledger = coder_of(x, {"discover": True})
    assert isinstance(coder, GroupedLabels)
    assert len(coder.values) > LONG_LIST
    assert coder.values[-1] == OTHER
    assert (coder.group == coder.group[-1]).sum() == 1
    assert len(ledger.charges) == 1, "the counts that select the labels are those that group them"


@pytest.mark.parametrize("values", [[], [None, None], ["nonsense"], ["c0001"]])
@pytest.mark.parametrize("more", [{}, {"outside": "other"}, {"nullable": False}])
def test_whatever_the_rows_hold_a_long_list_is_coded(values, more, codes):
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(codes[:200]), **more}}})
    release = tabsynth.fit(pd.DataFrame({"x": pd.Series(values, dtype=object)}), schema, epsilon=0.1, model="independent")
    allowed = {*codes[:200], *([OTHER] if more.get("outside") else []), *([None] if more.get("nullable", True) else [])}
    assert set(release.sample(2000).x) <= allowed


def test_labels_that_are_whole_numbers_and_missing_values():
    rng = np.random.default_rng(0)
    x = pd.Series(np.where(rng.random(50_000) < 0.3, np.nan, rng.integers(0, 500, 50_000)))
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(range(1000))}}})
    out = tabsynth.fit(pd.DataFrame({"x": x}), schema, epsilon=3, model="independent").sample(50_000).x
    assert abs(out.isna().mean() - 0.3) < 0.01
    known = out.dropna()
    assert {type(v) for v in known} == {int}
    assert (known >= 500).mean() < 0.05


def test_expected_counts_shrink_noise_and_keep_what_stands_out():
    rng = np.random.default_rng(0)
    true = np.append(np.zeros(MANY), [200, 500, 5000])
    counts = np.rint(true + rng.normal(0, 20, len(true)))
    out = _lists.expected(counts, 20.0)
    assert out[:-3].sum() < 0.01 * np.maximum(counts[:-3], 0).sum()
    assert out[-3:] == pytest.approx(counts[-3:], rel=0.02)
    spread = np.rint(rng.poisson(10, MANY) + rng.normal(0, 20, MANY))
    assert _lists.expected(spread, 20.0).sum() == pytest.approx(10 * MANY, rel=0.05)


def test_rows_of_a_group_share_its_labels_evenly():
    coder = GroupedLabels(("a", "b", "c", "d", "e"), np.array([1, 0, 1, 0, 2]), np.array([3.0, 1.0, 1.0, 0.0, 0.0]), True)
    codes = np.repeat([0, 1, 2, 3], [10, 1000, 7, 5])
    values, counts = np.unique(coder.decode(codes, None, np.random.default_rng(0)).astype(str), return_counts=True)
    drawn = dict(zip(values, counts, strict=True))
    assert abs(drawn.pop("a") - 750) <= 1
    assert abs(drawn.pop("c") - 250) <= 1
    assert drawn == {"b": 10, "e": 7, "None": 5}


def test_a_condition_on_a_grouped_label(codes, sparse):
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(codes)}}})
    release = tabsynth.fit(pd.DataFrame({"x": sparse}), schema, epsilon=1, model="independent")
    coder = release.codec.coders["x"]
    grouped = next(v for v, g, m in zip(coder.values, coder.group, coder.mass, strict=True)
                   if m > 100 and (coder.group == g).sum() > 1)  # fmt: skip
    assert set(release.sample(50, where=f"x = '{grouped}'").x) == {grouped}
    assert grouped not in set(release.sample(where=f"x != '{grouped}'").x)
    assert release.sample(10, where="x is not missing").x.notna().all()
    with pytest.raises(tabsynth.TabsynthError, match="has no label"):
        release.sample(5, where="x = 'c9999999'")
    empty = next(v for v, m in zip(coder.values, coder.mass, strict=True) if m == 0)
    with pytest.raises(tabsynth.TabsynthError, match="leaves no value"):
        release.sample(5, where=f"x = '{empty}'")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("labels", ["c0000"] * 200),
        ("labels", [f"d{i}" for i in range(200)]),
        ("labels", "c"),
        ("groups", [0] * 199),
        ("groups", [1] * 200),
        ("groups", [-1] * 200),
        ("groups", [0.0] * 200),
        ("groups", [0] * 199 + [10**9]),
        ("groups", [0] * 199 + [True]),
        ("groups", None),
        ("mass", [1.0] * 199),
        ("mass", [-1.0] * 200),
        ("mass", [float("nan")] * 200),
        ("mass", [1e300] * 200),
        ("mass", ["1"] * 200),
        ("null", False),
        ("null", 1),
    ],
)
def test_a_crafted_coder_is_refused(entry, value, codes):
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(codes[:200])}}})
    good = GroupedLabels(codes[:200], np.arange(200) % 7, np.ones(200), True)
    plain = Codec(schema, {"x": good}).to_dict()
    again = Codec.from_dict(plain).coders["x"]
    assert again.to_dict() == good.to_dict()
    plain["coders"]["x"] = good.to_dict() | {entry: value}
    with pytest.raises(SchemaError):
        Codec.from_dict(plain)


def test_a_code_a_label_is_refused_where_the_list_is_long_and_groups_where_it_is_short(codes):
    for labels, coder in ((codes[:200], Labels(codes[:200], True)),
                          (codes[:20], GroupedLabels(codes[:20], np.zeros(20, dtype=int), np.ones(20), True))):  # fmt: skip
        schema = Schema.from_dict({"name": "one", "columns": {"x": {"kind": "categorical", "labels": list(labels)}}})
        with pytest.raises(SchemaError):
            Codec.from_dict(Codec(schema, {"x": coder}).to_dict())


def test_a_list_of_which_nothing_is_found_is_said(tmp_path, capsys):
    frame = pd.DataFrame({"drug": [f"d{i}" for i in range(300)], "sex": ["f", "m"] * 150})
    columns = {"drug": {"kind": "categorical", "discover": True}, "sex": {"kind": "categorical", "discover": True}}
    release = tabsynth.fit(frame, Schema.from_dict({"name": "r", "columns": columns}), epsilon=8, model="independent")
    assert {b["column"]: b["found"] for b in release.card["bought"]} == {"drug": False, "sex": True}
    from tabsynth.cli._tell import tell_missed

    tell_missed(release.card, quiet=False)
    said = capsys.readouterr().err
    assert "drug" in said
    assert "give a public" in said
    assert "sex" not in said


def test_thousands_of_labels_are_quick(codes, sparse):
    """Two columns of 10,000 labels and 100,000 rows cost the model little more than two of 60; generous on a busy machine."""
    shuffled = sparse.sample(frac=1, random_state=0).reset_index(drop=True)
    frame = pd.DataFrame({"x": sparse, "y": shuffled})
    schema = Schema.from_dict({"name": "two", "columns": {c: {"kind": "categorical", "labels": list(codes)} for c in frame}})
    start = time.process_time()
    tabsynth.fit(frame, schema, epsilon=1, model="mst")
    assert time.process_time() - start < 30
