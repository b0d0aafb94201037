"""One mail's way to its server: a connection of its own, envelope, text, the full stop, and the reply to it.

The library speaks SMTP; the end of DATA is spoken here, since whether the full stop has left decides what a lost
connection means.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from interlock.actions.connector import Done, Sent, Transient
from interlock.connectors.mail.message import stuffed
from interlock.connectors.mail.reply import Stage, judge_loss, judge_reply, shown
from interlock.connectors.mail.server import Server, Tls
from interlock.connectors.unreachable import why_unreachable

_SHARE = 0.3
"""Of a mail's time, the most that connecting and the TLS handshake may each take. They end before the mail does:
cancelled from outside, a handshake leaves its socket open."""
_GOODBYE_SECONDS = 1.0
_POLL_SECONDS = 0.005
_GO_AHEAD = 354
_STOP = b".\r\n"
_ACCEPTED = range(200, 300)


@dataclass(slots=True)
class Progress:
    """How far a mail came; kept outside, so that it is known whatever ends the sending.

    Attributes:
        stage: The furthest that was begun.
    """

    stage: Stage = Stage.WAITING


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the server is told.

    Attributes:
        sender: Who gets what cannot be delivered.
        recipients: Who gets the mail: all of them, or nobody.
        content: The mail, lines ending in CR LF.
        message_id: Its Message-ID.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    message_id: str


class _Reply(Exception):
    """A reply that is no success where one was due."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class _Lacks(Exception):
    """The server lacks what we need; the message is its name in a word."""


async def deliver(server: Server, password: str, envelope: Envelope, seconds: float, progress: Progress) -> Sent:
    """Hand one mail over, once. Every recipient is accepted, or none gets it.

    Args:
        server: Where.
        password: For the login; empty where there is none.
        envelope: What.
        seconds: How long it may take.
        progress: Where it is told how far it came.
    """
    client = _client(server)
    listening = False
    try:
        async with asyncio.timeout(seconds):
            response = await _converse(client, server, password, envelope, progress, patience=seconds * _SHARE)
        listening = True
    except Exception as cause:  # noqa: BLE001 - a surprise in a library says nothing about the mail
        listening = isinstance(cause, _Reply | aiosmtplib.SMTPResponseException)
        return _failed(cause, server, progress.stage, seconds)
    finally:
        await _part(client, listening=listening)
    if response.code not in _ACCEPTED:
        return judge_reply(Stage.ENDED, response.code, response.message)
    reply = shown(response.code, response.message)
    return Done({"message_id": envelope.message_id, "reply": reply, "recipients": list(envelope.recipients)})


async def examine(server: Server, password: str, seconds: float) -> str:
    """What keeps mails from being sent, in words: connects, protects the connection, logs in, and parts again.

    Returns:
        Empty if nothing does.
    """
    client = _client(server)
    listening = False
    try:
        async with asyncio.timeout(seconds):
            await _greet(client, server, password, patience=seconds * _SHARE)
        listening = True
    except Exception as cause:  # noqa: BLE001 - whatever it is, it is what is not fit
        failed = _failed(cause, server, Stage.CONNECTING, seconds)
        return failed.what if isinstance(failed, Transient) else str(cause)
    finally:
        await _part(client, listening=listening)
    return ""


def _client(server: Server) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        timeout=None,  # the library's own would swallow a cancellation at times (gh-86296, mended in 3.12)
        local_hostname=server.hostname or _own_name(),
        use_tls=server.tls is Tls.IMPLICIT,
        start_tls=False,
        cert_bundle=server.ca or None,
    )


async def _greet(client: aiosmtplib.SMTP, server: Server, password: str, *, patience: float) -> None:
    """From nothing to a server that waits for a mail."""
    await client.connect(timeout=patience)
    _go_on()
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()
    if server.tls is Tls.STARTTLS:
        if not client.supports_extension("starttls"):
            raise _Lacks("no-starttls")
        await client.starttls(timeout=patience)
        await client.ehlo()
    if server.user:
        if not client.supports_extension("auth"):
            raise _Lacks("no-auth")
        await client.login(server.user, password)


