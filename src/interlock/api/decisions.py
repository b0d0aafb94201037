"""Decisions in line: asked over HTTP, answered at once, or sent to a person."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.admission import RETRY_AFTER_S
from interlock.api.bodies import DecideBody, DecisionQuery
from interlock.api.call import Call
from interlock.api.deciding import answer_decision, decided_document, overloaded, recalled_since
from interlock.api.documents import DecidedDocument, DecisionDocument, FullDecision
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.personal import answer_for
from interlock.api.stored import as_hex, as_text, embed
from interlock.decisions.decide import find_decision
from interlock.decisions.decision import Decision
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.oversight.queue import find_review
from interlock.oversight.review import Review

LONGEST_WAIT_S = 30.0
"""How long one request may wait for a person."""
LOOKS_EVERY_S = 0.5


@post(
    "/v1/decisions",
    opt=says(
        Endpoint(
            needs=(Scope.DECIDE,),
            act="decision.ask",
            takes=DecideBody,
            gives={200: DecidedDocument, 202: DecidedDocument},
            refuses=(404, 409, 422, 503),
        )
    ),
)
async def decide(request: Call) -> Response[bytes]:
    """Take a decision in line.

    200: it is settled. 202: a person has yet to decide. 422: the input breaks its contract and is kept in quarantine.
    503: the queue is full, it is stopped, or there is no room at this moment: nothing was decided. The same key and
    input give the same decision, whatever became of it; the same key with another input or exposure is refused.
    """
    content = await request.content()
    # the documented path is answered by ``front``; what comes here spells it otherwise, with a slash at its end
    ticket = request.app.state["admission"].enter()
    if ticket is None:
        reply = overloaded(request.trace, RETRY_AFTER_S)
    else:
        try:
            key = request.headers.get("idempotency-key", "")
            reply = await answer_decision(
                request.node, request.caller, content, header_key=key, trace=request.trace, ticket=ticket
            )
        finally:
            ticket.leave()
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.content, status_code=reply.status, media_type=reply.media_type.decode(), headers=headers)


@get(
    "/v1/decisions/{decision_id:uuid}",
    opt=says(
        Endpoint(needs=(Scope.READ, Scope.DECIDE), asks=DecisionQuery, gives={200: FullDecision}, refuses=(404, 422))
    ),
)
async def read_decision(request: Call, decision_id: FromPath[UUID]) -> Response[bytes]:
    """One decision: who was asked, why it took its route, and what holds now, or, with ``wait``, once it is settled."""
    asked = request.query(DecisionQuery)
    wait = _wait_s(asked.wait)
    decision = await find_decision(request.node.database, request.tenant, decision_id)
    review = await review_of(request, decision)
    give_up = time.monotonic() + wait
    while review and review.resolution is None and (left := give_up - time.monotonic()) > 0:
        await asyncio.sleep(min(LOOKS_EVERY_S, left))
        review = await review_of(request, decision)
    recalled = await recalled_since(request.node.database, request.tenant, decision)
    holds = decided_document(decision, review, recalled)
    fields = {name: getattr(told, name) for told in [decision_document(decision)] for name in told.__struct_fields__}
    document = FullDecision(
        **fields,
        settled=holds.settled,
        output=holds.output,
        resolution=holds.resolution,
        resolved_by=review.resolved_by if review else None,
        recalled=recalled,
    )
    return await answer_for(request, document, asked.purpose, decision_id)


def decision_document(decision: Decision) -> DecisionDocument:
    """A stored decision as callers get it."""
    return DecisionDocument(
        id=decision.id,
        case=decision.case_id,
        workflow=decision.workflow,
        point=decision.point,
        key=decision.key,
        route=decision.route,
        proposal=embed(decision.output),
        component=decision.component,
        component_digest=as_hex(decision.component_digest),
        propensity=decision.propensity,
        attempts=embed(decision.attempts),
        confidence=decision.confidence,
        confidence_needed=decision.confidence_needed,
        exposure=as_text(decision.exposure),
        reasons=embed(decision.reasons),
        findings=embed(decision.findings),
        verdicts=embed(decision.verdicts),
        evidence=embed(decision.evidence),
        review=decision.review,
        input=embed(decision.input),
        input_hash=decision.input_hash.hex(),
        input_contract=decision.input_contract,
        output_hash=as_hex(decision.output_hash),
        output_contract=decision.output_contract,
        declaration=decision.declaration.hex(),
        cost=decision.cost,
        took_us=embed(decision.took_us),
        decided_at=decision.decided_at,
        valid_until=decision.valid_until,
        supersedes=decision.supersedes,
        facts=embed(decision.facts),
    )


async def review_of(call: Call, decision: Decision) -> Review | None:
    """The review that a decision went to, if it went to one."""
    return await find_review(call.node.database, call.tenant, decision.review) if decision.review else None


def _wait_s(wait: str | None) -> float:
    if wait is None:
        return 0.0
    try:
        return min(parse_duration(wait).total_seconds(), LONGEST_WAIT_S)
    except Refused as cause:
        raise Refused(cause.what, where="?wait", todo=cause.todo) from cause
