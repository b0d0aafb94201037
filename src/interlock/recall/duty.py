"""Carrying recalls out beside a process's other work, in every tenant, as far as nobody else does."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

import psycopg

from interlock.db.database import Database
from interlock.errors import InterlockError
from interlock.recall.carry import Turn, carry_on
from interlock.recall.means import Means
from interlock.recall.record import RecallState
from interlock.recall.store import HOLD_RECALL, HOLD_RECALL_ON, LET_GO_RECALL, RECALLS_UNDER_WAY, UnderWay

log = logging.getLogger("interlock.recall")

POLL_S = 1.0
"""How long it waits before it looks again for what is under way."""
OPEN_EVERY = 15
"""Recalls that wait for people are looked at once in so many rounds."""
RENEW_S = 3.0
"""How often a hold of ten seconds is renewed while a turn goes on."""
_PATIENCE_S = 2.0
_TURN_S = 5.0


class Recalling:
    """Carries recalls out while it is open.

    Args:
        database: Where they are.
        means: What they are carried out with.
        poll_s: How long it waits between two rounds.
    """

    def __init__(self, database: Database, means: Means, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._means = means
        self._poll_s = poll_s
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_on(), name="interlock-recall")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop after the commit at work, or in the middle of it: whoever goes on finds what is written."""
        self._ended.set()
        if self._task:
            await asyncio.wait([self._task], timeout=_PATIENCE_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_on(self) -> None:
        rounds = 0
        while not self._ended.is_set():
            try:
                await self._round(with_open=rounds % OPEN_EVERY == 0)
            except (InterlockError, psycopg.Error) as cause:
                log.warning("recalls, if any are under way, could not go on; trying again: %s", cause)
            except Exception:
                # INVARIANT: a task never ends without a word while the process runs
                log.exception("a recall failed, trying again soon")
            rounds += 1
            # not wait_for, which in Python 3.11 can swallow a cancellation
            await asyncio.wait([waiting := asyncio.ensure_future(self._ended.wait())], timeout=self._poll_s)
            waiting.cancel()

    async def _round(self, *, with_open: bool) -> None:
        async with self._database.installation() as connection:
            found = await RECALLS_UNDER_WAY.all(connection)
        for one in found:
            if self._ended.is_set():
                return
            if one.state is not RecallState.OPEN or with_open:
                await self._carry(one)

    async def _carry(self, one: UnderWay) -> None:
        """Go on with one for a few seconds, so that none keeps the others from going on."""
        give_up = time.monotonic() + _TURN_S
        while not self._ended.is_set() and time.monotonic() < give_up:
            turn = await turn_alone(self._database, self._means, one.tenant, one.id)
            if turn is None or not turn.moved:
                return


async def turn_alone(database: Database, means: Means, tenant: UUID, recall: UUID) -> Turn | None:
    """Do the next turn of a recall, unless another process is at it; None: one is."""
    async with database.tenant(tenant) as connection:
        mine = await HOLD_RECALL.one(connection, {"id": recall})
    if mine is None:
        return None
    hold = _Hold(mine)
    renewing = asyncio.create_task(_hold_on(database, tenant, recall, hold), name="interlock-recall-hold")
    try:
        return await carry_on(database, means, tenant, recall)
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        async with database.tenant(tenant) as connection:
            await LET_GO_RECALL.run(connection, {"id": recall, "mine": hold.until})


@dataclass(slots=True)
class _Hold:
    """Until when this process has a recall to itself."""

    until: datetime


async def _hold_on(database: Database, tenant: UUID, recall: UUID, hold: _Hold) -> None:
    """Renew a hold, however long its turn takes; one that was lost while the database was away is another's."""
    while True:
        await asyncio.sleep(RENEW_S)
        try:
            async with database.tenant(tenant) as connection:
                renewed = await HOLD_RECALL_ON.one(connection, {"id": recall, "mine": hold.until})
        except (InterlockError, psycopg.Error) as cause:
            log.warning("the hold of a recall could not be renewed: %s", cause)
            continue
        if renewed is None:
            return
        hold.until = renewed
