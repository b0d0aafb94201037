"""A simulated payment provider: a process with a durable book of its own, keys, look-up, refunds and injected faults.

``python -m interlock.sim.provider --book PATH`` serves on loopback until SIGTERM, or until its parent ends. When it is
ready it prints one line of JSON: its url, port and process id. docs/reference/simulated-provider.md has the API.
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
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from interlock.errors import ConfigInvalid, InterlockError, SimulationFailed
from interlock.sim.book import Book, EntryKind
from interlock.sim.counter import Counter, Order
from interlock.sim.faults import Down, FaultPlan
from interlock.sim.journal import Journal
from interlock.sim.problem import Problem, problem
from interlock.sim.wire import HOST, Answer, Listener, Reply, Request, answer

DEFAULT_RETENTION = timedelta(days=30)

_PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to outgoing connections: while the provider is down none of those can take its
port, and no client can connect to itself."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_BIND_PATIENCE = 5.0
_LONGEST_RETENTION = timedelta(days=36_500).total_seconds()

_T = TypeVar("_T")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider is started.

    Attributes:
        book: The file of the book.
        port: The TCP port; 0 finds a free one.
        key_retention: For how long a key is honoured.
        keys_optional: Whether payments and refunds may come without a key.
        faults: The fault plan to begin with.
        parent: The process to end with; 0: none.
    """

    book: Path
    port: int = 0
    key_retention: timedelta = DEFAULT_RETENTION
    keys_optional: bool = False
    faults: FaultPlan = FaultPlan()
    parent: int = 0


