"""What a long-running process does for lineage beside its work: it counts, and where the settings say so it exports.

Both poll, in batches with a pause as long as the batch took, so that neither ever takes more than half of a
connection's time. Any number of processes may do it: one counts at a time, and what two of them export is the same,
under the same run ids.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Self

import psycopg

from interlock.db.database import Database
from interlock.errors import InterlockError
from interlock.lineage.export import Export
from interlock.lineage.influence import follow
from interlock.lineage.openlineage import Fields, unknown_fields
from interlock.lineage.sink import Sink, SinkUnreachable, make_sink

POLL_S = 1.0
LONGEST_PAUSE_S = 60.0
PATIENCE_S = 2.0
"""How long the end waits for a batch that is under way; what is cut off is done again."""
log = logging.getLogger("interlock.lineage")


class LineageUpkeep:
    """Counts and exports while it is open.

    Args:
        url: The database; a pool of one connection is opened.
        targets: Where to export: URLs, folders and files; none: nowhere.
        key: What an HTTP server is shown.
        fields: What contracts hold.
    """

    def __init__(
        self, url: str, targets: tuple[str, ...] = (), *, key: str = "", fields: Fields = unknown_fields
    ) -> None:
        self._database = Database(url, most=2)
        self._sinks: list[Sink] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self._turns: list[Callable[[], Awaitable[int]]] = [self._count]
        for target in targets:
            sink = make_sink(target, key=key)
            self._sinks.append(sink)
            self._turns.append(Export(self._database, sink, target, fields).turn)

    async def __aenter__(self) -> Self:
        await self._database.__aenter__()
        self._tasks = [asyncio.create_task(self._keep(turn), name="interlock-lineage") for turn in self._turns]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await asyncio.wait(self._tasks, timeout=PATIENCE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sink in self._sinks:
            await sink.close()
        await self._database.__aexit__()

    async def _count(self) -> int:
        done = await follow(self._database)
        return done.followed if done and done.behind else 0

    async def _keep(self, turn: Callable[[], Awaitable[int]]) -> None:
        pause = POLL_S
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                more = await turn()
                pause = max(time.monotonic() - began, 0.01) if more else POLL_S
            except (InterlockError, psycopg.Error, SinkUnreachable) as cause:
                pause = min(max(2 * pause, POLL_S), LONGEST_PAUSE_S)
                log.warning("lineage waits, trying again in %.0f s: %s", pause, cause)
            except Exception:
                # INVARIANT: a task never ends without a word while the process runs
                pause = min(max(2 * pause, POLL_S), LONGEST_PAUSE_S)
                log.exception("lineage failed, trying again in %.0f s", pause)
            # not wait_for, which in Python 3.11 can swallow a cancellation
            await asyncio.wait([waiting := asyncio.ensure_future(self._ended.wait())], timeout=pause)
            waiting.cancel()
