"""Answering a queue that is, or will be, too full, and ending that: by itself, or because a person says so.

INVARIANT: a turn is taken once, however many processes look: its row, its entry and the key of the turn are one commit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from interlock.db.database import Database
from interlock.db.gates import TakesKey, key_digest, short_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.ledger import first_entry
from interlock.oversight.capacity.read import Capacity
from interlock.oversight.capacity.response import BY_ITSELF, ResponseState, Turned, next_turn
from interlock.oversight.capacity.store import RESPONSES, SATURATED_QUEUES, TURN_RESPONSES, NewResponse

LONGEST_WHY = 300
log = logging.getLogger("interlock.capacity")


async def respond(writer: Writer, tenant: UUID, queues: Iterable[Capacity], now: datetime) -> int:
    """Take the turns that a look at the queues asks for; how many were taken.

    Args:
        writer: For the commits.
        tenant: Whose.
        queues: As they were looked at.
        now: The time.
    """
    taken = 0
    for one in queues:
        outlook = one.outlook
        if outlook.standing is None:
            continue
        breach = outlook.breach_in()
        turned = next_turn(outlook.told, outlook.standing.waiting, breach, one.response, now)
        if turned is None:
            continue
        turn = one.response.turn + 1 if one.response else 1
        figures = {
            "waiting": outlook.standing.waiting,
            "capacity": outlook.told.capacity,
            "people": outlook.standing.people,
            "breach_s": round(breach.total_seconds()) if breach is not None else None,
            "answer": outlook.told.when_full,
        }
        if await _turn(writer, tenant, outlook.told.name, turn, turned, BY_ITSELF, figures):
            log.warning("the queue %s is %s: %s", outlook.told.name, turned.state, turned.why)
            taken += 1
    return taken


async def declare(
    database: Database,
    writer: Writer,
    tenant: UUID,
    queue: str,
    *,
    hold: bool,
    who: str,
    why: str,
    known: Iterable[str],
) -> NewResponse:
    """Say by hand that a queue is too full, until somebody says otherwise; or that it is not.

    Args:
        database: Where it is.
        writer: For the commit.
        tenant: Whose.
        queue: Which.
        hold: Whether nothing more is taken in.
        who: Who says it.
        why: Why.
        known: The queues that there are.

    Raises:
        NotFound: there is no such queue.
        Refused: no reason, or none of that form.
        StateConflict: it is so already.
    """
    said = why.strip()
    if not said or len(said) > LONGEST_WHY or not said.isprintable():
        raise Refused(f"a reason of at most {LONGEST_WHY} printable characters is needed", where="/why")
    if queue not in set(known):
        raise NotFound(f"there is no queue {queue[:60]!r}", todo="`interlock capacity` lists them")
    async with database.tenant(tenant) as connection:
        last = {row.queue: row for row in await RESPONSES.all(connection)}.get(queue)
    state = ResponseState.SATURATED if hold else ResponseState.RELIEVED
    if (last is None and not hold) or (last is not None and last.state is state and (last.by_hand or not hold)):
        raise StateConflict(f"the queue {queue} is {state if last else 'not held'} already")
    made = await _turn(writer, tenant, queue, last.turn + 1 if last else 1, Turned(state, said), who, {}, by_hand=True)
    if made is None:
        raise StateConflict(f"somebody else changed the queue {queue} just now", todo="look at it again")
    return made


async def held_queues(database: Database, tenant: UUID) -> frozenset[str]:
    """The queues of a tenant that take nothing in at this moment."""
    async with database.tenant(tenant) as connection:
        return frozenset(await SATURATED_QUEUES.all(connection))


async def _turn(
    writer: Writer,
    tenant: UUID,
    queue: str,
    turn: int,
    turned: Turned,
    who: str,
    figures: dict[str, int | str | None],
    *,
    by_hand: bool = False,
) -> NewResponse | None:
    """Take one turn; None: somebody else was faster."""
    subject = short_digest(tenant.bytes, b"queue", queue.encode())
    made: list[NewResponse] = []

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewResponse(
            id=subject, tenant=tenant, queue=queue, turn=turn, state=turned.state, by_hand=by_hand,
            why=turned.why, who=who, changed_at=stamp.now,
        )  # fmt: skip
        made.append(row)
        entry = first_entry(
            stamp, tenant, f"queue.{turned.state}", subject=subject,
            queue=queue, turn=turn, by_hand=by_hand, who=who, why=turned.why, figures=figures,
        )  # fmt: skip
        return [Write(TURN_RESPONSES, row), entry]

    key = TakesKey(key_digest(tenant, "queue", f"{queue}/{turn}"), payload=UUID(int=0))
    refusal = await writer.write(Unit(tenant, build, (key,), wakes=("reviews",)))
    return None if refusal else made[0]
