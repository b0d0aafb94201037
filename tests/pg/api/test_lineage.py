from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from interlock.db.database import connect_service
from interlock.ledger.store import seal_once
from interlock.node import Node


async def test_a_decision_is_traced_to_its_caller_and_the_caller_to_the_decision(
    make_caller: Callable[..., Awaitable[httpx.AsyncClient]], node: Node
) -> None:
    caller = await make_caller("decide", "read", name="till")
    body = {"point": "claims.approve", "key": "a", "input": {"who": "Ana", "total": "12.30"}, "exposure": "12.30 MYR"}
    trace = "0af7651916cd43dd8448eb211c80319c"
    made = (
        await caller.post("/v1/decisions", json=body, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    ).json()
    connection = await connect_service(node.url)
    await seal_once(connection)
    await connection.close()
    graph = (await caller.get(f"/v1/lineage/{made['id']}")).json()
    assert graph["of"] == f"decision:{made['id']}"
    known = {one["id"] for one in graph["nodes"]}
    assert {"caller:till", f"trace:{trace}", "contract:claim@1.0.0"} <= known
    assert all(edge["source"] in known and edge["target"] in known for edge in graph["edges"])
    assert graph["money"][0]["decided"] == "12.30 MYR"
    assert "Ana" not in str(graph)
    for one in graph["nodes"]:
        if one.get("influence"):
            found = (await caller.get("/v1/lineage", params={"of": one["influence"]})).json()
            assert [item["id"] for item in found["items"]] == [made["id"]], one
            assert (found["decisions"], found["money"][0]["decided"]) == (1, "12.30 MYR")
    other = await make_caller("read", tenant="acme")
    assert (await other.get(f"/v1/lineage/{made['id']}")).status_code == 404
    assert (await other.get("/v1/lineage", params={"of": "caller:till"})).json()["items"] == []
    assert (await (await make_caller("decide")).get(f"/v1/lineage/{made['id']}")).status_code == 403


@pytest.mark.parametrize(
    "asked",
    [{}, {"of": "x"}, {"of": "caller:a\0"}, {"of": "caller:a", "limit": "0"}, {"of": "caller:a", "before": "-1"},
     {"of": "caller:a", "before": str(2**80)}, {"of": "contract:" + "x" * 20_000}],
)  # fmt: skip
async def test_what_is_no_question_is_refused(caller: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert (await caller.get("/v1/lineage", params=asked)).status_code == 400
