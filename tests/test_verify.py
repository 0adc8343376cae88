"""`verify` makes a release again from its model, charges and seeds, so that whatever was changed is noticed and named."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import toy_rows
from test_noninterference import made

import tabsynth
from tabsynth.digest import digest
from tabsynth.errors import FolderError, InputError
from tabsynth.folders import HASHED, PUBLIC_FILES
from tabsynth.models import MODELS
from tabsynth.publish import publish
from tabsynth.published import json_bytes
from tabsynth.recount import recount
from tabsynth.release import Release
from tabsynth.report import card as page
from tabsynth.verify import verify

LISTED = "the release holds its files and nothing else"
HASHES = "files have the SHA-256 on the card"
FORM = "the card has the form of a card"
WORDS = "guarantee, ledger, noise and limits are those of these charges and this schema"
MODEL = "the model loads and says the same as the card"
TABLE = "the synthetic table is what the model draws, value by value"
BYTES = "all files are as tabsynth writes them, byte for byte"
ABOUT = "the report is about this release"
POLICY = "the thresholds were changed as the report says"
REPORT = "the report's files are as tabsynth writes them, byte for byte"


@pytest.fixture(scope="module")
def original(tmp_path_factory, toy_schema) -> Path:
    """What may leave of a small release."""
    fitted = tabsynth.fit(toy_rows(400), toy_schema, epsilon=3, model="independent")
    publish(tmp_path_factory.mktemp("original") / "r", fitted, fitted.sample(seed=4), asked=False, seed=4)
    return next(tmp_path_factory.getbasetemp().glob("original*/r"))


@pytest.fixture
def copy(original, tmp_path) -> Path:
    shutil.copytree(original, tmp_path / "r")
    return tmp_path / "r"


def wrong(folder: Path) -> dict[str, str]:
    """The checks that do not hold, and what they saw."""
    return {result.check: result.seen for result in verify(folder) if not result.holds}


def sealed(folder: Path, edit: Callable[[dict[str, Any]], object] = lambda card: None) -> None:
    """What a careful forger does: both cards say the same, all hashes are renewed, and the page is drawn again."""
    for name in ("model/card.json", "card.json"):
        card = json.loads((folder / name).read_bytes())
        edit(card)
        if "synthetic" in card:
            try:
                frame = Release.load(folder).sample(1)
                table = pd.read_parquet(folder / "synthetic.parquet")
                card["synthetic"]["sha256"] = digest(table.astype(frame.dtypes), Release.load(folder).schema)
            except (ValueError, TypeError):  # not a table of this schema, or no model
                pass
            names = [*card["files"]] if set(card["files"]) == set(HASHED) else []
        else:
            names = [*card["files"]]
        base = (folder / name).parent
        card["files"] |= {each: hashlib.sha256((base / each).read_bytes()).hexdigest() for each in names}
        (folder / name).write_bytes(json_bytes(card))
    (folder / "card.html").write_bytes(page(card).encode())


def test_what_was_released_holds_and_so_it_does_sealed_again(original, copy):
    assert wrong(original) == {}
    assert [result.check for result in verify(original)][-3:] == [MODEL, TABLE, BYTES]
    sealed(copy)
    for name in PUBLIC_FILES:
        assert (copy / name).read_bytes() == (original / name).read_bytes(), name


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in ("independent", "copula"))) for name in MODELS]
)
def test_every_model_is_written_again_byte_for_byte(name, toy_schema, tmp_path):
    made(toy_rows(300), toy_schema, tmp_path / "r", name)
    assert wrong(tmp_path / "r") == {}


# Changes without a plan -----------------------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A bit turned over, a byte more, less or other, two bytes exchanged, or the end cut off."""
    out, at = bytearray(content), rng.randrange(len(content))
    match rng.randrange(6):
        case 0:
            out[at] ^= 1 << rng.randrange(8)
        case 1:
            out.insert(at, rng.choice(b" \n0a\x00"))
        case 2:
            del out[at]
        case 3:
            out[at] = rng.randrange(256)
        case 4:
            other = rng.randrange(len(out))
            out[at], out[other] = out[other], out[at]
        case 5:
            del out[at:]
    return bytes(out)


