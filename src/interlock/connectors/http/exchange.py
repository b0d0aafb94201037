"""One exchange over HTTP/1.1: a request goes out under a deadline, and an answer comes back or is lost.

What was lost says whether surely no byte of the request was sent; only that makes it transient. Connectors that act
over HTTP share this file; it knows nothing of operations.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from interlock.actions.connector import InDoubt, Sent, Transient
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.answer import LARGEST_ANSWER, Answer
from interlock.errors import ConfigInvalid

DEADLINE_HEADER = "X-Request-Deadline"
"""When the answer is no longer waited for: RFC 3339, UTC, to the millisecond."""
MOST_CONNECTIONS = 64
"""At once; more requests wait for a free one."""

_IDLE_SECONDS = 5.0
"""Short, so that few requests meet a connection that the other side is just closing: those end in doubt."""
_SHARE = 0.3
"""Of a request's time, the most that waiting for a free connection, connecting, and the TLS handshake may each take.
Together they end before the request does: cancelled from outside, a handshake leaves its socket open."""
_DEEPEST_CAUSE = 8


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, ready to be sent but for the deadline's header.

    Attributes:
        method: POST, PUT, PATCH, DELETE or GET.
        url: The whole address.
        headers: By name.
        content: The bytes of the body; None: there is none.
        deadline: When the answer must be there, UTC.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no answer.

    Attributes:
        what: Why.
        code: The same in a word: ``timeout``, ``connection-refused``, ``no-such-host``, ``tls``, ``no-connection``,
            ``busy``, ``answer-lost``, ``answer-too-large``, ``late``, ``closed``, ``unsendable``.
        unsent: Whether surely no byte of the request was sent.
    """

    what: str
    code: str
    unsent: bool

    @property
    def sent(self) -> Sent:
        """What that means for the effect."""
        return Transient(self.what, code=self.code) if self.unsent else InDoubt(self.what, code=self.code)


class _TooLarge(Exception):
    """The body is larger than what is read."""


class _Trail:
    """How far a request came, as the HTTP library tells."""

    def __init__(self) -> None:
        self._last = ""

    async def note(self, event: str, _details: Mapping[str, Any]) -> None:
        """Take one event of httpcore: ``connection.connect_tcp.started``, ``http11.send_request_headers.started``."""
        self._last = event

    @property
    def is_connecting(self) -> bool:
        """Whether it was seen that the connection was still being made; then no byte of the request was sent."""
        return self._last.startswith("connection.")


