"""Cases: taken in once by key, listed, counted, and read with everything that is recorded of them."""

from __future__ import annotations

import urllib.parse
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.actions.action import Action
from interlock.actions.store import Attempt
from interlock.api.bodies import CasesQuery, NewCaseBody, SummaryQuery
from interlock.api.call import Call, answer
from interlock.api.decisions import decision_document
from interlock.api.documents import (
    ActionDocument,
    AttemptDocument,
    CaseCountDocument,
    CaseDocument,
    CasePage,
    ExplainedDocument,
    StepDocument,
    Submission,
)
from interlock.api.endpoint import Endpoint, says
from interlock.api.events import event_document
from interlock.api.exceptions import exception_document
from interlock.api.keys import Scope
from interlock.api.personal import PurposeQuery, answer_for
from interlock.api.problems import answer_problem
from interlock.api.quarantine import quarantine_document
from interlock.api.reviews import review_document
from interlock.api.stored import as_text, embed, embed_doubtful, money_of
from interlock.api.submitting import take_in
from interlock.api.summary_documents import CaseSummary, DecisionAgeDocument
from interlock.api.trouble_documents import CaseRecordDocument, EntryDocument
from interlock.cases.ages import DECISION_AGES, DecisionAge
from interlock.cases.explain import as_text as as_story
from interlock.cases.explain import explain
from interlock.cases.journal import Recorded
from interlock.cases.record import CaseRecord, read_record
from interlock.cases.store import COUNT_CASES, LIST_CASES, CaseRow
from interlock.contracts import canonical
from interlock.ledger.ledger import ReadEntry


@post(
    "/v1/cases",
    opt=says(
        Endpoint(
            needs=(Scope.SUBMIT,),
            act="case.submit",
            takes=NewCaseBody,
            gives={200: Submission, 201: Submission},
            refuses=(404, 409, 422),
        )
    ),
)
async def submit_case(request: Call) -> Response[bytes]:
    """Take a case in, durably.

    201: it is new. 200: the same key and input came before. 409: the key came before with another input. 422: the input
    breaks its contract; the case exists and waits, and the problem names it and its quarantine.
    """
    body = await request.read(NewCaseBody)
    registered = request.node.registry.named(body.workflow)
    key = request.key(body.key)
    taken = await take_in(request, registered, key=key, data=canonical(body.input))
    if not isinstance(taken, Submission):
        return answer_problem(taken)
    return answer(taken, 201 if taken.new else 200, location=taken.follow)


@get("/v1/cases", opt=says(Endpoint(needs=(Scope.READ,), asks=CasesQuery, gives={200: CasePage})))
async def list_cases(request: Call) -> Response[bytes]:
    """Cases, the newest first, a page at a time."""
    asked = request.query(CasesQuery)
    wanted = {"workflow": asked.workflow, "state": asked.state, "before": asked.before, "most": asked.limit + 1}
    async with request.node.database.tenant(request.tenant) as connection:
        found = await LIST_CASES.all(connection, wanted)
    page = found[: asked.limit]
    more = _next(asked, page[-1].id) if len(found) > asked.limit else None
    return answer(CasePage(cases=tuple(CaseDocument(**_heading(case)) for case in page), next=more))


@get("/v1/cases/summary", opt=says(Endpoint(needs=(Scope.READ,), asks=SummaryQuery, gives={200: CaseSummary})))
async def summarise_cases(request: Call) -> Response[bytes]:
    """How many cases are where, with which conclusion and money, and how old decisions were at their effect."""
    asked = request.query(SummaryQuery)
    async with request.node.database.tenant(request.tenant) as connection:
        found = await COUNT_CASES.all(connection, {"workflow": asked.workflow})
        ages = await DECISION_AGES.all(connection, {"workflow": asked.workflow})
    counts = tuple(
        CaseCountDocument(
            workflow=count.workflow,
            state=count.state,
            conclusion=count.conclusion,
            cases=count.cases,
            exposure=money_of(count.exposure_minor, count.currency),
        )
        for count in found
    )
    return answer(CaseSummary(counts=counts, ages=tuple(map(_age, ages))))


