"""A channel whose address is none, or whatever else is wrong with it, is said so and holds up nobody else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import UUID

import pytest

from interlock.errors import ConfigInvalid
from interlock.notices.notice import Fact, Notice, notices_of
from interlock.notices.send import NotSent, send
from interlock.notify_settings import ChannelKind, Event, NotifySettings, read_notify
from interlock.oversight.index import Worth
from interlock.setting_forms import Problems, Raw, SecretRef

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = UUID(int=1)
MAIL = NotifySettings(name="mail", kind=ChannelKind.MAIL, url="smtp://127.0.0.1:9", sender="i@example.com")


@pytest.mark.parametrize("url", ["smtp://host:99999", "smtp://host:x", "http://[::1/x", "https:///x"])
def test_an_address_that_is_none_is_refused_when_it_is_read(url: str) -> None:
    problems = Problems()
    table = {"kind": "mail", "url": url, "sender": "i@example.com"}
    read_notify("bad", {key: Raw(key, value, "t.toml") for key, value in table.items()}, problems, {})
    with pytest.raises(ConfigInvalid, match="is no address"):
        problems.raise_any()


@pytest.mark.parametrize("hook", ["http://host:99999/x", "https://exa mple.com/x", "http://[::1/x", "host/abc"])
async def test_a_secret_address_that_is_none_is_a_message_that_did_not_go(
    monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    monkeypatch.setitem(os.environ, "HOOK", hook)
    chat = NotifySettings(name="chat", kind=ChannelKind.CHAT, url=SecretRef.parse("env:HOOK"))
    with pytest.raises(NotSent) as failed:
        await send(chat, [notice("")], "", NOW)
    assert hook not in str(failed.value)


async def test_a_recipient_that_is_none_is_a_message_that_did_not_go() -> None:
    with pytest.raises(NotSent):
        await send(MAIL, [notice("a@b\nBcc: c@d")], "", NOW)


@pytest.mark.parametrize(
    ("named", "told"),
    [("cfo@example.com", 1), ("@finance", 0), ("x@", 0), ("a@b.example, c@d.example", 0), ("a@b\nBcc: c@d", 0)],
)
def test_only_a_stand_in_who_has_an_address_is_told_by_mail(named: str, told: int) -> None:
    fact = Fact(
        kind=Event.DEADLINE, subject=ONE, stage="past", item="review", person=None, team=None, queue="q",
        workflow="w", what="p", exposure_minor=None, currency=None, urgency=0,
    )  # fmt: skip
    assert len(list(notices_of(ONE, MAIL, [fact], [], {"w": named}, NOW, Worth()))) == told


def notice(recipient: str) -> Notice:
    return Notice(
        id=ONE, channel="x", recipient=recipient, kind="stop", subject=ONE, line="x", path="/x", letter=ONE, attempts=1
    )
