"""The settings of one channel of notices: ``[notify.NAME]``, who is told of what, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import msgspec

from interlock.errors import Refused
from interlock.setting_forms import AMOUNT, BOOLEAN, COUNT, NAME, SECRET, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_WORD = re.compile(r"[^\x00-\x20,]{1,200}\Z")
ADDRESS = re.compile(r"[^\x00-\x20<>,;@]{1,64}@[^\x00-\x20<>,;@]{1,190}\Z")
"""An address of mail, roughly."""


class ChannelKind(StrEnum):
    """How people are told."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    CHAT = "chat"


class Event(StrEnum):
    """Of what people are told."""

    URGENT = "urgent"
    ASSIGNED = "assigned"
    ASKED = "asked"
    DEADLINE = "deadline"
    SECOND = "second"
    STOP = "stop"
    EXCEPTION = "exception"
    CAPACITY = "capacity"
    AUTONOMY = "autonomy"
    DIGEST = "digest"


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, and of what it tells whom.

    Attributes:
        name: Its name.
        kind: ``mail``, ``webhook`` (signed JSON) or ``chat`` (``{"text": ...}``: Slack, Mattermost, Teams).
        url: ``smtp://HOST:PORT`` or ``smtps://HOST:PORT``; or where a webhook goes, which may be a secret.
        secret: Of a webhook: what signs it. Of mail: the password.
        user: Of mail: the login.
        sender: Of mail: from whom.
        events: Of what it tells; none named: of all but the digest.
        teams: Only of these teams' work; of mail also: to whom.
        queues: Only of these queues.
        people: Of mail: to whom, beside those whom it concerns.
        above: What must be expected to be lost before an item is urgent.
        digest: ``hourly`` or ``daily``; empty: none.
        amounts: Whether amounts are told.
        tenant: Whose work it tells of; empty: that of the process's tenant.
        most_per_hour: How many messages one recipient gets in an hour; what is beyond goes into the next one.
        source: The places that its values came from.
    """

    name: str
    kind: ChannelKind
    url: SecretRef | str
    secret: SecretRef | None = None
    user: str = ""
    sender: str = ""
    events: tuple[Event, ...] = ()
    teams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    above: Decimal = Decimal(1000)
    digest: str = ""
    amounts: bool = False
    tenant: str = ""
    most_per_hour: int = 12
    source: str = ""

    def tells(self, event: Event) -> bool:
        """Whether it tells of that."""
        if event is Event.DIGEST:
            return bool(self.digest)
        return event in self.events or not self.events

    def address(self, environ: Mapping[str, str]) -> str:
        """The URL.

        Raises:
            ConfigInvalid: it is not where the setting says.
        """
        return self.url.resolve(environ) if isinstance(self.url, SecretRef) else self.url

    def __repr__(self) -> str:
        return f"NotifySettings({self.name!r}, {self.kind!r})"


def _kind(raw: Raw, _environ: Mapping[str, str]) -> ChannelKind:
    if raw.value not in set(ChannelKind):
        raise Refused(f"{raw.value!r} is no kind of channel", todo=meant(str(raw.value), ChannelKind))
    return ChannelKind(str(raw.value))


def _url(raw: Raw, environ: Mapping[str, str]) -> SecretRef | str:
    text = TEXT.parse(raw, environ)
    if text.startswith(("env:", "file:")):
        return SecretRef.parse(text)
    if (parts := _parts(text)) is None or parts.scheme not in ("http", "https", "smtp", "smtps") or not parts.hostname:
        raise Refused("is no address", todo="write https://..., smtp://HOST:PORT, env:NAME or file:PATH")
    if parts.username is not None or parts.password is not None:
        raise Refused("credentials stand here for everyone to read", todo="use user and secret, or env:NAME")
    return text


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port  # which is read only when it is asked for
    except ValueError:
        return None
    return parts


def _words(raw: Raw, _environ: Mapping[str, str]) -> tuple[str, ...]:
    given = raw.value.split(",") if isinstance(raw.value, str) else raw.value
    items = cast("list[object]", given) if isinstance(given, list) else []
    words = tuple(str(one).strip() for one in items)
    if not words or not all(_WORD.match(one) for one in words):
        raise Refused("is no list of names", todo='write ["one", "another"]')
    return words


def _events(raw: Raw, environ: Mapping[str, str]) -> tuple[Event, ...]:
    for word in (words := _words(raw, environ)):
        if word not in set(Event):
            raise Refused(f"{word[:40]!r} is nothing that is told", todo=meant(word, Event))
    return tuple(Event(word) for word in words)


def _sender(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not ADDRESS.match(text):
        raise Refused(f"{text[:60]!r} is no address", todo="write interlock@example.com")
    return text


def _digest(raw: Raw, _environ: Mapping[str, str]) -> str:
    if raw.value not in ("hourly", "daily"):
        raise Refused(f"{raw.value!r} is no time of a digest", todo="write hourly or daily")
    return str(raw.value)


NOTIFY_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "kind": SettingForm(_kind, ChannelKind.CHAT),
        "url": SettingForm[SecretRef | str](_url, ""),
        "secret": SECRET,
        "user": TEXT,
        "sender": SettingForm(_sender, ""),
        "events": SettingForm[tuple[Event, ...]](_events, ()),
        "teams": SettingForm[tuple[str, ...]](_words, ()),
        "queues": SettingForm[tuple[str, ...]](_words, ()),
        "people": SettingForm[tuple[str, ...]](_words, ()),
        "above": AMOUNT,
        "digest": SettingForm(_digest, ""),
        "amounts": BOOLEAN,
        "tenant": NAME,
        "most_per_hour": COUNT,
    }
)
"""The keys of a channel's table, with how each is written."""


def read_notify(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> NotifySettings | None:
    """Read one channel; None if something is wrong with it, which ``problems`` then says."""
    where = f"notify.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    unknown = table.keys() - NOTIFY_FORMS.keys()
    for key in sorted(unknown):
        problems.add(table[key].where, "there is no such setting", meant(key, NOTIFY_FORMS))
    needed = ["kind", "url"]
    if "kind" in table and table["kind"].value == ChannelKind.MAIL:
        needed.append("sender")
    if "kind" in table and table["kind"].value == ChannelKind.WEBHOOK:
        needed.append("secret")
    lacking = [key for key in needed if key not in table]
    for key in lacking:
        problems.add(where, f"{key} is missing", f"set {key}")
    values = {key: NOTIFY_FORMS[key].read(raw, problems, environ) for key, raw in table.items() if key not in unknown}
    if unknown or lacking:
        return None
    return NotifySettings(name=name, source=", ".join(dict.fromkeys(raw.source for raw in table.values())), **values)
