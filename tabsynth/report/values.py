"""What the section on columns and relations draws: the worst first, real against synthetic. Reads findings, computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from tabsynth.report import figures
from tabsynth.report.page import is_number, percent
from tabsynth.report.quality import COLUMNS, RELATIONS, noise, off, worst_numbers, written

FIRST, MOST = 12, 600
"""Rows of a table, and of the one that is folded."""
_PICTURES = 4
_CELL, _LEFT, _TOP = 26, 96, 92


def values(findings: dict[str, dict], card: dict[str, Any] | None, draw: Callable[[dict[str, Any]], Markup]) -> dict[str, Any]:
    """All that the section shows.

    Parameters
    ----------
    findings : dict
        By check name.
    card : dict, optional
    draw : callable
        From a histogram of ``fidelity.tvd1`` to its picture.
    """
    columns, relations = (findings.get(check) or {} for check in (COLUMNS, RELATIONS))
    told, pairs = columns.get("details") or {}, relations.get("details") or {}
    moved, rows = noise(card), worst_numbers(columns)
    for row in rows:
        row |= {f"{part}_said": written(row, part) for part in ("train", "holdout", "synthetic")}
        row["off_said"], row["noise_said"] = off(row), percent(moved[row["column"]]) if row["column"] in moved else "\u2013"
    return {
        "any": bool(columns or relations), "rows": rows, "noise": bool(moved), "first": FIRST, "most": MOST,
        "tolerated": told.get("tolerated"), "shares": told.get("tolerated_shares"),
        "pictures": _pictures(findings.get("fidelity.tvd1"), rows, draw),
        "pairs": pairs.get("pairs") or [], "links": pairs.get("links") or [], "drawn": [_pair(t) for t in pairs.get("drawn") or []],
    }  # fmt: skip


def _pictures(
    finding: dict[str, Any] | None, rows: Sequence[dict[str, Any]], draw: Callable[[dict[str, Any]], Markup]
) -> list[dict[str, Any]]:
    """The columns furthest off, each with the number that is."""
    known = {data.get("column"): data for data in ((finding or {}).get("details") or {}).get("histograms") or []}
    worst: dict[Any, dict] = {}
    for row in rows:
        worst.setdefault(row["column"], row)
    chosen = [row for name, row in worst.items() if name in known][:_PICTURES]
    return [
        {
            "column": row["column"],
            "why": f"{row['called']}: {row['synthetic_said']}, training rows {row['train_said']}",
            "picture": draw(known[row["column"]]),
        }
        for row in chosen
    ]


def _pair(table: dict[str, Any]) -> dict[str, Any]:
    """Both tables of a pair; groups that neither has are left out."""
    labels, parts = table["labels"], {part: table[part] for part in ("train", "synthetic")}
    rows = [i for i in range(len(labels[0])) if any(v is None or v for part in parts.values() for v in part[i])]
    columns = [j for j in range(len(labels[1])) if any(line[j] is None or line[j] for part in parts.values() for line in part)]
    most = max((v for part in parts.values() for line in part for v in line if is_number(v)), default=0) or 1.0
    names = [[labels[0][i] for i in rows], [labels[1][j] for j in columns]]
    drawn = {
        part: grid(
            [[cells[i][j] for j in columns] for i in rows], names, most, title=f"{' and '.join(table['columns'])}, {part} rows"
        )
        for part, cells in parts.items()
    }
    return {"columns": table["columns"]} | drawn


def grid(cells: Sequence[Sequence[Any]], names: Sequence[Sequence[str]], most: float, *, title: str) -> Markup:
    """Shares of the rows in each combination: stronger colour is more; a share that is null is not shown.

    Parameters
    ----------
    cells : shape (rows, columns)
    names : of the rows, and of the columns
    most : float
        The share with the strongest colour.
    """
    parts = [
        figures.put(_LEFT - 6, _TOP + i * _CELL + 17, figures.shortened(name, 13), "name", "end")
        for i, name in enumerate(names[0])
    ]
    for j, name in enumerate(names[1]):
        place = Markup('<text transform="translate({} {}) rotate(-90)" class="name">{}</text>')
        parts.append(place.format(_LEFT + j * _CELL + 17, _TOP - 6, figures.shortened(name, 13)))
    for i, line in enumerate(cells):
        for j, share in enumerate(line):
            x, y = _LEFT + j * _CELL, _TOP + i * _CELL
            said = figures.UNSHOWN if share is None else percent(share)
            box = Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}/>')
            strength = Markup(' fill-opacity="{:.2f}"').format((share or 0) / most)
            marks = box.format(x, y, _CELL - 1, _CELL - 1, "cell", "")
            marks += box.format(
                x, y, _CELL - 1, _CELL - 1, "unshown" if share is None else "heat", "" if share is None else strength
            )
            parts.append(Markup("<g><title>{}, {}: {}</title>{}</g>").format(names[0][i], names[1][j], said, marks))
    box = _LEFT + _CELL * len(names[1]) + 4, _TOP + _CELL * len(names[0]) + 2
    return Markup('<div style="max-width:{}px">{}</div>').format(
        box[0], figures.svg(title, "Shares of the rows by combination of values.", parts, box=box, css="pair")
    )
