"""Level and power of the claims on columns and relations: other real rows in the synthetic table's place, and rubbish."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))
import test_columns
import test_relations

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("tail", [0.8, 1.2, 3.0])
@pytest.mark.parametrize("rows", [150, 1_000])
def test_columns_of_other_real_rows_fail_no_more_often_than_their_level(tail, rows):
    """300 tables at a level of 1 %: 3 expected at most, and 3 standard errors."""
    verdicts = [
        test_columns.judged(*(test_columns.draw(n, 3 * seed + i, tail) for i, n in enumerate((rows, rows, rows // 2)))).verdict
        for seed in range(300)
    ]
    assert verdicts.count("fail") <= 8


def test_relations_of_other_real_rows_fail_no_more_often_than_their_level():
    """300 tables at a level of 2 %: 6 expected at most, and 3 standard errors."""
    verdicts = [
        test_relations.judged(*(test_relations.draw(n, 3 * seed + i) for i, n in enumerate((800, 800, 400)))).verdict
        for seed in range(300)
    ]
    assert verdicts.count("fail") <= 13
