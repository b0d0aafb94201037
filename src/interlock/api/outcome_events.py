"""Outcomes as CloudEvents over HTTP: what became of decisions, from whoever sends events."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Response, post

from interlock.api.batch import MOST_BATCH_BYTES
from interlock.api.call import Call, encode
from interlock.api.cloudevent_documents import CloudEventBody, EventResult, EventResults, ResultEvent
from interlock.api.cloudevents import MODES, STRUCTURED, sent_events
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.outcomes import told_outcome
from interlock.api.problems import answer_problem, problem_of
from interlock.api.sending import trace_of
from interlock.api.trace import begin_trace
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.record import record_outcomes
from interlock.cases.outcome_points import outcome_points
from interlock.errors import EventInvalid, NotFound, Refused
from interlock.streams.event import Event
from interlock.streams.outcome_event import outcome_line

RECORDED = "interlock.outcome.recorded"
SOURCE = "urn:interlock:outcomes"


@post(
    "/v1/cloudevents/outcomes",
    request_max_body_size=MOST_BATCH_BYTES,
    opt=says(
        Endpoint(
            needs=(Scope.OUTCOME,),
            act="outcome.record",
            takes=CloudEventBody,
            gives={200: ResultEvent},
            refuses=(404, 409),
            media=STRUCTURED,
            modes=MODES,
            seconds=120.0,
            extensible=True,
        )
    ),
)
async def take_outcome_events(request: Call) -> Response[bytes]:
    """Put on record what events of the type interlock.outcome.said say became of decisions; their data are a line of
    ``POST /v1/outcomes`` without its key.

    Source and id are the word's key: what comes again is known, the same with other data is refused (409). 404: there
    is no such decision yet; send it again. A batch gets the result of each event, in order.
    """  # noqa: D205 - one thought
    sent = await sent_events(request)
    if isinstance(sent, list):
        results = await _record(request, sent)
        places = tuple(_of_batch(request, at, *one) for at, one in enumerate(zip(sent, results, strict=True)))
        return Response(encode(EventResults(results=places)), status_code=200, media_type="application/json")
    (result,) = await _record(request, [sent])
    if result.refused is not None:
        return answer_problem(problem_of(_why(result), request.trace), {})
    return Response(encode(_recorded(request, sent, result)), status_code=200, media_type=STRUCTURED)


async def _record(request: Call, sent: Sequence[Event | EventInvalid]) -> list[Result]:
    node = request.node
    lines = [outcome_line(one) if isinstance(one, Event) else one for one in sent]
    return await record_outcomes(
        node.database,
        node.writer,
        request.tenant,
        lines,
        outcome_points(node.registry, request.tenant),
        who=request.caller.name,
        verdict=request.require("outcome.record"),
    )


def _of_batch(request: Call, place: int, event: Event | EventInvalid, result: Result) -> EventResult:
    if isinstance(event, EventInvalid) or result.refused is not None:
        problem = problem_of(_why(result), request.trace)
        return EventResult(place=place, status=problem.status, problem=problem)
    return EventResult(place=place, status=200, event=_recorded(request, event, result))


def _why(result: Result) -> Refused | NotFound:
    """Why it is not on record: of a decision that is not there, so that its sender tells it from what is wrong."""
    why = result.refused
    if why is None:
        raise AssertionError("what is not on record says why")
    return NotFound(why.what, where=why.where, todo=why.todo) if result.became is Became.UNKNOWN else why


def _recorded(request: Call, event: Event, result: Result) -> ResultEvent:
    stated = event.text("traceparent")
    trace = begin_trace([(b"traceparent", stated.encode("latin-1", "replace"))]) if stated else trace_of(request.scope)
    return ResultEvent(
        id=str(result.outcome),
        source=SOURCE,
        type=RECORDED,
        subject=str(result.decision),
        time=request.node.database.clock.now(),
        causesource=event.source,
        causeid=event.id,
        traceparent=trace.parent,
        data=told_outcome(request, 1, result),
    )
