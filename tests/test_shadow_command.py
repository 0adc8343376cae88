"""`tabsynth attack --card`: the generator is fitted again as the card says, fits are kept and used again, and what is refused.

The release is of 60 rows and the model is the quickest; what such attacks find is tested in tests/slow/test_shadow_attacks.py.
"""

import json
import pickle
from functools import partial

import pandas as pd
import pytest
from conftest import toy_rows
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import tabsynth
from tabsynth import shadow
from tabsynth.attack import summary
from tabsynth.errors import InputError, OptionError
from tabsynth.release import write_json

ROWS = 60
COLUMNS = {
    "age": {"kind": "integer", "minimum": 0, "maximum": 99},
    "ward": {"kind": "categorical", "labels": ["A", "B", "C"]},
    "sick": {"kind": "boolean"},
    "drug": {"kind": "categorical", "discover": True},
}
TARGETED = "attacks.worst.targeted"


def rows(seed: int, n: int = ROWS) -> pd.DataFrame:
    return toy_rows(n, seed)[list(COLUMNS)]


@pytest.fixture(scope="module")
def schema():
    return tabsynth.Schema.from_dict({"name": "ward", "target": "sick", "columns": COLUMNS})


@pytest.fixture(scope="module")
def release(schema):
    return tabsynth.fit(rows(0), schema, epsilon=5, delta=1e-5, model="independent")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, schema, release):
    """Members `m`, non-members `h`, the release's rows `s`, its card, and cards, tables and folders that will not do."""
    out = tmp_path_factory.mktemp("shadow")
    for seed, name in enumerate("mh"):
        rows(seed, ROWS * (seed + 1)).to_parquet(out / f"{name}.parquet", index=False)
    release.sample(ROWS, seed=1).to_parquet(out / "s.parquet", index=False)
    rows(3, 14).to_parquet(out / "few.parquet", index=False)
    rows(3, 7).to_parquet(out / "fewer.parquet", index=False)
    (out / "other.yaml").write_text(json.dumps(schema.to_dict() | {"name": "other"}))
    (out / "same.yaml").write_text(json.dumps(schema.to_dict()))
    (out / "text.json").write_text("no card")
    settings = release.card["model"]["settings"]
    cards = {
        "card": {},
        "foreign": {"format": "else"},
        "changed": {"fingerprint": "0"},
        "model": {"model": {"name": "gan", "settings": settings}},
        "settings": {"model": {"name": "independent", "settings": settings | {"smoothing": 2}}},
        "hollow": {"guarantee": None},
        "spent": {"guarantee": release.card["guarantee"] | {"epsilon_budget": -1}},
    }
    for name, change in cards.items():
        write_json(out / f"{name}.json", release.card | change)
    (out / "taken").mkdir()
    (out / "taken/notes.txt").write_text("mine")
    return out


def line(folder, **options):
    """The command on the release, with options replaced, added, or (where None) taken away."""
    given = {"members": "m.parquet", "non-members": "h.parquet", "synthetic": "s.parquet", "card": "card.json", "attacks": "ldr"}
    files = ("members", "non-members", "synthetic", "card", "schema", "json", "keep")
    return ["attack", *(
        str(part) for n, v in (given | options).items() if v is not None for part in (f"--{n}", folder / v if n in files else v)
    )]  # fmt: skip


def tables(folder):
    return [folder / f"{name}.parquet" for name in "mhs"]


def found(result) -> dict:
    return {finding["check"]: finding for finding in result["findings"]}


