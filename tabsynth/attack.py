"""Attack a synthetic table made by any tool: read the tables, run the attacks, and say what came out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.access import Progress, silent
from tabsynth.errors import DataError, OptionError, SchemaError
from tabsynth.normalise import apart, normalised, told
from tabsynth.pipeline import internal, known_policy, part
from tabsynth.policy import Policy
from tabsynth.release import check_seed
from tabsynth.schema import Schema
from tabsynth.shadow import Plan, checked, plan, same_schema
from tabsynth.shadow import run as fit_again

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "tabsynth.attack", 1
_BEFORE_FITS = 0.1
"""Share of the progress for what is done before the generator is fitted again."""
_WORDS = {
    "integer": "whole number", "float": "number", "boolean": "yes or no", "date": "date", "datetime": "date and time",
    "categorical": "text", "identifier": "identifier",
}  # fmt: skip


def attack(
    members: Any,
    non_members: Any,
    synthetic: Any,
    *,
    reference: Any = None,
    schema: Schema | str | Path | None = None,
    unit: str | None = None,
    attacks: str | Sequence[str] | None = None,
    regeneration: Sequence[Any] = (),
    card: Mapping[str, Any] | str | Path | None = None,
    shadows: int = 0,
    targets: int = 0,
    runs: int = 200,
    keep: str | Path | None = None,
    workers: int = 1,
    normalise: bool = False,
    seed: int = 0,
    policy: Policy | str | Path = "default",
    progress: Progress = silent,
) -> dict[str, Any]:
    """What attackers learn from a synthetic table about the rows it was made from, as plain data. NOT private.

    Parameters
    ----------
    members, non_members : DataFrame, path of a CSV or Parquet file, or `tabsynth.Csv`
        Real rows the generator was fitted on, and real rows it never saw, from the same population: split at random (by unit).
    synthetic : DataFrame or path
        The table under judgement.
    reference : DataFrame or path, optional
        Further real rows that an attacker may know, in neither of the others. Without it, half of the non-members serve as such.
    schema : Schema or path, optional
        How to read the columns. Without it, that is the card's; without a card it is guessed from the tables (see
        `tabsynth.guess`), and nothing is clamped.
    unit : str, optional
        The column that names the unit of privacy, if not the row; with a schema it must be the schema's.
    attacks : sequence of str, or str with commas, optional
        Names from ``ATTACKS`` and ``OTHERS`` of `tabsynth.validate.attacks`; ``USUAL`` by default, all but reconstruction.
    regeneration : sequence of DataFrame or path
        Tables of further runs of the same generator, attacked with the same challenge and seed, to see how much results vary.
    card : dict or path of a release or its ``card.json``, optional
        Of the release that `synthetic` came from, if tabsynth made it: tells which tables it measured, and names the generator.
    shadows : int
        Fits of that generator on reference rows, and as many on synthetic rows, to learn what members look like; 5 to 30 are
        usual. Each is on as many units as there are members, or on half of what there is.
    targets, runs : int
        For so many of the most unusual members, fits with and without each: (targets + 1) * runs in all.
    keep : path, optional
        Folder where finished fits are kept (synthetic rows only), so that the same request goes on where it stopped. No release.
    workers : int
        Processes for the fits.
    normalise : bool
        Read the texts of all tables the same tolerant way: trimmed, in lower case, codes and numbers without leading zeros and thousands
        separators, dates in ISO order (see `tabsynth.normalise`).
    seed : int
        Of every random choice.
    policy : Policy, name or path of a YAML file
        Thresholds of the verdicts.
    progress : callable, optional

    Returns
    -------
    dict
        Conforms to ``schemas/attack.schema.json``. The findings are about `synthetic` alone.

    Raises
    ------
    OptionError, SchemaError, DataError, FolderError
        If an argument, the schema, a table, the card or the folder of fits cannot be used; before any fit.
    """
    from tabsynth.conform import read
    from tabsynth.validate import Evidence
    from tabsynth.validate.attacks import attacks as run
    from tabsynth.validate.attacks.regenerations import regenerations
    from tabsynth.validate.small_cells import suppressed
    from tabsynth.validate.stated import stated

    started = time.monotonic()
    check_seed(seed)
    policy = known_policy(policy)
    only, asked = _names(attacks), plan(card, shadows=shadows, targets=targets, runs=runs, keep=keep, workers=workers)
    tables = {"members": members, "non_members": non_members, "synthetic": synthetic}
    tables |= {} if reference is None else {"reference": reference}
    further = {f"regeneration {i}": table for i, table in enumerate(regeneration, start=1)}
    progress("reading", 0.0)
    if normalise:
        given = asked.schema if schema is None else schema if isinstance(schema, Schema) else Schema.load(schema)
        written = normalised(tables | further, given)
        tables, further = ({name: written[name] for name in each} for each in (tables, further))
    read_as = _schema(tables | further, schema, unit, asked)
    frames = {name: read(table, read_as) for name, table in (tables | further).items()}
    _check_sizes(frames, read_as)
    real = {"train": frames["members"], "holdout": frames["non_members"], "reference": frames.get("reference")}
    evidence = Evidence(read_as, synthetic=frames["synthetic"], seed=seed, measured=asked.measured, policy=policy, **real)
    challenge = checked(asked, evidence) if asked.fits else None
    results, share = [], _BEFORE_FITS if challenge else 1.0
    for done, name in enumerate(("synthetic", *further), start=1):
        progress(f"attacking {name}", share * done / (len(further) + 2))
        attacked = dataclasses.replace(
            evidence,
            synthetic=frames[name],
            progress=_named(progress, name, share * done / (len(further) + 2), share / (len(further) + 2)),
        )
        found = suppressed(run(attacked, only=only), attacked, int(policy["small_cell"]))
        results.append([finding.plain() for finding in found])
    about = [finding.plain() for finding in stated(asked.card, frames["synthetic"], read_as)]
    fitted = fit_again(asked, evidence, challenge, part(progress, share, 1.0)) if challenge else []
    progress("done", 1.0)
    return internal(FORMAT, VERSION, started, read_as, frames, seed, results[0] + fitted + about) | {
        "schema_is": "given" if schema is not None else "guessed" if asked.schema is None else "card",
        "attacks": list(only),
        "normalised": normalise,
        "apart": apart(frames, read_as),
        "regenerations": regenerations(results) if further else None,
        "generator": asked.plain(),
        "policy": policy.to_dict(),
    }


def _named(progress: Progress, name: str, start: float, width: float) -> Progress:
    """A progress that says which table is attacked."""
    return lambda what, done: progress(f"attacking {name}: {what}", start + width * done)


def summary(result: Mapping[str, Any]) -> list[str]:
    """What `attack` found, in lines for a terminal. NOT private."""
    from tabsynth.report.page import interval, number

    findings = {finding["check"]: finding for finding in result["findings"]}
    controls = findings["attacks.controls"]
    lines = ["CONFIDENTIAL, must not leave: these figures were computed from real rows."]
    if result["schema_is"] == "guessed":
        columns = [_told(name, column) for name, column in result["schema"]["columns"].items()]
        lines.append(f"No schema was given; columns were read as: {', '.join(columns)}.")
    lines += [f"WARNING: {told(found)}" for found in result.get("apart") or []]
    for finding in findings.values():
        if verdict := finding["verdict"]:
            unsure = verdict == "pass" and controls["verdict"] != "pass" and finding["check"].startswith("attacks.")
            shown = "" if finding is controls else f": {number(finding['value'])} {interval(finding['interval'])}".rstrip()
            lines.append(f"{'INCONCLUSIVE' if unsure else verdict.upper():<13} {finding['title']}{shown}")
    if controls["verdict"] != "pass":
        lines.append("The controls do not hold or could not be checked, so no pass counts.")
    lines.append("")
    lines += [f"{what:<22} {text}" for what, text in _table(findings, result["regenerations"]).items()]
    return lines


def _told(name: str, column: Mapping[str, Any]) -> str:
    return f"{name} ({'; '.join(filter(None, [_WORDS[column['kind']], column.get('description')]))})"


def _table(findings: Mapping[str, dict], regenerations: Mapping[str, Any] | None) -> dict[str, str]:
    """The lines of the compact table: what, and how it came out."""
    from tabsynth.report.page import number

    headline, together = findings["attacks.membership"], findings["attacks.familywise"]
    rows = {"strongest attack": headline["note"]} if headline["value"] is None else _strongest(findings)
    if together["value"] is not None:
        tried = len(together["details"]["attacks"])
        rows["all attacks together"] = f"p = {together['value']:.4g} (chance that useless attacks do as well; {tried} were tried)"
    if levels := findings.get("attacks.replication", {"details": {}})["details"].get("levels"):
        exact = next(level for level in levels if level["rows"] == "all")
        copied = {name: number(exact[name]) for name in ("members", "n_members", "holdout", "n_holdout")}
        rows["exact copies"] = "{members} of {n_members} members, {holdout} of {n_holdout} non-members".format(**copied)
    gates = [gate for gate in findings["attacks.controls"]["details"].get("gates", ()) if gate["ok"] is not None]
    outside = [gate["name"] for gate in gates if not gate["ok"]]
    rows["controls"] = f"{len(outside)} of {len(gates)} outside their band{': ' if outside else ''}{', '.join(outside)}"
    rows |= _knowing(findings)
    if regenerations:
        rows["regenerations"] = _spread(regenerations, headline["details"].get("chosen"))
    return rows


def _strongest(findings: Mapping[str, dict]) -> dict[str, str]:
    """Which attack the headline reports on, and how it does on the half it was not chosen on."""
    from tabsynth.report.page import interval, number, percent, rate

    headline, judged = findings["attacks.membership"], findings.get("attacks.worst", {"details": {}})["details"]
    known, found = headline["details"], f"{percent(headline['value'])} {interval(headline['interval'], 1, shares=True)}"
    name = known["chosen"]
    words = f"{findings[f'attacks.{name}']['title'].removesuffix(' (AUC)')} ({name}, one of {known['attacks']})"
    return {
        "strongest attack": f"{words}; chosen on one half of the units, reported on the other",
        "  AUC": f"{number(judged.get('auc_all'))} {interval(judged.get('interval_all'))} (0.5: chance)",
        "  members found": f"{found}, wrongly naming at most {rate(known['fpr'])} of the others "
        f"(tolerated: {percent(known['tolerance'])})",
    }


def _knowing(findings: Mapping[str, dict]) -> dict[str, str]:
    """The lines on attackers who fitted the generator again."""
    from tabsynth.report.page import interval, number, short

    rows = {}
    for check, words in (("attacks.shadow", "reference"), ("attacks.shadow_synthetic", "synthetic")):
        if found := findings.get(check):
            auc = f"AUC {number(found['value'])} {interval(found['interval'])} (0.5: chance)"
            rows[f"shadows, {words}"] = f"{auc}, learned from {found['details']['shadows']} fits on {words} rows"
    if found := findings.get("attacks.worst.targeted"):
        known = found["details"]
        rows["most unusual members"] = (
            f"{len(known['targets'])} attacked one by one: epsilon is at least {number(found['value'])} (a perfect attack would "
            f"show {number(known['ceiling'])}; claimed: {short(known['claimed'])})"
        )
    return rows


def _spread(regenerations: Mapping[str, Any], chosen: str | None) -> str:
    """How the strongest attack does over all tables."""
    from tabsynth.report.page import number, percent, rate

    found = next((row for row in regenerations["attacks"] if row["check"] == f"attacks.{chosen}"), None)
    text = f"{regenerations['tables']} tables"
    if found and found["auc"]:
        text += f"; {chosen}: AUC {' / '.join(number(v) for v in found['auc'].values())}"
    if found and found["tpr"]:
        text += f", members found at {rate(regenerations['fpr'])} {' / '.join(percent(v) for v in found['tpr'].values())}"
    return f"{text} (smallest / median / largest, all units)"


def _names(attacks: str | Sequence[str] | None) -> tuple[str, ...]:
    """The attacks asked for, in the registry's order."""
    from tabsynth.validate.attacks import ATTACKS, OTHERS, USUAL

    known = (*ATTACKS, *OTHERS)
    asked = USUAL if attacks is None else [n.strip() for n in (attacks.split(",") if isinstance(attacks, str) else attacks)]
    if unknown := [name for name in asked if name not in known] or (["nothing"] if not asked else []):
        raise OptionError(f"attacks names {', '.join(map(repr, unknown))}; allowed are {', '.join(known)}.")
    return tuple(name for name in known if name in asked)


