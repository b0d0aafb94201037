"""The HTTP connector: acts on an outside system by requests that carry key and deadline, and looks effects up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import msgspec

from interlock.actions.connector import (
    Abilities,
    InDoubt,
    LookedUp,
    Permanent,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
)
from interlock.connector_settings import ConnectorSettings, refuse_unused
from interlock.connectors.http.answer import LARGEST_ANSWER, Answer, judge, judge_look_up
from interlock.connectors.http.operation import Operation
from interlock.connectors.http.tables import read_operations
from interlock.connectors.http.template import filled
from interlock.errors import ConfigInvalid, Refused
from interlock.spelling import meant

DEADLINE_HEADER = "X-Request-Deadline"
"""When the answer is no longer waited for: RFC 3339, UTC, to the millisecond."""
MOST_CONNECTIONS = 64
"""At once; more requests wait for a free one."""

_IDLE_SECONDS = 5.0
"""Short, so that few requests meet a connection that the other side is just closing: those end in doubt."""
_SHARE = 0.3
"""Of a request's time, the most that waiting for a free connection, connecting, and the TLS handshake may each take.
Together they end before the request does: cancelled from outside, a handshake leaves its socket open."""
_UNSENDABLE = (Refused, UnicodeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A request, ready to be sent but for the secret."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    deadline: datetime


@dataclass(frozen=True, slots=True)
class _Lost:
    """There is no answer.

    Attributes:
        what: Why.
        unsent: Whether surely no byte of the request was sent.
    """

    what: str
    unsent: bool


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


class HttpConnector:
    """Carries out operations over HTTP/1.1, and looks their effects up. It holds connections and no other state.

    Owned by one event loop, in which it makes its connections when it first needs one.

    Args:
        name: Its name in the settings.
        terms: Its settings.
        now: The time in UTC, as the deadlines of requests mean it.
        environ: Where secrets are that are kept in the environment.

    Raises:
        ConfigInvalid: its operations are unknown, missing or malformed; all of it is named.
    """

    def __init__(
        self,
        name: str,
        terms: ConnectorSettings,
        *,
        now: Callable[[], datetime],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        where = f"connectors.{name}"
        if not terms.url:
            raise ConfigInvalid(
                "url is missing", where=where, todo="say where it is, as in https://payments.example.com"
            )
        if not terms.url.startswith(("https://", "http://")) or any(mark in terms.url for mark in "?#"):
            raise ConfigInvalid(
                f"{terms.url[:60]!r} is no address to add a path to", where=where, todo="write https://HOST/PATH"
            )
        refuse_unused(terms, "reads", "options")
        self._name = name
        self._terms = terms
        self._now = now
        self._environ = environ
        self._operations = read_operations(terms.operations, where, can_look_up=terms.can_look_up)
        self._client: httpx.AsyncClient | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def abilities(self) -> Abilities:
        """What it can do, as the settings say."""
        terms = self._terms
        return Abilities(
            simulated=terms.simulated,
            honours_keys=terms.honours_keys,
            key_retention=terms.key_retention,
            can_look_up=terms.can_look_up,
            can_void=terms.can_void,
            max_request_life=terms.max_request_life,
        )

    async def send(self, request: Request) -> Sent:
        """Ask for the effect, once. What may have taken effect is ``InDoubt``, never ``Transient``."""
        operation = self._operations.get(request.operation)
        if operation is None:
            return Permanent(self._no_operation(request.operation))
        try:
            outgoing = self._asking(operation, request)
        except _UNSENDABLE as cause:
            return Permanent(f"{request.operation} cannot be sent: {_what(cause)}")
        try:
            secret = await self._secret()
        except Refused as cause:
            return Transient(cause.what)
        answer = await self._exchange(outgoing, secret)
        if isinstance(answer, _Lost):
            return Transient(answer.what) if answer.unsent else InDoubt(answer.what)
        return _without(judge(operation, answer, self._now()), secret)

    async def look_up(self, request: Request) -> LookedUp:
        """Look for the effect of a key, without causing any. Never raises."""
        operation = self._operations.get(request.operation)
        if operation is None:
            return Unknown(self._no_operation(request.operation))
        look_up = operation.look_up
        if look_up is None:
            return Unknown(f"connectors.{self._name}.operations.{operation.name} has no look_up")
        try:
            path = look_up.path.path(request.key, request.payload)
            outgoing = _Outgoing("GET", self._terms.url + path, {}, None, request.deadline)
            secret = await self._secret()
        except _UNSENDABLE as cause:
            return Unknown(f"{request.operation} cannot be looked up: {_what(cause)}")
        answer = await self._exchange(outgoing, secret)
        if isinstance(answer, _Lost):
            return Unknown(answer.what)
        return _without(judge_look_up(look_up, answer, request), secret)

    async def void(self, request: Request) -> Voidance:
        """Make the key void; this connector's settings name no way to do so yet."""
        return Unknown(f"no way to void {request.key} is set up")

    async def close(self) -> None:
        """Let go of connections; what is asked afterwards is not sent."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _asking(self, operation: Operation, request: Request) -> _Outgoing:
        content = None
        headers = {operation.key_header: _key_text(request.key, bare=operation.key_bare)}
        if operation.body is not None:
            content = msgspec.json.encode(filled(operation.body, request.key, request.payload))
            headers["Content-Type"] = "application/json"
        url = self._terms.url + operation.path.path(request.key, request.payload)
        return _Outgoing(operation.method, url, headers, content, request.deadline)

    async def _secret(self) -> str:
        """The secret, fetched anew each time, so that a new one is used at once; empty if there is none.

        Raises:
            ConfigInvalid: it is not there, or cannot be a token; its text is in no message.
        """
        reference = self._terms.secret
        if reference is None:
            return ""
        if reference.source == "file":
            secret = await asyncio.to_thread(reference.resolve, self._environ)
        else:
            secret = reference.resolve(self._environ)
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigInvalid(f"what is in {reference} is no token", todo="put it there alone, on one line")
        return secret

    async def _exchange(self, outgoing: _Outgoing, secret: str) -> Answer | _Lost:
        """Send and read, within the deadline and the connector's time limit."""
        seconds = min((outgoing.deadline - self._now()).total_seconds(), self._terms.timeout.total_seconds())
        if self._closed:
            return _Lost("the connector is closed", unsent=True)
        if seconds <= 0:
            return _Lost("its deadline had passed before it was sent", unsent=True)
        place = f"{outgoing.method} {self._terms.url}"
        trail = _Trail()
        try:
            request = self._request(outgoing, secret, seconds, trail)
        except (httpx.InvalidURL, ValueError, TypeError) as cause:
            return _Lost(f"{place}: it cannot be sent: {_cut(cause)}", unsent=True)
        try:
            async with asyncio.timeout(seconds):
                return await self._converse(request)
        except Exception as cause:  # noqa: BLE001 - a surprise in a library says nothing about the effect
            return _lost(cause, place, seconds, trail)

    def _request(self, outgoing: _Outgoing, secret: str, seconds: float, trail: _Trail) -> httpx.Request:
        deadline = outgoing.deadline.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = outgoing.headers | {DEADLINE_HEADER: deadline}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        return self._connections().build_request(
            outgoing.method,
            outgoing.url,
            headers=headers,
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

    def _no_operation(self, wanted: str) -> str:
        return f"connectors.{self._name} has no operation {wanted!r}; {meant(wanted, self._operations)}"


def _key_text(key: str, *, bare: bool) -> str:
    """The key as a header carries it: a string of structured fields (RFC 9651, section 3.3.3), or as it is."""
    if not key or not key.isascii() or not key.isprintable():
        raise Refused("the key is empty or has characters other than printable ASCII, which no header can carry")
    return key if bare else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lost(cause: Exception, place: str, seconds: float, trail: _Trail) -> _Lost:
    """Why there is no answer. INVARIANT: unsent only where it is known that no byte of the request was sent."""
    match cause:
        case TimeoutError():
            return _Lost(f"{place}: no answer within {seconds:.1f} s", unsent=trail.is_connecting)
        case httpx.PoolTimeout():
            return _Lost(f"{place}: all {MOST_CONNECTIONS} connections were busy", unsent=True)
        case httpx.ConnectTimeout():
            return _Lost(f"{place}: no connection within {seconds * _SHARE:.1f} s", unsent=True)
        case httpx.ConnectError():
            return _Lost(f"{place}: no connection: {_cut(cause)}", unsent=True)
        case _TooLarge():
            return _Lost(f"{place}: the answer has more than {LARGEST_ANSWER:,} bytes", unsent=False)
        case _:
            what = f"{place}: the answer was lost: {type(cause).__name__}: {_cut(cause)}"
            return _Lost(what, unsent=trail.is_connecting)


def _without(outcome: Any, secret: str) -> Any:
    """An outcome whose words do not repeat the secret, should the other side have done so."""
    what = getattr(outcome, "what", "")
    if not secret or secret not in what:
        return outcome
    return msgspec.structs.replace(outcome, what=what.replace(secret, "***"))


def _what(cause: Exception) -> str:
    return cause.what if isinstance(cause, Refused) else _cut(cause)


def _cut(cause: Exception) -> str:
    return str(cause)[:300]
