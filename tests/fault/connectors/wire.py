"""Servers on loopback that answer with whatever bytes a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"


Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(converse: Converse) -> AsyncGenerator[int]:
    """A server on loopback, by its port; at the end every connection is cut and every conversation over."""
    open_ones: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await converse(reader, writer)
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones[asyncio.ensure_future(one(reader, writer))] = writer

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in open_ones.values():
            writer.transport.abort()
        async with asyncio.timeout(5):
            await asyncio.gather(*open_ones)
            await server.wait_closed()
        await asyncio.sleep(0)  # lets the transports tell their sockets


async def until_closed(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing, ever."""
    while await reader.read(65_536):
        pass


class Wire:
    """A server that answers each request with the same bytes and then closes, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer = b""
        self.reset = False
        self.requests: list[bytes] = []
        self.url = ""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b"0")
        self.requests.append(head + await reader.readexactly(int(length)))
        writer.write(self.answer)
        await writer.drain()
        if self.reset:
            writer.transport.abort()

    def says(self, body: bytes, head: bytes = OK + JSON) -> None:
        """Answer with a body."""
        self.answer = head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def closed_port() -> int:
    """A port below those of outgoing connections, at which nothing listens."""
    for port in range(19_000, 19_900):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    pytest.fail("every port is taken")
