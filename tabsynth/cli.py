"""The command line: one thin command a verb.

Exit codes: 0 done; 1 `verify` found something wrong; 2 the request cannot be carried out (bad input, full disk, interrupted), nothing
was left half written; 3 a fault in tabsynth itself.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from tabsynth.access import Progress
from tabsynth.errors import TabsynthError
from tabsynth.tables import undo

FAULT = "a fault in tabsynth itself ({kind}); its text is withheld because it may quote rows. Set TABSYNTH_DEBUG=1 to see it."


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
force_option = click.option("--force", is_flag=True, help="Replace the output folder if tabsynth wrote it.")
privacy = options(
    click.option("--epsilon", required=True, type=Number(float), help="Privacy budget, above 0; usually 0.1 to 10."),
    click.option(
        "--delta", type=Number(float), default=1e-6, show_default=True, help="Above 0 and far below one over the number of units."
    ),
    click.option("--model", default="auto", show_default=True, help="auto, independent or mst."),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tabsynth")
def cli() -> None:
    """Turn a sensitive table into a synthetic one, with a differential-privacy guarantee and a leakage report.

    Exit codes: 0 done; 1 verify found something wrong; 2 the request cannot be carried out and nothing was left half written; 3 a fault in
    tabsynth itself.
    """


@cli.command()
@click.argument("data", type=table)
@schema_option
@privacy
@rows_option
@click.option(
    "--holdout", type=Number(float), default=0.3, show_default=True, help="Share of the units kept out of the fit, to evaluate."
)
@target_option
@seed_option
@click.option("--out", required=True, type=table, help="New folder for the release.")
@force_option
@output
def release(data: Path, schema: Path, out: Path, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Split DATA, fit, sample, evaluate against the holdout, and write a release folder."""
    from tabsynth import pipeline

    loaded = _prepare(data, schema, quiet, settings)
    with bar(quiet) as progress:
        card = pipeline.release(data, loaded, out, progress=progress, **settings)
    done(quiet, as_json, _summary(card) | {"out": str(out)}, _told(card), f"Report (internal, not private): {out}/report.internal.html",
         f"May leave: {out}/synthetic.parquet, {out}/model, {out}/card.json, {out}/card.html")  # fmt: skip


