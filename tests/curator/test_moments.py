"""Buying days, calendar and times of day: what stands out holds, and nothing beyond it is made up."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.curator._estimate import family
from tabsynth.curator._moments import _first_days
from tabsynth.curator.discover import MOST, discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.models import _tables
from tabsynth.times import STAND_INS

pytestmark = pytest.mark.slow


def redrawn(values, *, epsilon=3.0, others=(), **column) -> tuple[pd.Series, dict]:
    """A column bought with `epsilon`, its codes drawn independently of one another from tables without noise; and its coder's sizes."""
    schema = Schema.from_dict({"name": "one", "columns": {"x": {"nullable": False} | column} | dict(others)})
    frame = pd.DataFrame({"x": values} | {name: False for name in dict(others)})
    rng = np.random.default_rng(0)
    with PrivateTable(frame, schema, Ledger(Budget(epsilon, 1e-6))) as table:
        codec = discover(table)
        assert 0 < table.ledger.spent() <= MOST * table.ledger.budget.rho
    with PrivateTable(frame, schema, Ledger(Budget(1e6, 0.5))) as table:
        table.encode(codec)
        told = table.measure([(name,) for name in codec.domain], costs=[1e3] * len(codec.domain))
    codes = [_tables.draw(_tables.distribution(one), len(frame), rng) for one in told]
    return codec.decode(np.array(codes).T, rng)["x"], codec.domain


