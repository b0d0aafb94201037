"""The first of the order without reading all that waits: Fagin's threshold algorithm, for each kind of work. Pure.

Within one kind (workflow, point, currency) the index rises with the expected loss and with the nearness of the
deadline, and each of the two has a list in which it only falls. What neither list has shown yet is therefore worth at
most the last loss shown at the last nearness shown; once as many as are wanted are worth at least that, nothing is
missing. Of those that are worth exactly the same, any may be the last.

Source: R. Fagin, A. Lotem and M. Naor, "Optimal aggregation algorithms for middleware", Journal of Computer and System
Sciences 66(4), 2003.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
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
    """What one list shows of an item."""

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

    def place(self, of: WorkClass, item: Shown) -> Placed:
        """The index of an item."""
        each = self.minutes.get((of.exceptional, of.workflow, of.point), self.default)
        loss = self.worth.loss(item.urgency, of.currency)
        found = press(loss, each, item.due_at, self.now, self.pace)
        return Placed(not of.leads, -found.rank, item.id, found)


class _Lists:
    """How far one class was looked at."""

    def __init__(self) -> None:
        self.ended = False
        self.bound = (False, -math.inf)

    def take(self, of: WorkClass, by_loss: Sequence[Shown], by_due: Sequence[Shown], depth: int, scale: Scale) -> None:
        """Note the last of either list: what is behind both is worth no more than this."""
        self.ended = len(by_loss) < depth or len(by_due) < depth
        if self.ended:
            return
        last = by_due[-1].due_at
        most = scale.place(of, Shown(by_loss[-1].id, by_loss[-1].urgency, last))
        # without a deadline they stand at the end of their list, though some that have one may press less
        unbound = scale.place(of, Shown(by_loss[-1].id, by_loss[-1].urgency, None))
        self.bound = (most.behind, min(most.negated, unbound.negated))


class Search:
    """One search for the first of the order.

    Args:
        classes: All classes of which something waits.
        wanted: How many are wanted.
        scale: What indexes are computed with.
        depth: How far either list is read at first.
    """

    def __init__(self, classes: Iterable[WorkClass], wanted: int, scale: Scale, depth: int) -> None:
        self._lists = {of: _Lists() for of in classes}
        self._found: dict[UUID, Placed] = {}
        self._wanted = wanted
        self._scale = scale
        self.depth = depth

    def open(self) -> tuple[WorkClass, ...]:
        """The classes that must be looked at, to ``depth``; none: the search is at its end."""
        best = self.best()
        if len(best) < self._wanted:
            return tuple(of for of, lists in self._lists.items() if not lists.ended)
        last = (best[-1].behind, best[-1].negated)
        return tuple(of for of, lists in self._lists.items() if not lists.ended and lists.bound < last)

    def take(self, of: WorkClass, by_loss: Sequence[Shown], by_due: Sequence[Shown]) -> None:
        """What both lists of a class show, from their beginning to ``depth``."""
        for item in (*by_loss, *by_due):
            if item.id not in self._found:
                self._found[item.id] = self._scale.place(of, item)
        self._lists[of].take(of, by_loss, by_due, self.depth, self._scale)

    def deepen(self) -> None:
        """Read twice as far."""
        self.depth *= 2

    def best(self) -> list[Placed]:
        """The first of what was found, in order."""
        return sorted(self._found.values(), key=_order)[: self._wanted]


def ranked(items: Iterable[tuple[WorkClass, Shown]], scale: Scale) -> list[Placed]:
    """Items in their order; for those that are all known."""
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
