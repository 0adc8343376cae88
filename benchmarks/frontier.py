"""Utility against epsilon: our engines and the peers that are quick enough, with what real rows give as ceiling and floor.

    python benchmarks/frontier.py --data ../shared [--models mst,aim] [--epsilons 0.1,0.3,1,3,10] [--seeds 1] [--peers dpmm-mst,smartnoise-mst]
                                  [--task adult] [--limit 1200] [--environments DIR] [--again]

Writes ``results/frontier_TASK.json`` (runs it already holds are not repeated) and a picture, ``results/frontier_TASK.svg``. See peers.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from statistics import mean
from typing import Any

from _engines import NOT_PRIVATE, PEERS, REAL, everything, key
from _machine import RESULTS
from peers import chosen, compare, parser

from tabsynth.models import MODELS

CHEAP = "dpmm-mst,smartnoise-mst"
PANELS = (
    ("auc_hgb", "AUC of boosting on held-out rows", "higher is better", "trained on real rows"),
    ("tvd3", "Distance of 3-column tables to held-out rows", "lower is better", "real training rows"),
)
COLOURS = ("#0072b2", "#d55e00", "#007a5a", "#b0578d", "#7a4b00", "#3f3f3f", "#4d4dc4", "#a00000")
SHAPES = ("circle", "square", "up", "diamond", "down", "cross", "ring", "bar")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 560, 460, 60, 74, 56
STYLE = (
    "text{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#222}.small{font-size:12px;fill:#555}.head{font-size:15px;font-weight:600}"
    ".grid{stroke:#e3e3e3}.real{stroke:#222;stroke-width:1.5;stroke-dasharray:2 4}"
)
Series = dict[str, list[tuple[float, float, float, float]]]
"""Engine -> (epsilon, mean, smallest, largest) in the order of epsilon."""


def series(runs: list[dict[str, Any]], score: str) -> Series:
    """Scores of the private engines that finished, over seeds."""
    found: dict[tuple[str, float], list[float]] = {}
    for run in runs:
        if run["engine"] not in NOT_PRIVATE and run["ended"] == "finished":
            found.setdefault((run["engine"], run["epsilon"]), []).append(run[score])
    out: Series = {}
    for (engine, epsilon), values in sorted(found.items(), key=lambda item: item[0][1]):
        out.setdefault(engine, []).append((epsilon, mean(values), min(values), max(values)))
    return out


def reference(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of the real rows, or nothing."""
    return next((r for r in runs if r["engine"] == REAL and r["ended"] == "finished"), {})


