"""Tallies of what happened in an hour, and the scale on which times are counted. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.oversight.binomial import ranks

STEP = 1.1
"""Times are counted on a geometric scale of this ratio: within 5 % of what they were."""
SHORTEST_S = 0.001


class Sort(StrEnum):
    """What is counted: see the migration that makes the table."""

    DECIDED = "decided"
    ALONE = "alone"
    PROCESSOR = "processor"
    UNDECIDED = "undecided"
    DONE = "done"
    CANCELLED = "cancelled"
    STRAIGHT = "straight"
    EXCEPTED = "excepted"
    SPAN = "span"
    ANSWERED = "answered"
    TIMED = "timed"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A sum of tallies.

    Attributes:
        sort: What is counted.
        part: Of which point, with which conclusion, on which step of the scale.
        currency: Of the amount, where it is money of cases.
        number: How many.
        amount: What they come to, in the unit of the sort; exact.
    """

    sort: Sort
    part: str
    currency: str
    number: int
    amount: Decimal


class HourOf(Counted, frozen=True, kw_only=True):
    """The tally of one hour on its way in."""

    tenant: UUID
    workflow: str
    hour: datetime


class LossOf(msgspec.Struct, frozen=True, kw_only=True):
    """Wrong decisions that nobody corrected, of one point, with the same exposure.

    Attributes:
        point: Of which point.
        currency: Of their money; empty: none is known.
        realised: Whether the loss is on record.
        exposure_minor: What was at stake in each, where no loss is on record; None: not known.
        number: How many.
        lost_minor: What they lost together, as it is on record.
        alone: Whether no person decided them.
    """

    point: str
    currency: str
    realised: bool
    exposure_minor: int | None
    number: int
    lost_minor: Decimal
    alone: bool = True


class Drawn(StrEnum):
    """How a decision of the audit sample stands: its answer, or that none came though it is due, or is not due yet."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"
    WAITING = "waiting"


class DrawnOf(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions of the audit sample of one point that stand alike.

    Attributes:
        point: Of which point.
        standing: What is known of them.
        currency: Of their money; empty: none is known.
        loss_minor: What each lost, if that is on record.
        exposure_minor: What was at stake in each; None: not known.
        propensity: With which probability each was drawn.
        number: How many.
    """

    point: str
    standing: Drawn
    currency: str
    loss_minor: int | None
    exposure_minor: int | None
    propensity: float
    number: int


class KnownOf(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many decisions of a point an outcome is known.

    Attributes:
        point: Of which point.
        known: Of how many.
        missing: Of how many none is though it is due.
        outside: How many were decided without a person where the audit sample does not reach.
    """

    point: str
    known: int
    missing: int = 0
    outside: int = 0


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What is read beside the tallies.

    Attributes:
        points: What is known at each point.
        drawn: The audit samples.
        stuck: How many cases an exception stops now.
    """

    points: tuple[KnownOf, ...] = ()
    drawn: tuple[DrawnOf, ...] = ()
    stuck: int = 0


class Span(msgspec.Struct, frozen=True):
    """A quantile of times in seconds, with its 95 % interval; within 5 %, as the scale has it.

    Attributes:
        seconds: As it was seen.
        low: The lower end; 0: so few are known that there is none.
        high: The upper end; infinite: so few are known that there is none.
    """

    seconds: float
    low: float
    high: float


class Tallies:
    """Sums of a workflow over a span of time."""

    def __init__(self, rows: Iterable[Counted]) -> None:
        self._by_sort: dict[Sort, list[Counted]] = defaultdict(list)
        for row in rows:
            self._by_sort[row.sort].append(row)

    def of(self, sort: Sort) -> list[Counted]:
        """The rows of one sort."""
        return self._by_sort[sort]

    def number(self, sort: Sort) -> int:
        """How many, of every part."""
        return sum(row.number for row in self._by_sort[sort])

    def amount(self, sort: Sort) -> Decimal:
        """What they come to, exact; only of sorts whose amounts have one unit."""
        return sum((row.amount for row in self._by_sort[sort]), Decimal(0))

    def quantile(self, share: float) -> Span | None:
        """The time within which this share of the cases ended; None: none ended."""
        return quantile({int(row.part): row.number for row in self._by_sort[Sort.SPAN]}, share)


def step_of(seconds: float) -> int:
    """The step of the scale on which a time is counted."""
    return 0 if seconds <= SHORTEST_S else math.floor(math.log(seconds / SHORTEST_S) / math.log(STEP))


def quantile(steps: Mapping[int, int], share: float) -> Span | None:
    """A quantile of times that are counted by steps, with the interval that the ranks leave open (distribution-free).

    Args:
        steps: How many on each step.
        share: Between 0 and 1.
    """
    total = sum(steps.values())
    if not total:
        return None
    low, high = ranks(total, share)
    return Span(
        _at(steps, total * share), _at(steps, low) if low else 0.0, _at(steps, high) if high <= total else math.inf
    )


def _at(steps: Mapping[int, int], rank: float) -> float:
    """The time at a rank: the middle of its step."""
    seen = 0
    last = 0
    for step in sorted(steps):
        last = step
        seen += steps[step]
        if seen >= rank:
            break
    return SHORTEST_S * STEP ** (last + 0.5)
