"""Release: what may leave. A schema, a model that is already private, and the card that accounts for it.

On disk a model folder holds ``model.json``, ``model.npz`` and ``card.json``: no pickle, nothing that runs when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth import folders
from tabsynth.access import MAX_ROWS, Model
from tabsynth.arrays import read_arrays
from tabsynth.card import FORMAT as CARD_FORMAT
from tabsynth.card import VERSION as CARD_VERSION
from tabsynth.codec import Codec
from tabsynth.documents import read_json as read_document
from tabsynth.errors import FolderError, OptionError
from tabsynth.folders import MODEL_FILES
from tabsynth.models import model_class
from tabsynth.published import json_bytes
from tabsynth.schema import Schema
from tabsynth.tables import replacing, undone
from tabsynth.where import Condition, draw

if TYPE_CHECKING:
    import pandas as pd

FORMAT, VERSION = "tabsynth.model", 1
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
           zipfile.BadZipFile, zlib.error, struct.error)  # fmt: skip
"""What reading files that hold something else, or half of it, may raise."""


@dataclass(frozen=True)
class Release:
    """A fitted, private generator.

    Parameters
    ----------
    codec : Codec
        Turns the model's codes into values.
    model : Model
    card : dict
        What privacy was spent on what (see `tabsynth.card`).

    Examples
    --------
    >>> import pandas as pd, tabsynth
    >>> schema = tabsynth.Schema.from_dict({"name": "toy", "columns": {"smoker": {"kind": "boolean"}}})
    >>> release = tabsynth.fit(pd.DataFrame({"smoker": [True, False] * 500}), schema, epsilon=1)
    >>> len(release.sample(rows=10, seed=0))
    10
    """

    codec: Codec
    model: Model
    card: dict[str, Any]

    @property
    def schema(self) -> Schema:
        """The public schema."""
        return self.codec.schema

    @property
    def rows(self) -> int:
        """Noisy estimate of the number of rows the model was fitted on: the default size of a sample."""
        return max(1, round(self.model.total))

    def sample(self, rows: int | None = None, *, seed: int = 0, where: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Synthetic rows. Free: whatever is done with a release spends no privacy.

        Parameters
        ----------
        rows : int, optional
            How many; `self.rows` by default, or as many of those as satisfy `where`.
        seed : int
            The same seed gives the same rows.
        where : str or sequence of str, optional
            Conditions that all rows satisfy, such as ``"age >= 65 and ward = 'surgery'"`` (grammar: `tabsynth.where`). The rows
            have the model's distribution given the conditions.

        Returns
        -------
        DataFrame
            The schema's columns; Int64, float64, object, boolean and datetime64[s].

        Raises
        ------
        OptionError
            If `rows` or `seed` is not a whole number in its range, `where` cannot be read, or too few rows satisfy it.
        """
        check_rows(rows)
        check_seed(seed)
        condition = None if where is None else Condition.parse(where, self.codec)
        if condition and rows is not None:
            return draw(self.model, condition, int(rows), seed)
        rng = np.random.default_rng(seed)
        codes = self.model.sample(self.rows if rows is None else int(rows), rng)
        frame = condition.decode(codes, rng) if condition else self.codec.decode(codes, rng)
        if frame.empty:
            raise OptionError(
                f"none of {len(codes):,} drawn rows satisfies the condition; widen it, or say how many rows you need."
            )
        return frame

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write the model folder, whole or not at all.

        Raises
        ------
        FolderError
            If `folder` exists and `force` is not given.
        """
        with new_folder(folder, force=force) as partial:
            self.write(partial)

    def write(self, folder: Path) -> None:
        """Write the model's files into an existing folder."""
        plain, arrays = self.model.state()
        name = self.card["model"]["name"]
        document = {"format": FORMAT, "version": VERSION, "name": name, "codec": self.codec.to_dict(), "model": plain}
        write_json(folder / "model.json", document)
        np.savez_compressed(folder / "model.npz", **arrays)
        write_json(folder / "card.json", self.card | {"files": hashes(folder, MODEL_FILES[:2])})

    @classmethod
    def load(cls, folder: str | Path) -> Release:
        """Read a model folder, or the model in a release: its output folder, or the part of it that may leave.

        Raises
        ------
        FolderError
            If it is not one, or is damaged.
        """
        folder = folders.model(folder)
        if missing := [name for name in MODEL_FILES if not (folder / name).is_file()]:
            raise FolderError(
                f"{folder} is not a tabsynth model: it has no {missing[0]}; give a folder that fit or release wrote."
            )
        document, card = read_json(folder / "model.json", FORMAT, VERSION), read_card(folder / "card.json")
        try:
            arrays = read_arrays(folder / "model.npz")
            codec = Codec.from_dict(document["codec"])
            release = cls(codec, model_class(document["name"]).load(document["model"], arrays, codec.domain), card)
            release.sample(1)
        except _DAMAGE as error:
            why = f": {error}" if type(error) is FolderError else f" ({type(error).__name__})"
            raise FolderError(
                f"the model in {folder} is damaged, forged or of another version{why.rstrip('.')}; fit it again or restore it."
            ) from None
        return release


