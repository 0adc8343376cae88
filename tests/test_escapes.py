"""What is shown of a text from a file, and what a spreadsheet would run of it."""

import unicodedata

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.escapes import isolated, visible, without_formulas
from tabsynth.yaml_file import write_yaml

ANY = st.text(st.characters(), max_size=30)


@given(ANY)
def test_what_is_shown_is_one_line_of_what_is_seen(text):
    shown = visible(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert visible(shown) == shown
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), max_size=30))
def test_what_is_seen_is_shown_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize("c", ["\x1b", "\x9b", "\x7f", "\r", "\n", "\t", "\0", "\u200b", "\u200d", "\u202e", "\u2067", "\u2069", "\u061c", "\u2028",
                               "\u2029", "\ufeff", "\u00ad", "\ud800", "\U000e0041", "\ufff9"])  # fmt: skip
def test_these_are_escaped(c):
    assert visible(f"a{c}b") == f"a{c.encode('unicode_escape').decode()}b"
    assert visible(f"a{c}b", keep=c) == f"a{c}b"


@settings(max_examples=200)
@given(st.dictionaries(ANY, ANY, max_size=3))
def test_yaml_shows_what_is_seen_and_reads_back(data):
    text = write_yaml(data)
    assert visible(text, keep="\n") == text
    assert yaml.safe_load(text) == data


def test_words_from_right_to_left_stand_apart():
    assert isolated("a אב גד 12 of 3, עב") == "a \u2068אב גד\u2069 12 of 3, \u2068עב\u2069"
    assert isolated("plain, größe 12") == "plain, größe 12"


@pytest.mark.parametrize(("text", "safe"), [
    ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), ("\rx", "'\rx"), ("\nx", "'\nx"),
    ("  =1", "'  =1"), ('"=1"', "'\"=1\""), ("\uff1d1", "'\uff1d1"), ("a;=1", "a;'=1"), ('a,"-1', "a,'\"-1"),
])  # fmt: skip
def test_formulas_become_text(text, safe):
    assert without_formulas(text) == safe


@pytest.mark.parametrize("text", ["", "a", "a-b", "1-2", "a = b", "x@y", "2020-01-01", "'=1", "a, b", "Größe", "5 %"])
def test_other_texts_stay(text):
    assert without_formulas(text) == text
