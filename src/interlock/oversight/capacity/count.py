"""Counting: what came and what was answered, by the hour, and how every queue stands, as every process can do.

It is counted anew from the last hour's begin, and never by adding: who dies in between leaves nothing half counted, and
what was not counted while nobody ran is counted the next time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from interlock.clock import first_id
from interlock.db.database import SET_TENANT, Database
from interlock.oversight.capacity.history import HOUR, KEPT_H
from interlock.oversight.capacity.store import (
    ADD_HOURS,
    ADD_PERSON_HOURS,
    COUNTED_TENANTS,
    COUNTS_SINCE,
    EMPTY_QUEUES,
    FORGET_HOURS,
    FORGET_PERSON_HOURS,
    PEOPLE_SINCE,
    PUT_COUNTED,
    PUT_STANDING,
    STANDING_NOW,
    TRY_TO_COUNT,
    CountedTo,
    TenantHour,
    TenantStanding,
)

LATE = timedelta(minutes=10)
"""So long after an hour's end it is counted anew: clocks differ, and what is held may be taken back."""
_SLACK = timedelta(minutes=5)
"""By so much an id's time may differ from that of its row."""


class _OfTenant(Protocol):
    @property
    def tenant(self) -> UUID: ...


T = TypeVar("T", bound=_OfTenant)


async def count_oversight(database: Database, now: datetime) -> bool:
    """Count what is not counted yet, of all tenants, in one commit; False: another process is counting.

    Args:
        database: Where it is.
        now: The database's time.
    """
    async with database.installation() as connection, connection.transaction():
        if not await TRY_TO_COUNT.one(connection):
            return False
        known = {row.tenant: row for row in await COUNTED_TENANTS.all(connection)}
        longest = now - KEPT_H * HOUR
        reached = max((row.counted_to for row in known.values()), default=longest)
        since = (max(reached - LATE, longest)).replace(minute=0, second=0, microsecond=0)
        asked = {"since": since, "least_id": first_id(since - _SLACK)}
        hours = _by_tenant(await COUNTS_SINCE.all(connection, asked))
        people = _by_tenant(await PEOPLE_SINCE.all(connection, {"since": since}))
        standing = _by_tenant(await STANDING_NOW.all(connection))
        for tenant in sorted({*known, *hours, *people, *standing}):
            await SET_TENANT.all(connection, {"tenant": str(tenant)})
            span = {"since": since, "before": longest}
            await FORGET_HOURS.run(connection, span)
            await FORGET_PERSON_HOURS.run(connection, span)
            await EMPTY_QUEUES.run(connection)
            await ADD_HOURS.run(connection, hours.get(tenant, []))
            await ADD_PERSON_HOURS.run(connection, people.get(tenant, []))
            await PUT_STANDING.run(connection, [*standing.get(tenant, []), *_empty(tenant, hours, standing)])
            await PUT_COUNTED.run(connection, [CountedTo(tenant=tenant, counted_to=now)])
    return True


def _empty(
    tenant: UUID, hours: Mapping[UUID, list[TenantHour]], standing: Mapping[UUID, list[TenantStanding]]
) -> list[TenantStanding]:
    """The queues of a tenant in which something came of late, and nothing waits."""
    known = {one.queue for one in standing.get(tenant, [])}
    names = {one.queue for one in hours.get(tenant, [])} - known
    return [
        TenantStanding(tenant=tenant, queue=name, waiting=0, oldest_at=None, overdue=0, people=0)
        for name in sorted(names)
    ]


def _by_tenant(rows: Iterable[T]) -> Mapping[UUID, list[T]]:
    found: dict[UUID, list[T]] = defaultdict(list)
    for row in rows:
        found[row.tenant].append(row)
    return found
