"""Streams from a real NATS JetStream: acknowledged after the commit, once, whatever dies."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.nats_server import NatsServer, jetstream

from interlock.decisions import decide as deciding
from interlock.decisions.asked import Asked, Deferred
from interlock.decisions.decide import Decider
from interlock.decisions.decision import Decision
from interlock.errors import ConfigInvalid, NotFound
from interlock.node import Node
from interlock.stream_settings import StreamSettings
from interlock.streams.run import StreamRun
from interlock.streams.store import list_standings

Admin = psycopg.Connection[tuple[Any, ...]]
PATIENCE_S = 20.0


def terms(server: NatsServer, **changes: Any) -> StreamSettings:
    """The settings of the stream of these tests."""
    given: dict[str, Any] = {
        "name": "claims",
        "broker": "nats",
        "url": server.url,
        "subject": "claims.in",
        "stream": "CLAIMS",
        "target": "claims.approve",
        "ack_wait": timedelta(seconds=2),
        "concurrency": 64,
    }
    return StreamSettings(**{**given, **changes})


def claim(number: int, total: str = "12.30", **changes: Any) -> bytes:
    """A claim as a structured CloudEvent."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"c-{number}",
        "source": "/claims/desk",
        "type": "claim.made",
        "data": {"who": "ana", "total": total},
    }
    return json.dumps({**event, **changes}).encode()


@asynccontextmanager
async def running(node: Node, settings: StreamSettings) -> AsyncGenerator[StreamRun]:
    """A stream that runs."""
    ended = asyncio.Event()
    run = StreamRun(node.tools, node.registry, node.tenant, settings, {})
    task = asyncio.create_task(run.run(ended))
    try:
        yield run
    finally:
        ended.set()
        await asyncio.wait_for(task, PATIENCE_S)


async def until(condition: Any) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another connection's
            await asyncio.sleep(0.02)


async def settled(js: JetStreamContext) -> None:
    """Wait until the server has nothing left for the consumer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            info = await js.consumer_info("CLAIMS", "interlock_claims")
            if not info.num_pending and not info.num_ack_pending:
                return
            await asyncio.sleep(0.05)


async def test_messages_become_decisions_and_are_acknowledged(node: Node, nats: NatsServer, admin: Admin) -> None:
    async with jetstream(nats) as js:
        for number in range(50):
            await js.publish("claims.in", claim(number))
        async with running(node, terms(nats)) as run:
            await until(lambda: run.consumer.tally.decided == 50)
            await settled(js)
    rows = admin.execute("select key, route from decision order by key").fetchall()
    assert len(rows) == 50
    assert rows[0] == ("/claims/desk c-0", "automatic")


async def test_poison_goes_to_quarantine_and_the_rest_goes_on(node: Node, nats: NatsServer, admin: Admin) -> None:
    async with jetstream(nats) as js:
        await js.publish("claims.in", b"no JSON \x00")
        await js.publish("claims.in", claim(1, "much"))
        await js.publish("claims.in", claim(2))
        binary = {"ce-specversion": "1.0", "ce-id": "%E2%82%AC", "ce-source": "/desk", "ce-type": "t"}
        await js.publish("claims.in", b'{"who": "ana", "total": "1.00"}', headers=binary)
        async with running(node, terms(nats)) as run:
            await until(lambda: run.consumer.tally.done == 4)
            await settled(js)
    assert admin.execute("select count(*) from quarantine").fetchone() == (2,)
    keys = admin.execute("select key from decision order by key").fetchall()
    assert keys == [("/claims/desk c-2",), ("/desk €",)]


async def test_what_goes_to_quarantine_is_also_published_where_the_settings_say(
    node: Node, nats: NatsServer, admin: Admin
) -> None:
    async with jetstream(nats) as js, jetstream(nats, "DEAD", "claims.dead") as dead:
        await js.publish("claims.in", b"no JSON")
        async with running(node, terms(nats, dead_letter="claims.dead")) as run:
            await until(lambda: run.consumer.tally.quarantined == 1)
            await settled(js)
        (letter,) = await (await dead.pull_subscribe("claims.dead", stream="DEAD")).fetch(1, timeout=5)
    assert letter.data == b"no JSON"
    (held,) = admin.execute("select id::text from quarantine").fetchone() or ("",)
    assert letter.headers
    assert letter.headers["interlock-quarantine"] == held
    assert letter.headers["interlock-why"]


async def test_what_fails_is_delivered_again_later_and_then_decided(
    node: Node, nats: NatsServer, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    decide = Decider.decide

    async def fails_twice(self: Decider, question: Asked) -> Decision | Deferred:
        asked.append(question.key)
        if len(asked) < 3:
            raise RuntimeError("for a moment")
        return await decide(self, question)

    monkeypatch.setattr(Decider, "decide", fails_twice)
    async with jetstream(nats) as js:
        await js.publish("claims.in", claim(1))
        async with running(node, terms(nats)) as run:
            await until(lambda: run.consumer.tally.decided == 1)
            await settled(js)
            assert (len(asked), run.consumer.tally.again, run.consumer.tally.quarantined) == (3, 2, 0)


async def test_held_messages_are_kept_alive_beyond_the_brokers_patience(
    node: Node, nats: NatsServer, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ack wait is one second; what waits in line longer is not delivered again, which would count as a failure."""
    monkeypatch.setattr(deciding, "QUEUE_FULL_PAUSE", timedelta(milliseconds=300))
    async with jetstream(nats) as js:
        for number in range(6):
            await js.publish("claims.in", claim(number))
        settings = terms(nats, target="claims.rare", ack_wait=timedelta(seconds=1), concurrency=1)
        async with running(node, settings) as run:
            await until(lambda: run.consumer.tally.decided == 1 and run.consumer.waiting == 1)
            await asyncio.sleep(3.0)
            info = await js.consumer_info("CLAIMS", "interlock_claims")
            assert (info.num_redelivered, run.consumer.tally.again) == (0, 0)
            assert (info.num_pending or 0) >= 2, "no more is fetched than may be under way, and as much again"
            (standing,) = await list_standings(node.database, node.tenant)
            assert (standing.state, standing.waiting, standing.under_way) == ("waiting", 1, 1)
            assert "reviews wait in the queue tiny" in standing.why
            assert standing.pending == info.num_pending
    assert admin.execute("select count(*) from decision").fetchone() == (1,)


