"""Explains every number of a public card: each is public, on the ledger, or follows from those. What is left over is reported.

`odd_entries` is for the JSON: every path has to be on a list that gives the reason why it may be published, and a number in a text has to be one
that the card holds elsewhere. `odd_numbers` is for the page: every number that a reader sees or hears, section by section, has to be one
of the card's for that section, a closed form of the guarantee (worked out here, from other formulas than the product's), or in the
templates' own text. The shapes of figures are left out: a page that is `tabsynth.report.card` of its JSON, byte by byte, has no others.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from scipy.stats import norm

import tabsynth.report
from tabsynth.report.odds import SCRIPT

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-\u2212]?\d+)?")
RATES, PRIORS = (0.001, 0.01, 0.1), (0.01, 0.1, 0.5)
PRIOR_STOPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
RATE_STOPS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
BARS = 12
"""Charges that are drawn at most; the smallest share one bar."""
EXPRESSION, COLOUR = r"\{[{%].*?[%}]\}", r"#[0-9a-f]{6}\b"


def numbers(text: str) -> list[Decimal]:
    """The numbers in a text, without signs; thousands may be set apart by a comma or a narrow space."""
    joined = re.sub(r"(?<=\d)[,\u202f\u2009](?=\d{3}(?!\d))", "", text)
    return [Decimal(n.replace("\u2212", "-")) for n in NUMBER.findall(joined)]


def values(data: Any) -> list[Any]:
    """All texts and numbers in plain data, keys included."""
    if isinstance(data, dict):
        return [v for item in data.items() for part in item for v in values(part)]
    return [v for part in data for v in values(part)] if isinstance(data, list | tuple) else [data]


# ---------------------------------------------------------------------------------------------------------------- JSON


def _any(_value: Any, _card: dict[str, Any]) -> bool:
    return True


def _silent(value: Any, _card: dict[str, Any]) -> bool:
    """Not a number, and no digit in the text."""
    return value is None or (isinstance(value, bool | str) and not NUMBER.search(str(value)))


def _counted(value: Any, _card: dict[str, Any]) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _like(pattern: str) -> Callable[[Any, dict[str, Any]], bool]:
    return lambda value, _card: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _said(*allowed: Callable[[dict[str, Any]], Iterable[Any]]) -> Callable[[Any, dict[str, Any]], bool]:
    """A text whose numbers are names of columns or among the allowed ones."""

    def fits(value: Any, card: dict[str, Any]) -> bool:
        known = {n for find in allowed for v in find(card) for n in _written(v)}
        return isinstance(value, str) and set(numbers(_without(value, _names(card)))) <= known

    return fits


def _names(card: dict[str, Any]) -> list[str]:
    unit = (card["schema"].get("unit") or {}).get("key")
    return [*(card["schema"].get("columns") or {}), *([unit] if unit else [])]


def _columns(card: dict[str, Any]) -> list[int]:
    """How many columns there are, and how many that are no identifiers, alone or in pairs."""
    columns = (card["schema"].get("columns") or {}).values()
    modelled = sum(c["kind"] != "identifier" for c in columns)
    return [len(columns), modelled, math.comb(modelled, 2)]


def _steps(card: dict[str, Any]) -> list[float]:
    """Noise multipliers, rates and times of all charges; a charge that lists none is one Gaussian."""
    charges = card["ledger"]["charges"]
    listed = [v for c in charges for v in values([c.get("gaussians") or [], c.get("sampled") or []])]
    return listed + [round(1 / math.sqrt(2 * c["rho"]), 4) for c in charges if isinstance(c["rho"], float)]


WHOM = "the unit of privacy, which the schema states"
SPENT = "what the ledger was charged: the price of the noise, whatever the answers were"
MADE = "how and with what it was made: the machine's, not the table's"
CHOSEN = "a public setting, chosen before any row was read"
PATHS: dict[str, tuple[str, Callable[[Any, dict[str, Any]], bool]]] = {
    "format": ("a constant", lambda v, _: v == "tabsynth.card"),
    "version": ("a constant", lambda v, _: v == 1),
    "created": (MADE, _like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")),
    "tabsynth": (MADE, _like(r"\d+(\.\d+)*([a-z]\w*)?")),
    "schema.**": ("written before anyone looked at the rows; compared with the file as a whole", _any),
    "fingerprint": ("a hash of the schema", _like("[0-9a-f]{64}")),
    "guarantee.private": ("what is claimed", _silent),
    "guarantee.epsilon": (SPENT, lambda v, _: v == "infinity" or _counted(v, _)),
    "guarantee.epsilon_budget": (CHOSEN, _counted),
    "guarantee.delta": (CHOSEN, _counted),
    "guarantee.mu": ("a closed form of rho", lambda v, card: v is None or abs(v - math.sqrt(2 * card["guarantee"]["rho"])) < 1e-3 * v),
    "guarantee.rho": (SPENT, lambda v, card: v == card["ledger"]["spent_rho"]),
    "guarantee.unit.key": (WHOM, lambda v, card: v == (card["schema"].get("unit") or {}).get("key")),
    "guarantee.unit.max_rows": (WHOM, lambda v, card: v == (card["schema"].get("unit") or {"max_rows": 1})["max_rows"]),
    "guarantee.neighbours": ("a constant", _silent),
    "guarantee.statement": (
        "the guarantee in words", _said(lambda card: values(card["guarantee"]["unit"]),
                                        lambda card: [card["guarantee"][n] for n in ("epsilon", "delta")])),
    "ledger.budget_rho": (SPENT, lambda v, _: v is None or _counted(v, _)),
    "ledger.spent_rho": (SPENT, lambda v, _: v is None or _counted(v, _)),
    "ledger.failure_delta": (SPENT, _counted),
    "ledger.charges.[].note": (
        "what was bought", _said(_columns, _steps, lambda card: values(card["model"].get("settings") or {}))),
    "ledger.charges.[].event": (SPENT, _said(_steps)),
    "ledger.charges.[].rho": (SPENT, lambda v, _: v is None or _counted(v, _)),
    "ledger.charges.[].delta": (SPENT, _counted),
    "ledger.charges.[].gaussians.[].[]": (SPENT, _counted),
    "ledger.charges.[].gaussians": (SPENT, lambda v, _: v == []),
    "ledger.charges.[].sampled.[].[]": (SPENT, _counted),
    "ledger.charges.[].sampled": (SPENT, lambda v, _: v == []),
    "model.name": (CHOSEN, _silent),
    "model.chosen": (
        "who chose the model, and by which public facts", _said(_columns, lambda card: [300, card["ledger"]["budget_rho"]])),
    "model.seed": (CHOSEN, _counted),
    "model.settings.**": (CHOSEN + "; compared with the model's defaults as a whole", _any),
    "synthetic.rows": ("asked for, or an estimate from noisy counts", _counted),
    "synthetic.rows_is": ("a constant", _silent),
    "synthetic.seed": (CHOSEN, _counted),
    "synthetic.sha256": ("a hash of what is published beside it", _like("[0-9a-f]{64}")),
    "bought.[].column": ("a name of the schema's", lambda v, card: v in card["schema"]["columns"]),
    "bought.[].what": ("a constant", _silent),
    "bought.[].size": ("post-processing of an answer on the ledger", _counted),
    "bought.[].found": ("post-processing of an answer on the ledger", _silent),
    "bought": ("nothing was bought", lambda v, _: v == []),
    "noise": ("a constant", _silent),
    **{f"files.{name}": ("a hash of what is published beside it", _like("[0-9a-f]{64}"))
       for name in ("synthetic.parquet", "model/model.json", "model/model.npz", "model/arrays.npz", "model/card.json",
                    "model.json", "model.npz")},
    **{f"environment.{name}": (MADE, _like(r"[A-Za-z]+|\d+(\.\w+)+(\+\w+)?"))
       for name in ("python", "system", "numpy", "pandas", "pyarrow", "duckdb", "ibis-framework", "dp-accounting", "dp_accounting", "mbi", "jax",
                    "scikit-learn", "torch", "opacus")},
    "limits.[]": ("constants", _silent),
}  # fmt: skip
"""Path -> why it may be published, and what may stand there. ``[]`` is any place of a list, ``**`` anything below."""


def odd_entries(card: dict[str, Any]) -> list[str]:
    """Every entry of a card that is not on the list, or holds what its path does not allow."""
    out = []
    for path, value in leaves(card):
        known = PATHS.get(path) or next((PATHS[p] for p in PATHS if p.endswith("**") and path.startswith(p[:-2])), None)
        if known is None:
            out.append(f"{path} is not on the list of what may be published: {value!r}")
        elif not known[1](value, card):
            out.append(f"{path} ({known[0]}) may not hold {value!r}")
    return out


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar and every empty container, with its path."""
    if data and isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    elif data and isinstance(data, list | tuple):
        for value in data:
            yield from leaves(value, f"{path}.[]".lstrip("."))
    else:
        yield path, data


