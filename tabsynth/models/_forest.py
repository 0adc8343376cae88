"""Forests over columns: which pairs join trees, and the order to walk them in."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence

from tabsynth.access import Attrs
from tabsynth.models._state import require


def spanning(pairs: Iterable[Attrs]) -> list[Attrs]:
    """Kruskal's algorithm: of pairs that come in order of preference, those that close no circle."""
    group: dict[str, str] = {}
    chosen = []
    for a, b in pairs:
        kept, merged = group.setdefault(a, a), group.setdefault(b, b)
        if kept != merged:
            chosen.append((a, b))
            group = {x: kept if g == merged else g for x, g in group.items()}
    return chosen


def outward(columns: Sequence[str], edges: Sequence[Attrs]) -> list[Attrs]:
    """(column,) for each tree's root and (parent, column) for the rest, parents before children."""
    neighbours: dict[str, list[str]] = {c: [] for c in columns}
    for a, b in edges:
        neighbours[a].append(b)
        neighbours[b].append(a)
    order: list[Attrs] = []
    seen: set[str] = set()
    for root in columns:
        queue: list[Attrs] = [] if root in seen else [(root,)]
        while queue:
            attrs = queue.pop(0)
            order.append(attrs)
            seen.add(attrs[-1])
            queue += [(attrs[-1], n) for n in neighbours[attrs[-1]] if n not in seen]
    return order


def check_outward(edges: Iterable[tuple[Hashable, Hashable]], columns: Collection[Hashable]) -> None:
    """Refuse edges from a parent (None for a root) to a child that do not reach each column once, parents first."""
    reached: set[Hashable] = {None}
    for parent, child in edges:
        require(parent in reached and child in columns and child not in reached, "a column comes twice, or before its parent")
        reached.add(child)
    require(len(reached) == len(columns) + 1, "a column is missing from the forest")
