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


class CaseOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a case came from.

    Attributes:
        key: The key under which it came.
        caller: Who submitted it.
    """

    key: str
    caller: str


class AskedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A review or an exception that waits for somebody's answer.

    Attributes:
        id: Its id.
        kind: review or exception.
        workflow: Of its case.
        about: The decision point; of an exception, what kind of fact it is.
        asked_by: Who asked.
        asked_to: Who was asked.
        asked_at: When.
        asked_question: What.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
    """

    id: UUID
    kind: str
    workflow: str
    about: str
    asked_by: str
    asked_to: str
    asked_at: datetime
    asked_question: str
    exposure_minor: int | None
    currency: str | None

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


_SQL = load_queries(__file__)
LIKE_REVIEWED = _SQL.rows("like_reviewed", LikeCase)
TERMS_OF_DECISION = _SQL.rows("terms_of_decision", Terms)
TOLD_DECISIONS = _SQL.rows("told_decisions", LikeCase)
ORIGIN_OF_CASE = _SQL.rows("origin_of_case", CaseOrigin)
ASKED_OF = _SQL.rows("asked_of", AskedTask)
