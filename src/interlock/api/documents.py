"""What callers get. Amounts are strings such as "12.30 MYR", times RFC 3339 in UTC, hashes hexadecimal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from interlock.cases.explain import Passage
from interlock.cases.store import CaseState
from interlock.decisions.decision import Route
from interlock.oversight.review import Resolution, ReviewState
from interlock.recall.record import Taken


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer is; see the types below it."""


class Submission(Document, frozen=True, kw_only=True):
    """What became of a submission.

    Attributes:
        id: The case; the first one of its key.
        state: Where it is.
        new: Whether this submission made it.
        follow: Where to see what becomes of it.
    """

    id: UUID
    state: CaseState
    new: bool
    follow: str


class LineAnswer(Document, frozen=True, kw_only=True):
    """What became of one line of a batch: a submission, or a problem.

    Attributes:
        line: The line's number, from 1.
        case: The submission.
        problem: Why it was refused, as ``application/problem+json`` would say it; the case's id is in it if one waits.
    """

    line: int
    case: Submission | None = None
    problem: Any = None


class CaseDocument(Document, frozen=True, kw_only=True):
    """One case.

    Attributes:
        id: Its id.
        workflow: Which workflow.
        version: The workflow's version.
        code: The content hash of the code that it finishes on.
        key: The idempotency key under which it was submitted.
        caller: Who submitted it: the name of the API key, or who ran the command.
        run: Which run; a workflow may begin the next one.
        state: Where it is.
        conclusion: What the workflow returned, for a case that is done.
        waiting_for: What it waits for, in words.
        wake_at: When it goes on by itself.
        exposure: The money in it.
        created_at: When it was received.
        changed_at: When its state last changed.
        follow: Where to see all that is recorded of it.
    """

    id: UUID
    workflow: str
    version: str
    code: str
    key: str
    caller: str
    run: int
    state: CaseState
    conclusion: str | None
    waiting_for: str | None
    wake_at: datetime | None
    exposure: str | None
    created_at: datetime
    changed_at: datetime
    follow: str


class CasePage(Document, frozen=True, kw_only=True):
    """Cases, the newest first.

    Attributes:
        cases: They.
        next: Where the next ones are; null: there are none.
    """

    cases: tuple[CaseDocument, ...]
    next: str | None


class CaseCountDocument(Document, frozen=True, kw_only=True):
    """How many cases are where, and the money in them.

    Attributes:
        workflow: Of which workflow.
        state: In which state.
        conclusion: With which conclusion.
        cases: How many.
        exposure: The money in them, in one currency; null: no decision knew an amount.
    """

    workflow: str
    state: CaseState
    conclusion: str | None
    cases: int
    exposure: str | None


class ExplainedDocument(Document, frozen=True, kw_only=True):
    """The story of a case.

    Attributes:
        passages: In order of time; the last says where the case is.
        text: All of it as plain text.
    """

    passages: tuple[Passage, ...]
    text: str


class StepDocument(Document, frozen=True, kw_only=True):
    """One step of a case's journal.

    Attributes:
        place: Where it stands: its number, after the path of a gather's branch if it is in one.
        kind: What it does.
        name: What the workflow calls it.
        state: pending, done or failed.
        ref: The decision, action or review that it made.
        result: What it gave.
        due: When a pending wait ends.
        started_at: When it was recorded first.
        finished_at: When it ended.
    """

    place: str
    kind: str
    name: str
    state: str
    ref: UUID | None
    result: Any
    due: datetime | None
    started_at: datetime
    finished_at: datetime | None


class DecisionDocument(Document, frozen=True, kw_only=True):
    """One decision, whole.

    Attributes:
        id: Its id; also that of its ledger entry.
        case: The case that it belongs to.
        workflow: Whose decision point.
        point: The decision point.
        key: The caller's idempotency key, or the step of the case.
        route: automatic, review or reject.
        proposal: What the component answered.
        component: Which component; ``person`` if none answered.
        component_digest: SHA-256 of all that makes its answer.
        propensity: With which probability the release in force gave this component.
        attempts: Every component that was asked, in order, with what became of it.
        confidence: How sure it was.
        confidence_needed: How sure it had to be; null: a person, whatever the confidence.
        exposure: The money at stake.
        reasons: Why it took its route.
        findings: What the checks found.
        verdicts: What the conditions demanded.
        evidence: What the answer rests on, and the rules that fired.
        review: The review that it went to.
        input: What was decided on.
        input_hash: SHA-256 of the input.
        input_contract: The contract that the input satisfied.
        output_hash: SHA-256 of the proposal.
        output_contract: The contract that the proposal satisfied.
        declaration: SHA-256 of the workflow's file in force.
        cost: In USD, beside compute.
        took_us: Microseconds by stage.
        decided_at: When.
        valid_until: Until when an action may begin on its strength.
        supersedes: The decision that this one replaces.
        facts: What it assumed: names, parameters, values, when and by which step they were read; null: nothing.
    """

    id: UUID
    case: UUID | None
    workflow: str
    point: str
    key: str
    route: Route
    proposal: Any
    component: str
    component_digest: str | None
    propensity: Decimal
    attempts: Any
    confidence: float | None
    confidence_needed: float | None
    exposure: str | None
    reasons: Any
    findings: Any
    verdicts: Any
    evidence: Any
    review: UUID | None
    input: Any
    input_hash: str
    input_contract: str | None
    output_hash: str | None
    output_contract: str | None
    declaration: str
    cost: Decimal
    took_us: Any
    decided_at: datetime
    valid_until: datetime | None
    supersedes: UUID | None
    facts: Any


