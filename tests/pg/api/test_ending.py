"""Cancelling and resolving by cause and by value, over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx

from interlock.cases.record import read_record
from interlock.node import Node

from .conftest import MakeCaller

SMALL = {"who": "ana", "total": "12.30"}


async def take(caller: httpx.AsyncClient, key: str, **more: str) -> str:
    body = {"workflow": "claims", "key": key, "input": {**SMALL, **more}}
    taken = await caller.post("/v1/cases", json=body)
    assert taken.status_code == 201
    return taken.json()["id"]


async def until(caller: httpx.AsyncClient, case: str, *states: str) -> dict[str, Any]:
    for _ in range(400):
        found = (await caller.get(f"/v1/cases/{case}")).json()
        if found["state"] in states:
            return found
        await asyncio.sleep(0.025)
    raise AssertionError(f"the case is not {states}")


async def test_a_case_is_cancelled_once_and_says_by_whom(
    caller: httpx.AsyncClient, node: Node, make_caller: MakeCaller
) -> None:
    case = await take(caller, "cancelled")
    path = f"/v1/cases/{case}/cancel"
    assert (await caller.post(path, json={"why": ""})).status_code == 400
    first = await caller.post(path, json={"why": "a double"})
    again = await caller.post(path, json={"why": "something else"})
    assert (first.status_code, first.json()["new"]) == (200, True)
    assert again.json() == first.json() | {"new": False}
    async with node.worker():
        found = await until(caller, case, "cancelled")
        done = await take(caller, "paid")
        await until(caller, done, "done")
    assert (found["cancel_by"], found["cancel_why"]) == (first.json()["cancel_by"], "a double")
    record = await read_record(node.database, node.tenant, UUID(case))
    (wanted,) = (json.loads(one.body) for one in record.entries if one.kind == "case.cancel_wanted")
    assert wanted["policies"] == node.authority.digest[:16]
    assert set(wanted["because"]) & set(node.authority.ids)
    refused = await caller.post(f"/v1/cases/{done}/cancel", json={"why": "too late"})
    assert (refused.status_code, refused.json()["code"]) == (409, "state-conflict")
    assert "has ended" in refused.json()["detail"]
    reviewer = await make_caller("review", "read", name="reviewer")
    assert (await reviewer.post(f"/v1/cases/{done}/take-back", json={"why": "mine"})).status_code == 403
    async with node.worker():
        back = await caller.post(f"/v1/cases/{done}/take-back", json={"why": "the rule was wrong"})
        assert (back.status_code, back.json()["new"]) == (200, True)
        await until(caller, done, "cancelled")
    assert (await caller.post(f"/v1/cases/{uuid4()}/take-back", json={"why": "none"})).status_code == 404
    assert (await caller.post(f"/v1/cases/{uuid4()}/cancel", json={"why": "none"})).status_code == 404


async def test_exceptions_of_one_cause_are_listed_and_resolved_together(caller: httpx.AsyncClient, node: Node) -> None:
    async with node.worker():
        cases = [await take(caller, f"t{number}", who="trouble") for number in range(3)]
        for case in cases:
            await until(caller, case, "exception")
    (group,) = (await caller.get("/v1/exceptions/groups")).json()["groups"]
    assert (group["count"], group["kind"], group["owner"]) == (3, "workflow-error", "claims@example.com")
    path = f"/v1/exceptions/groups/{group['fingerprint']}"
    unfit = (await caller.post(path, json={"way": "no_effect", "why": "x"})).json()
    assert (unfit["resolved"], len(unfit["members"])) == (0, 3)
    assert "no action is in doubt" in unfit["members"][0]["refused"]
    assert unfit["members"][0]["todo"]
    told = (await caller.post(path, json={"way": "abandon", "why": "all of them"})).json()
    assert (told["resolved"], {one["case"] for one in told["members"]}) == (3, set(cases))
    async with node.worker():
        for case in cases:
            await until(caller, case, "cancelled")
    assert (await caller.get("/v1/exceptions/groups")).json()["groups"] == []
    assert (await caller.post(path, json={"way": "retry", "why": "x"})).status_code == 404


async def test_an_input_is_corrected_and_held_to_its_contract(caller: httpx.AsyncClient, node: Node) -> None:
    async with node.worker():
        case = await take(caller, "c", who="trouble")
        (exception,) = (await until(caller, case, "exception"))["exceptions"]
        path = f"/v1/exceptions/{exception['id']}/resolve"
        wrong = await caller.post(path, json={"way": "correct", "why": "a slip", "value": {"who": "ana"}})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "contract-violated")
        assert wrong.json()["violations"]
        assert (await caller.post(path, json={"way": "correct", "why": "a slip"})).status_code == 400
        right = await caller.post(path, json={"way": "correct", "why": "a slip", "value": SMALL})
        assert right.status_code == 200
        found = await until(caller, case, "done", "exception")
    assert (found["state"], found["run"], found["input"]) == ("done", 2, SMALL)
    assert found["exceptions"][0]["answer"] == SMALL
