"""Folders are written whole or not at all, and an earlier one is never lost."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabsynth
from tabsynth import Release
from tabsynth.errors import FolderError, OptionError
from tabsynth.release import new_folder
from tabsynth.tables import replacing, undo


@pytest.fixture
def earlier(tmp_path):
    """A folder that tabsynth wrote before."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "card.json").write_text("{}")
    return folder


def test_a_new_folder_appears_whole(tmp_path):
    with new_folder(tmp_path / "out") as partial:
        (partial / "card.json").write_text("{}")
        assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "card.json"]
    assert undo == []


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_after_an_error_nothing_is_left_and_the_earlier_folder_stays(earlier, error):
    with pytest.raises(error), new_folder(earlier, force=True) as partial:
        (partial / "card.json").write_text("half")
        raise error
    assert [p.name for p in earlier.parent.rglob("*")] == ["out", "card.json"]
    assert (earlier / "card.json").read_text() == "{}"


def test_stopped_between_two_moves_the_earlier_folder_returns(earlier, monkeypatch):
    """The process is told to stop when the earlier folder has been moved away and the new one is not yet in place."""
    move = os.replace

    def stop_at_the_second(source, target):
        if not earlier.exists():
            monkeypatch.setattr(os, "replace", move)
            undo[-1]()
            raise SystemExit
        move(source, target)

    monkeypatch.setattr(os, "replace", stop_at_the_second)
    with pytest.raises(SystemExit), new_folder(earlier, force=True) as partial:
        (partial / "card.json").write_text("new")
    assert (earlier / "card.json").read_text() == "{}"
    assert list(earlier.parent.iterdir()) == [earlier]


def test_existing_folders_are_refused_or_replaced(earlier, tmp_path):
    with pytest.raises(FolderError, match="already exists"), new_folder(earlier):
        pass
    with new_folder(earlier, force=True) as partial:
        (partial / "new").touch()
    assert [p.name for p in earlier.iterdir()] == ["new"]
    with pytest.raises(FolderError, match="not written by tabsynth"), new_folder(earlier, force=True):
        pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("earlier")
    with pytest.raises(ValueError, match="stop"), replacing(path) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rows", [0, -1, 1.5, True, "9", 10**10])
def test_rows_out_of_range(rows, toy_schema, toy_table):
    release = tabsynth.fit(toy_table, toy_schema, epsilon=1, model="independent")
    with pytest.raises(OptionError, match="rows is"):
        release.sample(rows)


def test_the_card_says_what_was_bought_and_what_is_not_protected(toy_schema, toy_table):
    card = tabsynth.fit(toy_table, toy_schema, epsilon=1, model="independent").card
    assert [(b["column"], b["what"]) for b in card["bought"]] == [
        ("age", "bins"),
        ("cost", "bins"),
        ("seen", "days"),
        ("at", "days"),
        ("at", "times of day"),
        ("score", "range and bins"),
        ("drug", "categories"),
    ]
    assert "any one row" in card["guarantee"]["statement"]
    assert "delta" in json.dumps(card["ledger"])
    assert any("add up" in limit for limit in card["limits"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory, toy_schema, toy_table):
    """The files of a model folder."""
    folder = tmp_path_factory.mktemp("saved") / "m"
    tabsynth.fit(toy_table, toy_schema, epsilon=1, model="mst").save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damaged_model_files_load_or_are_refused_never_worse(saved, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    name = data.draw(st.sampled_from(sorted(saved)))
    damaged = bytearray(saved[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    for other, content in saved.items():
        (folder / other).write_bytes(content)
    (folder / name).write_bytes(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))
    try:
        Release.load(folder).sample(3)
    except FolderError as error:
        assert "\n" not in str(error)
