"""What stands before the routes: decisions in line, answered without a framework in between, and everything else.

A decision takes a fraction of a millisecond of processor time, and routing, middleware and response objects would take
as much again. So ``POST /v1/decisions`` is answered here; the route of that name says in the OpenAPI document what it
takes and gives, and leads here too. Its refusals and failures are the same problem documents as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.types import Receive, Scope, Send

from interlock.api.admission import RETRY_AFTER_S, Admission
from interlock.api.call import allowed, secret_of
from interlock.api.deciding import JSON, Reply, answer_decision, overloaded
from interlock.api.endpoint import MOST_BYTES, SECONDS
from interlock.api.keys import Callers
from interlock.api.keys import Scope as KeyScope
from interlock.api.problems import MEDIA_TYPE, headers_of, log_problem, problem_of
from interlock.api.sending import HEADERS
from interlock.api.trace import begin_trace
from interlock.authority.judge import everything
from interlock.node import Node

DECISIONS = "/v1/decisions"
NEEDS = (KeyScope.DECIDE,)
ACT = "decision.ask"


class Front:
    """The application that is served.

    Args:
        app: The routes.
        node: The process.
        callers: Finds whose key it is.
    """

    def __init__(self, app: Litestar, node: Node, callers: Callers) -> None:
        self.app = app
        self.admission = app.state["admission"] = Admission()
        self.at_end: list[Callable[[], None]] = []
        """Called when serving ends: what stays open for long is to end now, before others are waited for."""
        self._node = node
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == DECISIONS and scope["method"] == "POST":
            await self._answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        trace = begin_trace(scope["headers"])
        try:
            async with asyncio.timeout(SECONDS):
                reply = await self._decide(headers, receive, trace.id)
        except Exception as cause:  # noqa: BLE001 - whatever it is, the caller gets a problem document
            reply = _failed(cause, trace.id)
        await _send(send, reply, trace.parent)

    async def _decide(self, headers: Mapping[bytes, bytes], receive: Receive, trace: str) -> Reply:
        """INVARIANT: who sends slowly takes no place from anybody: it is given once the body is here."""
        if not self.admission.has_room():  # the door looked, too, but more may have come through it at once
            return overloaded(trace, RETRY_AFTER_S)
        secret = secret_of(headers.get(b"authorization", b"").decode("latin-1"))
        caller = allowed(await self._callers.find_lately(secret), NEEDS)
        self._node.authority.require(caller.actor, ACT, everything(caller.tenant))
        sent = headers.get(b"content-type", JSON).partition(b";")[0].strip().lower()
        if sent != JSON:
            said = sent[:60].decode("latin-1")
            raise HTTPException(status_code=415, detail=f"the body is said to be {said}, not application/json")
        body = await _read(headers, receive)
        caller = allowed(await self._callers.find_lately(secret), NEEDS)  # the body may have been long on its way
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        ticket = self.admission.enter()
        if ticket is None:
            return overloaded(trace, RETRY_AFTER_S)
        try:
            return await answer_decision(self._node, caller, body, header_key=key, trace=trace, ticket=ticket)
        finally:
            ticket.leave()


async def _read(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MOST_BYTES:
        raise HTTPException(status_code=413, detail=f"the body has more than {MOST_BYTES} bytes")
    parts: list[bytes] = []
    size = 0
    while True:
        message: Mapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(status_code=400, detail="the connection ended before the body did")
        part = message.get("body", b"")
        if not message.get("more_body"):
            return part if not parts else b"".join((*parts, part))
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise HTTPException(status_code=413, detail=f"the body has more than {MOST_BYTES} bytes")


def _failed(cause: Exception, trace: str) -> Reply:
    problem = problem_of(cause, trace)
    log_problem(problem, cause, "POST", DECISIONS)
    headers = [(name.lower().encode(), value.encode()) for name, value in headers_of(problem, cause).items()]
    return Reply(problem.status, msgspec.json.encode(problem), MEDIA_TYPE.encode(), headers)


async def _send(send: Send, reply: Reply, trace: str) -> None:
    headers = [
        (b"content-type", reply.media_type),
        (b"content-length", b"%d" % len(reply.content)),
        *reply.headers,
        *HEADERS,
        (b"traceparent", trace.encode()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})  # type: ignore[arg-type]
    await send({"type": "http.response.body", "body": reply.content, "more_body": False})
