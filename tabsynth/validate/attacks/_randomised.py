"""NOT PRIVATE. Exact inference from the split: who is a member was drawn at random, so counts of members are hypergeometric.

Nothing is assumed of the records: what is counted (a record is copied, or linked) and what it is stratified by have to be the same
whoever had been drawn, given that the synthetic table knows nothing of the draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabsynth.validate.intervals import Interval

_TAIL = 12.0
"""Standard deviations beyond which a hypergeometric distribution is cut off: less than 1e-30 lies there."""


def attributable(members: int, n_members: int, others: int, n_others: int, level: float) -> Interval:
    """Interval of how many of the members counted owe it to their membership.

    Had none of them been a member, ``members - a`` of the members would have been counted, by coincidence as the others were; together
    with those `others` they are units of which membership knows nothing, so that the members among them are hypergeometric. The
    interval is of all a that this does not reject. It is exact: its two ends err with probability at most ``(1 - level) / 2`` each.
    Below 0 where fewer are counted than would have been without membership.

    Parameters
    ----------
    members, n_members : int
        Members counted, of how many.
    others, n_others : int
        The same for non-members.
    level : float

    References
    ----------
    Rosenbaum (2001), Effects attributable to treatment, Biometrika 88(1), section 2.
    """
    from scipy.stats import hypergeom

    tail, total = (1 - level) / 2, n_members + n_others

    def at_least(a: int) -> float:
        return float(hypergeom.sf(members - a - 1, total, members - a + others, n_members))

    def at_most(a: int) -> float:
        return float(hypergeom.cdf(members - a, total, members - a + others, n_members))

    low, high = members - n_members, members
    return _first(lambda a: at_least(a) > tail, low, high), _last(lambda a: at_most(a) > tail, low, high)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Smallest whole number of low ... high for which `holds`, which once true stays so and is true at `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Largest for which `holds`, which once false stays so and is true at `low`."""
    return -_first(lambda a: holds(-a), -high, -low)


def stratified(counted: np.ndarray, member: np.ndarray, strata: np.ndarray, level: float) -> tuple[float, Interval]:
    """Excess of the share of members counted over that of the others, within strata, and its interval.

    The value is that of Mantel and Haenszel. Without an effect of membership, the members counted in a stratum are hypergeometric,
    and their sum over strata is convolved from these: the interval excludes 0 with probability at most ``(1 - level) / 2`` on
    each side, exactly. Its ends are those of the same distribution moved to the value.

    Parameters
    ----------
    counted, member : ndarray of bool, shape (units,)
    strata : ndarray of int, shape (units,)
        0, 1, ...; the same whoever is a member.
    level : float

    References
    ----------
    Mantel and Haenszel (1959), JNCI 22(4); Greenland and Robins (1985), Biometrics 41(1).
    """
    sizes, marked, members = (np.bincount(strata, weights).astype(int) for weights in (np.ones(len(strata)), counted, member))
    first, chances = 0, np.ones(1)
    for drawn in zip(sizes, marked, members, strict=True):
        start, part = _hypergeometric(*map(int, drawn))
        first, chances = first + start, np.convolve(chances, part)
    weight, seen, tail = float((members * (sizes - members) / sizes).sum()), int((counted & member).sum()), (1 - level) / 2
    if not weight > 0:
        return 0.0, (-1.0, 1.0)
    below, above = np.cumsum(chances), np.cumsum(chances[::-1])[::-1]
    highest = first + int((above > tail).sum()) - 1  # P(at least that many) > tail
    lowest = first + int((below <= tail).sum())  # P(at most that many) > tail
    mean = float((marked * members / sizes).sum())
    value, low, high = (min(1.0, max(-1.0, (seen - expected) / weight)) for expected in (mean, highest, lowest))
    return value, (low, high)


def _hypergeometric(size: int, marked: int, drawn: int) -> tuple[int, np.ndarray]:
    """Distribution of how many of the marked units are drawn: the least that matters, and the chances from there on."""
    from scipy.stats import hypergeom

    share = marked / size
    centre, spread = drawn * share, (drawn * share * (1 - share) * (size - drawn) / max(size - 1, 1)) ** 0.5
    low = max(0, marked + drawn - size, int(centre - _TAIL * spread - _TAIL))
    high = min(marked, drawn, int(centre + _TAIL * spread + _TAIL))
    return low, hypergeom.pmf(np.arange(low, high + 1), size, marked, drawn)
