"""Figures as inline SVG text. Colours, dashes and fonts are classes of style.css; every label is escaped by Markup.format.

Series are told apart by shape as well as colour: training rows are bars, holdout rows are ticks, synthetic rows are circles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from tabsynth.report.page import is_number, is_pair, percent

Points = tuple[Sequence[float], Sequence[float]]

MOST = 12
"""Categories drawn at most."""
UNSHOWN = "not shown (small-cell rule)"
"""What is said of a share that is null."""
_LOWEST = 1e-3
_LABEL = 16


def svg(
    title: str, desc: str, parts: list[Markup], *, box: tuple[float, float] | None = None, height: float = 0, css: str = ""
) -> Markup:
    """Wrap parts in an svg: scaled to its width where `box` is given, else as wide as its place with text at its own size."""
    size = Markup('viewBox="0 0 {} {}"').format(*box) if box else Markup('width="100%" height="{}"').format(height)
    return Markup('<svg role="img" class="{}" {} aria-label="{}. {}">{}</svg>').format(
        css, size, title, desc, Markup("").join(parts)
    )


def put(x: Any, y: Any, text: Any, css: str = "", anchor: str = "start") -> Markup:
    """Text at a place."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(x, y, css, anchor, text)


def line(x1: Any, y1: Any, x2: Any, y2: Any, css: str) -> Markup:
    """A straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, css)


def _path(points: Sequence[tuple[float, float]], css: str) -> Markup:
    return Markup('<path d="M{}" class="{}"/>').format("L".join(f"{x:.1f} {y:.1f}" for x, y in points), css)


def shortened(text: Any, length: int = _LABEL) -> str:
    """At most so many characters, the last one three dots where some are missing."""
    text = str(text)
    return text if len(text) <= length else text[: length - 1] + "\u2026"


def bars(rows: Sequence[tuple[str, float]], *, title: str, desc: str) -> Markup:
    """Horizontal bars, one under the other, each with its label and share above it.

    Parameters
    ----------
    rows : sequence of (label, share)
        Shares of one whole, from 0 to 1.
    """
    parts, step = [], 34
    for i, (label, share) in enumerate(rows):
        top = i * step
        parts += [
            put(0, top + 13, shortened(label, 44)),
            put("100%", top + 13, percent(share), "num", "end"),
            Markup('<rect x="0" y="{}" width="100%" height="10" class="track"/>').format(top + 19),
            Markup('<rect x="0" y="{}" width="{:.2f}%" height="10" class="bar"/>').format(top + 19, 100 * min(max(share, 0), 1)),
        ]
    return svg(title, desc, parts, height=step * len(rows), css="bars")


def swatch(css: str) -> Markup:
    """A legend's sample of a line (`curve-*`), bar (`train`), tick (`holdout`), circle (`synthetic`) or box (`unshown`)."""
    mark = {
        "train": Markup('<rect x="6" y="1" width="16" height="12" class="train"/>'),
        "holdout": line(6, 7, 22, 7, "holdout"),
        "synthetic": Markup('<circle cx="14" cy="7" r="3.5" class="synthetic"/>'),
        "unshown": Markup('<rect x="6" y="2" width="16" height="10" class="unshown"/>'),
    }.get(css, line(0, 7, 28, 7, css))
    return Markup('<svg aria-hidden="true" class="swatch" viewBox="0 0 28 14" width="28" height="14">{}</svg>').format(mark)


def points(curve: Any) -> Points | None:
    """The coordinates of a finding's ROC curve, or None where it has none."""
    curve = curve if isinstance(curve, dict) else {}
    return (curve["fpr"], curve["tpr"]) if curve.get("fpr") and curve.get("tpr") else None


def roc(
    curves: Sequence[tuple[str, Points]],
    *,
    title: str,
    desc: str,
    log: bool = False,
    bounds: Sequence[tuple[str, Callable[[float], float]]] = (),
    point: tuple[float, float, Sequence[float]] | None = None,
) -> Markup:
    """ROC curves in a square, with the chance diagonal.

    Parameters
    ----------
    curves : sequence of (class, (fpr, tpr))
    log : bool
        Logarithmic axes from 0.1 % to 100 %; smaller values are drawn on the edge.
    bounds : sequence of (class, function of fpr)
        Curves of a guarantee or tolerance.
    point : (fpr, tpr, (low, high)), optional
        A measured rate with its interval.
    """
    left, top, side = 52, 10, 340

    def place(fpr: float, tpr: float) -> tuple[float, float]:
        return left + side * _along(fpr, log), top + side * (1 - _along(tpr, log))

    parts = _axes(place, (0.001, 0.01, 0.1, 1.0) if log else (0.0, 0.25, 0.5, 0.75, 1.0), left, top, side)
    grid = [10 ** (-3 + 3 * i / 60) if log else i / 60 for i in range(61)]
    lines = [("curve-chance", (grid, grid))]
    lines += [(css, (grid[:-1], [function(f) for f in grid[:-1]])) for css, function in bounds]
    for css, (fpr, tpr) in [*lines, *curves]:
        pairs = [place(f, t) for f, t in zip(fpr, tpr, strict=False) if is_number(f) and is_number(t)]
        if pairs:
            parts.append(_path(_thinned(pairs), css))
    if point is not None:
        parts += _whisker_point(place, point)
    return svg(title, desc, parts, box=(left + side + 24, top + side + 46), css="roc")