async def _converse(
    client: aiosmtplib.SMTP,
    server: Server,
    password: str,
    envelope: Envelope,
    progress: Progress,
    *,
    patience: float,
) -> aiosmtplib.SMTPResponse:
    progress.stage = Stage.CONNECTING
    await _greet(client, server, password, patience=patience)
    progress.stage = Stage.ADDRESSING
    await client.mail(envelope.sender)
    for recipient in envelope.recipients:
        await client.rcpt(recipient)
    go_ahead = await client.execute_command(b"DATA")
    if go_ahead.code != _GO_AHEAD:
        raise _Reply(go_ahead.code, go_ahead.message)
    progress.stage = Stage.WRITING
    await _write(client, stuffed(envelope.content))
    _go_on()
    # Nothing is awaited between the full stop and its note: no end from outside can fall between them.
    protocol = _protocol(client)
    protocol.write(_STOP)
    progress.stage = Stage.ENDED
    return await protocol.read_response()


def _go_on() -> None:
    """Go on only if nobody has called this off: connecting can swallow a cancellation, the deadline's too.

    INVARIANT: no full stop is written after the deadline.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _write(client: aiosmtplib.SMTP, data: bytes) -> None:
    """Write the text, and wait until the other machine has it: a connection that is lost meanwhile had no full stop."""
    _protocol(client).write(data)
    while _unsent(client):  # noqa: ASYNC110 - the kernel can only be asked
        await asyncio.sleep(_POLL_SECONDS)


def _unsent(client: aiosmtplib.SMTP) -> int:
    """Bytes that wait in this process, or in the kernel for the other machine to acknowledge them (tcp(7), SIOCOUTQ).

    Where the kernel cannot be asked, none: then a connection that is lost before the full stop may count as in doubt.
    """
    transport = cast("asyncio.WriteTransport | None", client.transport)
    if transport is None:
        return 0
    waiting = struct.pack("i", 0)
    with contextlib.suppress(OSError, ValueError):
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, waiting)
    return transport.get_write_buffer_size() + struct.unpack("i", waiting)[0]


def _protocol(client: aiosmtplib.SMTP) -> SMTPProtocol:
    if client.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("Connection lost")
    return client.protocol


async def _part(client: aiosmtplib.SMTP, *, listening: bool) -> None:
    """QUIT, as is due (RFC 5321, section 4.1.1.10), if the server waits for a command, and let go of the socket."""
    transport = cast("asyncio.Transport | None", client.transport)
    if transport is None:
        return
    try:
        if listening:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await client.quit()
    finally:
        client.close()
        transport.abort()  # closing alone would wait for a server that takes nothing any more


def _failed(cause: Exception, server: Server, stage: Stage, seconds: float) -> Sent:
    """What it means that the mail's way ended early."""
    place = server.place
    match cause:
        case _Reply() | aiosmtplib.SMTPResponseException():
            return judge_reply(stage, cause.code, cause.message)
        case _Lacks():
            return judge_loss(stage, f"{place} does not offer {str(cause).removeprefix('no-').upper()}", str(cause))
        case aiosmtplib.SMTPConnectTimeoutError():
            return judge_loss(stage, f"{place}: no greeting within {seconds * _SHARE:.1f} s", "connect-timeout")
        case TimeoutError():
            return judge_loss(stage, f"{place}: no reply within {seconds:.1f} s", "timeout")
        case _:
            names = {Stage.ENDED: "answer-lost", Stage.CONNECTING: why_unreachable(cause)}
            what = f"{place}: {type(cause).__name__}: {_cut(cause)}"
            return judge_loss(stage, what, names.get(stage, "connection-lost"))


def _own_name() -> str:
    """This machine's name, or an address where it has none that others could look up (RFC 5321, section 4.1.1.1)."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _cut(cause: Exception) -> str:
    return str(cause)[:300]
