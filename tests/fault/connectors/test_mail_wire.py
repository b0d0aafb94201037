"""The mail connector against a server that cuts, hangs or refuses at each step of a conversation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from interlock.actions.connector import Connector, Done, InDoubt, Permanent, Request, Sent, Transient

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.post_office import STEPS, PostOffice, Step
from tests.fault.connectors.wire import serving

Connect = Callable[..., Connector]
Ask = Callable[..., Request]
LETTER = {"from": "refunds@example.com", "to": "{to}", "subject": "Paid", "body": "{text}"}


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
async def letters(connect: Connect, office: PostOffice) -> AsyncIterator[Connector]:
    """A connector to the office."""
    async with serving(office.converse) as port:
        yield connect(
            f"smtp://127.0.0.1:{port}",
            kind="mail",
            honours_keys=False,
            can_look_up=False,
            operations={"pay": LETTER},
        )


def letter(ask: Ask, *, seconds: float = 5.0, **payload: Any) -> Request:
    return ask("k-1", seconds=seconds, **({"to": "ana@example.com", "text": "It is paid."} | payload))


def is_doubtful(step: Step) -> bool:
    return step == "stop"


@pytest.mark.parametrize("step", STEPS)
async def test_a_connection_that_is_cut_leaves_a_doubt_only_after_the_full_stop(
    letters: Connector, office: PostOffice, ask: Ask, step: Step
) -> None:
    office.cut_at = step
    sent = await letters.send(letter(ask, text="long " * 180_000 if step == "text" else "short"))
    assert isinstance(sent, InDoubt if is_doubtful(step) else Transient), sent
    assert len(office.accepted) == is_doubtful(step)
    assert sent.code in {"answer-lost", "connection-lost", "no-connection"}


@pytest.mark.parametrize("step", STEPS)
async def test_a_server_that_falls_silent_leaves_a_doubt_only_after_the_full_stop_and_the_deadline_holds(
    letters: Connector, office: PostOffice, ask: Ask, step: Step
) -> None:
    office.hang_at = step
    loop = asyncio.get_running_loop()
    began = loop.time()
    text = "x" * 900_000 if step == "text" else "short"
    sent = await letters.send(letter(ask, text=text, seconds=0.8))
    assert loop.time() - began < 1.5
    assert isinstance(sent, InDoubt if is_doubtful(step) else Transient), sent
    assert len(office.accepted) == is_doubtful(step)
    assert sent.code in {"timeout", "connect-timeout"}


@pytest.mark.parametrize(
    ("step", "reply", "said"),
    [
        ("greeting", "554 no service", Transient("it replied 554 no service", code="554")),
        ("greeting", "421 4.3.2 too busy", Transient("it replied 421 4.3.2 too busy", code="4.3.2")),
        ("mail", "451 4.7.1 greylisted", Transient("it replied 451 4.7.1 greylisted", code="4.7.1")),
        ("mail", "550 5.7.1 not you", Permanent("it replied 550 5.7.1 not you", "5.7.1")),
        ("rcpt", "450 4.2.0 mailbox busy", Transient("it replied 450 4.2.0 mailbox busy", code="4.2.0")),
        ("rcpt", "421 4.3.0 closing", Transient("it replied 421 4.3.0 closing", code="4.3.0")),
        ("rcpt", "550 5.1.1 no such user", Permanent("it replied 550 5.1.1 no such user", "5.1.1")),
        ("rcpt", "553 not allowed", Permanent("it replied 553 not allowed", "553")),
        ("data", "452 4.3.1 disk full", Transient("it replied 452 4.3.1 disk full", code="4.3.1")),
        ("data", "554 5.5.1 no valid recipients", Permanent("it replied 554 5.5.1 no valid recipients", "5.5.1")),
        ("data", "250 odd", Transient("it replied 250 odd", code="250")),
        ("stop", "451 4.3.0 try later", Transient("it replied 451 4.3.0 try later", code="4.3.0")),
        ("stop", "552-5.3.4 too\r\n552 5.3.4 large", Permanent("it replied 552 5.3.4 too 5.3.4 large", "5.3.4")),
        ("stop", "354 odd", InDoubt("it replied 354 odd", code="354")),
    ],
)
async def test_a_reply_means_what_it_says_at_its_step(
    letters: Connector, office: PostOffice, ask: Ask, step: Step, reply: str, said: Sent
) -> None:
    office.replies[step] = reply.encode() + b"\r\n"
    assert await letters.send(letter(ask)) == said
    assert office.accepted == []


async def test_a_reply_that_is_none_is_in_doubt_after_the_full_stop(
    letters: Connector, office: PostOffice, ask: Ask
) -> None:
    office.replies["stop"] = b"<html>\r\n"
    sent = await letters.send(letter(ask))
    assert isinstance(sent, InDoubt)
    assert sent.code == "no-reply-code"


async def test_a_refused_recipient_keeps_the_mail_from_all_of_them(
    connect: Connect, office: PostOffice, ask: Ask
) -> None:
    office.replies["rcpt"] = b"550 5.1.1 no such user\r\n"
    async with serving(office.converse) as port:
        operations = {"pay": LETTER | {"cc": ["ben@example.com"], "bcc": "audit@example.com"}}
        terms: dict[str, Any] = {"kind": "mail", "honours_keys": False, "can_look_up": False, "operations": operations}
        connector = connect(f"smtp://127.0.0.1:{port}", **terms)
        assert isinstance(await connector.send(letter(ask)), Permanent)
        assert b"DATA" not in office.commands
        assert office.commands[-1] == b"QUIT"
        del office.replies["rcpt"]
        assert isinstance(await connector.send(letter(ask)), Done)
    assert office.recipients[1:] == [
        b"RCPT TO:<ana@example.com>",
        b"RCPT TO:<ben@example.com>",
        b"RCPT TO:<audit@example.com>",
    ]


async def test_a_lost_goodbye_changes_nothing(letters: Connector, office: PostOffice, ask: Ask) -> None:
    office.cut_at = "quit"
    sent = await letters.send(letter(ask))
    assert isinstance(sent, Done)
    assert sent.response["reply"] == "250 2.0.0 Ok: queued as 7F3A"


async def test_a_full_stop_in_the_text_ends_no_mail(letters: Connector, office: PostOffice, ask: Ask) -> None:
    text = "first\r\n.\r\nMAIL FROM:<evil@example.com>\n.\nrest\r.\rend"
    assert isinstance(await letters.send(letter(ask, text=text)), Done)
    [content] = office.accepted
    assert content.endswith(b"\r\nfirst\r\n..\r\nMAIL FROM:<evil@example.com>\r\n..\r\nrest\r\n..\r\nend\r\n")
    assert sum(command.startswith(b"MAIL") for command in office.commands) == 1


async def test_mails_beyond_the_connections_wait_for_their_turn(
    connect: Connect, office: PostOffice, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.connectors.mail.connector.MOST_CONNECTIONS", 1)
    office.hang_at = "mail"
    async with serving(office.converse) as port:
        terms: dict[str, Any] = {"kind": "mail", "honours_keys": False, "can_look_up": False}
        connector = connect(f"smtp://127.0.0.1:{port}", operations={"pay": LETTER}, **terms)
        sent = await asyncio.gather(*(connector.send(letter(ask, seconds=seconds)) for seconds in (1.0, 0.5)))
    assert [one.code for one in sent if isinstance(one, Transient)] == ["timeout", "busy"]
