"""Features and distances against slow, obvious versions of themselves."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from tabsynth.schema import Column, Schema, Unit
from tabsynth.validate.attacks._nearest import NEIGHBOURS, merged, nearest, within
from tabsynth.validate.features import SCALINGS, Encoder, axis_values, label_values, row_ids, unit_codes


def test_axis_values_are_days_and_seconds_and_missing_is_nan(schema, people):
    table = people(50, 0)
    for column in schema.modelled:
        if column.numeric:
            expected = [np.nan if pd.isna(v) else column.to_axis(_python(v, column.kind)) for v in table[column.name]]
            np.testing.assert_array_equal(axis_values(table, column), expected)


def _python(value, kind):
    return {"date": lambda v: v.date(), "datetime": lambda v: v.to_pydatetime()}.get(kind, lambda v: v)(value)


def test_label_values_are_text_and_missing_is_none(schema, people):
    table = people(50, 0)
    for name in ("job", "grade", "smoker"):
        assert label_values(table, schema[name]).tolist() == [None if pd.isna(v) else str(v) for v in table[name]]


def test_unit_codes_give_rows_without_a_key_a_unit_of_their_own():
    schema = Schema("t", (Column("who", "identifier"), Column("x", "boolean")), unit=Unit("who", 2))
    table = pd.DataFrame({"who": ["b", None, "a", "b", None]}, dtype=object)
    codes = unit_codes(table, schema)
    assert codes[0] == codes[3]
    assert sorted(set(codes)) == [0, 1, 2, 3]


def test_row_ids_are_equal_exactly_where_rows_are(schema, people):
    first, second = people(40, 0), people(40, 1)
    second = pd.concat([second, first.iloc[[3, 3, 7]]], ignore_index=True)
    changed = first.copy()
    changed.loc[5, "income"] = np.nextafter(changed.loc[5, "income"], np.inf)
    ids, other, third = row_ids([first, second, changed], schema)
    assert len(set(ids)) == 40
    assert other[-3:].tolist() == [ids[3], ids[3], ids[7]]
    assert not set(other[:-3]) & set(ids)
    assert np.flatnonzero(ids != third).tolist() == [5]


def test_a_missing_value_is_not_a_zero_or_a_first_label():
    schema = Schema("t", (Column("x", "float", minimum=0.0, maximum=1.0), Column("c", "categorical", labels=("a", "b"))))
    tables = [pd.DataFrame({"x": [0.0, np.nan, 0.0], "c": pd.Series(["a", "a", None], dtype=object)})]
    assert len(set(row_ids(tables, schema)[0])) == 3


def test_encoder_learns_nothing_from_the_rows_it_transforms(schema, people):
    reference, synthetic = people(300, 0), people(300, 1)
    encoder = Encoder.fit(schema, reference, synthetic)
    alone = encoder.transform(people(60, 2).iloc[:30])
    together = encoder.transform(people(60, 2))
    np.testing.assert_array_equal(alone.codes, together.codes[:30])
    for scaling in SCALINGS:
        np.testing.assert_array_equal(alone.numeric[scaling], together.numeric[scaling][:30])
    scaled = encoder.transform(reference)
    assert np.abs(scaled.numeric["standardised"][:, 2].mean()) < 1e-9
    assert scaled.numeric["standardised"][:, 2].std() == pytest.approx(1)
    assert scaled.numeric["rank"][:, 2].std() == pytest.approx(1, abs=0.01)


def test_raw_and_rank_scaling_keep_order_and_standardised_is_clipped():
    schema = Schema("t", (Column("x", "float", minimum=0.0, maximum=1e9, nullable=False),))
    reference = pd.DataFrame({"x": [1.0, 2.0, 2.0, 4.0]})
    encoder = Encoder.fit(schema, reference, reference)
    found = encoder.transform(pd.DataFrame({"x": [0.0, 1.0, 1.5, 2.0, 4.0, 1e9]})).numeric
    assert found["raw"][:, 0].tolist() == [0.0, 1.0, 1.5, 2.0, 4.0, 1e9]
    assert (found["rank"][:, 0] / np.sqrt(12)).tolist() == pytest.approx([0.125, 0.125, 0.3125, 0.5, 0.875, 0.875])
    assert found["standardised"][-1, 0] == 10


def _slow(encoder_schema, encoder, queries, table, scaling):
    """L1 distances of one-hot vectors, built."""

    def vectors(rows):
        encoded = encoder.transform(rows)
        parts = [encoded.numeric[scaling]]
        for j in range(encoded.codes.shape[1]):
            codes = encoded.codes[:, [j]]
            onehot = (codes == np.arange(30)).astype(float)
            parts.append(np.hstack([onehot, codes == -1]))  # an unknown label: in this test never on both sides
        return np.hstack(parts)

    return np.sort(cdist(vectors(queries), vectors(table), "cityblock"), axis=1)


@pytest.mark.parametrize("rows", [3, 200, 700])
def test_search_finds_the_nearest_rows(schema, people, rows):
    table, queries = people(rows, 1), people(25, 2)
    queries.loc[0, "job"] = "unseen label"
    encoder = Encoder.fit(schema, people(100, 0), table)
    asked, known = encoder.transform(queries), encoder.transform(table)
    for scaling in SCALINGS:
        expected = _slow(schema, encoder, queries, table, scaling)
        there, found = min(rows, NEIGHBOURS), nearest(asked, known, scaling)
        np.testing.assert_allclose(
            found.distances[:, :there], expected[:, :there], rtol=1e-5, atol=2e-6 * expected.max(initial=1)
        )
        assert np.isinf(found.distances[:, there:]).all()
        assert (found.index[:, there:] == -1).all()
        again = [nearest(asked, known[[i]], scaling).distances[:, 0] for i in range(min(rows, 3))]
        for i, distances in enumerate(again):
            at, where = np.nonzero(found.index == i)
            np.testing.assert_allclose(distances[at], found.distances[at, where], rtol=1e-5, atol=2e-6 * expected.max(initial=1))
        halves = merged(
            [nearest(asked, known[: rows // 2], scaling), nearest(asked, known[rows // 2 :], scaling)], [0, rows // 2]
        )
        np.testing.assert_allclose(halves.distances, found.distances, rtol=1e-5, atol=2e-6 * expected.max(initial=1))
        for i in range(min(rows, 3)):
            at, where = np.nonzero(halves.index == rows // 2 + i)
            there = nearest(asked, known[[rows // 2 + i]], scaling).distances[at, 0] if rows // 2 + i < rows else []
            np.testing.assert_allclose(halves.distances[at, where], there, rtol=1e-5, atol=2e-6 * expected.max(initial=1))
        radius = np.quantile(expected, 0.5) if rows else 1.0
        assert within(asked, known, scaling, radius) == pytest.approx((expected < radius).sum(axis=1), abs=1)


def test_an_exact_copy_is_at_distance_zero_and_a_missing_value_is_not_the_median(schema, people):
    table = people(200, 1)
    encoder = Encoder.fit(schema, people(100, 0), table)
    encoded = encoder.transform(table)
    assert all((nearest(encoded, encoded, s).distances[:, 0] == 0).all() for s in SCALINGS)
    row = table[table["age"].notna()].head(1)
    gone = row.assign(age=pd.array([pd.NA], dtype="Int64"))
    filled = row.assign(
        age=pd.array([int(np.median(axis_values(people(100, 0), schema["age"])[~people(100, 0)["age"].isna()]))], dtype="Int64")
    )
    pair = nearest(encoder.transform(gone), encoder.transform(filled), "standardised")
    assert pair.distances[0, 0] == pytest.approx(2, abs=0.05)


def test_an_unknown_label_is_as_far_from_missing_as_from_any_label():
    schema = Schema("t", (Column("c", "categorical", discover=True), Column("d", "boolean", nullable=False)))
    labels = pd.DataFrame({"c": pd.Series(["a", None], dtype=object), "d": pd.array([True, True], dtype="boolean")})
    encoder = Encoder.fit(schema, labels, labels)
    queries = encoder.transform(labels.assign(c=pd.Series(["new", None], dtype=object)))
    found = nearest(queries, encoder.transform(labels), "rank").distances
    assert found[:, :2].tolist() == [[2.0, 2.0], [0.0, 2.0]]
