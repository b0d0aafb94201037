"""The processes of `interlock up`: workers, streams and others, started again when they die and ended with us."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import msgspec

from interlock.errors import InterlockError

WORKERS = "interlock.cli.worker_process"
STREAMS = "interlock.cli.stream_process"
SERVERS = "interlock.cli.server_process"
API_SERVERS = "interlock.cli.api_process"
RECONCILIATIONS = "interlock.cli.reconcile_process"
OUTCOMES = "interlock.cli.outcome_process"
NOUNS = {
    WORKERS: "worker",
    STREAMS: "stream",
    SERVERS: "server",
    API_SERVERS: "server",
    RECONCILIATIONS: "reconciliation",
    OUTCOMES: "feeds of outcomes",
}
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
STEADY_S = 5.0
"""Whoever lived so long is started again after the first pause."""
END_S = 8.0
"""How long a worker has to give its cases back before it is killed; they are its peers' then."""


class WorkerEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process ended by itself, or somebody killed it.

    Attributes:
        worker: Which of them, from 1.
        process: Its process id.
        status: Its exit status, or the name of the signal that ended it.
        again_in_s: When another one is started in its place, in seconds.
        stream: The stream, or the reconciliation, that it ran; empty for others.
        kind: ``worker``, ``stream``, ``reconciliation``, ``feeds of outcomes`` or ``server``.
    """

    worker: int
    process: int
    status: str
    again_in_s: float
    stream: str = ""
    kind: str = "worker"


class Crew:
    """Processes of one kind. A hung or dead one is its own affair: the others go on.

    Args:
        count: How many.
        flags: The settings that the command line gave; the environment and the file are theirs, too.
        told: Called when one has ended and another will be started.
        module: What each of them runs.
        streams: What each of them is to run, where they run streams or reconciliations.
        port: Where all of them listen, where they are servers.
    """

    def __init__(
        self,
        count: int,
        flags: Mapping[str, Any],
        told: Callable[[WorkerEnded], None],
        *,
        module: str = WORKERS,
        streams: Sequence[str] = (),
        port: int = 0,
    ) -> None:
        self._count = count
        self._module = module
        self._streams = tuple(streams)
        self._port = port
        self._flags = msgspec.json.encode(dict(flags)) + b"\n"
        self._told = told
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def processes(self) -> list[int]:
        """The ids of those that run."""
        return [process.pid for process in self._processes.values() if process.returncode is None]

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.TaskGroup() as starting:
                for place in range(1, self._count + 1):
                    starting.create_task(self._start(place))
        except BaseExceptionGroup as group:
            await self._end()
            raise group.exceptions[0] from None
        except BaseException:
            await self._end()
            raise
        self._keepers = [asyncio.create_task(self._keep(place)) for place in self._processes]
        return self

    async def __aexit__(self, *_: object) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._end()

    async def _start(self, place: int) -> None:
        """Start one and wait until it works.

        Raises:
            InterlockError: it ended before.
        """
        stream = self._stream(place)
        told = [text for text in (stream, str(self._port or "")) if text]
        command = [sys.executable, "-P", "-m", self._module, str(os.getpid()), *told]
        process = self._processes[place] = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us, and we say when they end
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError("its pipes were asked for")
        with suppress(ConnectionError):  # it has ended; the next line says so
            process.stdin.write(self._flags)
            await process.stdin.drain()
        if not await process.stdout.readline():
            await process.wait()
            raise InterlockError(
                f"{NOUNS[self._module]} {stream or place} ended with {_status(process)} before it worked",
                todo="see what it wrote above",
            )

    async def _keep(self, place: int) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            process = self._processes[place]
            await process.wait()
            if time.monotonic() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            status = _status(process)
            self._told(
                WorkerEnded(
                    worker=place,
                    process=process.pid,
                    status=status,
                    again_in_s=pause,
                    stream=self._stream(place),
                    kind=NOUNS[self._module],
                )
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
            with suppress(InterlockError):  # it has said why; the next turn tells that it ended
                await self._start(place)

    def _stream(self, place: int) -> str:
        return self._streams[place - 1] if self._streams else ""

    async def _end(self) -> None:
        """Ask all to end at once, wait for them, and kill those that do not."""
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        waiting = [asyncio.create_task(process.wait()) for process in running]
        if waiting:
            await asyncio.wait(waiting, timeout=END_S)
        for process in running:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        await asyncio.gather(*waiting)


def _status(process: asyncio.subprocess.Process) -> str:
    code = process.returncode or 0
    return signal.Signals(-code).name if code < 0 else f"status {code}"
