"""Faults of the wire below HTTP: certificates that nobody trusts, silence, nonsense, and what kept connections keep."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from interlock.components.llm.provider import LARGEST_ANSWER, Lost, Provider, Reply, Trail
from interlock.llm_settings import LlmSettings

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@asynccontextmanager
async def provider(
    serve: Serve, *, tls: ssl.SSLContext | None = None, scheme: str = "http"
) -> AsyncGenerator[Provider]:
    """A provider whose server does what the function does."""
    tasks: set[asyncio.Task[None]] = set()

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serving, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    terms = LlmSettings(name="main", base_url=f"{scheme}://localhost:{port}/v1", timeout=timedelta(seconds=5))
    made = Provider(terms, {})
    try:
        yield made
    finally:
        await made.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(one: Provider, trail: Trail, seconds: float = 3) -> Reply:
    """Send something."""
    return await one.exchange(b"{}", asyncio.get_running_loop().time() + seconds, trail)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody trusts."""
    if not shutil.which("openssl"):
        pytest.skip("the command openssl is not here, which makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return folder


async def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(100))

    trail = Trail()
    async with provider(serve, tls=context, scheme="https") as one:
        with pytest.raises(Lost, match=r"no connection: .*certificate verify failed"):
            await ask(one, trail)
    assert not trail.sent
    assert not any(came)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "the connection broke"),
        (b"HTTP/1.1 200", "the connection broke"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 200_000 + b"\r\n\r\n", "the connection broke"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LARGEST_ANSWER + 1), "has more than 4,194,304 bytes"),
    ],
)
async def test_nonsense_is_an_answer_that_is_lost(said: bytes, why: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    trail = Trail()
    async with provider(serve) as one:
        with pytest.raises(Lost, match=why):
            await ask(one, trail)
    assert trail.sent


async def test_silence_ends_at_the_deadline_and_what_was_sent_is_known() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    trail, loop = Trail(), asyncio.get_running_loop()
    began = loop.time()
    async with provider(serve) as one:
        with pytest.raises(Lost, match="no answer in time"):
            await ask(one, trail, 0.3)
        assert loop.time() - began < 1
    assert trail.sent


async def test_connections_are_kept_and_nothing_a_server_sets_goes_with_the_next_request() -> None:
    heads: list[bytes] = []
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(2)
            writer.write(HEAD + b"Set-Cookie: who=ana; Path=/\r\nContent-Encoding: gzip\r\n\r\n{}")
            await writer.drain()

    async with provider(serve) as one:
        replies = [await ask(one, Trail()) for _ in range(3)]
    assert [(reply.status, reply.body) for reply in replies] == [(200, b"{}")] * 3
    assert len(connections) == 1
    assert not any(b"cookie" in head.lower() for head in heads)
    assert all(head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n") for head in heads)
    assert all(b"accept-encoding: identity" in head.lower() for head in heads)


async def test_the_environment_s_proxies_take_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"\r\n{}")
        await writer.drain()

    async with provider(serve) as one:
        assert (await ask(one, Trail())).status == 200
