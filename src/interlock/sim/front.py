"""The front of a simulated system: a process that serves on loopback, is away as its plan says, and ends in order.

What is behind it is a desk: the payment provider's, or the general ledger's. The front answers for the fault plan and
hands the rest on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from interlock.errors import ConfigInvalid, InterlockError, SimulationFailed
from interlock.sim.faults import Down, FaultPlan, FaultRun, Operation
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import HOST, Listener, Reply, Request, answer

DEFAULT_RETENTION = timedelta(days=30)

_PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to outgoing connections: while a system is down none of those can take its
port, and no client can connect to itself."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_BIND_PATIENCE = 5.0
_LONGEST_RETENTION = timedelta(days=36_500).total_seconds()

_T = TypeVar("_T")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulated system is started.

    Attributes:
        book: The file of the book.
        port: The TCP port; 0 finds a free one.
        key_retention: For how long a key is honoured.
        keys_optional: Whether requests that have an effect may come without a key.
        faults: The fault plan to begin with.
        parent: The process to end with; 0: none.
    """

    book: Path
    port: int = 0
    key_retention: timedelta = DEFAULT_RETENTION
    keys_optional: bool = False
    faults: FaultPlan = FaultPlan()
    parent: int = 0


class Desk(Protocol):
    """What is behind the front."""

    @property
    def operations(self) -> frozenset[Operation]:
        """What can be asked of it, and so what a fault can strike."""
        ...

    @property
    def run(self) -> FaultRun:
        """The fault plan at work."""
        ...

    def put(self, plan: FaultPlan) -> None:
        """Put another plan in force; attempts and faults are counted anew."""
        ...

    async def watch(self, request: Request) -> Reply | None:
        """What no real system has, such as its whole book, also while it is down; None for other requests."""
        ...

    async def serve(self, request: Request) -> Reply:
        """Answer one request of a client."""
        ...


class Front:
    """Takes requests, and is away when the plan says so.

    Args:
        settings: How it was started.
        desk: What is behind it.
        port: The TCP port.

    Attributes:
        failure: Fails when it cannot listen again after it was down.
    """

    def __init__(self, settings: Settings, desk: Desk, port: int) -> None:
        self._settings = settings
        self._desk = desk
        self._listener = Listener(port, self.handle)
        self._away: asyncio.Task[None] | None = None
        self._refusing = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Listen, and put the first plan in force."""
        await self._open()
        self._put(self._settings.faults)

    async def _open(self) -> None:
        end = time.monotonic() + _BIND_PATIENCE
        while True:
            try:
                await self._listener.open()
            except OSError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._away is not None:
            self._away.cancel()
        self._listener.shut()

    async def handle(self, request: Request) -> Reply:
        """Answer one request; the plan and the book can be had while the system is down."""
        match request.method, request.path:
            case "PUT", ("faults",):
                return self._put_faults(request)
            case "GET", ("faults",):
                return answer(self._desk.run.report())
            case _:
                watched = await self._desk.watch(request)
        if watched is not None:
            return watched
        if self._refusing:
            self._desk.run.count("down")
            return answer(problem(503, "down", "this system is down"), retry_after="1")
        if (request.method, request.path) == ("GET", ("health",)):
            return answer({"status": "ok", "pid": os.getpid()})
        return await self._desk.serve(request)

    def _put_faults(self, request: Request) -> Reply:
        plan = plan_of(request.body, self._desk.operations)
        if isinstance(plan, Problem):
            return answer(plan)
        self._put(plan)
        return answer(self._desk.run.report())

    def _put(self, plan: FaultPlan) -> None:
        self._desk.put(plan)
        if self._away is not None:
            self._away.cancel()
            self._away = None
        self._refusing = plan.down is not None and plan.down.how == "refuse"
        if plan.down is not None:
            self._away = asyncio.create_task(self._stay_away(plan.down))

    async def _stay_away(self, down: Down) -> None:
        if down.how == "close":
            await asyncio.sleep(0.01)  # so that the answer to the plan itself is sent before its connection is cut
            for _ in range(self._listener.shut()):
                self._desk.run.count("down")
        await asyncio.sleep(down.seconds)
        self._refusing = False
        try:
            await self._open()
        except OSError as taken:
            self.failure.set_exception(taken)


OpenDesk = Callable[[Settings], tuple[Desk, Journal[Any]]]
"""Opens the book of the settings, and puts a desk before it."""


async def serve(settings: Settings, open_desk: OpenDesk) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent.

    Raises:
        SimulationFailed: the book is damaged or another's, or the port is taken.
    """
    port = await _free_port(settings.port)
    desk, journal = open_desk(settings)
    front = Front(settings, desk, port)
    writing = asyncio.create_task(journal.run())
    ending = asyncio.create_task(_end(settings.parent))
    await front.open()
    ready = {"url": f"http://{HOST}:{port}", "port": port, "pid": os.getpid()}
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    await asyncio.wait({writing, ending, front.failure}, return_when=asyncio.FIRST_COMPLETED)
    front.close()
    ending.cancel()
    journal.close()
    await writing  # raises when the disk refused: memory was ahead of the file, and only ending mends that
    journal.release()
    if front.failure.done():
        front.failure.result()


