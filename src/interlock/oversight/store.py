"""The rows of reviews and exceptions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.oversight.exception import CaseException, CauseRow, ExceptionState
from interlock.oversight.review import Resolution, Review


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


class ClaimedReview(msgspec.Struct, frozen=True, kw_only=True):
    """A claim."""

    id: UUID
    claimed_by: str
    claimed_at: datetime
    claimed_until: datetime


class ReleasedReview(msgspec.Struct, frozen=True):
    """The end of a claim."""

    id: UUID


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


class EndedException(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an exception."""

    id: UUID
    state: ExceptionState
    resolved_at: datetime
    resolved_by: str
    resolution: str
    answer: bytes | None = None


_SQL = load_queries(__file__)
FIND_REVIEW = _SQL.rows("find_review", Review)
REVIEWS_OF_CASE = _SQL.rows("reviews_of_case", Review)
LIST_QUEUE = _SQL.rows("list_queue", Review)
COUNT_WAITING = _SQL.rows("count_waiting", int)
ADD_REVIEWS = _SQL.bulk("add_reviews", NewReview, distinct=("id",))
ADD_ANSWERED_REVIEWS = _SQL.bulk("add_answered_reviews", AnsweredReview, distinct=("id",))
CLAIM_REVIEWS = _SQL.bulk("claim_reviews", ClaimedReview, distinct=("id",))
RELEASE_REVIEWS = _SQL.bulk("release_reviews", ReleasedReview, distinct=("id",))
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
review_gate = StateGate("review", _SQL.rows("lock_reviews", StateRow))
exception_gate = StateGate("exception", _SQL.rows("lock_exceptions", StateRow))
