"""Files of a size at which readers that guess go wrong, and many more trials of what one record's bytes may do."""

import numpy as np
import pandas as pd
import pytest
import test_delimited
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabsynth import Schema
from tabsynth.conform import read
from tabsynth.errors import DataError

pytestmark = pytest.mark.slow
ROWS = 1_500_000
NOTES = Schema.from_dict(
    {
        "name": "notes",
        "columns": {"n": {"kind": "integer", "minimum": 0, "maximum": ROWS}, "note": {"kind": "categorical", "discover": True}},
    }
)


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """A note of several lines, with commas and quotes, in every fifth row."""
    path, n = tmp_path_factory.mktemp("notes") / "notes.csv", np.arange(ROWS)
    note = np.where(n % 5, "fine", 'seen at 9,\n"no change"\r\n\nback at 10')
    pd.DataFrame({"n": n, "note": note}).to_csv(path, index=False)
    return path


def test_line_breaks_in_quotes_are_read_at_any_size(notes):
    frame = read(notes, NOTES)
    assert (frame.n.to_numpy() == np.arange(ROWS)).all(), "all rows, in their order"
    assert frame.note.value_counts().tolist() == [ROWS - ROWS // 5, ROWS // 5]


@pytest.mark.parametrize("stray", [b'0,"fine\n', b'0,"say \\"no\\""\n', b"0,fine\r7,fine\n", b"0,\xe9\n"])
def test_one_stray_record_has_all_refused(notes, stray, tmp_path):
    header, rows = notes.read_bytes().split(b"\n", 1)
    (tmp_path / "t.csv").write_bytes(header + b"\n" + ROWS * b"1,fine\n" + stray + rows)
    with pytest.raises(DataError, match=f"line {ROWS + 2}:"):
        read(tmp_path / "t.csv", NOTES)


@pytest.mark.parametrize("how", [{}, {"escape": "\\"}, {"malformed": "skip"}], ids=str)
def test_the_bytes_of_one_record_change_no_other(how, tmp_path):
    trial = given(data=st.data())(test_delimited.one_record_changes_no_other)
    settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))(trial)(tmp_path, how)
