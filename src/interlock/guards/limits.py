"""What an action may cost at most, and how often it may happen: numbers that no component can argue with. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from interlock.money import Money


class Rate(msgspec.Struct, frozen=True):
    """How often something may happen: ``20/s`` is a count of 20 per second.

    Attributes:
        count: How many; at least 1.
        per: In what time.
    """

    count: int
    per: timedelta


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one action. None means that this one is not limited; all amounts are of one currency.

    Attributes:
        each: The largest amount of one action.
        per_case: The largest sum within one case.
        per_day: The largest sum within one calendar day of ``time_zone``, over all cases of the tenant.
        rate: The most actions in a time, over all cases of the tenant.
        time_zone: Where the calendar day begins and ends: a name of the IANA time zone database.
    """

    each: Money | None = None
    per_case: Money | None = None
    per_day: Money | None = None
    rate: Rate | None = None
    time_zone: str = "UTC"

    @property
    def amounts(self) -> dict[str, Money]:
        """The limits in money that are set, by name, from the narrowest span to the widest."""
        named = {"each": self.each, "per_case": self.per_case, "per_day": self.per_day}
        return {name: amount for name, amount in named.items() if amount is not None}

    @property
    def currency(self) -> str:
        """The currency that every amount must be in; empty if no amount is limited."""
        return next((amount.currency for amount in self.amounts.values()), "")
