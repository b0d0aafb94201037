"""One message as a broker delivered it, and how the three kinds of brokers put their events into it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_to_bytes

from interlock.errors import EventInvalid, Violation
from interlock.streams.event import Event, read_binary, read_structured

_STRUCTURED = "application/cloudevents"
_CONTENT_TYPE = "content-type"
_ESCAPED = re.compile(r"\\(.)")


HELD = "interlock-quarantine"
"""The header of a dead letter that names the quarantine."""


class Broker(StrEnum):
    """The kinds of brokers."""

    NATS = "nats"
    KAFKA = "kafka"
    RABBITMQ = "rabbitmq"


PREFIXES: dict[Broker, tuple[str, ...]] = {
    Broker.NATS: ("ce-",),
    Broker.KAFKA: ("ce_",),
    Broker.RABBITMQ: ("ce-", "cloudevents:", "cloudevents_"),
}
"""What stands before an attribute's name in a header: the NATS, Kafka and AMQP bindings of CloudEvents."""


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delivery:
    """One message.

    Attributes:
        identity: Which message it is to its broker, in a form that is the same at each delivery.
        broker: Which kind of broker.
        headers: Names in small letters, and values.
        body: What it holds.
        number: Which delivery of the message it is, from 1; brokers that do not count always say 1.
        acknowledge: Tells the broker that it is done with.
        hand_back: Tells the broker to deliver it again after some seconds; None: this broker cannot wait.
        keep: Tells the broker that it is being worked on.
    """

    identity: str
    broker: Broker
    headers: Sequence[tuple[str, str]]
    body: bytes
    number: int = 1
    acknowledge: Callable[[], Awaitable[object]] = _nothing
    hand_back: Callable[[float], Coroutine[Any, Any, object]] | None = None
    keep: Callable[[], Awaitable[object]] = _nothing

    @property
    def dead_letter_of(self) -> str:
        """The quarantine that it says it is the dead letter of; empty: it does not say so."""
        return next((value for name, value in self.headers if name == HELD), "")


def read_event(delivery: Delivery) -> Event:
    """The event of a message: structured, or binary where headers bear its attributes.

    Raises:
        EventInvalid: it is no CloudEvent.
        MalformedJson: it is not the JSON that we accept.
    """
    if not delivery.headers:
        return read_structured(delivery.body)
    content_type = next((value for name, value in delivery.headers if name == _CONTENT_TYPE), "")
    if content_type.lower().startswith(_STRUCTURED):
        return read_structured(delivery.body)
    attributes = [
        (name[len(prefix) :], value)
        for name, value in delivery.headers
        for prefix in PREFIXES[delivery.broker]
        if name.startswith(prefix)
    ]
    if not attributes:
        return read_structured(delivery.body)
    if delivery.broker is Broker.NATS:
        attributes = [(name, unescape(value, where=f"ce-{name}")) for name, value in attributes]
    return read_binary(attributes, content_type, delivery.body, prefix=PREFIXES[delivery.broker][0])


def unescape(value: str, *, where: str) -> str:
    """A header's value without its percent-escapes: HTTP binding of CloudEvents, 3.1.3.2.

    Raises:
        EventInvalid: what was escaped is not UTF-8.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeError as cause:  # what was not UTF-8 before it was unescaped came as lone surrogates
        wrong = Violation(where=where, what="holds escapes that are not UTF-8", rule="attribute")
        raise EventInvalid("this is no CloudEvent", (wrong,)) from cause
