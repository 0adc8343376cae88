"""The command on policies: policy."""

from __future__ import annotations

import click

from tabsynth.cli._tell import show


@click.command()
@click.argument("name", default="default")
def policy(name: str) -> None:
    """Print a policy to edit: the thresholds of default, ema, hipaa or nist, with their sources.

    Name it, state where the table goes under 'context', change the values that your board decides and say why under 'reason'; then give
    the file to --policy. The report lists every threshold, its source, and what was changed.
    """
    from tabsynth.policy import Policy

    show(Policy.load(name).dump().rstrip("\n"), keep="\n")
