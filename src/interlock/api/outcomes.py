"""What became of decisions over HTTP: said as NDJSON, a line an outcome, and read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from msgspec import Meta

from interlock.api.batch import MOST_BATCH_BYTES, MOST_LINES
from interlock.api.call import Call, answer, encode
from interlock.api.documents import Document
from interlock.api.endpoint import MOST_BYTES, Endpoint, says
from interlock.api.keys import Scope
from interlock.api.problems import problem_of
from interlock.autonomy.outcome import Standing
from interlock.autonomy.outcomes.line import OutcomeLine, read_line
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.read import OutcomesOf, due_without_outcome, outcomes_of, to_settle
from interlock.autonomy.outcomes.record import record_outcomes
from interlock.autonomy.outcomes.store import StoredOutcome
from interlock.cases.in_line import find_point
from interlock.cases.outcome_points import outcome_points
from interlock.contracts import read_json
from interlock.decisions.decide import find_decision
from interlock.errors import Refused

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MOST_TOLD = 1000


class SaidOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one source says of one decision.

    Attributes:
        source: Whose word it is: small letters, digits and ``. _ / -``.
        decision: The decision's id; or ``point`` with ``asked`` or ``case``.
        point: The full name of the decision point, ``workflow.point``.
        asked: The key under which the point was asked.
        case: The key of the case: of its decisions at that point the newest that holds.
        right: Whether what was proposed was right; without it ``truth`` tells.
        truth: What was true, by fields of the output.
        label: What it is called where it comes from; at points that read personal data a code such as charged_off.
        loss: What was lost by it, as "12.30 EUR".
        became_at: When it became so, with its zone; now, if it is not said.
        replaces: The key of the source's earlier word that this one corrects.
        key: The source's key; by default the SHA-256 of all that it says: with no ``became_at`` either, it says what is
            so now, and is known only if that is what its source says already.
    """

    source: str
    decision: UUID | None = None
    point: str | None = None
    asked: str | None = None
    case: str | None = None
    right: bool | None = None
    truth: dict[str, Any] | None = None
    label: str | None = None
    loss: str | None = None
    became_at: datetime | None = None
    replaces: str | None = None
    key: str | None = None


class OutcomeAnswer(Document, frozen=True, kw_only=True):
    """What became of one line.

    Attributes:
        line: The line's number, from 1.
        became: ``recorded``, ``corrected`` (an earlier word of the source), ``known`` (it was on record), ``unknown``
            (there is no such decision) or ``refused``.
        decision: Its decision.
        outcome: The word's id.
        right: What the word says.
        contradictory: Whether the decision's sources contradict one another now.
        problem: Why it is not on record, as ``application/problem+json`` would say it.
    """

    line: int
    became: Became
    decision: UUID | None = None
    outcome: UUID | None = None
    right: bool | None = None
    contradictory: bool = False
    problem: Any = None


class WordDocument(Document, frozen=True, kw_only=True):
    """One word on a decision.

    Attributes:
        id: Its id, and that of its ledger entry.
        source: Whose it is.
        key: The source's key.
        right: Whether the proposal was right.
        truth: What was true, where it is said.
        label: What it is called where it comes from.
        loss: What was lost, where it is said.
        became_at: When it became so.
        said_by: Who brought it.
        said_at: When.
        replaces: The word that it corrects.
        counts: Whether it counts: it is the latest of its source and of who speaks as it, since the last settlement.
    """

    id: UUID
    source: str
    key: str
    right: bool
    truth: Any
    label: str
    loss: str | None
    became_at: datetime
    said_by: str
    said_at: datetime
    replaces: UUID | None
    counts: bool


class OutcomesDocument(Document, frozen=True, kw_only=True):
    """What is recorded of a decision.

    Attributes:
        decision: Its id.
        standing: ``known`` or ``contradictory``; null: nothing is recorded, and it never counts as good.
        right: What counts: of words that contradict one another the worst.
        loss: What was lost, as it was realised; null: as the point declares it.
        words: Every word, in order, those that were corrected too.
    """

    decision: UUID
    standing: Standing | None
    right: bool | None
    loss: str | None
    words: tuple[WordDocument, ...]


class MissingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of which point.

    Attributes:
        point: Its full name, ``workflow.point``.
        limit: How many of those that are missing are listed.
    """

    point: Annotated[str, Meta(min_length=3, max_length=201)]
    limit: Annotated[int, Meta(ge=1, le=MOST_TOLD)] = 100


class MissingDocument(Document, frozen=True, kw_only=True):
    """A decision whose outcome is due and missing.

    Attributes:
        decision: Its id.
        case: Its case.
        route: How it went.
        exposure: The money at stake.
        decided_at: When.
        due_at: Since when its outcome is due.
    """

    decision: UUID
    case: UUID | None
    route: str
    exposure: str | None
    decided_at: datetime
    due_at: datetime


class DueDocument(Document, frozen=True, kw_only=True):
    """How the outcomes of a point stand that are due within its window.

    Attributes:
        due: Decisions whose outcome is due.
        recorded: Those with a recorded one.
        reviewed: Those of which their own review alone tells; where the outcome of each is to become known, a change or
            a refusal only: an approval is no outcome there.
        missing: Those of which nothing is known: they count as wrong.
        contradictory: Those whose sources contradict one another, due or not.
        wrong: Of those recorded, the wrong ones.
        decisions: The missing ones, the oldest first.
    """

    due: int
    recorded: int
    reviewed: int
    missing: int
    contradictory: int
    wrong: int
    decisions: tuple[MissingDocument, ...]


class ContradictoryDocument(Document, frozen=True, kw_only=True):
    """A decision whose sources contradict one another: the worse counts until a person settles it.

    Attributes:
        decision: Its id.
        workflow: Its workflow.
        point: Its point.
        right: What counts until then.
        loss: What was lost by that word.
        since: When the last word came.
        words: How many count.
    """

    decision: UUID
    workflow: str
    point: str
    right: bool
    loss: str | None
    since: datetime
    words: int


class ContradictoryPage(Document, frozen=True, kw_only=True):
    """What is to be settled, the oldest first."""

    decisions: tuple[ContradictoryDocument, ...]


@post(
    "/v1/outcomes",
    request_max_body_size=MOST_BATCH_BYTES,
    opt=says(
        Endpoint(
            needs=(Scope.OUTCOME,),
            act="outcome.record",
            takes=SaidOutcome,
            gives={200: OutcomeAnswer},
            seconds=120.0,
            lines=True,
        )
    ),
)
async def say_outcomes(request: Call) -> Response[bytes]:
    """Put on record what became of decisions. One bad line never stops the rest: each has its own answer, in order.

    At most 10,000 lines and 16,000,000 bytes. What is on record already is known, so that a batch whose answer was lost
    is sent again whole; the same source and key with other content is refused. A later word of the same source corrects
    its earlier one. Words of two sources that contradict one another count as the worse until a person settles it.
    """
    sent = request.headers.get("content-type", MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    if sent not in MEDIA_TYPES:
        raise HTTPException(status_code=415, detail=f"the body is said to be {sent[:60]}, not {MEDIA_TYPES[0]}")
    lines = [(number, line) for number, line in enumerate((await request.body()).split(b"\n"), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Refused(f"there are {len(lines):,} lines", todo=f"send at most {MOST_LINES:,} at once")
    node = request.node
    results = await record_outcomes(
        node.database,
        node.writer,
        request.tenant,
        [_line(line) for _, line in lines],
        outcome_points(node.registry, request.tenant),
        who=request.caller.name,
        verdict=request.require("outcome.record"),
    )
    told = (told_outcome(request, number, one) for (number, _), one in zip(lines, results, strict=True))
    return Response(b"".join(encode(one) + b"\n" for one in told), status_code=200, media_type=MEDIA_TYPES[0])


@get(
    "/v1/decisions/{decision_id:uuid}/outcomes",
    opt=says(Endpoint(needs=(Scope.READ, Scope.OUTCOME), gives={200: OutcomesDocument}, refuses=(404,))),
)
async def read_outcomes(request: Call, decision_id: FromPath[UUID]) -> Response[bytes]:
    """What became of one decision: what counts, and every word with whose it is."""
    await find_decision(request.node.database, request.tenant, decision_id)
    found = await outcomes_of(request.node.database, request.tenant, decision_id)
    return answer(outcomes_document(decision_id, found))


@get(
    "/v1/outcomes/missing",
    opt=says(Endpoint(needs=(Scope.READ, Scope.OUTCOME), asks=MissingQuery, gives={200: DueDocument}, refuses=(404,))),
)
async def list_missing(request: Call) -> Response[bytes]:
    """Which decisions of a point have no outcome although it is due. None of them ever counts as good."""
    asked, node = request.query(MissingQuery), request.node
    named = find_point(node.registry, asked.point, where="/point")
    if named.point.autonomy is None:
        what = f"{asked.point} declares no autonomy, so that nothing says when an outcome is due"
        raise Refused(what, where="/point", todo="declare autonomy.outcome in the workflow's file")
    tally, missing = await due_without_outcome(
        node.database, request.tenant, named.registered.workflow.name, named.point.name, named.point.autonomy,
        now=node.database.clock.now(), most=asked.limit,
    )  # fmt: skip
    decisions = tuple(
        MissingDocument(
            decision=one.decision, case=one.case_id, route=one.route,
            exposure=str(one.exposure) if one.exposure else None, decided_at=one.decided_at, due_at=one.due_at,
        )
        for one in missing
    )  # fmt: skip
    return answer(DueDocument(**msgspec.structs.asdict(tally), decisions=decisions))


@get(
    "/v1/outcomes/contradictory",
    opt=says(Endpoint(needs=(Scope.READ, Scope.OUTCOME), gives={200: ContradictoryPage})),
)
async def list_contradictory(request: Call) -> Response[bytes]:
    """Decisions whose sources contradict one another; a person settles them. At most 1,000, the oldest first."""
    found = await to_settle(request.node.database, request.tenant, most=MOST_TOLD)
    return answer(ContradictoryPage(decisions=tuple(map(_contradictory, found))))


def outcomes_document(decision: UUID, found: OutcomesOf) -> OutcomesDocument:
    """What is recorded of a decision, as callers get it."""
    counts = found.counts
    words = tuple(
        WordDocument(
            id=one.id, source=one.source, key=one.key, right=one.is_right,
            truth=msgspec.Raw(one.truth) if one.truth else None, label=one.label,
            loss=str(one.loss) if one.loss else None, became_at=one.became_at, said_by=one.said_by,
            said_at=one.said_at, replaces=one.replaces, counts=one.id in found.voices,
        )
        for one in found.words
    )  # fmt: skip
    return OutcomesDocument(
        decision=decision,
        standing=counts.standing if counts else None,
        right=counts.is_right if counts else None,
        loss=str(counts.loss) if counts and counts.loss else None,
        words=words,
    )


def _line(line: bytes) -> OutcomeLine | Refused:
    try:
        return read_line(read_json(line, max_bytes=MOST_BYTES))
    except Refused as cause:
        return cause


def told_outcome(request: Call, number: int, one: Result) -> OutcomeAnswer:
    """What became of one line, as callers get it."""
    return OutcomeAnswer(
        line=number, became=one.became, decision=one.decision, outcome=one.outcome, right=one.is_right,
        contradictory=one.contradictory, problem=problem_of(one.refused, request.trace) if one.refused else None,
    )  # fmt: skip


def _contradictory(one: StoredOutcome) -> ContradictoryDocument:
    return ContradictoryDocument(
        decision=one.decision, workflow=one.workflow, point=one.point, right=one.is_right,
        loss=str(one.loss) if one.loss else None, since=one.changed_at, words=one.words,
    )  # fmt: skip


ROUTES: tuple[BaseRouteHandler, ...] = (say_outcomes, read_outcomes, list_missing, list_contradictory)
