"""Deciding rows in further processes: whole parts go there as bytes, and what became of them comes back.

Nothing that a process does is lost with it: a part that one of them leaves unanswered, since somebody killed it, is
asked again of another, and what was decided of it is found by its keys. Where none is left, this process decides.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from interlock.batch.hands import Hands
from interlock.batch.rows import Row
from interlock.batch.wire import HEADER, Greeting, message, pack_rows, unpack_outcomes
from interlock.clock import Clock
from interlock.decisions.decision import Decision
from interlock.decisions.many import Outcome

END_S = 8.0
"""How long a process has to end by itself."""
_BUFFER = 1 << 20
_TWO_CLOCKS = timedelta(seconds=1)
"""More than the clocks of two processes differ, each corrected by the database's."""
log = logging.getLogger("interlock.batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiring:
    """Which processes may be started.

    Attributes:
        command: What each of them runs; the id of this process follows.
        flags: The settings that the command line gave.
        count: How many.
        at_once: Whether to start them before the first row, and not only for a table that is long enough.
    """

    command: tuple[str, ...]
    flags: dict[str, object]
    count: int
    at_once: bool = False


class Processes:
    """Processes that decide rows of one table; its owner closes it.

    Args:
        hiring: Which.
        greeting: What each is told first.
        own: Who decides where none of them is left.
        clock: The database's.
    """

    def __init__(self, hiring: Hiring, greeting: Greeting, own: Hands, clock: Clock) -> None:
        self._hiring = hiring
        self._greeting = msgspec.json.encode(greeting) + b"\n"
        self._own = own
        self._clock = clock
        self._peers: list[_Peer] = []
        self._numbers = itertools.count()

    @property
    def ready(self) -> bool:
        """Whether any of them works."""
        return any(peer.works for peer in self._peers)

    async def start(self) -> None:
        """Start all of them, and wait until each works or has ended."""
        for _ in range(self._hiring.count):
            self._peers.append(await _Peer.started(self._hiring.command, self._greeting))
        await asyncio.gather(*(peer.began() for peer in self._peers))

    async def decide(self, rows: Sequence[Row]) -> list[Outcome]:
        """Decide rows whose values are objects.

        Raises:
            DatabaseUnavailable: it went away; what was decided is found again by the same keys.
        """
        began, data, again = self._clock.now() - _TWO_CLOCKS, pack_rows(rows), False
        while peers := [peer for peer in self._peers if peer.works]:
            peer = min(peers, key=lambda one: one.under_way)
            try:
                outcomes = unpack_outcomes(await peer.ask(next(self._numbers), data))
            except ConnectionError:
                log.warning("process %d ended with rows under way: others decide them", peer.pid)
                again = True
                continue
            return _renamed(rows, outcomes, began) if again else outcomes
        outcomes = await self._own.decide(rows)
        return _renamed(rows, outcomes, began) if again else outcomes

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(peer.end() for peer in self._peers))


def _renamed(rows: Sequence[Row], outcomes: Sequence[Outcome], began: datetime) -> list[Outcome]:
    """What a process decided before it died is this run's own decision, and known to nobody before."""
    seen: set[str] = set()
    made: list[Outcome] = []
    for row, one in zip(rows, outcomes, strict=True):
        ours = isinstance(one.became, Decision) and one.became.decided_at >= began and row.key not in seen
        made.append(Outcome(one.became) if ours else one)
        seen.add(row.key)
    return made


class _Peer:
    """One process, and the parts that it has not answered."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("its pipes were asked for")
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None
        self.works = False

    @classmethod
    async def started(cls, command: Sequence[str], greeting: bytes) -> _Peer:
        process = await asyncio.create_subprocess_exec(
            *command,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
            start_new_session=True,  # Ctrl-C is for us, and we say when they end
        )
        peer = cls(process)
        with suppress(ConnectionError):  # it has ended; whoever waits for it sees
            peer._to.write(greeting)
            await peer._to.drain()
        return peer

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    async def began(self) -> None:
        if await self._from.readline():
            self.works = True
            self._reading = asyncio.create_task(self._read(), name=f"interlock-batch-{self.pid}")
        else:
            log.warning("process %d ended before it worked: see what it wrote above", self.pid)

    async def ask(self, number: int, data: bytes) -> bytes:
        """Send a part, and wait for its answer.

        Raises:
            ConnectionError: the process has ended.
        """
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._to.write(message(number, data))
            await self._to.drain()
            return await answer
        finally:
            self._waiting.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # whoever gave up before has seen it

    async def _read(self) -> None:
        try:
            while True:
                number, length = HEADER.unpack(await self._from.readexactly(HEADER.size))
                data = await self._from.readexactly(length)
                if (answer := self._waiting.get(number)) and not answer.done():
                    answer.set_result(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.works = False
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionResetError("the process has ended"))

    async def end(self) -> None:
        with suppress(ConnectionError):
            self._to.close()
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
        if self._reading:
            await asyncio.gather(self._reading, return_exceptions=True)
