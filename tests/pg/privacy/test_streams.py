"""Personal data from a stream: decided as tokens, and what cannot be is sealed, whatever kind of nonsense it is."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from tests.pg.privacy.world import ADA, everything, flow, found_in, master_key, settings_of
from tests.pg.streams.test_consumer import Server

from interlock.cases.registry import Registry
from interlock.node import Node, open_node
from interlock.streams.consumer import Consumer
from interlock.streams.intake import find_target

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
async def node(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """A process that raises salaries."""
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            yield node


def event(data: Any, **changes: Any) -> bytes:
    """A CloudEvent about a person."""
    known = {"specversion": "1.0", "id": "e-1", "source": "/people", "type": "t", "data": data}
    return json.dumps(known | changes).encode()


BODIES = {
    "one that is decided": event(ADA),
    "one that breaks the contract": event({**ADA, "born": ADA["name"]}, id="e-2"),
    "data that are no object": event([ADA["email"]], id="e-3"),
    "another version": event(ADA, specversion="0.3"),
    "torn": event(ADA)[:-9],
    "no event": json.dumps(ADA).encode(),
    "an amount that is none": event(ADA, id="e-4", exposure=ADA["name"]),
}


@pytest.mark.parametrize("target", ["raises.approve", "workflow:raises"])
async def test_nothing_of_a_person_stays_in_clear_whatever_a_broker_delivers(
    node: Node, admin: Admin, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    server = Server(admin)
    consumer = Consumer(
        "people", node.tools, node.tenant, find_target(node.registry, target), caller="stream:people", concurrency=8
    )
    with caplog.at_level(logging.DEBUG):
        for number, body in enumerate(BODIES.values()):
            await consumer.finish(server.deliver(f"m {number}", body))
            await consumer.finish(server.deliver(f"m {number}", body, number=2))
    assert len(server.acknowledged) == 2 * len(BODIES)
    assert found_in(everything(admin)) == []
    assert found_in(caplog.text) == []
    kept = admin.execute("select count(*) from quarantine").fetchall()[0][0]
    assert kept >= len(BODIES) - 2