def unnoticed(folder: Path, name: str, times: int) -> list[int]:
    """The seeds of those random changes of a file that verify does not notice."""
    content, missed = (folder / name).read_bytes(), []
    for seed in range(times):
        changed = damaged(content, random.Random(f"{name} {seed}"))
        if changed == content:
            continue
        (folder / name).write_bytes(changed)
        try:
            if not wrong(folder):
                missed.append(seed)
        except InputError as error:
            assert "\n" not in str(error)
    (folder / name).write_bytes(content)
    return missed


@pytest.mark.parametrize("name", PUBLIC_FILES)
def test_any_change_of_any_file_is_noticed(name, copy):
    assert unnoticed(copy, name, 12) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLIC_FILES)
def test_any_of_many_changes_of_any_file_is_noticed(name, copy):
    assert unnoticed(copy, name, 1000) == []


@pytest.mark.parametrize("name", ["card.json", "model/card.json", "model/model.json"])
@pytest.mark.parametrize("write", [json.dumps, lambda d: json.dumps(d, indent=1), lambda d: json.dumps(d, indent=1) + "\n\n"])
def test_json_that_says_the_same_in_other_bytes_is_noticed(name, write, copy):
    document = json.loads((copy / name).read_bytes())
    (copy / name).write_text(write(document), encoding="utf-8")
    seal = hashlib.sha256((copy / "model/model.json").read_bytes()).hexdigest()
    if name == "model/model.json":
        sealed(copy)
        assert json.loads((copy / "card.json").read_bytes())["files"][name] == seal
    assert name in wrong(copy)[BYTES]


# Changes with a plan: everything else agrees with them ---------------------------------------------------------------


