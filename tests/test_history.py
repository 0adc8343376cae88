"""Releases of one data set add up: those that are replaced, or that another is divided like, are remembered in the confidential part."""

import hashlib
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import visits

from tabsynth import pipeline
from tabsynth.conform import read
from tabsynth.errors import TabsynthWarning
from tabsynth.history import history
from tabsynth.report import report

SETTINGS = {"epsilon": 1, "model": "independent", "rows": 40}


def people(n: int = 160, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return visits(zip(rng.permutation(n) // 2, rng.choice(list("ABC"), n), rng.integers(0, 10, n), strict=True))


def told(out) -> dict:
    return json.loads((out / "confidential/report.internal.json").read_text())


def digest(out) -> str:
    return hashlib.sha256((out / "release/card.json").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def chain(tmp_path_factory, visits_schema):
    """Three releases of one data set into one folder, its rows in another order each time, and what each report and warning said."""
    folder, steps = tmp_path_factory.mktemp("chain"), []
    table = people()
    for i in range(3):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", TabsynthWarning)
            pipeline.release(table.sample(frac=1, random_state=i), visits_schema, folder / "out", force=i > 0, **SETTINGS)
        said = [str(w.message) for w in heard if w.category is TabsynthWarning]
        steps.append((told(folder / "out"), digest(folder / "out"), said))
    return folder / "out", table, steps


def test_replaced_releases_are_counted_and_told_of(chain):
    _out, _table, steps = chain
    cards = [card for _, card, _ in steps]
    assert [told["data_set"]["earlier"] for told, _, _ in steps] == [[], cards[:1], sorted(cards[:2])]
    assert len({told["data_set"]["sha256"] for told, _, _ in steps}) == 1
    assert len({told["split"]["seed"] for told, _, _ in steps}) == 3
    assert [len(said) for _, _, said in steps] == [0, 1, 1]
    assert "2 earlier ones are known here" in steps[2][2][0]
    assert "no guarantee covers choosing among them" in steps[2][2][0]


def test_another_data_set_starts_anew(chain, visits_schema, recwarn):
    out, table, _ = chain
    frame = read(table, visits_schema)
    assert len(history(frame, [out])["earlier"]) == 3
    assert history(read(people(seed=1), visits_schema), [out])["earlier"] == []
    one_less, one_value = frame.iloc[1:], frame.copy()
    one_value.loc[0, "days"] = (one_value.loc[0, "days"] + 1) % 10
    for other in (one_less, one_value, frame.iloc[[*range(len(frame)), 0]]):
        assert history(other, [out])["earlier"] == []
    assert history(frame, [out.parent / "gone", out / "release"])["earlier"] == []


def test_a_release_divided_like_another_counts_it_once(chain, visits_schema, tmp_path, run):
    out, table, steps = chain
    table.to_csv(tmp_path / "visits.csv", index=False)
    (tmp_path / "visits.yaml").write_text(visits_schema.dump())
    line = ["release", tmp_path / "visits.csv", "--schema", tmp_path / "visits.yaml", "--epsilon", 1, "--model", "independent",
            "--rows", 40, "--same-split", out, "--out", tmp_path / "second"]  # fmt: skip
    code, _, err = run(*line)
    assert code == 0
    assert [text for text in err.splitlines() if text.startswith("tabsynth: this is one more release")], err
    assert len(told(tmp_path / "second")["data_set"]["earlier"]) == 3
    first = digest(tmp_path / "second")
    code, _, err = run(*line, "--force", "--quiet")
    assert (code, err) == (0, "")
    assert told(tmp_path / "second")["data_set"]["earlier"] == sorted({card for _, card, _ in steps} | {first})


def test_it_is_confidential_and_on_the_first_page_of_the_report(chain):
    out, _, steps = chain
    data = steps[2][0]
    known = [data["data_set"]["sha256"], *data["data_set"]["earlier"]]
    for path in (out / "release").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [value for value in known if value.encode() in content], path
    page = (out / "confidential/report.internal.html").read_text(encoding="utf-8")
    decision = re.search(r'<section id="verdict".*?</section>', page, re.DOTALL)[0]
    assert "2 earlier releases of this data set are known here." in decision
    assert page == report(data)
    assert "earlier release" not in report(steps[0][0])


def test_what_the_evaluation_adds_is_said_on_the_first_page_and_among_the_limitations(chain):
    page = " ".join(report(chain[2][0][0]).split())
    first = re.search(r'<section id="verdict".*?</section>', page)[0]
    assert "no guarantee covers the people in the holdout" in first
    limits = re.search(r'<section id="limitations".*?</section>', page)[0]
    for said in ("without noise", "uses the holdout up", "no guarantee: two reports",
                 "No guarantee covers choosing among releases by looking at real rows", "no guarantee covers that report"):  # fmt: skip
        assert said in limits, said
