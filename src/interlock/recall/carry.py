"""Carrying a recall out, a turn at a time: each turn is bounded, and what is still to do is read from the rows alone.

First what was wrong is stopped and the version before it restored, where that is wished; then what is still open is
gathered and ended, then what is done; each is decided anew once it is taken back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from interlock.cases.cancel import recall_case
from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.errors import DatabaseUnavailable, InterlockError, NotFound
from interlock.guards.stops import resume, stop
from interlock.ledger.ledger import facts_of, first_entry
from interlock.oversight.store import WITHDRAW_REVIEWS_OF, WithdrawnReviewsOf
from interlock.recall.anew import decide_anew
from interlock.recall.begin import find_recall
from interlock.recall.gather import NIL, gather, look_again, set_span
from interlock.recall.means import Means
from interlock.recall.record import RECALLED_BEFORE, Member, MemberState, Recall, RecallState
from interlock.recall.restore import restore
from interlock.recall.store import (
    COUNT_MEMBERS,
    END_RECALLS,
    MEMBERS_ENDED,
    MEMBERS_FOUND,
    MOVE_DECIDING,
    MOVE_MEMBERS,
    SET_RESTORED,
    SET_STOPPED,
    SETTLE_MEMBERS,
    STANDING_OF,
    WHAT_CASES_WERE,
    WHAT_DECISIONS_WERE,
    EndedRecall,
    MemberCount,
    MovedMember,
    StandingAction,
    StoppedRecall,
)

T = TypeVar("T")

AT_A_TIME = 256
"""Members of one turn."""
EVERYWHERE_S = 2.0
"""After how long every process knows what counts: twice what publishing promises."""
_AT_ONCE = 32
_MOST_SETTLED = 5000


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did.

    Attributes:
        state: Where the recall is now.
        moved: Whether there is more to do at once; else what it waits for goes on by itself, or by a person.
    """

    state: RecallState
    moved: bool


async def carry_on(database: Database, means: Means, tenant: UUID, recall_id: UUID) -> Turn:
    """Do the next turn of a recall.

    Raises:
        NotFound: this tenant has none of that id.
        DatabaseUnavailable: the database does not answer.
    """
    recall = await find_recall(database, tenant, recall_id)
    if recall.state is RecallState.DONE or (recall.state is RecallState.PLANNED and recall.gathered):
        return Turn(recall.state, moved=False)
    if not recall.gathered:
        if recall.state is not RecallState.PLANNED:
            await _before(database, means, tenant, recall)
        if recall.beyond is None:
            await set_span(database, means.registry, tenant, recall)
            return Turn(recall.state, moved=True)
        last = await gather(database, tenant, recall)
        return Turn(recall.state, moved=not last or recall.state is not RecallState.PLANNED)
    if await _take_back(database, means, tenant, recall):
        return Turn(recall.state, moved=True)
    async with database.tenant(tenant) as connection:
        settled = await SETTLE_MEMBERS.run(connection, {"recall": recall.id, "most": _MOST_SETTLED})
    more = await _decide(database, means, tenant, recall) if recall.anew else False
    if settled or more:
        return Turn(recall.state, moved=True)
    return await _end(database, means, tenant, recall)


# ------------------------------------------------------------------- beforehand


async def _before(database: Database, means: Means, tenant: UUID, recall: Recall) -> None:
    """Stop what was wrong and restore what was before it; each once."""
    if recall.stop and recall.stopped is None:
        selector = recall.wanted
        once = TakesKey(key_digest(tenant, "recall", f"{recall.id}/stop"), short_digest(b"stop"))
        await stop(
            database, means.writer, tenant, scope=selector.scope, who=recall.who, why=recall.reason,
            conditions=(once,),
            beside=lambda _stamp, made: [Write(SET_STOPPED, StoppedRecall(id=recall.id, stop=made))],
        )  # fmt: skip
        recall = await find_recall(database, tenant, recall.id)
    if recall.restore and recall.restored is None:
        try:
            restored = await restore(database, means, tenant, recall)
        except DatabaseUnavailable:
            raise
        except InterlockError as cause:
            restored = f"nothing is restored: {cause.what}"
        else:
            # no process decides by the wrong version any more once this is over: not what is decided anew, either
            await asyncio.sleep(EVERYWHERE_S)
            await _let_go(means, tenant, recall)
        async with database.tenant(tenant) as connection:
            await SET_RESTORED.run(connection, {"id": recall.id, "restored": restored})


async def _let_go(means: Means, tenant: UUID, recall: Recall) -> None:
    """Lift the stop that this recall made: what was wrong does not count any more."""
    if recall.stopped is not None:
        try:
            await resume(means.writer, tenant, recall.stopped, who=recall.who, why=recall.reason)
        except NotFound:
            return  # it is lifted: by a person, or by the turn before this one


# ------------------------------------------------------------------- taking back


async def _take_back(database: Database, means: Means, tenant: UUID, recall: Recall) -> int:
    """Have the next members end, what is pending first; how many were looked at."""
    for pending in (True, False):
        async with database.tenant(tenant) as connection:
            asked = {"recall": recall.id, "pending": pending, "after": NIL, "most": AT_A_TIME}
            found = await MEMBERS_FOUND.all(connection, asked)
        if found:
            await _move(database, tenant, found, lambda one: _end_member(database, means, tenant, recall, one))
            return len(found)
    return 0


