"""What was said too late to be counted: a monitor counts anew, a certificate is derived again on corrected words.

Only bad news is looked for, as a charge-back weeks later; what is counted or derived then is all that is known by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate
from interlock.autonomy.issuing.derive import derive
from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.issue import MONITOR, takes_turn, withdrawn
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.store import END_MONITORS, WORSE_WORDS, EndedMonitor, OpenMonitor, Stands
from interlock.autonomy.issuing.verify import place_then
from interlock.autonomy.monitor import Watch
from interlock.autonomy.store import CHANNEL, SET_AUTONOMY
from interlock.autonomy.terms import OutcomeTerms
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards.stops import wait_for_dispatches
from interlock.ledger.ledger import first_entry

MARKED_EACH = 100_000
"""So often a monitor notes where it stands: it counts so many anew at least, and twice as many at most."""
MOST_RECOUNTED = 2 * MARKED_EACH
MOST_WORDS = 1000
_LATE = timedelta(seconds=15)
"""So much later than it says may a commit become visible."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where a monitor stood after a decision.

    Attributes:
        at: When the decision was taken.
        id: It.
        counted: How many decisions were counted until then.
        lost: What was lost by them, in minor units.
        watch: Where the bets stood.
    """

    at: datetime
    id: UUID
    counted: int
    lost: int
    watch: Watch


class Stood(Watch, frozen=True, kw_only=True):
    """Where a monitor stands, and from where it counts anew.

    Attributes:
        since: When the last decision was taken that is not counted anew; None: it has counted nothing.
        since_id: That decision.
        before: How many decisions were counted until then.
        lost: What was lost by them, in minor units.
        newest: When the newest bad word came of those that were looked at.
        near: How many came shortly before.
        start: Where the bets stood after that decision; None: they knew nothing.
        later: From where it counts anew when enough are counted after that.
    """

    since: datetime | None = None
    since_id: UUID | None = None
    before: int = 0
    lost: int = 0
    newest: datetime | None = None
    near: int = 0
    start: Watch | None = None
    later: Mark | None = None

    @property
    def marked(self) -> int:
        """After how many decisions it last noted where it stands."""
        return self.later.counted if self.later else self.before


async def look_back(database: Database, tenant: UUID, it: OpenMonitor, outcome: OutcomeTerms) -> tuple[Stood, bool]:
    """Where a monitor stands, and whether bad words came of what it has counted: then it counts anew.

    Args:
        database: Where they are.
        tenant: Whose.
        it: The monitor.
        outcome: When a decision's outcome is due, and what of it is compared.
    """
    stood = msgspec.json.decode(it.wealth, type=Stood)
    if stood.since is None or stood.since_id is None:
        begun = msgspec.structs.replace(
            stood, since=it.counted_to, since_id=it.counted_id, before=it.counted, lost=it.lost_minor,
            newest=it.looked_at,
        )  # fmt: skip
        return begun, False
    if it.counted == stood.before or it.counted - stood.before > MOST_RECOUNTED:
        return stood, False
    last = stood.newest or it.looked_at
    asked: dict[str, Any] = {
        "workflow": it.workflow, "point": it.point, "since": first_id(stood.since),
        "until": first_id(it.counted_to + timedelta(seconds=1)), "changed": last - _LATE,
        "due": outcome.after, "compared": _fields(outcome), "most": MOST_WORDS,
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        came = await WORSE_WORDS.all(connection, asked)
    newest = max((*came, last))
    seen = msgspec.structs.replace(stood, newest=newest, near=sum(one > newest - _LATE for one in came))
    anew = (seen.newest, seen.near) != (stood.newest, stood.near) and bool(came)
    return (msgspec.structs.replace(seen, later=None) if anew else seen), anew


def _fields(outcome: OutcomeTerms) -> str:
    return msgspec.json.encode(outcome.fields).decode()


def from_the_mark(it: OpenMonitor, stood: Stood) -> OpenMonitor:
    """A monitor as it stood where it counts anew from."""
    start = stood.start or Watch((0.0,) * len(stood.logs))
    fresh = msgspec.structs.replace(stood, logs=start.logs, count=start.count, peak=start.peak)
    return msgspec.structs.replace(
        it, wealth=msgspec.json.encode(fresh), counted=stood.before, lost_minor=stood.lost,
        counted_to=stood.since or it.counted_to, counted_id=stood.since_id or it.counted_id,
    )  # fmt: skip


def stands_then(watch: Watch, stood: Stood, marks: Sequence[Mark]) -> Stood:
    """Where a monitor stands after it has counted, with from where it counts anew: the last mark but one."""
    for mark in marks:
        if stood.later is None:
            stood = msgspec.structs.replace(stood, later=mark)
        else:
            stood = begins_at(stood, stood.later, mark)
    return msgspec.structs.replace(stood, **{name: getattr(watch, name) for name in Watch.__struct_fields__})


def begins_at(stood: Stood, mark: Mark, later: Mark | None = None) -> Stood:
    """The same with another place to count anew from."""
    return msgspec.structs.replace(
        stood, since=mark.at, since_id=mark.id, before=mark.counted, lost=mark.lost, start=mark.watch, later=later
    )


_derived_again: dict[UUID, Sequence[datetime]] = {}
"""Of which words this process has derived a certificate anew; whoever begins to look does it once more."""


async def hold_to_corrected(
    database: Database, writer: Writer, tenant: UUID, stands: Stands, place: Place | None, now: datetime
) -> bool:
    """Derive what counts again if bad words came of its own evidence; if it would not be issued now, a person decides.

    Args:
        database: Where it is.
        writer: For the commit.
        tenant: Whose.
        stands: What counts.
        place: The point as this process knows it.
        now: The time.

    Returns:
        Whether it was narrowed.
    """
    certificate = stands.read
    if certificate is None or stands.certificate is None or not stands.counts(now):
        return False
    then = place_then(certificate, place.record if place else None)
    asked: dict[str, Any] = {
        "workflow": stands.workflow, "point": stands.point, "since": first_id(certificate.data.since),
        "until": first_id(certificate.data.until), "changed": certificate.issued_at, "due": timedelta(0),
        "compared": _fields(then.terms.outcome), "most": MOST_WORDS,
    }  # fmt: skip
    async with database.tenant(tenant) as connection:
        came = await WORSE_WORDS.all(connection, asked)
    if not came or _derived_again.get(stands.certificate) == came:
        return False
    evidence = await gather(database, then, now, since=certificate.data.since, until=certificate.data.until)
    derived = await asyncio.to_thread(
        derive, then, evidence, certificate.issued_at, who=MONITOR, begins=certificate.begins
    )
    held = derived.certificate is not None and Fraction(derived.certificate.threshold) >= Fraction(stands.threshold)
    if not held and not await _narrow(writer, tenant, stands, certificate, derived.data.digest, derived.refused):
        return False  # somebody was faster: it is looked at again
    _derived_again[stands.certificate] = came
    if not held:
        await wait_for_dispatches(database, tenant)
    return not held


async def _narrow(
    writer: Writer, tenant: UUID, stands: Stands, certificate: Certificate, data: str, refused: str
) -> bool:
    why = "outcomes that it rests on were corrected, and on what is known now it would not be certified"
    why = f"{why}: {refused}" if refused else f"{why} up to this expected loss"

    def build(stamp: Stamp) -> Sequence[Write]:
        after = withdrawn(tenant, stands, stamp.now, who=MONITOR, why=why)
        entry = first_entry(
            stamp, tenant, "certificate.narrowed", subject=stands.certificate or stands.id, workflow=stands.workflow,
            point=stands.point, who=MONITOR, state=after.state, threshold=after.threshold, turn=after.turn,
            counts=after.certificate, why=why, data=data, replaces=certificate.data.digest,
        )  # fmt: skip
        ended = EndedMonitor(certificate=stands.certificate or stands.id, ended_at=stamp.now)
        return [entry, Write(SET_AUTONOMY, after), Write(END_MONITORS, ended)]

    turn = takes_turn(tenant, stands.workflow, stands.point, stands)
    return await writer.write(Unit(tenant, build, (turn,), wakes=(CHANNEL,))) is None