def _thinned(pairs: Sequence[tuple[float, float]], least: float = 1.5) -> list[tuple[float, float]]:
    """Without the points that lie nearer than `least` to the last one kept, in the picture's units; the ends stay."""
    kept = [pairs[0]]
    for pair in pairs[1:-1]:
        if math.dist(pair, kept[-1]) >= least:
            kept.append(pair)
    return [*kept, pairs[-1]]


def _along(rate: float, log: bool) -> float:
    """Where a rate lies on an axis from 0 to 1."""
    return 1 - math.log10(min(max(rate, _LOWEST), 1.0)) / math.log10(_LOWEST) if log else min(max(rate, 0.0), 1.0)


def _axes(place: Callable, ticks: Sequence[float], left: float, top: float, side: float) -> list[Markup]:
    parts = []
    for tick in ticks:
        x, y = place(tick, tick)
        label = f"{100 * tick:g}\u00a0%"
        parts += [line(x, top, x, top + side, "grid"), line(left, y, left + side, y, "grid")]
        parts += [put(x, top + side + 18, label, "num", "middle"), put(left - 6, y + 4, label, "num", "end")]
    middle = top + side / 2
    turned = Markup('<text transform="translate(12 {}) rotate(-90)" text-anchor="middle">True-positive rate</text>').format(
        middle
    )
    return [*parts, put(left + side / 2, top + side + 40, "False-positive rate", "", "middle"), turned]


