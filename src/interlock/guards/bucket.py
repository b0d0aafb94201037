"""What a limit draws on, and the arithmetic of drawing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from interlock.guards.limits import Limits, Rate
from interlock.money import Money


@dataclass(frozen=True, slots=True, order=True)
class BucketKey:
    """Which bucket.

    Attributes:
        guard: ``workflow.action.limit``.
        currency: Of the amounts in it; empty for a rate.
        slot: The calendar day, the case's id, or empty for a rate.
    """

    guard: str
    currency: str
    slot: str


@dataclass(frozen=True, slots=True)
class Draw:
    """An amount that one action would take from a bucket.

    Attributes:
        bucket: Which.
        amount_minor: How much, in minor units.
        most_minor: What the bucket may hold at most.
    """

    bucket: BucketKey
    amount_minor: int
    most_minor: int


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate that one action must keep.

    Attributes:
        bucket: Which; it holds the theoretical arrival time in microseconds since 1970.
        rate: How many in what time.
    """

    bucket: BucketKey
    rate: Rate


def draws_of(limits: Limits, *, guard: str, case_id: str, amount: Money | None, now: datetime) -> tuple[Draw, ...]:
    """What an action of this amount draws on under these limits.

    Args:
        limits: The limits in force.
        guard: The name that the buckets share: ``workflow.action``.
        case_id: The slot of the limit per case.
        amount: What the action moves; None draws on nothing.
        now: The database's time; it names the calendar day in the limits' own time zone.
    """
    if amount is None:
        return ()
    day = now.astimezone(ZoneInfo(limits.time_zone)).date().isoformat()
    spans = ((limits.per_case, "per_case", case_id), (limits.per_day, "per_day", day))
    return tuple(
        Draw(BucketKey(f"{guard}.{name}", amount.currency, slot), amount.minor, most.minor)
        for most, name, slot in spans
        if most is not None
    )


def pace_of(limits: Limits, *, guard: str) -> Pace | None:
    """The rate that an action must keep under these limits."""
    return Pace(BucketKey(f"{guard}.rate", "", ""), limits.rate) if limits.rate else None


def refused_outright(limits: Limits, amount: Money | None) -> str:
    """Why these limits can never let the amount go, in a sentence; empty if they can."""
    if amount is None:
        return "it moves an unknown amount under limits in money" if limits.amounts else ""
    if amount.minor < 0:
        return f"{amount} is negative"
    if limits.currency and amount.currency != limits.currency:
        return f"{amount} is not in {limits.currency}, the currency of its limits"
    for name, most in limits.amounts.items():
        if amount > most:
            return f"{amount} is over the limit {name.replace('_', ' ')} of {most}"
    return ""


def next_arrival(used: int, rate: Rate, now: datetime) -> tuple[int, datetime | None]:
    """The generic cell rate algorithm (ITU-T I.371, virtual scheduling), with a burst of one whole period.

    Args:
        used: The theoretical arrival time in microseconds since 1970; 0 for a fresh bucket.
        rate: How many in what time.
        now: The database's time, taken after the bucket's lock.

    Returns:
        The new theoretical arrival time, and None; or the old one, and when to ask again.
    """
    per = int(rate.per / timedelta(microseconds=1))
    at = int((now - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    interval = -(-per // rate.count)
    arrival = max(used, at) + interval
    if arrival - at > per:
        return used, now + timedelta(microseconds=arrival - at - per)
    return arrival, None
