from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest


async def test_what_decisions_cost_is_told_to_who_may_read(
    make_caller: Callable[..., Awaitable[httpx.AsyncClient]],
) -> None:
    caller = await make_caller("decide", "read")
    claim = {"who": "Ana", "total": "12.30"}
    for key in ("a", "b"):
        body = {"point": "claims.approve", "key": key, "input": claim, "exposure": "12.30 MYR"}
        assert (await caller.post("/v1/decisions", json=body)).status_code < 300
    found = (await caller.get("/v1/costs", params={"by": "component"})).json()
    assert (found["by"], found["total"]["decisions"], found["total"]["cost"]) == ("component", 2, "0 USD")
    (line,) = [one for one in found["lines"] if one["name"] != "person"]
    assert (line["name"], line["decisions"], line["cost_per_decision"]) == ("rules:approve-claim@1", 2, "0 USD")
    assert (line["share"], line["human_minutes"], line["requests"]) == ("0", "0.0", 0)
    points = (await caller.get("/v1/costs", params={"since": "1d"})).json()
    assert [one["name"] for one in points["lines"]] == ["claims.approve"]
    other = await make_caller("read", tenant="acme")
    assert (await other.get("/v1/costs")).json()["lines"] == []


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"since": "7 days"}, "is no length of time"),
        ({"since": "0s"}, "is no span to add up over"),
        ({"since": "400d"}, "is no span to add up over"),
        ({"since": "1h\0"}, ""),
        ({"by": "points"}, "the query is not what this asks for"),
        ({"since": "9" * 30}, "the query is not what this asks for"),
    ],
)
async def test_what_is_no_span_is_refused(caller: httpx.AsyncClient, asked: dict[str, str], what: str) -> None:
    refused = await caller.get("/v1/costs", params=asked)
    assert refused.status_code == 400
    assert what in refused.text


async def test_without_the_right_nothing_is_told(make_caller: Callable[..., Awaitable[httpx.AsyncClient]]) -> None:
    assert (await (await make_caller("submit")).get("/v1/costs")).status_code == 403
