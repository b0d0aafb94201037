"""How full a queue is, known well enough to hold intake without counting for every decision."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from interlock.db.database import Database
from interlock.oversight.capacity.respond import held_queues
from interlock.oversight.queue import count_waiting

FRESH_S = 0.25
NEARLY_FULL = 0.9
SMALL = 100
"""A queue that holds fewer is counted every time."""
HELD_FRESH_S = 1.0
"""How long it is taken as known which queues take nothing in."""


@dataclass(slots=True)
class _Counted:
    waiting: int
    at: float


class QueueRoom:
    """Counts the reviews that wait: anew four times a second, and every time once a queue is nearly full.

    In between, what this process itself has sent there is added, and always what is on its way there: of many that ask
    at once in one process, no more get a place than there are. One that is on its way and committed meanwhile counts
    twice for a moment: then fewer get in, who asks again does. Processes do not see each other's until they commit.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[tuple[UUID, str], _Counted] = {}
        self._on_the_way: Counter[tuple[UUID, str]] = Counter()
        self._arrived: Counter[tuple[UUID, str]] = Counter()
        self._held: dict[UUID, tuple[float, frozenset[str]]] = {}

    async def enter(self, tenant: UUID, queue: str, capacity: int) -> int | None:
        """Take a place, to be left once the review is on record or will never be.

        Returns:
            None: it is taken. Else how many reviews wait, and no place was.
        """
        waiting = await self.look(tenant, queue, capacity)
        if waiting is None:
            self._on_the_way[tenant, queue] += 1
        return waiting

    async def look(self, tenant: UUID, queue: str, capacity: int) -> int | None:
        """Whether there is a place, without taking it: None if there is, else how many reviews wait."""
        key = tenant, queue
        held = await self.is_held(tenant, queue)  # first: nothing may come between the count and taking the place
        arrived = self._arrived[key]
        waiting = await self._waiting(key, capacity)
        # those that arrived while it was counted may or may not be in the count: none is left out
        waiting += self._on_the_way[key] + self._arrived[key] - arrived
        return waiting if waiting >= capacity or held else None

    async def is_held(self, tenant: UUID, queue: str) -> bool:
        """Whether a queue takes nothing in, however few wait: a second late at worst."""
        known, now = self._held.get(tenant), time.monotonic()
        if known is None or now - known[0] >= HELD_FRESH_S:
            self._held[tenant] = (now, known[1] if known else frozenset())  # one looks; the others go on with this
            known = self._held[tenant] = (now, await held_queues(self._database, tenant))
        return queue in known[1]

    def leave(self, tenant: UUID, queue: str) -> None:
        """The review is on record, or never will be."""
        key = tenant, queue
        known = self._counted.get(key)
        if known:
            known.waiting += 1
        self._arrived[key] += 1
        self._on_the_way[key] -= 1
        if self._on_the_way[key] <= 0:
            del self._on_the_way[key]

    async def _waiting(self, key: tuple[UUID, str], capacity: int) -> int:
        known = self._counted.get(key)
        now = time.monotonic()
        is_far_from_full = known and capacity >= SMALL and known.waiting < capacity * NEARLY_FULL
        if known and is_far_from_full and now - known.at < FRESH_S:
            return known.waiting
        if known and is_far_from_full:
            known.at = now  # one counts; the others go on with what is known
        counted = await count_waiting(self._database, *key)
        self._counted[key] = _Counted(counted, time.monotonic())
        return counted
