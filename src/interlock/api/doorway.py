"""At the door: what has no room is turned away before it becomes a request, for a small part of what a decision costs.

At three times its capacity a server says no twice for each decision that it takes. Said by the application, each no
costs a sixth of a decision, and a third of the server is spent on saying it. Said here, as soon as the head of a
request is read and without task, scope or routes, it is a few lines and one write. The answer is the same problem
document as everywhere, encoded once; only the trace in it changes.

Health is asked most when there is no room, so it is always answered.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from interlock.api.admission import RETRY_AFTER_S, Admission
from interlock.api.deciding import overloaded_problem
from interlock.api.problems import MEDIA_TYPE, Problem
from interlock.api.sending import HEADERS
from interlock.api.trace import Trace, begin_trace

DECISIONS, HEALTH = b"/v1/decisions", b"/health"
MOST_AT_ONCE = 2000
"""Requests under way in one process, of all kinds; decisions have a closer limit of their own."""
MOST_CONNECTIONS = 10_000
"""Beyond it connections are closed after their next answer, which is a no, until there are fewer."""
_NO_TRACE = "0" * 32


class Refusal:
    """A no that differs from the next one only in its trace.

    Args:
        problem: What it says, for no trace.
    """

    def __init__(self, problem: Problem) -> None:
        body = msgspec.json.encode(problem)
        lines = [
            b"HTTP/1.1 503 Service Unavailable",
            b"content-type: " + MEDIA_TYPE.encode(),
            b"content-length: %d" % len(body),
            b"retry-after: %d" % RETRY_AFTER_S,
            *(name + b": " + value for name, value in HEADERS),
            b"traceparent: ",
        ]
        self._head = b"\r\n".join(lines)
        self._before, trace, self._after = body.partition(_NO_TRACE.encode())
        if not trace or _NO_TRACE.encode() in self._after:
            raise AssertionError("a problem names its trace once")

    def answer(self, trace: Trace, *, closes: bool) -> bytes:
        """The whole answer.

        Args:
            trace: The request's.
            closes: Whether the connection ends with it.
        """
        end = b"\r\nconnection: close\r\n\r\n" if closes else b"\r\n\r\n"
        return b"".join((self._head, trace.parent.encode(), end, self._before, trace.id.encode(), self._after))


NO_DECISION = Refusal(overloaded_problem(_NO_TRACE, RETRY_AFTER_S))
NO_REQUEST = Refusal(
    Problem(
        type="urn:interlock:problem:overloaded",
        title="There is no room for another request at this moment",
        status=503,
        detail="this process has as many requests under way, or connections open, as it can serve; nothing was done",
        code="overloaded",
        todo=f"send it again in {RETRY_AFTER_S} s, or to another process",
        trace=_NO_TRACE,
    )
)


class Doorway(HttpToolsProtocol):
    """One connection of a caller.

    Args:
        admission: Whether there is room for a decision; None: the application takes none.
        wired: What uvicorn gives each of its connections.
    """

    def __init__(self, admission: Admission | None = None, **wired: Any) -> None:
        super().__init__(**wired)
        self._admission = admission

    def on_headers_complete(self) -> None:
        """Turn the request away, or let it in."""
        parser = self.parser
        if parser is None or self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        # else it is queued behind another of this connection, or behind answers that nobody reads
        is_next = (cycle is None or cycle.response_complete) and not self.flow.write_paused
        refusal = self._refusal(parser) if is_next and not parser.should_upgrade() else None
        if refusal is None:
            super().on_headers_complete()
        else:
            self._refuse(parser, refusal)

    def on_message_complete(self) -> None:
        """The body is here; one that nobody waits for is dropped, and the connection may idle from now on."""
        super().on_message_complete()
        if self.cycle is _ANSWERED and not self.transport.is_closing():
            self._idle()

    def _refusal(self, parser: HttpRequestParser) -> Refusal | None:
        if self.url == HEALTH:
            return None
        if len(self.tasks) >= MOST_AT_ONCE or len(self.connections) > MOST_CONNECTIONS:
            return NO_REQUEST
        if self.url == DECISIONS and self._admission is not None and parser.get_method() == b"POST":
            return None if self._admission.has_room() else NO_DECISION
        return None

    def _refuse(self, parser: HttpRequestParser, refusal: Refusal) -> None:
        crowded = len(self.connections) > MOST_CONNECTIONS
        # who asked whether to send the body may keep it now, or not: what comes next could be either
        unsure = self.expect_100_continue or parser.get_http_version() == "1.0"
        closes = crowded or unsure or not parser.should_keep_alive()
        self.cycle = _ANSWERED
        self.transport.write(refusal.answer(begin_trace(self.headers), closes=closes))
        if closes:
            self.transport.close()

    def _idle(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)


_ANSWERED = cast(
    "RequestResponseCycle",
    SimpleNamespace(response_complete=True, disconnected=False, keep_alive=True, message_event=asyncio.Event()),
)
"""In place of a request that was turned away: its answer is complete, and what follows of its body is dropped."""
