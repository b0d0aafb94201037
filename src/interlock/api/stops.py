"""Stops: what people have stopped, the calls still under way, and resume."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.actions.under_way import CallUnderWay, calls_under_way
from interlock.api.bodies import ResumeBody, ResumeScopeBody, StopBody
from interlock.api.call import Call, answer
from interlock.api.dead_man import term_document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.stop_documents import CallDocument, StopDocument, StopPage, StopRecordDocument
from interlock.authority.judge import Resource
from interlock.cases.stoppable import check_known, stop_resource, stoppable
from interlock.errors import Forbidden, NotFound, Refused
from interlock.guards.dead_man import TermState, list_terms
from interlock.guards.scope import TENANT, check_scope, is_of_the_installation
from interlock.guards.stop_gate import Stop, StopKind
from interlock.guards.stops import find_in_force, find_stop, resume, stop
from interlock.guards.stops import list_stops as stops_in_force
from interlock.node import Node

_NEEDS = (Scope.STOP, Scope.OPERATE)


@get("/v1/stops", opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), gives={200: StopPage})))
async def list_stops(request: Call) -> Response[bytes]:
    """The stops in force, the oldest first, and the terms that lapse soon."""
    return answer(await _page(request))


@get(
    "/v1/stops/{stop_id:uuid}",
    opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), gives={200: StopRecordDocument}, refuses=(404,))),
)
async def read_stop(request: Call, stop_id: FromPath[UUID]) -> Response[bytes]:
    """One stop, in force or not, with the calls that are still under way in its scope."""
    found = await find_stop(request.node.database, request.tenant, stop_id)
    own = f"{TENANT}:{request.caller.tenant_name}"
    if found.scope.startswith(f"{TENANT}:") and found.scope != own and not request.caller.may((Scope.OPERATE,)):
        raise NotFound(f"there is no stop {stop_id}", todo="GET /v1/stops lists those in force")
    lifted = {name: getattr(found, name) for name in ("lifted_at", "lifted_by", "lifted_why")}
    return answer(
        await _record(request, found, in_force=found.is_in_force(request.node.database.clock.now()), **lifted)
    )


@post(
    "/v1/stops",
    opt=says(Endpoint(needs=_NEEDS, act="stop.set", takes=StopBody, gives={201: StopRecordDocument}, refuses=(404,))),
)
async def stop_scope(request: Call) -> Response[bytes]:
    """Stop a scope. From this answer on, nothing in it is dispatched any more, on any worker.

    Workers that hang do not keep it from taking effect. What was dispatched before is listed and will be settled.
    """
    body = await request.read(StopBody)
    node, who = request.node, request.caller.name
    everywhere = body.installation or is_of_the_installation(body.scope)
    _may(request, everywhere=everywhere)
    if not is_of_the_installation(body.scope):
        check_scope(body.scope)
        # a process without workflows knows no names, and stops what it is told to; no file names an agent
        if node.registry.all and not body.scope.startswith("agent:") and not everywhere:
            check_known(body.scope, _known(node))
    if body.until is not None and body.until <= node.database.clock.now():
        raise Refused(f"{body.until.isoformat()} has passed", where="/until", todo="name a time to come, or none")
    verdict = request.require("stop.set", _resource(request, body.scope, everywhere=everywhere))
    made = await stop(
        node.database,
        node.writer,
        request.tenant,
        scope=body.scope,
        who=who,
        why=body.why,
        until=body.until,
        everywhere=everywhere,
        verdict=verdict,
    )
    document = await _record(request, made.stop, in_force=True, unanswered=made.unanswered)
    return answer(document, 201, location=f"/v1/stops/{made.id}")


@post(
    "/v1/stops/{stop_id:uuid}/resume",
    opt=says(Endpoint(needs=_NEEDS, act="stop.lift", takes=ResumeBody, gives={200: StopPage}, refuses=(404,))),
)
async def resume_stop(request: Call, stop_id: FromPath[UUID]) -> Response[bytes]:
    """Lift a stop; what it held goes on within a second. Answers with the stops that are still in force."""
    body = await request.read(ResumeBody)
    found = await find_stop(request.node.database, request.tenant, stop_id)
    await _lift(request, [found], body.why)
    return answer(await _page(request))


@post(
    "/v1/stops/resume",
    opt=says(Endpoint(needs=_NEEDS, act="stop.lift", takes=ResumeScopeBody, gives={200: StopPage}, refuses=(404,))),
)
async def resume_scope(request: Call) -> Response[bytes]:
    """Lift every stop of a scope; what they held goes on within a second."""
    body = await request.read(ResumeScopeBody)
    _may(request, everywhere=body.installation or is_of_the_installation(body.scope))
    found = await find_in_force(request.node.database, request.tenant, body.scope, everywhere=body.installation)
    await _lift(request, found, body.why)
    return answer(await _page(request))


async def _lift(request: Call, found: Iterable[Stop], why: str) -> None:
    for one in found:
        everywhere = one.kind is StopKind.INSTALLATION
        _may(request, everywhere=everywhere)
        it = _resource(request, one.scope, everywhere=everywhere, set_by=one.who)
        verdict = request.require("stop.lift", it)
        await resume(
            request.node.writer, request.tenant, one.id, who=request.caller.name, why=why, everywhere=everywhere,
            verdict=verdict,
        )  # fmt: skip


def _resource(request: Call, scope: str, *, everywhere: bool, set_by: str | None = None) -> Resource:
    declarations = (entry.declaration for entry in request.node.registry.all)
    return stop_resource(request.tenant, scope, declarations, installation=everywhere, set_by=set_by)


def _may(request: Call, *, everywhere: bool) -> None:
    """See that a key reaches no further than it may.

    Raises:
        Forbidden: it lacks the scope that this needs.
    """
    needed = Scope.OPERATE if everywhere else Scope.STOP
    if not request.caller.may((needed,)):
        raise Forbidden(f"the key {request.caller.name} lacks the scope {needed}", todo="ask for a key with that scope")


async def _record(request: Call, found: Stop, **more: object) -> StopRecordDocument:
    calls = await _calls(request, found)
    under_way = tuple(_call_document(call) for call in calls)
    fields = msgspec.structs.asdict(_document(found, _known(request.node)))
    return msgspec.convert({**fields, **more, "under_way": under_way}, StopRecordDocument, from_attributes=True)


async def _calls(request: Call, found: Stop) -> list[CallUnderWay]:
    """The calls under way; of every tenant only for who may stop every tenant."""
    database, tenant = request.node.database, request.tenant
    if found.kind is not StopKind.INSTALLATION or Scope.OPERATE not in request.caller.scopes:
        return await calls_under_way(database, tenant, found.scope)
    kind, _, name = found.scope.partition(":")
    whose = await database.find_tenant(name) if kind == TENANT else None
    return await calls_under_way(database, whose, found.scope)


def _call_document(call: CallUnderWay) -> CallDocument:
    return CallDocument(
        tenant=call.tenant,
        action=call.id,
        case=call.case_id,
        workflow=call.workflow,
        name=call.name,
        connector=call.connector,
        state=call.state,
        attempt=call.attempt,
        key=call.key,
        exposure=str(call.exposure) if call.exposure else None,
        since=call.since,
        deadline=call.deadline,
    )


def _known(node: Node) -> frozenset[str]:
    return stoppable((entry.declaration for entry in node.registry.all), node.settings.connectors)


def _document(found: Stop, known: frozenset[str]) -> StopDocument:
    fields = {name: getattr(found, name) for name in Stop.__struct_fields__}
    return StopDocument(**fields, known=found.scope in known or is_of_the_installation(found.scope))


async def _page(request: Call) -> StopPage:
    database, known = request.node.database, _known(request.node)
    now = database.clock.now()
    terms = await list_terms(database, request.tenant)
    return StopPage(
        stops=tuple(_document(one, known) for one in await stops_in_force(database, request.tenant)),
        soon=tuple(term_document(term, now) for term in terms if term.state(now) is TermState.SOON),
    )
