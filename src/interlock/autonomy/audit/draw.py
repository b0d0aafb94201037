"""Drawing: every decision that no person took is looked at once, and drawn or not by its lot.

Ids grow with time, but commits do not come in the order of their ids. What is younger than ``SETTLED`` is looked at the
next time; and each time that five minutes more are reached, the last ten are looked at once more, for what was still on
its way: a decision that is looked at twice is drawn alike, and once.

INVARIANT: of two processes that draw at once one commits what it looked at: the row of the point says how far it is,
under its lock. A decision that was drawn stays drawn, with the propensity that it was drawn with.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec

from interlock.autonomy.audit.points import AuditedPoint
from interlock.autonomy.audit.store import (
    ADD_DRAWS,
    ADVANCE_DRAWINGS,
    BEGIN_DRAWINGS,
    FIND_DRAWING,
    WENT_BY_ITSELF,
    Advanced,
    Drawing,
    NewDraw,
    NewDrawing,
    WentByItself,
    drawing_id,
)
from interlock.autonomy.sampling import KEY_BYTES, Weighed, is_drawn, loss_at_stake, nearness, propensity, written
from interlock.clock import first_id, id_time
from interlock.db.database import Database
from interlock.db.gates import IsInState, TakesKey, key_digest
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.ledger.ledger import first_entry

SETTLED = timedelta(seconds=20)
"""What is younger is looked at the next time: its commit may still be on its way."""
AGAIN_EVERY = timedelta(minutes=5)
OVERLAP = timedelta(minutes=10)
"""So much is looked at once more, each time that ``AGAIN_EVERY`` more are reached."""
MOST_LOOKED_AT = 250
"""Decisions of one page: some milliseconds, in which the process does nothing else."""


class _Evidence(msgspec.Struct, frozen=True):
    autonomy: Weighed | None = None


_evidence = msgspec.json.Decoder(_Evidence)


async def draw(database: Database, writer: Writer, tenant: UUID, point: AuditedPoint, now: datetime) -> int:
    """Draw from what went by itself since the last time; how many were drawn.

    Args:
        database: Where it is.
        writer: For the commits.
        tenant: Whose.
        point: Of which point.
        now: The time.
    """
    drawing = await _begun(database, writer, tenant, point, now)
    until, drawn = first_id(now - SETTLED), 0
    if until <= drawing.drawn_to:
        return 0
    after = _from(drawing, until)
    while after < until:  # to its end, however much it is: what is looked at once more comes first
        asked = {"workflow": point.workflow, "point": point.name, "after": after, "until": until}
        async with database.tenant(tenant) as connection:
            page = await WENT_BY_ITSELF.all(connection, {**asked, "most": MOST_LOOKED_AT})
        whole = len(page) < MOST_LOOKED_AT
        after = until if whole else page[-1].id
        chosen = chosen_of(point, drawing.key, page)
        known = drawing.drawn_to  # what comes before was counted when it was looked at first
        fresh = sum(one.id > known for one in page)
        step = Advanced(id=drawing.id, was=known, drawn_to=max(after, known), looked_at=fresh, drawn=len(chosen))
        if not await _commit(database, writer, tenant, point, drawing, chosen, step):
            return drawn
        drawn += len(chosen)
        drawing = await _begun(database, writer, tenant, point, now)
    return drawn


def chosen_of(point: AuditedPoint, key: bytes, page: Sequence[WentByItself]) -> list[tuple[UUID, Fraction]]:
    """Those of some decisions that are drawn, each with its propensity; without those that are drawn already."""
    chosen: list[tuple[UUID, Fraction]] = []
    for one in page:
        if one.drawn:
            continue
        weighed = _evidence.decode(one.evidence).autonomy
        share = propensity(point.terms, point.audit, loss_at_stake(point.terms, one.exposure), nearness(weighed))
        if is_drawn(key, one.id, share):
            chosen.append((one.id, share))
    return chosen


def _from(drawing: Drawing, until: UUID) -> UUID:
    """After which decision is looked: the last one, or some minutes before it."""
    before = id_time(drawing.drawn_to)
    if before.timestamp() // AGAIN_EVERY.total_seconds() == id_time(until).timestamp() // AGAIN_EVERY.total_seconds():
        return drawing.drawn_to
    return max(drawing.begun, first_id(before - OVERLAP))


async def _begun(database: Database, writer: Writer, tenant: UUID, point: AuditedPoint, now: datetime) -> Drawing:
    """How far the point is drawn; the first time it begins, with a key of its own."""
    id_ = drawing_id(tenant, point.workflow, point.name)
    async with database.tenant(tenant) as connection:
        found = await FIND_DRAWING.one(connection, {"id": id_})
    if found is not None:
        return found
    key, begun = secrets.token_bytes(KEY_BYTES), first_id(now - OVERLAP)

    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewDrawing(id=id_, tenant=tenant, workflow=point.workflow, point=point.name, key=key, begun=begun)
        # with its digest on record nobody puts another key in its place to draw others
        told = first_entry(
            stamp, tenant, "audit.begun", subject=id_, point=f"{point.workflow}.{point.name}",
            key_hash=hashlib.sha256(key).digest(), since=id_time(begun),
        )  # fmt: skip
        return [Write(BEGIN_DRAWINGS, row), told]

    once = TakesKey(key_digest(tenant, "audit-begun", str(id_)), payload=UUID(int=0))
    await writer.write(Unit(tenant, build, (once,)))
    async with database.tenant(tenant) as connection:
        found = await FIND_DRAWING.one(connection, {"id": id_})
    if found is None:
        raise AssertionError("the sample of a point was begun, and is not there")
    return found


async def _commit(
    database: Database,
    writer: Writer,
    tenant: UUID,
    point: AuditedPoint,
    drawing: Drawing,
    chosen: Sequence[tuple[UUID, Fraction]],
    step: Advanced,
) -> bool:
    """Put on record what was drawn and how far; whether nobody else did meanwhile."""
    if not chosen:
        async with database.tenant(tenant) as connection:
            await ADVANCE_DRAWINGS.run(connection, [step])
        return True

    def build(stamp: Stamp) -> Sequence[Write]:
        rows = [
            NewDraw(
                decision=decision, tenant=tenant, workflow=point.workflow, point=point.name,
                propensity=written(share), drawn_at=stamp.now,
            )
            for decision, share in chosen
        ]  # fmt: skip
        # the entry is about the sample and not about the decisions: nobody meets it there before they are answered
        told = first_entry(
            stamp, tenant, "audit.drawn", subject=drawing.id, point=f"{point.workflow}.{point.name}",
            decisions={str(row.decision): row.propensity for row in rows},
        )  # fmt: skip
        return [*(Write(ADD_DRAWS, row) for row in rows), Write(ADVANCE_DRAWINGS, step), told]

    still = IsInState("drawing", drawing.id, (drawing.mark,))
    return await writer.write(Unit(tenant, build, (still,))) is None
