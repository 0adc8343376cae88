"""What may leave and what is confidential lie in folders of their own, and every command finds its part."""

from __future__ import annotations

import shutil

import pytest

from tabsynth import Release, folders
from tabsynth.errors import FolderError


@pytest.fixture
def received(released, tmp_path):
    """What a recipient has of a release: the part that may leave, under a name of their own."""
    shutil.copytree(released[0] / "release", tmp_path / "theirs")
    return tmp_path / "theirs"


def test_the_parts_of_a_release_are_found_from_either_folder(released, received):
    out, _ = released
    for folder in (out, out / "release"):
        assert folders.public(folder) == out / "release"
        assert folders.model(folder) == out / "release/model"
        assert folders.card(folder) == out / "release/card.json"
    assert folders.public(received) == received
    assert folders.model(out / "release/model") == out / "release/model"
    assert folders.card(out / "release/model") == out / "release/model/card.json"
    assert folders.report(out) == out / "confidential/report.internal.json"


def test_a_recipient_can_verify_sample_and_attack(released, received, files, run, tmp_path):
    assert run("verify", received)[0] == 0
    for folder in (released[0], received, received / "model"):
        assert run("sample", folder, "--rows", 5, "--out", tmp_path / "five.csv", "--quiet")[0] == 0
    assert len(Release.load(received).sample(3)) == 3
    tables = [
        "--members",
        files / "toy.csv",
        "--non-members",
        files / "toy.parquet",
        "--synthetic",
        received / "synthetic.parquet",
    ]
    code, out, err = run("attack", *tables, "--card", received, "--attacks", "dcr", "--quiet")
    assert (code, out, err) == (0, "", "")


@pytest.mark.parametrize("command", ["verify", "report", "release"])
def test_what_needs_the_confidential_part_says_so(command, received, files, run, tmp_path):
    asked = {
        "verify": [received, "--data", files / "toy.csv"],
        "report": ["--compare", received, received, "--out", tmp_path / "new.html"],
        "release": [files / "toy.csv", "--schema", files / "toy.yaml", "--epsilon", 1, "--quiet", "--out", tmp_path / "new", "--same-split", received],
    }  # fmt: skip
    code, out, err = run(command, *asked[command])
    assert (code, out) == (2, "")
    assert "output folder of" in err
    assert len(err.strip().splitlines()) == 1


def test_attack_writes_nothing_beside_what_may_leave(received, files, run):
    tables = [
        "--members",
        files / "toy.csv",
        "--non-members",
        files / "toy.parquet",
        "--synthetic",
        received / "synthetic.parquet",
    ]
    code, out, err = run("attack", *tables, "--json", received / "attack.json")
    assert (code, out) == (2, "")
    assert "is confidential and" in err
    assert not (received / "attack.json").exists()


def test_force_replaces_what_tabsynth_wrote_alone(released, files, run, tmp_path):
    evaluate = ["evaluate", "--train", files / "toy.csv", "--holdout", files / "toy.csv", "--synthetic", files / "toy.csv"]
    evaluate += ["--schema", files / "gone.yaml", "--quiet", "--force", "--out"]
    for name, contents in {
        "notes": "notes.txt",
        "their release": "release/notes.txt",
        "their papers": "confidential/a.txt",
    }.items():
        path = tmp_path / name / contents
        path.parent.mkdir(parents=True)
        path.write_text("mine")
        code, _, err = run(*evaluate, tmp_path / name)
        assert code == 2
        assert "was not written by tabsynth" in err
        assert path.read_text() == "mine"
    for ours in (".", "release", "release/model"):
        assert folders.written_by_us(released[0] / ours)
    assert not folders.written_by_us(released[0] / "confidential")


def test_a_folder_of_what_may_leave_takes_nothing_confidential(released, tmp_path):
    for place in ("release", "release/model"):
        with pytest.raises(FolderError, match=r"is confidential and .* holds files that may leave"):
            folders.refuse_mixing(released[0] / place / "x.json")
    for path in (released[0] / "confidential/x.json", released[0] / "x.json", tmp_path / "x.json"):
        folders.refuse_mixing(path)
