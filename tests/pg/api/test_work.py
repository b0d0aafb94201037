"""Work over HTTP: one list of what needs a person's decision, and the next item on demand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]


async def test_work_is_listed_filtered_and_taken_by_one(caller: httpx.AsyncClient, make_caller: MakeCaller) -> None:
    for key, total in (("small", "150.00"), ("large", "900.00")):
        body = {"point": "claims.approve", "key": key, "input": {"who": "ana", "total": total}}
        assert (await caller.post("/v1/decisions", json=body)).is_success
    listed = (await caller.get("/v1/work")).json()
    assert (listed["total"], listed["after"]) == ("2", None)
    large, small = listed["work"]
    assert (large["kind"], large["workflow"], large["point"], large["state"]) == ("review", "claims", "approve", "free")
    assert large["index"] > small["index"]
    assert large["why"]
    assert large["expected_loss"] == large["exposure"]  # a rule sent it: in doubt as a whole
    assert (await caller.get(large["follow"])).json()["id"] == large["id"]
    few = (await caller.get("/v1/work", params={"exposure_to": "200 " + small["exposure"][-3:]})).json()
    assert [item["id"] for item in few["work"]] == [small["id"]]

    for params in ({"exposure_to": "200"}, {"state": "gone"}, {"after": "x"}, {"worth": "1"}, {"limit": "201"}):
        assert (await caller.get("/v1/work", params=params)).status_code == 400, params
    stranger, reader = await make_caller("review", name="eve", tenant="other"), await make_caller("read", name="rea")
    assert (await stranger.get("/v1/work")).json()["work"] == []
    assert (await stranger.post("/v1/work/next", json={})).json() == {"item": None}
    assert (await reader.post("/v1/work/next", json={})).status_code == 403

    ana, ben = await make_caller("review", name="ana"), await make_caller("review", name="ben")
    taken = [(await one.post("/v1/work/next", json={})).json()["item"] for one in (ana, ben)]
    assert {item["id"] for item in taken} == {large["id"], small["id"]}
    assert [item["claimed_by"] for item in taken] == ["ana", "ben"]
    assert (await ana.post("/v1/work/next", json={})).json() == {"item": None}
    assert [item["id"] for item in (await ana.get("/v1/work", params={"mine": "yes"})).json()["work"]] == [
        taken[0]["id"]
    ]
