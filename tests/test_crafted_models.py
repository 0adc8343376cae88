"""A model folder that anybody may have made gives one sentence or a model that samples rows of its schema, and never anything else."""

import copy
import dataclasses
import functools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabsynth import Release, Schema
from tabsynth.codec import Codec
from tabsynth.curator.ledger import Budget
from tabsynth.errors import FolderError, SchemaError
from tabsynth.fit import fit_with
from tabsynth.models._field import Clique, Field
from tabsynth.models.aim import AIM, FieldModel
from tabsynth.models.copula import Copula
from tabsynth.models.ctgan import CTGAN
from tabsynth.models.independent import Independent
from tabsynth.models.mst import MST
from tabsynth.models.neural import Neural

SMALL = AIM(fewest=64, steps=5, rounds=1)
ALGORITHMS = {
    "aim": SMALL,
    "copula": Copula(iterations=5),
    "ctgan": CTGAN(steps=4, refit=4, drafts=64, width=8, trust=(0.5,), generator=SMALL),
    "independent": Independent(),
    "mst": MST(iterations=20),
    "neural": Neural(target="sick", steps=20, width=16),
}
PROGRAM = Path(__file__).parent / "crafted.py"


def small_table() -> tuple[pd.DataFrame, Schema]:
    rng = np.random.default_rng(0)
    columns = {
        "id": {"kind": "identifier"},
        "sick": {"kind": "boolean", "nullable": False},
        "age": {"kind": "integer", "minimum": 0, "maximum": 99, "nullable": False},
        "level": {"kind": "categorical", "labels": [1, 2, 3]},
        "cost": {"kind": "float", "minimum": 0, "maximum": 50, "decimals": 1},
        "seen": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
        "score": {"kind": "float", "discover": True},
        "drug": {"kind": "categorical", "discover": True, "nullable": False},
    }
    sick = rng.random(400) < 0.3
    frame = pd.DataFrame(
        {
            "id": np.arange(400).astype(str),
            "sick": sick,
            "age": rng.integers(0, 100, 400),
            "level": 1 + sick + rng.integers(0, 2, 400),
            "cost": rng.uniform(0, 50, 400).round(1),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, 400), unit="D"),
            "score": rng.normal(50, 10, 400),
            "drug": rng.choice(["aspirin", "insulin", "statin"], 400),
        }
    )
    return frame, Schema.from_dict({"name": "small", "columns": columns})


def with_a_clique(model: FieldModel) -> FieldModel:
    """The model with a potential of three columns, as it gets where these depend on each other beyond their pairs."""
    field, attrs = model.field, (0, 1, 3)
    groups = [np.arange(field.sizes[i]) % 2 for i in attrs]
    clique = Clique(attrs, groups, np.random.default_rng(0).normal(size=(2, 2, 2)))
    return dataclasses.replace(model, field=Field(field.sizes, field.single, field.pairs, [clique]))


def made(name: str, folder: Path) -> Path:
    """A small model of that name, saved."""
    frame, schema = small_table()
    release = fit_with(ALGORITHMS[name], frame, schema, Budget(50, 1e-6, 0.1))  # enough for a pair to be measured every time
    if name == "ctgan":
        release = dataclasses.replace(release, model=dataclasses.replace(release.model, trust=0.5))
    if name == "aim":
        release = dataclasses.replace(release, model=with_a_clique(release.model))
    release.save(folder)
    return folder


