"""NOT PRIVATE. Attacks B2 to B5 on tables that tabsynth made: the card names the generator, which is fitted again and again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth import folders
from tabsynth.access import Progress
from tabsynth.card import FORMAT as CARD_FORMAT
from tabsynth.card import version
from tabsynth.errors import DataError, FolderError, OptionError, SchemaError
from tabsynth.fit import check_options, fit
from tabsynth.models import settings as our_settings
from tabsynth.models import synthesizer
from tabsynth.pipeline import part
from tabsynth.release import read_card, read_json, write_json
from tabsynth.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.validate import Evidence, Finding
    from tabsynth.validate.attacks import Challenge

FORMAT, VERSION, FILE = "tabsynth.fits", 1, "fits.json"
UNITS = 8
"""A pool of fewer units cannot be split into fitted ones, others, and reference rows."""
RUNS = 4
"""Least fits with and without a target: half of them train the attack, half judge it."""


@dataclass(frozen=True)
class Plan:
    """What attackers do who know the generator, checked as far as it can be without a table. Made by `plan`.

    Parameters
    ----------
    schema : Schema, optional
        The card's; None without a card.
    measured : sequence of tuple of int
        The tables the release measured (`focal.cliques_of`).
    card : dict, optional
        The card itself.
    generator : dict
        model, epsilon (the budget: what the generator keeps on any table), delta, target, and the version of tabsynth that made
        the card; empty without a card.
    shadows, targets, runs, keep, workers
        As in `tabsynth.attack`.
    """

    schema: Schema | None = None
    measured: Sequence[tuple[int, ...]] = ()
    card: Mapping[str, Any] | None = None
    generator: dict[str, Any] = field(default_factory=dict)
    shadows: int = 0
    targets: int = 0
    runs: int = 200
    keep: Path | None = None
    workers: int = 1

    @property
    def fits(self) -> int:
        """How often the generator will be fitted."""
        return 2 * self.shadows + (self.targets + 1) * self.runs * (self.targets > 0)

    @property
    def told(self) -> str:
        """A line for the operator before any work; empty where nothing is fitted."""
        if not self.fits:
            return ""
        series = [f"{self.shadows:,} on reference rows, {self.shadows:,} on synthetic rows"] * (self.shadows > 0)
        series += [f"{self.runs:,} with each of {self.targets:,} targets, {self.runs:,} without"] * (self.targets > 0)
        kept = f" Those in {self.keep} are not made again." if self.keep and (self.keep / FILE).is_file() else ""
        return f"Fits of {self.generator['model']} to make: {self.fits:,} ({'; '.join(series)}).{kept}{self._reach}"

    @property
    def _reach(self) -> str:
        """What so many runs can prove at all."""
        from tabsynth.validate.attacks.epsilon import epsilon_from_rates
        from tabsynth.validate.attacks.targeted import LEVEL

        if not self.targets:
            return ""
        judged = self.runs - self.runs // 2
        ceiling = epsilon_from_rates(0, judged, 0, judged, self.generator["delta"], LEVEL / self.targets).ceiling
        return f" {self.runs:,} runs can prove an epsilon of {ceiling:.2f} at most; claimed: {self.generator['epsilon']:g}."

    def plain(self) -> dict[str, Any] | None:
        """For the document of results; None without a card."""
        asked = {"shadows": self.shadows, "targets": self.targets, "runs": self.runs if self.targets else 0}
        return self.generator | asked if self.generator else None


def plan(
    card: Mapping[str, Any] | str | Path | None = None,
    *,
    shadows: int = 0,
    targets: int = 0,
    runs: int = 200,
    keep: str | Path | None = None,
    workers: int = 1,
) -> Plan:
    """Check what was asked for against the card.

    Raises
    ------
    OptionError, SchemaError, FolderError
        If a number is out of its range, fits are asked for without a card, or the card is damaged or its generator is not ours.
    """
    for name, value, least in (("shadows", shadows, 0), ("targets", targets, 0), ("runs", runs, RUNS), ("workers", workers, 1)):
        if not (isinstance(value, int) and not isinstance(value, bool) and value >= least):
            raise OptionError(f"{name} is {value!r}; give a whole number of {least} or more.")
    asked = Plan(shadows=shadows, targets=targets, runs=runs, keep=keep and Path(keep), workers=workers)
    if keep and not asked.fits:
        raise OptionError("keep names a folder for fits, but none are to be made; give shadows or targets, or leave keep out.")
    if card is None:
        if asked.fits:
            raise OptionError(
                "shadows and targets fit the generator again; give the card (card.json) of the release that is attacked."
            )
        return asked
    return _with_card(asked, card if isinstance(card, Mapping) else read_card(folders.card(card)))


def _with_card(asked: Plan, card: Mapping[str, Any]) -> Plan:
    """The plan with what the card says; refuses a damaged card and, if there are fits to make, a generator that is not ours."""
    from tabsynth.validate.attacks import focal

    try:
        schema, model, guarantee = Schema.from_dict(card["schema"]), card["model"], card["guarantee"]
        settings, target = dict(model["settings"]), schema.to_predict(model["settings"].get("target"))
        generator = {
            "model": str(model["name"]), "epsilon": float(guarantee["epsilon_budget"]), "delta": float(guarantee["delta"]),
            "target": target, "tabsynth": str(card["tabsynth"]),
        }  # fmt: skip
        whole = card["format"] == CARD_FORMAT and card["fingerprint"] == schema.fingerprint
    except (LookupError, TypeError, ValueError, AttributeError):
        whole = False
    if not whole:
        raise FolderError("the card was changed or is not a card of a release; give the card.json as it was written.")
    if asked.fits:
        _check_generator(generator, settings, schema, "prior" in card)
    return dataclasses.replace(asked, schema=schema, measured=focal.cliques_of(card, schema), card=card, generator=generator)


def _check_generator(generator: Mapping[str, Any], settings: Mapping[str, Any], schema: Schema, prior: bool) -> None:
    """Refuse what `tabsynth.fit` would refuse, or would do with other settings than the card's."""
    name, target = generator["model"], generator["target"]
    if prior:
        raise OptionError(
            "the release started from a prior, which its card does not hold, so its generator cannot be fitted again."
        )
    try:
        check_options(
            schema, epsilon=generator["epsilon"], delta=generator["delta"], model=name, rows=None, target=target, seed=0
        )
        ours = our_settings(synthesizer(name, target))
    except OptionError as error:
        raise OptionError(f"the card's generator cannot be fitted: {error}") from None
    if other := sorted(key for key in ours.keys() | settings.keys() if ours.get(key, "") != settings.get(key, "")):
        raise OptionError(
            f"the card's {name} (tabsynth {generator['tabsynth']}) has other settings ({', '.join(other)}) than this version "
            "would use; attack it with the version that made it."
        )


