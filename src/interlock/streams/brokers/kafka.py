"""Kafka: a consumer group that reads a topic in batches and commits an offset once all before it is done with.

Kafka knows no acknowledgement of one message and no delivery after a pause: a batch is decided at once, what fails is
tried again here, and the offsets are committed when the whole batch is done with. A message that holds its place holds
its batch. Headers and values are taken as bytes: the library's own parser raises on what is not UTF-8, and passes over
the batch.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage
from faststream.security import BaseSecurity, SASLPlaintext

from interlock.stream_settings import StreamSettings
from interlock.streams.delivery import Broker, Delivery
from interlock.streams.source import Lag, Source, Takes, dead_letter_headers

Record = ConsumerRecord[Any, Any]
log = logging.getLogger("interlock.streams")

BATCH_S = 0.2
"""How long a fetch waits for a message."""
_ENDS_S = 6.0


# these two are async although they wait for nothing: FastStream runs one that is not in a thread
async def whole(records: tuple[Record, ...]) -> KafkaMessage:
    """A batch as it came."""
    return KafkaAckableMessage(raw_message=records, body=b"", consumer=FAKE_CONSUMER)


async def _itself(message: KafkaMessage) -> KafkaMessage:
    return message


class KafkaSource:
    """One member of a consumer group.

    Args:
        terms: The stream's settings; ``durable`` is the group.
        servers: ``kafka://HOST:PORT``, or ``kafka+ssl://``, with a user and a password for SASL/PLAIN.
        takes: Who takes the messages.
    """

    def __init__(self, terms: StreamSettings, servers: list[str], takes: Takes) -> None:
        self._terms = terms
        self._takes = takes
        self._broker = KafkaBroker(
            [urlsplit(one).netloc.rpartition("@")[2] for one in servers],
            client_id=f"interlock-{terms.name}",
            security=security_of(servers[0]),
            allow_auto_create_topics=False,
            graceful_timeout=_ENDS_S,
            apply_types=False,
            logger=None,
        )
        self.subscriber = self._broker.subscriber(
            terms.subject,
            batch=True,
            max_records=terms.concurrency,
            batch_timeout_ms=int(BATCH_S * 1000),
            group_id=terms.consumer,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            parser=whole,
            decoder=_itself,
            no_reply=True,
        )
        self.subscriber(self.on_batch)

    async def start(self) -> None:
        """Connect, and begin to fetch."""
        await self._broker.start()

    async def stop_fetching(self) -> None:
        """Fetch no more, once the batch under way has ended and is committed, or after some seconds."""
        await self.subscriber.stop()

    async def close(self) -> None:
        """End the connection."""
        await self._broker.stop()

    async def lag(self) -> Lag | None:
        """What is behind the positions of this process's partitions, and between them and what is committed."""
        consumer: Any = self.subscriber.consumer
        if consumer is None:
            return None
        partitions = list(consumer.assignment())
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        pending = unacknowledged = 0
        for partition, end in ends.items():
            position: int = await consumer.position(partition)
            committed: int | None = await consumer.committed(partition)
            pending += max(0, end - position)
            unacknowledged += position - committed if committed is not None else 0
        return Lag(pending, unacknowledged)

    async def send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        """Publish a message that went to quarantine."""
        headers = {**dict(delivery.headers), **dead_letter_headers(held, why)}
        await self._broker.publish(delivery.body, topic=self._terms.dead_letter, headers=headers)

    async def on_batch(self, message: KafkaMessage) -> None:
        """Have a batch decided, and commit what was done with."""
        records = cast("tuple[Record, ...]", message.raw_message)
        done: set[tuple[TopicPartition, int]] = set()
        await asyncio.gather(*(self._takes.finish(_delivery(record, done)) for record in records))
        consumer = self.subscriber.consumer
        if consumer is not None:
            await _commit(consumer, records, done)


async def _commit(consumer: Any, records: Sequence[Record], done: set[tuple[TopicPartition, int]]) -> None:
    """Commit what is done with, in each partition up to the first that is not, from which it is read again."""
    offsets: dict[TopicPartition, int] = {}
    again: dict[TopicPartition, int] = {}
    for record in sorted(records, key=lambda one: one.offset):
        partition = TopicPartition(record.topic, record.partition)
        if partition in again:
            continue
        if (partition, record.offset) in done:
            offsets[partition] = record.offset + 1
        else:
            again[partition] = record.offset
    for partition, offset in again.items():
        consumer.seek(partition, offset)
    if offsets:
        try:
            await consumer.commit(offsets)
        except Exception as cause:  # noqa: BLE001 - another member has the partition now and decides the same again
            log.warning("what was decided could not be committed to Kafka, and is read again: %s", cause)


def _delivery(record: Record, done: set[tuple[TopicPartition, int]]) -> Delivery:
    async def acknowledge() -> None:
        done.add((TopicPartition(record.topic, record.partition), record.offset))

    return Delivery(
        identity=f"{record.topic} {record.partition} {record.offset}",
        broker=Broker.KAFKA,
        # what is not UTF-8 becomes lone surrogates, which no attribute of an event may hold
        headers=[(name.lower(), (value or b"").decode("utf-8", "surrogateescape")) for name, value in record.headers],
        body=record.value or b"",
        acknowledge=acknowledge,
    )


def security_of(server: str) -> BaseSecurity | None:
    """The credentials and the encryption of a URL."""
    parts = urlsplit(server)
    context = ssl.create_default_context() if parts.scheme == "kafka+ssl" else None
    if parts.username is not None:
        return SASLPlaintext(unquote(parts.username), unquote(parts.password or ""), ssl_context=context)
    return BaseSecurity(ssl_context=context) if context else None


def make(terms: StreamSettings, servers: list[str], takes: Takes) -> Source:
    """The Kafka side of a stream."""
    return KafkaSource(terms, servers, takes)