@cli.command()
@click.argument("train", type=table)
@schema_option
@privacy
@target_option
@seed_option
@click.option("--out", required=True, type=table, help="New folder for the model.")
@force_option
@output
def fit(train: Path, schema: Path, out: Path, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Fit a private model to TRAIN and write it to a folder."""
    import tabsynth
    from tabsynth.release import check_new

    check_new(out, force=force)
    loaded = _prepare(train, schema, quiet, settings)
    with bar(quiet) as progress:
        fitted = tabsynth.fit(train, loaded, progress=progress, **settings)
    fitted.save(out, force=force)
    done(quiet, as_json, _summary(fitted.card) | {"out": str(out)}, _told(fitted.card), f"Model: {out}")


@cli.command()
@click.argument("model", type=table)
@rows_option
@seed_option
@click.option(
    "--where", multiple=True, help="Keep to rows such as \"age >= 65 and ward = 'surgery'\"; given again, all have to hold."
)
@click.option("--out", required=True, type=table, help="CSV or Parquet file to write.")
@output
def sample(model: Path, rows: int | None, seed: int, where: tuple[str, ...], out: Path, quiet: bool, as_json: bool) -> None:
    """Draw synthetic rows from MODEL, a model or release folder. Spends no privacy."""
    from tabsynth import Release
    from tabsynth.tables import check_extension, write_table

    check_extension(out)
    loaded = Release.load(model)
    with bar(quiet) as progress:
        progress("sampling", 0.0)
        frame = loaded.sample(rows, seed=seed, where=where or None)
        progress("writing", 0.7)
        write_table(frame, out, loaded.schema)
    done(quiet, as_json, {"rows": len(frame), "out": str(out)}, f"{len(frame):,} synthetic rows: {out}")


@cli.command()
@click.option("--train", required=True, type=table, help="Real rows the generator was fitted on.")
@click.option("--holdout", required=True, type=table, help="Real rows it never saw.")
@click.option("--synthetic", required=True, type=table, help="Synthetic rows, made by any tool.")
@schema_option
@target_option
@seed_option
@click.option("--card", type=table, help="card.json of the release, to print its guarantee in the report.")
@click.option("--out", required=True, type=table, help="New folder for the report.")
@force_option
@output
def evaluate(out: Path, card: Path | None, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Write the internal leakage and quality report of a synthetic table."""
    from tabsynth import pipeline
    from tabsynth.release import check_new, new_folder, read_card

    check_new(out, force=force)
    known = read_card(card) if card else None
    with bar(quiet) as progress:
        report = pipeline.evaluate(card=known, progress=progress, **settings)
    with new_folder(out, force=force) as folder:
        pipeline.write_report(folder, report)
    verdicts = {f["check"]: f["verdict"] for f in report["findings"] if f["verdict"]}
    done(quiet, as_json, {"out": str(out), "verdicts": verdicts}, f"Report (internal, not private): {out}/report.internal.html")


@cli.command()
@click.option("--members", required=True, type=table, help="Real rows the generator was fitted on.")
@click.option("--non-members", required=True, type=table, help="Real rows it never saw, split off at random.")
@click.option("--synthetic", required=True, type=table, help="Synthetic rows, made by any tool.")
@click.option("--reference", type=table, help="Further real rows an attacker may know. Default: half of the non-members.")
@click.option("--schema", type=table, help="YAML schema. Default: guessed from the tables, and told.")
@click.option("--unit", help="Column that names the unit of privacy, such as the patient. Default: the schema's, or each row.")
@click.option("--attacks", help="Names with commas between. Default: all but reconstruction.")
@click.option("--regeneration", multiple=True, type=table, help="Synthetic rows of a further run of the generator; repeatable.")
@seed_option
@click.option("--json", "out", type=table, help="JSON file to write all results to; not private.")
@quiet
def attack(out: Path | None, quiet: bool, **settings: Any) -> None:
    """Attack a synthetic table: can its members be told from rows the generator never saw?"""
    from tabsynth import attack as run
    from tabsynth.attack import summary
    from tabsynth.release import check_new_file, write_json

    if out:
        check_new_file(out, keep=[p for p in (*settings.values(), *settings["regeneration"]) if isinstance(p, Path)])
    with bar(quiet) as progress:
        result = run(progress=progress, **settings)
    if out:
        write_json(out, result)
    done(quiet, False, {}, *summary(result), f"All results, not private: {out}" if out else "Add --json FILE to keep all this.")


@cli.group()
def schema() -> None:
    """Draft or check a schema."""


@schema.command()
@click.argument("data", type=table)
def draft(data: Path) -> None:
    """Print a schema to complete by hand, from the column names and storage types of DATA alone."""
    from tabsynth.draft import draft as write

    click.echo(write(data), nl=False)


@schema.command()
@click.argument("schema_file", metavar="SCHEMA", type=table)
@click.argument("data", type=table, required=False)
@output
def check(schema_file: Path, data: Path | None, quiet: bool, as_json: bool) -> None:
    """Check SCHEMA, and whether DATA has its columns."""
    from tabsynth import Schema

    loaded = Schema.load(schema_file)
    if data is not None:
        tell_outside(data, loaded, quiet)
    bought = [c.name for c in loaded.columns if c.discover]
    unit = f"{loaded.unit.key}, at most {loaded.unit.max_rows} rows" if loaded.unit.key else "row"
    done(quiet, as_json, {"columns": len(loaded.columns), "unit": unit, "discover": bought, "fingerprint": loaded.fingerprint},
         f"{schema_file}: {len(loaded.columns)} columns, unit of privacy: {unit}, to be bought: {', '.join(bought) or 'nothing'}.")  # fmt: skip


@cli.command()
@click.argument("folder", type=table)
@output
def verify(folder: Path, quiet: bool, as_json: bool) -> None:
    """Check that a release FOLDER is unchanged and that its ledger adds up to the epsilon it claims."""
    import dataclasses

    from tabsynth.verify import verify as run

    results = run(folder)
    lines = [f"{'ok   ' if r.holds else 'WRONG'}  {r.check}: {r.seen}" for r in results]
    done(quiet, as_json, {"holds": all(r.holds for r in results), "checks": [dataclasses.asdict(r) for r in results]}, *lines)
    if not all(r.holds for r in results):
        raise SystemExit(1)


@cli.command()
@click.option("--out", type=table, default=Path("demo"), show_default=True, help="Folder for the two releases.")
@output
def demo(out: Path, quiet: bool, as_json: bool) -> None:
    """Make two releases from real public tables: patients and grocery transactions."""
    from tabsynth import demo as demonstration

    made = {}
    for name, story in demonstration.STORIES.items():
        say(quiet, story.about)
        with bar(quiet) as progress:
            made[name] = _summary(demonstration.run(name, out / name, progress=progress))
    reports = [f"{name}: {out / name / 'report.internal.html'}" for name in made]
    done(quiet, as_json, made, "Open these two reports in a browser:", *reports)


def _prepare(data: Path, schema: Path, quiet: bool, settings: dict[str, Any]):
    """Load the schema, check the settings, and tell the operator which model will be fitted and what happens to odd values."""
    from tabsynth import Schema
    from tabsynth.fit import check_options, plan

    loaded = Schema.load(schema)
    names = ("epsilon", "delta", "model", "target", "seed")
    check_options(loaded, rows=settings.get("rows"), **{name: settings[name] for name in names})
    name, chosen = plan(loaded, settings["model"])
    say(quiet, f"Model {name} ({chosen}).")
    tell_outside(data, loaded, quiet)
    return loaded


def tell_outside(data: Path, schema: Any, quiet: bool) -> None:
    """Say how many values and rows the schema clamps or discards, marked as not private."""
    from tabsynth.conform import outside

    off = {name: n for name, n in outside(data, schema).items() if n}
    nobody = off.pop(schema.unit.key, 0)
    told = []
    if off:
        told.append("values clamped or counted as missing: " + ", ".join(f"{name} {n:,}" for name, n in off.items()))
    if nobody:
        told.append(f"rows left out because they have no {schema.unit.key}: {nobody:,}")
    if told:
        say(quiet, f"NOT PRIVATE, for your eyes only: {'; '.join(told)}. The release does not contain this.")


def _summary(card: dict[str, Any]) -> dict[str, Any]:
    guarantee = card["guarantee"]
    return {
        "model": card["model"]["name"],
        "epsilon": guarantee["epsilon"],
        "delta": guarantee["delta"],
        "charges": len(card["ledger"]["charges"]),
    }


def _told(card: dict[str, Any]) -> str:
    guarantee = card["guarantee"]
    unit = guarantee["unit"]["key"] or "row"
    return f"epsilon {guarantee['epsilon']:g}, delta {guarantee['delta']:g} for each {unit}, in {len(card['ledger']['charges'])} charges."


def say(quiet: bool, line: str) -> None:
    """Tell the operator something, on standard error."""
    if not quiet:
        click.echo(line, err=True)


def done(quiet: bool, as_json: bool, result: dict[str, Any], *lines: str) -> None:
    """Print the result: JSON for scripts, or lines for people."""
    if as_json:
        click.echo(json.dumps(result))
    elif not quiet:
        for line in lines:
            click.echo(line)


@contextlib.contextmanager
def bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar with a time estimate, shown on standard error once something takes over a second."""
    from tqdm import tqdm

    layout = "{desc:<28} {percentage:3.0f}% |{bar:24}| {elapsed} elapsed, {remaining} left"
    with tqdm(total=1.0, delay=1, disable=quiet, bar_format=layout, leave=False, file=sys.stderr) as shown:

        def progress(what: str, fraction: float) -> None:
            shown.set_description_str(what, refresh=False)
            shown.update(max(0.0, fraction - shown.n))

        yield progress


def _stop(_number: int, _frame: Any) -> None:
    """End at once, with nothing half written.

    No exception is raised for it: libraries swallow it (in callbacks), turn it into one of their own, or crash (while they load).
    """
    for remove in reversed(undo):
        with contextlib.suppress(Exception):
            remove()
    os.write(2, b"\ntabsynth: interrupted; nothing was left half written.\n")
    os._exit(2)


def main() -> None:
    """Entry point: run the command; whatever goes wrong ends in one sentence and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        cli.main(standalone_mode=False)
        code, message = 0, ""
    except Exception as error:
        if os.environ.get("TABSYNTH_DEBUG"):
            raise
        code, message = _explained(error)
    if message:
        click.echo(f"tabsynth: {message}", err=True)
    sys.exit(code)


def _explained(error: Exception) -> tuple[int, str]:
    """Exit code and sentence of what went wrong."""
    match error:
        case TabsynthError():
            return 2, str(error)
        case click.ClickException():
            return 2, error.format_message()
        case BrokenPipeError():
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            return 2, ""
        case OSError():
            return 2, _about(error)
    return 3, FAULT.format(kind=type(error).__name__)


def _about(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full{where}; free some space and run again. Nothing was left half written."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to read or write{where}; choose another place or change its permissions."
    return f"the system refused{where}: {os.strerror(error.errno) if error.errno else 'input or output failed'}."