def _whisker_point(place: Callable, point: tuple[float, float, Sequence[float]]) -> list[Markup]:
    fpr, tpr, (low, high) = point
    (x, y), (_, y_low), (_, y_high) = place(fpr, tpr), place(fpr, low), place(fpr, high)
    parts = [line(x, y_low, x, y_high, "whisker"), line(x - 5, y_low, x + 5, y_low, "whisker")]
    parts.append(line(x - 5, y_high, x + 5, y_high, "whisker"))
    return [*parts, Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4.5" class="point"/>').format(x, y)]


def bins(data: dict[str, Any]) -> list[tuple[Any, float | None, float | None, float | None]]:
    """Label and the three shares of each bin that holds a row of any table, or may: a null share is not shown. Unusable ones count as 0."""
    series = (
        [share if share is None or is_number(share) else 0.0 for share in data.get(part) or []]
        for part in ("train", "holdout", "synthetic")
    )
    labels = ["not shown" if label is None else label for label in data.get("bins") or []]
    return [row for row in zip(labels, *series, strict=False) if any(share is None or share for share in row[1:])]


def histogram(data: dict[str, Any], *, title: str, desc: str) -> Markup:
    """Shares per bin of a numeric column: bars for training rows, ticks for holdout rows, circles for synthetic rows."""
    rows = bins(data)
    width, top, height = 300.0, 16.0, 104.0
    base, most, step = top + height, _largest(rows), (width - 8) / max(len(rows), 1)
    parts, circles = [line(0, top, width, top, "grid"), put(0, top - 5, percent(most), "num")], []
    for i, (label, *shares) in enumerate(rows):
        x, half = 4 + (i + 0.5) * step, 0.36 * step
        train, holdout, synthetic = (base - height * (share or 0) / most for share in shares)
        box = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}"/>')
        marks = [box.format(x - half, train, 2 * half, base - train, "train")]
        if shares[1] is not None:
            marks.append(line(f"{x - half:.1f}", f"{holdout:.1f}", f"{x + half:.1f}", f"{holdout:.1f}", "holdout"))
        if None in shares[:2]:
            marks.append(box.format(x - half, base - 9, 2 * half, 8, "unshown"))
        parts.append(_group(label, shares, Markup("").join(marks)))
        circles.append((x, synthetic))
    if circles:
        parts.append(_path(circles, "synthetic-line"))
    parts += [Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.4" class="synthetic"/>').format(x, y) for x, y in circles]
    parts.append(line(0, base, width, base, "axis"))
    parts += [
        put(x, base + 16, shortened(label, 20), "num", anchor) for label, x, anchor in _ends([row[0] for row in rows], width)
    ]
    return svg(title, desc, parts, box=(width, base + 22), css="histogram")


def _largest(rows: Sequence[tuple]) -> float:
    return max((share for row in rows for share in row[1:] if share), default=1.0)


def _group(label: Any, shares: Sequence[float], marks: Markup) -> Markup:
    """Marks of one bin, with its numbers to show on hovering."""
    train, holdout, synthetic = (UNSHOWN if share is None else percent(share) for share in shares)
    tip = f"{label}: training {train}, holdout {holdout}, synthetic {synthetic}"
    return Markup("<g><title>{}</title>{}</g>").format(tip, marks)


def _ends(labels: Sequence[Any], width: float) -> list[tuple[Any, float, str]]:
    """Which labels to write under a histogram: the two ends, and the middle one where all three fit."""
    n = len(labels)
    if n < 2:
        return [(label, 0.0, "start") for label in labels]
    ends = [(labels[0], 0.0, "start"), (labels[n // 2], width / 2, "middle"), (labels[-1], width, "end")]
    return ends if n > 2 and max(len(str(label)) for label, _, _ in ends) <= 10 else [ends[0], ends[2]]


def categories(data: dict[str, Any], *, title: str, desc: str) -> Markup:
    """Shares per category, one under the other: the `MOST` largest, in their order."""
    rows = bins(data)
    shown = sorted(sorted(range(len(rows)), key=lambda i: -max(share or 0 for share in rows[i][1:]))[:MOST])
    most, parts = _largest(rows), []
    for place, i in enumerate(shown):
        label, *shares = rows[i]
        y, (train, holdout, synthetic) = 20 * place + 10, (54 * (share or 0) / most for share in shares)
        marks = [
            put("42%", y + 4, shortened(label), "", "end"),
            Markup('<rect x="44%" y="{}" width="{:.2f}%" height="12" class="train"/>').format(y - 6, train),
            "" if shares[1] is None else line(f"{44 + holdout:.2f}%", y - 8, f"{44 + holdout:.2f}%", y + 8, "holdout"),
            Markup('<rect x="44%" y="{}" width="5%" height="10" class="unshown"/>').format(y - 5) if None in shares[:2] else "",
            Markup('<circle cx="{:.2f}%" cy="{}" r="3.2" class="synthetic"/>').format(44 + synthetic, y),
        ]
        parts.append(_group(label, shares, Markup("").join(marks)))
    parts.append(line("44%", 0, "44%", 20 * len(shown), "axis"))
    return svg(title, desc, parts, height=20 * len(shown), css="categories")


def heatmap(columns: Sequence[str], pairs: Sequence[dict[str, Any]], *, title: str, desc: str) -> Markup:
    """A triangle of pair values with the column names on its diagonal; numbers are percent where the cells are large enough."""
    cell = 36 if len(columns) <= 20 else 14
    index = {name: i for i, name in enumerate(columns)}
    most = max([p["value"] for p in pairs if is_number(p.get("value"))], default=0) or 1.0
    parts = []
    for pair in pairs:
        a, b = sorted(index.get(name, -1) for name in pair.get("columns", (None, None)))
        if a < 0 or not is_number(pair.get("value")):
            continue
        x, y, value = a * cell, b * cell, pair["value"]
        tip = f"{columns[a]} and {columns[b]}: {percent(value)}, training rows {percent(pair.get('reference'))}"
        parts.append(
            Markup('<g><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" class="cell"/>').format(
                tip, x, y, cell - 1, cell - 1
            )
            + Markup('<rect x="{}" y="{}" width="{}" height="{}" class="heat" fill-opacity="{:.2f}"/>').format(
                x, y, cell - 1, cell - 1, 0.55 * value / most
            )
            + (put(x + cell / 2, y + cell / 2 + 4, f"{100 * value:.1f}", "num", "middle") if cell > 20 else "")
            + Markup("</g>")
        )
    parts += [put(i * cell + 5, i * cell + cell / 2 + 4, shortened(name, 24), "name") for name, i in index.items()]
    width, height = cell * len(columns) + 165, cell * len(columns)
    return Markup('<div style="width:{}px">{}</div>').format(width, svg(title, desc, parts, box=(width, height), css="heatmap"))


def whisker(value: Any, pair: Any, *, low: float, high: float, mark: float | None = None) -> Markup:
    """A value and its interval on an axis from `low` to `high`, with a reference mark. The numbers stand in the table beside it."""
    if not is_number(value):
        return Markup("")

    def at(v: float) -> str:
        return f"{2 + 96 * min(max((v - low) / (high - low), 0), 1):.1f}%"

    parts = [line("2%", 10, "98%", 10, "grid")]
    if mark is not None:
        parts.append(line(at(mark), 2, at(mark), 18, "mark"))
    if is_pair(pair):
        parts.append(line(at(pair[0]), 10, at(pair[1]), 10, "whisker"))
    parts.append(Markup('<circle cx="{}" cy="10" r="4" class="point"/>').format(at(value)))
    return Markup('<svg aria-hidden="true" class="whisker-row" width="100%" height="20">{}</svg>').format(Markup("").join(parts))
