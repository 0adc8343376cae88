"""What a file says cannot pass for what tabsynth says: names and texts from files reach the terminal with their controls escaped."""

import ast
import json
import re
import shutil
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import toy_rows

from tabsynth import Schema
from tabsynth.cli._tell import bar
from tabsynth.escapes import visible

PACKAGE = Path(__file__).parents[1] / "tabsynth"
LIE = "\x1b[2K\rok     the signature of the data protection officer: valid\nWRONG\x1b[1A\x9b2K\x7f\u202e\u2066\u200b\u2028\u00ad"
"""What an attacker calls a column."""
BAR = re.compile(r"\r(?:[^\r\n]*\| \S+ so far| *(?=\r|$))")
"""A progress bar, as drawn again and again and then wiped."""


def told(out: str, err: str, lines: int | None = None) -> str:
    """All that was printed, once it holds nothing but what is seen, in as many lines as tabsynth made."""
    text = out + BAR.sub("", err)
    assert visible(text, keep="\n") == text
    assert not any(line.startswith(("ok     the signature", "WRONG\\x1b")) for line in text.splitlines())
    assert lines is None or len(text.splitlines()) == lines, text
    return text


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    """A table and a schema whose names are lies, in a folder and in files that are called so too."""
    folder = tmp_path_factory.mktemp("odd") / LIE
    folder.mkdir()
    frame = pd.DataFrame({LIE: ["a", "b", "elsewhere"] * 20, "age" + LIE: range(60)})
    frame.to_csv(folder / f"{LIE}.csv", index=False)
    columns = {
        LIE: {"kind": "categorical", "labels": ["a", "b"]},
        "age" + LIE: {"kind": "integer", "minimum": 0, "maximum": 50},
    }
    schema = Schema.from_dict({"name": LIE, "columns": columns})
    (folder / f"{LIE}.yaml").write_text(schema.dump(), encoding="utf-8")
    return folder


def test_a_schema_with_such_names(odd, run, tmp_path):
    schema, data = odd / f"{LIE}.yaml", odd / f"{LIE}.csv"
    code, out, err = run("schema", "check", schema, data)
    assert code == 0
    assert "for your eyes only" in told(out, err, lines=4)
    code, out, err = run("schema", "check", schema, tmp_path / f"no{LIE}.csv")
    assert code == 2
    told(out, err, lines=1)
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"name": "s", "columns": {"a": {"kind": LIE}}, LIE: 1}))
    for text in ({LIE: 1, "columns": {}}, {"columns": {"a": {"kind": LIE}}}, {"columns": {LIE: {}}}, {"columns": [LIE]},
                 {"name": "n", "target": LIE, "columns": {LIE + "1": {"kind": "boolean"}}}):  # fmt: skip
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(text))
        code, out, err = run("schema", "check", tmp_path / "s.yaml")
        assert code == 2
        told(out, err, lines=1)
    (tmp_path / "s.yaml").write_text(f'a: 1\n"{LIE.encode("unicode_escape").decode()}": {{"\\e": 1, "\\e": 2}}')
    code, out, err = run("schema", "check", tmp_path / "s.yaml")
    assert code == 2
    told(out, err, lines=1)


def test_a_draft_stays_valid_and_one_line_a_line(odd, run):
    code, out, err = run("schema", "draft", odd / f"{LIE}.csv")
    assert code == 0
    told(out, err)
    drafted = yaml.safe_load(out)
    assert list(drafted["columns"]) == [LIE, "age" + LIE]
    assert drafted["name"] == LIE
    assert set(drafted) == {"name", "unit", "columns"}


def test_plain_letters_of_all_countries_stay_readable(run, tmp_path):
    names = ["größe", "年齢", "возраст", "naïve 5\u00a0%"]
    pd.DataFrame([[1] * len(names)], columns=names).to_csv(tmp_path / "größen.csv", index=False)
    code, out, _ = run("schema", "draft", tmp_path / "größen.csv")
    assert code == 0
    assert all(name in out for name in [*names, "größen.csv"])