@get(
    "/v1/cases/{case_id:uuid}",
    opt=says(
        Endpoint(needs=(Scope.READ, Scope.SUBMIT), asks=PurposeQuery, gives={200: CaseRecordDocument}, refuses=(404,))
    ),
)
async def read_case(request: Call, case_id: FromPath[UUID]) -> Response[bytes]:
    """One case, with its journal, decisions, reviews, actions, exceptions, quarantine and ledger entries."""
    purpose = request.query(PurposeQuery).purpose
    document = record_document(await read_record(request.node.database, request.tenant, case_id))
    return await answer_for(request, document, purpose, case_id)


@get(
    "/v1/cases/{case_id:uuid}/explain",
    opt=says(Endpoint(needs=(Scope.READ,), gives={200: ExplainedDocument}, refuses=(404,))),
)
async def explain_case(request: Call, case_id: FromPath[UUID]) -> Response[bytes]:
    """The story of a case from input to payment, in words that an auditor follows; every sentence from a record."""
    passages = explain(await read_record(request.node.database, request.tenant, case_id))
    return answer(ExplainedDocument(passages=passages, text=as_story(passages)))


def record_document(record: CaseRecord) -> CaseRecordDocument:
    """Everything that is recorded of a case, as callers get it."""
    data, _ = embed_doubtful(record.case.input)
    return CaseRecordDocument(
        **_heading(record.case),
        input=data,
        cancel_at=record.case.cancel_at,
        cancel_by=record.case.cancel_by,
        cancel_why=record.case.cancel_why,
        carried=record.carried,
        steps=tuple(map(_step, record.steps)),
        decisions=tuple(map(decision_document, record.decisions)),
        reviews=tuple(map(review_document, record.reviews)),
        actions=tuple(_action(action, record.attempts[action.id]) for action in record.actions),
        exceptions=tuple(map(exception_document, record.exceptions)),
        quarantine=tuple(map(quarantine_document, record.quarantines)),
        events=tuple(map(event_document, record.events)),
        entries=tuple(map(_entry, record.entries)),
    )


def _age(age: DecisionAge) -> DecisionAgeDocument:
    return DecisionAgeDocument(
        workflow=age.workflow,
        action=age.action,
        point=age.point,
        actions=age.actions,
        p50_ms=age.p50_ms,
        p95_ms=age.p95_ms,
        max_ms=age.max_ms,
        stale=age.stale,
        held_days=as_text(age.held),
    )


def _heading(case: CaseRow) -> dict[str, Any]:
    return {
        "id": case.id,
        "workflow": case.workflow,
        "version": case.version,
        "code": case.code.hex,
        "key": case.key,
        "caller": case.caller,
        "run": case.run,
        "state": case.state,
        "conclusion": case.conclusion,
        "waiting_for": case.waiting_for,
        "wake_at": case.wake_at,
        "exposure": as_text(case.exposure),
        "created_at": case.created_at,
        "changed_at": case.changed_at,
        "follow": f"/v1/cases/{case.id}",
    }


def _next(asked: CasesQuery, last: UUID) -> str:
    wanted = {"workflow": asked.workflow, "state": asked.state, "before": last, "limit": asked.limit}
    return f"/v1/cases?{urllib.parse.urlencode({name: str(value) for name, value in wanted.items() if value})}"


def _step(step: Recorded) -> StepDocument:
    return StepDocument(
        place=str(step.place),
        kind=step.kind,
        name=step.name,
        state=step.state,
        ref=step.ref,
        result=embed(step.result),
        due=step.due,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )


def _action(action: Action, attempts: tuple[Attempt, ...]) -> ActionDocument:
    return ActionDocument(
        id=action.id,
        decision=action.decision_id,
        name=action.name,
        connector=action.connector,
        domain=action.domain,
        key=action.key,
        payload=embed(action.payload),
        exposure=as_text(action.exposure),
        state=action.state,
        not_before=action.not_before,
        valid_until=action.valid_until,
        deadline=action.deadline,
        response=embed(action.response),
        error=action.error,
        undo_of=action.undo_of,
        created_at=action.created_at,
        ended_at=action.ended_at,
        attempts=tuple(
            AttemptDocument(
                number=attempt.number,
                sent_at=attempt.sent_at,
                ended_at=attempt.ended_at,
                outcome=attempt.outcome,
                detail=attempt.detail,
            )
            for attempt in attempts
        ),
    )


def _entry(entry: ReadEntry) -> EntryDocument:
    return EntryDocument(id=entry.id, kind=entry.kind, subject=entry.subject, at=entry.at, body=embed(entry.body))
