"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tabsynth.cli._tell import say


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
prior_option = click.option(
    "--prior",
    type=table,
    help="Public table with the same columns, or an earlier release, to start from. It is not protected; ranges and lists are taken from it.",
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
_text_options = options(
    click.option("--encoding", help="Of CSV and TSV files, such as cp1252 or utf-16. Default: utf-8."),
    click.option("--delimiter", help="Of CSV and TSV files, such as ';'. Default: a comma, in .tsv a tab."),
    click.option("--escape", help="Character that stands before a quote inside quotes; a backslash in files of Spark and MySQL."),
    click.option(
        "--malformed",
        help="refuse (default): a file with a malformed line is refused. skip: each line is read by itself, and what does not parse is "
        "left out; no field may hold a line break then.",
    ),
    click.option("--decimal", help="What stands before a fraction in CSV and TSV files, '.' or ','. Default: '.'."),
    click.option("--thousands", help="What stands between thousands in CSV and TSV files, such as '.' or ' '. Default: nothing."),
    click.option(
        "--date-format",
        help="Of dates in CSV and TSV files whose column has no format in the schema, such as %d/%m/%Y. ISO is always read.",
    ),
)
_TEXT = ("encoding", "delimiter", "escape", "malformed", "decimal", "thousands", "date_format")


def reads(*tables: str) -> Callable:
    """A command whose parameters `tables` are tables to read: how CSV and TSV files are written can be said, of all of them at once.

    It comes before what the schema's ``reading`` says.
    """

    def apply(command: Callable) -> Callable:
        @functools.wraps(command)
        def read(**settings: Any) -> Any:
            said = {name: value for name in _TEXT if (value := settings.pop(name)) is not None}
            told = _told_once(settings.get("quiet", False))
            given = {name: _each(lambda path: _as_text(path, said, told), settings[name]) for name in tables}
            if said and given == {name: settings[name] for name in tables}:
                raise click.UsageError(
                    f"--{next(iter(said)).replace('_', '-')} is about CSV and TSV files, and there is none here."
                )
            return command(**settings | given)

        return _text_options(read)

    return apply


def _each(change: Callable, given: Any) -> Any:
    """The one value of an option, or each of several."""
    return tuple(map(change, given)) if isinstance(given, tuple) else given if given is None else change(given)


def _as_text(path: Path, said: dict[str, str], told: Callable[[Path, int], None]) -> Any:
    """A CSV or TSV file with what is said of it; any other path as it is."""
    from tabsynth.delimited import Csv, is_delimited

    return Csv(path, **said, told=functools.partial(told, path)) if is_delimited(path) else path


def _told_once(quiet: bool) -> Callable[[Path, int], None]:
    """Tells the operator how many lines of a file were skipped, however often it is read."""
    seen = set()

    def told(path: Path, skipped: int) -> None:
        if skipped and (path, skipped) not in seen:
            seen.add((path, skipped))
            say(quiet, f"CONFIDENTIAL, for your eyes only: {skipped:,} malformed lines of {path.name} were left out.")

    return told
