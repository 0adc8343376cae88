"""Commands that make something: release, fit, sample, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabsynth.cli._options import (
    Number,
    force_option,
    output,
    policy_option,
    prior_option,
    privacy,
    reads,
    rows_option,
    schema_option,
    seed_option,
    table,
    target_option,
)
from tabsynth.cli._tell import bar, cautions, confidential, done, leaves, say, summary, tell_misfits, tell_missed, told


@click.command()
@click.argument("data", type=table)
@schema_option
@privacy
@rows_option
@click.option(
    "--holdout", type=Number(float), default=0.3, show_default=True, help="Share of the units kept out of the fit, to evaluate."
)
@click.option(
    "--same-split", type=table, help="Earlier release (its OUT) of the same table: divide it in the same way, to compare."
)
@target_option
@seed_option
@prior_option
@policy_option
@click.option("--out", required=True, type=table, help="New folder: OUT/release may leave, OUT/confidential must not.")
@force_option
@output
@reads("data", "prior")
def release(data: Any, schema: Path, out: Path, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Split DATA, fit, sample, evaluate against the holdout, and write what may leave and what must not into two folders."""
    from tabsynth import pipeline

    loaded = _prepare(data, schema, quiet, settings)
    with cautions(quiet), bar(quiet) as progress:
        card = pipeline.release(data, loaded, out, progress=progress, tell=confidential(quiet), **settings)
    tell_missed(card, quiet)
    done(quiet, as_json, summary(card) | {"out": str(out)}, told(card), *leaves(out))


@click.command()
@click.argument("train", type=table)
@schema_option
@privacy
@target_option
@seed_option
@prior_option
@click.option("--out", required=True, type=table, help="New folder for the model.")
@force_option
@output
@reads("train", "prior")
def fit(train: Any, schema: Path, out: Path, force: bool, quiet: bool, as_json: bool, **settings: Any) -> None:
    """Fit a private model to TRAIN and write it to a folder."""
    import tabsynth
    from tabsynth.release import check_new

    check_new(out, force=force)
    loaded = _prepare(train, schema, quiet, settings)
    with bar(quiet) as progress:
        fitted = tabsynth.fit(train, loaded, progress=progress, **settings)
    fitted.save(out, force=force)
    tell_missed(fitted.card, quiet)
    done(quiet, as_json, summary(fitted.card) | {"out": str(out)}, told(fitted.card), f"Model (may leave): {out}")


@click.command()
@click.argument("model", type=table)
@rows_option
@seed_option
@click.option(
    "--where", multiple=True, help="Keep to rows such as \"age >= 65 and ward = 'surgery'\"; given again, all have to hold."
)
@click.option("--out", required=True, type=table, help="CSV or Parquet file to write.")
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="CSV and TSV: put a ' before texts that a spreadsheet would run, such as =HYPERLINK(...); numbers stay.",
)
@output
def sample(
    model: Path, rows: int | None, seed: int, where: tuple[str, ...], out: Path, quiet: bool, as_json: bool, **safely: bool
) -> None:
    """Draw synthetic rows from MODEL, a model or release folder. Spends no privacy."""
    from tabsynth import Release
    from tabsynth.escapes import formulas
    from tabsynth.writing import check_extension, write_table

    check_extension(out, **safely)
    loaded = Release.load(model)
    with bar(quiet) as progress:
        progress("sampling", 0.0)
        frame = loaded.sample(rows, seed=seed, where=where or None)
        progress("writing", 0.7)
        write_table(frame, out, loaded.schema, **safely)
    if not safely["escape_formulas"] and out.suffix.lower() != ".parquet" and (odd := formulas(frame)):
        say(
            quiet,
            f"A spreadsheet may run texts of {', '.join(odd)} as formulas; add --escape-formulas if one will open the file.",
        )
    done(quiet, as_json, {"rows": len(frame), "out": str(out)}, f"{len(frame):,} synthetic rows: {out}")


@click.command()
@click.option("--out", type=table, default=Path("demo"), show_default=True, help="Folder for the two releases.")
@output
def demo(out: Path, quiet: bool, as_json: bool) -> None:
    """Make two releases from real public tables: patients and grocery transactions."""
    from tabsynth import demo as demonstration

    made = {}
    for name, story in demonstration.STORIES.items():
        say(quiet, story.about)
        with cautions(quiet), bar(quiet) as progress:
            made[name] = summary(demonstration.run(name, out / name, progress=progress, tell=confidential(quiet)))
    lines = [f"{name}: {line}" for name in made for line in leaves(out / name)]
    done(quiet, as_json, made, "Open the two reports in a browser:", *lines)


def _prepare(data: Any, schema: Path, quiet: bool, settings: dict[str, Any]):
    """Load the schema, check the settings, and tell the operator which model will be fitted and what happens to odd values."""
    from tabsynth import Schema
    from tabsynth.fit import check_options, count_noise, plan

    loaded = Schema.load(schema)
    names = ("epsilon", "delta", "model", "target", "seed")
    prior = settings["prior"] is not None
    check_options(loaded, rows=settings.get("rows"), **{name: settings[name] for name in names}, prior=prior)
    name, chosen = plan(loaded, settings["model"], prior)
    say(quiet, f"Model {name} ({chosen}).")
    noise = count_noise(loaded, epsilon=settings["epsilon"], delta=settings["delta"])
    say(
        quiet,
        f"The budget buys each of {len(loaded.modelled)} columns counts that are off by about {max(noise, 1):,.0f} rows or more.",
    )
    tell_misfits(data, loaded, quiet)
    return loaded
