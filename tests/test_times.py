"""Dates and times in parts: views, codes and what is drawn from them."""

import datetime as dt

import numpy as np
import pytest

from tabsynth import Schema
from tabsynth.codec import Bins, Codec
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.times import DAY, LEVELS, STAND_INS, Times, part_name, resolved, view

EPOCH = dt.datetime(1970, 1, 1)
MONDAY = (dt.date(2024, 1, 1) - EPOCH.date()).days
AT = Column("at", "datetime", discover=True)


def seconds(*moments: str) -> np.ndarray:
    return np.array([int((dt.datetime.fromisoformat(m) - EPOCH).total_seconds()) for m in moments])


@pytest.mark.parametrize("moment", ["0001-01-02T03:04:05", "1969-12-31T23:59:59", "2024-02-29T12:30:00", "9999-12-30T00:00:00"])
def test_views_are_those_of_the_calendar(moment):
    """Against Python's own calendar, from the year 1 to 9999."""
    when = dt.datetime.fromisoformat(moment)
    told = {what: int(view(seconds(moment), what)[0]) for what in ("day", "time", "weekday", "monthday", "month")}
    expected = {"weekday": when.weekday(), "monthday": when.day - 1, "month": when.month - 1}
    assert (
        told
        == {"day": (when.date() - EPOCH.date()).days, "time": (when - dt.datetime(when.year, when.month, when.day)).seconds}
        | expected
    )


def test_levels_are_the_coarsest_that_hold():
    times = seconds("2024-01-01T00:00:00", "2024-01-01T07:00:00", "2024-01-01T07:30:00", "2024-01-01T07:45:00",
                    "2024-01-01T07:05:00", "2024-01-01T07:01:00", "2024-01-01T07:01:01", "9999-12-31T00:00:00", "9999-12-31T23:59:59")  # fmt: skip
    assert view(times, "level").tolist() == list(range(len(LEVELS) + 2))


def test_a_day_that_stands_for_none_has_no_weekday_and_no_time():
    times = seconds("9999-12-31T23:59:59", "1900-01-01T00:00:00")
    assert all(view(times, what).tolist() == [-1, -1] for what in ("time", "weekday", "monthday", "month"))


def shop(parts=("weekday", "time"), null=False) -> Times:
    """Two weeks in two bins, Sundays closed, open from 8 to 10 in half hours; minutes are multiples of 5."""
    open_ = np.ones(7)
    open_[6] = 0
    day = Bins(MONDAY + np.array([0.0, 7, 14]), np.array([0, 1]), np.array([60.0, 30]), null)
    clock = Bins(3600 * np.array([0, 8, 8.5, 9, 10, 24]), np.array([0, 3]), np.array([0.0, 3, 1, 4, 0]), null)
    return Times(day, {"weekday": open_}, tuple(parts), null, clock, np.array([1.0, 1, 1, 1, 1, 0, 0]))


def drawn(coder: Times, codes) -> np.ndarray:
    return coder.decode(np.array(codes), AT, np.random.default_rng(0)).astype(np.int64)


