"""Work: what needs a person's decision, in one list and one order, and the next item on demand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from interlock.api.bodies import Limit
from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stored import as_text
from interlock.oversight.listing import list_work
from interlock.oversight.pulling import pull_next
from interlock.oversight.work import WorkFilter, WorkItem, WorkKind, WorkState
from interlock.oversight.work_filter import KEYS, read_filter

Asked = Annotated[str, Meta(max_length=200)]


class WorkAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which work is meant; all that is asked must hold.

    Attributes:
        mine: ``yes``: assigned to the caller, or claimed by them.
        my_team: ``yes``: of a team of the caller.
        kind: ``review`` or ``exception``.
        workflow: Of the case.
        point: The decision point, or the kind of exception.
        queue: Where it waits.
        team: Whose it is.
        state: free, assigned, claimed, awaits_second, settle, snoozed, asked_back or held.
        parked: ``yes``: with what is snoozed, asked back or held.
        assigned_to: Who is to do it.
        claimed_by: Who works on it.
        text: What stands in its reason.
        code: What the checks found.
        exposure_from: The least at stake, as ``100 EUR``; other currencies by the reference rates.
        exposure_to: The most.
        confidence_from: The least confidence, from 0 to 1.
        confidence_to: The most.
        due_within: Due within this time, as ``4h``, or overdue.
        older_than: Waiting for at least this time.
        second: ``yes``: one of two has decided.
    """

    mine: Asked | None = None
    my_team: Asked | None = None
    kind: Asked | None = None
    workflow: Asked | None = None
    point: Asked | None = None
    queue: Asked | None = None
    team: Asked | None = None
    state: Asked | None = None
    parked: Asked | None = None
    assigned_to: Asked | None = None
    claimed_by: Asked | None = None
    text: Asked | None = None
    code: Asked | None = None
    exposure_from: Asked | None = None
    exposure_to: Asked | None = None
    confidence_from: Asked | None = None
    confidence_to: Asked | None = None
    due_within: Asked | None = None
    older_than: Asked | None = None
    second: Asked | None = None

    @property
    def filter(self) -> WorkFilter:
        """What is asked, read."""
        pairs = [(key, getattr(self, key)) for key in KEYS]
        return read_filter([(key, value) for key, value in pairs if value is not None])


class WorkQuery(WorkAsked, frozen=True, kw_only=True):
    """A page of it.

    Attributes:
        limit: How many at most.
        after: From the page before.
    """

    limit: Limit = 50
    after: Asked | None = None


class WorkDocument(Document, frozen=True, kw_only=True):
    """One item of work.

    Attributes:
        id: The review's or the exception's.
        kind: Which of the two.
        case: The case that waits for it.
        decision: The decision that it is about.
        workflow: Of the case.
        point: The decision point, or the kind of exception.
        queue: Where it waits.
        team: Whose it is.
        why: Why it is here, in a line.
        codes: What the checks found.
        exposure: The money at stake.
        confidence: How sure the proposal was.
        chance: The probability that it is wrong, as the order takes it.
        expected_loss: The two multiplied.
        index: The loss that a minute of work takes away now, in the base currency.
        minutes: How long it takes.
        slack_minutes: The time to the deadline less that.
        reserved: Whether its place is reserved for the oldest.
        priority: Of an exception; 0 stands before everything.
        due_at: When it should be resolved.
        created_at: Since when it waits.
        state: Whether it can be taken.
        claimed_by: Who works on it.
        claimed_until: How long that holds.
        assigned_to: Who is to do it.
        needed: How many must decide alike.
        given: How many have decided.
        follow: Where it is.
    """

    id: UUID
    kind: WorkKind
    case: UUID | None
    decision: UUID | None
    workflow: str
    point: str
    queue: str
    team: str | None
    why: str
    codes: tuple[str, ...]
    exposure: str | None
    confidence: float | None
    chance: float
    expected_loss: str | None
    index: float
    minutes: float
    slack_minutes: float
    reserved: bool
    priority: int
    due_at: datetime | None
    created_at: datetime
    state: WorkState
    claimed_by: str | None
    claimed_until: datetime | None
    assigned_to: str | None
    needed: int
    given: int
    follow: str


class WorkListed(Document, frozen=True, kw_only=True):
    """A page of work, in its order.

    Attributes:
        work: The items.
        total: How many there are; ``1,000+``: more than that.
        after: What to ask for the next page with.
    """

    work: tuple[WorkDocument, ...]
    total: str
    after: str | None


class NextWork(Document, frozen=True, kw_only=True):
    """What the caller has to do next.

    Attributes:
        item: It, claimed for fifteen minutes; null: nothing that they may decide.
    """

    item: WorkDocument | None


@get("/v1/work", opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=WorkQuery, gives={200: WorkListed})))
async def list_waiting(request: Call) -> Response[bytes]:
    """What needs a person's decision, reviews and exceptions in one order: docs/explanation/queue-order.md."""
    asked, node = request.query(WorkQuery), request.node
    page = await list_work(
        node.database, request.tenant, asked.filter, request.caller.actor, most=asked.limit, after=asked.after or None,
        terms=node.work_terms,
    )  # fmt: skip
    return answer(WorkListed(work=tuple(map(work_document, page.items)), total=str(page.total), after=page.after))


@post(
    "/v1/work/next",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act="queue.work", takes=WorkAsked, gives={200: NextWork})),
)
async def take_next(request: Call) -> Response[bytes]:
    """Take the next item for fifteen minutes: what is assigned to the caller, else the best that they may decide."""
    asked, node = await request.read(WorkAsked), request.node
    item = await pull_next(node.desk, request.caller.actor, asked.filter, terms=node.work_terms)
    return answer(NextWork(item=work_document(item) if item else None))


def work_document(item: WorkItem) -> WorkDocument:
    """An item as callers get it."""
    alike: dict[str, Any] = {
        name: getattr(item, name) for name in WorkDocument.__struct_fields__ if hasattr(item, name)
    }
    review = item.kind is WorkKind.REVIEW
    told: dict[str, Any] = {
        "case": item.case_id,
        "decision": item.decision_id,
        "exposure": as_text(item.exposure),
        "expected_loss": as_text(item.loss),
        "index": item.press.index,
        "minutes": item.press.minutes,
        "slack_minutes": item.press.slack,
        "follow": f"/v1/reviews/{item.id}" if review or item.case_id is None else f"/v1/cases/{item.case_id}",
    }
    return WorkDocument(**{**alike, **told})


ROUTES = (list_waiting, take_next)
