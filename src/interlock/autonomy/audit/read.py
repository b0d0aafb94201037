"""Reading the audit sample: for estimates, for whoever leads, and for whoever wants to know how it stands."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.audit.store import (
    FIND_DRAWING,
    FOUND_WRONG,
    LOOKED_AT,
    SAMPLED,
    FoundWrong,
    SampledRow,
    drawing_id,
)
from interlock.autonomy.sampling import loss_at_stake
from interlock.autonomy.terms import AutonomyTerms
from interlock.clock import first_id, id_time
from interlock.db.database import Database
from interlock.money import Money

MOST_WRONG = 50


class DrawState(StrEnum):
    """Where a drawn decision stands.

    Diagram::

        waits -- there is room in the queue --> asked -- a person's answer takes effect --> right | wrong
        waits, asked -- its outcome is due --> missing, which counts as wrong; an answer that comes later still counts
    """

    WAITS = "waits"
    ASKED = "asked"
    RIGHT = "right"
    WRONG = "wrong"
    MISSING = "missing"


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """One drawn decision.

    Attributes:
        decision: It.
        propensity: With which probability it was drawn, exactly.
        state: Where it stands.
        is_right: What the person's answer says; None: there is none yet.
        loss: What is lost if it is wrong, in minor units of the point's currency; at most as at the cap.
        exposure: The money at stake.
        decided_at: When it was decided.
        answered_at: When it was answered.
        review: Where it is asked.
    """

    decision: UUID
    propensity: Fraction
    state: DrawState
    is_right: bool | None
    loss: int
    exposure: Money | None
    decided_at: datetime
    answered_at: datetime | None
    review: UUID | None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The sample of a point in a time.

    Attributes:
        begun: Since when there is one; decisions of before are in none.
        drawn_to: Up to when it is drawn.
        looked_at: How many decisions of the time no person took: so many had the chance.
        drawn: Those that were drawn, in their order. All others of the time were not.
    """

    begun: datetime | None
    drawn_to: datetime | None
    looked_at: int
    drawn: tuple[Drawn, ...]

    def count(self, *states: DrawState) -> int:
        """How many of the drawn ones stand so."""
        found = Counter(one.state for one in self.drawn)
        return sum(found[state] for state in states)


async def sample_of(
    database: Database,
    tenant: UUID,
    workflow: str,
    point: str,
    terms: AutonomyTerms,
    *,
    since: datetime,
    until: datetime,
) -> Sample:
    """The sample of a point, of the decisions taken after ``since`` and up to ``until``; both UTC.

    Args:
        database: Where it is.
        tenant: Whose.
        workflow: The workflow.
        point: The decision point.
        terms: What it declares.
        since: From when on.
        until: Up to when; what is not drawn yet is left out.
    """
    async with database.tenant(tenant) as connection:
        drawing = await FIND_DRAWING.one(connection, {"id": drawing_id(tenant, workflow, point)})
        if drawing is None:
            return Sample(begun=None, drawn_to=None, looked_at=0, drawn=())
        last = UUID(int=first_id(until + timedelta(milliseconds=1)).int - 1)
        asked = {"workflow": workflow, "point": point, "until": min(last, drawing.drawn_to)}
        asked["since"] = max(first_id(since), drawing.begun)
        looked_at = await LOOKED_AT.one(connection, asked) or 0
        rows = await SAMPLED.all(connection, asked)
    now = database.clock.now()
    return Sample(
        begun=id_time(drawing.begun),
        drawn_to=id_time(drawing.drawn_to),
        looked_at=looked_at,
        drawn=tuple(_drawn(row, terms, now) for row in rows),
    )


async def found_wrong(database: Database, tenant: UUID, since: datetime) -> tuple[FoundWrong, ...]:
    """Automatic decisions that a person answered otherwise since then, the newest first: for whoever leads."""
    async with database.tenant(tenant) as connection:
        return tuple(await FOUND_WRONG.all(connection, {"since": since, "most": MOST_WRONG}))


def _drawn(row: SampledRow, terms: AutonomyTerms, now: datetime) -> Drawn:
    exposure = Money.of_columns(row.exposure_minor, row.currency)
    return Drawn(
        decision=row.decision,
        propensity=Fraction(row.propensity),
        state=_state(row, row.decided_at + terms.outcome.after <= now),
        is_right=row.was_right,
        loss=loss_at_stake(terms, exposure),
        exposure=exposure,
        decided_at=row.decided_at,
        answered_at=row.answered_at,
        review=row.review,
    )


def _state(row: SampledRow, is_due: bool) -> DrawState:  # noqa: FBT001 - of the row
    if row.was_right is not None:
        return DrawState.RIGHT if row.was_right else DrawState.WRONG
    if is_due:
        return DrawState.MISSING
    return DrawState.WAITS if row.review is None else DrawState.ASKED
