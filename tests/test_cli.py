"""The command line: what works, what is refused and how, and that nothing is left half written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from conftest import toy_rows

import tabsynth
from tabsynth import Release
from tabsynth.conform import read


def test_help_is_instant():
    best = 9.0
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tabsynth", "--help"], capture_output=True, check=True)
        best = min(best, time.perf_counter() - started)
    assert best < 0.5


def test_release_folder_is_complete(released, toy_schema):
    out, done = released
    public, confidential = out / "release", out / "confidential"
    assert {p.name for p in out.iterdir()} == {"release", "confidential"}
    assert {p.name for p in public.iterdir()} == {"synthetic.parquet", "model", "card.json", "card.html"}
    assert {p.name for p in (public / "model").iterdir()} == {"model.json", "model.npz", "card.json"}
    assert {p.name for p in confidential.iterdir()} == {"report.internal.html", "report.internal.json"}
    card = json.loads((public / "card.json").read_text())
    assert 2.99 < card["guarantee"]["epsilon"] <= 3
    assert len(read(public / "synthetic.parquet", toy_schema)) == card["synthetic"]["rows"]
    assert "Model aim (auto: 9 columns" in done.stderr
    assert done.stdout.splitlines()[1:] == [
        f"May leave: {public}",
        f"CONFIDENTIAL, must not leave: {confidential}/report.internal.html",
    ]
    sizes = json.loads((confidential / "report.internal.json").read_text())["tables"]
    told = f"CONFIDENTIAL, for your eyes only: With {sizes['train']['rows']:,} training and {sizes['holdout']['rows']:,} holdout rows, the report"
    assert done.stderr.count(told) == 1
    assert "can probably settle" not in done.stdout
    assert not [p for p in out.parent.iterdir() if "partial" in p.name]


def test_no_exact_number_of_rows_leaves(released, toy_schema):
    """Public files hold neither the size of the training half nor of the table, unless the noisy estimate happens to hit it."""
    out, _ = released
    card = (out / "release/card.json").read_text()
    synthetic, train = (
        json.loads(card)["synthetic"]["rows"],
        json.loads((out / "confidential/report.internal.json").read_text())["tables"]["train"]["rows"],
    )
    public = card + (out / "release/card.html").read_text() + (out / "release/model/model.json").read_text()
    for exact in {train, 1500} - {synthetic}:
        assert not re.search(rf"(?<![\d.]){exact}(?![\d.])|{exact:,}", public)
    assert synthetic == Release.load(out).rows, "the default size is the model's noisy estimate"
    estimates = {tabsynth.fit(toy_rows(400), toy_schema, epsilon=1, model="independent").rows for _ in range(5)}
    assert len(estimates) > 1, "the default number of rows is an estimate with fresh noise, not a count"


def test_verify_accepts_what_was_released_and_finds_what_was_changed(released, run, tmp_path):
    out, _ = released
    assert run("verify", out)[0] == 0

    def changed(name, edit):
        copy = tmp_path / name
        shutil.copytree(out / "release", copy)
        edit(copy)
        code, text, _ = run("verify", copy)
        assert code == 1, name
        return text

    def edit_card(**changes):
        def edit(folder):
            card = json.loads((folder / "card.json").read_text())
            for section, values in changes.items():
                card[section].update(values)
            (folder / "card.json").write_text(json.dumps(card))

        return edit

    assert "synthetic.parquet changed" in changed("table", lambda f: toy_rows(5).to_parquet(f / "synthetic.parquet"))
    assert "model/model.npz is missing" in changed("model", lambda f: (f / "model/model.npz").unlink())
    assert "amount to epsilon" in changed("epsilon", edit_card(guarantee={"epsilon": 0.5}))
    assert "add up to rho" in changed(
        "charges", edit_card(ledger={"charges": json.loads((out / "release/card.json").read_text())["ledger"]["charges"] * 2})
    )
    assert "fingerprint" in changed("fingerprint", edit_card(schema={"name": "other"}))
    assert "lacks what this check needs" in changed(
        "empty", lambda f: (f / "card.json").write_text('{"format": "tabsynth.card", "version": 1}')
    )


def test_fit_sample_evaluate(files, run, tmp_path):
    code, out, err = run("fit", files / "toy.parquet", "--schema", files / "toy.yaml", "--epsilon", 1, "--model", "independent", "--target", "sick",
                         "--out", tmp_path / "m", "--json")  # fmt: skip
    assert (code, json.loads(out)["model"]) == (0, "independent")
    for name in ("a.csv", "b.parquet"):
        code, out, err = run("sample", tmp_path / "m", "--rows", 200, "--seed", 7, "--out", tmp_path / name)
        assert (code, err) == (0, "")
    schema = Release.load(tmp_path / "m").schema
    pd.testing.assert_frame_equal(read(tmp_path / "a.csv", schema), read(tmp_path / "b.parquet", schema))
    code, out, _ = run("evaluate", "--train", files / "toy.csv", "--holdout", files / "toy.parquet", "--synthetic", tmp_path / "a.csv", "--schema",
                       files / "toy.yaml", "--out", tmp_path / "e", "--quiet", "--json")  # fmt: skip
    assert code == 0
    assert set(json.loads(out)["verdicts"]) >= {"attacks.replication", "attacks.membership"}
    assert [p.name for p in (tmp_path / "e").iterdir()] == ["confidential"]
    assert (tmp_path / "e/confidential/report.internal.html").is_file()


def test_schema_draft_and_check(files, run, tmp_path):
    code, out, _ = run("schema", "draft", files / "toy.parquet")
    assert code == 0
    (tmp_path / "s.yaml").write_text(out)
    code, out, err = run("schema", "check", tmp_path / "s.yaml", files / "toy.parquet")
    assert (code, err) == (0, "")
    assert "10 columns, unit of privacy: row" in out


def test_the_operator_is_told_what_was_clamped_and_the_release_is_not(files, run, tmp_path):
    frame = toy_rows(300)
    frame.loc[:6, "age"] = 12345
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, _out, err = run(
        "fit",
        tmp_path / "t.csv",
        "--schema",
        files / "toy.yaml",
        "--epsilon",
        1,
        "--model",
        "independent",
        "--out",
        tmp_path / "m",
    )
    assert code == 0
    assert "CONFIDENTIAL, for your eyes only: age: 7 of 300 values (2.3 %) are above the maximum, so they count as 99." in err
    assert "12345" not in (tmp_path / "m/model.json").read_text() + (tmp_path / "m/card.json").read_text()


FIT = ["fit", "{toy.csv}", "--schema", "{toy.yaml}", "--epsilon", "1", "--out", "{new}"]


def changed(**options):
    """The fit command with options replaced or added."""
    line = list(FIT)
    for name, value in options.items():
        flag = f"--{name}"
        if flag in line:
            line[line.index(flag) + 1] = value
        else:
            line += [flag, value]
    return line


@pytest.mark.parametrize(
    ("line", "says"),
    [
        *((changed(epsilon=e), "epsilon is") for e in ("0", "-1", "nan", "inf", "abc")),
        *((changed(delta=d), "delta is") for d in ("0", "1", "1.5", "-1e-6", "nan", "x")),
        (changed(model="gpt"), "there is no model 'gpt'; use auto, aim, copula, ctgan, independent, mst"),
        (changed(target="nosuch"), "target is 'nosuch'"),
        (changed(seed="-1"), "seed is -1"),
        (changed(seed="1.5"), "give a whole number"),
        (changed(schema="{gone.yaml}"), "there is no schema file"),
        (changed(schema="{toy.csv}"), "is not"),
        (changed(schema="{toy.parquet}"), "cannot be read as text"),
        (changed(out="{toy.csv}"), "is a file; name a new folder"),
        (changed(out="{.}"), "already exists"),
        ([*changed(out="{.}"), "--force"], "was not written by tabsynth"),
        (["fit", "{gone.csv}", *FIT[2:]], "there is no file"),
        (["fit", *FIT[2:]], "Missing argument 'TRAIN'"),
        (["release", *FIT[1:], "--holdout", "1"], "holdout is 1.0"),
        (["release", *FIT[1:], "--rows", "0"], "rows is 0"),
        (["sample", "{.}", "--out", "{x.csv}"], "is not a tabsynth model"),
        (["sample", "{.}", "--out", "{x.txt}"], "let the output end in one of"),
        (["verify", "{.}"], "is not a release"),
        (["nosuch"], "No such command 'nosuch'"),
        (["evaluate", "--train", "{toy.csv}"], "Missing option"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else None,
)
def test_bad_requests_end_in_one_sentence_and_leave_nothing(line, says, files, run):
    before = sorted(files.rglob("*"))
    code, out, err = run(*(str(files / a[1:-1]) if a.startswith("{") else a for a in line))
    last = err.strip().splitlines()[-1]
    assert code == 2
    assert says in last
    assert "Traceback" not in err
    assert out == ""
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize(
    "damage",
    ["not json", "other format", "other version", "no arrays", "cut arrays", "other compression", "wrong shapes", "other model"],
)
def test_damaged_model_folders_are_refused(damage, files, run, tmp_path, toy_schema):
    tabsynth.fit(toy_rows(50), toy_schema, epsilon=1, model="independent").save(tmp_path / "m")
    model, arrays = tmp_path / "m/model.json", tmp_path / "m/model.npz"
    document = json.loads(model.read_text())
    match damage:
        case "not json":
            model.write_bytes(b"\x80\x04nonsense")
        case "other format":
            model.write_text(json.dumps(document | {"format": "pickle"}))
        case "other version":
            model.write_text(json.dumps(document | {"version": 99}))
        case "other model":
            model.write_text(json.dumps(document | {"name": "mst"}))
        case "no arrays":
            arrays.unlink()
        case "cut arrays":
            arrays.write_bytes(arrays.read_bytes()[:200])
        case "other compression":
            content = bytearray(arrays.read_bytes())
            entry = content.find(b"PK\x01\x02")  # the central directory says how each file is compressed
            content[entry + 10] = 99
            arrays.write_bytes(bytes(content))
        case "wrong shapes":
            document["codec"]["coders"]["age"]["starts"] = "abc"
            model.write_text(json.dumps(document))
    code, _, err = run("sample", tmp_path / "m", "--out", tmp_path / "x.csv")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("after", [0.0, 0.7, 1.5, 3.0])
def test_interrupted_it_says_so_and_leaves_nothing(after, files, tmp_path):
    command = [
        sys.executable,
        "-m",
        "tabsynth",
        "release",
        files / "toy.csv",
        "--schema",
        files / "toy.yaml",
        "--epsilon",
        "1",
        "--out",
        tmp_path / "o",
    ]
    process = subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert "Model aim" in process.stderr.readline()
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.strip().splitlines()[-1].endswith("tabsynth: interrupted; nothing was left half written.")
    assert list(tmp_path.iterdir()) == []


LONG = """
import hashlib, sys
from tabsynth import cli
from tabsynth.tables import undo

