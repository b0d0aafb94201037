"""One decision in line: from the bytes of a request to the bytes of its answer, whichever way they came in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from uuid import UUID

import msgspec

from interlock.api.admission import Ticket
from interlock.api.bodies import DecideBody
from interlock.api.call import key_of
from interlock.api.documents import DecidedDocument
from interlock.api.due import answered_by
from interlock.api.endpoint import MOST_BYTES
from interlock.api.keys import Caller
from interlock.api.problems import MEDIA_TYPE as PROBLEM
from interlock.api.problems import Problem
from interlock.api.reading import read_body
from interlock.api.stored import embed
from interlock.cases.in_line import NamedPoint, ask_in_line, find_point, read_exposure
from interlock.contracts import read_json
from interlock.db.database import Database
from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Decision, Route
from interlock.decisions.origin import Origin
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.node import Node
from interlock.oversight.queue import find_review
from interlock.oversight.review import Resolution, Review
from interlock.privacy.token import hide
from interlock.recall.begin import find_taken
from interlock.recall.record import Taken

JSON = b"application/json"
_encoder = msgspec.json.Encoder(decimal_format="string")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, ready to be sent.

    Attributes:
        status: The HTTP status.
        content: The body.
        media_type: What the body is.
        headers: Beside those that every answer has; names in small letters.
    """

    status: int
    content: bytes
    media_type: bytes = JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


async def answer_decision(
    node: Node, caller: Caller, content: bytes, *, header_key: str, trace: str, ticket: Ticket | None = None
) -> Reply:
    """Take a decision in line.

    Args:
        node: The process.
        caller: Whose key was presented; it may decide.
        content: The body: a ``DecideBody``.
        header_key: The ``Idempotency-Key`` header, or empty.
        trace: The id under which the log has the request.
        ticket: Its place among those under way.

    Raises:
        MalformedJson: the body is not the JSON that we accept.
        ManyRefused: it is not of the form; everything that is wrong is named.
        ContractViolated: the input breaks its contract; it waits in quarantine.
        KeyReused: the key came before, with another input or exposure.
        DecisionLate: the time that the caller stated is over; it may be decided all the same.
    """
    body = read_body(read_json(content, max_bytes=MOST_BYTES), DecideBody)
    named = find_point(node.registry, body.point, where="/point")
    until = _until(body.within)
    asking = _ask(node, caller, body, named, key_of(body.key, header_key), until, ticket, Origin(trace=trace))
    decision, review, recalled = await (asking if until is None else answered_by(until, asking, ticket))
    if isinstance(decision, Deferred):
        return deferred_reply(decision, trace)
    document = decided_document(decision, review, recalled)
    content = _encoder.encode(document)
    if named.point.purpose:
        content = hide(content)
    location = (b"location", document.follow.encode())
    return Reply(200 if document.settled else 202, content, JSON, (location,))


async def _ask(
    node: Node,
    caller: Caller,
    body: DecideBody,
    named: NamedPoint,
    key: str,
    until: float | None,
    ticket: Ticket | None,
    origin: Origin,
) -> tuple[Decision | Deferred, Review | None, Taken | None]:
    """The decision; where the key came before with its review, and whether it was recalled since."""
    began = node.database.clock.now()
    decision = await ask_in_line(
        node.tools.decider,
        node.writer,
        caller.tenant,
        named,
        key=key,
        value=body.input,
        exposure=read_exposure(body.exposure, where="/exposure"),
        caller=caller.name,
        origin=origin,
        until=until,
        aside=ticket.aside if ticket else nullcontext,
        where="/input",
    )
    if isinstance(decision, Deferred) or decision.decided_at >= began:
        return decision, None, None  # a review that was opened just now says nothing yet
    review = await find_review(node.database, caller.tenant, decision.review) if decision.review else None
    return decision, review, await recalled_since(node.database, caller.tenant, decision)


async def recalled_since(database: Database, tenant: UUID, decision: Decision) -> Taken | None:
    """By which recall a decision was taken back; what has a case is told by the case."""
    return await find_taken(database, tenant, decision.id) if decision.case_id is None else None


def decided_document(decision: Decision, review: Review | None, recalled: Taken | None = None) -> DecidedDocument:
    """What a caller acts on: the output only where one holds."""
    resolution = review.resolution if review else None
    output = None
    if recalled:
        pass  # none holds any more
    elif decision.route is Route.AUTOMATIC:
        output = decision.output
    elif review and resolution in (Resolution.APPROVE, Resolution.CHANGE):
        output = review.output
    return DecidedDocument(
        id=decision.id,
        route=decision.route,
        settled=decision.route is not Route.REVIEW or resolution is not None or recalled is not None,
        output=embed(output),
        confidence=decision.confidence,
        reasons=embed(decision.reasons),
        valid_until=None if recalled else decision.valid_until,
        review=decision.review,
        resolution=resolution,
        case=decision.case_id,
        follow=f"/v1/decisions/{decision.id}",
        recalled=recalled,
    )


def pause_s(deferred: Deferred) -> int:
    """In how many seconds to ask again."""
    return max(1, round(deferred.pause.total_seconds()))


def deferred_problem(deferred: Deferred, trace: str) -> Problem:
    """Why nothing was decided."""
    code = "stopped" if deferred.held_by else deferred.code
    title = _TITLES[code]
    return Problem(
        type=f"urn:interlock:problem:{code}",
        title=title,
        status=503,
        detail=deferred.why,
        code=code,
        todo=f"nothing was decided: ask again in {pause_s(deferred)} s with the same key",
        trace=trace,
    )


_TITLES = {
    "stopped": "It is stopped",
    "queue-full": "The queue of reviews is full",
    "data-broken": "The data are not as promised",
}


def deferred_reply(deferred: Deferred, trace: str) -> Reply:
    """Nothing was decided, and when to ask again."""
    content = msgspec.json.encode(deferred_problem(deferred, trace))
    return Reply(503, content, PROBLEM.encode(), ((b"retry-after", b"%d" % pause_s(deferred)),))


def overloaded(trace: str, retry_after_s: int) -> Reply:
    """There is no room for another decision at this moment, and when to ask again."""
    problem = overloaded_problem(trace, retry_after_s)
    return Reply(503, msgspec.json.encode(problem), PROBLEM.encode(), ((b"retry-after", b"%d" % retry_after_s),))


def overloaded_problem(trace: str, retry_after_s: int) -> Problem:
    """There is no room for another decision at this moment."""
    return Problem(
        type="urn:interlock:problem:overloaded",
        title="There is no room for another decision at this moment",
        status=503,
        detail="as many decisions are under way as are answered in time; nothing was decided",
        code="overloaded",
        todo=f"ask again in {retry_after_s} s with the same key, or of another process",
        trace=trace,
    )


def _until(within: str | None) -> float | None:
    if within is None:
        return None
    try:
        span = parse_duration(within)
    except Refused as cause:
        raise Refused(cause.what, where="/within", todo=cause.todo) from cause
    return asyncio.get_running_loop().time() + span.total_seconds()
