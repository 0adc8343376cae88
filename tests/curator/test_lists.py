"""Long lists of labels: few codes, heavy labels alone, rare ones grouped with their neighbours, empty ones nearly never drawn."""

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth import Release, Schema, TabsynthError
from tabsynth.cli._tell import tell_missed
from tabsynth.codec import LONG_LIST, Codec, Labels, public_coder
from tabsynth.curator import _lists
from tabsynth.curator.discover import MOST, discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import SchemaError
from tabsynth.grouped import GroupedLabels
from tabsynth.models import _tables
from tabsynth.models.independent import IndependentModel
from tabsynth.schema import OTHER
from tabsynth.simplex import nonnegative

MANY, NOISE = 10_000, 24.0
"""Labels of a codebook, and about the noise of 3 % of epsilon 1."""
CODES = tuple(f"c{i:04}" for i in range(MANY))
SHORT = CODES[: 4 * LONG_LIST]


def schema_of(**columns) -> Schema:
    return Schema.from_dict({"name": "s", "columns": {n: {"kind": "categorical", **c} for n, c in columns.items()}})


def coder_of(values, column, *, epsilon=1.0):
    """The coder that a one-column table buys, and its ledger."""
    ledger = Ledger(Budget(epsilon, 1e-6, 0.1))
    with PrivateTable(pd.DataFrame({"x": values}), schema_of(x=column), ledger) as table:
        return discover(table).coders["x"], ledger


def redrawn(true: np.ndarray, rng: np.random.Generator) -> tuple[GroupedLabels, np.ndarray]:
    """The coder of a list whose labels have these counts, and the counts drawn by it once the codes are counted with noise, too."""
    counts = np.rint(true + rng.normal(0, NOISE, len(true)))
    clear = counts > NOISE * np.sqrt(2 * np.log(2 * len(true)))
    coder = _lists.grouped(CODES[: len(true)], _lists.expected(counts, NOISE), clear, False, NOISE)
    share = nonnegative(np.bincount(coder.group, true, coder.size) + rng.normal(0, NOISE, coder.size))
    drawn = coder.decode(_tables.draw(share / share.sum(), int(true.sum()), rng), None, rng)
    return coder, pd.Series(drawn).value_counts().reindex(CODES[: len(true)], fill_value=0).to_numpy()


def far(one: np.ndarray, other: np.ndarray) -> float:
    """Total variation distance of two tables of counts."""
    return np.abs(one / one.sum() - other / other.sum()).sum() / 2


def test_empty_labels_get_almost_no_mass():
    """200 of 10,000 labels, 500 rows each. Cutting the noise of the others at zero would give them half of the table."""
    rng = np.random.default_rng(0)
    true = np.zeros(MANY)
    true[rng.choice(MANY, 200, replace=False)] = rng.poisson(500, 200)
    coder, drawn = redrawn(true, rng)
    assert coder.size <= _lists.MOST + 2
    assert drawn[true == 0].sum() < 0.005 * true.sum()
    assert far(true, drawn) < 0.03


def test_rare_labels_keep_what_they_have_together():
    """Half of the rows have one of 5,000 labels of ten rows each, far below the noise, in the first half of the list."""
    rng = np.random.default_rng(0)
    true = np.append(rng.poisson(10, 5000), np.zeros(5000))
    true[7000] = 50_000
    _, drawn = redrawn(true, rng)
    assert abs(drawn[7000] / true.sum() - 0.5) < 0.01
    assert abs(drawn[:5000].sum() / true.sum() - 0.5) < 0.05
    assert (drawn > 0).sum() > 2500


def test_heavy_labels_are_alone_and_a_long_tail_is_close():
    rng = np.random.default_rng(0)
    true = np.bincount(rng.zipf(1.3, 100_000) % 2000, minlength=2000)
    coder, drawn = redrawn(true, rng)
    heavy = np.argsort(-true)[:4]
    assert all((coder.group == coder.group[h]).sum() == 1 for h in heavy)
    assert far(true, drawn) < 0.09, "cutting at zero: 0.11; the noise of each label alone: about 0.2"


def test_groups_are_runs_of_the_list():
    """Chapters of a codebook: what the first half of the list has in common is kept."""
    rng = np.random.default_rng(0)
    coder, _ = redrawn(rng.poisson(10, MANY), rng)
    ends = [(own.min(), own.max()) for g in range(coder.size) if len(own := np.flatnonzero(coder.group == g)) > 1]
    assert len(ends) >= 6
    assert sum(low < MANY / 2 <= high for low, high in ends) <= 1


def test_a_long_public_list_is_paid_for_and_a_short_one_is_not():
    x = np.array(SHORT, dtype=object)[np.random.default_rng(0).integers(0, 9, 2000)]
    coder, ledger = coder_of(x, {"labels": list(SHORT)})
    assert isinstance(coder, GroupedLabels)
    assert coder.values == SHORT
    assert [c.note for c in ledger.charges] == ["labels of x"]
    assert 0 < ledger.spent() <= MOST * ledger.budget.rho * (1 + 1e-9)
    assert public_coder(schema_of(x={"labels": list(SHORT[:LONG_LIST])})["x"]) == Labels(SHORT[:LONG_LIST], True)


