"""NOT PRIVATE. The schema as a Great Expectations suite, and whether the synthetic table meets it (the only importer)."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pandas as pd

from tabsynth.schema import OTHER, Column, Schema
from tabsynth.validate.check import Evidence, Finding

if TYPE_CHECKING:
    import great_expectations
    from great_expectations.expectations.expectation import Expectation

_TYPES = {
    "integer": ["Int64Dtype", "int64"],
    "float": ["float64"],
    "boolean": ["BooleanDtype", "bool"],
    "date": ["datetime64[s]", "datetime64[us]", "datetime64[ns]"],
    "datetime": ["datetime64[s]", "datetime64[us]", "datetime64[ns]"],
    "identifier": ["str"],
}


def suite(schema: Schema) -> great_expectations.ExpectationSuite:
    """What the schema promises, as a Great Expectations suite for pandas tables with the schema's types.

    Column set and order, types (which make integers whole), missing values, public ranges, label lists and decimals. A column
    with ``discover: true`` has no public range or list, so only its type and its missing values are checked.
    """
    gx = _library()
    order = gx.expectations.ExpectTableColumnsToMatchOrderedList(column_list=list(schema.names))
    columns = [expectation for column in schema.columns for expectation in _expectations(gx, column)]
    return gx.ExpectationSuite(name=schema.name or "schema", expectations=[order, *columns])


def expectations(evidence: Evidence) -> list[Finding]:
    """Validate the synthetic table against `suite`, in memory; nothing is written, printed or sent."""
    check, title = "expectations.schema", "Share of the schema's expectations that the synthetic table meets"
    if evidence.synthetic.empty:
        return [Finding(check, title, None, reference=1.0, better="higher", note="The synthetic table has no rows.")]
    rows = []
    for result in _validate(evidence.synthetic, suite(evidence.schema)):
        config, percent = result.expectation_config, result.result.get("unexpected_percent")
        share = None if percent is None else percent / 100
        rows.append({
            "expectation": config.type, "column": config.kwargs.get("column"), "met": bool(result.success), "unexpected_share": share,
        })  # fmt: skip
    met = sum(row["met"] for row in rows) / len(rows)
    verdict = "pass" if met == 1 else "fail"
    return [
        Finding(
            check, title, met, reference=1.0, reference_is="all expectations met", better="higher", verdict=verdict,
            details={"expectations": rows},
        )
    ]  # fmt: skip


def _expectations(gx: great_expectations, column: Column) -> list[Expectation]:
    name, known = column.name, gx.expectations
    types = ["int"] if column.labels and isinstance(column.labels[0], int) else _TYPES.get(column.kind, ["str"])
    out = [known.ExpectColumnValuesToBeInTypeList(column=name, type_list=types)]
    if not column.nullable:
        out.append(known.ExpectColumnValuesToNotBeNull(column=name))
    if column.kind == "boolean":
        out.append(known.ExpectColumnValuesToBeInSet(column=name, value_set=[True, False]))
    if column.labels:
        extra = [OTHER] if column.outside == "other" else []
        out.append(known.ExpectColumnValuesToBeInSet(column=name, value_set=[*column.labels, *extra]))
    if column.minimum is not None:
        low, high = (_moment(end(column.minimum, column.maximum, *(v for v, _ in column.special))) for end in (min, max))
        out.append(known.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high))
    if column.decimals is not None:
        out.append(known.ExpectColumnValuesToMatchRegex(column=name, regex=_decimals(column.decimals)))
    return out


def _moment(bound: object) -> object:
    """Dates as midnight, which is how tables hold them."""
    return dt.datetime(bound.year, bound.month, bound.day) if type(bound) is dt.date else bound


def _decimals(digits: int) -> str:
    """Matches the text of a float with at most so many digits after the point, also where it reads 1.5e-05."""
    small = "".join(rf"|\d(?:\.\d{{0,{digits - power}}}0*)?e-0*{power}" for power in range(5, digits + 1))
    return rf"^-?(?:\d+(?:\.\d{{0,{digits}}}0*)?{small})$"


def _validate(table: pd.DataFrame, expected: great_expectations.ExpectationSuite) -> list:
    gx = _library()
    known = gx.data_context.types.base
    config = known.DataContextConfig(
        store_backend_defaults=known.InMemoryStoreBackendDefaults(),
        progress_bars=known.ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("synthetic")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
    return batch.validate(expected, result_format="BASIC").results


def _library() -> great_expectations:
    """Import Great Expectations with its telemetry switched off, which has to happen first."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations
