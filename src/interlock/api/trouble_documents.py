"""What callers get of what went wrong, and of the state of things: exceptions, quarantine, entries, health."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from interlock.api.documents import (
    ActionDocument,
    CaseDocument,
    DecisionDocument,
    Document,
    ReviewDocument,
    StepDocument,
)
from interlock.api.event_documents import EventDocument
from interlock.errors import Violation


class ExceptionDocument(Document, frozen=True, kw_only=True):
    """A case that cannot go on.

    Attributes:
        id: Its id.
        case: The case.
        workflow: Of the case.
        kind: What kind of fact it is.
        fingerprint: The same for those of one cause.
        state: open, resolved or abandoned.
        priority: 0 is the highest.
        what: What happened.
        detail: The state that was captured.
        owner: Who answers for it.
        exposure: The money at stake.
        created_at: When it was opened.
        resolved_at: When it was resolved.
        resolved_by: Who resolved it.
        resolution: How.
    """

    id: UUID
    case: UUID | None
    workflow: str
    kind: str
    fingerprint: str
    state: str
    priority: int
    what: str
    detail: Any
    owner: str
    exposure: str | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None


class ExceptionPage(Document, frozen=True, kw_only=True):
    """Open exceptions, the highest priority first.

    Attributes:
        exceptions: They.
    """

    exceptions: tuple[ExceptionDocument, ...]


class QuarantineDocument(Document, frozen=True, kw_only=True):
    """Data that broke their contract.

    Attributes:
        id: Their id.
        case: The case that waits for them to be mended; null: they came with a decision in line.
        workflow: Of the case.
        point: The decision point; empty for the case's own input.
        contract: Which contract.
        data: As they came; null if they are no JSON.
        text: As they came, if they are no JSON.
        violations: Every one.
        state: held, released or discarded.
        created_at: Since when.
        resolved_at: Until when.
        resolved_by: Who mended them.
    """

    id: UUID
    case: UUID | None
    workflow: str
    point: str
    contract: str
    data: Any
    text: str | None
    violations: tuple[Violation, ...]
    state: str
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class QuarantinePage(Document, frozen=True, kw_only=True):
    """What is held in quarantine, the oldest first.

    Attributes:
        quarantine: It.
    """

    quarantine: tuple[QuarantineDocument, ...]


class EntryDocument(Document, frozen=True, kw_only=True):
    """One entry of the ledger.

    Attributes:
        id: Its id.
        kind: What happened.
        subject: What it happened to.
        at: When.
        body: The facts.
    """

    id: UUID
    kind: str
    subject: UUID
    at: datetime
    body: Any


class CaseRecordDocument(CaseDocument, frozen=True, kw_only=True):
    """One case, with everything that is recorded of it.

    Attributes:
        input: Its input; null if it is no JSON and waits in quarantine.
        steps: The journal of its current run.
        decisions: In order.
        reviews: In order.
        actions: In order, with their sendings.
        exceptions: In order.
        quarantine: In order.
        events: The outside events that came for it, in order.
        entries: Its ledger entries, in order.
    """

    input: Any
    steps: tuple[StepDocument, ...]
    decisions: tuple[DecisionDocument, ...]
    reviews: tuple[ReviewDocument, ...]
    actions: tuple[ActionDocument, ...]
    exceptions: tuple[ExceptionDocument, ...]
    quarantine: tuple[QuarantineDocument, ...]
    events: tuple[EventDocument, ...]
    entries: tuple[EntryDocument, ...]


class GoesOn(Document, frozen=True, kw_only=True):
    """A case that goes on, or that has been cancelled.

    Attributes:
        case: The case.
        follow: Where to see what becomes of it.
    """

    case: UUID
    follow: str


class Health(Document, frozen=True, kw_only=True):
    """How this process and its database are.

    Attributes:
        status: ok; degraded: nothing is lost, but no worker takes cases; down: nothing can be stored.
        database: ok or down.
        workers: How many workers of the installation are alive.
    """

    status: str
    database: str
    workers: int
