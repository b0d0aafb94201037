from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from interlock.cases.submit import submit
from interlock.guards.stops import stop
from interlock.node import Node

SMALL = {"who": "ana", "total": "12.30"}


async def exception_of(caller: httpx.AsyncClient) -> dict[str, Any]:
    body = {"workflow": "claims", "key": "t", "input": {**SMALL, "who": "trouble"}}
    assert (await caller.post("/v1/cases", json=body)).status_code == 201
    for _ in range(400):
        found = (await caller.get("/v1/exceptions")).json()["exceptions"]
        if found:
            return found[0]
        await asyncio.sleep(0.025)
    raise AssertionError("no exception came")


async def ended(caller: httpx.AsyncClient, follow: str, *, state: str = "cancelled") -> None:
    for _ in range(400):
        if (await caller.get(follow)).json()["state"] == state:
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"the case is not {state}")


async def quarantined(caller: httpx.AsyncClient) -> dict[str, Any]:
    body = {"workflow": "claims", "key": "q", "input": {"who": "ana"}}
    return (await caller.post("/v1/cases", json=body)).json()


async def test_an_exception_is_seen_and_resolved_once(caller: httpx.AsyncClient, node: Node) -> None:
    async with node.worker():
        found = await exception_of(caller)
    path = f"/v1/exceptions/{found['id']}/resolve"
    record = (await caller.get(f"/v1/cases/{found['case']}")).json()

    assert (record["state"], [one["id"] for one in record["exceptions"]]) == ("exception", [found["id"]])
    assert "there is trouble" in found["what"]
    assert found["owner"] == "claims@example.com"
    wrong = await caller.post(path, json={"way": "took_effect", "why": "it did"})
    assert (wrong.status_code, wrong.json()["where"]) == (400, "/way")
    abandoned = await caller.post(path, json={"way": "abandon", "why": "a test"})
    assert (abandoned.status_code, abandoned.json()["case"]) == (200, found["case"])
    async with node.worker():
        await ended(caller, abandoned.json()["follow"])
    assert (await caller.post(path, json={"way": "abandon", "why": "again"})).status_code == 409
    assert (await caller.get("/v1/exceptions")).json()["exceptions"] == []


async def test_an_exception_can_be_tried_again(caller: httpx.AsyncClient, node: Node) -> None:
    async with node.worker():
        found = await exception_of(caller)
    path = f"/v1/exceptions/{found['id']}/resolve"

    assert (await caller.post(path, json={"way": "retry", "why": ""})).status_code == 400
    assert (await caller.post(path, json={"way": "retry", "why": "mended"})).status_code == 200
    assert (await caller.get(f"/v1/cases/{found['case']}")).json()["state"] == "ready"


async def test_an_exception_that_does_not_exist_is_not_found(caller: httpx.AsyncClient) -> None:
    missing = "/v1/exceptions/0190aaaa-0000-7000-8000-000000000000/resolve"

    assert (await caller.post(missing, json={"way": "retry", "why": "x"})).status_code == 404


async def test_a_quarantined_case_goes_on_with_mended_input(caller: httpx.AsyncClient) -> None:
    problem = await quarantined(caller)
    path = f"/v1/quarantine/{problem['quarantine']}"
    listed = (await caller.get("/v1/quarantine?limit=5")).json()["quarantine"]

    assert listed == [(await caller.get(path)).json()]
    assert (listed[0]["case"], listed[0]["data"], listed[0]["state"]) == (problem["case"], {"who": "ana"}, "held")
    still = await caller.post(f"{path}/release", json={"input": {"who": "ana", "total": 12.3}})
    assert (still.status_code, still.json()["violations"][0]["where"]) == (422, "/total")
    released = await caller.post(f"{path}/release", json={"input": SMALL})
    assert (released.status_code, released.json()["case"]) == (200, problem["case"])
    record = (await caller.get(released.json()["follow"])).json()
    assert (record["state"], record["input"]) == ("ready", SMALL)
    assert (await caller.post(f"{path}/release", json={"input": SMALL})).status_code == 409
    assert (await caller.get(path)).json()["resolved_by"] == "boss"
    assert (await caller.get("/v1/quarantine")).json()["quarantine"] == []


async def test_a_released_case_answers_its_first_submission(caller: httpx.AsyncClient) -> None:
    problem = await quarantined(caller)
    await caller.post(f"/v1/quarantine/{problem['quarantine']}/release", json={"input": SMALL})
    again = await caller.post("/v1/cases", json={"workflow": "claims", "key": "q", "input": {"who": "ana"}})

    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, problem["case"], "ready")


async def test_what_is_no_json_is_shown_as_text(caller: httpx.AsyncClient, node: Node) -> None:
    taken = await submit(node.writer, node.tenant, node.registry.named("claims"), key="x", data=b"{oops \xff")
    record = (await caller.get(f"/v1/cases/{taken.case_id}")).json()

    assert record["input"] is None
    assert (record["quarantine"][0]["data"], record["quarantine"][0]["text"]) == (None, "{oops \ufffd")


async def test_nothing_of_that_id_in_quarantine(caller: httpx.AsyncClient) -> None:
    missing = "/v1/quarantine/0190aaaa-0000-7000-8000-000000000000"

    assert (await caller.get(missing)).status_code == 404
    assert (await caller.post(f"{missing}/release", json={"input": {}})).status_code == 404


async def test_a_scope_is_stopped_and_resumed(caller: httpx.AsyncClient) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    body = {"scope": "workflow:claims", "why": "a drill", "until": until.isoformat()}
    stopped = await caller.post("/v1/stops", json=body)
    (listed,) = (await caller.get("/v1/stops")).json()["stops"]

    assert (stopped.status_code, stopped.json()["known"], listed["known"]) == (201, True, True)
    assert (listed["id"], listed["who"], listed["scope"]) == (stopped.json()["id"], "boss", "workflow:claims")
    path = f"/v1/stops/{listed['id']}/resume"
    resumed = await caller.post(path, json={"why": "over"})
    assert (resumed.status_code, resumed.json()) == (200, {"stops": [], "soon": []})
    assert (await caller.post(path, json={"why": "again"})).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "worklow:claims", "why": "x"},
        {"scope": "workflow:claism", "why": "x"},
        {"scope": "point:claims.aprove", "why": "x"},
        {"scope": "everything", "why": "  "},
        {"scope": "everything"},
        {"scope": "everything", "why": "x", "until": "2020-01-01T00:00:00Z"},
        {"scope": "everything", "why": "x", "until": "2090-01-01T00:00:00"},
    ],
)
async def test_a_stop_that_is_not_whole_is_refused(caller: httpx.AsyncClient, body: dict[str, Any]) -> None:
    refused = await caller.post("/v1/stops", json=body)

    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    assert (await caller.get("/v1/stops")).json() == {"stops": [], "soon": []}


async def test_a_misspelt_stop_says_what_was_meant(caller: httpx.AsyncClient) -> None:
    refused = (await caller.post("/v1/stops", json={"scope": "workflow:claism", "why": "x"})).json()

    assert (refused["where"], "workflow:claims" in refused["todo"]) == ("/scope", True)


async def test_a_stop_that_names_nothing_here_is_listed_as_unknown(caller: httpx.AsyncClient, node: Node) -> None:
    await stop(node.database, node.writer, node.tenant, scope="workflow:elsewhere", who="rosa", why="x")

    assert [one["known"] for one in (await caller.get("/v1/stops")).json()["stops"]] == [False]
