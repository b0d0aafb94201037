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
from interlock.api.quarantine_documents import QuarantineDocument


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
        step: The step at which its case stopped, if it was at one.
        action: The action that it is about, if it is about one.
        decide_from: From when on somebody may say what became of that action.
        answer: The value that resolved it, if one did.
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
    step: str | None
    action: UUID | None
    decide_from: datetime | None
    answer: Any


class GroupDocument(Document, frozen=True, kw_only=True):
    """The open exceptions of one cause.

    Attributes:
        fingerprint: What they have in common.
        workflow: Of their cases.
        kind: What kind of fact it is.
        what: One of them.
        owner: Who answers for them.
        priority: The highest of theirs; 0 is the highest.
        count: How many.
        exposures: The money at stake, an amount for each currency.
        oldest: Since when the oldest is open.
    """

    fingerprint: str
    workflow: str
    kind: str
    what: str
    owner: str
    priority: int
    count: int
    exposures: tuple[str, ...]
    oldest: datetime


class GroupPage(Document, frozen=True, kw_only=True):
    """Groups of open exceptions, the highest priority first.

    Attributes:
        groups: They.
    """

    groups: tuple[GroupDocument, ...]


class MemberDocument(Document, frozen=True, kw_only=True):
    """What became of one exception of a group.

    Attributes:
        exception: It.
        case: Its case.
        refused: Why it could not be resolved so; null: it is resolved.
        todo: What to do instead.
    """

    exception: UUID
    case: UUID | None
    refused: str | None
    todo: str | None


class GroupResolved(Document, frozen=True, kw_only=True):
    """What became of a group.

    Attributes:
        fingerprint: What they have in common.
        resolved: How many are resolved.
        members: Each of them, the oldest first.
    """

    fingerprint: str
    resolved: int
    members: tuple[MemberDocument, ...]


class CancellingDocument(Document, frozen=True, kw_only=True):
    """A case that is being cancelled.

    Attributes:
        case: The case.
        cancel_at: Since when.
        cancel_by: By whose word.
        cancel_why: Why.
        new: Whether it is by this word; else an earlier one holds.
        follow: Where to see what becomes of it.
    """

    case: UUID
    cancel_at: datetime
    cancel_by: str
    cancel_why: str
    new: bool
    follow: str


class ExceptionPage(Document, frozen=True, kw_only=True):
    """Open exceptions, the highest priority first.

    Attributes:
        exceptions: They.
    """

    exceptions: tuple[ExceptionDocument, ...]


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
        cancel_at: Since when it shall end; what it did is taken back first.
        cancel_by: By whose word.
        cancel_why: Why.
        carried: Whether a living worker carries its code; a case that has ended needs none.
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
    cancel_at: datetime | None
    cancel_by: str | None
    cancel_why: str | None
    carried: bool
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
        status: ok; degraded: nothing is lost, but no worker takes cases, this process cannot load what is published,
            the ledger and the tables differ, or the ledger is not sealed or published; down: nothing can be stored.
        database: ok or down.
        workers: How many workers of the installation are alive.
        unusable: How many published versions this process cannot load; what uses them goes to its fallback.
        gaps: In how many places the ledger and the tables differ, and nobody has looked into it; 1000 stands for more.
        unsealed: How many entries wait to be sealed, if one has for over ten seconds; 10000 stands for more.
        unpublished: How many sealed entries are in no published checkpoint, if that has been so for over ten seconds.
    """

    status: str
    database: str
    workers: int
    unusable: int = 0
    gaps: int = 0
    unsealed: int = 0
    unpublished: int = 0
