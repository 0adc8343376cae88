"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Number(click.ParamType):
    """A number; what is not one is refused in a sentence."""

    name = "number"

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click."""
        try:
            return self.kind(value)
        except ValueError:
            what = "a whole number" if self.kind is int else "a number"
            raise click.UsageError(f"{param.opts[0] if param else 'value'} is {value!r}; give {what}.") from None


def options(*decorators: Callable) -> Callable:
    """Several option decorators as one."""

    def apply(command: Callable) -> Callable:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


table = click.Path(path_type=Path)
quiet = click.option("--quiet", is_flag=True, help="Print errors only.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
output = options(quiet, as_json)
schema_option = click.option("--schema", required=True, type=table, help="YAML schema: what is public about the table.")
target_option = click.option("--target", help="Column to predict; its relations matter most. Default: the schema's target.")
seed_option = click.option(
    "--seed", type=Number(int), default=0, show_default=True, help="Seed of the random choices that are not privacy noise."
)
rows_option = click.option(
    "--rows", type=Number(int), help="Synthetic rows. Default: a noisy estimate of the number of training rows."
)
policy_option = click.option(
    "--policy", default="default", show_default=True, help="Thresholds: default, ema, hipaa, nist, or a YAML file of your own."
)
force_option = click.option("--force", is_flag=True, help="Replace the output folder if tabsynth wrote it.")
privacy = options(
    click.option("--epsilon", required=True, type=Number(float), help="Privacy budget, above 0; usually 0.1 to 10."),
    click.option(
        "--delta", type=Number(float), default=1e-6, show_default=True, help="Above 0 and far below one over the number of units."
    ),
    click.option("--model", default="auto", show_default=True, help="auto, aim, copula, ctgan, independent, mst or neural."),
)