def times(folder) -> dict:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_generator_is_fitted_again_and_fits_are_kept(folder, run, repo):
    asked = {"shadows": 2, "targets": 1, "runs": 4, "keep": "kept", "attacks": "ldr,focal"}
    code, out, err = run(*line(folder, json="first.json", **asked))
    assert code == 0, err
    said = "to make: 12 (2 on reference rows, 2 on synthetic rows; 4 with each of 1 targets, 4 without). 4 runs can prove"
    assert said in err.replace("Fits of independent ", "").splitlines()[0]
    result = json.loads((folder / "first.json").read_text())
    for said in (
        "shadows, reference     AUC ",
        "learned from 2 fits on synthetic rows",
        "1 attacked one by one: epsilon is at least",
    ):
        assert said in out
    assert "claimed: 5)" in out
    assert result["schema_is"] == "card"
    assert result["generator"] == {
        "model": "independent", "epsilon": 5.0, "delta": 1e-5, "target": "sick", "tabsynth": tabsynth.card.version(),
        "shadows": 2, "targets": 1, "runs": 4,
    }  # fmt: skip
    findings = found(result)
    assert findings["attacks.shadow"]["details"]["shadows"] == findings["attacks.shadow_synthetic"]["details"]["shadows"] == 2
    details = findings[TARGETED]["details"]
    assert (details["claimed"], details["delta"], details["base_rows"]) == (5, 1e-5, ROWS)
    assert findings["attacks.focal"]["details"]["tables"] == [[name] for name in COLUMNS]
    kept = times(folder / "kept")
    assert len([path for path in kept if path.suffix == ".parquet"]) == 12
    code, out, err = run(*line(folder, json="second.json", **asked))
    assert code == 0, err
    assert "not made again" in err.splitlines()[0]
    assert times(folder / "kept") == kept
    assert json.loads((folder / "second.json").read_text())["findings"] == result["findings"]
    assert run(*line(folder, **(asked | {"shadows": 3, "targets": 0})))[0] == 0
    assert kept.items() < times(folder / "kept").items()
    assert len(times(folder / "kept")) == len(kept) + 2
    code, _, err = run(*line(folder, json="third.json", seed=1, **asked))
    assert code == 2
    assert "keeps fits of other tables, another card, version or seed; name a new folder" in err.splitlines()[-1]
    known = {n: json.loads((repo / f"schemas/{n}.schema.json").read_text()) for n in ("schema", "card", "report", "attack")}
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in known.values())
    validator = Draft202012Validator(known["attack"], registry=registry)
    assert [error.message for error in validator.iter_errors(result)] == []
    assert list(validator.iter_errors(result | {"generator": {"model": "independent"}}))


def test_a_card_alone_tells_schema_and_tables(folder, release):
    result = tabsynth.attack(*tables(folder), card=release.card, schema=folder / "same.yaml", attacks="focal")
    assert found(result)["attacks.focal"]["details"]["tables"] == [[name] for name in COLUMNS]
    assert (result["schema_is"], result["generator"]["shadows"], result["generator"]["runs"]) == ("given", 0, 0)
    assert "attacks.shadow" not in found(result)
    without = tabsynth.attack(*tables(folder), attacks="focal")
    assert without["generator"] is None
    assert found(without)["attacks.focal"]["details"]["tables"] == []
    assert "shadows" not in "\n".join(summary(without))
    tabsynth.attack(*tables(folder), card=folder / "settings.json", attacks="focal")


def test_a_fit_is_what_the_card_says_and_tells_not_how_many_rows_it_had(schema):
    """The number's noise has a standard deviation far above 1 at epsilon .05, so five samples are not all of the true size; and
    one of at most 3.5 (2 in each of a column's 3 cells) at a million, so 40 is 11 of them."""
    known = {"schema": schema, "model": "independent", "epsilon": 0.05, "delta": 1e-6, "target": None}
    generator = pickle.loads(pickle.dumps(partial(shadow.generate, **known)))
    assert {len(generator(rows(0), seed)) for seed in range(5)} != {ROWS}
    exact = shadow.generate(rows(0), 9, **(known | {"epsilon": 1e6}))
    assert abs(len(exact) - ROWS) < 40
    assert tuple(exact.columns) == schema.names
    for name, value in (("model", "gan"), ("epsilon", 0), ("delta", 2), ("target", "nosuch")):
        with pytest.raises(OptionError, match=str(value)):
            shadow.generate(rows(0), 9, **(known | {name: value}))


@pytest.mark.parametrize(("members", "learned"), [(ROWS, 2 * 15), (10, 2 * 10)])
def test_as_many_units_as_members_or_half_the_pool(members, learned, release):
    """Of 60 reference rows 30 are fitted and 15 of the others stay reference; or, for 10 members, 10 are fitted."""
    synthetic = release.sample(100, seed=3)
    result = tabsynth.attack(
        rows(0, members), rows(1, 2 * ROWS), synthetic, reference=rows(4), card=release.card, shadows=1, attacks="ldr"
    )
    details = found(result)["attacks.shadow"]["details"]
    assert details["shadow_units"] == learned
    assert found(result)["attacks.shadow_synthetic"]["details"]["shadow_units"] == 2 * min(members, 50)


