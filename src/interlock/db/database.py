"""Connections: as the service's role, under one tenant at a time.

A read opens a transaction, names its tenant and reads; nothing is held across a network call. Writes of the hot path go
through ``writer``.
"""

from __future__ import annotations

import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from interlock.clock import Clock
from interlock.db.queries import load_queries
from interlock.errors import DatabaseUnavailable, SchemaOutdated

_SQL = load_queries(__file__)


class MaybeId(msgspec.Struct, frozen=True):
    """An id that may be missing."""

    id: UUID | None


SET_TENANT = _SQL.rows("set_tenant", str)
READ_CLOCK = _SQL.rows("read_clock", datetime)
ENSURE_PARTITIONS = _SQL.rows("ensure_partitions", int)
PARTITIONS_AHEAD = _SQL.rows("partitions_ahead", int)
FIND_TENANT = _SQL.rows("find_tenant", MaybeId)
ENSURE_TENANT = _SQL.rows("ensure_tenant", UUID)

OLDEST_SERVER = 150000
# Stated here, since a role's or a database's defaults may be others: what is answered is durable, and the second
# statement of a transaction sees who has taken a key since the first.
SERVICE_OPTIONS = (
    "-c role=interlock_service -c search_path=interlock -c timezone=UTC -c synchronous_commit=on"
    r" -c default_transaction_isolation=read\ committed -c default_transaction_read_only=off"
    # a process that stands still in the middle of a batch, or whose network is cut, gives its locks back
    " -c idle_in_transaction_session_timeout=10s -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5"
)
# For connections on which every statement finds its rows by their keys. The planner knows nothing of a table that has
# just grown, and keeps the plan that it made while the table was small: it would read all of it, or all of a tenant,
# for each batch.
BY_KEYS = "".join(f" -c enable_{way}=off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"))
_CONNECT_TIMEOUT = 5


async def connect_service(url: str, *, by_keys: bool = False) -> AsyncConnection[TupleRow]:
    """A direct connection as the service's role, in autocommit.

    Args:
        url: A libpq connection string or URL.
        by_keys: Whether all that is asked on it goes by keys; see ``BY_KEYS``.

    Raises:
        DatabaseUnavailable: nothing answers there, or the role does not exist yet.
        SchemaOutdated: the server is older than PostgreSQL 15.
    """
    try:
        connection = await AsyncConnection.connect(
            url,
            autocommit=True,
            options=SERVICE_OPTIONS + (BY_KEYS if by_keys else ""),
            connect_timeout=_CONNECT_TIMEOUT,
            prepare_threshold=1,
        )
    except psycopg.OperationalError as cause:
        raise _unavailable(cause) from cause
    if connection.info.server_version < OLDEST_SERVER:
        await connection.close()
        raise SchemaOutdated(
            f"the server is PostgreSQL {connection.info.server_version // 10000}", todo="use PostgreSQL 15 or newer"
        )
    return connection


def _unavailable(cause: Exception) -> DatabaseUnavailable:
    reason = str(cause).strip().splitlines()[-1] if str(cause).strip() else type(cause).__name__
    if 'role "interlock_service"' in reason or "parameter" in reason:
        return SchemaOutdated("the database has no Interlock schema yet", todo="run `interlock migrate`")
    return DatabaseUnavailable(
        f"the database does not answer: {reason}", todo="see that it runs and that INTERLOCK_DATABASE_URL is right"
    )


async def _see_that_it_lives(connection: AsyncConnection[Any]) -> None:
    """Ask a pooled connection whether it lives, if anything has come since it was used, as a server's farewell."""
    come = select.poll()
    come.register(connection.fileno(), select.POLLIN)
    if come.poll(0):
        await AsyncConnectionPool.check_connection(connection)


class Database:
    """A pool of connections as the service's role, and the clock that the database's corrects.

    Args:
        url: A libpq connection string or URL.
        most: The most connections of the pool.
    """

    def __init__(self, url: str, *, most: int = 8) -> None:
        self.url = url
        self.clock = Clock()
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            url,
            kwargs={"autocommit": True, "options": SERVICE_OPTIONS, "connect_timeout": _CONNECT_TIMEOUT},
            min_size=1,
            max_size=most,
            open=False,
            timeout=_CONNECT_TIMEOUT,
            reconnect_timeout=60,
            check=_see_that_it_lives,
        )

    async def __aenter__(self) -> Self:
        first = await connect_service(self.url)
        try:
            now = await READ_CLOCK.one(first)
            if now is not None:
                self.clock.correct(now)
        finally:
            await first.close()
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def tenant(self, tenant: UUID) -> AsyncGenerator[AsyncConnection[Any]]:
        """A transaction in which only this tenant's rows exist.

        Raises:
            DatabaseUnavailable: no connection could be had in five seconds.
        """
        async with self.installation() as connection, connection.transaction():
            await SET_TENANT.all(connection, {"tenant": str(tenant)})
            yield connection

    @asynccontextmanager
    async def installation(self) -> AsyncGenerator[AsyncConnection[Any]]:
        """A connection under no tenant: it sees no tenant's rows, and may call the reviewed finders."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as cause:
            raise _unavailable(cause) from cause

    async def find_tenant(self, name: str) -> UUID | None:
        """The id of a tenant by its name."""
        async with self.installation() as connection:
            found = await FIND_TENANT.one(connection, {"name": name})
        return found.id if found else None

    async def ensure_tenant(self, name: str) -> UUID:
        """The id of a tenant, which is made if there is none of that name."""
        async with self.installation() as connection:
            found = await ENSURE_TENANT.one(connection, {"name": name, "id": self.clock.new_id()})
        if found is None:
            raise AssertionError("ensure_tenant always gives one")
        return found

    async def ensure_partitions(self) -> int:
        """Make the partitions of the coming months; how many it made."""
        async with self.installation() as connection:
            return await ENSURE_PARTITIONS.one(connection) or 0

    async def partitions_ahead(self) -> int:
        """How many whole months ahead there is room for; below three, doctor fails."""
        async with self.installation() as connection:
            return await PARTITIONS_AHEAD.one(connection) or 0
