"""Cancelling a case, or recalling it: its end is wanted from the commit on; a worker takes back what it did.

Safe at any time. What has begun is recorded and settled as always; nothing new begins: every commit that would begin
something in the case refuses (``HoldsCase.even_cancelled``), whoever held the case when the word was given.

Recalling goes further than cancelling in one thing: a case that is done is taken back, too. Nothing of its journal and
its decisions changes; it is ready again only to end, and no code of its workflow runs. So any worker that carries its
workflow ends it, whatever version it was done by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from interlock.authority.judge import Verdict, verdict_facts
from interlock.cases.ending_store import (
    ABANDON_EXCEPTIONS,
    CANCEL_CASES,
    DISCARD_QUARANTINES,
    FIND_CANCELLATION,
    CancelledCase,
)
from interlock.cases.events import OPEN_STATES
from interlock.cases.store import FIND_CASE, CaseState
from interlock.db.database import Database
from interlock.db.gates import HoldsCase
from interlock.db.text import storable
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import facts_of, first_entry, further_entry
from interlock.oversight.store import WITHDRAW_REVIEWS, WithdrawnReviews

LONGEST_WHY = 2000
RECALLABLE = tuple(state for state in CaseState if state is not CaseState.CANCELLED)
"""The states from which a case can be recalled: all in which something of it may stand."""


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
    database: Database,
    writer: Writer,
    tenant: UUID,
    case_id: UUID,
    *,
    who: str,
    why: str,
    verdict: Verdict | None = None,
) -> Cancelling:
    """Let a case end: nothing new begins in it from this commit on. A second word changes nothing.

    Args:
        database: To read what was said before.
        writer: For the commit.
        tenant: Whose.
        case_id: The case.
        who: By whose word.
        why: Why.
        verdict: What the policies said of it.

    Raises:
        Refused: no reason is given.
        NotFound: this tenant has no such case.
        StateConflict: the case has ended; one that is done can be recalled.
    """
    held = HoldsCase(case_id, None, OPEN_STATES, even_cancelled=False, cancels=True)
    return await _end(database, writer, tenant, held, who=who, why=check_why(why), verdict=verdict)


async def recall_case(
    database: Database,
    writer: Writer,
    tenant: UUID,
    case_id: UUID,
    *,
    who: str,
    why: str,
    recall: UUID | None = None,
    verdict: Verdict | None = None,
) -> Cancelling:
    """Take a case back, done or not: what it did is undone by a worker, then it is cancelled.

    A second word, and a word on a case that is cancelled already, changes nothing.

    Args:
        database: To read what was said before.
        writer: For the commit.
        tenant: Whose.
        case_id: The case.
        who: By whose word.
        why: Why.
        recall: The recall on record that it belongs to, for the ledger.
        verdict: What the policies said of it.

    Raises:
        Refused: no reason is given.
        NotFound: this tenant has no such case.
    """
    held = held_for_recall(case_id)
    return await _end(database, writer, tenant, held, who=who, why=check_why(why), recall=recall, verdict=verdict)


def held_for_recall(case_id: UUID) -> HoldsCase:
    """What must hold in a commit that recalls a case by ``cancel_writes``: it is not to be cancelled already."""
    return HoldsCase(case_id, None, RECALLABLE, even_cancelled=False, cancels=True)


async def _end(
    database: Database,
    writer: Writer,
    tenant: UUID,
    held: HoldsCase,
    *,
    who: str,
    why: str,
    recall: UUID | None = None,
    verdict: Verdict | None = None,
) -> Cancelling:
    case_id = held.case_id

    def build(stamp: Stamp) -> Sequence[Write]:
        return cancel_writes(stamp, tenant, case_id, who=who, why=why, recall=recall, verdict=verdict)

    unit = Unit(tenant, build, (held,), wakes=("cases", "reviews"))
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
        f"case {case_id} has ended: it is {ended}",
        todo=f'what it did is taken back by `interlock cases take-back {case_id} --why "..."`',
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


def cancel_writes(
    stamp: Stamp,
    tenant: UUID,
    case_id: UUID,
    *,
    who: str,
    why: str,
    first: bool = True,
    recall: UUID | None = None,
    verdict: Verdict | None = None,
) -> list[Write]:
    """What records that a case shall end, and withdraws what it asked of people.

    Args:
        stamp: Of the commit.
        tenant: Whose.
        case_id: The case.
        who: By whose word.
        why: Why.
        first: Whether its ledger entry is the one by which the unit is found.
        recall: The recall on record that it belongs to.
        verdict: What the policies said of it; None: the program itself acts.
    """
    body = facts_of(who=who, why=f"the case was cancelled: {why}")
    row = CancelledCase(case_id=case_id, at=stamp.now, who=who, why=why, body=body)
    entry = first_entry if first else further_entry
    told = {"who": who, "why": why} | ({"recall": recall} if recall else {}) | verdict_facts(verdict)
    return [
        Write(CANCEL_CASES, row),
        Write(WITHDRAW_REVIEWS, WithdrawnReviews(case_id=case_id, at=stamp.now, body=body)),
        Write(ABANDON_EXCEPTIONS, row),
        Write(DISCARD_QUARANTINES, row),
        entry(stamp, tenant, "case.cancel_wanted", subject=case_id, case_id=case_id, **told),
    ]