def tried(folder: Path, first: int, last: int) -> dict[str, int]:
    """What became of the mutations of these seeds, each batch in a process of its own."""
    command = [sys.executable, str(PROGRAM), str(folder), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A saved model of each name, made when it is asked for."""
    return functools.cache(lambda name: made(name, tmp_path_factory.mktemp("models") / name))


def put(name, at, value):
    """A change of one value of an array."""

    def change(plain, arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return change


def said(name, value):
    return lambda plain, arrays: plain.__setitem__(name, value)


def cut(name):
    return lambda plain, arrays: arrays.__setitem__(name, arrays[name][:-1])


def the_same_pair_again(plain, arrays):
    arrays[f"pair_{len(plain['pairs'])}"] = arrays["pair_0"]
    plain["pairs"].append(plain["pairs"][0])


CRAFTED = [
    ("aim", put("rows", (0, 0), 2)),
    ("aim", put("rows", (5, 1), -1)),
    ("aim", put("single", 3, np.nan)),
    ("aim", put("pair_0", (0, 0), np.inf)),
    ("aim", cut("single")),
    ("aim", cut("pair_0")),
    ("aim", lambda plain, arrays: plain["pairs"].__setitem__(0, [0, 99])),
    ("aim", lambda plain, arrays: plain["pairs"].__setitem__(0, [1, 0])),
    ("aim", the_same_pair_again),
    ("aim", put("clique_0", (0, 0, 0), np.nan)),
    ("aim", put("groups_0", 0, 2)),
    ("aim", put("groups_0", slice(None), 0)),
    ("aim", cut("groups_0")),
    ("aim", lambda plain, arrays: arrays.pop("clique_0")),
    ("aim", said("cliques", [[0, 1, 1]])),
    ("aim", said("cliques", [[3, 1, 0]])),
    ("aim", said("cliques", [[0, 1]])),
    ("aim", said("cliques", [[0, 1, 99]])),
    ("aim", said("cliques", [[0, 1, 2, 3, 4, 5]])),
    ("aim", said("cliques", [])),
    ("aim", said("sizes", [2] * 7)),
    ("aim", said("columns", list("abcdefg"))),
    ("aim", lambda plain, arrays: arrays.__setitem__("rows", arrays["rows"][:0])),
    ("aim", lambda plain, arrays: arrays.__setitem__("more", arrays["rows"])),
    ("ctgan", put("critic_starts", 1, 10**6)),
    ("ctgan", put("critic_inner", (0, 0), np.nan)),
    ("ctgan", said("trust", 1e300)),
    ("copula", put("order", 0, 1)),
    ("copula", put("order", 0, 10**6)),
    ("copula", put("nodes", (0, 1), 0)),
    ("copula", put("nodes", (0, 2), 10**6)),
    ("copula", put("splits", 0, 10**6)),
    ("copula", put("codes", 0, 10**6)),
    ("copula", put("share", 0, 0.0)),
    ("copula", put("factor", (0, 0), np.inf)),
    ("independent", put("column_0", 0, -1.0)),
    ("independent", put("column_0", slice(None), 0.0)),
    ("independent", cut("column_1")),
    ("mst", lambda plain, arrays: plain["order"].reverse()),
    ("mst", lambda plain, arrays: plain["order"].__setitem__(0, ["sick", "sick"])),
    ("mst", put("table_0", 0, np.nan)),
    ("neural", said("target", "nobody")),
    ("neural", lambda plain, arrays: plain["tree"].__setitem__(0, [5, plain["tree"][0][1]])),
    ("neural", lambda plain, arrays: plain["tree"].__setitem__(0, plain["tree"][1])),
    ("neural", put("groups", 0, 2.0)),
    ("neural", put("embed", (0, 0), np.inf)),
    ("neural", cut("skip")),
    *((name, said("total", total)) for name in ALGORITHMS for total in (0, -1, 1e300, math.nan, True, "9", None, [1], 10**400)),
]


@pytest.mark.parametrize(("name", "change"), CRAFTED)
def test_a_state_that_would_leave_the_domain_is_refused(name, change, folders):
    release = Release.load(folders(name))
    plain, arrays = copy.deepcopy(release.model.state())
    assert type(release.model).load(plain, arrays, release.codec.domain).total == release.model.total
    change(plain, arrays)
    with pytest.raises(FolderError):
        type(release.model).load(plain, arrays, release.codec.domain)


@pytest.mark.parametrize(
    ("column", "entry", "value"),
    [
        ("age", "edges", [1e300]),
        ("age", "edges", [5, 4]),
        ("age", "starts", [0, 10**6]),
        ("age", "starts", [1]),
        ("age", "starts", [0, 0]),
        ("age", "mass", [-1.0]),
        ("age", "mass", [1e300]),
        ("age", "null", True),
        ("age", "grid", [[0.5, 0, 1]]),
        ("age", "grid", [[1, 0]]),
        ("age", "grid", [[1, 0, -1]]),
        ("age", "grid", "none"),
        ("age", "found", "no"),
        ("age", "null", "no"),
        ("drug", "labels", []),
        ("drug", "labels", ["a", "a"]),
        ("drug", "labels", [1]),
        ("drug", "labels", [["a"]]),
        ("level", "labels", [1, 2]),
        ("level", "labels", [1, 2, 3, 4]),
    ],
)
def test_a_coder_that_is_not_its_column_s_is_refused(column, entry, value, folders):
    """Lists are put in place of the first entries."""
    plain = Release.load(folders("independent")).codec.to_dict()
    assert Codec.from_dict(json.loads(json.dumps(plain))).to_dict() == plain
    coder = plain["coders"][column]
    coder[entry] = value + coder[entry][len(value) :] if isinstance(value, list) and entry != "labels" else value
    with pytest.raises(SchemaError):
        Codec.from_dict(plain)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_crafted_folder_is_refused_in_a_sentence_or_works(name, folders):
    found = tried(folders(name), 0, 40)
    assert found["refused"] > 20
    assert found["works"] > 1