class Provider:
    """Routes requests to the counter, and is away when its plan says so.

    Args:
        settings: How it was started.
        book: Its book.
        counter: Takes the requests.
        journal: The book's file.
        port: The TCP port.

    Attributes:
        failure: Fails when it cannot listen again after it was down.
    """

    def __init__(self, settings: Settings, book: Book, counter: Counter, journal: Journal, port: int) -> None:
        self._settings = settings
        self._book = book
        self._counter = counter
        self._journal = journal
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
        """Answer one request; the plan and the book can be had while the provider is down."""
        watched = await self._watch(request)
        if watched is not None:
            return watched
        if self._refusing:
            self._counter.run.count("down")
            return answer(problem(503, "down", "this provider is down"), retry_after="1")
        return await self._serve(request)

    async def _watch(self, request: Request) -> Reply | None:
        """What no real provider has: the fault plan and the whole book. Nothing when it is another request."""
        reply: Reply | None = None
        match request.method, request.path:
            case "PUT", ("faults",):
                reply = self._put_faults(request)
            case "GET", ("faults",):
                reply = answer(self._counter.run.report())
            case "GET", ("book",):
                await self._journal.flushed()
                lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._book)
                reply = Answer(status=200, body=lines, content_type="application/x-ndjson")
            case "GET", ("book", "summary"):
                await self._journal.flushed()
                reply = answer(self._book.summary())
            case _:
                pass
        return reply

    async def _serve(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", ("health",):
                reply = answer({"status": "ok", "pid": os.getpid()})
            case "POST", ("payments",):
                reply = await self._pay(request)
            case "POST", ("payments", payment_id, "refund"):
                reply = await self._refund(request, payment_id)
            case "POST", ("keys", key, "void"):
                reply = await self._counter.void(key) if _KEY.match(key) else answer(_bad_key(key))
            case "GET", ("payments",):
                reply = await self._look_up(request, EntryKind.PAYMENT)
            case "GET", ("refunds",):
                reply = await self._look_up(request, EntryKind.REFUND)
            case "GET", ("payments", payment_id):
                reply = await self._counter.show(payment_id)
            case _:
                place = f"{request.method} /{'/'.join(request.path)}"
                reply = answer(problem(404, "no-such-route", f"{place} is nothing that this provider knows"))
        return reply

    async def _pay(self, request: Request) -> Reply:
        key = self._key(request)
        if isinstance(key, Problem):
            return answer(key)
        order = _decoded(request.body, Order)
        return answer(order) if isinstance(order, Problem) else await self._counter.pay(order, key)

    async def _refund(self, request: Request, payment_id: str) -> Reply:
        key = self._key(request)
        if isinstance(key, Problem):
            return answer(key)
        if request.body.strip() not in {b"", b"{}"}:
            return answer(problem(422, "body-invalid", "a refund gives all back and takes no fields"))
        return await self._counter.refund(payment_id, key)

    async def _look_up(self, request: Request, kind: EntryKind) -> Reply:
        key = request.query.get("key", "")
        if not key:
            return answer(problem(400, "key-missing", f"ask for one key: GET /{kind}s?key=..."))
        return await self._counter.look_up(kind, key)

    def _key(self, request: Request) -> str | Problem:
        """The Idempotency-Key: a quoted string, as the draft says, or a bare one, as most send it."""
        text = request.headers.get("idempotency-key", "").strip()
        if not text:
            needed = problem(400, "key-missing", "send the header Idempotency-Key, with a key of this payment's own")
            return "" if self._settings.keys_optional else needed
        key = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
        return key if _KEY.match(key) else _bad_key(key)

    def _put_faults(self, request: Request) -> Reply:
        plan = _decoded(request.body, FaultPlan)
        if isinstance(plan, Problem):
            return answer(plan)
        self._put(plan)
        return answer(self._counter.run.report())

    def _put(self, plan: FaultPlan) -> None:
        self._counter.put(plan)
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
                self._counter.run.count("down")
        await asyncio.sleep(down.seconds)
        self._refusing = False
        try:
            await self._open()
        except OSError as taken:
            self.failure.set_exception(taken)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent.

    Raises:
        SimulationFailed: the book is damaged or another's, or the port is taken.
    """
    port = await _free_port(settings.port)
    journal, events = Journal.open(settings.book)
    book = Book(settings.key_retention)
    for event in events:
        book.apply(event)
    provider = Provider(settings, book, Counter(book, journal), journal, port)
    writing = asyncio.create_task(journal.run())
    ending = asyncio.create_task(_end(settings.parent))
    await provider.open()
    ready = {"url": f"http://{HOST}:{port}", "port": port, "pid": os.getpid()}
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
    await asyncio.wait({writing, ending, provider.failure}, return_when=asyncio.FIRST_COMPLETED)
    provider.close()
    ending.cancel()
    journal.close()
    await writing  # raises when the disk refused: memory was ahead of the file, and only ending mends that
    journal.release()
    if provider.failure.done():
        provider.failure.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="interlock.sim.provider", description="A simulated payment provider.")
    parser.add_argument("--book", type=Path, required=True, help="the file of the book; made when it is not there")
    parser.add_argument("--port", type=int, default=0, help="the TCP port on 127.0.0.1; 0 finds a free one")
    parser.add_argument("--key-retention", type=float, default=DEFAULT_RETENTION.total_seconds(), help="seconds")
    parser.add_argument("--keys-optional", action="store_true", help="take payments without Idempotency-Key")
    parser.add_argument("--faults", default="{}", help="the fault plan to begin with, JSON")
    parser.add_argument("--parent", type=int, default=0, help="end with this process, which must be the parent")
    given = parser.parse_args(arguments)
    try:
        faults = _decoded(given.faults.encode(), FaultPlan)
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
        asyncio.run(serve(settings))
    except (InterlockError, OSError) as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code if isinstance(failure, InterlockError) else 1
    return 0


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


def _decoded(body: bytes, kind: type[_T]) -> _T | Problem:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as wrong:
        return problem(422, "body-invalid", str(wrong))
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        return problem(400, "not-json", str(wrong))


def _bad_key(key: str) -> Problem:
    return problem(400, "key-invalid", f"{key[:60]!r} is no key: use 1 to 255 visible ASCII characters")


if __name__ == "__main__":
    sys.exit(main())
