"""Policies: by which thresholds the leakage report says pass or fail, where each comes from, and what was changed.

A policy is a YAML file. Some are shipped (`PROFILES`); a file of one's own states what differs from one of them. What a threshold was before
it was changed is kept, so that the report can say so.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth.errors import PolicyError
from tabsynth.published import departure
from tabsynth.yaml_file import read_yaml, write_yaml

FOLDER = Path(__file__).parent / "policies"
PROFILES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
"""The policies that are shipped."""
CONTEXT = ("recipients", "purpose", "access", "controls")
"""What may be stated about where the table goes; printed in the report, checked by nobody."""


@dataclass(frozen=True)
class Threshold:
    """A number that decides between pass and fail.

    Parameters
    ----------
    value : float
    source : str
        Where the number comes from, in a sentence.
    kind : str
        The kind of source: regulation, guidance, research, practice, convention, analogy, engineering, own.
    shipped : float
        The value in the shipped policy that this one is based on.
    reason : str
        Why it was changed, where it was.
    """

    value: float
    source: str
    kind: str
    shipped: float
    reason: str = ""


@dataclass(frozen=True)
class Policy:
    """Thresholds by name, with what they are for.

    Parameters
    ----------
    name, based_on : str
        `based_on` is the shipped policy from which changes are counted; its own name for a shipped one.
    thresholds : dict of Threshold
        All those of ``schemas/policy.schema.json``, which says what each means.
    guarantee_required : bool
        Whether a table without a formal guarantee fails.
    context : dict of str
        On some of `CONTEXT`.
    """

    name: str
    based_on: str
    description: str
    thresholds: dict[str, Threshold]
    guarantee_required: bool
    context: dict[str, str]

    def __getitem__(self, name: str) -> float:
        """The value of a threshold."""
        return self.thresholds[name].value

    @classmethod
    def load(cls, policy: str | Path) -> Policy:
        """A shipped policy by its name, or one from a YAML file.

        Raises
        ------
        PolicyError
            If there is no such policy, or the file departs from ``schemas/policy.schema.json``.
        """
        if str(policy) in PROFILES:
            return _shipped(str(policy))
        if not Path(policy).exists():
            raise PolicyError(f"there is no policy {str(policy)!r}; name one of {', '.join(PROFILES)}, or a YAML file.")
        return cls.from_dict(read_yaml(policy, "policy", PolicyError))

    @classmethod
    def from_dict(cls, data: Any) -> Policy:
        """One's own policy from the contents of its file; what it does not state is that of the shipped one it is based on.

        Raises
        ------
        PolicyError
        """
        if wrong := departure(data, "policy"):
            raise PolicyError(
                f"the policy does not conform to policy.schema.json: {wrong}; `tabsynth policy` prints one that does."
            )
        if odd := [name for name, given in data["thresholds"].items() if math.isnan(given["value"])]:
            raise PolicyError(f"the policy's threshold {odd[0]!r} is not a number; give one.")
        if data["name"] in PROFILES:
            raise PolicyError(f"the policy is named {data['name']!r}, like one that is shipped; give it another name.")
        base = _shipped(data.get("based_on", "default"))
        changed = {name: _changed(base.thresholds[name], given) for name, given in data["thresholds"].items()}
        return dataclasses.replace(
            base,
            name=data["name"],
            thresholds=base.thresholds | changed,
            **{field: data[field] for field in ("description", "guarantee_required", "context") if field in data},
        )

    def dump(self) -> str:
        """A policy file that says the same under another name: to edit."""
        names = ("value", "kind", "source", "reason")
        data = {
            "format": "tabsynth.policy",
            "version": 1,
            "name": f"copy of {self.name}"[:80],
            "based_on": self.based_on,
            "description": self.description,
            "guarantee_required": self.guarantee_required,
            "context": dict.fromkeys(CONTEXT, "") | self.context,
            "thresholds": {key: {n: v for n in names if (v := getattr(each, n))} for key, each in self.thresholds.items()},
        }
        return write_yaml(data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as the report's JSON holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Policy:
        """The policy from what `to_dict` gave."""
        return cls(**data | {"thresholds": {name: Threshold(**each) for name, each in data["thresholds"].items()}})


def _changed(threshold: Threshold, given: Mapping[str, Any]) -> Threshold:
    """The threshold with what is given instead; a new value does not keep the old one's source."""
    own = {"kind": "own", "source": ""} | {k: v for k, v in given.items() if v != getattr(threshold, k)}
    return dataclasses.replace(threshold, **own if given["value"] != threshold.value else given)


def _shipped(name: str) -> Policy:
    data = read_yaml(FOLDER / f"{name}.yaml", "policy", PolicyError)
    below = _shipped(data["based_on"]).thresholds if "based_on" in data else {}
    own = {threshold: Threshold(shipped=given["value"], **given) for threshold, given in data["thresholds"].items()}
    return Policy(name, name, data["description"], below | own, data.get("guarantee_required", False), {})
