"""The webhook connector against a receiver that checks signatures, and against servers that answer what they like."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from interlock.actions.connector import Connector, Done, InDoubt, Permanent, Request, Sent, Transient, Unknown
from interlock.connectors.conformance import Trial, silence, violations
from interlock.connectors.webhook import read_secrets, verify
from interlock.errors import Unauthenticated
from interlock.setting_forms import SecretRef

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.wire import Wire, closed_port, serving, until_closed

Connect = Callable[..., Connector]
Ask = Callable[..., Request]

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
OPERATIONS = {"pay": {"type": "invoice.paid", "data": {"to": "{to}", "amount": "{amount.amount}"}}}
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """A real receiver: it believes what is signed, and acts once on each id."""

    def __init__(self) -> None:
        self.effects: list[tuple[str, bytes]] = []
        self.url = ""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one webhook in."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        body = await reader.readexactly(int(headers["Content-Length"]))
        try:
            delivery = verify(headers, body, read_secrets(SECRET), now=datetime.now(UTC))
        except Unauthenticated:
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
            return
        if all(delivery.id != known for known, _ in self.effects):
            self.effects.append((delivery.id, body))
        writer.write(NO_CONTENT)
        await writer.drain()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    served = Receiver()
    async with serving(served.converse) as port:
        served.url = f"http://127.0.0.1:{port}/hooks?tenant=7"
        yield served


@pytest.fixture
def hook(connect: Connect, tmp_path: Path) -> Connect:
    """Makes webhook connectors to a URL."""
    place = tmp_path / "secret"
    place.write_text(SECRET)

    def make(url: str, **changes: Any) -> Connector:
        terms: dict[str, Any] = {
            "kind": "webhook",
            "secret": SecretRef("file", str(place)),
            "can_look_up": False,
            "operations": OPERATIONS,
        }
        return connect(url, **(terms | changes))

    return make


async def test_it_conforms(receiver: Receiver, hook: Connect, ask: Ask) -> None:
    async def count(key: str) -> int:
        return sum(known == key for known, _ in receiver.effects)

    async with silence() as port:
        trial = Trial(
            connector=hook(receiver.url),
            dead=hook(f"http://127.0.0.1:{closed_port()}"),
            ask=ask,
            other=lambda key: ask(key, to="ben"),
            new_key=lambda: f"conform-{uuid4().hex}",
            count=count,
            silent=hook(f"http://127.0.0.1:{port}"),
        )
        assert await violations(trial) == ()


async def test_a_receiver_believes_it_and_acts_once(receiver: Receiver, hook: Connect, ask: Ask) -> None:
    connector = hook(receiver.url)
    assert await connector.send(ask("t/invoices/tell/i.17%")) == Done({"status": 204})
    assert await connector.send(ask("t/invoices/tell/i.17%")) == Done({"status": 204})
    [(message_id, body)] = receiver.effects
    assert message_id == "t/invoices/tell/i%2E17%25"
    assert json.loads(body)["data"] == {"to": "ana", "amount": "12.30"}


async def test_a_receiver_with_another_secret_refuses_it(
    receiver: Receiver, hook: Connect, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "whsec_" + base64.b64encode(b"x" * 32).decode())
    sent = await hook(receiver.url, secret=SecretRef("env", "OTHER")).send(ask("k"))
    assert isinstance(sent, Permanent)
    assert sent.code == "401"
    assert receiver.effects == []


async def test_a_secret_that_is_none_is_transient_and_a_new_one_is_used_at_once(
    receiver: Receiver, hook: Connect, ask: Ask, tmp_path: Path
) -> None:
    place = tmp_path / "other"
    connector = hook(receiver.url, secret=SecretRef("file", str(place)))
    for text in (None, "s3cret-that-is-none"):
        if text:
            place.write_text(text)
        sent = await connector.send(ask("k"))
        assert isinstance(sent, Transient)
        assert sent.code == "no-secret"
        assert "s3cret" not in sent.what
    place.write_text(f"whsec_{base64.b64encode(b'n' * 32).decode()}\n{SECRET}\n")
    assert isinstance(await connector.send(ask("k")), Done)


def answered(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NO_CONTENT, Done({"status": 204})),
        (answered("202 Accepted", body=b"queued"), Done({"status": 202})),
        (answered("200 OK", body=b'{"seen": 1.50}'), Done({"status": 200, "body": {"seen": "1.50"}})),
        (answered("410 Gone"), Permanent("it answered 410 Gone", "410")),
        (answered("404 Not Found"), Permanent("it answered 404 Not Found", "404")),
        (
            answered("429 Slow", "Retry-After: 7"),
            Transient("it answered 429 Too Many Requests", timedelta(seconds=7), "429"),
        ),
        (
            answered("503 Busy", "Retry-After: 9"),
            Transient("it answered 503 Service Unavailable", timedelta(seconds=9), "503"),
        ),
        (answered("503 Busy"), InDoubt("it answered 503 Service Unavailable", None, "503")),
        (answered("500 Oops"), InDoubt("it answered 500 Internal Server Error", None, "500")),
        (answered("307 Moved", "Location: /elsewhere"), InDoubt("it answered 307 Temporary Redirect", None, "307")),
        (answered("302 Moved", "Location: http://169.254.169.254/"), InDoubt("it answered 302 Found", None, "302")),
    ],
    ids=lambda value: value.split(b"\r\n")[0].decode() if isinstance(value, bytes) else "",
)
async def test_what_an_answer_means(wire: Wire, hook: Connect, ask: Ask, answer: bytes, said: Sent) -> None:
    wire.answer = answer
    assert await hook(wire.url).send(ask("k")) == said
    assert len(wire.requests) == 1, "nothing is sent again by itself, and no redirect is followed"


async def test_a_receiver_s_own_statuses_and_names_are_read(wire: Wire, hook: Connect, ask: Ask) -> None:
    table = {"type": "x", "data": "{to}", "not_executed": [503], "refused": [409], "code": "error"}
    connector = hook(wire.url, operations={"pay": table})
    wire.answer = answered("503 Busy")
    assert isinstance(await connector.send(ask("k")), Transient)
    wire.answer = answered("409 No", body=b'{"error": "closed-account"}')
    assert await connector.send(ask("k")) == Permanent("it answered 409 Conflict: closed-account", "closed-account")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"nonsense\r\n\r\n"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_lost_answer_is_in_doubt(wire: Wire, hook: Connect, ask: Ask, answer: bytes, *, reset: bool) -> None:
    wire.answer, wire.reset = answer, reset
    sent = await hook(wire.url).send(ask("k"))
    assert isinstance(sent, InDoubt)
    assert sent.code == "answer-lost"


async def test_an_answer_after_the_deadline_is_in_doubt_and_its_address_is_in_no_message(
    hook: Connect, ask: Ask
) -> None:
    async with serving(until_closed) as port:
        sent = await hook(f"http://127.0.0.1:{port}/hooks/T0KEN?key=T0KEN").send(ask("k", seconds=0.4))
    assert isinstance(sent, InDoubt)
    assert sent.code == "timeout"
    assert "T0KEN" not in sent.what


async def test_what_cannot_be_sent_is_not(wire: Wire, hook: Connect, ask: Ask) -> None:
    connector = hook(wire.url)
    for key in ("", "a b", "a\r\nwebhook-id: b", "schlüssel"):
        assert isinstance(await connector.send(ask(key)), Permanent)
    assert isinstance(await connector.send(ask("k", amount={})), Permanent)
    assert wire.requests == []


async def test_it_can_be_neither_looked_up_nor_made_void(receiver: Receiver, hook: Connect, ask: Ask) -> None:
    connector = hook(receiver.url)
    assert isinstance(await connector.look_up(ask("k")), Unknown)
    assert isinstance(await connector.void(ask("k")), Unknown)
