"""What may leave is a function of public facts, seeds, noise and the curator's answers: nothing else of the rows gets by.

A release is made of one table while every exact answer is written down where it leaves the rows, before noise. Then it is made again of
a table that has nothing but the schema in common with the first (other size, values, units, labels, storage and order of
columns), or that has no rows at all, and there the answers of the first are given. Noise and the clock are fixed. Every byte that may leave has
to be the same, also where the tables are files that are written in different ways. A file that is refused is refused before any answer.
"""

import contextlib
import csv
import dataclasses
import functools
import gzip
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audit_mutations import MALFORMED
from conftest import toy_rows

import tabsynth.card
from tabsynth import Csv, Schema, pipeline
from tabsynth.curator import gradients as gradients_module
from tabsynth.curator import table as table_module
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Budget
from tabsynth.curator.noise import discrete_gaussian, gaussian
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import DataError
from tabsynth.models import MODELS, synthesizer
from tabsynth.models.aim import AIM
from tabsynth.publish import publish
from tabsynth.release import Release

door = importlib.import_module("tabsynth.fit")
"""`tabsynth.fit` is the function."""
EXACT = [
    (Source, "cells"),
    (Source, "grids"),
    (Source, "labels"),
    (Source, "listed"),
    (Source, "counts"),
    (Source, "gram"),
    (GradientStream, "_summed"),
]
"""Where exact numbers leave the rows for `PrivateTable` and its gradients to add noise to. One that is missing here is told apart."""
FEW = {"fewest": 512, "steps": 6}
QUICK = {
    "aim": FEW,
    "ctgan": {"steps": 6, "refit": 4, "tables": 20, "drafts": 256, "generator": AIM(**FEW)},
    "neural": {"steps": 20},
}
"""Settings that make a fit short; the others are short as they are."""
PUBLIC = ("synthetic.parquet", "card.json", "card.html", "model/model.json", "model/model.npz", "model/card.json")
CONFIDENTIAL = {"report.internal.json", "report.internal.html"}
TIME = "2026-01-01T00:00:00Z"


def plain(value: Any) -> Any:
    """A question as something that can be compared: arrays become lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def asked(owner: object, name: str, arguments: tuple) -> list:
    """What was asked. A gradient step is asked of a critic, and of whoever the coins chose, which is part of the answer."""
    if isinstance(owner, GradientStream):
        return [name, [p.tolist() for p in owner._weights]]
    return [name, plain(arguments)]


@contextlib.contextmanager
def answers(tape: list, *, again: bool) -> Iterator[None]:
    """Write down every question and its exact answer, or give those of the `tape` again; noise and clock are fixed."""
    given = iter(list(tape))

    def told(call: Callable, name: str) -> Callable:
        @functools.wraps(call)
        def answer(self: object, *arguments: Any) -> Any:
            question = asked(self, name, arguments)
            if not again:
                tape.append((question, call(self, *arguments)))
                return tape[-1][1]
            expected, exact = next(given, ("no more questions", None))
            assert question == expected, "the rows decide what is asked"
            return exact

        return answer

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in EXACT:
            patch.setattr(owner, name, told(getattr(owner, name), name))
        for module, noise in ((table_module, discrete_gaussian), (gradients_module, gaussian)):
            patch.setattr(module, noise.__name__, functools.partial(noise, random=np.random.default_rng(1).bytes))
        patch.setattr(tabsynth.card, "now", lambda: TIME)
        yield
    assert not again or next(given, None) is None, "the rows decide how much is asked"


def first(n: int = 150) -> pd.DataFrame:
    return toy_rows(n)


def second(n: int = 9) -> pd.DataFrame:
    """Few rows of few people, all values at other places, stored in other ways, some of them missing or out of range."""
    i = np.arange(n)
    return pd.DataFrame(
        {
            "drug": pd.Categorical(np.where(i % 3, "zinc", "morphine"), categories=["zinc", "unheard of", "morphine"]),
            "score": np.where(i % 2, "-7000.5", "1e9"),
            "at": pd.Timestamp("2020-12-30 23:59:59"),
            "seen": np.where(i % 4, "2020-12-31", "1999-01-01"),
            "sick": np.where(i % 5, "yes", None),
            "level": np.where(i % 2, "3", "17"),
            "ward": pd.Categorical(np.where(i % 2, "B", "Z")),
            "cost": np.where(i % 2, 999.99, np.inf).astype("float32"),
            "age": np.where(i % 3, 98.0, np.nan),
            "id": i // 4,
        }
    )


@pytest.fixture(scope="module", params=["rows", "people"])
def schema(request, toy_schema) -> Schema:
    """The toy schema, for rows and for people of at most three rows each."""
    unit = {"unit": {"key": "id", "max_rows": 3}} if request.param == "people" else {}
    return Schema.from_dict(toy_schema.to_dict() | unit)


def leaving(folder: Path) -> dict[str, bytes]:
    """Every file in a folder that may leave, by its name."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    assert set(found) == set(PUBLIC), "a file that nobody planned for"
    return {name: found[name] for name in PUBLIC}


