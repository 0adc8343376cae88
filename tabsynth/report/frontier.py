"""Which of several releases is beaten by another, and the picture of it: usefulness, fidelity and leakage against epsilon.

Standing is told by shape as well as colour: circles lie on the frontier, diamonds are unbeaten but have no guarantee, triangles
that point down are beaten, squares could not be judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tabsynth.report.figures import line, put, shortened, svg, swatch
from tabsynth.report.page import number, percent, rate, short

ON, APART, BEATEN, UNJUDGED = "frontier", "apart", "beaten", "unjudged"
MARGIN = 0.05
"""A number without an interval counts as uncertain by this share of itself, either way. An engineering default."""
_MARKS = {
    ON: Markup('<circle r="5" class="on-frontier"/>'),
    APART: Markup('<path d="M0 -6L6 0L0 6L-6 0Z" class="on-frontier apart"/>'),
    BEATEN: Markup('<path d="M-6 -5H6L0 6Z" class="off-frontier"/>'),
    UNJUDGED: Markup('<path d="M-5 -5H5V5H-5Z" class="off-frontier"/>'),
}
_LEFT, _RIGHT, _GAP, _BREAK = 17.0, 92.0, 5.0, 6.0
"""Of the epsilon axis, in percent of the width: its ends, least distance of two releases, room beside those with none."""
_HEIGHT, _NARROW = 124.0, 330.0
"""Of a panel, and the width in which the names must not overlap, in CSS pixels."""


@dataclass(frozen=True)
class Entry:
    """What a release cost and whether it failed.

    Parameters
    ----------
    letter, name : str
        Short and long label.
    epsilon, delta : float
        Both infinite where there is no guarantee.
    failed : frozenset of str
        Titles of the claims that it fails.
    """

    letter: str
    name: str
    epsilon: float
    delta: float
    failed: frozenset[str] = frozenset()

    @property
    def claimed(self) -> bool:
        """Whether there is a guarantee."""
        return math.isfinite(self.epsilon)

    def costs_at_most(self, other: Entry) -> bool:
        """Whether this guarantee is at least as strong: epsilon and delta are both no larger."""
        return self.epsilon <= other.epsilon and self.delta <= other.delta


@dataclass(frozen=True)
class Measured:
    """A number with its interval, and what it is read against with its own."""

    value: float
    interval: tuple[float, float] | None = None
    reference: float | None = None
    reference_interval: tuple[float, float] | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval; without one, `MARGIN` of the value either way."""
        margin = MARGIN * abs(self.value)
        return self.interval or (self.value - margin, self.value + margin)


@dataclass(frozen=True)
class Measure:
    """One number of every release.

    Parameters
    ----------
    title : str
    values : sequence of Measured or None
        One a release, in their order.
    higher : bool
        Whether higher is better.
    chance : float, optional
        What guessing reaches.
    reference : str
        Class of the line that the references are drawn with.
    log : bool
        Whether to draw shares from 0.1 % to 100 % on a logarithmic axis.
    share : bool
        Whether numbers are written in percent.
    """

    title: str
    values: Sequence[Measured | None]
    higher: bool = False
    chance: float | None = None
    reference: str = "curve-real"
    log: bool = False
    share: bool = True

    @property
    def lines(self) -> set[str]:
        """Classes of the lines that its panel draws beside the releases."""
        referred = any(value and value.reference is not None for value in self.values)
        return {*([self.reference] if referred else []), *(["curve-chance"] if self.chance is not None else [])}

    def clearly_better(self, i: int, j: int) -> bool:
        """Whether i is better than j by more than both intervals explain: they do not overlap. False without both numbers."""
        a, b = self.values[i], self.values[j]
        if a is None or b is None:
            return False
        return a.bounds[0] > b.bounds[1] if self.higher else a.bounds[1] < b.bounds[0]


def judged(measures: Sequence[Measure]) -> list[Measure]:
    """The measures that any release has a number for: those count."""
    return [measure for measure in measures if any(value is not None for value in measure.values)]