# ---------------------------------------------------------------------------------------------------------------- page


@dataclass
class Known:
    """What one section may show: texts, numbers, and numbers that are followed by a percent sign."""

    texts: set[str] = field(default_factory=set)
    plain: set[Decimal] = field(default_factory=set)
    shares: set[Decimal] = field(default_factory=set)

    def tell(self, *data: Any) -> Known:
        """Values as they are or to four digits; texts as they are, with their numbers where a page shortens those."""
        for value in values(data):
            if isinstance(value, str):
                self.texts.add(value)
            self.plain.update(_written(value))
        return self

    def share(self, value: float, *ways: str) -> Known:
        """A share, written in percent."""
        self.shares.update(Decimal(format(100 * value, way)) for way in ways or (f".{_decimals(value)}f", "g"))
        return self


def _written(value: Any) -> set[Decimal]:
    """A number in the ways in which pages write it; of a text, the numbers with many digits, shortened."""
    if isinstance(value, str):
        return {n for long in re.findall(r"\d+\.\d{4,}", value) for n in _written(float(long))}
    if value is None or isinstance(value, bool) or not math.isfinite(value):
        return set()
    return {abs(Decimal(w)) for w in (repr(value), f"{value:.10g}", f"{value:.4g}")}


def _decimals(share: float) -> int:
    """At least one; more until the first digit that is not 0."""
    return next((d for d in range(1, 6) if 100 * share >= 10.0**-d or 100 * share < 5e-7), 6)


