"""Dead-man terms: what stops by itself unless somebody authorizes it in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from litestar import Response, get, post

from interlock.api.bodies import AuthorizeBody, EndTermBody, NewTermBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stop_documents import TermDocument, TermPage
from interlock.authority.judge import Resource
from interlock.cases.stoppable import check_known, stop_resource, stoppable
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards import dead_man
from interlock.guards.dead_man import Term
from interlock.guards.scope import check_scope


@get("/v1/deadman", opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), gives={200: TermPage})))
async def list_terms(request: Call) -> Response[bytes]:
    """The terms, the one that lapses first before the others."""
    return answer(await _page(request))


@post(
    "/v1/deadman",
    opt=says(
        Endpoint(needs=(Scope.STOP,), act="stop.set", takes=NewTermBody, gives={201: TermDocument}, refuses=(409,))
    ),
)
async def begin_term(request: Call) -> Response[bytes]:
    """Let a scope stop by itself unless it is authorized in time. Beginning it is the first authorization.

    No process has to run for it: what has lapsed is not dispatched.
    """
    body = await request.read(NewTermBody)
    node = request.node
    check_scope(body.scope)
    if node.registry.all and not body.scope.startswith("agent:"):
        check_known(body.scope, stoppable((entry.declaration for entry in node.registry.all), node.settings.connectors))
    verdict = request.require("stop.set", _resource(request, body.scope))
    term = await dead_man.begin_term(
        node.database,
        node.writer,
        request.tenant,
        scope=body.scope,
        every=_span(body.every, "/every"),
        who=request.caller.name,
        why=body.why,
        verdict=verdict,
    )
    return answer(term_document(term, node.database.clock.now()), 201, location="/v1/deadman")


@post(
    "/v1/deadman/authorize",
    opt=says(
        Endpoint(needs=(Scope.STOP,), act="stop.lift", takes=AuthorizeBody, gives={200: TermDocument}, refuses=(404,))
    ),
)
async def authorize(request: Call) -> Response[bytes]:
    """Authorize a scope for another term, from now; what had lapsed goes on within a second."""
    body = await request.read(AuthorizeBody)
    node = request.node
    verdict = request.require("stop.lift", _resource(request, body.scope))
    term = await dead_man.authorize(
        node.database,
        node.writer,
        request.tenant,
        scope=body.scope,
        who=request.caller.name,
        why=body.why,
        span=_span(body.span, "/span") if body.span else None,
        verdict=verdict,
    )
    return answer(term_document(term, node.database.clock.now()))


@post(
    "/v1/deadman/end",
    opt=says(Endpoint(needs=(Scope.STOP,), act="stop.lift", takes=EndTermBody, gives={200: TermPage}, refuses=(404,))),
)
async def end_term(request: Call) -> Response[bytes]:
    """End a term: the scope stops by itself no more. Answers with the terms that there still are."""
    body = await request.read(EndTermBody)
    node = request.node
    verdict = request.require("stop.lift", _resource(request, body.scope))
    await dead_man.end_term(
        node.database,
        node.writer,
        request.tenant,
        scope=body.scope,
        who=request.caller.name,
        why=body.why,
        verdict=verdict,
    )
    return answer(await _page(request))


def term_document(term: Term, now: datetime) -> TermDocument:
    """A term as callers get it."""
    fields = {name: getattr(term, name) for name in Term.__struct_fields__}
    return TermDocument(**fields, state=term.state(now))


def _resource(request: Call, scope: str) -> Resource:
    return stop_resource(request.tenant, scope, (entry.declaration for entry in request.node.registry.all))


async def _page(request: Call) -> TermPage:
    now = request.node.database.clock.now()
    found = await dead_man.list_terms(request.node.database, request.tenant)
    return TermPage(terms=tuple(term_document(term, now) for term in found))


def _span(text: str, where: str) -> timedelta:
    try:
        return parse_duration(text)
    except Refused as cause:
        raise Refused(cause.what, where=where, todo=cause.todo) from cause