FORGED: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "statement": (lambda c: c["guarantee"].update(statement="Pure differential privacy with epsilon 0.01."), WORDS, "statement"),
    "unit": (lambda c: c["guarantee"].update(unit={"key": "id", "max_rows": 1}), WORDS, "guarantee.unit"),
    "max_rows": (lambda c: c["guarantee"]["unit"].update(max_rows=9), WORDS, "guarantee.unit"),
    "mu": (lambda c: c["guarantee"].update(mu=0.001), WORDS, "guarantee.mu"),
    "rho": (lambda c: c["guarantee"].update(rho=0.001), WORDS, "guarantee.rho"),
    "neighbours": (lambda c: c["guarantee"].update(neighbours="any two tables"), WORDS, "guarantee.neighbours"),
    "epsilon": (lambda c: c["guarantee"].update(epsilon=0.5), "the claimed epsilon follows from the charges", "epsilon 3"),
    "delta": (lambda c: c["guarantee"].update(delta=1e-9), WORDS, ""),
    "budget": (lambda c: c["guarantee"].update(epsilon_budget=1), "the charges stay within the budget", "add up to rho"),
    "called private": (lambda c: c["guarantee"].update(private=1), FORM, "private"),
    "noise": (lambda c: c.update(noise="none was needed"), WORDS, "noise"),
    "limits": (lambda c: c.update(limits=["There are none."]), WORDS, "limits"),
    "fingerprint": (lambda c: c.update(fingerprint="0" * 64), WORDS, "fingerprint"),
    "schema": (lambda c: c["schema"].update(name="another"), WORDS, "fingerprint"),
    "spent": (lambda c: c["ledger"].update(spent_rho=0.001), "the charges stay within the budget", "the card says"),
    "budget in rho": (lambda c: c["ledger"].update(budget_rho=9.0), WORDS, "ledger.budget_rho"),
    "multiplier": (lambda c: c["ledger"]["charges"][0]["gaussians"][0].__setitem__(0, 1000.0), WORDS, "event of a charge"),
    "a charge's event": (lambda c: c["ledger"]["charges"][0].update(event="GaussianDpEvent(noise_multiplier=99)"), WORDS, "event"),
    "a charge's price": (lambda c: c["ledger"]["charges"][0].update(rho=1e-9), "the charges stay within the budget", ""),
    "a charge less": (lambda c: c["ledger"]["charges"].pop(0), WORDS, ""),
    "bought": (lambda c: c["bought"].pop(), MODEL, "as bought"),
    "model": (lambda c: c["model"].update(name="mst"), MODEL, "names another model"),
    "why this model": (lambda c: c["model"].update(chosen="approved by the board"), MODEL, "another reason"),
    "how the rows were set": (lambda c: c["synthetic"].update(rows_is="exact") if "synthetic" in c else None, FORM, "rows_is"),
    "rows": (lambda c: c["synthetic"].update(rows=10**9) if "synthetic" in c else None, TABLE, "the card says 1000000000"),
    "seed": (lambda c: c["synthetic"].update(seed=5) if "synthetic" in c else None, TABLE, "from row 1 on"),
    "an entry too many": (lambda c: c.update(signed_by="the data protection officer"), FORM, "signed_by"),
    "one file on the list": (lambda c: c.update(files={"synthetic.parquet": c["files"]["synthetic.parquet"]}) if "synthetic" in c else None,
                             HASHES, "lists other files"),
    "a system file on the list": (lambda c: c["files"].update({"/etc/passwd": "0" * 64}) if "synthetic" in c else None, HASHES, "lists other files"),
    "a file above on the list": (lambda c: c["files"].update({"../x": "0" * 64}) if "synthetic" in c else None, HASHES, "lists other files"),
    "no list": (lambda c: c.update(files={}) if "synthetic" in c else None, HASHES, "lists other files"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_card_is_noticed_though_all_else_agrees_with_it(what, copy):
    edit, check, seen = FORGED[what]
    sealed(copy, edit)
    assert check in (found := wrong(copy))
    assert seen in found[check]


def test_a_card_whose_ledger_is_endless_is_refused_before_it_is_counted(copy):
    for charges in (
        [{"note": "", "event": "", "gaussians": [], "sampled": [[0.5, 1.0, 10**12]], "rho": 0.0, "delta": 0.0}],
        [{"note": "", "event": "", "gaussians": [], "sampled": [], "rho": 0.0, "delta": 0.0}] * 11_000,
    ):
        sealed(copy, lambda card, charges=charges: card["ledger"].update(charges=charges))
        assert "more charges or sampled steps than can be counted" in wrong(copy)[WORDS]


def table_of(folder: Path) -> pa.Table:
    return pq.read_table(folder / "synthetic.parquet")


def test_real_rows_in_the_table_are_noticed_though_the_hash_is_renewed(copy, toy_schema):
    frame = pd.read_parquet(copy / "synthetic.parquet")
    real = toy_rows(len(frame)).assign(
        seen=lambda rows: rows["seen"].dt.date, at=lambda rows: rows["at"].astype("datetime64[ms]")
    )
    real = real.astype({"age": "Int64"})[frame.columns]
    frame.loc[100:120] = real.loc[100:120]
    pa_table = pa.Table.from_pandas(frame, preserve_index=False).cast(table_of(copy).schema)
    pq.write_table(pa_table, copy / "synthetic.parquet")
    sealed(copy)
    found = wrong(copy)
    assert HASHES not in found
    assert "it is not what the model draws with the seed on the card" in found[TABLE]


@pytest.mark.parametrize("column", ["age", "cost", "ward", "level", "sick", "seen", "at", "score", "drug", "id"])
def test_one_other_value_is_noticed(column, copy):
    table = table_of(copy)
    values = table.column(column).to_pylist()
    row = next(i for i, value in enumerate(values) if value != values[0] and value is not None)
    values[0] = values[row]
    table = table.set_column(
        table.schema.get_field_index(column), table.schema.field(column), pa.array(values, table.schema.field(column).type)
    )
    pq.write_table(table, copy / "synthetic.parquet")
    sealed(copy)
    assert TABLE in wrong(copy)


def test_what_a_file_hides_beside_its_values_is_noticed(copy):
    table = table_of(copy)
    pq.write_table(
        table.replace_schema_metadata({**table.schema.metadata, b"patients": b"Ada Lovelace"}), copy / "synthetic.parquet"
    )
    sealed(copy)
    found = wrong(copy)
    assert TABLE not in found
    assert "synthetic.parquet" in found[BYTES]


@pytest.mark.parametrize("hide", [lambda b: b + b"Ada Lovelace", lambda b: npz_with(b, "patients")])
def test_what_the_model_does_not_need_is_noticed(hide, copy):
    path = copy / "model/model.npz"
    path.write_bytes(hide(path.read_bytes()))
    sealed(copy)
    assert {MODEL, BYTES} & {*wrong(copy)}


def npz_with(content: bytes, name: str) -> bytes:
    """The archive with one more array."""
    import numpy as np

    with np.load(io.BytesIO(content)) as stored:
        arrays = {each: stored[each] for each in stored.files}
    out = io.BytesIO()
    np.savez_compressed(out, **arrays, **{name: np.arange(3)})
    return out.getvalue()


def test_another_model_with_the_same_card_is_noticed(copy, toy_schema):
    """Of the same kind, fitted on other rows: the table is not what it draws."""
    other = tabsynth.fit(toy_rows(400, seed=8), toy_schema, epsilon=3, model="independent")
    ours = Release.load(copy)
    Release(other.codec, other.model, ours.card).write(copy / "model")
    sealed(copy)
    assert TABLE in wrong(copy) or MODEL in wrong(copy)


# What lies beside ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["patients.csv", "model/patients.csv", ".hidden", "card.json~", "ok  \x1b[2K\rall is well", "card.JSON"]
)
def test_a_file_that_does_not_belong_is_named(name, copy):
    (copy / name).write_text("real rows")
    assert wrong(copy) == {LISTED: f"{name!r} does not belong to a release"}


