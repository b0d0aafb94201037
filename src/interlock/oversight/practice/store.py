"""The rows of practice: lessons, attempts, and who is qualified by them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.oversight.review import Resolution


class NewLesson(msgspec.Struct, frozen=True, kw_only=True):
    """A decided review on its way to be practised on."""

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    taught_by: str
    explanation: str
    declared_by: str
    declared_at: datetime


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """A lesson, as leads see it."""

    id: UUID
    workflow: str
    point: str
    taught_by: str
    explanation: str
    declared_by: str
    declared_at: datetime


class WithdrawnLesson(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a lesson."""

    id: UUID
    withdrawn_by: str
    withdrawn_at: datetime


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks against a review as a lesson.

    Attributes:
        seeded: Whether it is a known case, of which the truth is known already.
        differed: Whether a second person said something else.
        undone: Whether what came of it was taken back.
        lessons: How many lessons its point has.
        of_one: How many of them rest on the word of whoever decided it.
    """

    seeded: bool
    differed: bool
    undone: bool
    lessons: int
    of_one: int


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Something to practise on."""

    id: UUID
    workflow: str
    point: str
    counts: bool


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is right of something that is practised on.

    Attributes:
        resolution: What is right.
        output: Of a change, what is right; canonical JSON.
        reason_code: Why; None: no code is known, and the explanation says it.
        explanation: Why, in words.
    """

    resolution: Resolution
    output: bytes | None
    reason_code: str | None
    explanation: str


class NewAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An item that somebody begins to practise on."""

    id: UUID
    tenant: UUID
    person: str
    review: UUID
    workflow: str
    point: str
    counts: bool
    begun_at: datetime


class AnsweredAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an attempt."""

    id: UUID
    answered_at: datetime
    resolution: Resolution
    output: bytes | None
    reason_code: str
    was_right: bool


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, as it is stored."""

    id: UUID
    person: str
    review: UUID
    workflow: str
    point: str
    counts: bool
    begun_at: datetime
    answered_at: datetime | None
    resolution: Resolution | None
    output: bytes | None
    reason_code: str | None
    was_right: bool | None


class Practised(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that counts."""

    workflow: str
    point: str
    was_right: bool


class HasMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to practise on at a point, for somebody.

    Attributes:
        workflow: Of the point.
        point: Its name.
        items: How many items that they did not decide or declare themselves.
        left: How many of them they have not seen, so that they count.
    """

    workflow: str
    point: str
    items: int
    left: int


class NewQualification(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody may decide at a point."""

    id: UUID
    tenant: UUID
    person: str
    workflow: str
    point: str
    given_at: datetime
    until: datetime
    given_by: str | None
    why: str


class Qualification(msgspec.Struct, frozen=True, kw_only=True):
    """The same, as it is stored."""

    id: UUID
    person: str
    workflow: str
    point: str
    given_at: datetime
    until: datetime
    given_by: str | None
    why: str
    taken_at: datetime | None


class TakenQualification(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one that somebody took."""

    id: UUID
    taken_at: datetime
    taken_by: str


_SQL = load_queries(__file__)
ADD_LESSONS = _SQL.bulk("add_lessons", NewLesson, distinct=("id",))
WITHDRAW_LESSONS = _SQL.bulk("withdraw_lessons", WithdrawnLesson, distinct=("id",))
LESSONS = _SQL.rows("lessons", Lesson)
ADMISSION = _SQL.rows("admission", Admission)
NEXT_MATERIAL = _SQL.rows("next_material", Material)
HAS_MATERIAL = _SQL.rows("has_material", HasMaterial)
TRUTH_OF = _SQL.rows("truth_of", Truth)
ADD_ATTEMPTS = _SQL.bulk("add_attempts", NewAttempt, distinct=("id",))
OPEN_ATTEMPT = _SQL.rows("open_attempt", Attempt)
FIND_ATTEMPT = _SQL.rows("find_attempt", Attempt)
ANSWER_ATTEMPTS = _SQL.bulk("answer_attempts", AnsweredAttempt, distinct=("id",))
PRACTISED = _SQL.rows("practised", Practised)
ADD_QUALIFICATIONS = _SQL.bulk("add_qualifications", NewQualification, distinct=("id",))
TAKE_QUALIFICATIONS = _SQL.bulk("take_qualifications", TakenQualification, distinct=("id",))
QUALIFIED_AT = _SQL.rows("qualified_at", Qualification)
QUALIFIED = _SQL.rows("qualified", Qualification)
