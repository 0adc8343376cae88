"""What every model must pass. A new line in MODELS is picked up from there."""

import dataclasses
import typing

import numpy as np
import pytest
from conftest import toy_rows

import tabsynth
from tabsynth import Release, Schema
from tabsynth.access import Counts, CountsAndGradients, Synthesizer, silent
from tabsynth.codec import Codec, public_coder
from tabsynth.curator.discover import discover
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import OptionError
from tabsynth.fit import fit_with
from tabsynth.models import MANY_COLUMNS, MODELS, choose, model_class, synthesizer

models = pytest.mark.parametrize("name", MODELS)


class OnlyTheProtocol:
    """Hands a model the protocol that its `fit` declares and nothing else."""

    def __init__(self, table: PrivateTable, model: Synthesizer) -> None:
        self._table = table
        self._protocol = typing.get_type_hints(type(model).fit)["data"]

    def __getattr__(self, name: str):
        assert name in dir(self._protocol), f"the model reached for {name!r}, which is not in {self._protocol.__name__}"
        return getattr(self._table, name)


def quick(name: str) -> Synthesizer:
    """The model of that name; where it learns by many steps, by few."""
    algorithm = synthesizer(name, None)
    return dataclasses.replace(algorithm, steps=30) if name in ("ctgan", "neural") else algorithm


@models
def test_uses_the_protocol_alone_and_spends_at_most_the_budget(name, toy_schema, toy_table):
    ledger = Ledger(Budget(1, 1e-6, 0.1))
    with PrivateTable(toy_table, toy_schema, ledger) as table:
        table.encode(discover(table))
        algorithm = quick(name)
        model = algorithm.fit(OnlyTheProtocol(table, algorithm), np.random.default_rng(0), silent)
    assert typing.get_type_hints(type(algorithm).fit)["data"] is (CountsAndGradients if name == "ctgan" else Counts)
    assert 0.99 < ledger.epsilon() <= 1
    assert abs(model.total - len(toy_table)) < len(toy_table) / 2


@models
def test_card_states_what_the_ledger_proves(name, toy_model):
    guarantee, ledger = toy_model(name).card["guarantee"], toy_model(name).card["ledger"]
    assert 1.98 < guarantee["epsilon"] <= 2
    assert ledger["spent_rho"] <= ledger["budget_rho"] * (1 + 1e-9)
    assert sum(c["rho"] for c in ledger["charges"]) == pytest.approx(ledger["spent_rho"])


@models
def test_same_seed_same_sample_and_other_seed_another(name, toy_model):
    release = toy_model(name)
    assert release.sample(200, seed=3).equals(release.sample(200, seed=3))
    assert not release.sample(200, seed=3).equals(release.sample(200, seed=4))


@models
def test_saved_and_loaded_it_samples_the_same(name, toy_schema, tmp_path):
    fitted = fit_with(quick(name), toy_rows(400), toy_schema, Budget(1, 1e-6, 0.1))
    fitted.save(tmp_path / "m")
    again = Release.load(tmp_path / "m")
    assert again.sample(300, seed=1).equals(fitted.sample(300, seed=1))
    assert again.card["guarantee"] == fitted.card["guarantee"]


@models
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_samples_have_the_schema_s_columns_types_and_values(name, rows, toy_model, toy_schema):
    from tabsynth.conform import as_types
    from tabsynth.misfits import misfits

    sample = toy_model(name).sample(rows)
    assert list(sample.columns) == list(toy_schema.names)
    assert len(sample) == rows
    assert sample.dtypes.equals(as_types(sample, toy_schema).dtypes)
    assert not any(found.total for found in misfits(sample, toy_schema).values())
    assert not set(sample.id) & set(toy_rows(3000).id), "identifiers are minted"


