"""Check a release from its files alone: all that follows from its model, charges and seeds is made again and compared.

What this cannot see: whether the model and the charges are those of a fit on real rows. Somebody who writes another model and makes all
other files from it, or who changes what nothing follows from (the time, the versions and settings on the card, the noise multipliers of
all charges together with the epsilon), makes a release that is consistent in itself. Until releases are signed, compare the hash of the
card with that of whoever made it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth import folders
from tabsynth.card import bought
from tabsynth.confidential import confidential, same_bytes
from tabsynth.errors import FolderError
from tabsynth.models import choose
from tabsynth.publish import ASKED, ESTIMATED, publish, without_files
from tabsynth.published import departure
from tabsynth.recount import Differs, Result, looked, other_version, recount
from tabsynth.release import Release, hashes, read_card, read_json
from tabsynth.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

BLOCK = 1 << 14
"""Rows that are compared at a time."""
CELL = 100
"""Bytes of memory that a value takes at most while a table is drawn and compared."""


@dataclass(frozen=True)
class Folder:
    """The part of a release that may leave, its card, and an empty folder to write it into again."""

    path: Path
    card: dict[str, Any]
    place: Path

    @cached_property
    def release(self) -> Release:
        """The model as it loads."""
        return Release.load(self.path / "model")

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The synthetic table, drawn again: never more rows than the table has that is there."""
        told, columns = self.card["synthetic"], len(self.release.schema.columns)
        rows = _parquet(self.path).metadata.num_rows
        if rows != told["rows"]:
            raise Differs(f"the table has {rows} rows, the card says {told['rows']}")
        if rows * columns * CELL > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
            raise Differs(f"{rows:,} rows of {columns} columns are more than fits into the memory of this machine")
        return self.release.sample(rows, seed=told["seed"])

    @cached_property
    def again(self) -> Path:
        """All files, written again from the model, the seed and what the card says of rows."""
        told = self.card["synthetic"]
        publish(self.place / "again", self.release, self.drawn, asked=told["rows_is"] == ASKED, seed=told["seed"])
        return self.place / "again"


def verify(folder: str | Path) -> list[Result]:
    """Check a release: the part that may leave and, given its output folder, what can be said of the confidential part.

    Parameters
    ----------
    folder : path
        The output folder of `tabsynth.release`, or the part of it that may leave, under any name.

    Returns
    -------
    list of Result
        Where something is there that does not belong to a release, such as a link, that alone: nothing is opened then.

    Raises
    ------
    FolderError
        If it is not a release.
    """
    path = folders.public(folder)
    if not (path / folders.CARD).is_file():
        raise FolderError(f"{folder} is not a release: it has no card.json; give a folder that tabsynth release wrote.")
    listed = "the release holds its files and nothing else"
    if odd := list(_irregular(path)):
        return [Result(listed, False, f"{_some(odd)}: neither a file nor the folder of the model, so nothing was opened")]
    checks: dict[str, Callable[[Folder], str]] = {
        "files have the SHA-256 on the card": _hashes,
        "the card has the form of a card": _form,
        "the model loads and says the same as the card": _model,
        "the synthetic table is what the model draws, value by value": _table,
        "all files are as tabsynth writes them, byte for byte": _bytes,
    }
    with tempfile.TemporaryDirectory() as place:
        release = Folder(path, read_card(path / folders.CARD), Path(place))
        results = [looked(name, check, release) for name, check in checks.items()]
    results = [looked(listed, _listed, path), *results[:2], *recount(release.card), *results[2:]]
    return results if path == Path(folder) else results + confidential(Path(folder), (path / folders.CARD).read_bytes())


def _entries(path: Path) -> Iterator[os.DirEntry]:
    """What lies in the folder and in that of the model. Links are not followed."""
    for entry in os.scandir(path):
        yield entry
        if entry.name == "model" and entry.is_dir(follow_symlinks=False):
            yield from os.scandir(entry.path)


def _irregular(path: Path) -> Iterator[str]:
    """Links, sockets and the like, and folders where none belongs."""
    for entry in _entries(path):
        kind = entry.stat(follow_symlinks=False).st_mode
        if not (stat.S_ISREG(kind) or (stat.S_ISDIR(kind) and Path(entry.path) == path / "model")):
            yield str(Path(entry.path).relative_to(path))


