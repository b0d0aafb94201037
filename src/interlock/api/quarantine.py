"""Quarantine: data that broke their contract, whole; mended and released, one by one or many alike, or discarded."""

from __future__ import annotations

import urllib.parse
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ReleaseBody
from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.personal import PurposeQuery, answer_for
from interlock.api.quarantine_documents import (
    ChangeDocument,
    DiscardBody,
    LookedDocument,
    QuarantineDocument,
    QuarantinePage,
    QuarantineQuery,
    ReleasedDocument,
    RepairBody,
    RepairDocument,
    quarantine_fields,
)
from interlock.api.stored import embed_doubtful
from interlock.authority.judge import everything
from interlock.cases.release import Release, Released
from interlock.cases.repair import Cause, Looked, list_held, patching, repair
from interlock.cases.store import Quarantined


@get(
    "/v1/quarantine",
    opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=QuarantineQuery, gives={200: QuarantinePage})),
)
async def list_quarantine(request: Call) -> Response[bytes]:
    """What is held, the oldest first, a page at a time."""
    asked = request.query(QuarantineQuery)
    cause = Cause(workflow=asked.workflow, point=asked.point, rule=asked.rule, since=asked.since)
    found = await list_held(_release(request), cause, most=asked.limit + 1, after=asked.after)
    page, more = found[: asked.limit], len(found) > asked.limit
    return answer(
        QuarantinePage(
            quarantine=tuple(map(quarantine_document, page)), next=_next(asked, page[-1].id) if more else None
        )
    )


@get(
    "/v1/quarantine/{quarantine_id:uuid}",
    opt=says(
        Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=PurposeQuery, gives={200: QuarantineDocument}, refuses=(404,))
    ),
)
async def read_quarantine(request: Call, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """One, with every violation. Personal data are sealed: they are shown for the purpose ``repair``."""
    purpose = request.query(PurposeQuery).purpose
    document = quarantine_document(await _release(request).find(quarantine_id))
    return await answer_for(request, document, purpose, quarantine_id)


@post(
    "/v1/quarantine/{quarantine_id:uuid}/release",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="quarantine.mend",
            takes=ReleaseBody,
            gives={200: ReleasedDocument},
            refuses=(404, 409, 422),
        )
    ),
)
async def release(request: Call, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """Let data go on, mended: a case with its new input, or a question that is decided now under the key it came with.

    422: they still break their contract. 409: somebody was faster, the key was used meanwhile, or nothing is decided
    at this moment.
    """
    body = await request.read(ReleaseBody)
    letting = _release(request)
    released = await letting.mended(await letting.find(quarantine_id), body.input)
    decision = released.decision
    return answer(
        ReleasedDocument(
            quarantine=released.quarantine,
            case=released.case,
            decision=decision.id if decision else None,
            route=decision.route if decision else None,
            follow=_follow(released),
        )
    )


@post(
    "/v1/quarantine/{quarantine_id:uuid}/discard",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="quarantine.mend",
            takes=DiscardBody,
            gives={200: QuarantineDocument},
            refuses=(404, 409),
        )
    ),
)
async def discard(request: Call, quarantine_id: FromPath[UUID]) -> Response[bytes]:
    """Give up on data; they stay, marked. 409: a case waits for them, or somebody was faster."""
    body = await request.read(DiscardBody)
    letting = _release(request)
    await letting.discard(await letting.find(quarantine_id), body.why)
    return answer(quarantine_document(await letting.find(quarantine_id)))


@post(
    "/v1/quarantine/repair",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,), act="quarantine.mend", takes=RepairBody, gives={200: RepairDocument}, refuses=(404,)
        )
    ),
)
async def repair_quarantine(request: Call) -> Response[bytes]:
    """Mend many data of one cause alike; without ``carry_out`` nothing is changed, and what would be is told.

    Sealed data need the scope personal, too; that they are opened is on the ledger. Without it each is told as failed.
    """
    body = await request.read(RepairBody)
    cause = Cause(workflow=body.workflow, point=body.point, rule=body.rule, since=body.since)
    done = await repair(
        _release(request), cause, patching(body.patch), most=body.limit,
        carry_out=body.carry_out, may_open=request.caller.may((Scope.PERSONAL,)),
    )  # fmt: skip
    return answer(
        RepairDocument(
            looked_at=done.looked_at,
            fit=done.fit,
            released=done.released,
            left=done.left,
            first=tuple(map(_looked, done.first)),
            failed=tuple(map(_looked, done.failed)),
        )
    )


def quarantine_document(found: Quarantined) -> QuarantineDocument:
    """What is stored, as callers get it."""
    data, text = embed_doubtful(found.data)
    return QuarantineDocument(data=data, text=text, **quarantine_fields(found))


def _follow(released: Released) -> str:
    if released.decision:
        return f"/v1/decisions/{released.decision.id}"
    return f"/v1/cases/{released.case}" if released.case else f"/v1/quarantine/{released.quarantine}"


def _release(call: Call) -> Release:
    node = call.node
    verdict = node.authority.judge(call.caller.actor, "quarantine.mend", everything(call.tenant))  # routes require it
    return Release(node.tools.decider, node.writer, node.registry, call.tenant, call.caller.name, verdict)


def _next(asked: QuarantineQuery, last: UUID) -> str:
    given = {
        "workflow": asked.workflow,
        "point": asked.point,
        "rule": asked.rule,
        "since": asked.since.isoformat() if asked.since else None,
        "limit": asked.limit,
        "after": last,
    }
    return (
        f"/v1/quarantine?{urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})}"
    )


def _looked(looked: Looked) -> LookedDocument:
    changed = tuple(ChangeDocument(where=one.where, before=one.before, after=one.after) for one in looked.changes)
    return LookedDocument(id=looked.id, changes=changed, left=looked.left, error=looked.error)
