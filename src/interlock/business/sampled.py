"""What automatic decisions lost altogether, by the audit sample: an estimate with its interval. Pure.

Each drawn decision stands for 1/propensity of them (D. Horvitz, D. Thompson, JASA 47, 1952). The interval is Chernoff's
for a sum of independent bounded amounts, in its Poisson form (W. Hoeffding, JASA 58, 1963): it holds however few are
drawn, and has a width where no loss was seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec

from interlock.autonomy.terms import AutonomyTerms
from interlock.business.tally import Drawn, DrawnOf

_TAIL = 0.025
_HALVINGS = 100


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What was lost at one point, in minor units.

    Attributes:
        lost: The estimate; those that are due and have no answer count as wrong.
        low: The lower end of the interval: as if all without an answer were right.
        high: The upper end: as if all without an answer were wrong.
        drawn: How many were drawn.
        missing: Of how many of them no answer came though it is due.
        waiting: Of how many none is due yet.
        silent: What so many of them lost, or would have, is not known: they are in none of these amounts.
    """

    lost: float
    low: float
    high: float
    drawn: int
    missing: int
    waiting: int
    silent: int


def estimate(rows: Iterable[DrawnOf], terms: AutonomyTerms, points: int = 1) -> Estimate:
    """Of what was drawn at one point.

    Args:
        rows: What was drawn.
        terms: What the point declares.
        points: Of so many points ends are added: all of their intervals hold together in 95 %.
    """
    sums, numbers = dict.fromkeys(Drawn, 0.0), dict.fromkeys(Drawn, 0)
    greatest, silent = float(terms.worst), 0
    for row in rows:
        numbers[row.standing] += row.number
        if row.standing is Drawn.RIGHT:
            continue
        lost = _loss(row, terms)
        if lost is None:
            silent += row.number
            continue
        sums[row.standing] += row.number * lost / row.propensity
        greatest = max(greatest, lost / row.propensity)
    wrong, missing, waiting = sums[Drawn.WRONG], sums[Drawn.MISSING], sums[Drawn.WAITING]
    tail, scale = _TAIL / points, greatest or 1.0
    return Estimate(
        lost=wrong + missing,
        low=scale * _end(wrong / scale, tail, upper=False),
        high=scale * _end((wrong + missing + waiting) / scale, tail, upper=True),
        drawn=sum(numbers.values()),
        missing=numbers[Drawn.MISSING],
        waiting=numbers[Drawn.WAITING],
        silent=silent,
    )


def _loss(row: DrawnOf, terms: AutonomyTerms) -> int | None:
    """What one of them loses where it is wrong: as realised, else as declared; None: it is not known."""
    if row.currency != terms.currency:
        return None
    if row.loss_minor is not None:
        return row.loss_minor
    return None if row.exposure_minor is None or row.exposure_minor < 0 else terms.wrong.of(row.exposure_minor)


def _end(seen: float, tail: float, *, upper: bool) -> float:
    """The mean of a sum of amounts of at most 1 beyond which so much, or so little, is seen with less than the tail."""
    bound = -math.log(tail)

    def away(mean: float) -> float:
        return mean - seen + (seen * math.log(seen / mean) if seen else 0.0)

    if upper:
        return _root(lambda mean: away(mean) < bound, seen, seen + 2 * bound + 2 * math.sqrt(bound * (seen + 1)))
    return _root(lambda mean: away(mean) > bound, 0.0, seen, outer=False) if seen else 0.0


def _root(holds: Callable[[float], bool], low: float, high: float, *, outer: bool = True) -> float:
    """Where something ends that holds from `low` on; rounded up if `outer`, down otherwise."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high if outer else low
