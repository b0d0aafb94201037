"""Decisions are found over HTTP, by their fields and more, and only one's own."""

from __future__ import annotations

import httpx

from .conftest import MakeCaller


async def test_decisions_are_found_by_query_and_by_body(caller: httpx.AsyncClient, make_caller: MakeCaller) -> None:
    for key, who, total in (("k1", "Ana", "12.30"), ("k2", "Ben", "80.00"), ("k3", "ana", "250.00")):
        body = {"point": "claims.approve", "key": key, "input": {"who": who, "total": total}}
        assert (await caller.post("/v1/decisions", json=body)).status_code in (200, 202)
    asked = {"where": "who=ana total<100", "point": "claims.approve"}
    got = await caller.get("/v1/decisions", params=asked)
    posted = await caller.post("/v1/decisions/search", json=asked)
    assert got.status_code == posted.status_code == 200
    assert got.json() == posted.json()
    assert [one["key"] for one in got.json()["decisions"]] == ["k1"]
    assert got.json()["next"] is None
    mine = (await caller.get("/v1/decisions", params={"where": "caller=boss", "limit": 2})).json()
    assert [one["key"] for one in mine["decisions"]] == ["k3", "k2"]
    rest = (await caller.get("/v1/decisions", params={"where": "caller=boss", "cursor": mine["next"]})).json()
    assert [one["key"] for one in rest["decisions"]] == ["k1"]
    other = await make_caller("read", tenant="other")
    assert (await other.get("/v1/decisions")).json() == {"decisions": [], "next": None}
    assert (await other.post("/v1/decisions/search", json=asked)).json()["decisions"] == []


async def test_a_search_that_is_not_understood_is_refused(caller: httpx.AsyncClient, make_caller: MakeCaller) -> None:
    for where, told in (("whoo=ana", 'did you mean "who"'), ("total=ten", "31.00"), ("\x00", "NAME=VALUE")):
        refused = await caller.post("/v1/decisions/search", json={"where": where})
        assert refused.status_code == 400
        if "\x00" not in where:  # the door refuses NUL before anybody reads it
            assert told in refused.json()["todo"]
    assert (await caller.post("/v1/decisions/search", json={"where": "a=1" * 2000})).status_code == 400
    assert (await caller.get("/v1/decisions", params={"cursor": "x"})).status_code == 400
    assert (await (await make_caller("submit")).get("/v1/decisions")).status_code == 403