def shop(n: int = 20_000) -> np.ndarray:
    """Whole minutes from 9:30 to 19:59, never on Sundays, from 2022-01-03 to 2024-06-08."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2022-01-03", "2024-06-08")
    days = days[days.dayofweek < 6].to_numpy().astype("datetime64[s]")
    return days[rng.integers(0, len(days), n)] + (60 * rng.integers(570, 1200, n)).astype("timedelta64[s]")


@pytest.mark.parametrize("known", [{"minimum": dt.date(2015, 1, 1), "maximum": dt.date(2035, 12, 31)}, {"discover": True}])
def test_a_shop_stays_closed_at_night_on_sundays_and_after_its_last_sale(known):
    if "minimum" in known:
        known = {end: dt.datetime(day.year, day.month, day.day) for end, day in known.items()}
    out, domain = redrawn(shop(), kind="datetime", **known)
    assert list(domain) == ["x", "x:weekday", "x:time"]
    assert (out.dt.dayofweek == 6).mean() < 0.001
    minute = out.dt.hour * 60 + out.dt.minute
    assert ((minute < 570) | (minute >= 1200)).mean() < 0.005
    assert (out.dt.second == 0).all()
    assert out.min() >= pd.Timestamp("2021-12-01")
    assert out.max() < pd.Timestamp("2024-07-01")
    for what, size in (("dayofweek", 7), ("hour", 24)):
        real, drawn = (np.bincount(getattr(s.dt, what), minlength=size) / len(s) for s in (pd.Series(shop()), out))
        assert np.abs(real - drawn).sum() / 2 < 0.03, what


def test_dates_of_birth_without_a_range_are_found_as_a_whole():
    """No single year stands out; together they do."""
    born = np.datetime64("1930-01-01", "s") + (np.random.default_rng(0).integers(0, 29_200, 10_000) * 86_400).astype(
        "timedelta64[s]"
    )
    out, domain = redrawn(born, epsilon=1.0, kind="date", discover=True)
    assert list(domain) == ["x"], "their weekdays are even"
    assert ((out >= "1930-01-01") & (out < "2010-01-01")).mean() > 0.95
    assert out.dt.year.between(1900, 2060).mean() > 0.98
    assert out.dt.year.std() == pytest.approx(pd.Series(born).dt.year.std(), rel=0.1)


@pytest.mark.parametrize(("away", "late"), [("9999-12-31", False), ("2999-12-31", False), ("1900-01-01", True)])
def test_a_day_that_stands_for_none_keeps_its_share(away, late):
    """With the time of day that it comes with, and without a weekday for the others."""
    rng = np.random.default_rng(0)
    values = shop()
    values[rng.random(len(values)) < 0.7] = np.datetime64(f"{away}T23:59:59" if late else away, "s")
    out, _ = redrawn(values, kind="datetime", discover=True)
    gone = out.dt.date == dt.date.fromisoformat(away)
    assert gone.mean() == pytest.approx(0.7, abs=0.01)
    assert (out[gone] == np.datetime64(f"{away}T23:59:59" if late else away)).all()
    assert out[~gone].dt.year.between(2022, 2024).mean() > 0.98
    assert (out[~gone].dt.dayofweek == 6).mean() < 0.005


def test_first_of_the_month_is_frequent_where_it_is():
    rng = np.random.default_rng(0)
    days = pd.date_range("2015-01-01", "2020-12-31")
    weight = np.where(days.day == 1, 20.0, 1.0)
    values = days.to_numpy().astype("datetime64[s]")[rng.choice(len(days), 20_000, p=weight / weight.sum())]
    out, _ = redrawn(values, kind="date", minimum=dt.date(2000, 1, 1), maximum=dt.date(2030, 12, 31))
    real, drawn = (np.bincount(s.dt.day, minlength=32)[1:] / len(s) for s in (pd.Series(values), out))
    assert np.abs(real - drawn).sum() / 2 < 0.03


@pytest.mark.parametrize(
    ("resolution", "cut", "seconds"), [("minute", 60, 1), ("quarter", 900, 1), ("day", 86_400, 1), (None, 900, 900)]
)
def test_times_of_day_are_whole_multiples_of_the_resolution(resolution, cut, seconds):
    """Stated, or of what the values are."""
    rng = np.random.default_rng(0)
    values = np.datetime64("2024-01-01", "s") + (rng.integers(0, 90 * 86_400 // seconds, 5000) * seconds).astype("timedelta64[s]")
    stated = {"resolution": resolution} if resolution else {}
    out, _ = redrawn(values, kind="datetime", minimum=dt.datetime(2024, 1, 1), maximum=dt.datetime(2024, 12, 31), **stated)
    assert (out.astype("int64") % cut == 0).all()


def test_parts_that_the_schema_names_are_coded_apart():
    many = {f"b{i}": {"kind": "boolean"} for i in range(9)}
    end = {"minimum": dt.datetime(2022, 1, 1), "maximum": dt.datetime(2024, 12, 31)}
    named = redrawn(shop(50), kind="datetime", parts=["month", "time"], others=many, **end)[1]
    usual = redrawn(shop(50), kind="datetime", others=many, **end)[1]
    assert [name for name in named if ":" in name] == ["x:month", "x:time"]
    assert [name for name in usual if ":" in name] == [], "too few rows for more than the date"


def test_the_first_cells_cover_every_day_once_and_set_stand_ins_apart():
    for first, last in ((STAND_INS[0], STAND_INS[-1]), (0, 100), (-30_000, 20_000), (19_000, 19_000), (2_000_000, 2_932_896)):
        edges = _first_days(first, last)
        assert edges[0] == first
        assert edges[-1] == last + 1
        assert (np.diff(edges) > 0).all()
        assert len(edges) < 400
        assert all({day, day + 1} <= set(edges.tolist()) for day in STAND_INS if first <= day <= last)


@pytest.mark.parametrize("seed", range(3))
def test_masses_keep_their_total_and_empty_cells_have_none(seed):
    """Half of 48 cells hold rows, ten times the noise each."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0.0, 300], 24)
    mass = family(truth + rng.normal(0, 30, 48), np.full(48, 1 / 48), np.full(48, 30.0), truth.sum())
    assert mass.sum() == pytest.approx(truth.sum())
    assert mass[:24].sum() == 0
    assert np.abs(mass - truth)[24:].max() < 120


def test_masses_that_could_be_even_are():
    rng = np.random.default_rng(0)
    mass = family(rng.normal(10, 30, 48), np.full(48, 1 / 48), np.full(48, 30.0), 480.0)
    assert mass.min() > 0
    assert mass.max() < 30
