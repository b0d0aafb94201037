"""Quarantine over HTTP: found by cause, mended, decided under the key that it came with, repaired, discarded."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

SMALL = {"who": "ana", "total": "12.30"}
LARGE = {"who": "ana", "total": "250.00"}
BAD = {"who": "ana", "total": 12.3}
Admin = psycopg.Connection[tuple[Any, ...]]


def question(key: str, value: object, **more: Any) -> dict[str, Any]:
    return {"point": "claims.approve", "key": key, "input": value, **more}


async def hold(caller: httpx.AsyncClient, key: str = "k", value: object = None, **more: Any) -> str:
    refused = await caller.post("/v1/decisions", json=question(key, value or BAD, **more))
    assert refused.status_code == 422
    return refused.json()["quarantine"]


async def release(caller: httpx.AsyncClient, held: str, value: object) -> httpx.Response:
    return await caller.post(f"/v1/quarantine/{held}/release", json={"input": value})


async def test_a_mended_question_is_decided_under_its_key(caller: httpx.AsyncClient, admin: Admin) -> None:
    held = await hold(caller, exposure="12.30 MYR")
    before = (await caller.get(f"/v1/quarantine/{held}")).json()
    assert (before["key"], before["exposure"], before["caller"], before["case"]) == ("k", "12.30 MYR", "boss", None)
    released = await release(caller, held, SMALL)
    got = released.json()
    assert (released.status_code, got["route"], got["case"]) == (200, "automatic", None)
    decision = (await caller.get(got["follow"])).json()
    assert (decision["key"], decision["input"], decision["exposure"]) == ("k", SMALL, "12.30 MYR")
    after = (await caller.get(f"/v1/quarantine/{held}")).json()
    assert (after["state"], after["decision"], after["resolved_by"]) == ("released", got["decision"], "boss")
    assert after["data"] == BAD
    again = await caller.post("/v1/decisions", json=question("k", SMALL, exposure="12.30 MYR"))
    assert (again.status_code, again.json()["id"]) == (200, got["decision"])
    (entries,) = admin.execute("select count(*) from ledger_entry where kind = 'quarantine.released'").fetchall()
    assert entries == (1,)


async def test_a_mended_question_may_go_to_a_person(caller: httpx.AsyncClient) -> None:
    got = (await release(caller, await hold(caller), LARGE)).json()
    assert got["route"] == "review"
    assert len((await caller.get("/v1/reviews")).json()["reviews"]) == 1


async def test_data_that_still_break_their_contract_stay(caller: httpx.AsyncClient) -> None:
    held = await hold(caller)
    for value in ({"who": "ana"}, "ana", [1], None):
        refused = await release(caller, held, value)
        assert (refused.status_code, refused.json()["quarantine"]) == (422, held)
    assert (await caller.get(f"/v1/quarantine/{held}")).json()["state"] == "held"
    assert (await caller.get("/v1/reviews")).json()["reviews"] == []


async def test_of_many_who_release_at_once_one_does(caller: httpx.AsyncClient, admin: Admin) -> None:
    held = await hold(caller)
    answers = await asyncio.gather(*(release(caller, held, SMALL) for _ in range(6)))
    assert {answered.status_code for answered in answers} <= {200, 409}
    assert len({answered.json()["decision"] for answered in answers if answered.status_code == 200}) == 1
    counted = "select (select count(*) from decision), (select count(*) from ledger_entry where kind = %s)"
    assert admin.execute(counted, ("quarantine.released",)).fetchall() == [(1, 1)]


async def test_a_key_that_was_used_meanwhile(caller: httpx.AsyncClient) -> None:
    same, other = await hold(caller, "same"), await hold(caller, "other")
    decided = (await caller.post("/v1/decisions", json=question("same", SMALL))).json()
    await caller.post("/v1/decisions", json=question("other", SMALL))
    found = await release(caller, same, SMALL)
    assert (found.status_code, found.json()["decision"]) == (200, decided["id"])
    assert (await caller.get(f"/v1/quarantine/{same}")).json()["decision"] == decided["id"]
    refused = await release(caller, other, {**SMALL, "total": "13.00"})
    assert (refused.status_code, refused.json()["code"]) == (409, "key-reused")
    assert (await caller.get(f"/v1/quarantine/{other}")).json()["state"] == "held"


async def test_what_is_held_is_found_by_its_cause_page_by_page(caller: httpx.AsyncClient) -> None:
    typed = [await hold(caller, f"t{number}") for number in range(3)]
    lacking = await hold(caller, "l", {"total": "1.00"})
    await caller.post("/v1/cases", json={"workflow": "claims", "key": "c", "input": {}})

    async def ids(query: str) -> list[str]:
        return [one["id"] for one in (await caller.get(f"/v1/quarantine?{query}")).json()["quarantine"]]

    assert await ids("rule=type") == typed
    assert await ids("rule=required&point=approve") == [lacking]
    assert len(await ids("workflow=claims")) == 5
    assert await ids("workflow=other") == []
    assert await ids("since=2100-01-01T00:00:00Z") == []
    assert len(await ids("since=2020-01-01T00:00:00Z")) == 5
    first = (await caller.get("/v1/quarantine?rule=type&limit=2")).json()
    second = (await caller.get(first["next"])).json()
    assert [one["id"] for one in first["quarantine"] + second["quarantine"]] == typed
    assert second["next"] is None
    for wrong in ("since=yesterday", "rule=%00", "workflow=a%00b", "after=1", "limit=0"):
        assert (await caller.get(f"/v1/quarantine?{wrong}")).status_code == 400, wrong


async def test_many_of_one_cause_are_mended_alike(caller: httpx.AsyncClient) -> None:
    held = [await hold(caller, f"k{number}", {"who": f"w{number}", "total": 1}) for number in range(4)]
    other = await hold(caller, "o", {"total": 7})
    body = {"point": "approve", "rule": "type", "patch": [{"op": "add", "path": "/total", "value": "5.00"}]}
    dry = (await caller.post("/v1/quarantine/repair", json=body)).json()
    assert (dry["looked_at"], dry["fit"], dry["released"]) == (5, 4, 0)
    assert dry["left"] == {"required": 1}
    assert dry["first"][0] == {
        "id": held[0],
        "changes": [{"where": "/total", "before": "1", "after": '"5.00"'}],
        "left": [],
        "error": "",
    }
    assert len((await caller.get("/v1/quarantine")).json()["quarantine"]) == 5
    done = (await caller.post("/v1/quarantine/repair", json={**body, "carry_out": True})).json()
    assert (done["fit"], done["released"], done["failed"]) == (4, 4, [])
    assert [one["id"] for one in (await caller.get("/v1/quarantine")).json()["quarantine"]] == [other]
    again = (await caller.post("/v1/quarantine/repair", json={**body, "carry_out": True})).json()
    assert (again["looked_at"], again["released"]) == (1, 0)


@pytest.mark.parametrize("patch", [[], [{"op": "put"}], [7], "x", [{"op": "remove", "path": "/absent"}]])
async def test_a_patch_that_does_not_fit_mends_nothing(caller: httpx.AsyncClient, patch: object) -> None:
    await hold(caller)
    answered = await caller.post("/v1/quarantine/repair", json={"patch": patch, "carry_out": True})
    if answered.status_code == 200:
        assert answered.json()["released"] == 0
        assert answered.json()["failed"][0]["error"]
    else:
        assert answered.status_code == 400
    assert len((await caller.get("/v1/quarantine")).json()["quarantine"]) == 1


async def test_what_is_discarded_is_kept_and_marked(caller: httpx.AsyncClient, admin: Admin) -> None:
    held = await hold(caller)
    path = f"/v1/quarantine/{held}/discard"
    assert (await caller.post(path, json={"why": ""})).status_code == 400
    assert (await caller.post(path, json={"why": "a\u0000b"})).status_code == 400
    marked = (await caller.post(path, json={"why": "sent by mistake"})).json()
    assert (marked["state"], marked["why"], marked["resolved_by"]) == ("discarded", "sent by mistake", "boss")
    assert marked["data"] == BAD
    assert (await caller.post(path, json={"why": "again"})).status_code == 409
    assert (await release(caller, held, SMALL)).status_code == 409
    kinds = admin.execute("select kind from ledger_entry where subject = %s order by id", (held,)).fetchall()
    assert [kind for (kind,) in kinds] == ["decision.quarantined", "quarantine.discarded"]


async def test_the_data_of_a_case_are_discarded_with_it(caller: httpx.AsyncClient) -> None:
    problem = (await caller.post("/v1/cases", json={"workflow": "claims", "key": "c", "input": {}})).json()
    refused = await caller.post(f"/v1/quarantine/{problem['quarantine']}/discard", json={"why": "wrong"})
    assert (refused.status_code, "cancel" in refused.json()["todo"]) == (409, True)


async def test_levels_of_the_data_are_listed(caller: httpx.AsyncClient) -> None:
    assert (await caller.get("/v1/data/levels")).json() == {"levels": []}