async def _end_member(
    database: Database, means: Means, tenant: UUID, recall: Recall, member: Member
) -> MovedMember | None:
    moved = MovedMember(recall=recall.id, member=member.member, state=MemberState.WANTED)
    if not member.is_case:
        if await _withdraw(means, tenant, recall, member.member):
            return _replaced(moved, MemberState.ENDED)
        return _replaced(moved, MemberState.LEFT, RECALLED_BEFORE)
    said = await recall_case(
        database, means.writer, tenant, member.member, who=recall.who, why=recall.reason, recall=recall.id
    )
    if said.why != recall.reason:
        return _replaced(moved, MemberState.LEFT, f"it was being cancelled before, by {said.who}")
    return moved


def _replaced(moved: MovedMember, state: MemberState, why: str = "") -> MovedMember:
    return MovedMember(recall=moved.recall, member=moved.member, state=state, why=why)


async def _withdraw(means: Means, tenant: UUID, recall: Recall, decision: UUID) -> bool:
    """Record that a decision without a case does not hold, and withdraw what was asked of people about it; once.

    INVARIANT: a decision is recalled by one recall, whose word stands: by each that came by it would be taken anew.

    Returns:
        Whether this recall did; else another one did before.
    """

    def build(stamp: Stamp) -> list[Write]:
        body = facts_of(who=recall.who, why=recall.reason)
        row = WithdrawnReviewsOf(ref=decision, at=stamp.now, body=body)
        entry = first_entry(
            stamp, tenant, "decision.recalled", subject=decision, recall=recall.id, who=recall.who, why=recall.why
        )
        return [Write(WITHDRAW_REVIEWS_OF, row), entry]

    once = TakesKey(key_digest(tenant, "recall", f"decision/{decision}"), short_digest(recall.id.bytes))
    refusal = await means.writer.write(Unit(tenant, build, (once,), wakes=("reviews",)))
    return refusal is None or refusal.same


async def _decide(database: Database, means: Means, tenant: UUID, recall: Recall) -> bool:
    """Decide the next members anew that are taken back; whether there is more to do at once.

    Each turn goes on after the last member that was looked at: those that are held keep none behind them waiting.
    """
    async with database.tenant(tenant) as connection:
        asked = {"recall": recall.id, "after": recall.decided, "most": AT_A_TIME}
        found = await MEMBERS_ENDED.all(connection, asked)
        cases = [one.member for one in found if one.is_case]
        others = [one.member for one in found if not one.is_case]
        standing = await STANDING_OF.all(connection, {"ids": cases}) if cases else []
        was = [
            *(await WHAT_CASES_WERE.all(connection, {"ids": cases}) if cases else ()),
            *(await WHAT_DECISIONS_WERE.all(connection, {"ids": others}) if others else ()),
        ]
    stands: dict[UUID, list[StandingAction]] = defaultdict(list)
    for one in standing:
        stands[one.case_id].append(one)
    moved = await _move(
        database, tenant, was, lambda one: decide_anew(means, tenant, recall, one, stands.get(one.id, ()))
    )
    decided = found[-1].member if len(found) == AT_A_TIME else NIL
    if decided != recall.decided:
        async with database.tenant(tenant) as connection:
            await MOVE_DECIDING.run(connection, {"id": recall.id, "decided": decided})
    return bool(moved) or decided != NIL


async def _move(
    database: Database, tenant: UUID, items: Sequence[T], work: Callable[[T], Awaitable[MovedMember | None]]
) -> int:
    """Work on many at once, then record where each is; how many moved."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> MovedMember | None:
        async with gate:
            return await work(item)

    moved = [row for row in await asyncio.gather(*(one(item) for item in items)) if row is not None]
    if moved:
        async with database.tenant(tenant) as connection:
            await MOVE_MEMBERS.run(connection, moved)
    return sum(1 for row in moved if row.state is not MemberState.ENDED)


# ----------------------------------------------------------------------- the end


async def _end(database: Database, means: Means, tenant: UUID, recall: Recall) -> Turn:
    """End the recall if nothing is left of it but what waits for a person."""
    if not recall.combed:
        return Turn(recall.state, moved=await look_again(database, tenant, recall))
    counts = await count_members(database, tenant, recall.id)
    by_state = {one.state: one for one in counts}
    waiting = by_state.get(MemberState.WANTED)
    exceptions = waiting.exceptions if waiting else 0
    under_way = (waiting.members - exceptions) if waiting else 0
    undecided = by_state[MemberState.ENDED].members if recall.anew and MemberState.ENDED in by_state else 0
    if MemberState.FOUND in by_state or under_way or undecided:
        return Turn(recall.state, moved=MemberState.FOUND in by_state)
    state = RecallState.OPEN if exceptions else RecallState.DONE
    if state is recall.state:
        return Turn(state, moved=False)

    def build(stamp: Stamp) -> list[Write]:
        entry = first_entry(
            stamp, tenant, "recall.ended", subject=recall.id, state=state, decisions=recall.decisions,
            exceptions=exceptions, members={str(one.state): one.members for one in counts},
        )  # fmt: skip
        return [Write(END_RECALLS, EndedRecall(id=recall.id, state=state, at=stamp.now)), entry]

    once = TakesKey(key_digest(tenant, "recall", f"{recall.id}/{state}"), short_digest(state.encode()))
    await means.writer.write(Unit(tenant, build, (once,)))
    return Turn(state, moved=False)


async def count_members(database: Database, tenant: UUID, recall: UUID) -> list[MemberCount]:
    """How many members of a recall are in which state."""
    async with database.tenant(tenant) as connection:
        return await COUNT_MEMBERS.all(connection, {"recall": recall})
