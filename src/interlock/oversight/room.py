"""How full a queue is, known well enough to hold intake without counting for every decision."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from interlock.db.database import Database
from interlock.oversight.queue import count_waiting

FRESH_S = 0.25
NEARLY_FULL = 0.9
SMALL = 100
"""A queue that holds fewer is counted every time."""


@dataclass(slots=True)
class _Counted:
    waiting: int
    at: float


class QueueRoom:
    """Counts the reviews that wait: anew four times a second, and every time once a queue is nearly full.

    In between, what this process itself has sent there is added.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[tuple[UUID, str], _Counted] = {}

    async def waiting(self, tenant: UUID, queue: str, capacity: int) -> int:
        """How many reviews wait, before one more goes there."""
        known = self._counted.get((tenant, queue))
        now = time.monotonic()
        is_far_from_full = known and capacity >= SMALL and known.waiting < capacity * NEARLY_FULL
        if known and is_far_from_full and now - known.at < FRESH_S:
            known.waiting += 1
            return known.waiting - 1
        if known and is_far_from_full:
            known.at = now  # one counts; the others go on with what is known
        counted = await count_waiting(self._database, tenant, queue)
        self._counted[tenant, queue] = _Counted(counted + 1, time.monotonic())
        return counted
