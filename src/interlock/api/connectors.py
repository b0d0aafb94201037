"""Connectors: how the outside systems stand."""

from __future__ import annotations

from datetime import datetime

import msgspec
from litestar import Response, get

from interlock.actions.circuit import CircuitState
from interlock.actions.standing import read_standings
from interlock.api.call import Call, answer
from interlock.api.documents import Document
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope


class ConnectorDocument(Document, frozen=True, kw_only=True):
    """How one connector stands.

    Attributes:
        name: Which.
        known: Whether the settings of this process have it.
        circuit: closed, open or recovering; shared by all workers and tenants.
        failures: In a row.
        since: Since when the circuit is as it is; null: it has never failed.
        retry_at: When the next request is let through; null for an open one: when somebody closes it.
        what: The last failure by kind and code, or who opened the circuit and why.
        in_flight: This tenant's actions whose request is under way.
        in_doubt: This tenant's actions whose answer was lost.
        waiting: This tenant's actions that wait to be sent.
        concurrency: How many requests of one process may be under way at once; null: it is not in the settings.
        timeout: How long one exchange may take; null: it is not in the settings.
    """

    name: str
    known: bool
    circuit: CircuitState
    failures: int
    since: datetime | None
    retry_at: datetime | None
    what: str
    in_flight: int
    in_doubt: int
    waiting: int
    concurrency: int | None
    timeout: str | None


class ConnectorPage(Document, frozen=True, kw_only=True):
    """The connectors, by name.

    Attributes:
        connectors: They.
    """

    connectors: tuple[ConnectorDocument, ...]


@get("/v1/connectors", opt=says(Endpoint(needs=(Scope.READ, Scope.STOP), gives={200: ConnectorPage})))
async def list_connectors(request: Call) -> Response[bytes]:
    """The connectors with their circuits, what is under way and what waits.

    A circuit is opened and closed by hand by whoever runs the installation: `interlock circuit`.
    """
    node = request.node
    found = await read_standings(node.database, request.tenant, node.settings.connectors)
    return answer(ConnectorPage(connectors=tuple(ConnectorDocument(**msgspec.structs.asdict(one)) for one in found)))
