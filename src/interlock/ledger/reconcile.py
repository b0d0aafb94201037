"""Reconciliation: whether everything that happened is in the ledger, and everything in the ledger happened.

Rows and their entries are committed together, so one snapshot of the database shows both or neither: whatever is under
way, a row without its entry, or an entry without its row, was made or lost behind the system's back. Three looks go
over them, each in parts of a bounded size, so that none holds anything up:

  * new: what was written since the last look, a few seconds ago;
  * day: the last day, every hour: what was committed late, what ended since, what somebody changed since;
  * all: everything, every day.

The new look has a tenth of the leader's time, those of the past a twentieth: where there is more than that allows,
they fall behind for a while, and `interlock ledger status` says when each last looked. A gap is told once: an error
in the log, the entry ``ledger.gap``, and a row that keeps `interlock doctor` and `/health` from saying that all is well
until it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.authority.judge import Verdict, verdict_facts
from interlock.clock import first_id
from interlock.db.database import READ_CLOCK, Database
from interlock.db.queries import Rows
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import InterlockError, NotFound, Refused, WorkFailed
from interlock.ledger.ledger import first_entry
from interlock.ledger.reconcile_store import (
    ADD_GAPS,
    CLOSE_GAPS,
    COUNT_OPEN_GAPS,
    COUNTS,
    FIND_GAPS,
    FIND_NEW_GAPS,
    LOOKS,
    MOVE_LOOKS,
    OPEN_GAPS,
    RECONCILE_UNTIL,
    ClosedGap,
    Count,
    FoundGap,
    Gap,
    Look,
    Moved,
    NewGap,
    OpenGap,
)

EVERY_S = 5.0
"""How long the leader waits between two rounds."""
NEW_S = 0.5
"""How long the look at what is new takes in each round, about: at a peak it falls behind, and catches up after it."""
PATROL_S = 0.25
"""How long the looks of the past take in each round, about."""
PART = 5_000
"""About how many entries are compared at once."""
MOST_GAPS = 1_000
"""How many gaps are told of at once; the part is asked again for the others."""
MOST_LOGGED = 20
LAG = timedelta(seconds=2)
"""How old the newest is that is looked at: most around it is committed by then, and the rest is for later looks."""
AHEAD = timedelta(hours=1)
"""How far into the future a comparison of everything goes, since clocks are set back; no look has come further."""
SLOWEST = timedelta(seconds=60)
"""After how long without a look something is wrong with whoever looks."""
MOST_COUNTED = 1_000
MOST_LISTED = 1_000_000
NIL, LAST = UUID(int=0), UUID(int=(1 << 128) - 1)
BY_ITSELF = "reconciliation"
"""Who closes a gap that is no more."""
log = logging.getLogger("interlock.reconciliation")


@dataclass(frozen=True, slots=True)
class Patrol:
    """A look that goes over the past again and again.

    Attributes:
        look: Its name.
        every: How long after the beginning of a turn the next one begins.
        span: How far back it goes; None: to the beginning.
    """

    look: str
    every: timedelta
    span: timedelta | None


PATROLS = (
    Patrol("day", timedelta(hours=1), timedelta(days=1)),
    Patrol("all", timedelta(days=1), None),
)


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison over a span found.

    Attributes:
        counts: Rows and first entries of each table in the span.
        gaps: Every gap in it that nobody has accepted.
        accepted: How many gaps in it a person has accepted.
        closed: How many earlier gaps are no more.
    """

    counts: tuple[Count, ...]
    gaps: tuple[OpenGap, ...]
    accepted: int
    closed: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the comparison stands.

    Attributes:
        looks: How far each look has come.
        gaps: How many gaps are open; a thousand stands for more.
        late: Whether nobody has looked for a minute.
    """

    looks: tuple[Look, ...]
    gaps: int
    late: bool


class Reconciler:
    """Looks again and again, to be entered; called by whoever leads, and never at work twice in one process.

    Args:
        database: To look.
        writer: For the entries of gaps.
        every_s: How long to wait between two rounds.
    """

    def __init__(self, database: Database, writer: Writer, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._writer = writer
        self._every_s = every_s
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def duty(self) -> None:
        """Begin a round if it is time for one; returns at once, since whoever leads has other things to do."""
        if (self._task is None or self._task.done()) and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            self._task = asyncio.create_task(self._try(), name="interlock-reconciliation")

    async def _try(self) -> None:
        try:
            await self.round()
        except (InterlockError, psycopg.Error) as cause:
            log.warning("the ledger could not be compared with the tables, trying again soon: %s", cause)

    async def round(self) -> int:
        """Look at what is new, and go on with the past for a moment; how many gaps were found.

        A crash in between looks again at the part that it was at: a gap that is told already is not told again.
        """
        async with self._database.installation() as connection:
            now = await _now(connection)
            looks = {one.look: one for one in await LOOKS.all(connection)}
        found = await self._look_at_new(looks, now)
        give_up = time.monotonic() + PATROL_S
        for patrol in PATROLS:
            found += await self._patrol(patrol, looks.get(patrol.look), now, give_up)
        return found

    async def _look_at_new(self, looks: dict[str, Look], now: datetime) -> int:
        last = looks.get("new") or looks["beginning"]
        bound, found = first_id(now - LAG), 0
        if last.upto > first_id(now + AHEAD):  # the database's clock was set back, or somebody else moved the look
            last = msgspec.structs.replace(last, upto=first_id(now - AHEAD))
        give_up = time.monotonic() + NEW_S
        async for part in parts(self._database, last.upto, bound):
            found += await tell(self._writer, part.found)
            ended = now if part.upto >= bound else last.ended_at
            await self._move(Moved(look="new", upto=part.upto, beyond=bound, began_at=now, ended_at=ended))
            if time.monotonic() > give_up:
                break
        return found

    async def _patrol(self, patrol: Patrol, last: Look | None, now: datetime, give_up: float) -> int:
        ended = last is not None and last.upto >= last.beyond
        if last is None or last.began_at > now or (ended and now - last.began_at >= patrol.every):
            begins = first_id(now - patrol.span) if patrol.span else NIL
            ended = last.ended_at if last else None
            last = Look(
                look=patrol.look, upto=begins, beyond=first_id(now - LAG), began_at=now, ended_at=ended, looked_at=now
            )
        found = 0
        async for part in parts(self._database, last.upto, last.beyond):
            found += await tell(self._writer, part.found)
            ended = now if part.upto >= last.beyond else last.ended_at
            await self._move(
                Moved(look=last.look, upto=part.upto, beyond=last.beyond, began_at=last.began_at, ended_at=ended)
            )
            if time.monotonic() > give_up:
                break
        return found

    async def _move(self, moved: Moved) -> None:
        async with self._database.installation() as connection:
            await MOVE_LOOKS.run(connection, [moved])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the ledger that was compared: up to which id all of it was, and what was found."""

    upto: UUID
    found: tuple[FoundGap, ...]


