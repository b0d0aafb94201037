"""Outside events: what happened elsewhere and a case waits for, taken in once by key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.event_documents import EventBody, EventDocument, EventReceipt, KeyedEventBody
from interlock.api.keys import Scope
from interlock.api.stored import embed
from interlock.cases.events import OutsideEvent, find_case_by_key
from interlock.cases.events import send_event as send


@post(
    "/v1/cases/{case_id:uuid}/events",
    opt=says(
        Endpoint(
            needs=(Scope.SUBMIT,),
            act="event.send",
            takes=EventBody,
            gives={200: EventReceipt, 201: EventReceipt},
            refuses=(404, 409, 422),
        )
    ),
)
async def send_event(request: Call, case_id: FromPath[UUID]) -> Response[bytes]:
    """Give a case an outside event; it is kept until the case asks for it.

    201: it is new. 200: the same key and event came before. 409: the case has ended, or the key came before with
    another event. 422: the payload breaks its contract; nothing is kept.
    """
    body = await request.read(EventBody)
    return await _take_in(request, case_id, body.name, body.key, body.payload)


@post(
    "/v1/events",
    opt=says(
        Endpoint(
            needs=(Scope.SUBMIT,),
            act="event.send",
            takes=KeyedEventBody,
            gives={200: EventReceipt, 201: EventReceipt},
            refuses=(404, 409, 422),
        )
    ),
)
async def send_event_by_key(request: Call) -> Response[bytes]:
    """Give an outside event to the case that was submitted under a key; for senders that know no ids of ours."""
    body = await request.read(KeyedEventBody)
    case_id = await find_case_by_key(request.node.database, request.tenant, body.workflow, body.case_key)
    return await _take_in(request, case_id, body.name, body.key, body.payload)


async def _take_in(request: Call, case_id: UUID, name: str, key: str | None, payload: Any) -> Response[bytes]:
    node = request.node
    sent = await send(
        node.database,
        node.writer,
        node.registry,
        request.tenant,
        case_id,
        name=name,
        key=request.key(key),
        payload=payload,
        sender=request.caller.name,
    )
    receipt = EventReceipt(id=sent.id, case=sent.case_id, new=sent.new, follow=f"/v1/cases/{sent.case_id}")
    return answer(receipt, 201 if sent.new else 200, location=receipt.follow)


def event_document(event: OutsideEvent) -> EventDocument:
    """What is stored, as callers get it."""
    return EventDocument(
        id=event.id,
        name=event.name,
        payload=embed(event.payload),
        sender=event.sender,
        received_at=event.received_at,
        taken_at=event.taken_at,
    )
