"""What an action draws on, and the arithmetic of rates. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from interlock.guards.limits import Rate
from interlock.guards.span import Lasts, Span
from interlock.money import Money

_PERIODIC = re.compile(r"[0-9]{4}-[0-9]{2}[^/]*((?:/.*)?)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class BucketKey:
    """Which bucket.

    Attributes:
        guard: ``workflow.action.limit``.
        currency: Of the amounts in it; empty for a rate or a count.
        slot: Whose it is, a period, or both: the case's id; ``/caller``; ``2026-03-01``; ``2026-03-01/caller``; empty
            for what has neither.
    """

    guard: str
    currency: str
    slot: str

    @property
    def head(self) -> BucketKey:
        """The bucket whose lock covers this one: all periods of one owner have one. Without a period it is itself."""
        found = _PERIODIC.match(self.slot)
        return BucketKey(self.guard, self.currency, found[1]) if found else self


@dataclass(frozen=True, slots=True)
class Draw:
    """An amount that one action would take under one limit. In which period it falls is known under the lock.

    Attributes:
        guard: ``workflow.action.limit``.
        currency: Of the amount; empty for a count.
        owner: Whose sum it is: the case's id, ``/caller``, or empty.
        span: Over what the limit adds up.
        amount: How much: minor units, or 1.
        most: What the sum may be at most.
        each_attempt: Whether every dispatch draws once more and nothing is given back; else the action holds it once,
            and what had no effect is given back.
        stops_at: The sum that stops what it is for; 0: none does.
        stops: The scope that is then stopped.
        pause: For how long; None: until a person resumes it.
    """

    guard: str
    currency: str
    owner: str
    span: Span
    amount: int
    most: int
    each_attempt: bool = False
    stops_at: int = 0
    stops: str = ""
    pause: timedelta | None = None

    @property
    def head(self) -> BucketKey:
        """The bucket to lock."""
        return BucketKey(self.guard, self.currency, self.owner)

    def bucket(self, moment: datetime) -> BucketKey:
        """The bucket that it fills at a moment."""
        return BucketKey(self.guard, self.currency, self.span.period(moment) + self.owner)

    def first_bucket(self, moment: datetime) -> BucketKey:
        """The earliest bucket that counts at a moment."""
        return BucketKey(self.guard, self.currency, self.span.first_period(moment) + self.owner)

    @property
    def is_sliding(self) -> bool:
        """Whether more buckets than one count at a moment."""
        return self.span.lasts is Lasts.SLIDING

    def shown(self, amount: int) -> str:
        """An amount of this limit in words: "4.00 EUR", or "4"."""
        return str(Money.of_minor(amount, self.currency)) if self.currency else str(amount)


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate that one action must keep.

    Attributes:
        bucket: Which; it holds the theoretical arrival time in microseconds since 1970.
        rate: How many in what time.
        made: Whether the attempt has been made already: then it counts, and is not refused any more.
    """

    bucket: BucketKey
    rate: Rate
    made: bool = False


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def next_arrival(used: int, rate: Rate, now: datetime) -> tuple[int, datetime | None]:
    """The generic cell rate algorithm (ITU-T I.371, virtual scheduling), with a burst of one whole period.

    Args:
        used: The theoretical arrival time in microseconds since 1970; 0 for a fresh bucket.
        rate: How many in what time.
        now: The database's time, taken after the bucket's lock.

    Returns:
        The new theoretical arrival time, and None; or the old one, and when to ask again.
    """
    per = rate.per // _MICROSECOND
    at = (now - _EPOCH) // _MICROSECOND
    arrival = arrival_after(used, rate, now)
    if arrival - at > per:
        return used, now + timedelta(microseconds=arrival - at - per)
    return arrival, None


def arrival_after(used: int, rate: Rate, now: datetime) -> int:
    """The theoretical arrival time once one more is counted, whether or not there is room for it.

    Args:
        used: As for ``next_arrival``.
        rate: How many in what time.
        now: The database's time.
    """
    interval = -(-(rate.per // _MICROSECOND) // rate.count)
    return max(used, (now - _EPOCH) // _MICROSECOND) + interval


def room_at(used: int, rate: Rate, now: datetime) -> tuple[int, datetime]:
    """How many a rate would let through at once now, and when it would let all of its burst through.

    Args:
        used: As for ``next_arrival``.
        rate: How many in what time.
        now: The database's time.
    """
    per = rate.per // _MICROSECOND
    at = (now - _EPOCH) // _MICROSECOND
    interval = -(-per // rate.count)
    full = max(used, at)
    return max((at + per - full) // interval, 0), _EPOCH + full * _MICROSECOND
