"""A path is the name of one file: no character in it means anything, in any command."""

import json

import pandas as pd
import pytest

from tabsynth import Schema
from tabsynth.conform import read

SCHEMA = Schema.from_dict(
    {
        "name": "s",
        "columns": {
            "a": {"kind": "categorical", "labels": ["mine", "other"]},
            "n": {"kind": "integer", "minimum": 0, "maximum": 9},
        },
    }
)
ODD = {
    "v[12]": "v1", "v*": "vx", "v?": "vx", "{v,w}": "v", "**": "x", "%76": "v", "%s": "v", "it's": "its", 'say "v"': "say v", "-v": "v",
    " v ": "v", "v\nw": "vw", "ü\u0301": "ü", "k=v": "v", "~": "v", "$HOME": "v", "file:v": "v", "s3:/v": "v", "v#w": "v", "a\\b": "ab",
    "v;w": "v",
}  # fmt: skip
"""Names, and what an engine could take each for."""
WORST = "-v[12]*?{a,b}%20'\"\n $HOME=~ü"


def write(path, value, rows=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"a": value, "n": range(rows)})
    with path.open("wb") as file:
        frame.to_parquet(file, index=False) if path.suffix == ".parquet" else frame.to_csv(file, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("name", ODD)
def test_a_name_is_a_name(name, suffix, tmp_path):
    """Also as a folder's: no column comes out of it, and the table beside it is not taken."""
    for stem, value in ((ODD[name], "other"), (name, "mine")):
        path = write(tmp_path / stem / f"{stem}{suffix.removesuffix('.gz')}", value)
        if suffix.endswith(".gz"):
            import gzip

            path = path.rename(path.with_name(path.name + ".gz"))
            path.write_bytes(gzip.compress(path.read_bytes()))
    frame = read(path, SCHEMA)
    assert list(frame.columns) == ["a", "n"]
    assert set(frame.a) == {"mine"}


@pytest.fixture(scope="module", params=[".csv", ".parquet"])
def place(request, tmp_path_factory):
    """A folder and files of the worst name, beside others that a pattern would find; and the path of a table there."""
    base = tmp_path_factory.mktemp("names")
    for stem, value in (("-v1xa20'\"\n $HOME=~ü", "other"), (WORST, "mine")):
        for part in ("", "train", "holdout"):
            write(base / stem / f"{stem}{part}{request.param}", value, 60)
        (base / stem / f"{stem}.yaml").write_text(SCHEMA.dump())
    folder = base / WORST
    return folder, lambda part: folder / f"{WORST}{part}{request.param}", folder / f"{WORST}.yaml"


def test_fit_and_sample(place, run, monkeypatch):
    folder, table, schema = place
    monkeypatch.chdir(folder)
    options = ("--schema", schema.name, "--epsilon", 50, "--model", "independent", "--quiet")
    assert run("fit", *options, "--out", f"{WORST}fit", "--", table("").name)[0] == 0
    out = folder / f"{WORST}more{table('').suffix}"
    assert run("sample", f"--out={out.name}", "--rows", 50, "--quiet", "--", f"{WORST}fit")[0] == 0
    assert (read(out, SCHEMA).a == "mine").mean() > 0.8


def test_release_and_verify(place, run):
    folder, table, schema = place
    out = folder / f"{WORST}release"
    options = ("--schema", schema, "--epsilon", 50, "--model", "independent", "--quiet")
    assert run("release", table(""), *options, "--out", out)[0] == 0
    code, shown, _ = run("verify", out, "--data", table(""), "--json")
    assert (code, json.loads(shown)["holds"]) == (0, True), shown


def test_evaluate_and_report(place, run):
    folder, table, schema = place
    out = folder / f"{WORST}evaluated"
    tables = ("--train", table("train"), "--holdout", table("holdout"), "--synthetic", table(""))
    assert run("evaluate", *tables, "--schema", schema, "--out", out, "--quiet")[0] == 0
    told = json.loads((out / "confidential/report.internal.json").read_text())
    assert told["tables"]["train"]["rows"] == 60
    assert (
        run("report", "--from", out / "confidential/report.internal.json", "--out", folder / f"{WORST}page.html", "--quiet")[0]
        == 0
    )


def test_attack_schema_and_policy(place, run):
    folder, table, schema = place
    tables = ("--members", table("train"), "--non-members", table("holdout"), "--synthetic", table(""))
    assert run("attack", *tables, "--attacks", "dcr", "--json", folder / f"{WORST}.json", "--quiet")[0] == 0
    assert run("schema", "check", schema, table(""), "--quiet")[0] == 0
    code, text, _ = run("schema", "draft", table(""))
    assert code == 0
    drafted = folder / f"{WORST}draft.yaml"
    drafted.write_text(text)
    assert Schema.load(drafted).name == WORST
    code, text, _ = run("policy", "nist")
    board = folder / f"{WORST}board.yaml"
    board.write_text(text)
    assert run("policy", board)[0] == 0