def beaten_by(releases: Sequence[Entry], measures: Sequence[Measure]) -> list[list[int]]:
    """For each release the positions of those that beat it; one that nobody beats lies on the frontier.

    One release beats another if its guarantee is at least as strong, it is clearly better in every measure
    (`Measure.clearly_better`), and it fails no claim that the other one does not fail. That is a strict partial order, so
    whatever is beaten is beaten by one that nobody beats.
    """
    everyone = range(len(releases))

    def beats(i: int, j: int) -> bool:
        better = bool(measures) and all(measure.clearly_better(i, j) for measure in measures)
        return better and releases[i].costs_at_most(releases[j]) and releases[i].failed <= releases[j].failed

    return [[i for i in everyone if beats(i, j)] for j in everyone]


def no_gain_over(releases: Sequence[Entry], measures: Sequence[Measure]) -> list[list[int]]:
    """For each release those with a stronger guarantee that fail no other claim and are in no measure clearly worse."""

    def spares(i: int, j: int) -> bool:
        a, b = releases[i], releases[j]
        known = bool(measures) and all(measure.values[i] and measure.values[j] for measure in measures)
        cheaper = a.costs_at_most(b) and not b.costs_at_most(a) and a.failed <= b.failed
        return known and cheaper and not any(measure.clearly_better(j, i) for measure in measures)

    everyone = range(len(releases))
    return [[i for i in everyone if spares(i, j)] for j in everyone]


def standings(releases: Sequence[Entry], measures: Sequence[Measure]) -> list[str]:
    """For each release `ON`, `BEATEN`, `APART` (unbeaten without a guarantee), or `UNJUDGED` where a number is missing."""
    beaten = beaten_by(releases, measures)
    known = [bool(measures) and all(measure.values[i] is not None for measure in measures) for i in range(len(releases))]
    unbeaten = [ON if release.claimed else APART for release in releases]
    return [UNJUDGED if not known[i] else BEATEN if beaten[i] else unbeaten[i] for i in range(len(releases))]


def mark(kind: str) -> Markup:
    """A legend's sample of a mark or a line of the picture."""
    if kind not in _MARKS:
        return swatch(kind)
    frame = '<svg aria-hidden="true" class="swatch" viewBox="-14 -7 28 14" width="28" height="14">{}</svg>'
    return Markup(frame).format(_MARKS[kind])


def frontier(releases: Sequence[Entry], panels: Sequence[tuple[Measure, bool]], standing: Sequence[str], *, desc: str) -> Markup:
    """The picture: panels that share a logarithmic epsilon axis; releases without a guarantee stand apart at its right end.

    Parameters
    ----------
    releases : sequence of Entry
    panels : sequence of (Measure, bool)
        And whether to join the releases on the frontier.
    standing : sequence of str
        See `standings`.
    desc : str
        What the picture shows, in words.
    """
    across = _across([release.epsilon for release in releases])
    names, top = _names(releases, across)
    parts: list[Markup] = []
    for measure, joined in panels:
        parts += _panel(measure, joined, releases, across, standing, top)
        top += _HEIGHT + 66
    bottom = top - 28
    guides = [line(f"{x:.2f}%", 18, f"{x:.2f}%", bottom, "guide") for x in across]
    parts = [*guides, *names, *parts, *_epsilon_axis(releases, across, bottom)]
    return svg("Usefulness, fidelity and leakage against epsilon", desc, parts, height=bottom + 44, css="frontier")


