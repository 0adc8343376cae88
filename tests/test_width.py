"""What the budget buys a column is said before anything is spent, and where that is little, with a warning."""

import pytest

from tabsynth import Schema
from tabsynth.fit import count_noise
from tabsynth.pipeline import _tell_width


def wide(columns: int, max_rows: int = 1) -> Schema:
    listed = {f"x{i}": {"kind": "integer", "minimum": 0, "maximum": 9} for i in range(columns)} | {"who": {"kind": "identifier"}}
    unit = {"unit": {"key": "who", "max_rows": max_rows}} if max_rows > 1 else {}
    return Schema.from_dict({"name": "t", "columns": listed} | unit)


def test_the_noise_of_a_column_is_that_of_its_share_of_the_budget():
    """At epsilon 1 and delta 1e-6 the Gaussian mechanism's noise multiplier is 4.225 (Balle and Wang 2018, algorithm 1)."""
    assert count_noise(wide(1), epsilon=1, delta=1e-6) == pytest.approx(4.225, rel=2e-3)
    assert count_noise(wide(168), epsilon=1, delta=1e-6) == pytest.approx(4.225 * 168**0.5, rel=2e-3)
    assert count_noise(wide(4, 20), epsilon=1, delta=1e-6) == pytest.approx(4.225 * 2 * 20, rel=2e-3)


@pytest.mark.parametrize(
    ("rows", "said"), [(398, "only if at least 41% of the rows have it"), (100, "in no case"), (0, "in no case"), (1700, None)]
)
def test_a_table_that_is_small_for_its_width_is_warned_of(rows, said):
    told: list[str] = []
    _tell_width(told.append, count_noise(wide(168), epsilon=1, delta=1e-6), rows, 168)
    assert [said in line for line in told] == ([True] if said else [])


def test_the_command_says_it_of_every_fit(tmp_path, run):
    (tmp_path / "t.csv").write_text("x0,x1,who\n1,2,a\n3,4,b\n")
    (tmp_path / "s.yaml").write_text(wide(2).dump())
    _, _, err = run(
        "fit",
        tmp_path / "t.csv",
        "--schema",
        tmp_path / "s.yaml",
        "--epsilon",
        1,
        "--model",
        "independent",
        "--out",
        tmp_path / "m",
    )
    assert "The budget buys each of 2 columns counts that are off by about 6 rows or more." in err
