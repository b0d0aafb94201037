"""What the order of work rests on at a moment: how long each kind takes, how much waits, how many people are at work.

How long kinds take is looked up once a minute. How much waits is counted anew as often as that costs a hundredth of the
time: a short queue for every list, one of 100,000 every few seconds, and that beside the list; the order feels a change
of a few items little.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec
import psycopg
from psycopg import AsyncConnection

from interlock.db.database import Database
from interlock.errors import InterlockError
from interlock.oversight.index import MINUTES, OLDEST_SHARE, Pace, Worth, median_minutes
from interlock.oversight.ranking import Scale, WorkClass, mean_minutes
from interlock.oversight.work_store import PEOPLE_AT_WORK, WORK_COUNTS, WORK_DWELLS

Dwelt = tuple[bool, str, str]
"""Whether these are exceptions, the workflow, and the point or kind."""
MEASURED = 60
"""Of how many resolutions of a kind the median is taken."""
AT_WORK = timedelta(minutes=15)
"""Who was seen within this time is at work."""
_MINUTES_FRESH_S = 60.0
_COUNT_FRESH_S = 10.0
_PART = 0.01
_IN_PASSING_S = 0.02
"""What takes longer to count is counted beside the list that asks, which goes by the count before."""
_STALE_S = 30.0
"""But not by one that is as old."""


class WorkTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of the order of work.

    Attributes:
        minutes: What an item takes, by workflow and point, until enough were measured.
        worth: What amounts count for.
        oldest: The share of the places that is reserved for the oldest.
    """

    minutes: Mapping[tuple[str, str], float] = MappingProxyType({})
    worth: Worth = Worth()
    oldest: float = OLDEST_SHARE


NO_TERMS = WorkTerms()


@dataclass(slots=True)
class _Known:
    minutes: Mapping[Dwelt, float] = field(default_factory=dict[Dwelt, float])
    minutes_until: float = 0.0
    counts: Mapping[Dwelt, int] = field(default_factory=dict[Dwelt, int])
    people: int = 1
    counts_until: float = 0.0
    took: float = 0.0
    counting: asyncio.Task[None] | None = None


_known: WeakKeyDictionary[Database, defaultdict[UUID, _Known]] = WeakKeyDictionary()


async def scale_of(
    database: Database,
    connection: AsyncConnection[Any],
    tenant: UUID,
    classes: Iterable[WorkClass],
    terms: WorkTerms,
    now: datetime,
) -> Scale:
    """What indexes are computed with now.

    Args:
        database: Whose; what is known of it is kept while it is open.
        connection: Under the tenant.
        tenant: Whose work.
        classes: Of which something waits.
        terms: What is declared.
        now: The moment.
    """
    known = _known.setdefault(database, defaultdict(_Known))[tenant]
    kinds = {(of.exceptional, of.workflow, of.point) for of in classes}
    if time.monotonic() >= known.minutes_until:
        known.minutes, known.minutes_until = {}, time.monotonic() + _MINUTES_FRESH_S
    if new := kinds - known.minutes.keys():
        known.minutes = {**known.minutes, **await _minutes(connection, new, terms)}
    late = time.monotonic() - known.counts_until
    if late >= 0 and (known.took < _IN_PASSING_S or late > _STALE_S):
        await _count(connection, known, now)
    elif late >= 0 and (known.counting is None or known.counting.done()):
        known.counting = asyncio.create_task(_count_aside(database, tenant, known, now))
    pace = Pace(
        mean_minutes=mean_minutes(known.counts, known.minutes, MINUTES),
        waiting=sum(known.counts.values()),
        people=max(1, known.people),
    )
    return Scale(now=now, pace=pace, worth=terms.worth, minutes=known.minutes, default=MINUTES)


async def _count(connection: AsyncConnection[Any], known: _Known, now: datetime) -> None:
    began = time.monotonic()
    rows = await WORK_COUNTS.all(connection)
    known.counts = {(row.exceptional, row.workflow, row.point): row.number for row in rows}
    known.people = await PEOPLE_AT_WORK.one(connection, {"at": now, "since": now - AT_WORK}) or 1
    ended = time.monotonic()
    known.took = ended - began
    known.counts_until = ended + min(_COUNT_FRESH_S, known.took / _PART)


async def _count_aside(database: Database, tenant: UUID, known: _Known, now: datetime) -> None:
    """Count while those who asked go on with what was counted before; what fails is tried by the next who asks."""
    with suppress(InterlockError, psycopg.Error):
        async with database.tenant(tenant) as connection:
            await _count(connection, known, now)


async def _minutes(connection: AsyncConnection[Any], kinds: set[Dwelt], terms: WorkTerms) -> dict[Dwelt, float]:
    asked = [{"exceptional": of[0], "workflow": of[1], "point": of[2]} for of in sorted(kinds)]
    told = {"kinds": msgspec.json.encode(asked).decode(), "most": MEASURED}
    dwells: defaultdict[Dwelt, list[float]] = defaultdict(list)
    for row in await WORK_DWELLS.all(connection, told):
        dwells[row.exceptional, row.workflow, row.point].append(row.minutes)
    return {of: median_minutes(dwells[of], terms.minutes.get(of[1:])) for of in kinds}
