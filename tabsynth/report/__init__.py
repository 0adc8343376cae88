"""Findings and card in, HTML out. Computes nothing from rows: it has none."""

from tabsynth.report.card import card
from tabsynth.report.compare import compare
from tabsynth.report.internal import headline, report

__all__ = ["card", "compare", "headline", "report"]
