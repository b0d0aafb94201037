"""Cutting off what is under way when somebody stops it: hints, within a second. What counts is read in the commit.

Every process re-reads the stops in force at each notification and twice a second. A component that is being asked, such
as a model that takes half a minute, is cut off as soon as a stop names its point, its workflow, its caller or itself;
one that is stopped already is not asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import psycopg

from interlock.db.database import Database
from interlock.db.queries import load_queries
from interlock.db.signals import Notifier, news_within
from interlock.errors import DatabaseUnavailable, ScopeStopped
from interlock.guards.scope import holds
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import CHANNEL

POLL_S = 0.5
log = logging.getLogger("interlock.stops")


class StopOfTenant(Stop, frozen=True, kw_only=True):
    """A stop in force, and the tenant that it is for; None: every tenant."""

    tenant: UUID | None


STOPS_EVERYWHERE = load_queries(__file__).rows("stops_everywhere", StopOfTenant)


@dataclass(slots=True, eq=False)
class _Asked:
    """Something under way that a stop would cut off."""

    tenant: UUID
    scopes: tuple[str, ...]
    limit: asyncio.Timeout
    stop: Stop | None = None


class StopWatch:
    """Knows the stops in force, half a second late at worst, and cuts off what they name.

    Args:
        database: Where the stops are.
        notifier: Says when there is news.
        poll_s: How often it looks when there is none.
    """

    def __init__(self, database: Database, notifier: Notifier, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._news = asyncio.Event()
        self._known: list[StopOfTenant] = []
        self._asked: set[_Asked] = set()
        self._loop: asyncio.Task[None] | None = None
        notifier.listen(CHANNEL, self._news.set)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.create_task(self._watch(), name="interlock-stops")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    @property
    def knows_any(self) -> bool:
        """Whether anything at all is known to be stopped."""
        return bool(self._known)

    def in_force(self, tenant: UUID) -> tuple[Stop, ...]:
        """What is known to be stopped for a tenant, half a second late at worst: to be shown, not to be relied on."""
        return tuple(stop for stop in self._known if stop.tenant in (None, tenant))

    @contextlib.asynccontextmanager
    async def cutting(self, tenant: UUID, scopes: tuple[str, ...]) -> AsyncGenerator[None]:
        """Cut the body off when one of these scopes is stopped.

        Raises:
            ScopeStopped: one is, or was stopped meanwhile.
        """
        if self._hit(tenant, scopes):
            await self.look()  # what is known may be half a second old: it may have been resumed
            if stop := self._hit(tenant, scopes):
                raise ScopeStopped(stop.said, stop=stop.id)
        asked = _Asked(tenant, scopes, asyncio.timeout(None))
        try:
            async with asked.limit:
                self._asked.add(asked)
                yield
        except TimeoutError:
            if asked.stop is None:
                raise
            raise ScopeStopped(asked.stop.said, stop=asked.stop.id) from None
        finally:
            self._asked.discard(asked)

    def _hit(self, tenant: UUID, scopes: tuple[str, ...]) -> Stop | None:
        mine = (stop for stop in self._known if stop.tenant in (None, tenant))
        return next((stop for stop in mine if holds(stop.scope, scopes)), None)

    async def _watch(self) -> None:
        while (task := asyncio.current_task()) and not task.cancelling():
            try:
                await self.look()
            except (DatabaseUnavailable, psycopg.Error):
                log.warning("the stops in force cannot be read now; looking again")
            await news_within(self._news, self._poll_s)

    async def look(self) -> None:
        """Read what is stopped now, and cut off what that names."""
        async with self._database.installation() as connection:
            self._known = await STOPS_EVERYWHERE.all(connection)
        for asked in self._asked if self._known else ():
            asked.stop = asked.stop or self._hit(asked.tenant, asked.scopes)
            if asked.stop:
                asked.limit.reschedule(asyncio.get_running_loop().time())
