"""Stops: what people have stopped, and resume."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ResumeBody, StopBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.trouble_documents import StopDocument, StopPage
from interlock.cases.stoppable import check_known, stoppable
from interlock.errors import Refused
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import check_scope, resume, stop
from interlock.guards.stops import list_stops as stops_in_force
from interlock.node import Node


@get("/v1/stops", opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), gives={200: StopPage})))
async def list_stops(request: Call) -> Response[bytes]:
    """The stops in force, the oldest first."""
    found = await stops_in_force(request.node.database, request.tenant)
    return answer(_page(found, request.node))


@post("/v1/stops", opt=says(Endpoint(needs=(Scope.STOP,), takes=StopBody, gives={201: StopDocument})))
async def stop_scope(request: Call) -> Response[bytes]:
    """Stop a scope. When this answers, nothing in it is dispatched any more, on any worker.

    What was dispatched before may still be under way, up to its timeout.
    """
    body = await request.read(StopBody)
    node, who = request.node, request.caller.name
    now = node.database.clock.now()
    known = _known(node)
    check_scope(body.scope)
    if node.registry.all:  # a process without workflows knows no names, and stops what it is told to
        check_known(body.scope, known)
    if body.until is not None and body.until <= now:
        raise Refused(f"{body.until.isoformat()} has passed", where="/until", todo="name a time to come, or none")
    stop_id = await stop(
        node.database, node.writer, request.tenant, scope=body.scope, who=who, why=body.why, until=body.until
    )
    made = StopDocument(
        id=stop_id,
        scope=body.scope,
        who=who,
        why=body.why,
        until=body.until,
        created_at=now,
        known=body.scope in known,
    )
    return answer(made, 201, location="/v1/stops")


@post(
    "/v1/stops/{stop_id:uuid}/resume",
    opt=says(Endpoint(needs=(Scope.STOP,), takes=ResumeBody, gives={200: StopPage}, refuses=(404,))),
)
async def resume_scope(request: Call, stop_id: FromPath[UUID]) -> Response[bytes]:
    """Lift a stop; what was held goes on. Answers with the stops that are still in force."""
    body = await request.read(ResumeBody)
    node = request.node
    await resume(node.writer, request.tenant, stop_id, who=request.caller.name, why=body.why)
    found = await stops_in_force(node.database, request.tenant)
    return answer(_page(found, node))


def _known(node: Node) -> frozenset[str]:
    return stoppable((entry.declaration for entry in node.registry.all), node.settings.connectors)


def _page(found: Sequence[Stop], node: Node) -> StopPage:
    known = _known(node)
    return StopPage(stops=tuple(StopDocument(**msgspec.structs.asdict(one), known=one.scope in known) for one in found))
