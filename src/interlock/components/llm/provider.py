"""One provider of language models over HTTP/1.1: one exchange at a time goes out under a deadline, or is lost.

Requests go through httpx's transport alone: without its client there are no cookies, no redirects, no proxies and
nothing of the environment. Nothing is sent twice here; ``calling`` decides what is sent again.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from interlock.components.llm.breaker import Breaker
from interlock.errors import ConfigInvalid, NotFound
from interlock.llm_settings import LlmSettings
from interlock.spelling import meant

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of a body; log-probabilities take some hundred bytes a token."""
_IDLE_SECONDS = 5.0
_LONGEST_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: The HTTP status.
        body: The body.
        retry_after: The header Retry-After, if there is one.
    """

    status: int
    body: bytes
    retry_after: str = ""


@dataclass(slots=True)
class Trail:
    """How far a request came; it says so also to whoever cut the exchange off.

    Attributes:
        sent: Whether a byte of it may have left: the provider may have received it, and may charge for it.
    """

    sent: bool = False


class Lost(Exception):
    """There is no answer: why, in a sentence without an address or a secret."""


class Provider:
    """A provider, or a server of one's own. Owned by one event loop; connections are kept and shared.

    Args:
        terms: Its settings.
        environ: Where secrets are that are kept in the environment.

    Attributes:
        terms: Its settings.
        breaker: Whether it is left alone.
    """

    def __init__(self, terms: LlmSettings, environ: Mapping[str, str] = os.environ) -> None:
        self.terms = terms
        self.breaker = Breaker(
            failures=terms.circuit_failures,
            pause_s=terms.circuit_pause.total_seconds(),
            longest_s=terms.circuit_longest.total_seconds(),
        )
        self._environ = environ
        self._places = asyncio.Semaphore(terms.concurrency)
        self._transport: httpx.AsyncHTTPTransport | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port of its address, for the record: of some addresses the path is the credential."""
        return urlsplit(self.terms.base_url)._replace(path="").geturl()

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Hold one of the places for requests at once; waits for one."""
        async with self._places:
            yield

    async def exchange(self, body: bytes, until: float, trail: Trail) -> Reply:
        """Send one request and read its answer.

        Args:
            body: The JSON of the request.
            until: When the answer must be there, on the event loop's clock.
            trail: Told how far it came.

        Raises:
            Lost: there is no answer.
            ConfigInvalid: the secret is not there, or cannot be sent.
        """
        loop = asyncio.get_running_loop()
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "interlock",
            **await self._credentials(),
        }
        last = min(until, loop.time() + self.terms.timeout.total_seconds())
        try:
            async with asyncio.timeout_at(last):
                return await self._send(body, headers, last - loop.time(), trail)
        except TimeoutError as cause:
            raise Lost("no answer in time") from cause
        except (httpx.HTTPError, OSError) as cause:
            raise Lost(_why(cause)) from cause

    async def close(self) -> None:
        """Let go of the connections."""
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    async def _credentials(self) -> dict[str, str]:
        """The header with the secret, fetched anew each time, so that a new one counts at once and none is kept."""
        reference = self.terms.secret
        if reference is None:
            return {}
        by_file = reference.source == "file"
        secret = (
            await asyncio.to_thread(reference.resolve, self._environ) if by_file else reference.resolve(self._environ)
        )
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise ConfigInvalid(f"what is in {reference} is no key", todo="put it there alone, on one line")
        header = self.terms.secret_header
        return {header: f"Bearer {secret}" if header.lower() == "authorization" else secret}

    async def _send(self, body: bytes, headers: Mapping[str, str], left_s: float, trail: Trail) -> Reply:
        async def trace(event: str, _info: Any) -> None:
            if event == "http11.send_request_headers.started":
                trail.sent = True

        patience = max(min(left_s, _LONGEST_CONNECT_S), 0.001)
        timeouts = {"connect": patience, "pool": left_s, "read": left_s, "write": left_s}
        request = httpx.Request(
            "POST",
            f"{self.terms.base_url}/chat/completions",
            headers=headers,
            content=body,
            extensions={"timeout": timeouts, "trace": trace},
        )
        response = await self._connections().handle_async_request(request)
        try:
            content = bytearray()
            async for part in response.aiter_raw():
                content += part
                if len(content) > LARGEST_ANSWER:
                    raise Lost(f"the answer has more than {LARGEST_ANSWER:,} bytes")
        finally:
            await response.aclose()
        return Reply(response.status_code, bytes(content), response.headers.get("retry-after", ""))

    def _connections(self) -> httpx.AsyncHTTPTransport:
        if self._transport is None:
            secure = self.terms.base_url.startswith("https:")
            most = self.terms.concurrency
            self._transport = httpx.AsyncHTTPTransport(
                verify=ssl.create_default_context() if secure else False,
                trust_env=False,
                http2=False,
                limits=httpx.Limits(
                    max_connections=most, max_keepalive_connections=most, keepalive_expiry=_IDLE_SECONDS
                ),
            )
        return self._transport


class Providers:
    """The providers of one process, by the names in its settings.

    Args:
        settings: Their tables.
        environ: Where secrets are that are kept in the environment.
    """

    def __init__(self, settings: Mapping[str, LlmSettings], environ: Mapping[str, str] = os.environ) -> None:
        self._known = {name: Provider(terms, environ) for name, terms in settings.items()}

    def named(self, name: str) -> Provider:
        """A provider by its name.

        Raises:
            NotFound: the settings have none of that name.
        """
        if name not in self._known:
            raise NotFound(
                f"the settings have no provider {name!r}",
                where=f"llm.{name}",
                todo=f"write [llm.{name}] in interlock.toml; {meant(name, self._known)}",
            )
        return self._known[name]

    async def close(self) -> None:
        """Let go of all connections."""
        for provider in self._known.values():
            await provider.close()


def _why(cause: httpx.HTTPError | OSError) -> str:
    match cause:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return "no connection in time"
        case httpx.ConnectError():
            return f"no connection: {str(cause)[:200]}"
        case httpx.TimeoutException():
            return "no answer in time"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return f"the connection broke: {str(cause)[:200] or type(cause).__name__}"
        case _:
            return f"the answer was lost: {type(cause).__name__}: {str(cause)[:200]}"
