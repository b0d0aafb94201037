"""Kafka and RabbitMQ as far as they go without a server: how they are set up, and how their messages are taken.

NATS is tested against a server: tests/pg/streams/test_nats.py and tests/fault/test_stream_crashes.py.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from interlock.stream_settings import StreamSettings
from interlock.streams.brokers import kafka, rabbitmq
from interlock.streams.delivery import Delivery, read_event
from interlock.streams.source import dead_letter_headers, make_source

EVENT = b'{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{}}'


@dataclass
class Taking:
    """Takes messages, and acknowledges all but those of some identities."""

    leaves: tuple[str, ...] = ()
    taken: list[Delivery] = field(default_factory=list[Delivery])

    async def take(self, delivery: Delivery) -> None:
        """Take one."""
        await self.finish(delivery)

    async def finish(self, delivery: Delivery) -> None:
        """Take one to its end."""
        self.taken.append(delivery)
        if delivery.identity not in self.leaves:
            await delivery.acknowledge()


@dataclass
class Group:
    """What a consumer of a Kafka group is told."""

    committed: list[dict[TopicPartition, int]] = field(default_factory=list[dict[TopicPartition, int]])
    sought: list[tuple[TopicPartition, int]] = field(default_factory=list[tuple[TopicPartition, int]])

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit."""
        self.committed.append(offsets)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read again from there."""
        self.sought.append((partition, offset))


def terms(broker: str, url: str, **more: Any) -> StreamSettings:
    """The settings of a stream."""
    return StreamSettings(name="claims", broker=broker, url=url, subject="claims", target="claims.approve", **more)


def record(offset: int, partition: int = 0, body: bytes | None = EVENT, headers: Any = ()) -> ConsumerRecord[Any, Any]:
    """A record of a topic."""
    return cast("Any", ConsumerRecord)(
        topic="claims", partition=partition, offset=offset, timestamp=0, timestamp_type=0, key=None, value=body,
        checksum=None, serialized_key_size=0, serialized_value_size=0, headers=headers,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("broker", "url"),
    [
        ("nats", "nats://127.0.0.1:4222"),
        ("kafka", "kafka://127.0.0.1:9092,kafka://127.0.0.1:9093"),
        ("kafka", "kafka+ssl://me:secret@127.0.0.1:9092"),
        ("rabbitmq", "amqp://127.0.0.1:5672/"),
    ],
)
async def test_each_kind_of_broker_is_made_of_its_settings(broker: str, url: str) -> None:
    more = {"stream": "CLAIMS"} if broker == "nats" else {}
    source = make_source(terms(broker, url, **more), Taking(), {})
    assert await source.lag() is None, "it is not connected yet"


def test_kafka_speaks_to_every_server_with_the_credentials_of_the_url() -> None:
    source = kafka.KafkaSource(terms("kafka", ""), ["kafka+ssl://me:s%40cret@a:9092", "kafka+ssl://b:9093"], Taking())
    subscriber: Any = source.subscriber
    assert subscriber.group_id == "interlock_claims"
    assert subscriber.max_records == 128
    assert subscriber._connection_args["auto_offset_reset"] == "earliest"
    assert subscriber._connection_args["enable_auto_commit"] is False
    security: Any = kafka.security_of("kafka+ssl://me:s%40cret@a:9092")
    assert (security.username, security.password, security.use_ssl) == ("me", "s@cret", True)
    assert kafka.security_of("kafka://a:9092") is None


async def take_batch(taking: Taking, *records: ConsumerRecord[Any, Any]) -> Group:
    """Hand a batch to the source as its subscriber would."""
    source = kafka.KafkaSource(terms("kafka", ""), ["kafka://a:9092"], taking)
    group = Group()
    source.subscriber.consumer = cast("Any", group)
    await source.on_batch(await kafka.whole(records))
    return group


async def test_kafka_commits_after_the_whole_batch_and_never_beyond_what_is_not_done() -> None:
    first, second = TopicPartition("claims", 0), TopicPartition("claims", 1)
    taking = Taking(leaves=("claims 0 6",))
    group = await take_batch(taking, record(5), record(6), record(7), record(9, 1), record(8, 1))
    assert len(taking.taken) == 5
    assert group.committed == [{first: 6, second: 10}]
    assert group.sought == [(first, 6)]


async def test_kafka_takes_values_and_headers_that_are_no_text() -> None:
    taking = Taking()
    group = await take_batch(taking, record(1, body=None), record(2, headers=(("ce_id", b"\xff"), ("x", None))))
    assert group.committed == [{TopicPartition("claims", 0): 3}]
    assert [one.body for one in taking.taken] == [b"", EVENT]
    assert taking.taken[1].headers == [("ce_id", "\udcff"), ("x", "")]


@dataclass
class Incoming:
    """A message of RabbitMQ."""

    body: bytes
    headers: dict[str, Any]
    content_type: str | None = None
    message_id: str | None = None

    async def ack(self) -> None:
        """Acknowledge."""


def test_rabbitmq_counts_deliveries_where_the_queue_does() -> None:
    def number(**headers: Any) -> int:
        return rabbitmq.delivery_of(cast("Any", Incoming(EVENT, headers))).number

    counted = {"x-delivery-count": 3}
    assert (number(), number(**counted)) == (1, 4)


def test_a_message_of_rabbitmq_is_an_event_in_either_form() -> None:
    binary = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "a",
        "cloudEvents:source": "/s",
        "cloudEvents:type": "t",
        "n": 3,
    }
    first = rabbitmq.delivery_of(cast("Any", Incoming(b"{}", binary, "application/json", "m-1")))
    second = rabbitmq.delivery_of(cast("Any", Incoming(EVENT, {}, "application/cloudevents+json")))
    assert read_event(first) == read_event(second)
    assert (first.identity, len(second.identity)) == ("m-1", 64)


def test_rabbitmq_asks_for_no_more_than_may_be_under_way() -> None:
    source = rabbitmq.RabbitSource(terms("rabbitmq", "", concurrency=7), ["amqp://127.0.0.1/"], Taking())
    subscriber: Any = source.subscriber
    assert subscriber.channel.prefetch_count == 7
    assert (subscriber.queue.name, subscriber.queue.declare) == ("claims", False)


def test_a_dead_letter_says_why_in_plain_text() -> None:
    told = dead_letter_headers(uuid.UUID(int=7), "bad\r\nheader: é" + "x" * 5000)
    assert told["interlock-quarantine"] == str(uuid.UUID(int=7))
    assert told["interlock-why"].isprintable()
    assert told["interlock-why"].startswith("bad??header: ?xx")
    assert len(told["interlock-why"]) == 1000
