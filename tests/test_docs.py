"""The README is true: its commands run, its model fits, and every command, model and option is documented."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import tabsynth
from tabsynth.cli import cli
from tabsynth.models import MODELS


@pytest.fixture(scope="module")
def readme(repo) -> str:
    return (repo / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in re.findall(r"```(\w*)\n(.*?)```", text, flags=re.DOTALL) if found == language]


@pytest.fixture(scope="module")
def visits(tmp_path_factory, readme):
    """A folder with the README's schema and a table that fits it, large enough that noise leaves every condition some rows."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    rows = 15_000
    patient = rng.integers(0, rows * 2 // 5, rows)
    frame = pd.DataFrame(
        {
            "patient": [f"p{i}" for i in patient],
            "sex": np.where(patient % 2, "female", "male"),
            "age": 20 + patient % 60,
            "ward": rng.choice(["surgery", "medicine", "other"], rows),
            "cost": rng.lognormal(6, 1, rows).round(2),
            "diagnosis": rng.choice(["I10", "E11", "J45"], rows),
            "readmitted": rng.random(rows) < 0.3,
        }
    )
    frame.to_parquet(folder / "visits.parquet", index=False)
    (folder / "visits.yaml").write_text(blocks(readme, "yaml")[0])
    return folder


def test_its_commands_run(readme, visits):
    """All `tabsynth` commands in order, as written; drafting goes to another file, for the reader completes it by hand."""
    lines = [line for block in blocks(readme, "") for line in block.splitlines() if line.startswith("tabsynth ")]
    assert [shlex.split(line)[1] for line in lines] == ["schema", "schema", "release", "verify", "sample"]
    for line in lines:
        command = line.removeprefix("tabsynth ").replace("> visits.yaml", "> drafted.yaml")
        done = subprocess.run(
            f"{sys.executable} -m tabsynth {command}", shell=True, cwd=visits, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert len(pd.read_csv(visits / "more.csv")) == 1000
    assert "discover: true" in (visits / "drafted.yaml").read_text()


def test_its_python_runs(readme, visits, monkeypatch):
    monkeypatch.chdir(visits)
    names: dict = {}
    exec(blocks(readme, "python")[0], names)
    assert len(names["table"]) == 1000


def test_its_model_is_a_model(readme, toy_schema, toy_table, monkeypatch):
    names: dict = {"__name__": "uniform_from_readme"}
    exec(blocks(readme, "python")[1], names)
    module = type(sys)("uniform_from_readme")
    module.__dict__.update(names)
    monkeypatch.setitem(sys.modules, "uniform_from_readme", module)
    monkeypatch.setitem(MODELS, "uniform", ("uniform_from_readme", "Uniform", "UniformModel"))
    release = tabsynth.fit(toy_table, toy_schema, epsilon=1, model="uniform")
    assert len(release.sample(20)) == 20
    assert 0.99 < release.card["guarantee"]["epsilon"] <= 1


def test_every_command_and_model_is_named(readme):
    for name in (*cli.commands, *(f"schema {c}" for c in cli.commands["schema"].commands), *MODELS):
        assert f"`{name}`" in readme or f"tabsynth {name}" in readme, name


def test_every_option_explains_itself():
    commands = {**cli.commands, **cli.commands["schema"].commands}
    for name, command in commands.items():
        assert command.help, name
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, f"{name} {option.name}"


def test_the_map_names_what_is_there(readme, repo):
    tree = blocks(readme, "")[-1]
    assert tree.startswith("tabsynth/")
    for name in re.findall(r"^  (\w+(?:\.py|/))", tree, flags=re.MULTILINE):
        assert (repo / "tabsynth" / name).exists(), name
    for name in re.findall(r"^(\w+/)", tree, flags=re.MULTILINE):
        assert (repo / name).is_dir(), name


def test_pictures_and_files_it_refers_to_are_there(readme, repo):
    for path in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (repo / path).is_file(), path
    for path in re.findall(r"`((?:benchmarks|schemas|tests|tabsynth)/[\w./]+\.\w+)`", readme):
        assert (repo / path).is_file() or path.endswith("uniform.py"), path


def test_the_project_speaks_of_itself_alone(repo):
    """No machine path, and no host of a package registry."""
    for path in [
        p
        for p in repo.rglob("*")
        if p.suffix in (".py", ".md", ".yaml", ".toml", ".json", ".txt", ".html") and ".venv" not in p.parts
    ]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(work|root|home)/|pypi\.org|pythonhosted", text) or path.name == "test_docs.py", path


@pytest.mark.parametrize("module", ["tabsynth.curator.ledger", "tabsynth.release"])
def test_examples_in_docstrings_run(module):
    import doctest
    import importlib

    assert doctest.testmod(importlib.import_module(module)).failed == 0
    assert doctest.testmod(importlib.import_module(module)).attempted > 0