def made(data: pd.DataFrame, schema: Schema, folder: Path, name: str) -> dict[str, bytes]:
    """What leaves of a release, made as `tabsynth.release` makes it but with short settings and without the report."""
    algorithm = dataclasses.replace(synthesizer(name, schema.target), **QUICK.get(name, {}))
    fitted = door.fit_with(algorithm, data, schema, Budget(3, 1e-6, door.FAILURE_SHARE), chosen="asked for", seed=0)
    publish(folder, fitted, fitted.sample(seed=0), asked=False, seed=0)
    return leaving(folder)


def differing(name: str, schema: Schema, folder: Path, make: Callable = made, other_table: Callable = second) -> list[str]:
    """Files in which the rows show beyond the curator's answers."""
    tape: list = []
    with answers(tape, again=False):
        one = make(first(), schema, folder / "first", name)
    assert tape, "the answers have to come from the curator"
    with answers(tape, again=True):
        other = make(other_table(), schema, folder / "second", name)
    return [file for file in PUBLIC if one[file] != other[file]]


CASES = [
    pytest.param(unit, name, marks=[pytest.mark.slow] if unit == "rows" and name != "independent" else [])
    for unit in ("people", "rows")
    for name in MODELS
]


@pytest.mark.parametrize(("schema", "name"), CASES, indirect=["schema"])
def test_nothing_but_the_answers_shows(name, schema, tmp_path):
    assert differing(name, schema, tmp_path) == []


