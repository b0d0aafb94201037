"""Wakes: hints that something is there to do. Polling finds everything that a lost hint leaves.

NOTIFY never rides in a data transaction (9,465 commits a second fell to 736): after the commit one notifier per process
sends coalesced wakes on a connection of its own, at most 50 a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self
from uuid import UUID

import msgspec
import psycopg

from interlock.db.database import connect_service
from interlock.db.queries import load_queries
from interlock.db.work import Write, check_wake
from interlock.errors import DatabaseUnavailable

CHANNEL = "interlock"
PAUSE_S = 0.02
_RECONNECT_S = 0.5
_MOST_PAYLOAD = 7900  # bytes; PostgreSQL refuses 8,000 and more


class CaseToWake(msgspec.Struct, frozen=True):
    """A case that has news."""

    case_id: UUID


_SQL = load_queries(__file__)
WAKE_CASES = _SQL.bulk("wake_cases", CaseToWake, distinct=("case_id",))
NOTIFY = _SQL.command("notify")


def wake_case(case_id: UUID) -> Write:
    """The write that makes a waiting case ready, and that tells a running one's parking that news came.

    Its unit states ``HoldsCase(case_id, None)``: a case that is locked only here is locked after the keys, out of the
    global order.
    """
    return Write(WAKE_CASES, CaseToWake(case_id))


async def news_within(news: asyncio.Event, seconds: float) -> bool:
    """Wait for news, so long at most, and take it; whether there was any.

    Loops that wait so go on as ``while (task := asyncio.current_task()) and not task.cancelling()``: the database's
    pool waits by ``wait_for``, which in Python 3.11 can swallow a cancellation; the request for it still counts.
    """
    # No wait_for, for the same reason: it swallows a cancellation that comes together with the news.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
    told = news.is_set()
    news.clear()
    return told


class Notifier:
    """Sends wakes of this process to all processes, and hands theirs to this one's listeners.

    ``wake`` reaches listeners of the same process at once, without the database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pending: dict[str, None] = {}
        self._news = asyncio.Event()
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._hearers: list[Callable[[str], None]] = []
        self._sender = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._send(), name="interlock-notify"),
            asyncio.create_task(self._listen(), name="interlock-listen"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def listen(self, name: str, heard: Callable[[], None]) -> None:
        """Call ``heard`` at every wake of this name."""
        self._listeners.setdefault(name, []).append(heard)

    def listen_to_all(self, heard: Callable[[str], None]) -> None:
        """Call ``heard`` with the name of every wake, once: not again when one of this process comes back to it."""
        self._hearers.append(heard)

    def wake(self, *names: str) -> None:
        """Wake all who wait for these names, here at once and elsewhere within some milliseconds.

        Raises:
            ValueError: see ``check_wake``.
        """
        for name in names:
            check_wake(name)
            self._hear(name)
            self._pending[name] = None
        if names:
            self._news.set()

    def _hear(self, name: str, *, again: bool = False) -> None:
        # not called from here: a listener's error is its own, and ends neither the writer nor the listening
        for heard in self._listeners.get(name, ()):
            asyncio.get_running_loop().call_soon(heard)
        for heard_all in self._hearers if not again else ():
            asyncio.get_running_loop().call_soon(heard_all, name)

    async def _send(self) -> None:
        while True:
            # a lost connection loses a hint; polling finds what it was about
            with contextlib.suppress(psycopg.Error, DatabaseUnavailable):
                async with await connect_service(self._url) as connection:
                    self._sender = connection.info.backend_pid
                    while True:
                        await self._news.wait()
                        await NOTIFY.run(connection, {"channel": CHANNEL, "names": self._next_payload()})
                        await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(_RECONNECT_S)

    def _next_payload(self) -> str:
        """As many pending names as one notification holds; the others go with the next."""
        names: list[str] = []
        room = _MOST_PAYLOAD
        for name in self._pending:  # a dict: in order of the first wake
            room -= len(name.encode()) + 1
            if room < 0:
                break
            names.append(name)
        for name in names:
            del self._pending[name]
        if not self._pending:
            self._news.clear()
        return " ".join(names)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, DatabaseUnavailable):
                connection = await connect_service(self._url)
                async with connection:
                    await connection.execute(f"listen {CHANNEL}")
                    async for notice in connection.notifies():
                        for name in notice.payload.split():
                            self._hear(name, again=notice.pid == self._sender)
            await asyncio.sleep(_RECONNECT_S)
