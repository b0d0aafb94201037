from __future__ import annotations

import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.actions.connector import Connector, Request
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.registry import make_connector
from interlock.sim import FaultPlan, SimulatedProvider

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.fault.connectors.wire import Wire, serving

OPERATIONS = """
[pay]
method = "POST"
path = "/payments"
body = {to = "{to}", amount = "{amount.amount}", currency = "{amount.currency}", reference = "{key}"}
success = [200, 201, 202]
look_up.path = "/payments?key={key}"
look_up.found = 200
look_up.absent = 404
look_up.pending = {field = "state", is = "pending"}
look_up.match = {to = "to", amount = "amount", currency = "currency"}

[refund]
method = "POST"
path = "/payments/{payment}/refund"
success = [200, 201, 202]
look_up.path = "/refunds?key={key}"
look_up.pending = {field = "state", is = "pending"}
look_up.match = {payment = "{payment}"}
"""

VOID = """
void.method = "POST"
void.path = "/keys/{key}/void"
void.state = {field = "state", is = "void"}
void.found = 409
"""
"""How a key of the provider is made void, for the end of an operation's table."""

Connect = Callable[..., Connector]
Ask = Callable[..., Request]
Count = Callable[[str], Awaitable[int]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    """One process for a module; its tests use keys of their own."""
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture
def provider(running: SimulatedProvider) -> Iterator[SimulatedProvider]:
    """A good provider before each test, and again after it."""
    running.restart() if not running.alive else running.set_faults(FaultPlan())
    yield running
    if running.alive:
        running.set_faults(FaultPlan())


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes connectors to a URL; they are closed after the test."""
    made: list[Connector] = []

    def make(url: str, **changes: Any) -> Connector:
        values: dict[str, Any] = {
            "name": "payments",
            "url": url,
            "simulated": True,
            "honours_keys": True,
            "key_retention": timedelta(days=30),
            "can_look_up": True,
            "max_request_life": timedelta(seconds=2),
            "operations": tomllib.loads(OPERATIONS),
        }
        connector = make_connector("payments", ConnectorSettings(**(values | changes)))
        made.append(connector)
        return connector

    yield make
    for connector in made:
        await connector.close()


@pytest.fixture
def voiding() -> dict[str, Any]:
    """The same operations, with a way to make their keys void."""
    return {name: table | tomllib.loads(VOID) for name, table in tomllib.loads(OPERATIONS).items()}


@pytest.fixture
def ask() -> Ask:
    """Makes requests whose deadline is some seconds away."""

    def make(key: str, operation: str = "pay", *, seconds: float = 5.0, **payload: Any) -> Request:
        whole = {"to": "ana", "amount": {"amount": "12.30", "currency": "MYR"}} | payload
        return Request(
            operation=operation, key=key, payload=whole, deadline=datetime.now(UTC) + timedelta(seconds=seconds)
        )

    return make


@pytest.fixture
def count(provider: SimulatedProvider) -> Count:
    """Counts the settled effects under a key, by the provider's own book."""

    async def by_book(key: str) -> int:
        return sum(entry.key == key and entry.state in {"settled", "refunded"} for entry in provider.book())

    return by_book


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A server that answers with whatever bytes the test wants."""
    served = Wire()
    async with serving(served.converse) as port:
        served.url = f"http://127.0.0.1:{port}"
        yield served