@pytest.mark.parametrize("name", PUBLIC_FILES[:-2] + PUBLIC_FILES[-1:])
def test_a_missing_file_is_named(name, copy):
    (copy / name).unlink()
    assert wrong(copy)[LISTED] == f"{name} is missing"


@pytest.mark.parametrize("name", [*PUBLIC_FILES, "model"])
def test_links_are_refused_and_nothing_is_opened(name, copy, tmp_path):
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    assert [(r.check, r.holds) for r in verify(copy)] == [(LISTED, False)]
    assert repr(name) in wrong(copy)[LISTED]


@pytest.mark.parametrize("name", ["card.html", "synthetic.parquet", "model/model.npz", "new"])
def test_what_is_no_file_is_refused_and_not_waited_for(name, copy):
    (copy / name).unlink(missing_ok=True)
    os.mkfifo(copy / name)
    assert "nothing was opened" in wrong(copy)[LISTED]
    (copy / name).unlink()
    (copy / name).mkdir()
    assert "nothing was opened" in wrong(copy)[LISTED]


def test_what_is_no_release_is_refused(copy, tmp_path):
    for folder in (tmp_path, copy / "model/model.json", tmp_path / "gone"):
        with pytest.raises(FolderError, match="is not a release"):
            verify(folder)
    os.unlink(copy / "card.json")
    os.mkfifo(copy / "card.json")
    with pytest.raises(FolderError, match="is not a release"):
        verify(copy)


def test_no_more_rows_are_drawn_than_the_table_has_or_the_memory_holds(copy, monkeypatch):
    rows = table_of(copy).num_rows
    sealed(copy, lambda card: card["synthetic"].update(rows=10**9) if "synthetic" in card else None)
    assert wrong(copy)[TABLE] == f"the table has {rows} rows, the card says 1000000000"
    sealed(copy, lambda card: card["synthetic"].update(rows=rows) if "synthetic" in card else None)
    assert wrong(copy) == {}
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    assert wrong(copy)[TABLE] == f"{rows} rows of 10 columns are more than fits into the memory of this machine"


def test_a_page_of_another_version_is_not_called_forged_but_does_not_hold(copy):
    sealed(copy, lambda card: card.update(tabsynth="9.9"))
    (copy / "card.html").write_bytes(b"<p>Drawn in another way.</p>")
    assert wrong(copy) == {
        BYTES: f"card.html would be written otherwise; tabsynth '9.9' made it, this is {tabsynth.card.version()}, so compare it with that "
        "version"
    }
    sealed(copy, lambda card: card.update(tabsynth=tabsynth.card.version()) or card["environment"].update(pandas="1.0"))
    (copy / "card.html").write_bytes(b"")
    assert wrong(copy)[BYTES].endswith("; it was made with another pandas, so compare it where that is installed")


