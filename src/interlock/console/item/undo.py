"""What somebody decided just now and can still take back: shown wherever they went on to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from interlock.console.item.read import desk_of
from interlock.console.visit import Visit
from interlock.errors import NotFound
from interlock.oversight.resolving import find_review


class Undoable(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that is held.

    Attributes:
        review: Of what.
        workflow: Whose decision point.
        point: The decision point.
        resolution: What was decided.
        until: Until when it can be taken back.
        waits_for_second: Whether nothing happens before a second person says the same.
    """

    review: UUID
    workflow: str
    point: str
    resolution: str
    until: datetime
    waits_for_second: bool


async def undoable(visit: Visit, review_id: UUID) -> Undoable | None:
    """The visitor's own verdict on a review, if it is held or waits for a second; None: it is neither."""
    try:
        review, verdicts = await find_review(desk_of(visit), visit.tenant, review_id)
    except NotFound:
        return None
    mine = next((one for one in reversed(verdicts) if one.who == visit.actor.name), None)
    waits = mine is not None and not review.held_verdict and len(verdicts) < review.needed
    if mine is None or not (waits or review.held_verdict == mine.id):
        return None
    return Undoable(
        review=review_id,
        workflow=review.workflow,
        point=review.point,
        resolution=mine.resolution,
        until=mine.effective_at,
        waits_for_second=waits,
    )
