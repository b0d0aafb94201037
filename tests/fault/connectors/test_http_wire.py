"""The HTTP connector against servers that answer with whatever bytes a test wants."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from interlock.actions.connector import Connector, Done, Found, InDoubt, Permanent, Request, Transient, Unknown
from interlock.setting_forms import SecretRef

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.wire import JSON, OK, Wire, serving, until_closed

Connect = Callable[..., Connector]
Ask = Callable[..., Request]

UNREADABLE = {
    "truncated": OK + JSON + b'Content-Length: 100\r\n\r\n{"state": "settled"',
    "truncated-chunked": OK + JSON + b'Transfer-Encoding: chunked\r\n\r\n20\r\n{"state"',
    "truncated-till-close": OK + JSON + b'Connection: close\r\n\r\n{"state": "settled"',
    "truncated-refusal": b'HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\n{"title": "no"',
    "half-a-head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "nothing": b"",
    "garbage": b"\x00\x01\x02 this is not HTTP at all\r\n\r\n",
    "endless-head": OK + b"X-Padding: " + b"x" * 300_000,
    "too-large": OK + JSON + b'Content-Length: 2000000\r\n\r\n{"state": "' + b"x" * 2_000_000,
    "too-large-chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 20,
    "no-json": OK + b"Content-Length: 5\r\n\r\nhello",
    "no-object": OK + b'Content-Length: 9\r\n\r\n["state"]',
    "empty": OK + b"Content-Length: 0\r\n\r\n",
    "twice": OK + b'Content-Length: 36\r\n\r\n{"state":"pending","state":"settled"}',
    "nul": OK + b'Content-Length: 35\r\n\r\n{"state":"settled","note":"a\\u0000b"}',
    "compressed": OK + b"Content-Encoding: gzip\r\nContent-Length: 39\r\n\r\n" + gzip.compress(b'{"state":"settled"}'),
    "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "redirect": b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    "redirect-nowhere": b"HTTP/1.1 302 Moved\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
    "server-error": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "unavailable": b"HTTP/1.1 503 Oops\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
    "request-timeout": b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n",
    "conflict": b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
    "unheard-of": b"HTTP/1.1 460 Gone Away\r\nContent-Length: 0\r\n\r\n",
    "not-declared": b'HTTP/1.1 203 OK\r\nContent-Length: 19\r\n\r\n{"state":"settled"}',
}  # fmt: skip


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_what_proves_nothing_is_in_doubt(
    wire: Wire, connect: Connect, ask: Ask, answer: bytes, *, reset: bool
) -> None:
    wire.answer = answer
    wire.reset = reset
    connector = connect(wire.url)
    sent = await connector.send(ask("k"))
    assert isinstance(sent, InDoubt)
    assert len(wire.requests) == 1, "nothing is sent again by itself, and no redirect is followed"
    assert isinstance(await connector.look_up(ask("k")), Unknown)


async def test_a_request_carries_key_deadline_and_secret(
    wire: Wire, connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret-token")
    wire.says(b'{"state": "settled"}')
    connector = connect(wire.url, secret=SecretRef("env", "PAYMENTS_TOKEN"))
    asked = ask("k-1")
    assert isinstance(await connector.send(asked), Done)
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert head.startswith(b"POST /payments HTTP/1.1\r\n")
    assert headers["Idempotency-Key"] == '"k-1"'
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert headers["X-Request-Deadline"].endswith("Z")
    assert abs(datetime.fromisoformat(headers["X-Request-Deadline"]) - asked.deadline) < timedelta(milliseconds=1)
    assert body == b'{"to":"ana","amount":"12.30","currency":"MYR","reference":"k-1"}'


async def test_a_secret_that_is_said_back_is_struck_out(
    wire: Wire, connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret-token")
    wire.says(b'{"detail": "the token s3cret-token is unknown"}', b"HTTP/1.1 401 No\r\n")
    sent = await connect(wire.url, secret=SecretRef("env", "PAYMENTS_TOKEN")).send(ask("k"))
    assert sent == Permanent("it answered 401 Unauthorized: the token *** is unknown", "401")


async def test_nothing_is_remembered_between_requests(wire: Wire, connect: Connect, ask: Ask) -> None:
    wire.says(b'{"state": "settled"}', OK + b"Set-Cookie: session=ana; Path=/\r\n")
    connector = connect(wire.url)
    await connector.send(ask("one"))
    await connector.send(ask("two"))
    assert len(wire.requests) == 2
    assert b"cookie" not in wire.requests[1].lower()


async def test_numbers_of_an_answer_stay_exact(wire: Wire, connect: Connect, ask: Ask) -> None:
    wire.says(b'{"state": "settled", "to": "ana", "amount": 12345678901234567.89, "currency": "MYR", "count": 3}')
    connector = connect(wire.url)
    sent = await connector.send(ask("exact"))
    assert isinstance(sent, Done)
    assert (sent.response["amount"], sent.response["count"]) == ("12345678901234567.89", 3)
    for amount, matches in (("12345678901234567.89", True), ("12345678901234567.88", False)):
        found = await connector.look_up(ask("exact", amount={"amount": amount, "currency": "MYR"}))
        assert found == Found(sent.response, matches=matches)


async def test_a_connection_that_is_never_taken_is_transient(connect: Connect, ask: Ask) -> None:
    """A TLS handshake that nobody answers: connected, and still no byte of the request was sent."""
    async with serving(until_closed) as port:
        sent = await connect(f"https://127.0.0.1:{port}").send(ask("k", seconds=1.0))
    assert isinstance(sent, Transient)
    assert "no connection within 0.3 s" in sent.what


async def test_a_server_that_speaks_no_tls_is_sent_nothing(connect: Connect, ask: Ask) -> None:
    heard: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65_536))
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serving(plain) as port:
        sent = await connect(f"https://127.0.0.1:{port}").send(ask("k-secret"))
    assert isinstance(sent, Transient)
    assert b"k-secret" not in b"".join(heard)


async def test_a_host_that_nobody_knows_is_transient(connect: Connect, ask: Ask) -> None:
    assert isinstance(await connect("http://payments.invalid").send(ask("k", seconds=3)), Transient)


async def test_waiting_for_a_free_connection_is_transient(
    connect: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.connectors.http.exchange.MOST_CONNECTIONS", 1)
    async with serving(until_closed) as port:
        connector = connect(f"http://127.0.0.1:{port}")
        sent = await asyncio.gather(*(connector.send(ask(key, seconds=1.5)) for key in ("one", "two")))
    assert {type(one) for one in sent} == {InDoubt, Transient}
    assert any("all 1 connections were busy" in one.what for one in sent if isinstance(one, Transient))


async def test_an_answer_without_end_is_left_at_its_limit(connect: Connect, ask: Ask) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + JSON + b"\r\n")
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()

    async with serving(endless) as port:
        sent = await connect(f"http://127.0.0.1:{port}").send(ask("k", seconds=4))
    assert isinstance(sent, InDoubt)
    assert "the answer has more than 1,000,000 bytes" in sent.what


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_a_kept_connection_loses_is_not_sent_again(connect: Connect, ask: Ask, method: str) -> None:
    """Many clients send PUT and DELETE anew by themselves when a kept connection breaks: nobody would know of it."""
    heads: list[bytes] = []

    async def once_kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the first request of a connection and keep it; read the second whole, and hang up."""
        for answers in (True, False):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if answers:
                writer.write(OK + JSON + b'Content-Length: 19\r\n\r\n{"state":"settled"}')

    async with serving(once_kept) as port:
        pay = {"method": method, "path": "/payments"}
        connector = connect(f"http://127.0.0.1:{port}", operations={"pay": pay}, can_look_up=False)
        assert isinstance(await connector.send(ask("first")), Done)
        lost = await connector.send(ask("second"))
    assert isinstance(lost, InDoubt)
    assert (lost.code, len(heads)) == ("answer-lost", 2)


async def test_a_kept_connection_that_was_closed_since_is_not_used(connect: Connect, ask: Ask) -> None:
    """Whatever was said on it meanwhile, as a 408 before hanging up, is no answer to the next request."""
    said: list[asyncio.Event] = []

    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + JSON + b'Content-Length: 19\r\n\r\n{"state":"settled"}')
        await writer.drain()
        said.append(asyncio.Event())
        await said[-1].wait()
        writer.write(b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n")

    async with serving(talkative) as port:
        pay = {"method": "POST", "path": "/payments"}
        connector = connect(f"http://127.0.0.1:{port}", operations={"pay": pay}, can_look_up=False)
        assert isinstance(await connector.send(ask("first")), Done)
        said[0].set()
        await asyncio.sleep(0.05)
        assert isinstance(await connector.send(ask("second")), Done)
        said[1].set()
        assert len(said) == 2