def run_command(
    arguments: Sequence[str] | None, module: str, purpose: str, operations: frozenset[Operation], open_desk: OpenDesk
) -> int:
    """The command of a simulated system; returns its exit code.

    Args:
        arguments: Of the command line; None takes the process's own.
        module: What it is started as: ``interlock.sim.provider``.
        purpose: What it is, for ``--help``.
        operations: What a fault can strike there.
        open_desk: Opens it.
    """
    parser = argparse.ArgumentParser(prog=module, description=purpose)
    parser.add_argument("--book", type=Path, required=True, help="the file of the book; made when it is not there")
    parser.add_argument("--port", type=int, default=0, help="the TCP port on 127.0.0.1; 0 finds a free one")
    parser.add_argument("--key-retention", type=float, default=DEFAULT_RETENTION.total_seconds(), help="seconds")
    parser.add_argument("--keys-optional", action="store_true", help="take requests without Idempotency-Key")
    parser.add_argument("--faults", default="{}", help="the fault plan to begin with, JSON")
    parser.add_argument("--parent", type=int, default=0, help="end with this process, which must be the parent")
    given = parser.parse_args(arguments)
    try:
        faults = plan_of(given.faults.encode(), operations)
        if isinstance(faults, Problem):
            raise ConfigInvalid(faults.detail, where="--faults", todo="see docs/reference/simulated-provider.md")
        if not 0 < given.key_retention <= _LONGEST_RETENTION:
            raise ConfigInvalid(
                f"{given.key_retention} seconds is no retention", where="--key-retention", todo="more than 0"
            )
        settings = Settings(
            book=given.book,
            port=given.port,
            key_retention=timedelta(seconds=given.key_retention),
            keys_optional=given.keys_optional,
            faults=faults,
            parent=given.parent,
        )
        asyncio.run(serve(settings, open_desk))
    except (InterlockError, OSError) as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code if isinstance(failure, InterlockError) else 1
    return 0


def key_of(request: Request, *, optional: bool) -> str | Problem:
    """The Idempotency-Key: a quoted string, as the draft says, or a bare one, as most send it; empty if it may be."""
    text = request.headers.get("idempotency-key", "").strip()
    if not text:
        needed = problem(400, "key-missing", "send the header Idempotency-Key, with a key of this request's own")
        return "" if optional else needed
    key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    return bad_key(key) or key


def bad_key(key: str) -> Problem | None:
    """What is wrong with a key; None if nothing is."""
    if _KEY.match(key):
        return None
    return problem(400, "key-invalid", f"{key[:60]!r} is no key: use 1 to 255 visible ASCII characters")


def unknown_route(request: Request) -> Reply:
    """The answer to what no desk knows."""
    place = f"{request.method} /{'/'.join(request.path)}"
    return answer(problem(404, "no-such-route", f"{place} is nothing that this system knows"))


def plan_of(body: bytes, operations: frozenset[Operation]) -> FaultPlan | Problem:
    """A fault plan, all of whose rules can strike here; else what is wrong with it."""
    plan = decoded(body, FaultPlan)
    if isinstance(plan, Problem):
        return plan
    for index, rule in enumerate(plan.rules):
        if unknown := set(rule.on) - operations:
            known = ", ".join(sorted(operations))
            detail = f"{', '.join(sorted(unknown))} cannot be asked here; it is {known} - at `$.rules[{index}].on`"
            return problem(422, "body-invalid", detail)
    return plan


def decoded(body: bytes, kind: type[_T]) -> _T | Problem:
    """A body as its type, or what is wrong with it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as wrong:
        return problem(422, "body-invalid", str(wrong))
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        return problem(400, "not-json", str(wrong))


async def _end(parent: int) -> None:
    """Wait for a signal to end, or for the parent's end, which the kernel tells whatever ended it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if not parent:
        await ended.wait()
        return
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        return
    loop.add_reader(descriptor, ended.set)
    if os.getppid() == parent:  # else it ended, and its number is another's, before we looked
        await ended.wait()


async def _free_port(wanted: int) -> int:
    """The port to listen on.

    Raises:
        SimulationFailed: it is taken, or all are.
    """
    end = time.monotonic() + _BIND_PATIENCE
    while time.monotonic() < end:
        port = wanted or secrets.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                await asyncio.sleep(0.05 if wanted else 0)
            else:
                return port
    raise SimulationFailed(f"port {wanted or 'any'} is taken", where=HOST, todo="end who holds it, or give --port 0")