def test_a_policy_with_such_texts(run, tmp_path):
    own = {"format": "tabsynth.policy", "version": 1, "name": "n" + LIE[:60], "description": LIE, "thresholds": {}}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(own))
    code, out, err = run("policy", tmp_path / "p.yaml")
    assert code == 0, err
    told(out, err)
    assert yaml.safe_load(out)["description"] == LIE
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(own | {LIE: 1}))
    code, out, err = run("policy", tmp_path / "p.yaml")
    assert code == 2
    told(out, err, lines=1)
    told(*run("policy", LIE)[1:], lines=1)


def _edits(card: dict):
    """Lies in all places of a card that verify reads."""
    yield "file", card | {"files": card["files"] | {LIE: "0" * 64}}
    yield "name", card | {"schema": card["schema"] | {"name": LIE}}
    columns = {LIE if name == "age" else name: column for name, column in card["schema"]["columns"].items()}
    yield "column", card | {"schema": card["schema"] | {"columns": columns}}
    yield "kind", card | {"schema": card["schema"] | {"columns": {LIE: {"kind": LIE}}}}
    yield "fingerprint", card | {"fingerprint": LIE}
    yield "model", card | {"model": card["model"] | {"name": LIE}}
    yield "unit", card | {"guarantee": card["guarantee"] | {"unit": {"key": LIE, "max_rows": LIE}}}
    yield "epsilon", card | {"guarantee": card["guarantee"] | {"epsilon": LIE}}
    yield "version", card | {"version": LIE}
    yield "format", card | {"format": LIE}


@pytest.mark.parametrize(
    "place", ["file", "name", "column", "kind", "fingerprint", "model", "unit", "epsilon", "version", "format"]
)
def test_a_release_whose_card_lies(place, released, run, tmp_path):
    folder = tmp_path / LIE
    shutil.copytree(released[0], folder)
    for path in folder.rglob("card.json"):
        card = dict(_edits(json.loads(path.read_text())))[place]
        path.write_text(json.dumps(card))
    code, out, err = run("verify", folder)
    assert code in (0, 1, 2)
    told(out, err)
    card = next(folder.rglob("card.json"))
    told(*run("report", "--from", card, "--out", tmp_path / "x.html")[1:], lines=1)
    told(*run("sample", folder, "--rows", 5, "--out", tmp_path / f"{LIE}.csv")[1:], lines=1)
    halves = [tmp_path / f"{LIE}{i}.csv" for i in range(3)]
    for i, path in enumerate(halves):
        toy_rows(30, i).to_csv(path, index=False)
    members, others, synthetic = halves
    told(
        *run("attack", "--members", members, "--non-members", others, "--synthetic", synthetic, "--card", card, "--attacks", LIE)[
            1:
        ],
        lines=1,
    )


def test_what_is_fitted_and_drawn(odd, run, tmp_path):
    fit = [odd / f"{LIE}.csv", "--schema", odd / f"{LIE}.yaml", "--epsilon", 1, "--model", "independent"]
    code, out, err = run("fit", *fit, "--out", tmp_path / LIE)
    assert code == 0
    assert "are not in the list, so they count as missing" in told(out, err, lines=9)
    told(*run("fit", *fit, "--target", LIE + "1", "--out", tmp_path / "m")[1:], lines=1)
    told(*run("fit", *fit, "--out", tmp_path / LIE)[1:], lines=1)
    for more in (
        ["--where", f"{LIE} = 1"],
        ["--where", f"'{LIE}' = '{LIE}'"],
        ["--rows", LIE],
        ["--out", f"x.{LIE}"],
        [f"--{LIE}"],
    ):
        code, out, err = run("sample", tmp_path / LIE, "--out", tmp_path / "x.csv", *more)
        assert code == 2, more
        told(out, err, lines=1)


