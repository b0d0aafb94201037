"""The rows of the audit sample."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.db.gates import StateGate, StateRow, short_digest
from interlock.db.queries import load_queries
from interlock.money import Money

_DOMAIN = b"interlock.audit.1"


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a point is drawn.

    Attributes:
        id: See ``drawing_id``.
        key: What draws; secret.
        begun: Decisions after this one are in the sample; those before it never are.
        drawn_to: The last decision that was looked at.
        mark: How it stands, as the gate compares it.
        looked_at: How many decisions were looked at.
        drawn: How many of them were drawn.
    """

    id: UUID
    key: bytes
    begun: UUID
    drawn_to: UUID
    mark: str
    looked_at: int
    drawn: int


class NewDrawing(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a point's sample."""

    id: UUID
    tenant: UUID
    workflow: str
    point: str
    key: bytes
    begun: UUID


class WentByItself(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that no person took.

    Attributes:
        id: It.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        evidence: What it rests on, as JSON; under ``autonomy`` how it was weighed.
        drawn: Whether it is drawn already.
    """

    id: UUID
    exposure_minor: int | None
    currency: str | None
    evidence: bytes
    drawn: bool

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


class NewDraw(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is drawn."""

    decision: UUID
    tenant: UUID
    workflow: str
    point: str
    propensity: str
    drawn_at: datetime


class Advanced(msgspec.Struct, frozen=True, kw_only=True):
    """That a point is drawn further: from where, to where, of how many, and how many were drawn."""

    id: UUID
    was: UUID
    drawn_to: UUID
    looked_at: int
    drawn: int


class ToBeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn decision that nobody is asked about yet: what somebody is to see of it."""

    decision: UUID
    input: bytes
    exposure_minor: int | None
    currency: str | None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody is asked about a drawn decision."""

    decision: UUID
    review: UUID


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """The decision that a review of the sample is about.

    Attributes:
        decision: It.
        workflow: Whose point.
        point: The decision point.
        propensity: With which it was drawn.
        route: How it went: ``automatic`` or ``reject``.
        output: What the component answered, as canonical JSON.
        component: Which one.
        decided_at: When.
    """

    decision: UUID
    workflow: str
    point: str
    propensity: str
    route: str
    output: bytes | None
    component: str
    decided_at: datetime


class AnsweredDraw(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a drawn decision: what a person said of it."""

    decision: UUID
    answered_by: str
    answered_at: datetime
    was_right: bool


class SampledRow(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn decision, as it stands."""

    decision: UUID
    propensity: str
    review: UUID | None
    drawn_at: datetime
    answered_at: datetime | None
    was_right: bool | None
    exposure_minor: int | None
    currency: str | None
    decided_at: datetime


class FoundWrong(msgspec.Struct, frozen=True, kw_only=True):
    """An automatic decision that a person, blind to it, answered otherwise.

    Attributes:
        decision: It.
        workflow: Whose point.
        point: The decision point.
        review: Where the person answered.
        answered_at: When.
        case_id: Its case, if it has one: there what was done is taken back.
        exposure_minor: The money at stake, in minor units.
        currency: Of the exposure.
        done: How many actions of its case are done or under way.
    """

    decision: UUID
    workflow: str
    point: str
    review: UUID
    answered_at: datetime
    case_id: UUID | None
    exposure_minor: int | None
    currency: str | None
    done: int

    @property
    def exposure(self) -> Money | None:
        """The money at stake."""
        return Money.of_columns(self.exposure_minor, self.currency)


_SQL = load_queries(__file__)
FIND_DRAWING = _SQL.rows("find_drawing", Drawing)
BEGIN_DRAWINGS = _SQL.bulk("begin_drawings", NewDrawing, distinct=("id",))
drawing_gate = StateGate("drawing", _SQL.rows("lock_drawings", StateRow))
WENT_BY_ITSELF = _SQL.rows("went_by_itself", WentByItself)
ADD_DRAWS = _SQL.bulk("add_draws", NewDraw, distinct=("decision",))
ADVANCE_DRAWINGS = _SQL.bulk("advance_drawings", Advanced, distinct=("id",))
TO_BE_ASKED = _SQL.rows("to_be_asked", ToBeAsked)
ASK_DRAWS = _SQL.bulk("ask_draws", Asked, distinct=("decision",))
AUDITED_BY = _SQL.rows("audited_by", Audited)
ANSWER_DRAWS = _SQL.bulk("answer_draws", AnsweredDraw, distinct=("decision",))
LOOKED_AT = _SQL.rows("looked_at", int)
SAMPLED = _SQL.rows("sampled", SampledRow)
FOUND_WRONG = _SQL.rows("found_wrong", FoundWrong)


def drawing_id(tenant: UUID, workflow: str, point: str) -> UUID:
    """The id of how far a point is drawn."""
    return short_digest(_DOMAIN, tenant.bytes, workflow.encode(), point.encode())