def ceiling(card: dict[str, Any], fpr: float) -> float:
    """The highest true-positive rate: with mu, the normal survival function moved by it; else two lines from epsilon and delta."""
    given, failure = card["guarantee"], card["ledger"].get("failure_delta") or 0.0
    if given.get("mu") is not None:
        return min(1.0, norm.sf(norm.isf(fpr) - given["mu"]) + failure)
    e, delta = math.exp(given["epsilon"]), given["delta"]
    return min(1.0, e * fpr + delta, 1 - (1 - delta - fpr) / e)


def advantage(card: dict[str, Any]) -> float:
    """Largest gap between the two rates."""
    given, failure = card["guarantee"], card["ledger"].get("failure_delta") or 0.0
    if given.get("mu") is not None:
        return min(1.0, 2 * norm.cdf(given["mu"] / 2) - 1 + failure)
    e = math.exp(given["epsilon"])
    return (e - 1 + 2 * given["delta"]) / (e + 1)


def _guarantee(card: dict[str, Any]) -> Known:
    """The guarantee, its closed forms, and the ledger: each charge, those of one name together, and their shares of the budget."""
    given, ledger = card["guarantee"], card["ledger"]
    out = Known().tell(given, ledger, card["noise"], card["bought"])
    notes = {
        note: [c for c in ledger["charges"] if c["note"] == note] for note in dict.fromkeys(c["note"] for c in ledger["charges"])
    }
    for charges in notes.values():
        out.tell(len(charges), sum(c["delta"] for c in charges))
        if all(isinstance(c["rho"], float) for c in charges):
            out.tell(sum(c["rho"] for c in charges))
    if not given["private"]:
        return out
    spent = sorted(sum(c["rho"] for c in charges) / ledger["budget_rho"] for charges in notes.values())
    rest = spent[: max(0, len(spent) - BARS + 1)] if len(spent) > BARS else []
    out.tell(len(rest)) if rest else None
    for share in [*spent, sum(rest)]:
        out.share(share)
    for fpr in RATES:
        tpr = ceiling(card, fpr)
        out.share(fpr).share(tpr, ".2f", f".{max(2, _decimals(tpr))}f")
        for prior in PRIORS:
            right = prior * tpr / ((1 - prior) * fpr)
            out.share(prior).share(right / (1 + right), ".3g").tell(float(f"{right:.3g}"))
    for share in (ceiling(card, RATES[0]), advantage(card), (1 + advantage(card)) / 2):
        out.share(share, ".3g")
    return out


def sections(card: dict[str, Any]) -> dict[str | None, Known]:
    """What each section of the page may show; None is what stands outside of all."""
    schema, made, model = card["schema"], card["synthetic"], card["model"]
    columns, given = schema.get("columns") or {}, card["guarantee"]
    moment = card["created"][:16].replace("T", " ")
    more = [len(c["labels"]) - 8 for c in columns.values() if len(c.get("labels") or []) > 8]
    settings = [str(v) for v in (model.get("settings") or {}).values()]
    head = Known().tell(schema["name"], schema.get("description"), moment, card["tabsynth"], made["rows"], len(columns), given)
    return {
        None: head,
        "what": Known().tell(model["name"]),
        "guarantee": _guarantee(card),
        "how": Known().tell(model, made, settings),
        "columns": Known().tell(columns, more),
        "uses": Known(),
        "limits": Known().tell(card["limits"]),
        "verify": Known().tell(
            card["files"], (card.get("synthetic") or {}).get("sha256") or "", card["fingerprint"], card["environment"]
        ),
    }


SHAPES = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "viewbox", "d", "points", "transform"}
STRUCTURE = {"id", "for", "class", "charset", "tabindex", "aria-labelledby", "lang", "href"}
"""Attributes that nobody reads: what figures look like, and names within the page."""


