"""In which order work waits: by the loss that a minute of work takes away, the nearer its deadline the more. Pure.

    index = p * E / S * exp(-max(0, slack) / (2 * Sbar * max(1, Q / c)))

``p`` is the probability that the proposal is wrong (one minus its confidence, until that is calibrated), ``E`` the
money at stake, ``S`` the minutes that one of its kind takes, ``Sbar`` their mean over what waits, ``slack`` the time to
the deadline less ``S``, ``Q`` how many wait and ``c`` how many people are at work.

Source: the apparent tardiness cost rule, A. P. J. Vepsalainen and T. E. Morton, "Priority rules for job shops with
weighted tardiness costs", Management Science 33(8), 1987. Adapted: the weight of a job is its expected loss p * E;
their look-ahead k times the mean processing time (k = 2) is stretched by Q / c, the items that each person at work has
before them, since with a long queue also a far deadline is near. docs/explanation/queue-order.md says what that is
worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

import msgspec

from interlock.money import exponent

MINUTES = 3.0
"""What an item takes where neither its file says it nor enough of its kind have been measured."""
LEAST_MINUTES = 0.05
LOOK_AHEAD = 2.0
"""The ``k`` of the rule: how many mean times a deadline may be away and still press."""
NO_DEADLINE = timedelta(days=30)
"""The slack of what has no deadline: it presses as little as what is due in a month."""
WHOLE = 1_000_000
"""Doubt is in millionths: this is certainty that the proposal is wrong, or that there is none."""
OLDEST_SHARE = 0.1
FLOOR = 10.0

Item = TypeVar("Item")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast work goes: what the order of all items rests on.

    Attributes:
        mean_minutes: The mean of the minutes that those that wait take.
        waiting: How many wait.
        people: How many are at work, at least 1.
    """

    mean_minutes: float
    waiting: int
    people: int

    @property
    def horizon(self) -> float:
        """The minutes of slack at which an item presses 1/e of what an overdue one does."""
        return LOOK_AHEAD * self.mean_minutes * max(1.0, self.waiting / max(1, self.people))


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What amounts count for in the order, and nowhere else.

    Attributes:
        base: The currency of the order.
        rates: What one unit of another currency is worth in it; one without a rate counts as one unit of it.
        floor: What counts as being at stake, in the base, where that is unknown.
    """

    base: str = "EUR"
    rates: Mapping[str, float] = MappingProxyType({})
    floor: float = FLOOR

    def unit(self, currency: str) -> float:
        """What one minor unit of a currency is worth in the base: 100 minor units of JPY are 100 yen, of KWD 0.1."""
        rate = 1.0 if currency == self.base else self.rates.get(currency, 1.0)
        return rate / 10 ** exponent(currency)

    def loss(self, urgency: int, currency: str | None) -> float:
        """An expected loss as it is stored, in the base. What is at stake may be unknown: then the floor is."""
        return urgency / WHOLE * self.floor if not currency else urgency * self.unit(currency)


NO_RATES = Worth()


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item stands where it stands.

    Attributes:
        loss: p * E in the base currency.
        minutes: S.
        slack: In minutes; below 0 it is late.
        nearness: The factor of its deadline, from 0 to 1.
        index: The loss that a minute of work takes away now; 0 where that is less than a number can hold.
        rank: Its natural logarithm, by which items are put in order: it tells those apart of which that is so.
    """

    loss: float
    minutes: float
    slack: float
    nearness: float
    index: float
    rank: float


def slack_of(due: datetime | None, minutes: float, now: datetime) -> float:
    """The time to the deadline less the time that the work takes, in minutes."""
    left = NO_DEADLINE if due is None else due - now
    return left / timedelta(minutes=1) - minutes


def press(loss: float, minutes: float, due: datetime | None, now: datetime, pace: Pace) -> Press:
    """The index of one item.

    Args:
        loss: p * E in the base currency.
        minutes: S, of its kind.
        due: Its deadline.
        now: The moment.
        pace: How fast work goes.
    """
    each = max(LEAST_MINUTES, minutes)
    slack = slack_of(due, each, now)
    away = max(0.0, slack) / max(pace.horizon, LEAST_MINUTES)
    nearness = math.exp(-away)
    rank = math.log(loss / each) - away if loss > 0 else -math.inf
    return Press(loss=loss, minutes=each, slack=slack, nearness=nearness, index=loss / each * nearness, rank=rank)


def median_minutes(dwells: Sequence[float], declared: float | None, *, least: int = 5) -> float:
    """What an item of a kind takes: the median of what was measured, else what is declared, else ``MINUTES``.

    Args:
        dwells: Minutes from claim to resolution of the last ones.
        declared: What the workflow's file says.
        least: How many must have been measured: fewer say nothing.
    """
    if len(dwells) < least:
        return declared or MINUTES
    ordered = sorted(dwells)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return max(LEAST_MINUTES, median)


def with_oldest(
    ranked: Sequence[Item], oldest: Iterable[Item], share: float, key: Callable[[Item], Hashable]
) -> list[tuple[Item, bool]]:
    """The order with the places that are reserved for the oldest: at a share of 0.1 every tenth.

    A reserved place goes to the oldest that has none yet, every other to the first of the order that has none yet; so
    nothing waits for ever, however small its index.

    Args:
        ranked: The first of the order.
        oldest: The oldest, oldest first; as many as there are reserved places among them are looked at.
        share: From 0, nothing is reserved, to 1, all is.
        key: What tells two items apart.

    Returns:
        As many as are ranked, each with whether its place was a reserved one.
    """
    every = round(1 / share) if share > 0 else 0
    ahead, aged = iter(ranked), iter(oldest)
    placed: set[Hashable] = set()
    out: list[tuple[Item, bool]] = []
    while len(out) < len(ranked):
        reserved = bool(every) and (len(out) + 1) % every == 0
        item = _next(aged, placed, key) if reserved else None
        found = _next(ahead, placed, key) if item is None else item
        if found is None:
            break
        placed.add(key(found))
        out.append((found, item is not None))
    return out


def _next(items: Iterable[Item], placed: set[Hashable], key: Callable[[Item], Hashable]) -> Item | None:
    return next((item for item in items if key(item) not in placed), None)
