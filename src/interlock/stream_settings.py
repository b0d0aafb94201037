"""The settings of one stream: ``[streams.NAME]``, a broker's messages that are decided continuously."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec

from interlock.errors import ConfigInvalid, Refused
from interlock.setting_forms import COUNT, DURATION, TEXT, Problems, Raw, SecretRef, SettingForm
from interlock.spelling import meant

SCHEMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nats": ("nats", "tls", "ws", "wss"),
        "kafka": ("kafka", "kafka+ssl"),
        "rabbitmq": ("amqp", "amqps"),
    }
)
"""The kinds of brokers, and how their URLs begin."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_LONGEST_NAME = 63
_DURABLE = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_NOT_PLAIN = re.compile(r"[\x00-\x20\x7f]")
_LONGEST_SUBJECT = 255
_WORKFLOW_TARGET = re.compile(r"workflow:\S{1,200}\Z")
_POINT = re.compile(r"\S{1,200}\.\S{1,200}\Z")


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages come from, and what they become.

    Attributes:
        name: Its name.
        broker: ``nats`` (JetStream), ``kafka`` or ``rabbitmq``.
        url: Where the broker is, or where that is found (``env:NAME``, ``file:PATH``), since it may hold credentials;
            it is never shown.
        subject: What is read: the subject of NATS, the topic of Kafka, the queue of RabbitMQ.
        target: What each message becomes: ``workflow.point``, a decision, or ``workflow:NAME``, a case.
        stream: The JetStream stream that holds the subject; for NATS only, which needs it.
        durable: Under which name the broker remembers what was acknowledged; processes of the same name share the work.
        concurrency: How many messages one process has under way at once.
        max_deliveries: After how many attempts that failed a message goes to quarantine.
        ack_wait: For how long the broker waits for an acknowledgement or a sign of work before it delivers again; NATS.
        dead_letter: A subject, topic or queue that what went to quarantine is also published to; empty: none.
        source: The places that its values came from.
    """

    name: str
    broker: str = "nats"
    url: str = ""
    subject: str = ""
    target: str = ""
    stream: str = ""
    durable: str = ""
    concurrency: int = 128
    max_deliveries: int = 5
    ack_wait: timedelta = timedelta(seconds=30)
    dead_letter: str = ""
    source: str = ""

    @property
    def consumer(self) -> str:
        """The durable name, or ``interlock_NAME``."""
        return self.durable or f"interlock_{self.name}"

    @property
    def caller(self) -> str:
        """The name that stops and limits per caller go by."""
        return f"stream:{self.name}"

    @property
    def secret(self) -> SecretRef | None:
        """Where the URL is found, if it does not stand in the settings."""
        return SecretRef.parse(self.url) if _is_reference(self.url) else None

    def servers(self, environ: Mapping[str, str]) -> list[str]:
        """The URLs of the broker's servers.

        Raises:
            ConfigInvalid: they are not where the setting says.
        """
        text = self.secret.resolve(environ) if self.secret else self.url
        return [one.strip() for one in text.split(",")]

    def __repr__(self) -> str:
        return f"StreamSettings({self.name!r}, {self.broker!r}, {self.subject!r} -> {self.target!r})"


def _broker(raw: Raw, _environ: Mapping[str, str]) -> str:
    if raw.value not in SCHEMES:
        raise Refused(f"{raw.value!r} is no kind of broker", todo=meant(str(raw.value), SCHEMES))
    return str(raw.value)


def _is_reference(text: str) -> bool:
    return text.startswith(("env:", "file:"))


def _url(raw: Raw, environ: Mapping[str, str]) -> str:
    given = TEXT.parse(raw, environ)
    secret = _is_reference(given)
    for one in (SecretRef.parse(given).resolve(environ) if secret else given).split(","):
        try:
            parts = urlsplit(one.strip())
            usable = bool(parts.scheme) and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable, parts = False, urlsplit("")
        if not usable:
            raise Refused("is no address of a broker", todo="write SCHEME://HOST:PORT, or env:NAME or file:PATH")
        if (parts.username is not None or parts.password is not None) and not secret and not raw.from_variable:
            raise Refused("credentials stand here for everyone to read", todo="write env:NAME or file:PATH instead")
    return given


def _subject(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not text or len(text) > _LONGEST_SUBJECT or _NOT_PLAIN.search(text) or not text.isprintable():
        raise Refused(f"{text[:60]!r} is no subject, topic or queue", todo="name one, without spaces")
    return text


def _durable(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not _DURABLE.match(text):
        raise Refused(f"{text[:60]!r} is no durable name", todo="use letters, digits, - and _")
    return text


def _target(raw: Raw, environ: Mapping[str, str]) -> str:
    text = TEXT.parse(raw, environ)
    if not _WORKFLOW_TARGET.match(text) and not _POINT.match(text):
        raise Refused(
            f"{text[:60]!r} names no decision point and no workflow", todo="write workflow.point, or workflow:NAME"
        )
    return text


STREAM_FORMS: Mapping[str, SettingForm[Any]] = MappingProxyType(
    {
        "broker": SettingForm(_broker, "nats"),
        "url": SettingForm(_url, ""),
        "subject": SettingForm(_subject, ""),
        "target": SettingForm(_target, ""),
        "stream": SettingForm(_subject, ""),
        "durable": SettingForm(_durable, ""),
        "concurrency": COUNT,
        "max_deliveries": COUNT,
        "ack_wait": DURATION,
        "dead_letter": SettingForm(_subject, ""),
    }
)
"""The keys of a stream's table, with how each is written."""
_NEEDED = ("url", "subject", "target")
_WILDCARDS = {"*", ">"}
_SHORTEST_ACK_WAIT = timedelta(seconds=1)