def table(runs: list[dict[str, Any]], epsilons: Sequence[float]) -> str:
    """A markdown table: AUC and 3-column distance of each engine at each epsilon."""
    auc, tvd = (series(runs, score) for score in ("auc_hgb", "tvd3"))
    real = reference(runs)
    rows = [["AUC boosting / TVD3", *(f"epsilon {e:g}" for e in epsilons)], ["---"] * (len(epsilons) + 1)]
    if real:
        rows.append(["real rows: ceiling / floor", *[f"{real['auc_hgb']:.3f} / {real['tvd3']:.3f}"] * len(epsilons)])
    for engine in dict.fromkeys(r["engine"] for r in runs if r["engine"] not in NOT_PRIVATE):
        at = {a[0]: f"{a[1]:.3f} / {t[1]:.3f}" for a, t in zip(auc.get(engine, []), tvd.get(engine, []), strict=True)}
        rows.append([engine, *(at.get(e, "–") for e in epsilons)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def picture(runs: list[dict[str, Any]], title: str) -> str:
    """The frontier as SVG: two panels side by side, each line named at its end."""
    real = reference(runs)
    panels = "".join(
        f'<g transform="translate({i * WIDTH} 0)">{panel(series(runs, score), heading, better, real.get(score), name)}</g>'
        for i, (score, heading, better, name) in enumerate(PANELS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" role="img" width="{2 * WIDTH}" height="{HEIGHT}">'
        f'<title>{escape(title)}</title><style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="14" y="24" class="head">{escape(title)}</text>{panels}</svg>\n'
    )


def panel(lines: Series, heading: str, better: str, real: float | None, real_name: str) -> str:
    """One score against epsilon on a logarithmic axis."""
    right, low = WIDTH - 46 - 7.6 * max(map(len, lines), default=0), HEIGHT - BOTTOM
    values = [v for points in lines.values() for point in points for v in point[1:]] + ([real] if real is not None else [])
    epsilons = sorted({point[0] for points in lines.values() for point in points}) or [1.0]
    ticks = nice(min(values, default=0.0), max(values, default=1.0))
    first, last = math.log(epsilons[0]), math.log(epsilons[-1])

    def x(epsilon: float) -> float:
        return LEFT + 14 + (right - LEFT - 28) * (0.5 if first == last else (math.log(epsilon) - first) / (last - first))

    def y(value: float) -> float:
        return low - (low - TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [f'<text x="14" y="52">{escape(heading)} <tspan class="small">({better})</tspan></text>']
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end" class="small">{tick:g}</text>')
    for epsilon in epsilons:
        parts.append(f'<text x="{x(epsilon):.1f}" y="{low + 20}" text-anchor="middle" class="small">{epsilon:g}</text>')
        parts.append(f'<line x1="{x(epsilon):.1f}" x2="{x(epsilon):.1f}" y1="{low}" y2="{low + 5}" stroke="#999"/>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{low + 42}" text-anchor="middle">epsilon (logarithmic; delta 1e-6)</text>')
    if real is not None:
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(real):.1f}" y2="{y(real):.1f}" class="real"/>')
        parts.append(f'<text x="{LEFT + 4}" y="{y(real) - 6:.1f}" class="small">{escape(real_name)}: {real:.3f}</text>')
    ends = spread({engine: y(points[-1][1]) for engine, points in lines.items()}, TOP + 4, low - 2)
    for engine, points in lines.items():
        places = [(x(e), y(v), y(a), y(b)) for e, v, a, b in points]
        parts.append(drawn(engine, places, (right + 10, ends[engine])))
    return "".join(parts)


def drawn(engine: str, places: list[tuple[float, float, float, float]], label: tuple[float, float]) -> str:
    """One engine's line, whiskers over seeds, marks and name; ours are solid, peers dashed."""
    position = [e for e in everything() if e not in NOT_PRIVATE].index(engine)
    colour, shape = COLOURS[position % len(COLOURS)], SHAPES[position % len(SHAPES)]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b, *_ in places)
    dash = "" if engine in MODELS else ' stroke-dasharray="6 4"'
    end_x, end_y, *_ = places[-1]
    parts = [
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{2.4 if engine in MODELS else 1.6}"{dash}/>',
        f'<path d="M{end_x + 7:.1f} {end_y:.1f}L{label[0] - 4:.1f} {label[1] - 4:.1f}" stroke="{colour}" stroke-width="0.7" opacity="0.6"/>',
        *(f'<path d="M{a:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>' for a, _, low, high in places if abs(low - high) > 1),
        *(mark(shape, a, b, colour) for a, b, *_ in places),
        f'<text x="{label[0] + 16}" y="{label[1]:.1f}" style="fill:{colour};font-weight:{600 if engine in MODELS else 400}">'
        f"{escape(engine)}</text>",
        mark(shape, label[0] + 5, label[1] - 4, colour),
    ]
    return "".join(parts)


def mark(shape: str, x: float, y: float, colour: str) -> str:
    """A mark of about nine pixels."""
    if shape in ("circle", "ring"):
        fill = colour if shape == "circle" else "#fff"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    path = {
        "square": "M-4-4h8v8h-8z",
        "up": "M0-5.5L5.2 4H-5.2z",
        "down": "M0 5.5L5.2-4H-5.2z",
        "diamond": "M0-6L5 0L0 6L-5 0z",
        "cross": "M-4.5-4.5L4.5 4.5M-4.5 4.5L4.5-4.5",
        "bar": "M-5-2h10v4h-10z",
    }[shape]
    return f'<path d="{path}" transform="translate({x:.1f} {y:.1f})" fill="{colour}" stroke="{colour}" stroke-width="1.6"/>'


def spread(wanted: dict[str, float], top: float, bottom: float, gap: float = 17) -> dict[str, float]:
    """Heights near the wanted ones, inside the panel and at least `gap` apart where they fit."""
    names = sorted(wanted, key=wanted.__getitem__)
    gap = min(gap, (bottom - top) / max(len(names) - 1, 1))
    placed: dict[str, float] = {}
    for i, name in enumerate(names):
        lowest = top if not i else placed[names[i - 1]] + gap
        placed[name] = min(max(wanted[name] + 4, lowest), bottom - gap * (len(names) - 1 - i))
    return placed


def nice(low: float, high: float) -> list[float]:
    """Round axis ticks that enclose a range: four to nine of them."""
    step = 10 ** math.floor(math.log10(max(high - low, 1e-6)))
    step *= next(f for f in (0.2, 0.5, 1.0, 2.0) if (high - low) / (step * f) <= 7)
    return [round(step * i, 10) for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def main() -> None:
    """Measure, keep, print and draw."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--models", help="engines of ours, separated by commas; default: all")
    options_of.add_argument("--epsilons", default="0.1,0.3,1,3,10")
    options_of.add_argument("--peers", default=CHEAP)
    options = options_of.parse_args()
    private = [p for p in PEERS if p not in NOT_PRIVATE]
    names = chosen(options.models, list(MODELS)) + (chosen(options.peers, private) if options.peers else [])
    epsilons = [float(e) for e in options.epsilons.split(",")]
    keys = [key(REAL, 0, 0)] + [key(n, e, seed) for n in names for e in epsilons for seed in range(options.seeds)]
    runs = compare(f"frontier_{options.task}", keys, options, {})
    out = RESULTS / f"frontier_{options.task}.svg"
    out.write_text(picture(runs, f"Utility against privacy, table {options.task}"), encoding="utf-8")
    print(table(runs, epsilons))
    print(out)


if __name__ == "__main__":
    main()