def _some(names: list[str]) -> str:
    """Up to five names, written so that none can pass for something else."""
    return ", ".join(map(repr, sorted(names)[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _listed(path: Path) -> str:
    found = {str(Path(entry.path).relative_to(path)) for entry in _entries(path)} - {"model"}
    if extra := found - set(folders.PUBLIC_FILES):
        raise Differs(f"{_some([*extra])} does not belong to a release")
    if missing := [name for name in folders.PUBLIC_FILES if name not in found]:
        raise Differs(f"{', '.join(missing)} is missing")
    return ", ".join(folders.PUBLIC_FILES)


def _hashes(release: Folder) -> str:
    listed = release.card["files"]
    if set(listed) != set(folders.HASHED):
        raise Differs(f"the card lists other files than {', '.join(folders.HASHED)}")
    if missing := [name for name in folders.HASHED if not (release.path / name).is_file()]:
        raise Differs(f"{', '.join(missing)} is missing")
    found = hashes(release.path, folders.HASHED)
    if changed := [name for name in folders.HASHED if found[name] != listed[name]]:
        raise Differs(f"{', '.join(changed)} changed after the release was made")
    return f"{len(found)} files"


def _form(release: Folder) -> str:
    if wrong := departure(release.card, "card"):
        raise Differs(wrong)
    if (told := release.card["synthetic"]["rows_is"]) not in (ASKED, ESTIMATED):
        raise Differs("synthetic.rows_is is neither of the two sentences there are")
    return f"tabsynth.card, version {release.card['version']}, rows {told}"


def _model(release: Folder) -> str:
    """The card in the model says all that the card says; codec, name and choice are those of the model."""
    fitted, card = release.release, release.card
    name = read_json(release.path / "model/model.json", "tabsynth.model", 1)["name"]
    if without_files(fitted.card) != without_files(card):
        raise Differs("the model's own card says something else")
    if fitted.schema.fingerprint != Schema.from_dict(card["schema"]).fingerprint:
        raise Differs("the model has another schema than the card")
    prior = card.get("prior")
    if bought(fitted.codec, prior) != card["bought"]:
        raise Differs("the card lists other bins, ranges and lists as bought than the model has")
    best, why = choose(len(fitted.schema.modelled), prior is not None)
    if card["model"]["name"] != name or card["model"]["chosen"] not in ("asked for", "", *[f"auto: {why}"] * (best == name)):
        raise Differs(f"the card names another model, or another reason for it, than the model's own{other_version(card)}")
    told = card["synthetic"]
    if told["rows_is"] == ESTIMATED and told["rows"] != fitted.rows:
        raise Differs(f"the model's estimate of the rows is {fitted.rows}, the card says {told['rows']}")
    return f"{name}, {len(card['ledger']['charges'])} charges"


def _table(release: Folder) -> str:
    drawn = len(release.drawn)
    if (
        not _same_file(release, folders.TABLE)
        and (row := _first_other(_parquet(release.path), _parquet(release.again))) is not None
    ):
        raise Differs(
            f"from row {row + 1} on it is not what the model draws with the seed on the card; somebody changed it, or another kind "
            f"of processor or other versions of numpy, numba or pandas drew it{other_version(release.card)}"
        )
    if release.card["synthetic"]["sha256"] != read_card(release.again / folders.CARD)["synthetic"]["sha256"]:
        raise Differs("the card has another hash of its values")
    return f"{drawn:,} rows"


def _parquet(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path / folders.TABLE)
    except (pa.ArrowException, OSError):
        raise Differs(f"{folders.TABLE} is missing or cannot be read as Parquet") from None


def _first_other(found: pq.ParquetFile, drawn: pq.ParquetFile) -> int | None:
    """The first row of a block in which two tables of one length differ, in values, names or types; None where there is none."""
    import pyarrow as pa

    if found.schema_arrow.remove_metadata() != drawn.schema_arrow.remove_metadata():
        return 0
    row = 0
    try:
        for one, other in zip(found.iter_batches(BLOCK), drawn.iter_batches(BLOCK), strict=True):
            if not one.equals(other):
                return row
            row += len(other)
    except (pa.ArrowException, OSError, ValueError):
        return row
    return None


def _same_file(release: Folder, name: str) -> bool:
    return same_bytes(release.path / name, (release.again / name).read_bytes())


def _bytes(release: Folder) -> str:
    """Pages, JSON, Parquet and NPZ: nothing is hidden in what has no effect."""
    if odd := [name for name in folders.PUBLIC_FILES if not _same_file(release, name)]:
        made = release.card["environment"]
        raise Differs(f"{', '.join(odd)} would be written otherwise{other_version(release.card) or _other_packages(made)}")
    return f"{len(folders.PUBLIC_FILES)} files"


def _other_packages(made: dict[str, Any]) -> str:
    """A remark where other versions of what decides how a file is written made the release."""
    from tabsynth.card import environment

    here = environment()
    other = [name for name in ("python", "numpy", "pandas", "pyarrow") if made.get(name) != here.get(name)]
    return f"; it was made with another {', '.join(other)}, so compare it where that is installed" if other else ""
