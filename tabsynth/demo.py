"""The demonstration: real patients and real transactions, two releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth import demo_data, pipeline
from tabsynth.access import Progress
from tabsynth.published import schemas
from tabsynth.schema import Schema


@dataclass(frozen=True)
class Story:
    """One demo release: what is said about it, its schema and its budget."""

    about: str
    schema: str
    epsilon: float


STORIES = {
    "patients": Story(
        "Patients: RAND Health Insurance Experiment, 20,190 person-years. Privacy for each row, epsilon 1.", "randhie.yaml", 1.0
    ),
    "transactions": Story(
        "Transactions: The Complete Journey, groceries of 2,469 households. Privacy for each household, epsilon 3.",
        "completejourney.yaml",
        3.0,
    ),
}


def run(name: str, out: Path, *, progress: Progress, tell: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Make the release `name` in the folder `out`, replacing an earlier one; return its card."""
    story = STORIES[name]
    data = {"patients": demo_data.patients, "transactions": demo_data.transactions}[name]()
    return pipeline.release(
        data, Schema.load(schemas() / story.schema), out, epsilon=story.epsilon, force=True, progress=progress, tell=tell
    )
