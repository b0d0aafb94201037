"""A share that was observed, and what it may truly be: exact binomial intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import msgspec

_TAIL = 0.025
"""Of each side of a 95 % interval."""
_HALVINGS = 60
_MANY = 10_000
"""With a variance above it the exact interval is not added up: it would take seconds and differ in no digit told."""
_Z = 1.96


class Interval(msgspec.Struct, frozen=True):
    """A share, and the 95 % interval around it.

    Attributes:
        share: What was observed; 0 of nothing.
        low: The lower end.
        high: The upper end.
    """

    share: float
    low: float
    high: float


def interval(hits: int, tries: int) -> Interval:
    """The exact 95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934).

    Of very many it is Wilson's with its continuity correction (R. Newcombe, Statistics in Medicine 17, 1998).

    Args:
        hits: How many were.
        tries: Of how many; of none nothing is known.
    """
    if not tries:
        return Interval(0.0, 0.0, 1.0)
    if hits * (tries - hits) > _MANY * tries:
        return _wilson(hits, tries)
    low = 0.0 if not hits else _solve(lambda p: 1 - below(hits - 1, tries, p) <= _TAIL)
    high = 1.0 if hits == tries else _solve(lambda p: below(hits, tries, p) >= _TAIL)
    return Interval(hits / tries, low, high)


def _wilson(hits: int, tries: int) -> Interval:
    share, square = hits / tries, _Z * _Z
    around, below_it = 4 * tries * share * (1 - share), 2 * (2 * share - 1)
    low, high = (
        (2 * tries * share + square + sign * (1 + _Z * math.sqrt(square - sign * below_it - 1 / tries + around)))
        / (2 * (tries + square))
        for sign in (-1, 1)
    )
    return Interval(share, low, high)


def ranks(count: int, share: float) -> tuple[int, int]:
    """The ranks of the two values, of so many in order, that hold a quantile between them in 95 % of samples.

    Distribution-free (W. Thompson, Annals of Mathematical Statistics 7, 1936), and exact as far as `interval` is.

    Args:
        count: How many values there are.
        share: Which quantile, between 0 and 1.

    Returns:
        Ranks from 1 on; 0: not even the least is low enough; count + 1: not even the greatest is high enough.
    """
    if count * share * (1 - share) > _MANY:
        away = _Z * math.sqrt(count * share * (1 - share)) + 1
        return math.floor(count * share - away), math.ceil(count * share + away)
    low = _first(count, lambda k: below(k, count, share) > _TAIL)
    high = _first(count, lambda k: below(k, count, share) >= 1 - _TAIL) + 1
    return low, high


def at_most(hits: int, tries: int, share: Fraction) -> bool:
    """Whether the upper end of the interval is within a share; of nothing everything is."""
    if not tries or share >= 1:
        return True
    return hits < tries and below(hits, tries, float(share)) <= _TAIL


def below(hits: int, tries: int, p: float) -> float:
    """The probability of at most so many hits in so many tries, each with probability p."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return 0.0 if hits < tries else 1.0
    if hits > tries * p:  # the shorter tail is added up
        return 1.0 - _sum(tries - hits - 1, tries, 1 - p)
    return _sum(hits, tries, p)


def _sum(hits: int, tries: int, p: float) -> float:
    """Of terms that grow up to the last one: from there down, until they no longer count."""
    if hits < 0:
        return 0.0
    log = math.lgamma(tries + 1) - math.lgamma(hits + 1) - math.lgamma(tries - hits + 1)
    last = math.exp(log + hits * math.log(p) + (tries - hits) * math.log1p(-p))
    total, term, odds = last, last, (1 - p) / p
    for k in range(hits, 0, -1):
        term *= k * odds / (tries - k + 1)
        total += term
        if term < total * 1e-17:
            break
    return min(total, 1.0)


def _solve(holds: Callable[[float], bool]) -> float:
    """The greatest p for which something holds that holds for every smaller one."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The least number from 0 to count for which something holds that holds for every greater one, and for count."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
