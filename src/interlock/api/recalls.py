"""Recalling what was decided by something wrong: planned, started, shown; the process carries it out by itself."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.recall_documents import (
    FullRecall,
    MemberDocument,
    MembersPage,
    MembersQuery,
    RecallBody,
    RecallPage,
    RecallsQuery,
    WantedBody,
    told,
)
from interlock.errors import Refused
from interlock.recall.begin import find_recall, plan_recall, start_recall
from interlock.recall.begin import list_recalls as recalls_of
from interlock.recall.figures import list_members, read_figures
from interlock.recall.record import Wishes

_NEEDS = (Scope.ADMIN,)


@post("/v1/recalls/plan", opt=says(Endpoint(needs=_NEEDS, act="recall", takes=WantedBody, gives={202: FullRecall})))
async def plan_a_recall(request: Call) -> Response[bytes]:
    """Put on record what would be recalled, and nothing else; a process gathers it, and then its figures are whole."""
    body = await request.read(WantedBody)
    node = request.node
    made = await plan_recall(
        node.database, node.writer, node.registry, request.tenant, body.selector, who=request.caller.name,
        verdict=request.require("recall"),
    )  # fmt: skip
    return await _answer(request, made, 202)


@post(
    "/v1/recalls",
    opt=says(Endpoint(needs=_NEEDS, act="recall", takes=RecallBody, gives={202: FullRecall}, refuses=(404, 409))),
)
async def start_a_recall(request: Call) -> Response[bytes]:
    """Recall what a plan found, or what is named: stop what is pending, take back what is done, decide anew.

    404: no such plan. 409: it was started before.
    """
    body = await request.read(RecallBody)
    what = body.plan or (body.what.selector if body.what else None)
    if what is None or (body.plan and body.what):
        raise Refused("one of plan and what says what is recalled", where="/what", todo="send one of them")
    node = request.node
    wishes = Wishes(stop=body.stop, restore=body.restore, anew=body.anew)
    made = await start_recall(
        node.database, node.writer, node.registry, request.tenant, what, wishes, who=request.caller.name, why=body.why,
        verdict=request.require("recall"),
    )  # fmt: skip
    return await _answer(request, made, 202)


@get("/v1/recalls", opt=says(Endpoint(needs=_NEEDS, asks=RecallsQuery, gives={200: RecallPage})))
async def list_recalls(request: Call) -> Response[bytes]:
    """Recalls, the newest first."""
    asked = request.query(RecallsQuery)
    found = await recalls_of(request.node.database, request.tenant, before=asked.before, most=asked.limit)
    return answer(RecallPage(recalls=tuple(told(one) for one in found)))


@get("/v1/recalls/{recall_id:uuid}", opt=says(Endpoint(needs=_NEEDS, gives={200: FullRecall}, refuses=(404,))))
async def read_recall(request: Call, recall_id: FromPath[UUID]) -> Response[bytes]:
    """A recall, how far it is, and the money in it."""
    return await _answer(request, recall_id, 200)


@get(
    "/v1/recalls/{recall_id:uuid}/members",
    opt=says(Endpoint(needs=_NEEDS, asks=MembersQuery, gives={200: MembersPage}, refuses=(404,))),
)
async def read_recall_members(request: Call, recall_id: FromPath[UUID]) -> Response[bytes]:
    """The cases that a recall holds, and the decisions without one, by id."""
    asked, node = request.query(MembersQuery), request.node
    await find_recall(node.database, request.tenant, recall_id)
    found = await list_members(node.database, request.tenant, recall_id, after=asked.after, most=asked.limit)
    members = (
        MemberDocument(id=one.member, case=one.is_case, state=one.state, anew=one.anew, why=one.why) for one in found
    )
    return answer(MembersPage(members=tuple(members)))


async def _answer(request: Call, recall: UUID, status: int) -> Response[bytes]:
    node = request.node
    found = await find_recall(node.database, request.tenant, recall)
    figures = await read_figures(node.database, node.registry, request.tenant, recall)
    return answer(FullRecall(recall=told(found), figures=figures), status)


ROUTES = (plan_a_recall, start_a_recall, list_recalls, read_recall, read_recall_members)
