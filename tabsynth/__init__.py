"""Synthetic tables with a differential-privacy guarantee that is kept and a leakage report that can be checked."""

from tabsynth.attack import attack
from tabsynth.audit import audit
from tabsynth.delimited import Csv
from tabsynth.errors import TabsynthError
from tabsynth.fit import fit
from tabsynth.pipeline import evaluate
from tabsynth.release import Release
from tabsynth.schema import Column, Schema, Unit

__all__ = ["Column", "Csv", "Release", "Schema", "TabsynthError", "Unit", "attack", "audit", "evaluate", "fit"]
