"""How the outside systems stand, by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.actions.circuits import open_circuit

if TYPE_CHECKING:
    import httpx

    from interlock.node import Node

    from .conftest import MakeCaller


async def test_a_circuit_is_shown_with_who_opened_it_and_why(caller: httpx.AsyncClient, node: Node) -> None:
    assert (await caller.get("/v1/connectors")).json() == {"connectors": []}
    await open_circuit(node.database, node.writer, node.tenant, "payments", who="rosa", why="maintenance")
    (one,) = (await caller.get("/v1/connectors")).json()["connectors"]
    assert (one["name"], one["circuit"], one["what"]) == ("payments", "open", "opened by rosa: maintenance")
    assert (one["known"], one["retry_at"], one["in_flight"], one["waiting"]) == (False, None, 0, 0)


async def test_reading_needs_a_scope(make_caller: MakeCaller) -> None:
    submitter = await make_caller("submit", name="submitter")
    reader = await make_caller("read", name="reader")
    assert (await submitter.get("/v1/connectors")).status_code == 403
    assert (await reader.get("/v1/connectors")).status_code == 200
