"""The outlook of a queue: how it stands, what becomes of it, who would be needed, and what all that rests on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from interlock.oversight.capacity.course import HORIZON_H, Course, Flow, follow
from interlock.oversight.capacity.history import (
    LEAST_HOURS,
    WEEK_H,
    History,
    HourTally,
    PersonHour,
    Service,
    dispersion,
    expected,
    history_of,
    service_of,
)
from interlock.oversight.capacity.told import QueueTold, explain
from interlock.oversight.capacity.waiting import least_people, waits_beyond

SHOWN_H = WEEK_H
_AHEAD_H = 2 * WEEK_H


class QueueStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue stood when it was last looked at.

    Attributes:
        queue: Which.
        waiting: How many wait.
        oldest_at: Since when the oldest does.
        overdue: How many should be resolved already.
        people: Who holds one, or answered one in the last quarter of an hour.
        measured_at: When it was looked at.
    """

    queue: str
    waiting: int
    oldest_at: datetime | None
    overdue: int
    people: int
    measured_at: datetime


class Shift(msgspec.Struct, frozen=True):
    """One hour of the coming day.

    Attributes:
        at: Its beginning, UTC.
        arrivals: How many will come.
        people: How many usually work in that hour of the week.
        needed: The fewest with whom at most 5 % of what comes waits longer than promised, and what waits now is worked
            off within that time; None: it cannot be said.
    """

    at: datetime
    arrivals: float
    people: float
    needed: int | None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """One queue.

    Attributes:
        told: What files say of it.
        standing: How it stands; None: it was not looked at yet.
        history: Its whole hours.
        service: How long one piece takes.
        model: What the forecast was made with: ``erlang``, ``fluid``, or ``none`` where too little is known.
        why: Why that one, what it assumes, and when it is not to be trusted, a sentence each.
        late: The part of what comes now that will wait longer than promised, where that is settled; else None.
        course: What becomes of the backlog; None: too little is known.
        shifts: The coming day, by the hour.
    """

    told: QueueTold
    standing: QueueStanding | None
    history: History
    service: Service
    model: str
    why: tuple[str, ...]
    late: float | None
    course: Course | None
    shifts: tuple[Shift, ...]

    def breach_in(self) -> timedelta | None:
        """How soon what comes begins to wait longer than promised; None: not within a day, as far as that is known."""
        if self.course is None or self.course.breach is None:
            return None
        return timedelta(hours=self.course.breach)


def look_ahead(
    told: QueueTold,
    standing: QueueStanding | None,
    tallies: Iterable[HourTally],
    people: Iterable[PersonHour],
    now: datetime,
) -> Outlook:
    """The outlook of one queue.

    Args:
        told: What files say of it.
        standing: How it stands.
        tallies: Its tallies.
        people: Who answered what in it.
        now: The time, UTC.
    """
    history = history_of(tallies, people, now)
    waiting, present = (standing.waiting, standing.people) if standing else (0, 0)
    service = service_of(history, waiting)
    hours = len(history.arrived)
    if service.hours is None or hours < LEAST_HOURS:
        missing = [f"{hours} whole hours are counted, and {LEAST_HOURS} are needed"] if hours < LEAST_HOURS else []
        missing += [service.why] if service.hours is None else []
        why = (f"Nothing is foretold yet: {'; '.join(missing)}.",)
        return Outlook(
            told=told, standing=standing, history=history, service=service, model="none", why=why,
            late=None, course=None, shifts=(),
        )  # fmt: skip
    arrivals = expected(history.arrived, _AHEAD_H, recent=True)
    shifts = expected(history.people, _AHEAD_H, recent=False)
    here = (float(present), *shifts[1:])  # who is here now stays until this hour ends
    variability = (dispersion(history.arrived) + service.variation) / 2
    due = told.due.total_seconds() / 3600
    flow = Flow(
        backlog=waiting, arrivals=arrivals, people=here, service=service.hours, due=due,
        variability=variability, capacity=told.capacity, begun=(now - _hour_of(now)) / timedelta(hours=1),
    )  # fmt: skip
    settled = waiting <= present and arrivals[0] * service.hours < present
    late = waits_beyond(present, arrivals[0], service.hours, due, variability) if settled else None
    return Outlook(
        told=told, standing=standing, history=history, service=service, model="erlang" if settled else "fluid",
        why=explain(told, flow, service, hours, settled=settled), late=late, course=follow(flow),
        shifts=_shifts(flow, shifts, now),
    )  # fmt: skip


def _hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def _shifts(flow: Flow, people: Sequence[float], now: datetime) -> tuple[Shift, ...]:
    """The coming day: what waits now is spread over the time within which it should be resolved."""
    spread = max(1.0, min(flow.due, float(HORIZON_H)))
    begin = _hour_of(now)
    made: list[Shift] = []
    for at in range(HORIZON_H):
        work = flow.arrivals[at] + (flow.backlog / spread if at < spread else 0.0)
        needed = least_people(work, flow.service, flow.due, flow.variability)
        made.append(Shift(begin + timedelta(hours=at), flow.arrivals[at], people[at], needed))
    return tuple(made)