async def parts(database: Database, first: UUID, beyond: UUID) -> AsyncGenerator[Part]:
    """Find what is not known yet from one id to before another, part after part, in order.

    A part with more gaps than are told at once comes again, until all of them are known: whoever asks tells them first.

    Args:
        database: Where.
        first: Where to begin.
        beyond: Where to end.
    """
    while first < beyond:
        upto = await _end_of_part(database, first, beyond)
        found = await _gaps(database, FIND_NEW_GAPS, first, upto, MOST_GAPS)
        if len(found) < MOST_GAPS:
            first = upto
        yield Part(first, tuple(found))


async def _end_of_part(database: Database, first: UUID, beyond: UUID) -> UUID:
    async with database.installation() as connection:
        return await RECONCILE_UNTIL.one(connection, {"first": first, "beyond": beyond, "most": PART}) or beyond


async def _gaps(database: Database, find: Rows[FoundGap], first: UUID, beyond: UUID, most: int) -> list[FoundGap]:
    async with database.installation() as connection:
        return await find.all(connection, {"first": first, "beyond": beyond, "most": most})


async def _all_gaps(database: Database, writer: Writer, first: UUID, upto: UUID) -> list[FoundGap]:
    """All gaps in a part, each of which is told by now."""
    found = await _gaps(database, FIND_GAPS, first, upto, MOST_GAPS)
    await tell(writer, found)
    if len(found) < MOST_GAPS:
        return found
    async for part in parts(database, first, upto):
        await tell(writer, part.found)
    return await _gaps(database, FIND_GAPS, first, upto, MOST_LISTED)


async def tell(writer: Writer, found: Iterable[FoundGap]) -> int:
    """Tell of every gap that is not known yet: in the log, and in the ledger; how many there were."""
    new = list(dict.fromkeys(gap for gap in found if not gap.known))
    told = sum([await _tell(writer, gap, aloud=place < MOST_LOGGED) for place, gap in enumerate(new)])
    if told > MOST_LOGGED:
        log.error(
            "the ledger and the tables differ in %s more places: see `interlock ledger reconcile`", told - MOST_LOGGED
        )
    return told