@models
@pytest.mark.parametrize("n", [0, 1])
def test_tiny_tables_fit(name, n, toy_schema):
    """One row fits, and none, and gives noise."""
    assert len(fit_with(quick(name), toy_rows(n), toy_schema, Budget(0.5, 1e-6, 0.1)).sample(5)) == 5


@models
def test_state_is_plain_json_and_arrays_of_numbers(name, toy_model):
    import json

    plain, arrays = toy_model(name).model.state()
    json.dumps(plain, allow_nan=False)
    assert all(a.dtype.kind in "fiu" and np.isfinite(a).all() for a in arrays.values())
    assert model_class(name).load(plain, arrays, toy_model(name).codec.domain).total == toy_model(name).model.total


@pytest.fixture(scope="module")
def three():
    """Three columns where b copies a nine times out of ten and c is a fair coin."""
    rng = np.random.default_rng(0)
    a = rng.choice(3, 20_000, p=[0.5, 0.3, 0.2])
    b = np.where(rng.random(20_000) < 0.9, a, rng.integers(0, 3, 20_000))
    import pandas as pd

    frame = pd.DataFrame({"a": a, "b": b, "c": rng.integers(0, 2, 20_000)})
    labels = {"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1]}
    columns = {k: {"kind": "categorical", "labels": v, "nullable": False} for k, v in labels.items()}
    return frame, Schema.from_dict({"name": "three", "columns": columns})


@models
def test_brute_force_twin(name, three):
    """With next to no noise a model reproduces what it can hold: the true tables, computed directly (within 1 %)."""
    frame, schema = three
    sample = tabsynth.fit(frame, schema, epsilon=50, model=name).sample(20_000)

    def table(t, *columns):
        return t.groupby(list(columns)).size().div(len(t)).to_numpy(dtype=float)

    for column in "abc":
        assert np.abs(table(sample, column) - table(frame, column)).sum() / 2 < 0.01
    expected = table(frame, "a", "b") if name != "independent" else np.outer(table(frame, "a"), table(frame, "b")).ravel()
    assert np.abs(table(sample, "a", "b") - expected).sum() / 2 < 0.01


def test_mst_keeps_the_strong_pair_and_leaves_noise_alone(three):
    frame, schema = three
    order = tabsynth.fit(frame, schema, epsilon=1, model="mst").model.order
    assert ("a", "b") in order
    assert ("c",) in order, "a fair coin is related to nothing, so nothing is spent on it"


def test_more_budget_gives_a_better_fit(toy_schema, toy_table):
    """Mean L1 error of a column's shares over three fits: epsilon 10 beats epsilon 0.2."""
    truth = toy_table.ward.value_counts(normalize=True)

    def error(epsilon):
        fits = [tabsynth.fit(toy_table, toy_schema, epsilon=epsilon, model="independent", seed=s) for s in range(3)]
        return np.mean([(f.sample(3000).ward.value_counts(normalize=True) - truth).abs().sum() for f in fits])

    assert error(10) < error(0.2)


def test_auto_follows_the_number_of_columns_alone():
    assert choose(1)[0] == "independent"
    assert choose(2)[0] == choose(MANY_COLUMNS)[0] == "aim"
    assert choose(MANY_COLUMNS + 1)[0] == "copula"


def test_unknown_model():
    with pytest.raises(OptionError, match=r"no model 'nosuch'; use auto, .*independent, mst"):
        synthesizer("nosuch", None)


def test_a_model_whose_extra_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"needs torch; install it with pip install 'tabsynth\[neural\]', or use auto"):
        synthesizer("neural", None)
    assert synthesizer("aim", None).name == "aim"


@models
def test_codes_stay_in_the_domain(name, toy_model):
    release = toy_model(name)
    codes = release.model.sample(500, np.random.default_rng(0))
    sizes = list(release.codec.domain.values())
    assert (codes >= 0).all()
    assert (codes.max(axis=0) < sizes).all()
    assert isinstance(release.codec, Codec)
    assert public_coder(release.schema["ward"]) == release.codec.coders["ward"]
