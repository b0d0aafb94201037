"""HTTP/1.1 (RFC 9112) over loopback, with what a web framework does not offer: closing without an answer.

h11 keeps to the protocol; a connection serves its requests one after another and many connections run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import h11
import msgspec

from interlock.sim.problem import Problem, problem

HOST = "127.0.0.1"
LARGEST_BODY = 256 * 1024
"""Bytes; a fault plan is the largest thing that anybody sends."""

_READ_SIZE = 64 * 1024
_BACKLOG = 1024


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came in whole.

    Attributes:
        method: Such as ``POST``.
        path: The segments of the path, decoded: ``/keys/a%2Fb/void`` is ``("keys", "a/b", "void")``.
        query: The first value of each parameter of the query, decoded.
        headers: By name in lower case.
        body: The bytes of the body.
    """

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to send.

    Attributes:
        status: The HTTP status.
        body: The bytes of the body.
        content_type: Their media type.
        headers: More headers, by name.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Dropped(msgspec.Struct, frozen=True):
    """Instead of an answer: close the connection."""


class Raw(msgspec.Struct, frozen=True):
    """Instead of an answer: these bytes as they are, and the connection is closed behind them.

    Attributes:
        parts: The bytes, in parts.
        pause_s: Seconds between two parts.
    """

    parts: tuple[bytes, ...]
    pause_s: float = 0.0


Reply = Answer | Dropped | Raw


def answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON; ``retry_after="1"`` gives the header Retry-After."""
    if isinstance(value, Problem):
        status, content_type = value.status, "application/problem+json"
    else:
        content_type = "application/json"
    named = {name.replace("_", "-").title(): text for name, text in headers.items()}
    return Answer(status=status, body=msgspec.json.encode(value), content_type=content_type, headers=named)


class Listener:
    """A listening socket on loopback whose connections can all be cut, and that can be shut and opened again.

    Args:
        port: The TCP port; 0 takes a free one.
        handle: Answers one request; it is not told when the client goes away.
    """

    def __init__(self, port: int, handle: Callable[[Request], Awaitable[Reply]]) -> None:
        self._port = port
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else self._port

    async def open(self) -> None:
        """Listen; nothing when it does.

        Raises:
            OSError: the port is another's.
        """
        if self._server is None:
            self._server = await asyncio.start_server(
                self._converse, HOST, self._port, backlog=_BACKLOG, reuse_address=True
            )

    def shut(self) -> int:
        """Stop listening and cut every connection; what is being handled goes on. Returns how many were cut."""
        if self._server is not None:
            self._server.close()
            self._server = None
        cut = len(self._open)
        for writer in tuple(self._open):
            writer.transport.abort()
        return cut

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._serve(h11.Connection(h11.SERVER), reader, writer)
        except (ConnectionError, h11.LocalProtocolError):
            pass  # the client went away before its answer, as clients do
        finally:
            self._open.discard(writer)
            writer.close()

    async def _serve(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                request = await _receive(connection, reader)
            except h11.RemoteProtocolError as broken:
                await _send(connection, writer, answer(problem(400, "malformed-http", str(broken)), connection="close"))
                return
            if request is None:
                return
            reply = request if isinstance(request, Answer) else await self._handle(request)
            if isinstance(reply, Dropped):
                writer.transport.abort()
                return
            if isinstance(reply, Raw):
                await _send_raw(writer, reply)
                return
            await _send(connection, writer, reply)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | Answer | None:
    """The next request whole, an answer that refuses its size, or nothing when the client has closed."""
    head: h11.Request | None = None
    parts: list[bytes] = []
    size = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_SIZE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > LARGEST_BODY:
                return answer(
                    problem(413, "body-too-large", f"the body has more than {LARGEST_BODY} bytes"), connection="close"
                )
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, b"".join(parts))
        else:
            return None


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("ascii").partition("?")
    return Request(
        method=head.method.decode("ascii"),
        path=tuple(unquote(segment) for segment in path.strip("/").split("/")),
        query={name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()},
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
        body=body,
    )


async def _send_raw(writer: asyncio.StreamWriter, reply: Raw) -> None:
    for place, part in enumerate(reply.parts):
        if place:
            await asyncio.sleep(reply.pause_s)
        writer.write(part)
        await writer.drain()


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, reply: Answer) -> None:
    headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body))), *reply.headers.items()]
    writer.write(
        connection.send(h11.Response(status_code=reply.status, headers=headers))
        + connection.send(h11.Data(data=reply.body))
        + connection.send(h11.EndOfMessage())
    )
    await writer.drain()
