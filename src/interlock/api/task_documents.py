"""What callers get of tasks: who has a review or an exception, and what people told each other of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from interlock.api.documents import Document
from interlock.cases.bulk import Bulk
from interlock.oversight.desk import Task, kind_of
from interlock.oversight.note import Note, NoteKind


class NoteDocument(Document, frozen=True, kw_only=True):
    """One note.

    Attributes:
        id: The note.
        kind: said, asked, answered, handed over, escalated or snoozed.
        who: Who wrote it.
        to_whom: For whom; null: for whoever works on it.
        text: Its words.
        at: When.
    """

    id: UUID
    kind: NoteKind
    who: str
    to_whom: str | None
    text: str
    at: datetime


class TaskDocument(Document, frozen=True, kw_only=True):
    """Who has a review or an exception.

    Attributes:
        id: It.
        kind: review or exception.
        state: As the review's, or the exception's.
        claimed_by: Who works on it.
        claimed_until: Until when their claim holds.
        team: The team that it was handed to.
        assigned_to: The one person who is to do it.
        snoozed_until: Until then it is in nobody's way.
        asked_to: Who was asked back; while somebody is, it is parked.
        asked_by: Who asked.
        asked_at: When.
        asked_question: What they asked.
        notes: What people told each other of it, in order.
        follow: Where to see it whole.
    """

    id: UUID
    kind: str
    state: str
    claimed_by: str | None
    claimed_until: datetime | None
    team: str | None
    assigned_to: str | None
    snoozed_until: datetime | None
    asked_to: str | None
    asked_by: str | None
    asked_at: datetime | None
    asked_question: str | None
    notes: tuple[NoteDocument, ...]
    follow: str


class BulkDecided(Document, frozen=True, kw_only=True):
    """What became of one review of an act.

    Attributes:
        id: The review.
        decided: Whether the verdict was taken.
        effective_at: When it takes effect; null: it was not taken.
        refused: Why not.
    """

    id: UUID
    decided: bool
    effective_at: datetime | None
    refused: str | None


class BulkDocument(Document, frozen=True, kw_only=True):
    """What became of one act.

    Attributes:
        id: The act, which every verdict of it bears.
        at_stake: What was at stake in all of them, as "12.30 MYR".
        left: How much its caller may still decide so today.
        reviews: What became of each, in order.
    """

    id: UUID
    at_stake: str
    left: str
    reviews: tuple[BulkDecided, ...]


def task_document(task: Task, notes: Sequence[Note]) -> TaskDocument:
    """A task as callers get it."""
    kind = kind_of(task)
    return TaskDocument(
        id=task.id,
        kind=kind,
        state=task.state,
        claimed_by=task.claimed_by,
        claimed_until=task.claimed_until,
        team=task.team,
        assigned_to=task.assigned_to,
        snoozed_until=task.snoozed_until,
        asked_to=task.asked_to,
        asked_by=task.asked_by,
        asked_at=task.asked_at,
        asked_question=task.asked_question,
        notes=tuple(map(note_document, notes)),
        follow=f"/v1/tasks/{task.id}",
    )


def note_document(note: Note) -> NoteDocument:
    """A note as callers get it."""
    return NoteDocument(id=note.id, kind=note.kind, who=note.who, to_whom=note.to_whom, text=note.text, at=note.at)


def bulk_document(bulk: Bulk) -> BulkDocument:
    """An act as callers get it."""
    return BulkDocument(
        id=bulk.id,
        at_stake=str(bulk.at_stake),
        left=str(bulk.left),
        reviews=tuple(
            BulkDecided(
                id=one.review_id,
                decided=one.refused is None,
                effective_at=one.review.effective_at if one.review else None,
                refused=str(one.refused) if one.refused else None,
            )
            for one in bulk.decided
        ),
    )