def test_what_is_drawn_has_the_weekday_and_the_time_of_its_codes():
    coder = shop()
    codes = np.array([(b, w, t) for b in range(2) for w in range(6) for t in range(2)]).repeat(50, axis=0)
    at = drawn(coder, codes)
    for i, part in enumerate(("date", "weekday", "time")):
        assert (coder.encode(part, at, np.zeros(len(at), bool)) == codes[:, i]).all(), part
    assert set(at % 300) == {0}
    assert set(at % DAY // 1800) == {16, 17, 18, 19}, "half hours from 8 to 10"


def test_where_a_bin_has_no_such_day_the_date_decides_and_closed_days_stay_closed():
    at = drawn(shop(), [(1, 6, 1)] * 300)
    assert ((view(at, "day") - MONDAY) // 7 == 1).all()
    assert set(view(at, "weekday")) == set(range(6))


def test_without_codes_of_their_own_parts_are_drawn_by_their_weights():
    at = drawn(shop(parts=()), [(0,)] * 6000)
    share = np.bincount(view(at, "weekday"), minlength=7) / len(at)
    assert share == pytest.approx([1 / 6] * 6 + [0], abs=0.01)
    half = np.bincount(view(at, "time") // 1800, minlength=20)[16:] / len(at)
    assert half[:2] == pytest.approx([3 / 8, 1 / 8], abs=0.01)


def test_days_that_stand_for_none_keep_their_share_and_their_time():
    """Also where another code says a weekday: those are drawn from the rest of the bin."""
    away = float(STAND_INS[-1])
    day = Bins(np.array([MONDAY, MONDAY + 7, away, away + 1]), np.array([0]), np.array([1.0, 0, 1]), False)
    coder = Times(day, {}, ("weekday",), True, Bins(np.array([0.0, DAY]), np.array([0]), np.ones(1), True), np.ones(7), True)
    at = drawn(coder, [(0, 7)] * 50 + [(0, 2)] * 50)
    assert (at[:50] == int(away) * DAY + DAY - 1).all()
    assert set(view(at[50:], "weekday")) == {2}
    assert coder.encode("weekday", at[:1], np.array([False])).tolist() == [7]


def test_missing_is_a_code_of_every_part_and_comes_back():
    coder = shop(null=True)
    codes = [coder.encode(part, np.zeros(1, np.int64), np.array([True]))[0] for part in coder.sizes]
    assert codes == [size - 1 for size in coder.sizes.values()]
    assert np.isnan(coder.decode(np.array([codes]), AT, np.random.default_rng(0))).all()


def codec_of(coder: Times, **column) -> dict:
    schema = Schema.from_dict(
        {"name": "s", "columns": {"at": {"kind": "datetime", "discover": True, "nullable": False} | column}}
    )
    return Codec(schema, {"at": coder}).to_dict()


def test_the_coder_round_trips_as_plain_data():
    plain = codec_of(shop())
    assert Codec.from_dict(plain).to_dict() == plain


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("parts", ["time", "weekday"]), ("parts", ["hour"]), ("parts", "time"), ("parts", [["time"]]), ("null", True), ("null", 1),
        ("late", None), ("levels", [0.0] * 7), ("levels", [1.0] * 6), ("levels", None), ("levels", [-1.0] + [1.0] * 6), ("time", None),
        ("calendar", {"weekday": [1.0] * 6}), ("calendar", {"hour": [1.0] * 7}), ("calendar", {"weekday": [float("nan")] * 7}),
        ("day", {"labels": [1], "null": False}), ("extra", 1), ("calendar", []),
    ],
)  # fmt: skip
def test_a_crafted_coder_is_refused(place, value):
    plain = codec_of(shop())
    plain["coders"]["at"][place] = value
    with pytest.raises(SchemaError, match="a coder is damaged"):
        Codec.from_dict(plain)


@pytest.mark.parametrize(("which", "edges"), [("day", [0.5, 7, 14]), ("day", [0, 0, 14]), ("time", [0, 1, 1, 2, 3, 4]), ("time", [-1, 1, 2, 3, 4, 5]),
                                              ("time", [0, 1, 2, 3, 4, 86_401]), ("day", [0, 5, 4e6])])  # fmt: skip
def test_crafted_edges_are_refused(which, edges):
    plain = codec_of(shop())
    plain["coders"]["at"][which]["edges"] = edges
    with pytest.raises(SchemaError):
        Codec.from_dict(plain)


def test_no_part_is_called_like_a_column():
    columns = {"at": {"kind": "datetime", "discover": True}, "at:time": {"kind": "boolean"}, "at:time:": {"kind": "boolean"}}
    schema = Schema.from_dict({"name": "s", "columns": columns})
    assert part_name(schema, schema["at"], "time") == "at:time::"
    assert part_name(schema, schema["at"], "date") == "at"
    assert resolved(schema, "at:time") == (schema["at:time"], None)
    assert resolved(schema, "at:weekday") == (schema["at"], "weekday")


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"kind": "datetime", "resolution": "week"}, "resolution is 'week'; it is for datetime columns, one of second, minute"),
        ({"kind": "datetime", "resolution": ["day"]}, "resolution is"),
        ({"kind": "date", "resolution": "day"}, "resolution is 'day'; it is for datetime columns"),
        ({"kind": "date", "parts": ["time"]}, "parts is .*; for date columns list some of date, weekday, month, each once"),
        ({"kind": "datetime", "parts": [{}]}, "list some of"),
        ({"kind": "float", "parts": ["date"]}, "parts is .*; it is for date and datetime columns"),
    ],
)  # fmt: skip
def test_the_schema_s_words_for_times_are_checked(described, says):
    with pytest.raises(SchemaError, match=says):
        Schema.from_dict({"name": "s", "columns": {"x": described | {"discover": True}}})
