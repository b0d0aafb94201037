"""Reading the outlook of every queue, from the tallies alone: it costs the same however much waits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from interlock.db.database import Database
from interlock.oversight.capacity.history import HOUR, KEPT_H, HourTally, PersonHour
from interlock.oversight.capacity.outlook import Outlook, look_ahead
from interlock.oversight.capacity.response import Response
from interlock.oversight.capacity.store import (
    HOURS_OF_QUEUES,
    PERSON_HOURS_OF_QUEUES,
    RESPONSES,
    STANDING_OF_QUEUES,
)
from interlock.oversight.capacity.told import QueueTold

_NAME = re.compile(r"[\w.-]{1,200}", re.ASCII)
UNKNOWN_CAPACITY = 500
UNKNOWN_DUE = timedelta(hours=24)
"""Of a queue that no workflow here names: the defaults of a file."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """One queue, with the answer to its being full.

    Attributes:
        outlook: How it stands and goes on.
        response: How the answer stands; None: it never was too full.
        tallies: Its hours, the one that is under way too, the oldest first.
    """

    outlook: Outlook
    response: Response | None
    tallies: tuple[HourTally, ...]


async def read_capacity(
    database: Database, tenant: UUID, told: Mapping[str, QueueTold], now: datetime, queue: str | None = None
) -> list[Capacity]:
    """The queues of a tenant, by name: those of its workflows' files, and those in which anything ever waited.

    Args:
        database: Where it is.
        tenant: Whose.
        told: What files say of queues, by name.
        now: The time.
        queue: Only this one.
    """
    if queue is not None and not _NAME.fullmatch(queue):
        return []
    asked = {"since": now - (KEPT_H + 1) * HOUR, "queue": queue}
    hours: dict[str, list[HourTally]] = defaultdict(list)
    people: dict[str, list[PersonHour]] = defaultdict(list)
    async with database.tenant(tenant) as connection:
        for row in await HOURS_OF_QUEUES.all(connection, asked):
            hours[row.queue].append(row)
        for one in await PERSON_HOURS_OF_QUEUES.all(connection, asked):
            people[one.queue].append(one)
        standing = {row.queue: row for row in await STANDING_OF_QUEUES.all(connection, {"queue": queue})}
        responses = {row.queue: row for row in await RESPONSES.all(connection)}
    names = {*hours, *standing, *responses, *told}
    return [
        Capacity(
            outlook=look_ahead(told.get(name) or _unknown(name), standing.get(name), hours[name], people[name], now),
            response=responses.get(name),
            tallies=tuple(hours[name]),
        )
        for name in sorted(names)
        if queue is None or name == queue
    ]


def _unknown(name: str) -> QueueTold:
    return QueueTold(name=name, capacity=UNKNOWN_CAPACITY, due=UNKNOWN_DUE)
