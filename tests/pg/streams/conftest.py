"""What tests of streams share: a node with a small workflow, a NATS server, and events."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.nats_server import NatsServer, nats_server
from tests.pg.streams.claims.claims_workflow import claims

from interlock.cases.registry import Registry, register
from interlock.config import Settings
from interlock.node import Node, open_node


@pytest.fixture
async def node(database_url: str) -> AsyncIterator[Node]:
    """A process with its database."""
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with open_node(settings, registry=Registry([register(claims)])) as node:
        yield node


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server with JetStream."""
    with nats_server(tmp_path / "jetstream") as server:
        yield server
