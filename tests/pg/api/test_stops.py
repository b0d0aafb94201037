"""Stops and dead-man terms over HTTP: who may stop what, what is under way, what lapses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from interlock.guards.dead_man import begin_term
from interlock.guards.stops import stop
from interlock.node import Node

MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]


async def test_a_stop_is_read_and_lifted_by_its_scope(caller: httpx.AsyncClient) -> None:
    made = await caller.post("/v1/stops", json={"scope": "workflow:claims", "why": "a drill"})
    await caller.post("/v1/stops", json={"scope": "workflow:claims", "why": "another"})
    assert made.headers["location"] == f"/v1/stops/{made.json()['id']}"
    assert (made.json()["kind"], made.json()["in_force"], made.json()["under_way"]) == ("stop", True, [])
    assert made.json()["unanswered"] == 0
    wrong = await caller.post("/v1/stops/resume", json={"scope": "everything", "why": "over"})
    assert (wrong.status_code, "workflow:claims" in wrong.json()["todo"]) == (404, True)
    unreasoned = await caller.post("/v1/stops/resume", json={"scope": "workflow:claims"})
    assert unreasoned.status_code == 400
    lifted = await caller.post("/v1/stops/resume", json={"scope": "workflow:claims", "why": "over"})
    assert (lifted.status_code, lifted.json()["stops"]) == (200, [])
    record = (await caller.get(made.headers["location"])).json()
    assert (record["in_force"], record["lifted_by"], record["lifted_why"]) == (False, "boss", "over")
    missing = "/v1/stops/0190aaaa-0000-7000-8000-000000000000"
    assert (await caller.get(missing)).status_code == 404
    assert (await caller.post(f"{missing}/resume", json={"why": "x"})).status_code == 404


async def test_an_agent_is_stopped_by_its_key_s_name(caller: httpx.AsyncClient) -> None:
    decision = {"point": "claims.approve", "input": {"who": "ana", "total": "1.00"}}
    assert (await caller.post("/v1/decisions", json={**decision, "key": "before"})).json()["route"] == "automatic"
    assert (await caller.post("/v1/stops", json={"scope": "agent:boss", "why": "it runs wild"})).status_code == 201
    held = (await caller.post("/v1/decisions", json={**decision, "key": "after"})).json()
    assert (held["route"], held["settled"]) == ("review", False)
    assert held["reasons"][0]["what"] == "agent:boss was stopped by boss: it runs wild"


async def test_only_an_operator_reaches_beyond_the_tenant(make_caller: MakeCaller, node: Node) -> None:
    boss, operator = await make_caller("admin", name="boss"), await make_caller("operate", "read", name="op")
    beyond: list[dict[str, Any]] = [
        {"scope": "installation", "why": "x"},
        {"scope": "tenant:default", "why": "x"},
        {"scope": "everything", "why": "x", "installation": True},
    ]
    for body in beyond:
        refused = await boss.post("/v1/stops", json=body)
        assert (refused.status_code, "operate" in refused.json()["detail"]) == (403, True)
        made = await operator.post("/v1/stops", json=body)
        assert (made.status_code, made.json()["kind"]) == (201, "installation")
        assert [one["kind"] for one in (await boss.get("/v1/stops")).json()["stops"]] == ["installation"]
        path = f"/v1/stops/{made.json()['id']}"
        assert (await boss.get(path)).json()["in_force"] is True
        assert (await boss.post(f"{path}/resume", json={"why": "we want to"})).status_code == 403
        by_scope = {"why": "over", **{name: body[name] for name in ("scope", "installation") if name in body}}
        assert (await boss.post("/v1/stops/resume", json=by_scope)).status_code == 403
        assert (await operator.post("/v1/stops/resume", json=by_scope)).status_code == 200
    assert (await operator.post("/v1/stops", json={"scope": "everything", "why": "x"})).status_code == 403
    assert (await operator.post("/v1/stops", json={"scope": "tenant:nowhere", "why": "x"})).status_code == 404
    await node.database.ensure_tenant("other")
    apart = await stop(node.database, node.writer, node.tenant, scope="tenant:other", who="op", why="unpaid")
    assert (await boss.get(f"/v1/stops/{apart.id}")).status_code == 404
    assert (await operator.get(f"/v1/stops/{apart.id}")).json()["scope"] == "tenant:other"


async def test_a_term_is_begun_authorized_and_ended(
    caller: httpx.AsyncClient, admin: psycopg.Connection[tuple[Any, ...]]
) -> None:
    body = {"scope": "workflow:claims", "every": "24h", "why": "live money"}
    begun = await caller.post("/v1/deadman", json=body)
    assert (begun.status_code, begun.json()["state"], begun.json()["every_seconds"]) == (201, "authorized", 86400)
    assert (await caller.post("/v1/deadman", json=body)).status_code == 409
    short = await caller.post("/v1/deadman/authorize", json={"scope": "workflow:claims", "why": "today", "span": "5h"})
    assert (short.status_code, short.json()["state"]) == (200, "soon")
    assert [one["scope"] for one in (await caller.get("/v1/stops")).json()["soon"]] == ["workflow:claims"]
    long = await caller.post("/v1/deadman/authorize", json={"scope": "workflow:claims", "why": "today", "span": "25h"})
    assert (long.status_code, "at most" in long.json()["detail"]) == (400, True)
    assert [one["state"] for one in (await caller.get("/v1/deadman")).json()["terms"]] == ["soon"]
    ended = await caller.post("/v1/deadman/end", json={"scope": "workflow:claims", "why": "over"})
    assert (ended.status_code, ended.json()) == (200, {"terms": []})
    gone = {"scope": "workflow:claims", "why": "x"}
    assert (await caller.post("/v1/deadman/end", json=gone)).status_code == 404
    assert (await caller.post("/v1/deadman/authorize", json=gone)).status_code == 404
    told = "select count(*) from ledger_entry where kind ~ '^guard[.](term_begun|authorized|term_ended)'"
    by = " and convert_from(body, 'UTF8')::json -> 'policies' is not null"
    assert admin.execute(told + by).fetchone() == admin.execute(told).fetchone() == (3,)


async def test_a_lapsed_term_stands_among_the_stops(caller: httpx.AsyncClient, node: Node) -> None:
    await begin_term(
        node.database, node.writer, node.tenant, scope="everything", every=timedelta(seconds=1), who="rosa", why="x"
    )
    await asyncio.sleep(1.05)
    (listed,) = (await caller.get("/v1/stops")).json()["stops"]
    assert (listed["kind"], listed["scope"], listed["who"]) == ("lapsed", "everything", "rosa")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"scope": "workflow:claism", "every": "24h", "why": "x"}, "/scope"),
        ({"scope": "workflow:claims", "every": "soon", "why": "x"}, "/every"),
        ({"scope": "workflow:claims", "every": "24h", "why": " "}, ""),
        ({"scope": "workflow:claims", "why": "x"}, ""),
    ],
)
async def test_a_term_that_makes_no_sense_is_refused(
    caller: httpx.AsyncClient, body: dict[str, Any], where: str
) -> None:
    refused = await caller.post("/v1/deadman", json=body)
    assert refused.status_code == 400
    assert not where or refused.json()["where"] == where
