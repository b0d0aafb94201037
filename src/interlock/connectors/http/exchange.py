"""One exchange over HTTP/1.1: a request goes out under a deadline, and an answer comes back or is lost.

What was lost says whether surely no byte of the request was sent; only that makes it transient. Connectors that act
over HTTP share this file; it knows nothing of operations.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import h11

from interlock.actions.connector import InDoubt, Sent, Transient
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.http.answer import LARGEST_ANSWER, Answer
from interlock.connectors.http.wire import Busy, Connections, NoConnection, TooLarge, Trail
from interlock.connectors.secret import fetch_secret
from interlock.connectors.unreachable import why_unreachable
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
# Nothing of the environment takes part: no proxy, no .netrc, no cookie. What one tenant's request is told to remember
# must not travel with the next one's.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "interlock"}


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
        self._connections: Connections | None = None
        self._closed = False

    async def secret(self) -> str:
        """The secret, fetched anew each time, so that a new one is used at once; empty if there is none.

        Raises:
            ConfigInvalid: it is not there; its text is in no message.
        """
        return await fetch_secret(self._terms.secret, self._environ)

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
        trail = Trail()
        try:
            async with asyncio.timeout(seconds):
                return await self._converse(outgoing, seconds, trail)
        except Exception as cause:  # noqa: BLE001 - a surprise in a library says nothing about the effect
            return _lost(cause, place, seconds, trail)

    async def close(self) -> None:
        """Let go of connections; what is asked afterwards is not sent."""
        self._closed = True
        if self._connections is not None:
            self._connections.close()

    async def _converse(self, outgoing: Outgoing, seconds: float, trail: Trail) -> Answer:
        deadline = outgoing.deadline.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        address = urlsplit(outgoing.url)
        content = outgoing.content or b""
        headers = {
            "Host": address.netloc,
            **_HEADERS,
            **outgoing.headers,
            DEADLINE_HEADER: deadline,
            **({"Content-Length": str(len(content))} if content or outgoing.method != "GET" else {}),
        }
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        response = await self._origin().converse(
            outgoing.method,
            target.encode("ascii"),
            [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()],
            content,
            patience_s=seconds * _SHARE,
            largest=LARGEST_ANSWER,
            trail=trail,
        )
        # A body in a coding that was not asked for is no JSON, and is judged as such; inflating it could fill the
        # memory.
        return Answer(status=response.status, body=response.body, retry_after=response.header(b"retry-after"))

    def _origin(self) -> Connections:
        if self._connections is None:
            address = urlsplit(self._terms.url)
            secure = address.scheme == "https"
            self._connections = Connections(
                address.hostname or "",
                address.port or (443 if secure else 80),
                tls=ssl.create_default_context() if secure else None,
                most=MOST_CONNECTIONS,
                idle_s=_IDLE_SECONDS,
            )
        return self._connections


def _lost(  # noqa: PLR0911 - one line for each way to lose an answer
    cause: Exception, place: str, seconds: float, trail: Trail
) -> Lost:
    """Why there is no answer. INVARIANT: unsent only where it is known that no byte of the request was sent."""
    unsent = not trail.begun
    match cause:
        case NoConnection() if isinstance(cause.__cause__, TimeoutError):
            return Lost(f"{place}: no connection within {seconds * _SHARE:.1f} s", "connect-timeout", unsent)
        case NoConnection():
            return Lost(f"{place}: no connection: {_cut(cause)}", why_unreachable(cause), unsent)
        case Busy():
            return Lost(f"{place}: all {MOST_CONNECTIONS} connections were busy", "busy", unsent)
        case TooLarge():
            what = f"{place}: the answer has more than {LARGEST_ANSWER:,} bytes"
            return Lost(what, "answer-too-large", unsent)
        case TimeoutError():
            return Lost(f"{place}: no answer within {seconds:.1f} s", "timeout", unsent)
        case h11.LocalProtocolError() | UnicodeError() if unsent:
            return Lost(f"{place}: it cannot be sent: {_cut(cause)}", "unsendable", unsent)
        case _:
            what = f"{place}: the answer was lost: {type(cause).__name__}: {_cut(cause)}"
            return Lost(what, "answer-lost", unsent)


def _cut(cause: Exception) -> str:
    return str(cause)[:300]
