"""The rows of quality: known cases, second looks, what people answered, and what they say of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.money import Money
from interlock.oversight.quality.figures import Answered, Checked
from interlock.oversight.review import Resolution


class NewKnownCase(msgspec.Struct, frozen=True, kw_only=True):
    """A known case on its way in: its review, and what is right of it."""

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    resolution: Resolution
    output: bytes | None
    explanation: str
    added_by: str
    added_at: datetime


class AnsweredKnownCase(msgspec.Struct, frozen=True, kw_only=True):
    """A known case that was answered: what is right, and what was said."""

    id: UUID
    resolution: Resolution
    output: bytes | None
    answered: Resolution
    answered_output: bytes | None
    answered_by: str
    answered_at: datetime


class RevealedCase(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a known case."""

    id: UUID
    answered_by: str
    answered_at: datetime
    was_right: bool


class ShownCase(msgspec.Struct, frozen=True, kw_only=True):
    """A known case as it is shown to whoever answered it."""

    id: UUID
    workflow: str
    point: str
    resolution: Resolution
    output: bytes | None
    explanation: str
    answered_at: datetime
    was_right: bool
    answered: Resolution


class Drawable(msgspec.Struct, frozen=True, kw_only=True):
    """A review that was answered, and may be answered once more."""

    id: UUID
    workflow: str
    point: str
    queue: str
    question: bytes
    proposal: bytes | None
    exposure_minor: int | None
    currency: str | None
    urgency: int
    resolved_by: str
    resolved_at: datetime


class DrawnTo(msgspec.Struct, frozen=True, kw_only=True):
    """Up to when second looks of a tenant are drawn."""

    tenant: UUID
    drawn_to: datetime


class BegunDraw(msgspec.Struct, frozen=True, kw_only=True):
    """From when on is drawn.

    Attributes:
        drawn_to: Up to when it was.
        mark: The same, as the gate compares it.
    """

    drawn_to: datetime
    mark: str


class NewSecondLook(msgspec.Struct, frozen=True, kw_only=True):
    """A second look on its way in."""

    id: UUID
    tenant: UUID
    first: UUID
    propensity: str
    drawn_at: datetime
    first_by: str


class AnsweredSecondLook(msgspec.Struct, frozen=True, kw_only=True):
    """A second look that was answered, beside the first answer."""

    id: UUID
    first: UUID
    first_by: str
    propensity: str
    first_resolution: Resolution
    first_output: bytes | None
    second_resolution: Resolution
    second_output: bytes | None
    second_by: str


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """A second look at which the second person said something else.

    Attributes:
        id: The second review.
        first: The first one.
        compared_at: When they were compared.
        workflow: Of both.
        point: Of both.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        first_resolution: What was said first, which holds.
        first_reason: Why.
        second_resolution: What was said the second time.
        second_reason: Why.
    """

    id: UUID
    first: UUID
    compared_at: datetime
    workflow: str
    point: str
    exposure_minor: int | None
    currency: str | None
    first_resolution: Resolution
    first_reason: str | None
    second_resolution: Resolution
    second_reason: str | None

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class ComparedLook(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a second look."""

    id: UUID
    second_by: str
    compared_at: datetime
    agreed: bool


class FirstAnswer(msgspec.Struct, frozen=True):
    """When somebody first answered anything."""

    who: str
    first_at: datetime


class Seen(msgspec.Struct, frozen=True):
    """When somebody last saw their figures."""

    person: str
    seen_at: datetime


class Remark(msgspec.Struct, frozen=True):
    """What somebody says of their figures."""

    person: str
    seen_at: datetime
    remark: str


class NewSeen(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody saw their figures, and what they say of them."""

    id: UUID
    tenant: UUID
    person: str
    seen_at: datetime
    remark: str


_SQL = load_queries(__file__)
ADD_KNOWN_CASES = _SQL.bulk("add_known_cases", NewKnownCase, distinct=("id",))
HAS_CASES = _SQL.rows("has_cases", bool)
ANSWERED_KNOWN_CASES = _SQL.rows("answered_known_cases", AnsweredKnownCase)
REVEAL_KNOWN_CASES = _SQL.bulk("reveal_known_cases", RevealedCase, distinct=("id",))
REVEALED_TO = _SQL.rows("revealed_to", ShownCase)
TRY_TO_DRAW = _SQL.rows("try_to_draw", bool)
BEGUN_DRAW = _SQL.rows("begun_draw", BegunDraw)
draw_gate = StateGate("draw", _SQL.rows("lock_draws", StateRow))
DRAW_FROM = _SQL.rows("draw_from", Drawable)
ADD_SECOND_LOOKS = _SQL.bulk("add_second_looks", NewSecondLook, distinct=("id",))
ADVANCE_DRAW = _SQL.bulk("advance_draw", DrawnTo, distinct=("tenant",))
ANSWERED_SECOND_LOOKS = _SQL.rows("answered_second_looks", AnsweredSecondLook)
COMPARE_SECOND_LOOKS = _SQL.bulk("compare_second_looks", ComparedLook, distinct=("id",))
DISAGREEMENTS = _SQL.rows("disagreements", Disagreement)
ANSWERS_SINCE = _SQL.rows("answers_since", Answered)
CHECKED_KNOWN = _SQL.rows("checked_known", Checked)
CHECKED_SECOND = _SQL.rows("checked_second", Checked)
CHECKED_OUTCOMES = _SQL.rows("checked_outcomes", Checked)
FIRST_ANSWERS = _SQL.rows("first_answers", FirstAnswer)
SEEN_BY = _SQL.rows("seen_by", Seen)
REMARKS_OF = _SQL.rows("remarks_of", Remark)
ADD_SEEN = _SQL.bulk("add_seen", NewSeen, distinct=("id",))
