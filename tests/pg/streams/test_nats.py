"""Streams from a real NATS JetStream: acknowledged after the commit, once, whatever dies."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.nats_server import NatsServer, jetstream

from interlock.node import Node
from interlock.stream_settings import StreamSettings
from interlock.streams.run import StreamRun

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


async def test_messages_become_decisions_and_are_acknowledged(node: Node, nats: NatsServer, admin: Admin) -> None:
    async with jetstream(nats) as js:
        for number in range(50):
            await js.publish("claims.in", claim(number))
        async with running(node, terms(nats)) as run:
            await until(lambda: run.consumer.tally.decided == 50)
            await asyncio.sleep(0.1)
            info = await js.consumer_info("CLAIMS", "interlock_claims")
            assert (info.num_pending, info.num_ack_pending) == (0, 0)
    rows = admin.execute("select key, route from decision order by key").fetchall()
    assert len(rows) == 50
    assert rows[0] == ("/claims/desk c-0", "automatic")
