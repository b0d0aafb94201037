"""HTTP/1.1 over connections that are kept: the protocol is h11's, the sockets are asyncio's.

Two things are told here that an HTTP client library keeps to itself, and that decide whether a payment is in doubt:
whether a byte of a request may have left, and that no request is ever sent a second time behind the caller's back, not
even by a method that HTTP calls idempotent. See docs/decisions/0009-http-out-on-h11.md.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import h11


class Busy(Exception):
    """All connections are in use, and none became free in time."""


class NoConnection(Exception):
    """No connection came about; the cause says why. Nothing was sent."""


class TooLarge(Exception):
    """The body is larger than what is read."""


@dataclass(slots=True)
class Trail:
    """How far a request came.

    Attributes:
        begun: Whether a byte of it may have left.
    """

    begun: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Attributes:
        status: The status code.
        headers: Names in small letters, and values; as they came.
        body: The whole body, in whatever coding it has.
    """

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    body: bytes = b""

    def header(self, name: bytes) -> str:
        """The first header of that name (small letters), or nothing."""
        return next((value.decode("latin-1").strip() for known, value in self.headers if known == name), "")


class _Connection(asyncio.Protocol):
    """One socket, what came in and is not read yet, and where its protocol stands."""

    def __init__(self) -> None:
        self.protocol = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._came = bytearray()
        self._ended = False
        self._lost: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._tell()

    def eof_received(self) -> bool:
        self._ended = True
        self._tell()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._lost = exc
        self._tell()

    def _tell(self) -> None:
        if self._news and not self._news.done():
            self._news.set_result(None)

    @property
    def is_fresh(self) -> bool:
        """Whether the other side has neither closed it nor said what nobody asked for, as of this moment.

        The socket itself is asked: that it was closed may not have come through the event loop yet.
        """
        if self._ended or self._came or self._transport is None:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if self._transport is None or self._ended:
            raise ConnectionResetError("the other side has closed the connection")
        self._transport.write(data)

    async def read(self) -> bytes:
        """What came since; nothing at the end.

        Raises:
            OSError: the connection broke.
        """
        while not self._came and not self._ended:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if not self._came and self._lost:
            raise self._lost
        data = bytes(self._came)
        self._came.clear()
        return data

    def abort(self) -> None:
        """Let go of the socket at once."""
        if self._transport is not None:
            self._transport.abort()


class Connections:
    """Connections to one origin. Owned by one event loop.

    Args:
        host: Its name or address.
        port: Its port.
        tls: How it is spoken to over TLS; None: not.
        most: How many connections there are at once; more requests wait for a free one.
        idle_s: How long one is kept that nobody uses.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, most: int, idle_s: float) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._idle_s = idle_s
        self._free = asyncio.Semaphore(most)
        self._idle: deque[_Connection] = deque()

    async def converse(
        self,
        method: str,
        target: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        content: bytes,
        *,
        patience_s: float,
        largest: int,
        trail: Trail,
    ) -> Response:
        """Send one request, once, and read its answer.

        Args:
            method: The method.
            target: Path and query, encoded.
            headers: All of them, ``Host`` too.
            content: The body.
            patience_s: The most that waiting for a free connection, and making one, may each take.
            largest: The longest body that is read.
            trail: Told how far the request came.

        Raises:
            Busy: no connection became free in time.
            NoConnection: none came about.
            TooLarge: the body is longer than ``largest``.
            OSError, EOFError, h11.ProtocolError: the answer was lost.
        """
        request = h11.Request(method=method, target=target, headers=list(headers))
        try:
            async with asyncio.timeout(patience_s):
                await self._free.acquire()
        except TimeoutError as cause:
            raise Busy from cause
        try:
            return await self._on(await self._connected(patience_s), request, content, largest, trail)
        finally:
            self._free.release()

    def close(self) -> None:
        """Let go of those that nobody uses."""
        while self._idle:
            self._idle.pop().abort()

    async def _connected(self, patience_s: float) -> _Connection:
        oldest = time.monotonic() - self._idle_s
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().abort()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh:
                return connection
            connection.abort()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience_s):
                _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._tls)
        except (OSError, ValueError) as cause:  # ValueError: a certificate or a name that cannot be read
            raise NoConnection(str(cause)) from cause
        return connection

    async def _on(
        self, connection: _Connection, request: h11.Request, content: bytes, largest: int, trail: Trail
    ) -> Response:
        kept = False
        try:
            protocol = connection.protocol
            head = protocol.send(request) or b""
            body = protocol.send(h11.Data(data=content)) or b"" if content else b""
            end = protocol.send(h11.EndOfMessage()) or b""
            trail.begun = True
            connection.write(head + body + end)
            response = await self._answer(connection, largest)
            if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
                protocol.start_next_cycle()
                connection.idle_since = time.monotonic()
                self._idle.append(connection)
                kept = True
            return response
        finally:
            if not kept:
                connection.abort()

    async def _answer(self, connection: _Connection, largest: int) -> Response:
        status, headers = 0, list[tuple[bytes, bytes]]()
        body = bytearray()
        while True:
            event = connection.protocol.next_event()
            match event:
                case h11.NEED_DATA:
                    connection.protocol.receive_data(await connection.read())
                case h11.InformationalResponse():
                    pass  # 100, 102, 103: the answer is still to come
                case h11.Response():
                    status, headers = event.status_code, list(event.headers)
                case h11.Data():
                    body += event.data
                    if len(body) > largest:
                        raise TooLarge
                case h11.EndOfMessage():
                    return Response(status, headers, bytes(body))
                case _:
                    raise EOFError("the other side closed the connection before it answered")
