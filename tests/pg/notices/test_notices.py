"""People are told: each once, by a real server of mail and a real receiver, bounded, and again where a process died."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.console.visiting import refund_orders, site
from tests.pg.stage import declared

from interlock.cases.registry import Registry
from interlock.connectors.webhook.signature import read_secrets, verify
from interlock.identity.people import make_person
from interlock.node import Node
from interlock.notices import duty
from interlock.notices.duty import deliver, gather
from interlock.notices.send import NotSent, send
from interlock.notices.store import CLAIM_NOTICES
from interlock.notify_settings import ChannelKind, Event, NotifySettings
from interlock.oversight.index import Worth
from interlock.setting_forms import SecretRef

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - a test's
Admin = psycopg.Connection[Any]


@dataclass
class Mailbox:
    """What a server of mail took."""

    letters: list[Message] = field(default_factory=list[Message])
    refuses: bool = False

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a letter, or not."""
        if self.refuses:
            return "451 later"
        self.letters.append(message_from_bytes(envelope.original_content or b""))
        return "250 OK"


@asynccontextmanager
async def mail_server(box: Mailbox) -> AsyncGenerator[str]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with site(database_url, Registry([declared(refund_orders, tmp_path)])) as (made, _):
        yield made


def review(admin: Admin, tenant: UUID, node: Node, **more: object) -> UUID:
    """A review that waits."""
    now = node.database.clock.now()
    row = {
        "id": node.database.clock.next_id(), "tenant": tenant, "workflow": "refunds", "point": "approve",
        "queue": "refunds",
        "state": "open", "question": b"{}", "urgency": 0, "created_at": now, **more,
    }  # fmt: skip
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    admin.execute(f"insert into review ({names}) values ({values})".encode(), row)
    return UUID(str(row["id"]))


def mail(url: str, **more: Any) -> NotifySettings:
    return NotifySettings(name="mail", kind=ChannelKind.MAIL, url=url, sender="interlock@example.com", **more)


async def tell(node: Node, channel: NotifySettings, stand_ins: dict[str, str] | None = None) -> tuple[int, int]:
    await gather(node.database, node.tenant, [channel], stand_ins or {})
    return await deliver(node.database, node.writer, node.tenant, channel, "https://interlock.example")


async def person(node: Node, name: str, teams: Sequence[str] = ()) -> None:
    await make_person(
        node.writer, node.tenant, name=name, roles=("reviewer",), who="a test", teams=teams, email=f"{name}@example.com"
    )


def entries(admin: Admin, kind: str) -> list[dict[str, Any]]:
    found = admin.execute("select body from ledger_entry where kind = %s order by id", (kind,)).fetchall()
    return [msgspec.json.decode(body) for (body,) in found]


async def test_each_is_told_once_of_what_concerns_them_and_nothing_private_is_said(node: Node, admin: Admin) -> None:
    await person(node, "ana", ["payables"])
    await person(node, "ben", ["payables"])
    await person(node, "cem")
    box = Mailbox()
    mine = review(admin, node.tenant, node, assigned_to="ana", team="payables", question=b'{"input": "Jane Roe"}')
    now = node.database.clock.now()
    review(
        admin, node.tenant, node, team="payables", urgency=250000, exposure_minor=300000, currency="EUR", queue="big",
        created_at=now - timedelta(hours=2), due_at=now - timedelta(minutes=1),
    )  # fmt: skip
    async with mail_server(box) as url:
        assert await tell(node, mail(url), {"refunds": "finance@example.com"}) == (3, 0)
        assert await tell(node, mail(url), {"refunds": "finance@example.com"}) == (0, 0)
    by = {str(letter["To"]): str(letter.get_payload(decode=False)) for letter in box.letters}
    assert by.keys() == {"ana@example.com", "ben@example.com", "finance@example.com"}
    assert f"https://interlock.example/console/reviews/{mine}" in by["ana@example.com"]
    assert "is given to you" in by["ana@example.com"]
    assert "is given to you" not in by["ben@example.com"]
    assert "is urgent" in by["ben@example.com"]
    assert "past its deadline" in by["finance@example.com"]
    for text in by.values():
        assert "Jane" not in text
        assert "3,000" not in text
        assert "3000" not in text
    told = entries(admin, "notice.sent")
    assert len(told) == 3
    assert all(set(one) == {"channel", "notices", "about"} for one in told)


async def test_a_process_that_dies_after_sending_sends_the_same_letter_again(node: Node, admin: Admin) -> None:
    await person(node, "ana")
    review(admin, node.tenant, node, assigned_to="ana")
    box = Mailbox()
    async with mail_server(box) as url:
        channel = mail(url)
        await gather(node.database, node.tenant, [channel], {})
        now = node.database.clock.now()
        asked = {"channel": "mail", "now": now, "until": now + duty.CLAIM, "most": 10, "most_per_hour": 12}
        async with node.database.tenant(node.tenant) as connection:
            claimed = await CLAIM_NOTICES.all(connection, asked)
        await send(channel, claimed, "https://interlock.example", now)  # and it dies before it is recorded
        assert await tell(node, channel) == (0, 0)
        review(admin, node.tenant, node, assigned_to="ana")  # comes meanwhile: a letter of its own
        admin.execute("update notice set claimed_until = now() - interval '1 second' where claimed_until is not null")
        assert await tell(node, channel) == (2, 0)
    ids = [str(letter["Message-ID"]) for letter in box.letters]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    assert ids[0] in ids[1:]


