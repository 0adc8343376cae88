"""Commands that judge something: evaluate, attack, audit, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabsynth.cli._options import (
    Number,
    force_option,
    output,
    policy_option,
    quiet,
    reads,
    schema_option,
    seed_option,
    table,
    target_option,
)
from tabsynth.cli._tell import MUST_NOT_LEAVE, bar, confidential, done, say, tell_misfits


@click.command()
@click.option("--train", required=True, type=table, help="Real rows the generator was fitted on.")
@click.option("--holdout", required=True, type=table, help="Real rows it never saw.")
@click.option("--synthetic", required=True, type=table, help="Synthetic rows, made by any tool.")
@schema_option
@target_option
@seed_option
@click.option("--card", type=table, help="The release, or its card.json: prints its guarantee in the report.")
@policy_option
@click.option("--out", required=True, type=table, help="New folder; the report goes into OUT/confidential.")
@force_option
@output
@reads("train", "holdout", "synthetic")
def evaluate(out: Path, card: Path | None, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Write the leakage and quality report of a synthetic table. It is confidential."""
    from tabsynth import Schema, folders, pipeline
    from tabsynth.release import check_new, new_folder, read_card

    check_new(out, force=force)
    known = read_card(folders.card(card)) if card else None
    loaded = Schema.load(settings["schema"])
    for name in ("train", "holdout", "synthetic"):
        tell_misfits(settings[name], loaded, quiet, table=name)
    with bar(quiet) as progress:
        report = pipeline.evaluate(card=known, progress=progress, tell=confidential(quiet), **settings)
    with new_folder(out, force=force) as folder:
        pipeline.write_report(folder, report)
    verdicts = {f["check"]: f["verdict"] for f in report["findings"] if f["verdict"]}
    page = out / folders.CONFIDENTIAL / folders.REPORT_PAGE
    done(quiet, as_json, {"out": str(out), "verdicts": verdicts}, f"{MUST_NOT_LEAVE}: {page}")


@click.command()
@click.option("--members", required=True, type=table, help="Real rows the generator was fitted on.")
@click.option("--non-members", required=True, type=table, help="Real rows it never saw, split off at random.")
@click.option("--synthetic", required=True, type=table, help="Synthetic rows, made by any tool.")
@click.option("--reference", type=table, help="Further real rows an attacker may know. Default: half of the non-members.")
@click.option("--schema", type=table, help="YAML schema. Default: guessed from the tables, and told.")
@click.option("--unit", help="Column that names the unit of privacy, such as the patient. Default: the schema's, or each row.")
@click.option("--attacks", help="Names with commas between. Default: all but reconstruction.")
@click.option("--regeneration", multiple=True, type=table, help="Synthetic rows of a further run of the generator; repeatable.")
@click.option(
    "--card", type=table, help="card.json of the release, if tabsynth made the table: schema, tables measured, generator."
)
@click.option("--shadows", type=Number(int), default=0, show_default=True, help="Fits on reference rows, and on synthetic rows.")
@click.option("--targets", type=Number(int), default=0, show_default=True, help="Most unusual members to attack one by one.")
@click.option("--runs", type=Number(int), default=200, show_default=True, help="Fits with each target, and without any.")
@click.option("--keep", type=table, help="Folder where finished fits are kept, to go on after an interruption.")
@click.option("--workers", type=Number(int), default=1, show_default=True, help="Processes for the fits.")
@click.option(
    "--normalise", is_flag=True, help="Read the texts of all tables alike: case, leading zeros, thousands, order of dates."
)
@seed_option
@policy_option
@click.option("--json", "out", type=table, help="JSON file to write all results to; confidential.")
@quiet
@reads("members", "non_members", "synthetic", "reference", "regeneration")
def attack(out: Path | None, quiet: bool, **settings: Any) -> None:
    """Attack a synthetic table: can its members be told from rows the generator never saw?"""
    from tabsynth import attack as run
    from tabsynth.attack import plan, summary
    from tabsynth.folders import refuse_mixing
    from tabsynth.release import check_new_file, write_json
    from tabsynth.tables import undone

    if out:
        refuse_mixing(out)
        given = [getattr(each, "path", each) for each in (*settings.values(), *settings["regeneration"])]
        check_new_file(out, keep=[each for each in given if isinstance(each, Path)])
    if told := plan(**{name: settings[name] for name in ("card", "shadows", "targets", "runs", "keep", "workers")}).told:
        say(quiet, told)
    with bar(quiet) as progress, undone(_end_workers):
        result = run(progress=progress, **settings)
    if out:
        write_json(out, result)
    done(
        quiet,
        False,
        {},
        *summary(result),
        f"{MUST_NOT_LEAVE}: all results in {out}" if out else "Add --json FILE to keep all this.",
    )


def _end_workers() -> None:
    """So that none goes on when this process is told to stop."""
    from multiprocessing import active_children

    for child in active_children():
        child.terminate()


@click.command()
@click.option("--engines", help="Names with commas between. Default: all models and two probes.")
@click.option("--tier", default="commit", show_default=True, help="commit, nightly or release: more fits, tighter bounds.")
@click.option("--epsilon", type=Number(float), default=8.0, show_default=True, help="What every fit claims.")
@seed_option
@click.option("--workers", type=Number(int), default=1, show_default=True, help="Processes.")
@click.option("--json", "out", type=table, help="JSON file to write all results to.")
@quiet
def audit(out: Path | None, quiet: bool, **settings: Any) -> None:
    """Attack the guarantee itself: do fits on made-up neighbouring tables leak more than they claim? Exit code 1 if so."""
    from tabsynth import audit as run
    from tabsynth.audit import summary
    from tabsynth.release import check_new_file, write_json

    if out:
        check_new_file(out)
    with bar(quiet) as progress:
        result = run(progress=progress, **settings)
    if out:
        write_json(out, result)
    done(quiet, False, {}, *summary(result), *([f"All results: {out}"] if out else []))
    if any(found["alarms"] for found in result["engines"]):
        raise SystemExit(1)


@click.command()
@click.argument("folder", type=table)
@click.option("--data", type=table, help="The original table: evaluates again and compares with the confidential report.")
@output
@reads("data")
def verify(folder: Path, data: Any, quiet: bool, as_json: bool) -> None:
    """Make a release again from its model, seeds and charges, and compare: files, rows, guarantee. FOLDER is its OUT or OUT/release."""
    import dataclasses

    from tabsynth.verify import verify as run

    results = run(folder)
    if data is not None:
        from tabsynth.repeat import repeat

        with bar(quiet) as progress:
            results += repeat(folder, data, progress=progress)
    lines = [f"{'ok   ' if r.holds else 'WRONG'}  {r.check}: {r.seen}" for r in results]
    done(quiet, as_json, {"holds": all(r.holds for r in results), "checks": [dataclasses.asdict(r) for r in results]}, *lines)
    if not all(r.holds for r in results):
        raise SystemExit(1)
