"""How the outside systems stand: circuit, what is under way, what waits, and their limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from interlock.actions.circuit import CircuitState
from interlock.actions.circuit_store import LIST_CIRCUITS, LOADS
from interlock.connector_settings import ConnectorSettings
from interlock.db.database import Database
from interlock.durations import format_duration


class ConnectorStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How one connector stands.

    Attributes:
        name: Which.
        known: Whether the settings of this process have it.
        circuit: closed, open or recovering; shared by all workers and tenants.
        failures: In a row.
        since: Since when the circuit is as it is; None: it has never failed.
        retry_at: When the next request is let through; None for an open one: when somebody closes it.
        what: The last failure by kind and code, or who opened the circuit and why.
        in_flight: This tenant's actions whose request is under way.
        in_doubt: This tenant's actions whose answer was lost.
        waiting: This tenant's actions that wait to be sent.
        concurrency: How many requests of one process may be under way at once; None: it is not in the settings.
        timeout: How long one exchange may take; None: it is not in the settings.
    """

    name: str
    known: bool
    circuit: CircuitState = CircuitState.CLOSED
    failures: int = 0
    since: datetime | None = None
    retry_at: datetime | None = None
    what: str = ""
    in_flight: int = 0
    in_doubt: int = 0
    waiting: int = 0
    concurrency: int | None = None
    timeout: str | None = None


async def read_standings(
    database: Database, tenant: UUID, settings: Mapping[str, ConnectorSettings], *, most: int | None = None
) -> list[ConnectorStanding]:
    """How every connector stands that is in the settings, has failed, or has work of this tenant; by name.

    Args:
        database: Where it is.
        tenant: Whose work.
        settings: The connectors that this process knows.
        most: Up to where what waits is counted for each; None: all of it.
    """
    async with database.tenant(tenant) as connection:
        circuits = {one.connector: one for one in await LIST_CIRCUITS.all(connection)}
        loads = {one.connector: one for one in await LOADS.all(connection, {"most": most})}
    standings: list[ConnectorStanding] = []
    for name in sorted({*settings, *circuits, *loads}):
        one = ConnectorStanding(name=name, known=name in settings)
        if terms := settings.get(name):
            one = msgspec.structs.replace(one, concurrency=terms.concurrency, timeout=format_duration(terms.timeout))
        if circuit := circuits.get(name):
            one = msgspec.structs.replace(
                one, circuit=circuit.state, failures=circuit.failures, since=circuit.since, retry_at=circuit.retry_at,
                what=circuit.what,
            )  # fmt: skip
        if load := loads.get(name):
            one = msgspec.structs.replace(one, in_flight=load.in_flight, in_doubt=load.in_doubt, waiting=load.waiting)
        standings.append(one)
    return standings
