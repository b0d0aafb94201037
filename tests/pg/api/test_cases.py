from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from interlock.node import Node

SMALL = {"who": "ana", "total": "12.30"}


def submission(key: str = "c-1", **value: Any) -> dict[str, Any]:
    return {"workflow": "claims", "key": key, "input": {**SMALL, **value}}


async def until_it_is(caller: httpx.AsyncClient, follow: str, *states: str) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for _ in range(400):
        record = (await caller.get(follow)).json()
        if record["state"] in states:
            return record
        await asyncio.sleep(0.025)
    raise AssertionError(f"still {record['state']}: {record['waiting_for']}")


async def test_a_case_is_taken_in_once_by_its_key(caller: httpx.AsyncClient) -> None:
    first = await caller.post("/v1/cases", json=submission())
    again = await caller.post("/v1/cases", json=submission())
    other = await caller.post("/v1/cases", json=submission(total="12.31"))

    assert first.status_code == 201
    assert first.json()["state"] == "ready"
    assert first.json()["new"] is True
    assert first.headers["location"] == first.json()["follow"] == f"/v1/cases/{first.json()['id']}"
    assert (again.status_code, again.json()["id"], again.json()["new"]) == (200, first.json()["id"], False)
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"
    assert other.json()["code"] == "key-reused"
    assert other.json()["holder"] == first.json()["id"]


async def test_the_name_of_the_key_is_recorded_as_the_caller(
    caller: httpx.AsyncClient, make_caller: Callable[..., Awaitable[httpx.AsyncClient]]
) -> None:
    shop = await make_caller("submit", name="shop")
    first = (await shop.post("/v1/cases", json=submission())).json()
    again = (await caller.post("/v1/cases", json=submission())).json()
    assert again["id"] == first["id"]
    assert (await caller.get(first["follow"])).json()["caller"] == "shop"


async def test_the_key_may_come_in_a_header(caller: httpx.AsyncClient) -> None:
    body = {"workflow": "claims", "input": SMALL}
    first = await caller.post("/v1/cases", json=body, headers={"Idempotency-Key": '"h-1"'})
    again = await caller.post("/v1/cases", json=submission("h-1"))
    both = await caller.post("/v1/cases", json=submission("h-1"), headers={"Idempotency-Key": "h-2"})
    none = await caller.post("/v1/cases", json=body)

    assert first.status_code == 201
    assert again.json()["id"] == first.json()["id"]
    assert (both.status_code, both.json()["where"]) == (400, "/key")
    assert (none.status_code, none.json()["where"]) == (400, "/key")