def released(data: pd.DataFrame, schema: Schema, folder: Path, name: str) -> dict[str, bytes]:
    """What leaves of `tabsynth.release`. The internal report has no checks here: they come after what leaves is written, and take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabsynth.validate.evaluate", lambda *_, **__: [])
        pipeline.release(data, schema, folder, epsilon=3, model=name)
    assert {path.name for path in folder.iterdir()} == {"release", "confidential"}
    assert {path.name for path in (folder / "confidential").iterdir()} == CONFIDENTIAL
    return leaving(folder / "release")


def test_nothing_but_the_answers_shows_through_release(schema, tmp_path):
    """Also where rows are split and an internal report is written beside: both depend on the rows, the split on a secret coin too."""
    assert differing("independent", schema, tmp_path, released) == []


def from_a_file(data: pd.DataFrame, schema: Schema, folder: Path, name: str) -> dict[str, bytes]:
    """What leaves of `tabsynth.release` of a file; a table of many rows and one of few are written in different ways."""
    if len(data) > 100:
        data.to_csv(path := folder.with_name("t.csv"), index=False)
        return released(path, schema, folder, name)
    path, how = folder.with_name("u.tsv.gz"), {"encoding": "cp1252", "delimiter": "|", "escape": "\\"}
    settings = {"sep": "|", "quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\", "lineterminator": "\r\n"}
    text = data.assign(drug='"say \\ é|"').to_csv(index=False, **settings)
    path.write_bytes(gzip.compress(text.encode("cp1252")))
    return released(Csv(path, **how), schema, folder, name)


@pytest.mark.parametrize("other", [second, lambda: second(0)], ids=["few rows", "no rows"])
def test_nothing_but_the_answers_shows_of_a_file(other, schema, tmp_path):
    """A file in, a folder out."""
    assert differing("independent", schema, tmp_path, from_a_file, other) == []


def test_nothing_but_the_answers_shows_of_an_empty_table(schema, tmp_path):
    assert differing("independent", schema, tmp_path, other_table=lambda: second(0)) == []


def test_nothing_but_the_answers_shows_of_a_long_list(toy_schema, tmp_path):
    data = toy_schema.to_dict()
    data["columns"]["ward"]["labels"] += [f"ward {i}" for i in range(200)]
    assert differing("independent", Schema.from_dict(data), tmp_path) == []


@pytest.mark.parametrize("text", MALFORMED.values(), ids=list(MALFORMED))
def test_a_file_is_refused_before_any_answer(text, toy_schema, tmp_path):
    """And nothing of it is left, in what was asked for or anywhere beside."""
    path = tmp_path / "t.csv"
    first().to_csv(path, index=False)
    path.write_bytes(path.read_bytes() + text + b"\n")
    tape: list = []
    with answers(tape, again=False), pytest.raises(DataError, match="line 152"):
        released(path, toy_schema, tmp_path / "out", "independent")
    assert tape == []
    assert list(tmp_path.iterdir()) == [path]


def test_the_two_tables_would_be_told_apart(schema, tmp_path):
    """With their own answers, and all else as above, every file differs but for the card inside the model where sizes agree."""
    outputs = []
    for number, table in enumerate((first(), second())):
        with answers([], again=False):
            outputs.append(made(table, schema, tmp_path / str(number), "independent"))
    assert [file for file in PUBLIC if outputs[0][file] == outputs[1][file]] == []


def _size_on_the_card(patch: pytest.MonkeyPatch) -> None:
    def told(algorithm, data, *rest, **more):
        release = plainly(algorithm, data, *rest, **more)
        return Release(release.codec, release.model, release.card | {"limits": [f"{len(data)} rows were used."]})

    plainly = door.fit_with
    patch.setattr(door, "fit_with", told)


def _remembering(patch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """The tables that the curator was given, the latest one last."""

    def open_(self, data, *arguments, **more):
        given.append(data)
        opened(self, data, *arguments, **more)

    opened, given = PrivateTable.__init__, []
    patch.setattr(PrivateTable, "__init__", open_)
    return given


def _size_of_the_sample(patch: pytest.MonkeyPatch) -> None:
    """As if the default number of rows were that of the table."""
    given = _remembering(patch)
    patch.setattr(Release, "rows", property(lambda _: len(given[-1])))


def _model_sees(what: Callable[[pd.DataFrame], float]) -> Callable[[pytest.MonkeyPatch], None]:
    """A model one number of which moves with something that was read off the rows."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def learn(*arguments):
            codec, model, told = learned(*arguments)
            return codec, dataclasses.replace(model, total=model.total + what(given[-1])), told

        learned, given = door.learn, _remembering(patch)
        patch.setattr(door, "learn", learn)

    return plant


def _order_of_labels(patch: pytest.MonkeyPatch) -> None:
    """A codec whose labels come in the order in which the rows hold them."""

    def learn(*arguments):
        codec, model, told = learned(*arguments)
        ward = codec.coders["ward"]
        held = [*given[-1].ward.unique(), *ward.values]
        ordered = dataclasses.replace(ward, values=tuple(sorted(ward.values, key=held.index)))
        return dataclasses.replace(codec, coders=dict(codec.coders) | {"ward": ordered}), model, told

    learned, given = door.learn, _remembering(patch)
    patch.setattr(door, "learn", learn)


PLANTS = {
    "number of rows on the card": _size_on_the_card,
    "number of rows as that of the sample": _size_of_the_sample,
    "number of rows in a model": _model_sees(len),
    "number of units in a model": _model_sees(lambda data: data.id.nunique()),
    "storage of a column in a model": _model_sees(lambda data: data.age.dtype.kind == "f"),
    "largest value in a model": _model_sees(lambda data: data.age.max()),
    "order of labels": _order_of_labels,
}


@pytest.mark.parametrize("plant", PLANTS)
def test_what_gets_by_the_curator_is_found(plant, toy_schema, tmp_path, monkeypatch):
    PLANTS[plant](monkeypatch)
    assert differing("independent", toy_schema, tmp_path) != []
