"""The rows of reviews and exceptions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import StateGate, VersionedRow
from interlock.db.queries import load_queries
from interlock.oversight.exception import CaseException, CauseRow, ExceptionState
from interlock.oversight.note import Note, NoteKind
from interlock.oversight.review import Resolution, Review
from interlock.oversight.verdict import StoredVerdict


class NewReview(msgspec.Struct, frozen=True, kw_only=True):
    """A review on its way in: fields as in ``Review``."""

    id: UUID
    tenant: UUID
    case_id: UUID | None
    decision_id: UUID | None
    workflow: str
    point: str
    queue: str
    question: bytes
    proposal: bytes | None
    exposure_minor: int | None
    currency: str | None
    urgency: int
    due_at: datetime | None
    created_at: datetime
    confidence: float | None = None
    why: str = ""
    codes: tuple[str, ...] = ()
    team: str | None = None
    needed: int = 1


class ClaimedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of a review or an exception."""

    id: UUID
    claimed_by: str
    claimed_at: datetime
    claimed_until: datetime


class HandedOn(msgspec.Struct, frozen=True, kw_only=True):
    """A review or an exception that is handed on: fields as in ``Review``."""

    id: UUID
    claimed_by: str | None
    claimed_at: datetime | None
    claimed_until: datetime | None
    team: str | None
    assigned_to: str | None
    snoozed_until: datetime | None
    snoozed_by: str | None
    asked_to: str | None
    asked_by: str | None
    asked_at: datetime | None
    asked_question: str | None


class NewNote(msgspec.Struct, frozen=True, kw_only=True):
    """A note on its way in: fields as in ``Note``."""

    id: UUID
    tenant: UUID
    task: UUID
    kind: NoteKind
    who: str
    to_whom: str | None
    text: str
    at: datetime


class Colleague(msgspec.Struct, frozen=True):
    """Somebody to whom work can be given."""

    name: str
    roles: tuple[str, ...]
    teams: tuple[str, ...]


class NewVerdict(StoredVerdict, frozen=True, kw_only=True):
    """A verdict on its way in."""

    tenant: UUID


class UndoneVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that is taken back."""

    id: UUID
    undone_at: datetime


class SeatedReview(msgspec.Struct, frozen=True, kw_only=True):
    """A review that goes back to the queue after a verdict: one of two was given, or two differ."""

    id: UUID
    decided_by: tuple[str, ...]
    disagreed: bool
    needed: int


class HeldReview(msgspec.Struct, frozen=True, kw_only=True):
    """A review whose last verdict takes effect later."""

    id: UUID
    claimed_by: str
    claimed_at: datetime | None
    claimed_until: datetime
    effective_at: datetime
    held_verdict: UUID
    decided_by: tuple[str, ...]
    needed: int
    at: datetime


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """A review whose held verdict is undone."""

    id: UUID
    claimed_until: datetime
    decided_by: tuple[str, ...]


class LeftToOthers(msgspec.Struct, frozen=True, kw_only=True):
    """A review whose first verdict of two is undone."""

    id: UUID
    decided_by: tuple[str, ...]


class DueVerdict(msgspec.Struct, frozen=True):
    """A review whose held verdict is to take effect."""

    tenant: UUID
    review: UUID


class BulkAct(msgspec.Struct, frozen=True, kw_only=True):
    """One act that decides many alike."""

    id: UUID
    tenant: UUID
    who: str
    workflow: str
    point: str
    resolution: Resolution
    items: int
    exposure_minor: int
    currency: str
    at: datetime


class BulkToday(msgspec.Struct, frozen=True):
    """What somebody has decided in bulk of a workflow today."""

    acts: int
    items: int
    exposure_minor: int


class WithdrawnReviews(msgspec.Struct, frozen=True, kw_only=True):
    """The case whose open reviews nobody needs any more; ``body`` is what the entry of each says."""

    case_id: UUID
    at: datetime
    body: bytes


class WithdrawnReviewsOf(msgspec.Struct, frozen=True, kw_only=True):
    """The decision, or the review, whose open review nobody needs any more; ``body`` is what its entry says."""

    ref: UUID
    at: datetime
    body: bytes


class ResolvedReview(msgspec.Struct, frozen=True, kw_only=True):
    """A resolution."""

    id: UUID
    resolution: Resolution
    output: bytes | None
    reason_code: str
    note: str
    resolved_by: str
    resolved_at: datetime
    decided_by: tuple[str, ...]


class AnsweredReview(msgspec.Struct, frozen=True, kw_only=True):
    """A person's answer to a question that had failed: a review that is resolved from the beginning."""

    id: UUID
    tenant: UUID
    case_id: UUID
    decision_id: UUID
    workflow: str
    point: str
    queue: str
    question: bytes
    exposure_minor: int | None
    currency: str | None
    output: bytes
    reason_code: str
    note: str
    resolved_by: str
    at: datetime


class NewException(msgspec.Struct, frozen=True, kw_only=True):
    """An exception on its way in: fields as in ``CaseException``."""

    id: UUID
    tenant: UUID
    case_id: UUID | None
    workflow: str
    kind: str
    fingerprint: UUID
    priority: int
    what: str
    detail: bytes
    owner: str
    exposure_minor: int | None
    currency: str | None
    created_at: datetime
    run: int | None = None
    scope: str | None = None
    ordinal: int | None = None
    action: UUID | None = None
    urgency: int = 0
    due_at: datetime | None = None
    team: str | None = None


class EndedException(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an exception."""

    id: UUID
    state: ExceptionState
    resolved_at: datetime
    resolved_by: str
    resolution: str
    answer: bytes | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What has come in since a review was opened: how many events and notes, the newest, and how its case stands.

    Attributes:
        id: Its review.
        who: Whose own notes are left out.
        event: How many events its case had, and the newest.
        note: How many notes others left, and the newest.
        course: The case's run, how often it was rewound, and when somebody said that it shall end.
    """

    id: UUID
    who: str
    event: str
    note: str
    course: str

    @property
    def facts(self) -> dict[str, str]:
        """By the names of the parts of what is shown."""
        return {"events": self.event, "notes": self.note, "case": self.course}


_SQL = load_queries(__file__)
FIND_REVIEW = _SQL.rows("find_review", Review)
REVIEWS_OF_CASE = _SQL.rows("reviews_of_case", Review)
LIST_QUEUE = _SQL.rows("list_queue", Review)
COUNT_WAITING = _SQL.rows("count_waiting", int)
ADD_REVIEWS = _SQL.bulk("add_reviews", NewReview, distinct=("id",))
ADD_ANSWERED_REVIEWS = _SQL.bulk("add_answered_reviews", AnsweredReview, distinct=("id",))
CLAIM_REVIEWS = _SQL.bulk("claim_reviews", ClaimedTask, distinct=("id",))
CLAIM_EXCEPTIONS = _SQL.bulk("claim_exceptions", ClaimedTask, distinct=("id",))
HAND_REVIEWS_ON = _SQL.bulk("hand_reviews_on", HandedOn, distinct=("id",))
HAND_EXCEPTIONS_ON = _SQL.bulk("hand_exceptions_on", HandedOn, distinct=("id",))
ADD_NOTES = _SQL.bulk("add_notes", NewNote, distinct=("id",))
NOTES_OF = _SQL.rows("notes_of", Note)
FIND_COLLEAGUE = _SQL.rows("find_colleague", Colleague)
TEAM_IS_KNOWN = _SQL.rows("team_is_known", bool)
ADD_VERDICTS = _SQL.bulk("add_verdicts", NewVerdict, distinct=("id",))
VERDICTS_OF = _SQL.rows("verdicts_of", StoredVerdict)
UNDO_VERDICTS = _SQL.bulk("undo_verdicts", UndoneVerdict, distinct=("id",))
SEAT_REVIEWS = _SQL.bulk("seat_reviews", SeatedReview, distinct=("id",))
HOLD_REVIEWS = _SQL.bulk("hold_reviews", HeldReview, distinct=("id",))
TAKE_REVIEWS_BACK = _SQL.bulk("take_reviews_back", TakenBack, distinct=("id",))
LEAVE_TO_OTHERS = _SQL.bulk("leave_to_others", LeftToOthers, distinct=("id",))
DUE_VERDICTS = _SQL.rows("due_verdicts", DueVerdict)
ADD_BULK_ACTS = _SQL.bulk("add_bulk_acts", BulkAct, distinct=("id",))
SHUT_OUT = _SQL.rows("shut_out", str)
EVIDENCE_OF = _SQL.rows("evidence_of", Evidence)
BULK_TODAY = _SQL.rows("bulk_today", BulkToday)
RESOLVE_REVIEWS = _SQL.bulk("resolve_reviews", ResolvedReview, distinct=("id",))
WITHDRAW_REVIEWS = _SQL.bulk("withdraw_reviews", WithdrawnReviews, distinct=("case_id",))
WITHDRAW_REVIEWS_OF = _SQL.bulk("withdraw_reviews_of", WithdrawnReviewsOf, distinct=("ref",))
ADD_EXCEPTIONS = _SQL.bulk("add_exceptions", NewException, distinct=("id",))
FIND_EXCEPTION = _SQL.rows("find_exception", CaseException)
EXCEPTIONS_OF_CASE = _SQL.rows("exceptions_of_case", CaseException)
LIST_EXCEPTIONS = _SQL.rows("list_exceptions", CaseException)
EXCEPTIONS_OF_GROUP = _SQL.rows("exceptions_of_group", CaseException)
LIST_EXCEPTION_GROUPS = _SQL.rows("list_exception_groups", CauseRow)
END_EXCEPTIONS = _SQL.bulk("end_exceptions", EndedException, distinct=("id",))
review_gate = StateGate("review", _SQL.rows("lock_reviews", VersionedRow))
exception_gate = StateGate("exception", _SQL.rows("lock_exceptions", VersionedRow))
