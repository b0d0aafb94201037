"""Connections that are kept for their next use: at most so many at once, and none on which anything failed."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

IDLE_S = 60.0
"""For how long a connection is kept without use."""


class Spares:
    """A few connections of one event loop, made when they are needed.

    Args:
        connect: Makes one, in autocommit.
        most: How many are in use at once; who comes later waits.
    """

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection[Any]]], *, most: int) -> None:
        self._connect = connect
        self._room = asyncio.Semaphore(most)
        self._idle: list[tuple[float, AsyncConnection[Any]]] = []
        self._closed = False

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[AsyncConnection[Any]]:
        """A connection, to be left outside of any transaction. One that is left otherwise, or by an error, is closed.

        Raises:
            psycopg.OperationalError: they were let go of, or whatever else ``connect`` raises.
        """
        async with self._room:
            if self._closed:
                raise psycopg.OperationalError("the connections were let go of")
            connection = await self._kept() or await self._connect()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._closed or connection.info.transaction_status is not TransactionStatus.IDLE:
                await connection.close()
            else:
                self._idle.append((time.monotonic(), connection))

    async def close(self) -> None:
        """Let go of what is idle; what is in use is closed after its use."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].close()

    async def _kept(self) -> AsyncConnection[Any] | None:
        """The one that was used last, if its server has not said goodbye since."""
        while self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < IDLE_S and not connection.closed and not _has_news(connection):
                return connection
            await connection.close()
        return None


def _has_news(connection: AsyncConnection[Any]) -> bool:
    """Whether an idle connection has something to read: its end, or an error that announces it."""
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return bool(readable)
