"""CloudEvents over HTTP (HTTP binding 1.0.2): structured, binary and batched; each event a decision, or a case."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import cast

from litestar import Response, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from interlock.api.admission import RETRY_AFTER_S, Admission, Ticket
from interlock.api.batch import MOST_BATCH_BYTES
from interlock.api.call import Call, allowed, encode
from interlock.api.cloudevent_documents import CloudEventBody, EventResult, EventResults, ResultEvent
from interlock.api.deciding import decided_document, deferred_problem, overloaded_problem, pause_s
from interlock.api.documents import DecidedDocument, Submission
from interlock.api.endpoint import Endpoint, Mode, says
from interlock.api.keys import Scope
from interlock.api.problems import Problem, answer_problem, problem_of
from interlock.api.sending import trace_of
from interlock.api.submitting import take_in
from interlock.api.trace import Trace, begin_trace
from interlock.contracts import canonical
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision
from interlock.errors import EventInvalid, Violation
from interlock.oversight.queue import find_review
from interlock.streams.delivery import unescape
from interlock.streams.event import Event, read_batch, read_binary, read_structured
from interlock.streams.intake import Target, find_target, take_event

log = logging.getLogger("interlock.api")

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_ANY_FORMAT = "application/cloudevents"
MODES = (
    Mode(media="application/json"),
    Mode(media=BATCH, many=True, answers="application/json", gives=EventResults),
)
"""How events come beside the structured form: binary, and as a batch."""
_PREFIX = "ce-"
_AT_ONCE = 64
_ROOM_S = 0.02
_BATCH_PATIENCE_S = 30.0
"""How long an event of a batch waits for room: the batch was accepted, and its sender waits for all of it anyway."""


@post(
    "/v1/cloudevents/{target:str}",
    request_max_body_size=MOST_BATCH_BYTES,
    opt=says(
        Endpoint(
            needs=(Scope.DECIDE, Scope.SUBMIT),
            act="decision.ask",
            takes=CloudEventBody,
            gives={200: ResultEvent, 202: ResultEvent},
            refuses=(404, 409, 422, 503),
            media=STRUCTURED,
            modes=MODES,
            seconds=120.0,
            extensible=True,
        )
    ),
)
async def take_cloudevents(request: Call, target: FromPath[str]) -> Response[bytes]:
    """Decide an event, or many; or submit them as cases.

    The target is workflow.point for decisions, or workflow:NAME for cases. Source and id are the idempotency key. One
    event gets its result as a CloudEvent: 200: it is settled; 202: a person has yet to decide, or a case was taken in;
    422: the data break their contract and are kept in quarantine. A batch gets the result of each event, in order.
    """
    found = find_target(request.node.registry, target, where="/target")
    allowed(request.caller, (Scope.DECIDE if found.named else Scope.SUBMIT,))
    request.require("decision.ask" if found.named else "case.submit")
    sent = await sent_events(request)
    if isinstance(sent, list):
        return await _take_batch(request, found, sent)
    result = await _take(request, found, sent)
    if isinstance(result, ResultEvent):
        data = cast("DecidedDocument | Submission", result.data)
        return Response(
            encode(result), status_code=_status(result), media_type=STRUCTURED, headers={"Location": data.follow}
        )
    problem, retry_after_s = result
    return answer_problem(problem, {"Retry-After": str(retry_after_s)} if retry_after_s else {})


async def sent_events(request: Call) -> Event | list[Event | EventInvalid]:
    """The event of a request, structured or binary; or those of a batch.

    Raises:
        EventInvalid: it is none.
        MalformedJson: it is not the JSON that we accept.
        HTTPException: it is of another format.
    """
    sent = request.headers.get("content-type", "").strip()
    kind = sent.partition(";")[0].strip().lower()
    if kind == BATCH:
        return read_batch(await request.body(), max_bytes=MOST_BATCH_BYTES)
    if kind in {STRUCTURED, _ANY_FORMAT}:
        return read_structured(await request.body())
    if kind.startswith(_ANY_FORMAT):
        raise HTTPException(status_code=415, detail=f"the body is said to be {kind[:60]}; the JSON format is taken")
    return read_binary(_attributes(request), sent, await request.body(), prefix=_PREFIX)


def _attributes(request: Call) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in request.scope["headers"]:
        if name.startswith(b"ce-"):
            where = name.decode("latin-1")
            try:
                found.append((where.removeprefix(_PREFIX), unescape(value.decode(), where=where)))
            except UnicodeDecodeError as cause:
                wrong = Violation(where=where, what="is not UTF-8", rule="attribute", todo="percent-encode it")
                raise EventInvalid("this is no CloudEvent", (wrong,)) from cause
    return found


async def _take_batch(request: Call, target: Target, events: list[Event | EventInvalid]) -> Response[bytes]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(place: int, event: Event | EventInvalid) -> EventResult:
        async with places:
            return await _take_one(request, target, place, event)

    results = await asyncio.gather(*(one(place, event) for place, event in enumerate(events)))
    return Response(encode(EventResults(results=tuple(results))), status_code=200, media_type="application/json")


async def _take_one(request: Call, target: Target, place: int, event: Event | EventInvalid) -> EventResult:
    """The result of one event of a batch, whatever becomes of it: one bad event never stops the rest."""
    if isinstance(event, EventInvalid):
        problem = problem_of(event, request.trace)
        return EventResult(place=place, status=problem.status, problem=problem)
    try:
        result = await _take(request, target, event, patience_s=_BATCH_PATIENCE_S)
    except Exception as cause:
        problem = problem_of(cause, request.trace)
        if problem.code == "internal":
            log.exception("trace %s: event %d of a batch failed", request.trace, place)
        return EventResult(place=place, status=problem.status, problem=problem)
    if isinstance(result, ResultEvent):
        return EventResult(place=place, status=_status(result), event=result)
    return EventResult(place=place, status=result[0].status, problem=result[0])


async def _admitted(admission: Admission, patience_s: float) -> Ticket | None:
    """A place among the decisions under way; None: there was no room for so long."""
    until = time.monotonic() + patience_s
    while (ticket := admission.enter()) is None:
        if time.monotonic() >= until:
            return None
        await asyncio.sleep(_ROOM_S)
    return ticket


async def _take(
    request: Call, target: Target, event: Event, *, patience_s: float = 0.0
) -> ResultEvent | tuple[Problem, int]:
    """Have one event decided or submitted; a problem comes with the seconds after which to ask again."""
    stated = event.text("traceparent")
    trace = begin_trace([(b"traceparent", stated.encode("latin-1", "replace"))]) if stated else trace_of(request.scope)
    if target.named is None:
        taken = await take_in(request, target.registered, key=event.key, data=canonical(event.data), event=event.key)
        if isinstance(taken, Submission):
            return _case_received(request, target, event, taken, trace)
        return taken, 0
    ticket = await _admitted(request.app.state["admission"], patience_s)
    if ticket is None:
        return overloaded_problem(trace.id, RETRY_AFTER_S), RETRY_AFTER_S
    try:
        decision = await take_event(
            request.node.tools, request.tenant, target, event, caller=request.caller.name, aside=ticket.aside
        )
    finally:
        ticket.leave()
    if isinstance(decision, Deferred):
        return deferred_problem(decision, trace.id), pause_s(decision)
    return await _decision_taken(request, target, event, cast("Decision", decision), trace)


async def _decision_taken(request: Call, target: Target, event: Event, decision: Decision, trace: Trace) -> ResultEvent:
    review = await find_review(request.node.database, request.tenant, decision.review) if decision.review else None
    document = decided_document(decision, review)
    late = review is not None and document.settled
    return ResultEvent(
        id=f"{decision.id}:settled" if late else str(decision.id),
        source=f"urn:interlock:point:{target.name}",
        type="interlock.decision.settled" if late else "interlock.decision.taken",
        subject=str(decision.id),
        time=decision.decided_at,
        causesource=event.source,
        causeid=event.id,
        traceparent=trace.parent,
        data=document,
    )


def _case_received(request: Call, target: Target, event: Event, taken: Submission, trace: Trace) -> ResultEvent:
    return ResultEvent(
        id=str(taken.id),
        source=f"urn:interlock:workflow:{target.workflow}",
        type="interlock.case.received",
        subject=str(taken.id),
        time=request.node.database.clock.now(),
        causesource=event.source,
        causeid=event.id,
        traceparent=trace.parent,
        data=taken,
    )


def _status(result: ResultEvent) -> int:
    data = cast("DecidedDocument | Submission", result.data)
    return 200 if isinstance(data, DecidedDocument) and data.settled else 202
