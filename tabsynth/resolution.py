"""What a schema may say of the clock and the calendar of a column of dates or datetimes."""

from __future__ import annotations

from typing import Any

RESOLUTIONS = {"second": 1, "minute": 60, "quarter": 900, "hour": 3600, "day": 86_400}
"""Seconds between two times of day, by name; a quarter is one of an hour."""
PARTS = {"date": ("date", "weekday", "month"), "datetime": ("date", "weekday", "month", "time")}
"""Parts that a column of each kind may be modelled by."""


def fault(kind: str, resolution: Any, parts: Any) -> str | None:
    """What is wrong with a column's `resolution` and `parts`, or None."""
    if resolution is not None and (kind != "datetime" or resolution not in list(RESOLUTIONS)):
        return f"resolution is {resolution!r}; it is for datetime columns, one of {', '.join(RESOLUTIONS)}."
    if parts is None:
        return None
    if kind not in PARTS:
        return f"parts is {parts!r}; it is for date and datetime columns."
    if not parts or any(part not in PARTS[kind] for part in parts) or len(set(parts)) != len(parts):
        return f"parts is {list(parts)!r}; for {kind} columns list some of {', '.join(PARTS[kind])}, each once."
    return None