@cli.cli.command()
def compute():
    undo.append(lambda: print("cleaned", flush=True))
    print("started", file=sys.stderr, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_during_a_long_call_into_compiled_code(number):
    """One call of many minutes during which Python runs no signal handler."""
    process = subprocess.Popen([sys.executable, "-c", LONG, "compute"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline() == "started\n"
        time.sleep(0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 2
    assert err.strip() == "tabsynth: interrupted; nothing was left half written."
    assert out == "cleaned\n"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(files, tmp_path):
    """A limit of 2 kB a file stands in for the disk: the write fails half way."""
    fit = [
        "fit",
        files / "toy.csv",
        "--schema",
        files / "toy.yaml",
        "--epsilon",
        "1",
        "--model",
        "independent",
        "--out",
        tmp_path / "m",
    ]
    command = ["bash", "-c", 'ulimit -f 2; exec "$@"', "limited", sys.executable, "-m", "tabsynth", *map(str, fit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_our_own_withholds_its_text(run, monkeypatch, files):
    def broken(*_):
        raise RuntimeError("row 17: hiv-positive")

    monkeypatch.setattr("tabsynth.verify.verify", broken)
    monkeypatch.delenv("TABSYNTH_DEBUG", raising=False)
    code, _, err = run("verify", files)
    assert code == 3
    assert "hiv" not in err
    assert "RuntimeError" in err
