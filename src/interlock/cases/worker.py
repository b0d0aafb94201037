"""A worker: claims ready cases, runs each on its workflow's code, and takes over those of dead peers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Self
from uuid import UUID

import psycopg

from interlock.cases import heartbeat
from interlock.cases.freed import wake_freed_forever
from interlock.cases.held import Tools
from interlock.cases.registry import Registry
from interlock.cases.run import CaseRun
from interlock.cases.store import CLAIM_CASES, TAKE_OVER_CASES, ClaimedCase, TakenOver
from interlock.cases.stranded import tell_stranded
from interlock.db.signals import Notifier, news_within
from interlock.errors import DatabaseUnavailable, InterlockError

log = logging.getLogger("interlock.worker")

_RETRY_S = 0.5
_LOOK_AGAIN_S = 0.25
_URL_VARIABLE = "INTERLOCK_HEARTBEAT_URL"


class Worker:
    """One worker of this process.

    Args:
        url: The database; the heartbeat process connects on its own.
        tools: What steps need.
        registry: The workflows that it carries.
        notifier: Wakes it.
        concurrency: How many cases it runs at once.
        lease_s: For pauses and cut networks.
        probe_s: How often it looks for dead peers.
        poll_s: How often it looks for due cases when no wake comes.
        serves: The one tenant whose cases it takes; None: every tenant's.
        progress_s: How long its event loop may stand still before it gives its lease up.
    """

    def __init__(
        self,
        url: str,
        tools: Tools,
        registry: Registry,
        notifier: Notifier,
        *,
        concurrency: int = 32,
        lease_s: float = 15.0,
        probe_s: float = 0.5,
        poll_s: float = 0.25,
        serves: UUID | None = None,
        progress_s: float = 60.0,
    ) -> None:
        self._url = url
        self._tools = tools
        self._registry = registry
        self._notifier = notifier
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._probe_s = probe_s
        self._poll_s = poll_s
        self._serves = serves
        self._progress_s = progress_s
        self._news = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._heart: asyncio.subprocess.Process | None = None
        self._claim_lost = False
        self.number = 0

    async def __aenter__(self) -> Self:
        await self._begin_heart()
        await tell_stranded(self._tools.database)
        self._notifier.listen("cases", self._news.set)
        self._loops = [
            asyncio.create_task(_keep_on(self._claim_forever), name="interlock-claim"),
            asyncio.create_task(_keep_on(self._probe_forever), name="interlock-probe"),
            asyncio.create_task(_keep_on(self._beat_forever), name="interlock-progress"),
            asyncio.create_task(_keep_on(self._watch_heart), name="interlock-heart"),
            asyncio.create_task(_keep_on(self._wake_freed), name="interlock-freed"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop claiming, cut the cases off between two of their writes, and give them back at once."""
        for task in [*self._loops, *self._running]:
            task.cancel()
        await asyncio.gather(*self._loops, *self._running, return_exceptions=True)
        if self._heart and self._heart.stdin and self._heart.returncode is None:
            self._heart.stdin.close()
            await self._heart.wait()
        with suppress(InterlockError, psycopg.Error):
            await self._take_over()

    # ---------------------------------------------------------------- liveness

    async def _begin_heart(self) -> None:
        command = [sys.executable, "-m", heartbeat.__name__, "--url-from", _URL_VARIABLE]
        command += ["--name", f"{socket.gethostname()}:{os.getpid()}", "--lease", str(self._lease_s)]
        command += ["--progress", str(self._progress_s)]
        command += [part for code in self._registry.codes for part in ("--code", str(code))]
        command += [f"--workflow={name}" for name in self._registry.names]
        self._heart = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, _URL_VARIABLE: self._url},
        )
        line = await self._heart.stdout.readline() if self._heart.stdout else b""
        if not line:
            raise DatabaseUnavailable("the worker's heartbeat did not start", todo="see what it wrote above")
        self.number = int(line)

    async def _beat_forever(self) -> None:
        """Show the heartbeat process that this event loop turns."""
        while self._heart and self._heart.stdin:
            with suppress(ConnectionError):
                self._heart.stdin.write(b".")
                await self._heart.stdin.drain()
            await asyncio.sleep(min(self._lease_s, self._progress_s) / 5)

    async def _watch_heart(self) -> None:
        """When the lease is lost, cut every case off and begin again under a new number."""
        while self._heart:
            await self._heart.wait()
            log.error("worker %s lost its lease: its cases are its peers' now; it begins anew", self.number)
            self.number = 0
            for task in self._running:
                task.cancel()
            while self.number == 0:
                try:
                    await self._begin_heart()
                except (DatabaseUnavailable, OSError) as cause:  # OSError: no process could be started
                    log.warning("no new heartbeat yet (%s); trying again", cause)
                    await asyncio.sleep(_RETRY_S)
            self._news.set()

    async def _probe_forever(self) -> None:
        while _goes_on():
            pause = self._probe_s
            try:
                for seen in await self._take_over():
                    if seen.suspects:
                        pause = min(pause, _LOOK_AGAIN_S)
                    else:
                        log.warning("worker %s is dead; %s of its cases are ready again", seen.worker, seen.cases)
                        self._news.set()
            except (DatabaseUnavailable, psycopg.Error):
                log.warning("the database does not answer; looking again")
            await asyncio.sleep(pause)

    async def _take_over(self) -> list[TakenOver]:
        async with self._tools.database.installation() as connection:
            return await TAKE_OVER_CASES.all(connection)

    async def _wake_freed(self) -> None:
        await wake_freed_forever(self._tools.database, self._notifier, self._probe_s)

    # ------------------------------------------------------------------ claiming

    async def _claim_forever(self) -> None:
        while _goes_on():
            if self._claim_lost and not self._running:
                await self._begin_anew()
            try:
                can_claim = self.number and not self._claim_lost
                free = self._concurrency - len(self._running) if can_claim else 0
                claimed = await self._claim(free) if free > 0 else []
            except (DatabaseUnavailable, psycopg.Error):
                await asyncio.sleep(_RETRY_S)
                continue
            for case in claimed:
                task = asyncio.create_task(self._hold(case), name=f"case {case.id}")
                self._running.add(task)
                task.add_done_callback(self._let_go)
            if free and len(claimed) == free:
                await asyncio.sleep(0)  # as many as it could take: there may be more when one of them ends
            await news_within(self._news, self._poll_s)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._news.set()

    async def _claim(self, most: int) -> list[ClaimedCase]:
        carried, ends = list(self._registry.codes), list(self._registry.names)
        async with self._tools.database.installation() as connection:
            # A crash or a lost answer here leaves cases that are this worker's and that it knows nothing of.
            self._claim_lost = True
            asked = {"worker": self.number, "carried": carried, "most": most, "serves": self._serves, "ends": ends}
            claimed = await CLAIM_CASES.all(connection, asked)
            self._claim_lost = False
            return claimed

    async def _begin_anew(self) -> None:
        """Let go of a number under which cases may have been claimed unknown to us: peers, or we, take them over."""
        self._claim_lost = False
        log.warning("worker %s: the answer to a claim was lost; it begins anew", self.number)
        self.number = 0
        if self._heart and self._heart.stdin:
            self._heart.stdin.close()

    # ------------------------------------------------------------------- running

    async def _hold(self, case: ClaimedCase) -> None:
        """Run a case until it ends, waits, or belongs to somebody else."""
        registered = self._registry.carrying(case.code) or self._registry.named(case.workflow)
        await CaseRun(self._tools, registered, self.number, self._parked).hold(case)

    def _parked(self, at: datetime | None) -> None:
        """A case waits now: there is room for another, and then there is this one again."""
        if at:
            delay = (at - self._tools.database.clock.now()).total_seconds()
            asyncio.get_running_loop().call_later(max(delay, 0) + 0.001, self._news.set)
        self._news.set()


def _goes_on() -> bool:
    """Whether nobody has cancelled this loop. Asked at each turn: in Python 3.11 ``wait_for``, by which the pool waits,
    can swallow a cancellation.
    """  # noqa: D205 - one thought
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


async def _keep_on(turn: Callable[[], Awaitable[None]]) -> None:
    """Run one of the worker's loops; whatever ends it by error is logged, and the loop begins again."""
    while _goes_on():
        try:
            await turn()
        except Exception:
            log.exception("a loop of the worker failed; it goes on")
            await asyncio.sleep(_RETRY_S)
        else:
            return
