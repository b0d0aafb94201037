"""Counting what came of the work, slice by slice of time, each once.

INVARIANT: how far it is counted moves in the very commit that adds: who dies in between leaves nothing half counted,
and two processes never add the same slice.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection

from interlock.business.store import (
    ADD_HOURS,
    ANSWERED_BETWEEN,
    BEGIN_COUNTING,
    BUSINESS_TENANTS,
    COUNTING_STANDS,
    DECIDED_BETWEEN,
    ENDED_BETWEEN,
    FIRST_ENTRY_AT,
    MOVE_COUNTING,
    TAKE_COUNTING,
)
from interlock.business.tally import HourOf
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.keep_doing import keep_doing

LATE = timedelta(minutes=2)
"""So long after a moment it is counted: every commit of that time is done, whatever clocks say."""
FIRST = timedelta(days=92)
"""So far back it is counted at first."""
EVERY_S = 60.0
MOST_SLICES = 200
"""Hours that one round takes, so that it ends."""
_HOUR = timedelta(hours=1)
_PART = 10
log = logging.getLogger("interlock.business")


async def count_business(database: Database, now: datetime) -> None:
    """Count what is not counted yet, of all tenants.

    Args:
        database: Where it is.
        now: The database's time.
    """
    async with database.installation() as connection:
        tenants = await BUSINESS_TENANTS.all(connection)
    for tenant in tenants:
        try:
            for _ in range(MOST_SLICES):
                if not await _count_slice(database, tenant, now - LATE):
                    break
        except Exception:  # whatever is wrong with one tenant's rows, the others' are counted
            log.exception("the work of the tenant %s could not be counted", tenant)


async def _count_slice(database: Database, tenant: UUID, until: datetime) -> bool:
    """Count up to the end of the next hour; False: it is counted, or another process counts."""
    async with database.tenant(tenant) as connection:
        if await COUNTING_STANDS.one(connection) is None:
            first = await FIRST_ENTRY_AT.one(connection)
            if first is None or first >= until:
                return False
            await BEGIN_COUNTING.run(connection, {"tenant": tenant, "begin": _hour(max(first, until - FIRST))})
        stands = await TAKE_COUNTING.one(connection)
        if stands is None or stands.counted_to >= until:
            return False
        hour = _hour(stands.counted_to)
        end = min(hour + _HOUR, until)
        await _add(connection, tenant, hour, stands.counted_to, end)
        await MOVE_COUNTING.run(connection, {"until": end})
        return end < until


async def _add(
    connection: AsyncConnection[object], tenant: UUID, hour: datetime, since: datetime, until: datetime
) -> None:
    asked = {"since": first_id(since), "until": first_id(until)}
    found = [
        *await DECIDED_BETWEEN.all(connection, asked),
        *await ENDED_BETWEEN.all(connection, asked),
        *await ANSWERED_BETWEEN.all(connection, {"since_at": since, "until_at": until}),
    ]
    rows = [
        HourOf(
            tenant=tenant, workflow=one.workflow, hour=hour, sort=one.sort, part=one.part, currency=one.currency,
            number=one.number, amount=one.amount,
        )
        for one in found
    ]  # fmt: skip
    await ADD_HOURS.run(connection, rows)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


async def keep_counting(database: Database) -> None:
    """Count while the process runs."""
    await keep_doing("figures of the work", lambda: count_business(database, database.clock.now()), EVERY_S, part=_PART)
