"""RabbitMQ: a queue that somebody else declared, acknowledged message by message.

RabbitMQ hands a message back at once or not at all, so what fails is tried again here after a pause. A queue of the
kind ``quorum`` counts deliveries; others do not, and there a message that kills its consumer is delivered without end.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast
from uuid import UUID

from aio_pika import IncomingMessage
from aio_pika.abc import AbstractRobustConnection
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from interlock.stream_settings import StreamSettings
from interlock.streams.delivery import Broker, Delivery
from interlock.streams.source import Lag, Source, Takes, dead_letter_headers

RECONNECT_S = 1.0
_ENDS_S = 0.5
_COUNT = "x-delivery-count"


# async although it waits for nothing: FastStream runs one that is not in a thread, for each message
async def _itself(message: RabbitMessage) -> RabbitMessage:
    return message


class RabbitSource:
    """One consumer of one queue.

    Args:
        terms: The stream's settings.
        servers: ``amqp://`` or ``amqps://``; the first one is used.
        takes: Who takes the messages.
    """

    def __init__(self, terms: StreamSettings, servers: list[str], takes: Takes) -> None:
        self._terms = terms
        self._takes = takes
        self._connection: AbstractRobustConnection | None = None
        self._broker = RabbitBroker(
            servers[0], reconnect_interval=RECONNECT_S, graceful_timeout=_ENDS_S, apply_types=False, logger=None
        )
        self.subscriber = self._broker.subscriber(
            RabbitQueue(terms.subject, declare=False),
            channel=Channel(prefetch_count=terms.concurrency),
            ack_policy=AckPolicy.MANUAL,
            decoder=_itself,
            no_reply=True,
        )
        self.subscriber(self._on_message)

    async def start(self) -> None:
        """Connect, and begin to fetch."""
        self._connection = await self._broker.connect()
        await self._broker.start()

    async def stop_fetching(self) -> None:
        """Fetch no more; acknowledgements go on."""
        await self.subscriber.stop()

    async def close(self) -> None:
        """End the connection; what is not acknowledged goes back to the queue."""
        await self._broker.stop()

    async def lag(self) -> Lag | None:
        """How many messages the queue holds for delivery."""
        if self._connection is None:
            return None
        channel = await self._connection.channel()
        try:
            queue = await channel.declare_queue(self._terms.subject, passive=True)
        finally:
            await channel.close()
        return Lag(queue.declaration_result.message_count or 0, None)

    async def send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        """Publish a message that went to quarantine."""
        headers = {**dict(delivery.headers), **dead_letter_headers(held, why)}
        await self._broker.publish(delivery.body, queue=self._terms.dead_letter, headers=cast("Any", headers))

    async def _on_message(self, message: RabbitMessage) -> None:
        await self._takes.take(delivery_of(message.raw_message))


def delivery_of(raw: IncomingMessage) -> Delivery:
    """A message as it was delivered. Header values that are no text are left out: no attribute of an event is."""
    headers = [(name.lower(), value) for name, value in raw.headers.items() if isinstance(value, str)]
    if raw.content_type:
        headers.append(("content-type", raw.content_type))
    counted = raw.headers.get(_COUNT, 0)
    return Delivery(
        identity=raw.message_id or hashlib.sha256(raw.body).hexdigest(),
        broker=Broker.RABBITMQ,
        headers=headers,
        body=raw.body,
        number=counted + 1 if isinstance(counted, int) and counted >= 0 else 1,
        acknowledge=raw.ack,
    )


def make(terms: StreamSettings, servers: list[str], takes: Takes) -> Source:
    """The RabbitMQ side of a stream."""
    return RabbitSource(terms, servers, takes)