def _across(epsilons: Sequence[float]) -> list[float]:
    """Where each release stands, in percent of the width: logarithmic, at least `_GAP` apart."""
    order = sorted(range(len(epsilons)), key=lambda i: epsilons[i])
    claimed = [i for i in order if math.isfinite(epsilons[i])]
    rest = order[len(claimed) :]
    end = _RIGHT - ((len(rest) - 1) * _GAP + 2 * _BREAK if rest else 0)
    place = _scale([epsilons[i] for i in claimed], end)
    out = {i: place(epsilons[i]) for i in claimed}
    for before, i in pairwise(claimed):
        out[i] = max(out[i], out[before] + _GAP)
    limit = end
    for i in reversed(claimed):
        out[i] = limit = min(out[i], limit)
        limit -= _GAP
    out |= {i: _RIGHT - _GAP * (len(rest) - 1 - k) for k, i in enumerate(rest)}
    return [out[i] for i in range(len(epsilons))]


def _scale(claimed: Sequence[float], end: float) -> Callable[[float], float]:
    """From a finite epsilon to percent of the width."""
    low, high = (math.log(f(claimed)) if claimed else 0.0 for f in (min, max))
    if high - low < 1e-9:
        return lambda epsilon: (_LEFT + end) / 2
    return lambda epsilon: _LEFT + (end - _LEFT) * (math.log(epsilon) - low) / (high - low)


def _names(releases: Sequence[Entry], across: Sequence[float]) -> tuple[list[Markup], float]:
    """Every release's name over its place, in as many rows as it takes, and where they end."""
    taken: list[list[tuple[float, float]]] = []
    parts = []
    for i in sorted(range(len(releases)), key=lambda i: across[i]):
        text, x = f"{releases[i].letter} {shortened(releases[i].name, 20)}", across[i]
        width = 100 * (6.9 * len(text) + 10) / _NARROW
        anchor, start = ("start", x) if x < 40 else ("middle", x - width / 2) if x < 62 else ("end", x - width)
        row = next((r for r, used in enumerate(taken) if all(start >= b or start + width <= a for a, b in used)), len(taken))
        taken += [[]] if row == len(taken) else []
        taken[row].append((start, start + width))
        parts.append(put(f"{x:.2f}%", 14 + 17 * row, text, "label", anchor))
    return parts, 14 + 17 * len(taken) + 8.0


def _panel(
    measure: Measure, joined: bool, releases: Sequence[Entry], across: Sequence[float], standing: Sequence[str], top: float
) -> list[Markup]:
    """One measure of every release, with what it is read against."""
    ticks, height = _height(measure)
    top += 38

    def y(value: float) -> float:
        return round(top + _HEIGHT * (1 - height(value)), 1)

    write: Callable = (
        rate
        if measure.log
        else (lambda v: percent(v, 0 if ticks[-1] >= 0.1 else 1))
        if measure.share
        else (lambda v: number(v, 2))
    )
    parts = [put(0, top - 24, measure.title, "label")]
    for tick in ticks:
        parts += [line(0, y(tick), "100%", y(tick), "grid"), put(0, y(tick) - 4, write(tick), "num")]
    if measure.chance is not None:
        parts.append(line(f"{_LEFT - 5}%", y(measure.chance), "100%", y(measure.chance), "curve-chance"))
    parts += _references(measure, across, y)
    if joined:
        on = [i for i in sorted(range(len(releases)), key=lambda i: across[i]) if standing[i] == ON]
        ends = [(f"{across[i]:.2f}%", y(measure.values[i].value)) for i in on if measure.values[i]]
        parts += [line(*a, *b, "frontier-line") for a, b in pairwise(ends)]
    for release, x, value, kind in zip(releases, across, measure.values, standing, strict=True):
        parts.append(_point(release, f"{x:.2f}%", value, kind, y, measure.log) if value else _absent(release, f"{x:.2f}%", top))
    return parts


