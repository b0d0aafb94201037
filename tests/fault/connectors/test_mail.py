"""The mail connector against a real mail server, with TLS and logins."""

# ruff: noqa: ARG002 - the server calls its handlers with all of these
from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from interlock.actions.connector import Connector, Done, Examinable, Permanent, Request, Transient, Unknown
from interlock.connectors.conformance import Trial, silence, violations
from interlock.setting_forms import SecretRef

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.wire import closed_port

Connect = Callable[..., Connector]
Ask = Callable[..., Request]
LETTER = {
    "from": "Refunds <refunds@example.com>",
    "to": "{to}",
    "subject": "Zurückgezahlt: {amount.amount}",
    "body": "Grüße, {amount.amount}\n.\n",
}


def _bytes(envelope: Envelope) -> bytes:
    return envelope.content if isinstance(envelope.content, bytes) else b""


class Mailroom:
    """Keeps what the server accepts; takes nothing for ``nobody``."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - the name that the server calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient or refuse it."""
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Accept a mail."""
        self.envelopes.append(envelope)
        return f"250 2.0.0 Ok: queued as {len(self.envelopes)}"

    def under(self, key: str) -> int:
        """How many mails carry a key."""
        return sum(f"\r\nInterlock-Key: {key}\r\n".encode() in _bytes(one) for one in self.envelopes)


@contextlib.asynccontextmanager
async def serving(room: Mailroom, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncGenerator[int]:
    """The server on loopback, in this event loop, by its port."""
    made: list[SMTP] = []

    def one() -> SMTP:
        made.append(SMTP(room, loop=asyncio.get_running_loop(), hostname="mail.test", **options))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(one, "127.0.0.1", 0, ssl=implicit)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in made:
            if connection.transport is not None:
                connection.transport.close()
        await asyncio.sleep(0.05)  # lets the conversations see it


@pytest.fixture
def mail(connect: Connect) -> Connect:
    """Makes mail connectors to a URL."""

    def make(url: str, **changes: Any) -> Connector:
        terms: dict[str, Any] = {
            "kind": "mail",
            "honours_keys": False,
            "can_look_up": False,
            "operations": {"pay": LETTER},
        }
        return connect(url, **(terms | changes))

    return make


@pytest.fixture
def room() -> Mailroom:
    return Mailroom()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key, in one file."""
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


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def login(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
    return AuthResult(handled=False, success=given == LoginPassword(b"refunds@example.com", b"s3cret"))


def ana(ask: Ask, key: str, **changes: Any) -> Request:
    return ask(key, **({"to": "ana@example.org"} | changes))


async def test_it_conforms(mail: Connect, ask: Ask, room: Mailroom) -> None:
    async def count(key: str) -> int:
        return room.under(key)

    async with serving(room) as port, silence() as silent:
        trial = Trial(
            connector=mail(f"smtp://127.0.0.1:{port}"),
            dead=mail(f"smtp://127.0.0.1:{closed_port()}"),
            ask=lambda key: ana(ask, key),
            other=lambda key: ana(ask, key, to="ben@example.org"),
            new_key=lambda: f"conform-{uuid4().hex}",
            count=count,
            silent=mail(f"smtp://127.0.0.1:{silent}"),
        )
        assert await violations(trial) == ()


async def test_a_mail_arrives_as_it_was_meant(mail: Connect, ask: Ask, room: Mailroom) -> None:
    async with serving(room) as port:
        sent = await mail(f"smtp://127.0.0.1:{port}").send(ana(ask, "t/refunds/pay/r-1"))
    [envelope] = room.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("refunds@example.com", ["ana@example.org"])
    message = email.message_from_bytes(_bytes(envelope), policy=email.policy.default)
    assert message["Subject"] == "Zurückgezahlt: 12.30"
    assert message["Interlock-Key"] == "t/refunds/pay/r-1"
    assert message.get_content().replace("\r\n", "\n") == "Grüße, 12.30\n.\n"
    assert sent == Done({
        "message_id": message["Message-ID"], "reply": "250 2.0.0 Ok: queued as 1", "recipients": ["ana@example.org"],
    })  # fmt: skip


async def test_a_recipient_that_is_refused_is_permanent(mail: Connect, ask: Ask, room: Mailroom) -> None:
    async with serving(room) as port:
        sent = await mail(f"smtp://127.0.0.1:{port}").send(ana(ask, "k", to="nobody@example.org"))
    assert sent == Permanent("it replied 550 5.1.1 no such user", "5.1.1")
    assert room.envelopes == []


async def test_a_payload_that_would_add_a_recipient_is_not_sent(mail: Connect, ask: Ask, room: Mailroom) -> None:
    async with serving(room) as port:
        connector = mail(f"smtp://127.0.0.1:{port}")
        for to in ("ana@example.org\r\nRCPT TO:<evil@example.org>", "ana@example.org,evil@example.org", "evil"):
            sent = await connector.send(ana(ask, "k", to=to))
            assert isinstance(sent, Permanent)
            assert sent.code == "unsendable"
    assert room.envelopes == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_over_tls_with_a_login(
    mail: Connect, ask: Ask, room: Mailroom, tls: ssl.SSLContext, certificate: Path,
    monkeypatch: pytest.MonkeyPatch, scheme: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    terms: dict[str, Any] = {
        "options": {"ca": str(certificate / "cert.pem")},
        "secret": SecretRef("env", "SMTP_PASSWORD"),
    }
    implicit = scheme == "smtps"
    if not implicit:
        terms["options"]["tls"] = "starttls"
    options: dict[str, Any] = {"authenticator": login, "auth_require_tls": False}
    if not implicit:
        options = {"authenticator": login, "auth_required": True, "tls_context": tls, "require_starttls": True}
    async with serving(room, tls if implicit else None, **options) as port:
        url = f"{scheme}://refunds%40example.com@localhost:{port}"
        assert isinstance(await mail(url, **terms).send(ana(ask, "k-1")), Done)
        monkeypatch.setenv("SMTP_PASSWORD", "wr0ng")
        sent = await mail(url, **terms).send(ana(ask, "k-2"))
        assert isinstance(sent, Transient)
        assert sent.code == "5.7.8"
        assert "wr0ng" not in sent.what
        monkeypatch.delenv("SMTP_PASSWORD")
        sent = await mail(url, **terms).send(ana(ask, "k-3"))
        assert isinstance(sent, Transient)
        assert sent.code == "no-secret"
        terms["options"].pop("ca")
        monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
        sent = await mail(url, **terms).send(ana(ask, "k-4"))
        assert isinstance(sent, Transient)
        assert sent.code == "tls"
    assert room.under("k-1") == 1
    assert len(room.envelopes) == 1


async def test_nothing_is_said_to_a_server_without_starttls_where_it_is_due(
    mail: Connect, ask: Ask, room: Mailroom
) -> None:
    async with serving(room) as port:
        connector = mail(f"smtp://127.0.0.1:{port}", options={"tls": "starttls"})
        sent = await connector.send(ana(ask, "k"))
    assert sent == Transient(f"127.0.0.1:{port} does not offer STARTTLS", code="no-starttls")
    assert room.envelopes == []


async def test_what_keeps_mails_from_being_sent_is_told_before_the_first(
    mail: Connect, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    secret = SecretRef("env", "SMTP_PASSWORD")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    async with serving(room, authenticator=login, auth_require_tls=False) as port:

        async def told(user: str, **terms: Any) -> str:
            connector = mail(f"smtp://{user}@127.0.0.1:{port}", **({"secret": secret} | terms))
            assert isinstance(connector, Examinable)
            return await connector.examine(soon)

        assert await told("refunds%40example.com") == ""
        assert "535 5.7.8" in await told("ben")
        assert "does not offer STARTTLS" in await told("ben", options={"tls": "starttls"})
        assert "no secret in env:OTHER" in await told("ben", secret=SecretRef("env", "OTHER"))
    assert "no connection" in await told("ben") or "connecting" in await told("ben")
    assert room.envelopes == []


async def test_nothing_is_said_to_a_server_without_logins_where_one_is_due(
    mail: Connect, ask: Ask, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    async with serving(room, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as port:
        connector = mail(f"smtp://ana@127.0.0.1:{port}", secret=SecretRef("env", "SMTP_PASSWORD"))
        sent = await connector.send(ana(ask, "k"))
    assert isinstance(sent, Transient)
    assert sent.code == "no-auth"
    assert room.envelopes == []


async def test_a_server_that_is_not_there_is_transient(mail: Connect, ask: Ask) -> None:
    sent = await mail(f"smtp://127.0.0.1:{closed_port()}").send(ana(ask, "k"))
    assert isinstance(sent, Transient)
    assert sent.code == "connection-refused"
    sent = await mail("smtp://mail.invalid", options={"tls": "none"}).send(ana(ask, "k"))
    assert isinstance(sent, Transient)
    assert sent.code == "no-such-host"


async def test_it_can_be_neither_looked_up_nor_called_back(mail: Connect, ask: Ask) -> None:
    connector = mail("smtp://127.0.0.1:25")
    assert isinstance(await connector.look_up(ana(ask, "k")), Unknown)
    assert isinstance(await connector.void(ana(ask, "k")), Unknown)