def same_schema(given: Schema | None, asked: Plan) -> Schema | None:
    """The schema given, or the card's; both must be one and the same."""
    if given and asked.schema and given.fingerprint != asked.schema.fingerprint:
        raise SchemaError(
            f"the schema {given.name!r} is not the one on the card ({given.fingerprint[:12]} and {asked.schema.fingerprint[:12]})"
            "; give the card of the release that is attacked, and leave the schema out."
        )
    return given or asked.schema


def checked(asked: Plan, evidence: Evidence) -> Challenge:
    """The challenge, once the tables suffice for the fits and the folder to keep them is there and of the same request.

    Raises
    ------
    DataError, OptionError, FolderError
    """
    from tabsynth.validate.attacks import design

    challenge = design(evidence)
    pools = _pools(evidence, challenge)
    for name, rows in pools.items():
        least = 2 if name == "members" else UNITS
        if (units := _units(rows, evidence.schema)) < least and (asked.shadows or name != "synthetic"):
            what = evidence.schema.unit.key or "row"
            raise DataError(f"for fits of the generator there are only {units} {what}(s) of {name}; at least {least} are needed.")
    if asked.targets > (units := _units(pools["members"], evidence.schema)):
        raise OptionError(f"targets is {asked.targets}, but there are only {units} members; give at most as many.")
    if asked.keep:
        _open(asked.keep, _fingerprint(asked, evidence))
    return challenge


