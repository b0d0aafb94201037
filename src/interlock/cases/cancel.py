"""Cancelling a case: its end is wanted from the commit on; a worker takes back what it did, then ends it.

Safe at any time. What has begun is recorded and settled as always; nothing new begins: every commit that would begin
something in the case refuses (``HoldsCase.even_cancelled``), whoever held the case when the word was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interlock.cases.ending_store import (
    ABANDON_EXCEPTIONS,
    CANCEL_CASES,
    DISCARD_QUARANTINES,
    FIND_CANCELLATION,
    CancelledCase,
)
from interlock.cases.events import OPEN_STATES
from interlock.cases.store import FIND_CASE
from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import facts_of, first_entry, further_entry
from interlock.oversight.store import WITHDRAW_REVIEWS, WithdrawnReviews

LONGEST_WHY = 2000


@dataclass(frozen=True, slots=True)
class Cancelling:
    """A case that shall end.

    Attributes:
        case_id: The case.
        at: Since when.
        who: By whose word.
        why: Why.
        new: Whether it is by this word; else by an earlier one, which holds.
    """

    case_id: UUID
    at: datetime
    who: str
    why: str
    new: bool


async def cancel_case(
    database: Database, writer: Writer, tenant: UUID, case_id: UUID, *, who: str, why: str
) -> Cancelling:
    """Let a case end: nothing new begins in it from this commit on. A second word changes nothing.

    Raises:
        Refused: no reason is given.
        NotFound: this tenant has no such case.
        StateConflict: the case has ended.
    """
    why = check_why(why)

    def build(stamp: Stamp) -> Sequence[Write]:
        return cancel_writes(stamp, tenant, case_id, who=who, why=why)

    unit = Unit(
        tenant,
        build,
        (HoldsCase(case_id, None, OPEN_STATES, even_cancelled=False, cancels=True),),
        wakes=("cases", "reviews"),
    )
    refusal = await writer.write(unit)
    if refusal is None and unit.stamp:
        return Cancelling(case_id, unit.stamp.now, who, why, new=True)
    if refusal and refusal.code == "not-found":
        raise NotFound(refusal.what, todo="`interlock cases` lists them")
    async with database.tenant(tenant) as connection:
        case = await FIND_CASE.one(connection, {"id": case_id})
        earlier = await FIND_CANCELLATION.one(connection, {"id": case_id})
    if earlier and earlier.cancel_at:
        return Cancelling(case_id, earlier.cancel_at, earlier.cancel_by or "", earlier.cancel_why or "", new=False)
    ended = f"{case.state}{f': {case.conclusion}' if case.conclusion else ''}" if case else "gone"
    raise StateConflict(
        f"case {case_id} has ended: it is {ended}", todo="what it did is taken back by a case of its own, if at all"
    )


def check_why(why: str) -> str:
    """A reason as it is stored.

    Raises:
        Refused: there is none, or it is too long.
    """
    why = storable(why).strip()
    if not why:
        raise Refused("a reason is needed", where="/why", todo="say why, for whoever reads the ledger")
    if len(why) > LONGEST_WHY:
        raise Refused(f"the reason has {len(why)} characters", where="/why", todo=f"use at most {LONGEST_WHY}")
    return why


def cancel_writes(stamp: Stamp, tenant: UUID, case_id: UUID, *, who: str, why: str, first: bool = True) -> list[Write]:
    """What records that a case shall end, and withdraws what it asked of people.

    Args:
        stamp: Of the commit.
        tenant: Whose.
        case_id: The case.
        who: By whose word.
        why: Why.
        first: Whether its ledger entry is the one by which the unit is found.
    """
    body = facts_of(who=who, why=f"the case was cancelled: {why}")
    row = CancelledCase(case_id=case_id, at=stamp.now, who=who, why=why, body=body)
    entry = first_entry if first else further_entry
    return [
        Write(CANCEL_CASES, row),
        Write(WITHDRAW_REVIEWS, WithdrawnReviews(case_id=case_id, at=stamp.now, body=body)),
        Write(ABANDON_EXCEPTIONS, row),
        Write(DISCARD_QUARANTINES, row),
        entry(stamp, tenant, "case.cancel_wanted", subject=case_id, case_id=case_id, who=who, why=why),
    ]
