"""Reads stored values for a whole process: what many decisions ask for at once travels in one flush.

One connection of its own, opened when it is first needed. While one read is under way what comes next gathers, so that
under load a read serves many decisions and costs each of them little.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from interlock.db.database import SET_TENANT, connect_service
from interlock.db.queries import encode_rows
from interlock.decisions.features.store import READ_VALUES, StoredValue, Wanted
from interlock.errors import DatabaseUnavailable, InterlockError

LINGER_S = 0.0005
"""How long a read waits for more to travel with it, while more is coming."""
MOST_AT_ONCE = 2_000
"""Values of one flush."""
PATIENCE_S = 5.0
"""How long a flush may take before the connection counts as lost."""

Found = list[StoredValue | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    """What one caller wants."""

    tenant: UUID
    wanted: Sequence[Wanted]
    future: asyncio.Future[Found]


class FeatureReader:
    """The reader of one process. Used from one event loop.

    Args:
        url: Where to connect, as the service's role.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[_Ask] = deque()
        self._connection: AsyncConnection[Any] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def connect(self) -> None:
        """Connect now, so that no decision waits for it.

        Raises:
            DatabaseUnavailable: nothing answers there.
        """
        self._connection = self._connection or await connect_service(self._url)

    async def __aexit__(self, *_: object) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._fail(self._take(), DatabaseUnavailable("the process is ending", todo="send it again with the same key"))
        await self._disconnect()

    def read(self, tenant: UUID, wanted: Sequence[Wanted]) -> asyncio.Future[Found]:
        """Ask for values; their places count from 0.

        Returns:
            What to await: the values in order, None where there is none. It raises DatabaseUnavailable where the
            database does not answer.
        """
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Ask(tenant, wanted, future))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._run(), name="interlock-features")
        return future

    async def _run(self) -> None:
        while self._waiting:
            await self._linger()
            asks = self._take()
            if not asks:
                continue
            try:
                found = await self._read_surely(asks)
            except asyncio.CancelledError:
                self._fail(asks, DatabaseUnavailable("the process is ending", todo="send it again"))
                raise
            except Exception as cause:  # noqa: BLE001 - nobody is left waiting, whatever it was
                self._fail(asks, cause)
                continue
            for ask, values in zip(asks, found, strict=True):
                if not ask.future.done():
                    ask.future.set_result(values)

    async def _linger(self) -> None:
        until, size = time.perf_counter() + LINGER_S, 0
        while size < len(self._waiting) and time.perf_counter() < until:
            size = len(self._waiting)
            await asyncio.sleep(0)

    def _take(self) -> list[_Ask]:
        """What goes next: whole asks, and none of those that nobody waits for any more."""
        asks: list[_Ask] = []
        values = 0
        while self._waiting and (not asks or values + len(self._waiting[0].wanted) <= MOST_AT_ONCE):
            ask = self._waiting.popleft()
            if not ask.future.done():
                asks.append(ask)
                values += len(ask.wanted)
        return asks

    def _fail(self, asks: Sequence[_Ask], cause: BaseException) -> None:
        for ask in asks:
            if not ask.future.done():
                ask.future.set_exception(cause)

    async def _read_surely(self, asks: Sequence[_Ask]) -> list[Found]:
        """Read, and once more on a new connection if the one that there was is lost."""
        for again in (True, False):
            known = self._connection is not None
            try:
                async with asyncio.timeout(PATIENCE_S):
                    if self._connection is None:
                        self._connection = await connect_service(self._url)
                    return await _read(self._connection, asks)
            except (psycopg.Error, InterlockError, TimeoutError) as cause:
                await self._disconnect()
                if again and known:
                    continue
                if isinstance(cause, InterlockError):
                    raise
                raise DatabaseUnavailable(
                    f"the features could not be read: {str(cause).strip() or type(cause).__name__}",
                    todo="nothing was decided: send it again with the same key",
                ) from cause
            except BaseException:
                await self._disconnect()
                raise
        raise AssertionError("the second attempt returns or raises")

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


async def _read(connection: AsyncConnection[Any], asks: Sequence[_Ask]) -> list[Found]:
    """One flush: for each tenant its name and one statement, within a transaction that ends with it."""
    by_tenant: dict[UUID, list[tuple[int, _Ask]]] = {}
    for number, ask in enumerate(asks):
        by_tenant.setdefault(ask.tenant, []).append((number, ask))
    cursors: list[tuple[list[tuple[int, _Ask]], Any]] = []
    async with connection.pipeline():
        await connection.execute("begin")
        for tenant, mine in by_tenant.items():
            flat = [one for _, ask in mine for one in ask.wanted]
            sent = [Wanted(place, w.feature, w.version, w.entity, w.as_of) for place, w in enumerate(flat)]
            await connection.execute(SET_TENANT.text, {"tenant": str(tenant)})
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(READ_VALUES.text, {"wanted": encode_rows(sent)})
            cursors.append((mine, cursor))
        await connection.execute("commit")
    found: list[Found] = [[] for _ in asks]
    for mine, cursor in cursors:
        rows = {row.place: row for row in map(READ_VALUES.read, await cursor.fetchall())}
        place = 0
        for number, ask in mine:
            found[number] = [rows.get(at) for at in range(place, place + len(ask.wanted))]
            place += len(ask.wanted)
    return found
