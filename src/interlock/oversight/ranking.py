"""Where items stand in the order: the kinds of work that are alike in it, and what they are ranked by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from interlock.oversight.index import LEAST_MINUTES, Pace, Press, Worth, press

HIGHEST_PRIORITY = 0


class WorkClass(msgspec.Struct, frozen=True):
    """What is alike in the order but for loss and deadline.

    Attributes:
        exceptional: Whether these are exceptions.
        workflow: Of their cases.
        point: The decision point, or the kind of exception.
        currency: Of what is at stake; empty: that is unknown.
        priority: Of exceptions; a review has 1.
    """

    exceptional: bool
    workflow: str
    point: str
    currency: str
    priority: int

    @property
    def leads(self) -> bool:
        """Whether these stand before all others."""
        return self.exceptional and self.priority <= HIGHEST_PRIORITY


class Shown(NamedTuple):
    """What is seen of an item to rank it."""

    id: UUID
    urgency: int
    due_at: datetime | None


class Placed(NamedTuple):
    """An item that has its index; they sort as they stand in the order."""

    behind: bool
    """False: it stands before all that are."""
    negated: float
    """The logarithm of the index with a minus, so that the greatest is first."""
    id: UUID
    press: Press


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """What the indexes of a moment are computed with.

    Attributes:
        now: The moment.
        pace: How fast work goes.
        worth: What amounts count for.
        minutes: S, by workflow and point (of an exception: its kind).
        default: S of all others.
    """

    now: datetime
    pace: Pace
    worth: Worth
    minutes: Mapping[tuple[bool, str, str], float]
    default: float

    def minutes_of(self, of: WorkClass) -> float:
        """S of a class."""
        return max(LEAST_MINUTES, self.minutes.get((of.exceptional, of.workflow, of.point), self.default))

    def place(self, of: WorkClass, item: Shown) -> Placed:
        """The index of an item."""
        each = self.minutes_of(of)
        loss = self.worth.loss(item.urgency, of.currency)
        found = press(loss, each, item.due_at, self.now, self.pace)
        return Placed(not of.leads, -found.rank, item.id, found)


def ranked(items: Iterable[tuple[WorkClass, Shown]], scale: Scale) -> list[Placed]:
    """Items in their order."""
    return sorted((scale.place(of, item) for of, item in items), key=_order)


def mean_minutes(
    counts: Mapping[tuple[bool, str, str], int], minutes: Mapping[tuple[bool, str, str], float], default: float
) -> float:
    """The mean of S over what waits."""
    waiting = sum(counts.values())
    if not waiting:
        return default
    return max(LEAST_MINUTES, sum(minutes.get(of, default) * number for of, number in counts.items()) / waiting)


def _order(placed: Placed) -> tuple[bool, float, UUID]:
    return placed.behind, placed.negated, placed.id
