"""One round of a reconciliation at a time, over all processes: whoever works on it holds a lock of the session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from interlock.db.database import connect_service
from interlock.errors import StateConflict
from interlock.packs.reconciliation.rounds.store import END_TURN, TAKE_TURN

PATIENCE_S = 0.5
"""The lock of a killed process is free within some hundredths of a second."""
_LOOK_AGAIN_S = 0.02


@asynccontextmanager
async def taking_turn(url: str, tenant: UUID, reconciliation: str) -> AsyncGenerator[None]:
    """Work on a reconciliation while no other process does. The lock ends with the process, whatever ends that.

    INVARIANT: nothing rests on the lock alone. Two that worked at once, since a network was cut, would propose the same
    matches under the same keys; the database refuses a second row, and a second match of one entry.

    Raises:
        StateConflict: another process is at it.
    """
    connection = await connect_service(url)
    asked = {"tenant": str(tenant), "reconciliation": reconciliation}
    give_up = time.monotonic() + PATIENCE_S
    try:
        while not await TAKE_TURN.one(connection, asked):
            if time.monotonic() < give_up:
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            raise StateConflict(
                f"a round of {reconciliation} is under way in another process",
                where=reconciliation,
                todo="wait for its end; `interlock reconcile rounds` shows it",
            )
        yield
        await END_TURN.one(connection, asked)  # else it is held for as long as the server takes to see us gone
    finally:
        await connection.close()