def check_rows(rows: Any) -> None:
    """Refuse a number of rows that is neither None nor a whole number from 1 to `MAX_ROWS`."""
    if rows is not None and not (isinstance(rows, int | np.integer) and not isinstance(rows, bool) and 1 <= rows <= MAX_ROWS):
        raise OptionError(f"rows is {rows!r}; give a whole number from 1 to {MAX_ROWS:,}.")


def check_seed(seed: Any) -> None:
    """Refuse a seed that is not a whole number from 0 to 2**63 - 1."""
    if not (isinstance(seed, int | np.integer) and not isinstance(seed, bool) and 0 <= seed < 2**63):
        raise OptionError(f"seed is {seed!r}; give a whole number of 0 or more.")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN), whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(json_bytes(document))


def read_json(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Read one of our JSON files.

    Raises
    ------
    FolderError
        If it is not one, or of another version.
    """
    document = read_document(path, FolderError, "restore it or make it again")
    if not isinstance(document, dict) or document.get("format") != kind:
        raise FolderError(f"{path} is not a {kind} file; give a folder that tabsynth wrote.")
    if document.get("version") != version:
        raise FolderError(f"{path} has version {document.get('version')!r:.60}; this tabsynth reads version {version}.")
    return document


def read_card(path: Path) -> dict[str, Any]:
    """Read a card; raises as `read_json` does."""
    return read_json(path, CARD_FORMAT, CARD_VERSION)


def hashes(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 of files, by their path in `folder`."""
    return {name: _hash(folder / name) for name in names}


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_new(folder: str | Path, *, force: bool) -> Path:
    """Refuse, before any work, a folder that exists (unless it is empty or `force` replaces what tabsynth wrote there)."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is a file; name a new folder.")
    if folder.is_dir() and any(folder.iterdir()):
        if not force:
            raise FolderError(f"{folder} already exists; name a new folder, or add --force to replace it.")
        if not folders.written_by_us(folder):
            raise FolderError(f"{folder} was not written by tabsynth, so --force does not replace it; name a new folder.")
    return folder


def check_new_file(path: Path, *, keep: Sequence[Path] = ()) -> None:
    """Refuse, before any work, a file that cannot be written because of what is there, or that is one of those to keep."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not above.is_dir():
        raise FolderError(f"{path} is a folder or lies in a file; name a new file.")
    if path.resolve() in [kept.resolve() for kept in keep]:
        raise FolderError(f"{path} is one of the input files; name a new file.")


@contextlib.contextmanager
def new_folder(folder: str | Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its place when the block ends well, and is removed when it does not."""
    folder = check_new(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    earlier = partial.with_suffix(".earlier")

    def remove() -> None:
        if earlier.exists() and not folder.exists():
            os.replace(earlier, folder)
        for leftover in (partial, earlier):
            shutil.rmtree(leftover, ignore_errors=True)

    with undone(remove):
        yield partial
        partial.chmod(0o755)
        if folder.exists():
            os.replace(folder, earlier)
        os.replace(partial, folder)