def read_stream(
    name: str, table: Mapping[str, Raw], problems: Problems, environ: Mapping[str, str]
) -> StreamSettings | None:
    """Read one stream; None if something is wrong with it, which ``problems`` then says."""
    where = f"streams.{name}"
    if not _NAME.match(name) or len(name) > _LONGEST_NAME:
        problems.add(where, f"{name[:60]!r} is no name", "use small letters and digits, joined by single _")
        return None
    unknown = table.keys() - STREAM_FORMS.keys()
    for key in sorted(unknown):
        problems.add(table[key].where, "there is no such setting", meant(key, STREAM_FORMS))
    for key in _NEEDED:
        if key not in table:
            problems.add(where, f"{key} is missing", f"set {key}")
    values = {key: STREAM_FORMS[key].read(raw, problems, environ) for key, raw in table.items() if key not in unknown}
    if unknown or any(key not in table for key in _NEEDED):
        return None
    source = ", ".join(dict.fromkeys(raw.source for raw in table.values()))
    stream = StreamSettings(name=name, source=source, **values)
    _check_together(stream, where, problems, environ)
    return stream


def _check_together(stream: StreamSettings, where: str, problems: Problems, environ: Mapping[str, str]) -> None:
    schemes = SCHEMES[stream.broker]
    try:
        servers = stream.servers(environ)
    except ConfigInvalid:
        servers = []  # told already
    if stream.url and any(urlsplit(one).scheme not in schemes for one in servers):
        todo = f"write a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        problems.add(f"{where}.url", f"is no URL of a broker of the kind {stream.broker}", todo)
    if stream.broker == "nats" and not stream.stream:
        problems.add(where, "stream is missing", "name the JetStream stream that holds the subject")
    if stream.broker != "nats" and stream.stream:
        problems.add(f"{where}.stream", f"is nothing that {stream.broker} has", "remove it")
    if stream.ack_wait < _SHORTEST_ACK_WAIT:
        problems.add(f"{where}.ack_wait", f"{stream.ack_wait} is too short", "give it a second at least")
    if stream.broker == "nats" and _WILDCARDS & set(stream.dead_letter.split(".")):
        problems.add(f"{where}.dead_letter", "holds a wildcard, and nothing is published there", "name one subject")
    elif stream.dead_letter and _reads(stream, stream.dead_letter):
        problems.add(f"{where}.dead_letter", "is what the stream reads itself", "name another one, or remove it")


def _reads(stream: StreamSettings, subject: str) -> bool:
    """Whether a stream reads what is published there: NATS alone knows wildcards, of one token and of all the rest."""
    if stream.broker != "nats":
        return subject == stream.subject
    read, given = stream.subject.split("."), subject.split(".")
    if read[-1] == ">":
        read = read[:-1]
        if len(given) <= len(read):
            return False
        given = given[: len(read)]
    return len(read) == len(given) and all(one in ("*", other) for one, other in zip(read, given, strict=True))