async def test_a_key_that_cannot_be_printed_is_refused(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/cases", json=submission("a\u200bb"))

    assert (refused.status_code, refused.json()["where"]) == (400, "/key")


async def test_input_that_breaks_its_contract_waits_in_quarantine(caller: httpx.AsyncClient) -> None:
    broken = {"workflow": "claims", "key": "q", "input": {"who": "", "sum": 3.5}}
    refused = await caller.post("/v1/cases", json=broken)
    problem = refused.json()

    assert refused.status_code == 422
    assert {violation["where"] for violation in problem["violations"]} == {"/who", "/sum", "/total"}
    record = (await caller.get(f"/v1/cases/{problem['case']}")).json()
    assert record["state"] == "quarantined"
    assert [held["id"] for held in record["quarantine"]] == [problem["quarantine"]]
    again = (await caller.post("/v1/cases", json=broken)).json()
    assert (again["case"], again["quarantine"]) == (problem["case"], problem["quarantine"])


async def test_input_that_is_no_object_waits_too(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/cases", json={"workflow": "claims", "key": "q", "input": [1]})

    assert refused.status_code == 422
    assert (await caller.get(f"/v1/quarantine/{refused.json()['quarantine']}")).json()["data"] == [1]


async def test_a_workflow_that_is_not_carried_is_not_found(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/cases", json={"workflow": "claim", "key": "k", "input": {}})

    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")


async def test_a_case_is_read_with_all_that_is_recorded(caller: httpx.AsyncClient, node: Node) -> None:
    follow = (await caller.post("/v1/cases", json=submission())).json()["follow"]
    async with node.worker():
        record = await until_it_is(caller, follow, "done")

    assert (record["conclusion"], record["input"], record["exposure"]) == ("paid", SMALL, "12.30 MYR")
    assert record["created_at"].endswith("Z")
    assert [(step["kind"], step["name"], step["state"]) for step in record["steps"]] == [("decide", "approve", "done")]
    (decision,) = record["decisions"]
    assert decision["route"] == "automatic"
    assert decision["proposal"] == {"approved": True, "reason": "within_policy"}
    assert decision["exposure"] == "12.30 MYR"
    assert decision["evidence"]["fired"][0]["table"] == "limits"
    assert [entry["kind"] for entry in record["entries"]] == ["case.received", "decision.taken", "case.done"]
    assert (record["reviews"], record["actions"], record["exceptions"], record["quarantine"]) == ([], [], [], [])


async def test_cases_are_listed_a_page_at_a_time(caller: httpx.AsyncClient) -> None:
    ids = [(await caller.post("/v1/cases", json=submission(f"k-{number}"))).json()["id"] for number in range(5)]

    seen: list[str] = []
    page = "/v1/cases?workflow=claims&state=ready&limit=2"
    while page:
        found = (await caller.get(page)).json()
        assert len(found["cases"]) <= 2
        seen += [case["id"] for case in found["cases"]]
        page = found["next"]

    assert seen == ids[::-1]
    assert (await caller.get("/v1/cases?state=done")).json() == {"cases": [], "next": None}


async def test_what_is_not_known_in_a_query_is_refused(caller: httpx.AsyncClient) -> None:
    refused = (await caller.get("/v1/cases?stat=ready&limit=0&before=x")).json()
    repeated = (await caller.get("/v1/cases?limit=1&limit=2")).json()
    state = (await caller.get("/v1/cases?state=readdy")).json()

    assert refused["violations"][0]["todo"] == 'did you mean "state"?'
    assert {wrong["where"] for wrong in refused["violations"]} == {"?stat", "?limit", "?before"}
    assert repeated["violations"][0]["where"] == "?limit"
    assert state["violations"][0]["todo"] == 'did you mean "ready"?'


async def test_cases_are_counted_with_the_money_in_them(caller: httpx.AsyncClient, node: Node) -> None:
    follows = [(await caller.post("/v1/cases", json=submission(f"k-{n}"))).json()["follow"] for n in range(2)]
    async with node.worker():
        for follow in follows:
            await until_it_is(caller, follow, "done")
    counts = (await caller.get("/v1/cases/summary?workflow=claims")).json()["counts"]

    assert counts == [
        {"workflow": "claims", "state": "done", "conclusion": "paid", "cases": 2, "exposure": "24.60 MYR"}
    ]


async def test_one_bad_line_of_a_batch_stops_no_other(caller: httpx.AsyncClient) -> None:
    lines = [
        json.dumps({"key": "b-1", "input": SMALL}),
        "{oops",
        "",
        json.dumps({"key": "b-2", "input": {"who": "ana"}}),
        json.dumps({"key": "b-3", "input": SMALL, "kee": 1}),
        json.dumps({"key": "b-4", "input": SMALL}),
    ]
    answered = await caller.post(
        "/v1/cases/batch?workflow=claims",
        content="\n".join(lines),
        headers={"Content-Type": "application/x-ndjson"},
    )
    got = [json.loads(line) for line in answered.text.splitlines()]

    assert answered.status_code == 200
    assert [line["line"] for line in got] == [1, 2, 4, 5, 6]
    assert [bool(line["case"]) for line in got] == [True, False, False, False, True]
    assert got[1]["problem"]["where"] == "line 1, column 2"
    assert (got[2]["problem"]["status"], bool(got[2]["problem"]["case"])) == (422, True)
    assert got[3]["problem"]["violations"][0]["todo"] == 'did you mean "key"?'


async def test_a_batch_is_bounded(caller: httpx.AsyncClient) -> None:
    long = await caller.post("/v1/cases/batch?workflow=claims", content=b"{}\n" * 10_001)
    wide = await caller.post("/v1/cases/batch?workflow=claims", content=b" " * 16_000_001)

    assert (long.status_code, wide.status_code) == (400, 413)
    assert "10,001 lines" in long.json()["detail"]


async def test_a_large_batch_shares_commits(caller: httpx.AsyncClient) -> None:
    lines = "\n".join(json.dumps({"key": f"b-{number}", "input": SMALL}) for number in range(1000))
    answered = await caller.post("/v1/cases/batch?workflow=claims", content=lines)

    ids = {json.loads(line)["case"]["id"] for line in answered.text.splitlines()}
    assert len(ids) == 1000


async def test_a_case_is_explained_in_words(caller: httpx.AsyncClient) -> None:
    taken = (await caller.post("/v1/cases", json=submission("told"))).json()
    told = await caller.get(f"{taken['follow']}/explain")
    nobody = await caller.get(f"/v1/cases/{taken['id'][:-1]}{'0' if taken['id'][-1] != '0' else '1'}/explain")

    assert told.status_code == 200
    assert told.json()["passages"][0]["title"] == f"Case {taken['id']} was received"
    assert "Workflow claims" in told.json()["text"]
    assert nobody.status_code == 404