def _pools(evidence: Evidence, challenge: Challenge) -> dict[str, pd.DataFrame]:
    """The rows that fits use: those without a key belong to nobody, and no fit uses them."""
    tables = {"members": evidence.train, "reference": challenge.reference, "synthetic": challenge.synthetic}
    key = evidence.schema.unit.key
    return {name: (rows[rows[key].notna()] if key else rows).reset_index(drop=True) for name, rows in tables.items()}


def _units(rows: pd.DataFrame, schema: Schema) -> int:
    from tabsynth.validate.features import unit_codes

    return int(unit_codes(rows, schema).max(initial=-1)) + 1


def _fingerprint(asked: Plan, evidence: Evidence) -> str:
    """Of all that decides which fits are made, but for how many."""
    import pandas as pd

    tables = (evidence.train, evidence.holdout, evidence.synthetic, evidence.reference)
    rows = [None if t is None else pd.util.hash_pandas_object(t.astype(str), index=False).to_numpy().tobytes() for t in tables]
    hashes = [known and hashlib.sha256(known).hexdigest() for known in rows]
    text = json.dumps([evidence.schema.fingerprint, asked.generator, version(), evidence.seed, hashes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _open(folder: Path, fingerprint: str) -> None:
    """Make the folder, or find in it fits of the same tables, generator and seed."""
    mark = folder / FILE
    if mark.is_file():
        if read_json(mark, FORMAT, VERSION).get("fingerprint") != fingerprint:
            raise FolderError(
                f"{folder} keeps fits of other tables, another card, version or seed; name a new folder, or ask for the same."
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderError(f"{folder} holds something else than kept fits; name a new or empty folder.")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(mark, {"format": FORMAT, "version": VERSION, "private": False, "fingerprint": fingerprint})


def generate(
    rows: pd.DataFrame, seed: int, *, schema: Schema, model: str, epsilon: float, delta: float, target: str | None
) -> pd.DataFrame:
    """What the release's maker did: fit, and sample as many rows as the fit estimates there were, never as many as there are."""
    release = fit(rows, schema, epsilon=epsilon, delta=delta, model=model, target=target, seed=seed)
    return release.sample(None, seed=seed)


def run(asked: Plan, evidence: Evidence, challenge: Challenge, progress: Progress) -> list[Finding]:
    """``attacks.shadow`` and ``attacks.shadow_synthetic``, ``attacks.worst.targeted``: those asked for.

    Parameters
    ----------
    challenge : Challenge
        From `checked`.
    """
    from tabsynth.validate.attacks import ATTACKS, shadows, targeted

    schema, pools = evidence.schema, _pools(evidence, challenge)
    known = {name: value for name, value in asked.generator.items() if name != "tabsynth"}
    generator = partial(generate, schema=schema, **known)
    common = {"settings": known | {"tabsynth": version()}, "seed": evidence.seed, "workers": asked.workers}
    found: list[Finding] = []
    for i, name in enumerate(("reference", "synthetic") if asked.shadows else ()):
        units = min(_units(pools["members"], schema), _units(pools[name], schema) // 2)
        step = part(progress, i * asked.shadows / asked.fits, (i + 1) * asked.shadows / asked.fits)
        folder = asked.keep and asked.keep / name
        made = shadows.run(generator, schema, pools[name], units, asked.shadows, folder=folder, progress=step, **common)
        if name == "reference":
            quick = {n: attack for n, attack in ATTACKS.items() if n not in shadows.SLOW}
            found.append(shadows.shadow(schema, challenge, pools[name], made, quick, asked.measured))
        else:
            blind = {n: ATTACKS[n] for n in shadows.WITHOUT_REFERENCE}
            pooled = dataclasses.replace(challenge, synthetic=pools[name])
            found.append(shadows.shadow_synthetic(schema, pooled, made, blind))
    if asked.targets:
        found.append(
            targeted.check(
                schema, pools["members"], pools["reference"], generator, delta=known["delta"], claimed=known["epsilon"],
                targets=asked.targets, runs=asked.runs, progress=part(progress, 2 * asked.shadows / asked.fits, 1.0),
                folder=asked.keep and asked.keep / f"targets-{asked.targets}x{asked.runs}", **common,
            )
        )  # fmt: skip
    return [finding.plain() for finding in found]
