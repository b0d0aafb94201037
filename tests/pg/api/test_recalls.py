"""Recalling over HTTP: planned, started, carried out by the process, shown; for administrators alone."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx

from interlock.node import Node
from interlock.recall.carry import carry_on
from interlock.recall.duty import Recalling

from .conftest import MakeCaller

WHAT = {"component": "rules:approve-claim@1"}


async def until(caller: httpx.AsyncClient, recall: str, state: str, *, gathered: bool = True) -> Any:
    """A recall once it is there."""
    async with asyncio.timeout(15):
        while True:
            found = (await caller.get(f"/v1/recalls/{recall}")).json()
            if (found["recall"]["state"], found["recall"]["gathered"]) == (state, gathered):
                return found
            await asyncio.sleep(0.02)


async def test_a_recall_is_planned_started_and_carried_out_once(
    caller: httpx.AsyncClient, node: Node, make_caller: MakeCaller
) -> None:
    body = {"workflow": "claims", "key": "k", "input": {"who": "ana", "total": "10.00"}}
    made = (await caller.post("/v1/cases", json=body)).json()["id"]
    component = (await decided(caller, node, made))["component"]
    async with node.worker(), Recalling(node.database, node.recall_means, poll_s=0.02):
        planned = await caller.post("/v1/recalls/plan", json={"component": component})
        assert planned.status_code == 202
        recall = planned.json()["recall"]["id"]
        found = await until(caller, recall, "planned")
        assert (found["recall"]["decisions"], found["figures"]["members"]["found"]) == (1, 1)
        started = await caller.post("/v1/recalls", json={"plan": recall, "why": "the rule was wrong", "anew": True})
        assert (started.status_code, started.json()["recall"]["state"]) == (202, "running")
        again = await caller.post("/v1/recalls", json={"plan": recall, "why": "the rule was wrong"})
        assert again.status_code == 409
        found = await until(caller, recall, "done")
        (member,) = (await caller.get(f"/v1/recalls/{recall}/members")).json()["members"]
        assert (member["id"], member["state"]) == (made, "anew")
        assert (await caller.get(f"/v1/cases/{member['anew']}")).status_code == 200
    assert [one["id"] for one in (await caller.get("/v1/recalls")).json()["recalls"]] == [recall]
    other = await make_caller("admin", tenant="other")
    assert (await other.get(f"/v1/recalls/{recall}")).status_code == 404
    assert (await other.get(f"/v1/recalls/{recall}/members")).status_code == 404
    assert (await other.post("/v1/recalls", json={"plan": recall, "why": "mine"})).status_code == 404
    reader = await make_caller("read", "review", name="reader")
    assert (await reader.get("/v1/recalls")).status_code == 403


async def decided(caller: httpx.AsyncClient, node: Node, case: str) -> Any:
    """The one decision of a case, once it is done."""
    async with node.worker(), asyncio.timeout(15):
        while (found := (await caller.get(f"/v1/cases/{case}")).json())["state"] != "done":  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)
    (decision,) = found["decisions"]
    return decision


async def test_what_says_nothing_or_two_things_is_refused(caller: httpx.AsyncClient) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {"why": "x"},
        {"why": "x", "what": {}},
        {"why": "x", "what": WHAT, "plan": str(uuid4())},
        {"why": "x", "what": {"component": "approve"}},
        {"why": "x", "what": {"contract": "\x00"}},
        {"why": "", "what": WHAT},
        {"why": "x", "what": {"source": "caller:ana"}, "stop": True},
        {"why": "x", "what": {**WHAT, "unknown": 1}},
    )
    for body in bodies:
        assert (await caller.post("/v1/recalls", json=body)).status_code in (400, 422), body
    assert (await caller.post("/v1/recalls", json={"why": "x", "plan": str(uuid4())})).status_code == 404
    assert (await caller.get("/v1/recalls")).json() == {"recalls": []}


async def test_a_decision_without_a_case_says_that_it_was_recalled_wherever_it_is_asked_for(
    caller: httpx.AsyncClient, node: Node
) -> None:
    body = {"point": "claims.approve", "key": "k", "input": {"who": "ana", "total": "10.00"}}
    made = (await caller.post("/v1/decisions", json=body)).json()
    assert (made["case"], made["recalled"]) == (None, None)
    asked = {"why": "it was wrong", "what": WHAT, "anew": True}
    recalls = [UUID((await caller.post("/v1/recalls", json=asked)).json()["recall"]["id"]) for _ in range(2)]
    for recall in recalls:
        for _ in range(8):
            await carry_on(node.database, node.recall_means, node.tenant, recall)
    (member,) = (await caller.get(f"/v1/recalls/{recalls[0]}/members")).json()["members"]
    recalled = {"recall": str(recalls[0]), "by": "boss", "why": "it was wrong", "anew": member["anew"]}
    assert member["anew"]
    for told in (await caller.post("/v1/decisions", json=body), await caller.get(f"/v1/decisions/{made['id']}")):
        answer = told.json()
        assert (answer["id"], answer["output"], answer["recalled"]) == (made["id"], None, recalled)