async def test_a_recipient_gets_so_many_in_an_hour_and_the_rest_in_one(node: Node, admin: Admin) -> None:
    await person(node, "ana")
    box = Mailbox()
    async with mail_server(box) as url:
        channel = mail(url, most_per_hour=1)
        for number in range(30):
            review(admin, node.tenant, node, assigned_to="ana")
            if number == 0:
                assert await tell(node, channel) == (1, 0)
        assert await tell(node, channel) == (0, 0)
        admin.execute("update notice set sent_at = sent_at - interval '2 hours' where sent_at is not null")
        assert await tell(node, channel) == (1, 0)
    assert "and 17 more" in str(box.letters[-1].get_payload())
    assert "and 28 more" in str(box.letters[-1]["Subject"]).replace("\r\n", "")


async def test_a_channel_that_fails_tries_again_later_and_gives_up_in_the_end(node: Node, admin: Admin) -> None:
    await person(node, "ana")
    review(admin, node.tenant, node, assigned_to="ana")
    box = Mailbox(refuses=True)
    async with mail_server(box) as url:
        channel = mail(url)
        assert await tell(node, channel) == (0, 1)
        assert await tell(node, channel) == (0, 0)  # not yet
        admin.execute(
            "update notice set due_at = now() - interval '1 second', attempts = %s", (duty.MOST_ATTEMPTS - 1,)
        )
        assert await tell(node, channel) == (0, 1)
        assert len(entries(admin, "notice.given_up")) == 1
        admin.execute("update notice set due_at = now() - interval '1 second'")
        assert await tell(node, channel) == (0, 0)


async def test_a_channel_tells_of_its_own_tenant_alone_and_one_without_a_tenant_holds_up_nobody(
    node: Node, admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(duty, "EVERY_S", 0.01)
    other = await node.database.ensure_tenant("other")
    for tenant in (node.tenant, other):
        name = "ana" if tenant == node.tenant else "bea"
        await make_person(
            node.writer, tenant, name=name, roles=("reviewer",), who="a test", teams=["payables"],
            email=f"{name}@example.com",
        )  # fmt: skip
        review(admin, tenant, node, assigned_to=name, team="payables", urgency=250000)
    box = Mailbox()
    async with mail_server(box) as url:
        channels = [
            msgspec.structs.replace(mail(url), name=name, tenant=tenant, events=(Event.ASSIGNED, Event.URGENT))
            for name, tenant in (("own", ""), ("other", "other"), ("lost", "nowhere"))
        ]
        telling = asyncio.create_task(
            duty.keep_telling(
                node.database, node.writer, node.settings.tenant, channels, {}, "https://x.example", Worth()
            )
        )
        async with asyncio.timeout(20):
            while len(box.letters) < 2 or "no tenant nowhere" not in caplog.text:  # noqa: ASYNC110 - neither tells
                await asyncio.sleep(0.01)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    assert {str(letter["To"]) for letter in box.letters} == {"ana@example.com", "bea@example.com"}
    told = admin.execute("select tenant, channel, recipient from notice order by channel").fetchall()
    assert set(told) == {(other, "other", "bea@example.com"), (node.tenant, "own", "ana@example.com")}


async def test_two_processes_tell_once(node: Node, admin: Admin) -> None:
    await person(node, "ana")
    for _ in range(5):
        review(admin, node.tenant, node, assigned_to="ana")
    box = Mailbox()
    async with mail_server(box) as url:
        told = await asyncio.gather(*(tell(node, mail(url)) for _ in range(4)))
    assert sum(sent for sent, _ in told) == len(box.letters)
    text = "".join(str(letter.get_payload()) for letter in box.letters)
    assert text.count("is given to you\r\n") == 5


async def test_a_webhook_is_signed_and_a_chat_gets_text(
    node: Node, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "HOOK", SECRET)
    came: list[tuple[dict[str, str], bytes]] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in head.split("\r\n")[1:-2])}
        came.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    admin.execute(
        "insert into stop (id, tenant, scope, who, why, created_at) "
        "values (%s, %s, 'workflow:refunds', 'ana', 'Jane', now())",
        (node.database.clock.next_id(), node.tenant),
    )
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
        hook = NotifySettings(name="hook", kind=ChannelKind.WEBHOOK, url=url, secret=SecretRef.parse("env:HOOK"))
        chat = NotifySettings(name="chat", kind=ChannelKind.CHAT, url=url, events=(Event.STOP,))
        assert await tell(node, hook) == (1, 0)
        assert await tell(node, chat) == (1, 0)
    (headers, body), (_, text) = came
    checked = verify(headers, body, read_secrets(SECRET), now=node.database.clock.now())
    said = msgspec.json.decode(body)
    assert (said["id"], headers["idempotency-key"]) == (checked.id, checked.id)
    assert said["notices"][0]["text"] == "workflow:refunds is stopped"
    assert b"Jane" not in body
    assert msgspec.json.decode(text)["text"].startswith("workflow:refunds is stopped")
    gone = NotifySettings(name="gone", kind=ChannelKind.CHAT, url="http://127.0.0.1:9/secret-path")
    with pytest.raises(NotSent) as failed:
        await tell_to(gone, node)
    assert "secret-path" not in str(failed.value)


async def tell_to(channel: NotifySettings, node: Node) -> None:
    """Send whatever was told before through another channel."""
    async with node.database.tenant(node.tenant) as connection:
        await connection.execute("update notice set channel = 'gone', sent_at = null, letter = null")
        now = node.database.clock.now()
        asked = {"channel": "gone", "now": now, "until": now, "most": 10, "most_per_hour": 12}
        claimed = await CLAIM_NOTICES.all(connection, asked)
    await send(channel, claimed, "", now)
