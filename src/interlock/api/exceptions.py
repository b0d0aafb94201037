"""Exceptions: cases that cannot go on, and what people decide about them."""

from __future__ import annotations

import functools
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ListQuery, ResolveExceptionBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stored import embed, money_of
from interlock.api.trouble_documents import (
    ExceptionDocument,
    ExceptionPage,
    GoesOn,
    GroupDocument,
    GroupPage,
    GroupResolved,
    MemberDocument,
)
from interlock.cases.journal import Place
from interlock.cases.resolve import resolve_exception, resolve_group
from interlock.oversight.exception import CaseException, CauseGroup, grouped
from interlock.oversight.store import LIST_EXCEPTION_GROUPS, LIST_EXCEPTIONS


@get("/v1/exceptions", opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=ListQuery, gives={200: ExceptionPage})))
async def list_exceptions(request: Call) -> Response[bytes]:
    """The open exceptions, the highest priority first."""
    asked = request.query(ListQuery)
    async with request.node.database.tenant(request.tenant) as connection:
        found = await LIST_EXCEPTIONS.all(connection, {"most": asked.limit})
    return answer(ExceptionPage(exceptions=tuple(map(exception_document, found))))


@post(
    "/v1/exceptions/{exception_id:uuid}/resolve",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="exception.resolve",
            takes=ResolveExceptionBody,
            gives={200: GoesOn},
            refuses=(404, 409, 422),
        )
    ),
)
async def resolve(request: Call, exception_id: FromPath[UUID]) -> Response[bytes]:
    """Try again, correct the input, answer, say what became of an action in doubt, or abandon the case.

    400 says which way fits instead, or from when on. 409: somebody was faster. 422: the value breaks its contract.
    """
    body = await request.read(ResolveExceptionBody)
    node = request.node
    case = await resolve_exception(
        node.database, node.writer, request.tenant, exception_id, body.way, who=request.caller.name, why=body.why,
        value=body.value, registry=node.registry, ask=functools.partial(request.require, "exception.resolve"),
    )  # fmt: skip
    return answer(GoesOn(case=case, follow=f"/v1/cases/{case}"))


@get(
    "/v1/exceptions/groups",
    opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=ListQuery, gives={200: GroupPage})),
)
async def list_groups(request: Call) -> Response[bytes]:
    """The open exceptions by their cause: how many, the money at stake, since when, who answers for them."""
    asked = request.query(ListQuery)
    async with request.node.database.tenant(request.tenant) as connection:
        found = grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": asked.limit}))
    return answer(GroupPage(groups=tuple(map(_group_document, found))))


@post(
    "/v1/exceptions/groups/{fingerprint:uuid}",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="exception.resolve",
            takes=ResolveExceptionBody,
            gives={200: GroupResolved},
            refuses=(404, 422),
        )
    ),
)
async def resolve_all(request: Call, fingerprint: FromPath[UUID]) -> Response[bytes]:
    """Resolve every open exception of one cause in the same way, each by itself; what became of each."""
    body = await request.read(ResolveExceptionBody)
    node = request.node
    members = await resolve_group(
        node.database, node.writer, request.tenant, fingerprint, body.way, who=request.caller.name, why=body.why,
        value=body.value, registry=node.registry, ask=functools.partial(request.require, "exception.resolve"),
    )  # fmt: skip
    told = tuple(
        MemberDocument(
            exception=member.exception_id,
            case=member.case_id,
            refused=member.refused.what if member.refused else None,
            todo=member.refused.todo if member.refused else None,
        )
        for member in members
    )
    resolved = sum(member.refused is None for member in members)
    return answer(GroupResolved(fingerprint=fingerprint.hex, resolved=resolved, members=told))


def _group_document(group: CauseGroup) -> GroupDocument:
    return GroupDocument(
        fingerprint=group.fingerprint.hex,
        workflow=group.workflow,
        kind=group.kind,
        what=group.what,
        owner=group.owner,
        priority=group.priority,
        count=group.members,
        exposures=tuple(map(str, group.exposures)),
        oldest=group.oldest,
    )


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
        step=str(Place(found.scope, found.ordinal)) if found.scope is not None and found.ordinal is not None else None,
        action=found.action,
        decide_from=found.safe_at,
        answer=embed(found.answer),
    )
