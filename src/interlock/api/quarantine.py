"""Quarantine: data that broke their contract, whole, and how a case goes on with mended input."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ListQuery, ReleaseBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stored import embed_doubtful
from interlock.api.trouble_documents import GoesOn, QuarantineDocument, QuarantinePage
from interlock.cases.store import FIND_QUARANTINE, LIST_QUARANTINED, Quarantined
from interlock.cases.submit import release_quarantined
from interlock.contracts import canonical
from interlock.errors import NotFound, StateConflict


@get(
    "/v1/quarantine", opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=ListQuery, gives={200: QuarantinePage}))
)
async def list_quarantine(request: Call) -> Response[bytes]:
    """What is held, the oldest first."""
    asked = request.query(ListQuery)
    async with request.node.database.tenant(request.tenant) as connection:
        found = await LIST_QUARANTINED.all(connection, {"most": asked.limit})
    return answer(QuarantinePage(quarantine=tuple(map(quarantine_document, found))))


@get(
    "/v1/quarantine/{quarantine_id:uuid}",
    opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), gives={200: QuarantineDocument}, refuses=(404,))),
)
async def read_quarantine(request: Call, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """One, with every violation."""
    return answer(quarantine_document(await _find(request, quarantine_id)))


@post(
    "/v1/quarantine/{quarantine_id:uuid}/release",
    opt=says(Endpoint(needs=(Scope.REVIEW,), takes=ReleaseBody, gives={200: GoesOn}, refuses=(404, 409, 422))),
)
async def release(request: Call, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """Let a case go on with mended input. 422: it still breaks its contract. 409: somebody was faster."""
    body = await request.read(ReleaseBody)
    held = await _find(request, quarantine_id)
    if held.case_id is None:
        raise StateConflict(
            f"no case waits for {quarantine_id}: it came with a decision that was asked in line",
            todo="ask for the decision again, with mended input; its key is still free",
        )
    node = request.node
    case = await release_quarantined(
        node.database,
        node.writer,
        request.tenant,
        node.registry.named(held.workflow),
        quarantine_id,
        data=canonical(body.input),
        who=request.caller.name,
    )
    return answer(GoesOn(case=case, follow=f"/v1/cases/{case}"))


async def _find(call: Call, quarantine_id: UUID) -> Quarantined:
    async with call.node.database.tenant(call.tenant) as connection:
        found = await FIND_QUARANTINE.one(connection, {"id": quarantine_id})
    if found is None:
        raise NotFound(f"nothing in quarantine has the id {quarantine_id}")
    return found


def quarantine_document(found: Quarantined) -> QuarantineDocument:
    """What is stored, as callers get it."""
    data, text = embed_doubtful(found.data)
    return QuarantineDocument(
        id=found.id,
        case=found.case_id,
        workflow=found.workflow,
        point=found.point,
        contract=found.contract,
        data=data,
        text=text,
        violations=tuple(found.broken),
        state=found.state,
        created_at=found.created_at,
        resolved_at=found.resolved_at,
        resolved_by=found.resolved_by,
    )
