"""What the page of a review reads beside the review itself."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries
from interlock.money import Money


class LikeCase(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier decision, and what a person said of it.

    Attributes:
        id: The decision.
        case_id: Its case.
        review: Its review.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        confidence: How sure the component was.
        decided_at: When.
        workflow: Whose point.
        point: The decision point.
        route: automatic, review or reject.
        resolution: What a person decided; None: nobody did.
        resolved_by: Who.
        reason_code: Why.
        resolved_at: When.
    """

    id: UUID
    case_id: UUID | None
    review: UUID | None
    exposure_minor: int | None
    currency: str | None
    confidence: float | None
    decided_at: datetime
    workflow: str
    point: str
    route: str
    resolution: str | None
    resolved_by: str | None
    reason_code: str | None
    resolved_at: datetime | None

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what a decision is found, by slot."""

    s1: bytes | None
    s2: bytes | None
    s3: bytes | None
    s4: bytes | None
    s5: bytes | None
    s6: bytes | None
    s7: bytes | None
    s8: bytes | None

    @property
    def all(self) -> tuple[bytes, ...]:
        """Those that are there."""
        slots = (self.s1, self.s2, self.s3, self.s4, self.s5, self.s6, self.s7, self.s8)
        return tuple(one for one in slots if one is not None)


class ReviewStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a review and what keeps it from being decided.

    Attributes:
        team: Whose task it is; None: whoever works in its queue.
        assigned_to: Who is to do it.
        snoozed_until: Until when it is in nobody's way.
        snoozed_by: Who put it aside.
        asked_to: Who was asked back.
        asked_by: Who asked.
        asked_at: When.
        asked_question: What.
        effective_at: When the verdict that is held takes effect.
        held_verdict: The verdict that is held.
        needed: How many people must say the same.
        decided_by: Whose verdicts stand.
        disagreed: Whether two verdicts differ.
        case_key: The key under which its case came.
        handed_in_by: Who submitted the case.
    """

    team: str | None
    assigned_to: str | None
    snoozed_until: datetime | None
    snoozed_by: str | None
    asked_to: str | None
    asked_by: str | None
    asked_at: datetime | None
    asked_question: str | None
    effective_at: datetime | None
    held_verdict: UUID | None
    needed: int
    decided_by: tuple[str, ...]
    disagreed: bool
    case_key: str | None
    handed_in_by: str | None


class TaskNote(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody told others of a review or an exception.

    Attributes:
        id: Its id.
        kind: said, asked, answered, handed over, escalated, snoozed.
        who: Who told it.
        to_whom: To whom it was told.
        text: What.
        at: When.
    """

    id: UUID
    kind: str
    who: str
    to_whom: str | None
    text: str
    at: datetime


class ToSettle(msgspec.Struct, frozen=True, kw_only=True):
    """One of two verdicts that differ.

    Attributes:
        seat: The first or the second.
        who: Who gave it.
        resolution: What they decided.
        output: What shall hold.
        reason_code: Why.
        note: Why, in words.
        at: When.
    """

    seat: int
    who: str
    resolution: str
    output: bytes | None
    reason_code: str
    note: str
    at: datetime


class OwnVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's own verdict.

    Attributes:
        id: The verdict.
        seat: The first, the second, or the one that settles.
        resolution: What they decided.
        reason_code: Why.
        at: When.
        effective_at: Until when it can be taken back.
        undone_at: When it was taken back.
        held: Whether it is the one that the review waits for.
        workflow: Of the review.
        point: Of the review.
    """

    id: UUID
    seat: int
    resolution: str
    reason_code: str
    at: datetime
    effective_at: datetime
    undone_at: datetime | None
    held: bool | None
    workflow: str
    point: str


_SQL = load_queries(__file__)
LIKE_REVIEWED = _SQL.rows("like_reviewed", LikeCase)
TERMS_OF_DECISION = _SQL.rows("terms_of_decision", Terms)
TOLD_DECISIONS = _SQL.rows("told_decisions", LikeCase)
STANDING_OF_REVIEW = _SQL.rows("standing_of_review", ReviewStanding)
NOTES_OF_TASK = _SQL.rows("notes_of_task", TaskNote)
VERDICTS_TO_SETTLE = _SQL.rows("verdicts_to_settle", ToSettle)
VERDICT_OF_MINE = _SQL.rows("verdict_of_mine", OwnVerdict)