async def test_how_it_stands_is_written_each_second_and_when_it_ends(node: Node, nats: NatsServer) -> None:
    async with jetstream(nats) as js:
        async with running(node, terms(nats)) as run:
            for number in range(30):
                await js.publish("claims.in", claim(number))
            await until(lambda: run.consumer.tally.decided == 30)
            await asyncio.sleep(1.5)
            (standing,) = await list_standings(node.database, node.tenant)
            assert (standing.stream, standing.state, standing.silent) == ("claims", "running", False)
            assert (standing.target, standing.broker, standing.concurrency) == ("claims.approve", "nats", 64)
            assert (standing.decided, standing.pending, standing.unacknowledged) == (30, 0, 0)
            assert standing.age < 3
        (standing,) = await list_standings(node.database, node.tenant)
    assert standing.state == "ended"


async def test_a_broker_that_is_not_there_is_asked_again_and_said_so(
    node: Node, nats: NatsServer, admin: Admin
) -> None:
    async with jetstream(nats) as js:
        await js.publish("claims.in", claim(1))
    nats.kill()
    async with running(node, terms(nats)) as run:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await list_standings(node.database, node.tenant)
                if found and "cannot be reached" in found[0].why:
                    break
                await asyncio.sleep(0.05)
        assert found[0].state == "unreachable"
        nats.start()
        await until(lambda: run.consumer.tally.decided == 1)
    assert admin.execute("select count(*) from decision").fetchone() == (1,)


async def test_a_consumer_that_somebody_deletes_is_made_again(node: Node, nats: NatsServer, admin: Admin) -> None:
    async with jetstream(nats) as js, running(node, terms(nats)) as run:
        await js.publish("claims.in", claim(1))
        await until(lambda: run.consumer.tally.decided == 1)
        await js.delete_consumer("CLAIMS", "interlock_claims")
        await js.publish("claims.in", claim(2))
        await until(lambda: stored(admin) == 2)


def stored(admin: Admin) -> int:
    """How many decisions are stored."""
    row = admin.execute("select count(*) from decision").fetchone()
    return int(row[0]) if row else -1


async def test_what_would_lose_messages_is_refused(node: Node, nats: NatsServer) -> None:
    async with jetstream(nats) as js:
        missing = StreamRun(node.tools, node.registry, node.tenant, terms(nats, stream="NONE"), {})
        with pytest.raises(ConfigInvalid, match="no JetStream stream NONE"):
            await missing.run(asyncio.Event())
        config = ConsumerConfig(durable_name="dropping", max_deliver=3, ack_policy=AckPolicy.EXPLICIT)
        await cast("Any", js).add_consumer("CLAIMS", config)
        dropping = StreamRun(node.tools, node.registry, node.tenant, terms(nats, durable="dropping"), {})
        with pytest.raises(ConfigInvalid, match="gives messages up"):
            await dropping.run(asyncio.Event())
    with pytest.raises(NotFound):
        StreamRun(node.tools, node.registry, node.tenant, terms(nats, target="claims.aprove"), {})