def test_units_are_people_and_rows_without_one_are_nobodys(tmp_path):
    columns = {"person": {"kind": "identifier"}, "age": COLUMNS["age"], "sick": COLUMNS["sick"]}
    schema = tabsynth.Schema.from_dict({"name": "visits", "unit": {"key": "person", "max_rows": 3}, "columns": columns})

    def visits(seed, n=2 * ROWS):
        """The 20 rows that are nobody's are the most unusual."""
        person = [f"{seed}.{i // 2}" if i >= 20 else None for i in range(n)]
        frame = toy_rows(n, seed).assign(person=person)[list(columns)]
        return frame.assign(age=[40 + i % 20 if i >= 20 else 99 for i in range(n)])

    release = tabsynth.fit(visits(0), schema, epsilon=5, model="independent")
    known = {
        "card": release.card,
        "shadows": 1,
        "targets": 2,
        "runs": 4,
        "keep": tmp_path / "kept",
        "workers": 2,
        "attacks": "ldr",
    }
    seen = []
    result = tabsynth.attack(
        visits(0), visits(1), release.sample(seed=1), reference=visits(2, 80), **known, progress=lambda _, done: seen.append(done)
    )
    targets = found(result)[TARGETED]["details"]["targets"]
    assert {row["rows"] for row in targets} == {2}
    assert len(targets) == 2
    assert found(result)[TARGETED]["details"]["base_rows"] == 60
    assert seen == sorted(seen)
    assert seen[-1] == 1
    with pytest.raises(OptionError, match="targets is 51, but there are only 50 members"):
        tabsynth.attack(visits(0), visits(1), release.sample(200, seed=1), **(known | {"targets": 51}))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"card": None, "shadows": 2}, "give the card (card.json) of the release"),
        ({"card": None, "targets": 2}, "give the card (card.json) of the release"),
        ({"card": "gone.json", "shadows": 2}, "gone.json cannot be read; restore it"),
        ({"card": "text.json"}, "text.json cannot be read as JSON"),
        ({"card": "foreign.json"}, "is not a tabsynth.card file"),
        ({"card": "changed.json"}, "the card was changed or is not a card of a release"),
        ({"card": "hollow.json"}, "the card was changed or is not a card of a release"),
        ({"card": "model.json", "shadows": 2}, "the card's generator cannot be fitted: there is no model 'gan'"),
        ({"card": "spent.json", "shadows": 2}, "the card's generator cannot be fitted: epsilon is -1"),
        ({"card": "settings.json", "targets": 2}, "has other settings (smoothing) than this version would use"),
        ({"schema": "other.yaml", "shadows": 2}, "the schema 'other' is not the one on the card"),
        ({"schema": "other.yaml"}, "the schema 'other' is not the one on the card"),
        ({"shadows": -1}, "shadows is -1; give a whole number of 0 or more"),
        ({"shadows": "two"}, "--shadows is 'two'; give a whole number"),
        ({"targets": -1}, "targets is -1; give a whole number of 0 or more"),
        ({"targets": 1, "runs": 3}, "runs is 3; give a whole number of 4 or more"),
        ({"shadows": 1, "workers": 0}, "workers is 0; give a whole number of 1 or more"),
        ({"keep": "kept-bad"}, "give shadows or targets, or leave keep out"),
        ({"keep": "taken", "shadows": 1}, "taken holds something else than kept fits"),
        ({"keep": "m.parquet", "shadows": 1}, "m.parquet holds something else than kept fits"),
        ({"keep": "m.parquet/in", "shadows": 1}, "the system refused"),
        ({"non-members": "few.parquet", "shadows": 1}, "there are only 7 row(s) of reference; at least 8 are needed"),
        ({"synthetic": "fewer.parquet", "shadows": 1}, "there are only 7 row(s) of synthetic; at least 8 are needed"),
        ({"targets": ROWS + 1}, "targets is 61, but there are only 60 members"),
    ],
    ids=lambda v: " ".join(f"{n}={x}" for n, x in v.items()) if isinstance(v, dict) else None,
)
def test_bad_requests_end_in_one_sentence_and_leave_nothing(options, says, folder, run):
    before = times(folder), set(folder.rglob("*"))
    code, out, err = run(
        *line(folder, **{"json": "bad.json", "keep": "new" if options.keys() & {"shadows", "targets"} else None, **options})
    )
    assert (code, out) == (2, "")
    assert says in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert (times(folder), set(folder.rglob("*"))) == before


@pytest.mark.parametrize(
    "options", [{"keep": "taken"}, {"non_members": "few.parquet"}, {"shadows": 0, "targets": ROWS + 1}], ids=str
)
def test_what_cannot_be_done_is_known_before_any_attack(options, folder):
    files = ("members", "non_members", "synthetic", "keep")
    given = dict(zip(files, tables(folder), strict=False)) | {n: folder / v if n in files else v for n, v in options.items()}
    seen = []
    with pytest.raises(InputError):
        tabsynth.attack(**({"card": folder / "card.json", "shadows": 1} | given), progress=lambda what, _: seen.append(what))
    assert seen == ["reading"]
