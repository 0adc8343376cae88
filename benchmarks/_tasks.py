"""The tables that engines are compared on, each with its split, public schema and target."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tabsynth.schema import Schema

SCHEMAS = Path(__file__).parents[1] / "schemas"
# fmt: off
PATIENT = [
    "race", "gender", "age", "admission_type_id", "discharge_disposition_id", "admission_source_id", "time_in_hospital",
    "num_lab_procedures", "num_procedures", "num_medications", "number_outpatient", "number_emergency", "number_inpatient",
    "number_diagnoses", "max_glu_serum", "A1Cresult", "metformin", "glipizide", "insulin", "change", "diabetesMed", "readmitted",
]
# fmt: on
"""22 columns of diabetes130 whose ranges and labels are public. Every row is its own unit here, because peers know no patients."""


@dataclass(frozen=True)
class Prepared:
    """A task's files: the split as CSV, the schema as YAML."""

    train: Path
    holdout: Path
    schema: Path
    target: str
    rows: int

    def columns(self) -> dict[str, dict[str, Any]]:
        """Labels or range of each column, for peers' runners."""
        return {
            c.name: {"labels": list(c.labels), "nullable": c.nullable}
            if c.kind == "categorical"
            else {"minimum": _plain(c.minimum, c.kind), "maximum": _plain(c.maximum, c.kind)}
            for c in Schema.load(self.schema).columns
        }


def _plain(bound: Any, kind: str) -> float:
    return int(bound) if kind == "integer" else float(bound)


def select(schema: Path, columns: list[str], target: str | None, out: Path) -> Path:
    """A schema with some columns of another, in that order, each row its own unit."""
    document = yaml.safe_load(schema.read_text(encoding="utf-8"))
    document |= {
        "columns": {name: document["columns"][name] for name in columns},
        "unit": {"key": None, "max_rows": 1},
    }
    document = {k: v for k, v in document.items() if k not in ("rules", "target", "protected")}
    document |= {"target": target} if target else {}
    out.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return out


def prepare(task: str, data: Path, folder: Path) -> Prepared:
    """Split 70/30, stratified on the target, seed 0, and write what an engine is given.

    Parameters
    ----------
    task : {"adult", "patient", "creditcard"}
    data : Path
        Holds ``reference`` and ``data``.
    folder : Path
        Where the files go.
    """
    import pandas as pd

    train, holdout = folder / "train.csv", folder / "holdout.csv"
    if task == "adult":
        script = data / "reference/split_adult.py"
        subprocess.run([sys.executable, script, data / "data/adult/adult.parquet", folder], check=True, capture_output=True)
        schema, target = SCHEMAS / "adult.yaml", "income"
    elif task == "patient":
        target = "readmitted"
        schema = select(SCHEMAS / "diabetes130.yaml", PATIENT, target, folder / "schema.yaml")
        _split(pd.read_parquet(data / "data/diabetes130/diabetic_data.parquet", columns=PATIENT), target, train, holdout)
    else:
        schema, target = SCHEMAS / "creditcard.yaml", "Class"
        _split(pd.read_parquet(data / "data/creditcard_ulb_trunc/creditcard.parquet"), target, train, holdout)
    with train.open(encoding="utf-8") as lines:
        rows = sum(1 for _ in lines) - 1
    return Prepared(train, holdout, schema, target, rows)


def _split(table: Any, target: str, train: Path, holdout: Path) -> None:
    from sklearn.model_selection import train_test_split

    for part, path in zip(
        train_test_split(table, test_size=0.3, random_state=0, stratify=table[target]), (train, holdout), strict=True
    ):
        part.to_csv(path, index=False)