class ReviewDocument(Document, frozen=True, kw_only=True):
    """One review.

    Attributes:
        id: Its id.
        case: The case that waits for it.
        decision: The decision that it is about.
        workflow: Of the case.
        point: The decision point, or the name of the question.
        queue: Where it waits.
        state: Where it is; a claim that has run out still says claimed, and anybody may take it.
        question: What the reviewer sees: why, input, proposal, evidence, findings, what each choice does.
        exposure: The money at stake.
        due_at: When it should be resolved.
        claimed_by: Who works on it.
        claimed_until: Until when.
        resolution: What was decided.
        output: What holds since.
        reason_code: Why, for counting.
        note: Why, in words.
        resolved_by: Who decided.
        created_at: When it was opened.
        resolved_at: When it was resolved.
        follow: Where it is.
        team: The team that it was handed to.
        assigned_to: The one person who is to decide it.
        snoozed_until: Until then it is in nobody's way.
        asked_to: Who was asked back; while somebody is, it is parked.
        effective_at: When the last verdict takes effect; before that it can be taken back.
        held: Whether a verdict is held until then.
        needed: How many people must say the same.
        given: How many have spoken; what they said is told once it counts.
        disagreed: Whether two differ, so that somebody else settles it.
        shown: What is shown here, to be given back with a verdict; null where it is listed with others.
    """

    id: UUID
    case: UUID | None
    decision: UUID | None
    workflow: str
    point: str
    queue: str
    state: ReviewState
    question: Any
    exposure: str | None
    due_at: datetime | None
    claimed_by: str | None
    claimed_until: datetime | None
    resolution: Resolution | None
    output: Any
    reason_code: str | None
    note: str | None
    resolved_by: str | None
    created_at: datetime
    resolved_at: datetime | None
    follow: str
    team: str | None = None
    assigned_to: str | None = None
    snoozed_until: datetime | None = None
    asked_to: str | None = None
    effective_at: datetime | None = None
    held: bool = False
    needed: int = 1
    given: int = 0
    disagreed: bool = False
    shown: str | None = None


class ReviewPage(Document, frozen=True, kw_only=True):
    """Reviews that wait, the most expected loss first.

    Attributes:
        reviews: They.
    """

    reviews: tuple[ReviewDocument, ...]


class DecidedDocument(Document, frozen=True, kw_only=True):
    """The answer to a decision that was asked in line.

    Attributes:
        id: The decision.
        route: automatic, review or reject.
        settled: Whether an answer holds; false while a person has yet to decide.
        output: The output that holds; null: it is not settled, or the answer is no.
        confidence: How sure the component was.
        reasons: Why it took its route.
        valid_until: Until when an action may begin on its strength.
        review: The review that it went to.
        resolution: What a person decided.
        case: The case that it is part of: that of the action that follows it, if one does.
        follow: Where to see it again; asking again with the same key and input tells too.
        recalled: By which recall it was taken back, and what took its place: then no output of it holds any more.
    """

    id: UUID
    route: Route
    settled: bool
    output: Any
    confidence: float | None
    reasons: Any
    valid_until: datetime | None
    review: UUID | None
    resolution: Resolution | None
    case: UUID | None
    follow: str
    recalled: Taken | None = None


class FullDecision(DecisionDocument, frozen=True, kw_only=True):
    """One decision, whole, and what holds after it.

    Attributes:
        settled: Whether an answer holds; false while a person has yet to decide.
        output: The output that holds; null: it is not settled, or the answer is no.
        resolution: What a person decided.
        resolved_by: Who.
        recalled: By which recall it was taken back, and what took its place: then no output of it holds any more.
    """

    settled: bool
    output: Any
    resolution: Resolution | None
    resolved_by: str | None
    recalled: Taken | None = None


class AttemptDocument(Document, frozen=True, kw_only=True):
    """One sending of an action.

    Attributes:
        number: From 1.
        sent_at: When it was committed, just before it was sent.
        ended_at: When its end was recorded; null if its worker died before.
        outcome: done, transient, permanent, in_doubt, found, absent or pending.
        detail: What is known beyond that.
    """

    number: int
    sent_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str | None


class ActionDocument(Document, frozen=True, kw_only=True):
    """One action.

    Attributes:
        id: Its id.
        decision: The decision that it rests on.
        name: Its name in the workflow's file.
        connector: Which connector carries it out.
        domain: What it does, in words that stops use.
        key: The idempotency key that the other side sees.
        payload: What is asked.
        exposure: The money that it moves.
        state: Where it is.
        not_before: When it may be sent again.
        valid_until: Until when the decision that it rests on holds.
        deadline: When it is given up, if it has not begun.
        response: What the other side answered.
        error: What went wrong.
        undo_of: The action that it takes back, if it is an undo.
        created_at: When it was intended.
        ended_at: When it ended.
        attempts: Its sendings, in order.
    """

    id: UUID
    decision: UUID | None
    name: str
    connector: str
    domain: str
    key: str
    payload: Any
    exposure: str | None
    state: str
    not_before: datetime | None
    valid_until: datetime | None
    deadline: datetime
    response: Any
    error: str | None
    undo_of: UUID | None
    created_at: datetime
    ended_at: datetime | None
    attempts: tuple[AttemptDocument, ...]