def test_the_same_rows_are_drawn_however_many_threads_there_are(released):
    """`aim`, by the command line; beyond the rows it walked with, its sampler runs in parallel."""
    said = set()
    for threads in ("1", "2"):
        settings = {name: threads for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        code = "import sys, tabsynth\nfrom tabsynth.digest import digest\nr = tabsynth.Release.load(sys.argv[1])\nprint(digest(r.sample(20_000, seed=2), r.schema))"
        command = [sys.executable, "-c", code, released[0]]
        said.add(subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


# The confidential part -----------------------------------------------------------------------------------------------


@pytest.fixture
def whole(released, tmp_path) -> Path:
    shutil.copytree(released[0], tmp_path / "out")
    return tmp_path / "out"


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(json_bytes(document))


def test_the_confidential_part_is_looked_at_where_it_is_there(whole):
    assert [(r.check, r.holds) for r in verify(whole)][-3:] == [(ABOUT, True), (POLICY, True), (REPORT, True)]
    assert ABOUT not in {r.check for r in verify(whole / "release")}
    shutil.rmtree(whole / "confidential")
    assert ABOUT not in {r.check for r in verify(whole)}


REPORTS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a verdict": (lambda f: edit(f / "report.internal.json", lambda d: d["findings"][0].update(verdict="pass")), {REPORT}),
    "a byte of the page": (lambda f: (f / "report.internal.html").write_bytes((f / "report.internal.html").read_bytes()[:-1]), {REPORT}),
    "a space in the JSON": (lambda f: (f / "report.internal.json").write_bytes((f / "report.internal.json").read_bytes() + b" "), {REPORT}),
    "another card": (lambda f: edit(f / "report.internal.json", lambda d: d["card"]["guarantee"].update(epsilon=0.01)), {ABOUT, REPORT}),
    "another card's hash": (lambda f: edit(f / "report.internal.json", lambda d: d.update(card_sha256="0" * 64)), {ABOUT, REPORT}),
    "another table": (lambda f: edit(f / "report.internal.json", lambda d: d["tables"]["synthetic"].update(sha256="0" * 64)), {ABOUT, REPORT}),
    "no card": (lambda f: edit(f / "report.internal.json", lambda d: d.update(card=None, card_sha256=None)), {ABOUT, REPORT}),
    "thresholds before": (
        lambda f: edit(f / "report.internal.json", lambda d: d["policy"]["thresholds"]["attribute"].update(shipped=0.5)),
        {POLICY, REPORT},
    ),
    "no page": (lambda f: (f / "report.internal.html").unlink(), {ABOUT, POLICY, REPORT}),
    "no JSON": (lambda f: (f / "report.internal.json").unlink(), {ABOUT, POLICY, REPORT}),
    "no JSON but bytes": (lambda f: (f / "report.internal.json").write_bytes(b"{"), {ABOUT, POLICY, REPORT}),
}  # fmt: skip


@pytest.mark.parametrize("what", REPORTS)
def test_a_changed_report_is_noticed(what, whole):
    change, checks = REPORTS[what]
    change(whole / "confidential")
    assert set(wrong(whole)) == checks


def test_random_changes_of_the_report_are_noticed(whole):
    for name in ("report.internal.json", "report.internal.html"):
        assert unnoticed_inside(whole, name, 6) == []


def unnoticed_inside(whole: Path, name: str, times: int) -> list[int]:
    path = whole / "confidential" / name
    content, missed = path.read_bytes(), []
    for seed in range(times):
        changed = damaged(content, random.Random(f"{name} {seed}"))
        path.write_bytes(changed)
        if changed != content and not wrong(whole):
            missed.append(seed)
    path.write_bytes(content)
    return missed


def test_recounting_never_raises(original):
    """Whatever stands on a card."""
    card = json.loads((original / "card.json").read_bytes())
    for value in (None, [], {}, "x", 1e400, -1, True):
        for name in card:
            assert isinstance(recount(card | {name: value}), list)
        for part in ("guarantee", "ledger"):
            for name in card[part]:
                assert isinstance(recount(card | {part: card[part] | {name: value}}), list)