class _Page(HTMLParser):
    """Collects every text and attribute with the section that it stands in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str | None, str, str]] = []
        self._section, self._tag, self._drawing = None, "", 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag, given = tag, dict(attrs)
        self._section = given.get("id") if tag == "section" else self._section
        self._drawing += tag == "svg"
        skipped = STRUCTURE | (SHAPES if self._drawing else set())
        self.found += [(self._section, f"{tag} {n}", v) for n, v in attrs if v and n not in skipped]

    def handle_endtag(self, tag: str) -> None:
        self._section = None if tag == "section" else self._section
        self._drawing -= tag == "svg"
        self._tag = ""

    def handle_data(self, data: str) -> None:
        self.found.append((self._section, self._tag, data))

    def handle_comment(self, data: str) -> None:
        self.found.append((self._section, "comment", data))


def odd_numbers(html: str, card: dict[str, Any]) -> list[str]:
    """Every number of a card's page that nothing explains, with its surroundings."""
    known, constants, out = sections(card), _constants("card.html"), []
    for section, place, text in _Page(html).found:
        if section not in known:
            out.append(f"section {section!r} is new: say in linter.sections what it may show")
            continue
        for part in _readable(place, text, card):
            out += [
                f"{n} in {section or 'the head'}, {place}: ...{around}..." for n, around in _odd(part, known[section], constants)
            ]
    return out


def _readable(place: str, text: str, card: dict[str, Any]) -> list[str]:
    """What of a text has to be explained; what is as it must be is left out."""
    if place == "script" and text == SCRIPT:
        return []
    if place == "style":
        return [re.sub(COLOUR, "", text.replace(_template("style.css").strip(), ""))]
    if place == "meta content":
        digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
        return [text.replace(f"'sha256-{digest}'", "").replace("width=device-width, initial-scale=1", "")]
    if place.startswith("input ") and place.endswith((" min", " max", " step", " value")):
        stops = {len(PRIOR_STOPS) - 1, len(RATE_STOPS) - 1, PRIOR_STOPS.index(0.1), RATE_STOPS.index(0.01), 0, 1}
        return [] if text in map(str, stops) else [text]
    if place == "div data-curve":
        return [] if _is_curve(json.loads(text), card) else [text]
    return [text]


def _is_curve(curve: Any, card: dict[str, Any]) -> bool:
    """Whether the sliders' data are the stops and the ceilings at them, and nothing else."""
    expected = {"priors": PRIOR_STOPS, "rates": RATE_STOPS, "ceilings": [ceiling(card, fpr) for fpr in RATE_STOPS]}
    same = isinstance(curve, dict) and set(curve) == set(expected)
    return same and all(
        len(curve[n]) == len(e) and all(abs(a - b) <= 1e-9 * b for a, b in zip(curve[n], e, strict=True))
        for n, e in expected.items()
    )


def _odd(text: str, known: Known, constants: frozenset[Decimal]) -> Iterator[tuple[str, str]]:
    """Numbers of a text that are not explained, each with what stands around it."""
    if not NUMBER.search(text):
        return
    text = re.sub(r"(?<=\d)[,\u202f\u2009](?=\d{3}(?!\d))", "", text)
    text = _without(re.sub(r"\s+", " ", text), known.texts)
    for found in NUMBER.finditer(text):
        value, percent = Decimal(found[0].replace("\u2212", "-")), re.match(r"\s*%", text[found.end() :])
        if value not in (known.shares if percent else known.plain) and value not in constants:
            yield found[0], text[max(0, found.start() - 40) : found.end() + 20]


def _without(text: str, known: Iterable[str]) -> str:
    """A text without the known ones that hold digits, the longest first; also where one was cut short with an ellipsis."""
    for phrase in sorted((" ".join(k.split()) for k in known if NUMBER.search(k)), key=len, reverse=True):
        text = re.sub(rf"(?<![\w.]){re.escape(phrase)}(?!\w|\.\d)", " ", text)
        if text.strip().endswith("\u2026") and phrase.startswith(text.strip()[:-1]):
            return ""
    return text


def _template(name: str) -> str:
    return (Path(tabsynth.report.__file__).parent / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _constants(name: str) -> frozenset[Decimal]:
    """The numbers in the text of a template and of those that it names; of an expression, those in quotes or what it starts with."""
    source = re.sub(r"\{#.*?#\}", "", _template(name), flags=re.S)
    code, text = re.findall(EXPRESSION, source, re.S), re.sub(EXPRESSION, " ", source, flags=re.S)
    literals = [max(found) for part in code for found in re.findall(r'"([^"\\]*)"|^\{\{ ([\d.]+) \|', part)]
    words = [*literals, re.sub(r"<[^>]*>", " ", text)]
    others = set(re.findall(r'"(\w+\.html)"', " ".join(code))) - {name}
    return frozenset(n for part in words for n in numbers(re.sub(COLOUR, "", unescape(part)))).union(*map(_constants, others))
