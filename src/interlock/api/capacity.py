"""Capacity: how each queue stands and goes on, and who would be needed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from msgspec import Meta

from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.cases.queues import queues_told
from interlock.oversight.capacity.outlook import Shift
from interlock.oversight.capacity.read import Capacity, read_capacity
from interlock.oversight.capacity.response import ResponseState


class CapacityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which queues.

    Attributes:
        queue: Only this one.
    """

    queue: Annotated[str, Meta(max_length=200)] | None = None


class QueueDocument(Document, frozen=True, kw_only=True):
    """One queue; lengths of time are in seconds, and null where that is not within what was looked at.

    Attributes:
        queue: Its name.
        capacity: How many may wait.
        due_s: How soon one should be resolved.
        waiting: How many wait; null: it was not looked at yet.
        oldest_at: Since when the oldest does.
        overdue: How many should be resolved already.
        people: Who is at work.
        measured_at: When it was looked at.
        service_s: How long one piece takes one person; null: too little is known.
        model: ``erlang``, ``fluid``, or ``none`` where too little is known.
        why: What the forecast is, what it assumes, and when it is not to be trusted.
        late: The part of what comes now that will wait longer than promised, where that is settled.
        wait_s: How long what comes now will wait.
        clear_s: When nothing waits any more.
        breach_s: When what comes begins to wait longer than promised, within a day.
        breach_earliest_s: The same at the upper end of the band that holds nine of ten.
        breach_latest_s: The same at its lower end.
        full_s: When as many wait as may, within a day.
        shifts: The coming day, by the hour.
        answer: What is done when it is too full: ``hold`` or ``reject``.
        state: Whether that is done now.
        state_by: Who said so.
        state_why: Why.
        state_since: Since when.
    """

    queue: str
    capacity: int
    due_s: int
    waiting: int | None
    oldest_at: datetime | None
    overdue: int | None
    people: int | None
    measured_at: datetime | None
    service_s: int | None
    model: str
    why: tuple[str, ...]
    late: float | None
    wait_s: int | None
    clear_s: int | None
    breach_s: int | None
    breach_earliest_s: int | None
    breach_latest_s: int | None
    full_s: int | None
    shifts: tuple[Shift, ...]
    answer: str
    state: ResponseState | None
    state_by: str | None
    state_why: str | None
    state_since: datetime | None


class CapacityPage(Document, frozen=True, kw_only=True):
    """Every queue, by name.

    Attributes:
        queues: They.
    """

    queues: tuple[QueueDocument, ...]


@get(
    "/v1/capacity",
    opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=CapacityQuery, gives={200: CapacityPage})),
)
async def read_queues(request: Call) -> Response[bytes]:
    """How each queue stands and goes on, and who would be needed to keep what is promised."""
    asked, node = request.query(CapacityQuery), request.node
    told = queues_told(entry.declaration for entry in node.registry.all)
    found = await read_capacity(node.database, request.tenant, told, node.database.clock.now(), asked.queue)
    return answer(CapacityPage(queues=tuple(queue_document(one) for one in found)))


def queue_document(one: Capacity) -> QueueDocument:
    """One queue as it is told outside."""
    outlook, standing, course, response = one.outlook, one.outlook.standing, one.outlook.course, one.response
    return QueueDocument(
        queue=outlook.told.name,
        capacity=outlook.told.capacity,
        due_s=round(outlook.told.due.total_seconds()),
        waiting=standing.waiting if standing else None,
        oldest_at=standing.oldest_at if standing else None,
        overdue=standing.overdue if standing else None,
        people=standing.people if standing else None,
        measured_at=standing.measured_at if standing else None,
        service_s=_seconds(outlook.service.hours),
        model=outlook.model,
        why=outlook.why,
        late=outlook.late,
        wait_s=_seconds(course.wait) if course else None,
        clear_s=_seconds(course.clear) if course else None,
        breach_s=_seconds(course.breach) if course else None,
        breach_earliest_s=_seconds(course.breach_earliest) if course else None,
        breach_latest_s=_seconds(course.breach_latest) if course else None,
        full_s=_seconds(course.full) if course else None,
        shifts=outlook.shifts,
        answer=outlook.told.when_full,
        state=response.state if response else None,
        state_by=response.who if response else None,
        state_why=response.why if response else None,
        state_since=response.changed_at if response else None,
    )


def _seconds(hours: float | None) -> int | None:
    return None if hours is None else round(hours * 3600)