def test_a_bought_list_that_turns_out_long_is_grouped_and_others_stay_apart():
    x = pd.Series(SHORT)[np.random.default_rng(0).integers(0, 200, 40_000)]
    coder, ledger = coder_of(x, {"discover": True}, epsilon=8)
    assert isinstance(coder, GroupedLabels)
    assert len(coder.values) > LONG_LIST
    assert coder.values[-1] == OTHER
    assert (coder.group == coder.group[-1]).sum() == 1
    assert len(ledger.charges) == 1, "the counts that select the labels are those that group them"


@pytest.mark.parametrize("values", [[], [None, None], ["nonsense"], ["c0001"]])
@pytest.mark.parametrize("more", [{}, {"outside": "other"}, {"nullable": False}])
def test_whatever_the_rows_hold_a_long_list_is_coded(values, more):
    schema = schema_of(x={"labels": list(SHORT[:200]), **more})
    release = tabsynth.fit(pd.DataFrame({"x": pd.Series(values, dtype=object)}), schema, epsilon=0.1, model="independent")
    allowed = {*SHORT[:200], *([OTHER] if more.get("outside") else []), *([None] if more.get("nullable", True) else [])}
    assert set(release.sample(2000).x) <= allowed


def test_labels_that_are_whole_numbers_and_missing_values():
    rng = np.random.default_rng(0)
    x = pd.Series(np.where(rng.random(20_000) < 0.3, np.nan, rng.integers(0, 100, 20_000)))
    release = tabsynth.fit(pd.DataFrame({"x": x}), schema_of(x={"labels": list(range(200))}), epsilon=3, model="independent")
    out = release.sample(20_000).x
    assert abs(out.isna().mean() - 0.3) < 0.02
    known = out.dropna()
    assert {type(v) for v in known} == {int}
    assert (known >= 100).mean() < 0.05


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


def test_a_condition_on_a_grouped_label():
    schema = schema_of(x={"labels": list(SHORT)})
    values, group = SHORT, np.arange(len(SHORT)) % 10
    mass = np.where(np.arange(len(SHORT)) < 100, 1.0, 0.0)
    mass[group == 9] = 0
    release = Release(
        Codec(schema, {"x": GroupedLabels(values, group, mass, True)}), IndependentModel(5000.0, [np.full(11, 1 / 11)]), {}
    )
    assert set(release.sample(50, where="x = 'c0017'").x) == {"c0017"}
    assert "c0017" not in set(release.sample(where="x != 'c0017'").x)
    assert release.sample(10, where="x is not missing").x.notna().all()
    assert release.sample(10, where="x is missing").x.isna().all()
    assert set(release.sample(5, where="x = 'c0109'").x) == {"c0109"}, "its whole group is empty, so all of it is drawn"
    with pytest.raises(TabsynthError, match="has no label"):
        release.sample(5, where="x = 'c9999999'")
    with pytest.raises(TabsynthError, match="leaves no value"):
        release.sample(5, where="x = 'c0107'")


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
def test_a_crafted_coder_is_refused(entry, value):
    schema = schema_of(x={"labels": list(CODES[:200])})
    good = GroupedLabels(CODES[:200], np.arange(200) % 7, np.ones(200), True)
    plain = Codec(schema, {"x": good}).to_dict()
    again = Codec.from_dict(plain).coders["x"]
    assert again.to_dict() == good.to_dict()
    plain["coders"]["x"] = good.to_dict() | {entry: value}
    with pytest.raises(SchemaError):
        Codec.from_dict(plain)


def test_a_code_a_label_is_refused_where_the_list_is_long_and_groups_where_it_is_short():
    for labels, coder in ((CODES[:200], Labels(CODES[:200], True)),
                          (CODES[:20], GroupedLabels(CODES[:20], np.zeros(20, dtype=int), np.ones(20), True))):  # fmt: skip
        schema = schema_of(x={"labels": list(labels)})
        with pytest.raises(SchemaError):
            Codec.from_dict(Codec(schema, {"x": coder}).to_dict())


def test_a_list_of_which_nothing_is_found_is_said(capsys):
    frame = pd.DataFrame({"drug": [f"d{i}" for i in range(300)], "sex": ["f", "m"] * 150})
    schema = schema_of(drug={"discover": True}, sex={"discover": True})
    release = tabsynth.fit(frame, schema, epsilon=8, model="independent")
    assert {b["column"]: b["found"] for b in release.card["bought"]} == {"drug": False, "sex": True}
    tell_missed(release.card, quiet=False)
    said = capsys.readouterr().err
    assert "drug" in said
    assert "give a public" in said
    assert "sex" not in said
    tell_missed(release.card, quiet=True)
    assert capsys.readouterr().err == ""
