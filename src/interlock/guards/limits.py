"""What an action may cost at most, and how often it may happen: numbers that no component can argue with. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import msgspec

from interlock.guards.span import Span, Whose, per_case, per_day, per_month, sliding
from interlock.money import Money


class Rate(msgspec.Struct, frozen=True):
    """How often something may happen: ``20/s`` is a count of 20 per second.

    Attributes:
        count: How many; at least 1.
        per: In what time.
    """

    count: int
    per: timedelta


class Window(msgspec.Struct, frozen=True):
    """The largest sum within any stretch of time of one length, whenever it begins.

    Attributes:
        span: The length; at least a minute.
        most: The largest sum.
    """

    span: timedelta
    most: Money


class CountWindow(msgspec.Struct, frozen=True):
    """The most actions within any stretch of time of one length, whenever it begins.

    Attributes:
        span: The length; at least a minute.
        most: How many.
    """

    span: timedelta
    most: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many actions may take effect. None means that this one is not limited. The spans are those of ``Limits``.

    What had no effect counts no more; what is in doubt counts.
    """

    per_case: int | None = None
    per_caller: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    windows: tuple[CountWindow, ...] = ()

    @property
    def named(self) -> dict[str, int]:
        """Those that are set, by name."""
        known = {
            "per_case": self.per_case,
            "per_caller": self.per_caller,
            "per_hour": self.per_hour,
            "per_day": self.per_day,
            "per_month": self.per_month,
        }
        return {name: most for name, most in known.items() if most is not None}


class StopAt(msgspec.Struct, frozen=True):
    """The share of a limit at which its action stops by itself.

    Attributes:
        name: The limit's name, as of ``Allowance``.
        percent: From 1 to 100.
        pause: How long it stops; None: until a person resumes it.
    """

    name: str
    percent: int
    pause: timedelta | None = None


class Allowance(msgspec.Struct, frozen=True):
    """One limit on a sum: how much, over what.

    Attributes:
        name: ``per_day``, ``7d``, ``count.per_day``: the last part of the guard's name.
        span: Over what.
        most: The largest sum: minor units, or a count.
        currency: Of the sum; empty for a count.
        stops_at: The sum that stops the action; 0: none does.
        pause: For how long; None: until a person resumes it.
    """

    name: str
    span: Span
    most: int
    currency: str
    stops_at: int = 0
    pause: timedelta | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one action. None means that this one is not limited; all amounts are of one currency.

    Attributes:
        each: The largest amount of one action.
        per_case: The largest sum within one case.
        per_caller: The largest sum of one caller's cases within one calendar day of ``time_zone``.
        per_hour: The largest sum within any 60 minutes, over all cases of the tenant.
        per_day: The largest sum within one calendar day of ``time_zone``, over all cases of the tenant.
        per_month: The largest sum within one calendar month of ``time_zone``, over all cases of the tenant.
        windows: The largest sums within any stretches of other lengths, over all cases of the tenant.
        count: How many actions.
        rate: The most actions in a time, over all cases of the tenant.
        rate_per_caller: The most actions in a time of one caller's cases.
        stop_at: The shares of limits at which the action stops by itself.
        time_zone: Where calendar days and months begin and end: a name of the IANA time zone database.
    """

    each: Money | None = None
    per_case: Money | None = None
    per_caller: Money | None = None
    per_hour: Money | None = None
    per_day: Money | None = None
    per_month: Money | None = None
    windows: tuple[Window, ...] = ()
    count: Counts = Counts()
    rate: Rate | None = None
    rate_per_caller: Rate | None = None
    stop_at: tuple[StopAt, ...] = ()
    time_zone: str = "UTC"

    @property
    def named(self) -> dict[str, Money]:
        """The sums in money that are set and have a key of their own, by name."""
        known = {
            "per_case": self.per_case,
            "per_caller": self.per_caller,
            "per_hour": self.per_hour,
            "per_day": self.per_day,
            "per_month": self.per_month,
        }
        return {name: most for name, most in known.items() if most is not None}

    @property
    def amounts(self) -> dict[str, Money]:
        """Every limit in money that is set, by name: the largest amount of one action first."""
        first = {"each": self.each} if self.each is not None else {}
        return {**first, **self.named, **{sliding(window.span).name: window.most for window in self.windows}}

    @property
    def currency(self) -> str:
        """The currency that every amount must be in; empty if no amount is limited."""
        return next((amount.currency for amount in self.amounts.values()), "")

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Every limit on a sum, in money and in number."""
        spans = self._spans
        money = [(spans[name], most) for name, most in self.named.items()]
        money += [(sliding(window.span), window.most) for window in self.windows]
        counts = [(spans[name], most) for name, most in self.count.named.items()]
        counts += [(sliding(window.span), window.most) for window in self.count.windows]
        known = [(span.name, span, most.minor, most.currency) for span, most in money]
        known += [(f"count.{span.name}", span, most, "") for span, most in counts]
        stops = {one.name: one for one in self.stop_at}
        never = StopAt("", 0)
        return tuple(
            Allowance(name, span, most, currency, -(-most * at.percent // 100), at.pause)
            for name, span, most, currency in known
            for at in (stops.get(name, never),)
        )

    @property
    def _spans(self) -> dict[str, Span]:
        spans = (
            per_case(),
            per_day(self.time_zone, Whose.CALLER),
            sliding(timedelta(hours=1)),
            per_day(self.time_zone),
            per_month(self.time_zone),
        )
        return {span.name: span for span in spans}


class CaseBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What one case of a workflow may use up, over all its actions. Undoing what was done is not held to it.

    Attributes:
        money: The largest sum of its actions.
        attempts: How many dispatches, repeated ones included; none is ever given back.
        time: How old it may be when an action is dispatched.
    """

    money: Money | None = None
    attempts: int | None = None
    time: timedelta | None = None


class OverLimit(StrEnum):
    """What becomes of an action that would pass a limit.

    ``fail``: it ends without effect, and the workflow learns which limit said no. ``wait``: it waits until the limit
    has room, if that is before its deadline and within its decision's validity; else it fails.
    """

    FAIL = "fail"
    WAIT = "wait"