def _schema(tables: Mapping[str, Any], schema: Schema | str | Path | None, unit: str | None, asked: Plan) -> Schema:
    """The schema given, the card's, or one guessed, once all tables have its columns and the unit is one of them."""
    from tabsynth.conform import opened
    from tabsynth.guess import guess
    from tabsynth.tables import Workspace

    given = same_schema(schema if schema is None or isinstance(schema, Schema) else Schema.load(schema), asked)
    if given and unit is not None and unit != given.unit.key:
        raise OptionError(
            f"unit is {unit!r}, but the schema's unit.key is {given.unit.key!r}; make them agree or leave unit out."
        )
    with Workspace() as workspace:
        columns = {name: tuple(opened(workspace, table, given)[0].columns) for name, table in tables.items()}
    wanted, whose = (given.names, f"schema {given.name!r}") if given else (columns["members"], "members")
    for name, found in columns.items():
        if missing := [column for column in wanted if column not in found]:
            raise SchemaError(f"{name} has no column {missing[0]!r}, which {whose} has; give all tables the same columns.")
        if extra := [column for column in found if column not in wanted]:
            raise SchemaError(f"{name} has a column {extra[0]!r}, which {whose} has not; give all tables the same columns.")
    if unit is not None and unit not in wanted:
        raise OptionError(f"unit is {unit!r}; name one of the columns {', '.join(wanted)}.")
    return given or guess(tables, unit)


def _check_sizes(frames: Mapping[str, pd.DataFrame], schema: Schema) -> None:
    """Refuse tables without rows and sides with fewer than two units."""
    from tabsynth.validate.features import unit_codes

    if empty := [name for name, frame in frames.items() if frame.empty]:
        raise DataError(f"{empty[0]} has no rows; give a table with a header and at least one row.")
    for name, least in (("members", 2), ("non_members", 2 if "reference" in frames else 4)):
        units = int(unit_codes(frames[name], schema).max()) + 1
        if units < least:
            half = "; half of them serve as reference rows" if least == 4 else ""
            raise DataError(f"{name} has only {units} {schema.unit.key or 'row'}(s); at least {least} are needed{half}.")
