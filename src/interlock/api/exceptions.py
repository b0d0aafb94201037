"""Exceptions: cases that cannot go on, and what people decide about them."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ListQuery, ResolveExceptionBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stored import embed, money_of
from interlock.api.trouble_documents import ExceptionDocument, ExceptionPage, GoesOn
from interlock.cases.resolve import resolve_exception
from interlock.oversight.exception import CaseException
from interlock.oversight.store import LIST_EXCEPTIONS


@get("/v1/exceptions", opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=ListQuery, gives={200: ExceptionPage})))
async def list_exceptions(request: Call) -> Response[bytes]:
    """The open exceptions, the highest priority first."""
    asked = request.query(ListQuery)
    async with request.node.database.tenant(request.tenant) as connection:
        found = await LIST_EXCEPTIONS.all(connection, {"most": asked.limit})
    return answer(ExceptionPage(exceptions=tuple(map(exception_document, found))))


@post(
    "/v1/exceptions/{exception_id:uuid}/resolve",
    opt=says(Endpoint(needs=(Scope.REVIEW,), takes=ResolveExceptionBody, gives={200: GoesOn}, refuses=(404, 409))),
)
async def resolve(request: Call, exception_id: FromPath[UUID]) -> Response[bytes]:
    """Try again, say what became of an action in doubt, or abandon the case. 409: somebody was faster."""
    body = await request.read(ResolveExceptionBody)
    node = request.node
    case = await resolve_exception(
        node.database, node.writer, request.tenant, exception_id, body.way, who=request.caller.name, why=body.why
    )
    return answer(GoesOn(case=case, follow=f"/v1/cases/{case}"))


def exception_document(found: CaseException) -> ExceptionDocument:
    """A stored exception as callers get it."""
    return ExceptionDocument(
        id=found.id,
        case=found.case_id,
        workflow=found.workflow,
        kind=found.kind,
        fingerprint=found.fingerprint.hex,
        state=found.state,
        priority=found.priority,
        what=found.what,
        detail=embed(found.detail),
        owner=found.owner,
        exposure=money_of(found.exposure_minor, found.currency),
        created_at=found.created_at,
        resolved_at=found.resolved_at,
        resolved_by=found.resolved_by,
        resolution=found.resolution,
    )