def test_what_is_attacked_without_a_schema(odd, run):
    table = odd / f"{LIE}.csv"
    code, out, err = run("attack", "--members", table, "--non-members", table, "--synthetic", table, "--attacks", "dcr")
    assert code == 0, err
    assert "columns were read as" in told(out, err)


@pytest.mark.parametrize("line", [[LIE], [f"--{LIE}"], ["schema", LIE], ["verify", LIE], ["audit", "--engines", LIE], ["audit", "--tier", LIE],
                                  ["report", "--compare", LIE, LIE, "--out", "x.html"], ["fit", "--epsilon", LIE], ["verify", "a", LIE]])  # fmt: skip
def test_bad_requests(line, run):
    code, out, err = run(*line)
    assert code == 2
    told(out, err, lines=1)


def test_without_a_command_the_help_has_its_lines(run):
    for line in ([], ["schema"]):
        code, out, err = run(*line)
        assert (code, out) == (2, "")
        assert err.startswith("Usage: ")
        assert len(err.splitlines()) > 5


def test_a_fault_shown_for_debugging(run, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError(LIE)

    monkeypatch.setattr("tabsynth.verify.verify", broken)
    monkeypatch.setenv("TABSYNTH_DEBUG", "1")
    code, out, err = run("verify", tmp_path)
    assert code == 3
    assert "RuntimeError" in told(out, err)


def test_a_warning_of_a_library(run, monkeypatch, tmp_path):
    def warning(*_):
        warnings.warn(LIE, RuntimeWarning, stacklevel=1)
        return []

    monkeypatch.setattr("tabsynth.verify.verify", warning)
    code, out, err = run("verify", tmp_path)
    assert code == 0
    assert told(out, err, lines=1).startswith("RuntimeWarning: ")


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_being_done(capsys, monkeypatch, terminal):
    """A bar on a terminal, elsewhere a line a step; what runs is named while it runs, and time that nobody knows is not promised."""
    monkeypatch.setattr("tabsynth.cli._tell.PATIENCE", 0.05)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with bar(False) as progress:
        progress("short", 0.1)
        progress(LIE, 0.5)
        time.sleep(0.4)
        running = capsys.readouterr().err
        progress("over soon", 0.9)
    assert "50%" in running
    assert visible(running, keep="\r\n") == running
    assert "\rok " not in running
    assert "left" not in running
    assert ("\r" in running) == terminal
    if not terminal:
        assert running.count("\n") == running.count("50%") == 1
        assert re.match(r" +\d+ s   50%  ", running)


def test_nothing_is_said_of_what_is_soon_over_or_where_nobody_listens(capsys):
    for quiet in (True, False):
        with bar(quiet) as progress:
            progress("reading", 0.0)
    assert capsys.readouterr().err == ""


def test_nothing_in_the_product_prints_past_the_sink():
    """One function writes to the terminal; it alone names what does (and `_stop`, a constant, from a signal's handler)."""
    writers = {"echo", "secho", "print", "pprint", "writelines", "echo_via_pager", "set_description_str", "set_description",
               "set_postfix_str", "confirm", "prompt", "progressbar", "print_exc", "print_exception"}  # fmt: skip
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        functions = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]
        for function, call in ((f, n) for f in functions for n in ast.walk(f) if isinstance(n, ast.Call)):
            owner, _, name = ast.unparse(call.func).rpartition(".")
            if name in writers or f"{owner}.{name}" in ("os.write", "sys.stdout.write", "sys.stderr.write"):
                found.add((path.relative_to(PACKAGE).as_posix(), function.name, f"{owner}.{name}"))
    assert found == {
        ("cli/_tell.py", "show", "click.echo"),
        ("cli/_tell.py", "__call__", "self.shown.set_description_str"),
        ("cli/__init__.py", "_stop", "os.write"),
    }