def _height(measure: Measure) -> tuple[list[float], Callable[[float], float]]:
    """Ticks of a panel's axis, and from a value to its height there from 0 to 1."""
    if measure.log:
        return [0.001, 0.01, 0.1, 1.0], lambda v: 1 - math.log10(min(max(v, 1e-3), 1.0)) / -3
    seen = [
        v
        for m in measure.values
        if m
        for v in (m.value, m.reference, *(m.interval or ()), *(m.reference_interval or ()))
        if v is not None
    ]
    seen += [measure.chance] if measure.chance is not None else []
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    low = low if measure.higher or not measure.share else min(0.0, low)
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-6) / 2))
    step *= next(k for k in (1, 2, 5, 10) if (high - low) / (k * step) <= 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [step * i for i in range(first, last + 1)], lambda v: (v / step - first) / (last - first)


def _references(measure: Measure, across: Sequence[float], y: Callable[[float], float]) -> list[Markup]:
    """What the values are read against: one line and band across where it is the same for all, else a piece at each release."""
    pairs = [(x, value) for x, value in zip(across, measure.values, strict=True) if value and value.reference is not None]
    same = len({(value.reference, value.reference_interval) for _, value in pairs}) == 1 and len(pairs) > 1
    pieces = [(_LEFT - 5, 100.0, pairs[0][1])] if same else [(x - 3, x + 3, value) for x, value in pairs]
    parts = []
    for start, end, value in pieces:
        if value.reference_interval:
            low, high = map(y, value.reference_interval)
            parts.append(
                Markup('<rect x="{:.2f}%" y="{}" width="{:.2f}%" height="{:.1f}" class="band"/>').format(
                    start, high, end - start, low - high
                )
            )
        parts.append(line(f"{start:.2f}%", y(value.reference), f"{end:.2f}%", y(value.reference), measure.reference))
    return parts


def _point(release: Entry, x: str, value: Measured, kind: str, y: Callable[[float], float], below: bool) -> Markup:
    """A release's mark with its letter and whisker; its numbers show on hovering, and stand in the tables."""
    at = y(value.value)
    whisker = [line(x, y(value.interval[0]), x, y(value.interval[1]), "whisker")] if value.interval else []
    frame = '<g>{}<svg aria-hidden="true" x="{}" y="{}">{}</svg><text x="{}" dx="7" y="{}" class="letter">{}</text></g>'
    return Markup(frame).format(Markup("").join(whisker), x, at, _MARKS[kind], x, at + (16 if below else -6), release.letter)


def _absent(release: Entry, x: str, top: float) -> Markup:
    return put(x, top + _HEIGHT - 5, f"{release.letter} \u2013", "letter", "middle")


def _epsilon_axis(releases: Sequence[Entry], across: Sequence[float], y: float) -> list[Markup]:
    """Ticks of the claimed epsilons, and the place of those without."""
    claimed = sorted(release.epsilon for release in releases if release.claimed)
    rest = [x for x, release in zip(across, releases, strict=True) if not release.claimed]
    parts = [line(0, y, "100%", y, "axis")]
    if rest:
        cut = min(rest) - _BREAK
        parts += [
            put(f"{sum(rest) / len(rest):.2f}%", y + 18, "none", "num", "middle"),
            line(f"{cut:.2f}%", 18, f"{cut:.2f}%", y, "axis break"),
        ]
    if claimed:
        place = _scale(claimed, _RIGHT - ((len(rest) - 1) * _GAP + 2 * _BREAK if rest else 0))
        parts += [put(f"{place(tick):.2f}%", y + 18, short(tick), "num", "middle") for tick in _epsilons(claimed, place)]
    return [*parts, put(0, y + 38, "Epsilon, logarithmic: lower is more private", "label")]


def _epsilons(claimed: Sequence[float], place: Callable[[float], float]) -> list[float]:
    """What to write on the axis: the epsilons themselves where they lie well apart, else round values between their ends."""
    own, low, high = sorted(set(claimed)), min(claimed), max(claimed)
    if all(place(b) - place(a) >= 2 * _GAP for a, b in pairwise(own)):
        return own
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [k * 10.0**p for p in powers for k in steps if low * (1 - 1e-9) <= k * 10.0**p <= high * (1 + 1e-9)]
        if len(ticks) <= 7:
            break
    return ticks if len(ticks) > 1 else [low, high]