class Exchange:
    """Connections to one outside system. Owned by one event loop, in which it makes them when it first needs one.

    Args:
        terms: The connector's settings.
        now: The time in UTC, as the deadlines of requests mean it.
        environ: Where secrets are that are kept in the environment.
    """

    def __init__(
        self, terms: ConnectorSettings, *, now: Callable[[], datetime], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._terms = terms
        self._now = now
        self._environ = environ
        self._client: httpx.AsyncClient | None = None
        self._closed = False

    async def secret(self) -> str:
        """The secret, fetched anew each time, so that a new one is used at once; empty if there is none.

        Raises:
            ConfigInvalid: it is not there; its text is in no message.
        """
        reference = self._terms.secret
        if reference is None:
            return ""
        if reference.source == "file":
            return await asyncio.to_thread(reference.resolve, self._environ)
        return reference.resolve(self._environ)

    async def token(self) -> str:
        """The secret as a bearer token; empty if there is none.

        Raises:
            ConfigInvalid: it is not there, or cannot be a token; its text is in no message.
        """
        secret = await self.secret()
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigInvalid(f"what is in {self._terms.secret} is no token", todo="put it there alone, on one line")
        return secret

    async def send(self, outgoing: Outgoing) -> Answer | Lost:
        """Send and read, within the deadline and the connector's time limit. Nothing is sent twice, or redirected."""
        seconds = min((outgoing.deadline - self._now()).total_seconds(), self._terms.timeout.total_seconds())
        if self._closed:
            return Lost("the connector is closed", "closed", unsent=True)
        if seconds <= 0:
            return Lost("its deadline had passed before it was sent", "late", unsent=True)
        # without path and query: of some addresses they are the credential
        place = f"{outgoing.method} {urlsplit(self._terms.url)._replace(path='', query='').geturl()}"
        trail = _Trail()
        try:
            request = self._request(outgoing, seconds, trail)
        except (httpx.InvalidURL, ValueError, TypeError) as cause:
            return Lost(f"{place}: it cannot be sent: {_cut(cause)}", "unsendable", unsent=True)
        try:
            async with asyncio.timeout(seconds):
                return await self._converse(request)
        except Exception as cause:  # noqa: BLE001 - a surprise in a library says nothing about the effect
            return _lost(cause, place, seconds, trail)

    async def close(self) -> None:
        """Let go of connections; what is asked afterwards is not sent."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _request(self, outgoing: Outgoing, seconds: float, trail: _Trail) -> httpx.Request:
        deadline = outgoing.deadline.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._connections().build_request(
            outgoing.method,
            outgoing.url,
            headers={**outgoing.headers, DEADLINE_HEADER: deadline},
            content=outgoing.content,
            timeout=httpx.Timeout(None, connect=seconds * _SHARE, pool=seconds * _SHARE),
            extensions={"trace": trail.note},
        )

    async def _converse(self, request: httpx.Request) -> Answer:
        response = await self._connections().send(request, stream=True)
        try:
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise _TooLarge
        finally:
            await response.aclose()
        # A body in a coding that was not asked for is no JSON, and is judged as such; inflating it could fill the
        # memory.
        return Answer(
            status=response.status_code, body=bytes(body), retry_after=response.headers.get("Retry-After", "").strip()
        )

    def _connections(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "interlock"},
                # What one tenant's request is told to remember must not travel with the next one's.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                # Neither a proxy nor a .netrc of the environment may see or add a credential.
                trust_env=False,
                limits=httpx.Limits(
                    max_connections=MOST_CONNECTIONS,
                    max_keepalive_connections=MOST_CONNECTIONS,
                    keepalive_expiry=_IDLE_SECONDS,
                ),
            )
        return self._client


def _lost(cause: Exception, place: str, seconds: float, trail: _Trail) -> Lost:
    """Why there is no answer. INVARIANT: unsent only where it is known that no byte of the request was sent."""
    match cause:
        case TimeoutError():
            return Lost(f"{place}: no answer within {seconds:.1f} s", "timeout", unsent=trail.is_connecting)
        case httpx.PoolTimeout():
            return Lost(f"{place}: all {MOST_CONNECTIONS} connections were busy", "busy", unsent=True)
        case httpx.ConnectTimeout():
            return Lost(f"{place}: no connection within {seconds * _SHARE:.1f} s", "connect-timeout", unsent=True)
        case httpx.ConnectError():
            return Lost(f"{place}: no connection: {_cut(cause)}", _no_connection(cause), unsent=True)
        case _TooLarge():
            what = f"{place}: the answer has more than {LARGEST_ANSWER:,} bytes"
            return Lost(what, "answer-too-large", unsent=False)
        case _:
            what = f"{place}: the answer was lost: {type(cause).__name__}: {_cut(cause)}"
            return Lost(what, "answer-lost", unsent=trail.is_connecting)


def _no_connection(cause: BaseException) -> str:
    """In a word, why there is no connection: the system's own error lies behind the libraries'."""
    behind: BaseException | None = cause
    for _ in range(_DEEPEST_CAUSE):
        match behind:
            case None:
                break
            case ConnectionRefusedError():
                return "connection-refused"
            case socket.gaierror():
                return "no-such-host"
            case ssl.SSLError():
                return "tls"
            case _:
                behind = behind.__cause__ or behind.__context__
    return "no-connection"


def _cut(cause: Exception) -> str:
    return str(cause)[:300]
