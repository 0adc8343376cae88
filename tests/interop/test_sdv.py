"""SDV metadata in and out: kinds and keys survive, and nothing that SDV read off the rows comes along."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from tabsynth.errors import OptionError, SchemaError
from tabsynth.interop.sdv import from_sdv, to_sdv, to_sdv_dict
from tabsynth.schema import Schema

SHIPPED = sorted((Path(__file__).parents[2] / "schemas").glob("*.yaml"))
TOY = Schema.from_dict(
    {
        "name": "visits",
        "unit": {"key": "patient", "max_rows": 3},
        "columns": {
            "patient": {"kind": "identifier", "nullable": False},
            "partner": {"kind": "identifier"},
            "visit": {"kind": "identifier", "nullable": False},
            "age": {"kind": "integer", "minimum": 0, "maximum": 120},
            "cost": {"kind": "float", "minimum": 0, "maximum": 99.5, "decimals": 2, "nullable": False},
            "weight": {"kind": "float", "discover": True},
            "ward": {"kind": "categorical", "labels": ["A", "B"]},
            "code": {"kind": "categorical", "discover": True},
            "emergency": {"kind": "boolean"},
            "day": {"kind": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
            "seen": {"kind": "datetime", "minimum": "2020-01-01", "maximum": "2020-12-31T23:59:59"},
        },
    }
)


def kinds(schema: Schema) -> dict[str, str]:
    return {c.name: c.kind for c in schema.columns}


def test_public_facts_reach_sdv():
    table = to_sdv_dict(TOY)["tables"]["visits"]
    assert table["primary_key"] == "visit"
    assert table["sequence_key"] == "patient"
    assert table["columns"] == {
        "patient": {"sdtype": "id"},
        "partner": {"sdtype": "id"},
        "visit": {"sdtype": "id"},
        "age": {"sdtype": "numerical", "range_min": 0, "range_max": 120, "decimal_places": 0, "range_is_nullable": True},
        "cost": {"sdtype": "numerical", "range_min": 0, "range_max": 99.5, "decimal_places": 2, "range_is_nullable": False},
        "weight": {"sdtype": "numerical", "range_is_nullable": True},
        "ward": {"sdtype": "categorical", "range_values": ["A", "B"], "range_is_nullable": True},
        "code": {"sdtype": "categorical", "range_is_nullable": True},
        "emergency": {"sdtype": "boolean", "range_is_nullable": True},
        "day": {
            "sdtype": "datetime",
            "datetime_format": "%Y-%m-%d",
            "range_min": "2020-01-01",
            "range_max": "2020-12-31",
            "range_is_nullable": True,
        },
        "seen": {
            "sdtype": "datetime",
            "datetime_format": "%Y-%m-%d %H:%M:%S",
            "range_min": "2020-01-01 00:00:00",
            "range_max": "2020-12-31 23:59:59",
            "range_is_nullable": True,
        },
    }


@pytest.mark.parametrize("schema", [TOY, *map(Schema.load, SHIPPED)], ids=lambda s: s.name)
def test_round_trip_through_sdv_keeps_kinds_and_keys(schema):
    pytest.importorskip("sdv")
    metadata = to_sdv(schema)
    metadata.validate()
    back = from_sdv(metadata, max_rows=schema.unit.max_rows)
    assert back.name == schema.name
    assert back.unit == schema.unit
    assert kinds(back) == kinds(schema)
    assert all(c.discover for c in back.modelled if c.kind != "boolean")
    keys = [c.name for c in back.columns if not c.nullable]
    assert keys == [c.name for c in schema.columns if not c.modelled and not c.nullable]


def test_nothing_that_sdv_read_off_the_rows_becomes_public():
    metadata = pytest.importorskip("sdv.metadata")
    rows = pd.DataFrame({"cost": [1.25, 2.5, 98765.25] * 20, "ward": ["A", "B", "rare-ward"] * 20})
    detected = metadata.Metadata.detect_from_dataframes({"t": rows})
    assert "98765.25" in str(detected.to_dict())
    assert "rare-ward" in str(detected.to_dict())
    schema = from_sdv(detected)
    assert "98765" not in schema.dump()
    assert "rare-ward" not in schema.dump()
    assert all(c.discover and c.nullable and c.decimals is None for c in schema.columns)


OLD = {
    "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
    "primary_key": "id",
    "columns": {
        "id": {"sdtype": "id", "regex_format": "[0-9]+"},
        "name": {"sdtype": "first_name", "pii": True},
        "note": {"sdtype": "unknown", "pii": True},
        "visits": {"sdtype": "numerical", "computer_representation": "Int64"},
        "cost": {"sdtype": "numerical", "computer_representation": "Float"},
        "grade": {"sdtype": "categorical", "order": ["low", "high"]},
        "level": {"sdtype": "ordinal"},
        "born": {"sdtype": "datetime", "datetime_format": "%d/%m/%y"},
        "seen": {"sdtype": "datetime", "datetime_format": "%Y-%m-%dT%H:%M"},
        "left": {"sdtype": "datetime"},
    },
}


def test_plain_metadata_needs_no_sdv(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sdv", None)
    monkeypatch.setitem(sys.modules, "sdv.metadata", None)
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(OLD), encoding="utf-8")
    for given in (OLD, path, str(path)):
        schema = from_sdv(given, "patients")
        assert schema.name == "patients"
        assert schema.unit.key is None
        assert kinds(schema) == {
            "id": "identifier",
            "name": "identifier",
            "note": "identifier",
            "visits": "integer",
            "cost": "float",
            "grade": "categorical",
            "level": "categorical",
            "born": "date",
            "seen": "datetime",
            "left": "datetime",
        }
        assert not schema["id"].nullable
    assert from_sdv(to_sdv_dict(TOY)).unit.key == "patient"
    with pytest.raises(OptionError, match="not installed"):
        to_sdv(TOY)


def test_one_of_several_tables():
    columns = {"columns": {"key": {"sdtype": "id"}, "x": {"sdtype": "numerical"}}}
    two = {"tables": {"parent": {**columns, "primary_key": "key"}, "child": {**columns, "sequence_key": ["key"]}}}
    assert from_sdv(two, "parent").unit.key is None
    child = from_sdv(two, "child", max_rows=5)
    assert (child.name, child.unit.key, child.unit.max_rows) == ("child", "key", 5)
    with pytest.raises(SchemaError, match="parent, child; say which"):
        from_sdv(two)
    with pytest.raises(SchemaError, match="no table 'other'"):
        from_sdv(two, "other")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (5, "a int, not SDV metadata"),
        ([], "a list, not SDV metadata"),
        ("no/such/file.json", "cannot be read; give the path"),
        ({}, "no columns"),
        ({"tables": {}}, "describes no table"),
        ({"tables": {"a": 5}}, "describes no table"),
        ({"columns": {"a": {}}}, "no 'sdtype'"),
        ({"columns": {"a": {"sdtype": "id"}}}, "no column to model"),
        ({"columns": {"a": {"sdtype": "numerical"}}, "sequence_key": ["a", "b"]}, "sequence key of 2 columns"),
    ],
)
def test_errors_say_what_to_do(given, sentence):
    with pytest.raises(SchemaError, match=sentence):
        from_sdv(given)


def test_formats_of_dates_go_both_ways():
    day = {"kind": "date", "minimum": "2020-01-31", "maximum": "2020-12-31", "format": "%d/%m/%Y"}
    plain = to_sdv_dict(Schema.from_dict({"name": "t", "columns": {"day": day, "iso": {"kind": "date", "discover": True}}}))
    stated = plain["tables"]["t"]["columns"]["day"]
    assert (stated["datetime_format"], stated["range_min"]) == ("%d/%m/%Y", "31/01/2020")
    back = from_sdv(plain)
    assert (back["day"].format, back["iso"].format) == ("%d/%m/%Y", None)
    odd = {"columns": {"x": {"sdtype": "datetime", "datetime_format": "%j %Y"}}}
    assert from_sdv(odd)["x"].format is None
