"""Over what a limit adds up: a case, a calendar day or month, or any stretch of time of one length. Pure.

A sliding span is held in sub-slots. The one that is partly over counts whole, so a sum is never larger than the limit
within any stretch; a fixed window would let twice as much through at its boundary.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from interlock.durations import format_duration

SUB_SLOTS = 60
LEAST_SPAN = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)


class Whose(StrEnum):
    """Whose sums are kept apart."""

    ANYONE = "anyone"
    CASE = "case"
    CALLER = "caller"


class Lasts(StrEnum):
    """How long a sum grows."""

    FOREVER = "forever"
    DAY = "day"
    MONTH = "month"
    SLIDING = "sliding"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Over what a limit adds up.

    Attributes:
        name: ``per_day``, ``7d``.
        whose: Whose sums are kept apart.
        lasts: How long a sum grows.
        length: Of a sliding span; else zero.
        time_zone: Of a calendar span.
    """

    name: str
    whose: Whose = Whose.ANYONE
    lasts: Lasts = Lasts.FOREVER
    length: timedelta = timedelta(0)
    time_zone: str = "UTC"

    @property
    def width(self) -> timedelta:
        """How long a sub-slot of a sliding span is: a sixtieth, in whole seconds."""
        return max(-(-self.length // (SUB_SLOTS * _SECOND)), 1) * _SECOND

    def period(self, moment: datetime) -> str:
        """The name of the period in which a moment lies; of one length in each span, so that names sort as times do.

        INVARIANT: it depends on the moment alone, so every moment lies in one period.
        """
        match self.lasts:
            case Lasts.FOREVER:
                return ""
            case Lasts.DAY:
                return moment.astimezone(ZoneInfo(self.time_zone)).date().isoformat()
            case Lasts.MONTH:
                return f"{moment.astimezone(ZoneInfo(self.time_zone)):%Y-%m}"
            case Lasts.SLIDING:
                return f"{_EPOCH + (moment - _EPOCH) // self.width * self.width:%Y-%m-%dT%H:%M:%SZ}"

    def first_period(self, moment: datetime) -> str:
        """The earliest period that counts at a moment: of a sliding span the one that is partly over."""
        return self.period(moment - self.length)

    def ends(self, period: str) -> datetime:
        """When what lies in a period counts no more.

        Args:
            period: As ``period`` names it; not of a span that lasts for ever.
        """
        match self.lasts:
            case Lasts.DAY:
                return _midnight(date.fromisoformat(period) + timedelta(days=1), self.time_zone)
            case Lasts.MONTH:
                first = date.fromisoformat(f"{period}-01")
                return _midnight((first + timedelta(days=32)).replace(day=1), self.time_zone)
            case _:
                return datetime.fromisoformat(period) + self.width + self.length


def per_case() -> Span:
    """Over one case, for ever."""
    return Span(name="per_case", whose=Whose.CASE)


def per_day(time_zone: str, whose: Whose = Whose.ANYONE) -> Span:
    """Over one calendar day."""
    name = "per_caller" if whose is Whose.CALLER else "per_day"
    return Span(name=name, whose=whose, lasts=Lasts.DAY, time_zone=time_zone)


def per_month(time_zone: str) -> Span:
    """Over one calendar month."""
    return Span(name="per_month", lasts=Lasts.MONTH, time_zone=time_zone)


def sliding(length: timedelta) -> Span:
    """Over any stretch of time of this length."""
    name = "per_hour" if length == _HOUR else format_duration(length)
    return Span(name=name, lasts=Lasts.SLIDING, length=length)


def _midnight(day: date, time_zone: str) -> datetime:
    """When a calendar day begins. Where its midnight is skipped that is the moment at which clocks are put forward."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
