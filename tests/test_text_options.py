"""How CSV files are written, said on the command line."""

import pytest
from test_delimited import TWO


@pytest.fixture
def place(tmp_path):
    (tmp_path / "s.yaml").write_text(TWO.dump())
    (tmp_path / "t.csv").write_bytes(b"a;b\r\n" + 40 * b"1;x\r\n" + b'2;"say \\"\x80\\""\r\n')
    return tmp_path


FIT = ("--epsilon", 1, "--model", "independent")


def test_encoding_delimiter_and_escape(place, run):
    said = ("--encoding", "cp1252", "--delimiter", ";", "--escape", "\\")
    assert run("schema", "check", place / "s.yaml", place / "t.csv", *said)[0] == 0
    assert "  b: {kind: categorical" in run("schema", "draft", place / "t.csv", *said)[1]
    assert run("fit", place / "t.csv", "--schema", place / "s.yaml", *FIT, "--out", place / "m", *said)[0] == 0


def test_skipped_lines_are_told_once_on_the_terminal_and_nowhere_else(place, run):
    said = ("--delimiter", ";", "--malformed", "skip")
    code, out, err = run("fit", place / "t.csv", "--schema", place / "s.yaml", *FIT, "--out", place / "m", *said)
    assert (code, err.count("1 malformed lines of t.csv were left out")) == (0, 1)
    assert "CONFIDENTIAL" in err
    assert "malformed" not in out + "".join(path.read_text(errors="replace") for path in (place / "m").iterdir())


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (("--encoding", "klingon"), "encoding is 'klingon'; give one such as utf-8"),
        (("--delimiter", ";;"), "delimiter is ';;'; give one ASCII character"),
        (("--escape", ""), "escape is ''; give one ASCII character"),
        (("--malformed", "drop"), "malformed is 'drop'; allowed are refuse and skip"),
        (("--delimiter", ";"), "its bytes are not utf-8; name another --encoding"),
        (("--delimiter", ";", "--encoding", "cp1252"), "text follows the quote that closes a field; mend the file"),
    ],
    ids=str,
)
def test_what_cannot_be_read_ends_in_one_sentence_and_leaves_nothing(said, says, place, run):
    before = sorted(place.iterdir())
    code, out, err = run("fit", place / "t.csv", "--schema", place / "s.yaml", *FIT, "--out", place / "m", *said)
    assert (code, out) == (2, "")
    assert says in err.strip().splitlines()[-1]
    assert sorted(place.iterdir()) == before


def test_options_of_text_without_text_are_refused(place, run):
    (place / "t.parquet").touch()
    code, _, err = run("schema", "draft", place / "t.parquet", "--delimiter", ";")
    assert (code, "--delimiter is about CSV and TSV files" in err) == (2, True)
