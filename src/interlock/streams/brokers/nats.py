"""NATS JetStream: a durable pull consumer, acknowledged message by message.

The server counts deliveries and would drop a message in silence after its own ``max_deliver``; so that is unlimited
here, and counting is ours: what failed often enough goes to quarantine and is then acknowledged.
"""

from __future__ import annotations

from uuid import UUID

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsMessage
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as ServerAckPolicy
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from interlock.errors import ConfigInvalid
from interlock.stream_settings import StreamSettings
from interlock.streams.delivery import Broker, Delivery
from interlock.streams.source import Lag, Source, Takes, dead_letter_headers

FETCH_S = 5.0
"""How long one request for messages stays open at the server."""
CONNECT_S = 3
RECONNECT_S = 1
MOST_UNACKNOWLEDGED = 20_000
"""Over all processes of a durable name; each bounds its own by what it has under way."""
_WAITS_FOR_HANDLERS_S = 0.5
_NONE = "-"


# these two are async although they wait for nothing: FastStream runs one that is not in a thread, for each message
async def _whole(raw: Msg) -> NatsMessage:
    """A message as it came. The library's own parser makes up two random ids and matches patterns, for each."""
    return NatsMessage(raw_message=raw, body=raw.data, correlation_id=_NONE, message_id=_NONE)


async def _itself(message: NatsMessage) -> NatsMessage:
    return message


class NatsSource:
    """One durable consumer of one JetStream stream.

    Args:
        terms: The stream's settings.
        servers: The servers' URLs.
        takes: Who takes the messages.
    """

    def __init__(self, terms: StreamSettings, servers: list[str], takes: Takes) -> None:
        self._terms = terms
        self._takes = takes
        self._jetstream: JetStreamContext | None = None
        self._broker = NatsBroker(
            servers,
            name=f"interlock {terms.name}",
            connect_timeout=CONNECT_S,
            reconnect_time_wait=RECONNECT_S,
            max_reconnect_attempts=-1,
            graceful_timeout=_WAITS_FOR_HANDLERS_S,
            apply_types=False,
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            terms.subject,
            stream=JStream(terms.stream, declare=False),
            durable=terms.consumer,
            pull_sub=PullSub(batch_size=terms.concurrency, timeout=FETCH_S),
            config=ConsumerConfig(
                ack_policy=ServerAckPolicy.EXPLICIT,
                ack_wait=terms.ack_wait.total_seconds(),
                max_deliver=-1,
                max_ack_pending=MOST_UNACKNOWLEDGED,
            ),
            ack_policy=AckPolicy.MANUAL,
            parser=_whole,
            decoder=_itself,
            no_reply=True,
        )
        self._subscriber(self._on_message)

    async def start(self) -> None:
        """Connect, and begin to fetch.

        Raises:
            ConfigInvalid: there is no such JetStream stream, or the durable consumer would lose messages.
        """
        jetstream = self._jetstream = JetStreamContext(await self._broker.connect())
        try:
            await jetstream.stream_info(self._terms.stream)
        except NotFoundError as cause:
            raise ConfigInvalid(
                f"the server has no JetStream stream {self._terms.stream}",
                where=f"streams.{self._terms.name}.stream",
                todo=f"make it, as in `nats stream add {self._terms.stream} --subjects {self._terms.subject}`",
            ) from cause
        await self._check_consumer(jetstream)
        await self._broker.start()

    async def _check_consumer(self, jetstream: JetStreamContext) -> None:
        """Refuse a durable consumer of that name that somebody made so that messages would be dropped."""
        try:
            info = await jetstream.consumer_info(self._terms.stream, self._terms.consumer)
        except NotFoundError:
            return  # it is made now
        config = info.config
        if (config.max_deliver or -1) > 0 or config.ack_policy != ServerAckPolicy.EXPLICIT:
            raise ConfigInvalid(
                f"the consumer {self._terms.consumer} gives messages up by itself: its max_deliver is "
                f"{config.max_deliver}, its acknowledgement {config.ack_policy}",
                where=f"streams.{self._terms.name}.durable",
                todo="set its max_deliver to -1 and its acknowledgement to explicit, or name another one",
            )

    async def stop_fetching(self) -> None:
        """Fetch no more; acknowledgements go on."""
        await self._subscriber.stop()

    async def close(self) -> None:
        """End the connection, once what was acknowledged is on its way."""
        await self._broker.stop()

    async def lag(self) -> Lag | None:
        """What the server still has for this consumer.

        Raises:
            ConfigInvalid: the stream or the consumer was deleted.
        """
        if self._jetstream is None:
            return None
        try:
            info = await self._jetstream.consumer_info(self._terms.stream, self._terms.consumer)
        except NotFoundError as cause:
            raise ConfigInvalid(
                f"the consumer {self._terms.consumer} of {self._terms.stream} is gone from the server",
                where=f"streams.{self._terms.name}",
                todo="it is made again when the stream begins anew",
            ) from cause
        return Lag(info.num_pending or 0, info.num_ack_pending or 0)

    async def send_dead_letter(self, delivery: Delivery, held: UUID, why: str) -> None:
        """Publish a message that went to quarantine; it is on its way before the message is acknowledged."""
        connection = await self._broker.connect()
        headers = {**dict(delivery.headers), **dead_letter_headers(held, why)}
        await connection.publish(self._terms.dead_letter, delivery.body, headers=headers)
        await connection.flush()

    async def _on_message(self, message: NatsMessage) -> None:
        raw = message.raw_message
        metadata = raw.metadata
        headers: dict[str, str] = raw.headers or {}
        await self._takes.take(
            Delivery(
                identity=f"{metadata.stream} {metadata.sequence.stream}",
                broker=Broker.NATS,
                headers=[(name.lower(), value) for name, value in headers.items()],
                body=raw.data,
                number=metadata.num_delivered,
                acknowledge=raw.ack,
                hand_back=raw.nak,
                keep=raw.in_progress,
            )
        )


def make(terms: StreamSettings, servers: list[str], takes: Takes) -> Source:
    """The NATS side of a stream."""
    return NatsSource(terms, servers, takes)