async def _tell(writer: Writer, gap: FoundGap, *, aloud: bool) -> bool:
    def build(stamp: Stamp) -> Sequence[Write]:
        row = NewGap(
            id=stamp.entry, tenant=gap.tenant, relation=gap.relation, subject=gap.subject, kind=gap.kind, gap=gap.gap,
            found_at=stamp.now,
        )  # fmt: skip
        entry = first_entry(
            stamp, gap.tenant, "ledger.gap", subject=gap.subject, relation=gap.relation, missing=gap.kind, gap=gap.gap
        )
        return [Write(ADD_GAPS, row), entry]

    try:
        await writer.write(Unit(gap.tenant, build))
    except WorkFailed as cause:
        if cause.where == "ledger_gap_is_found_once":  # somebody else looked at the same moment
            return False
        raise
    if aloud:
        log.error("the ledger and the tables differ: %s (tenant %s)", gap.what, gap.tenant)
    return True


async def reconcile(
    database: Database,
    writer: Writer,
    *,
    since: datetime | None = None,
    progress: Callable[[UUID], Awaitable[None]] | None = None,
) -> Reconciled:
    """Compare everything, or all since a moment, now; known gaps in it that are no more are closed.

    Args:
        database: Where.
        writer: For the entries.
        since: From when on; None: from the beginning.
        progress: Is told after every part up to which id it came.
    """
    async with database.installation() as connection:
        now = await _now(connection)
    first, beyond = first_id(since) if since else NIL, first_id(now + AHEAD)
    still: set[tuple[UUID, str, UUID, str, str]] = set()
    at, whole = first, since is None
    while at < beyond:
        upto = await _end_of_part(database, at, beyond)
        found = await _all_gaps(database, writer, at, upto)
        still.update(map(_same, found))
        whole = whole and len(found) < MOST_LISTED
        at = upto
        if progress:
            await progress(at)
    async with database.installation() as connection:
        counts = await COUNTS.all(connection, {"first": first, "beyond": beyond})
        open_now = await OPEN_GAPS.all(connection, {"most": MOST_LISTED})
    gone = [gap for gap in open_now if _same(gap) not in still and gap.found_at <= now] if whole else []
    for gap in gone:
        await close_gap(writer, gap, who=BY_ITSELF, why="the ledger and the table say the same again")
    gaps = tuple(gap for gap in open_now if _same(gap) in still)
    return Reconciled(counts=tuple(counts), gaps=gaps, accepted=len(still) - len(gaps), closed=len(gone))


def _same(gap: Gap) -> tuple[UUID, str, UUID, str, str]:
    return gap.tenant, gap.relation, gap.subject, gap.kind, gap.gap


async def close_gap(writer: Writer, gap: OpenGap, *, who: str, why: str, verdict: Verdict | None = None) -> None:
    """Close a gap, with an entry that says who and why: ``ledger.gap_closed``; by a person ``ledger.gap_accepted``."""
    kind = "ledger.gap_closed" if who == BY_ITSELF else "ledger.gap_accepted"

    def build(stamp: Stamp) -> Sequence[Write]:
        row = ClosedGap(id=gap.id, closed_at=stamp.now, closed_by=who, closed_why=why)
        entry = first_entry(
            stamp, gap.tenant, kind, subject=gap.subject, relation=gap.relation, missing=gap.kind, gap=gap.gap, who=who,
            why=why, **verdict_facts(verdict),
        )  # fmt: skip
        return [Write(CLOSE_GAPS, row), entry]

    await writer.write(Unit(gap.tenant, build))


async def accept_gap(
    database: Database, writer: Writer, gap_id: UUID, *, who: str, why: str, verdict: Verdict | None = None
) -> OpenGap:
    """Accept a gap that cannot be mended, so that the next one is seen: it stays in the ledger for ever.

    Raises:
        Refused: no reason, or the name that the reconciliation itself goes by.
        NotFound: no such gap is open.
    """
    if not why.strip():
        raise Refused("a reason is needed", where="why", todo="say why, for whoever reads the ledger")
    if who == BY_ITSELF:
        raise Refused(f"{BY_ITSELF} accepts nothing", where="who", todo="name the person")
    async with database.installation() as connection:
        gaps = await OPEN_GAPS.all(connection, {"most": MOST_LISTED})
    gap = next((one for one in gaps if one.id == gap_id), None)
    if gap is None:
        raise NotFound(f"there is no open gap {gap_id}", todo="`interlock ledger reconcile` lists them")
    await close_gap(writer, gap, who=who, why=why, verdict=verdict)
    return gap


async def standing_of(connection: AsyncConnection[Any]) -> Standing:
    """How the comparison stands, as any process may ask."""
    looks = await LOOKS.all(connection)
    now = await _now(connection)
    gaps = await COUNT_OPEN_GAPS.one(connection, {"most": MOST_COUNTED}) or 0
    last = max((one.looked_at for one in looks), default=now)
    return Standing(looks=tuple(looks), gaps=gaps, late=abs(now - last) > SLOWEST)


async def _now(connection: AsyncConnection[Any]) -> datetime:
    now = await READ_CLOCK.one(connection)
    if now is None:
        raise AssertionError("the database always knows its time")
    return now
