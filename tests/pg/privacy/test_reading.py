"""Who reads personal data over HTTP: hidden without a purpose, shown to who may; one person erased in one call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import psycopg
import pytest
from tests.pg.privacy.world import ADA, everything, flow, found_in, master_key, settings_of

from interlock.api.app import create_app
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.cases.registry import Registry
from interlock.node import Node, open_node

Admin = psycopg.Connection[tuple[Any, ...]]
MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def node(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    """A process that raises salaries."""
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow()])) as node:
            yield node


@pytest.fixture
async def caller(node: Node) -> AsyncIterator[MakeCaller]:
    """Makes a caller with some scopes."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(create_app(node), "127.0.0.1", 0))

        async def make(*scopes: str) -> httpx.AsyncClient:
            name = "-".join(scopes)
            secret = await make_key(node.database, node.writer, node.tenant, name=name, scopes=scopes)
            headers = {"Authorization": f"Bearer {secret}"}
            return await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=30))

        yield make


async def test_what_is_answered_is_hidden_unless_a_purpose_is_stated_by_who_may(
    caller: MakeCaller, admin: Admin
) -> None:
    boss, reader = await caller("admin"), await caller("read", "personal")
    asked = await boss.post("/v1/decisions", json={"point": "raises.approve", "key": "k", "input": ADA})
    assert asked.status_code == 200
    assert asked.json()["output"] == {"email": "(personal)", "approved": True, "reason": "for (personal)"}
    path = f"/v1/decisions/{asked.json()['id']}"
    hidden = (await boss.get(path)).json()
    assert hidden["input"] == {**dict.fromkeys(ADA, "(personal)"), "grade": 7}
    assert found_in(str(hidden)) == []
    refused = await boss.get(path, params={"purpose": "payroll"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    shown = (await reader.get(path, params={"purpose": "payroll"})).json()
    assert shown["input"] == ADA
    assert shown["output"]["reason"] == f"for {ADA['name']}"
    assert (await reader.get(path, params={"purpose": "marketing"})).json()["input"] == hidden["input"]
    reads = admin.execute("select count(*) from ledger_entry where kind = 'personal.read'").fetchall()
    assert reads == [(1,)]
    assert found_in(everything(admin)) == []


async def test_cases_reviews_and_quarantine_are_read_alike(caller: MakeCaller, admin: Admin) -> None:
    boss, reader = await caller("admin"), await caller("read", "personal")
    taken = await boss.post("/v1/cases", json={"workflow": "raises", "key": "k", "input": ADA})
    waiting = await boss.post(
        "/v1/decisions", json={"point": "raises.approve", "key": "r", "input": {**ADA, "salary": "6217.43"}}
    )
    broken = await boss.post("/v1/decisions", json={"point": "raises.approve", "key": "q", "input": {**ADA, "x": 1}})
    assert broken.status_code == 422
    assert found_in(broken.text) == []
    where = (
        (f"/v1/cases/{taken.json()['id']}", "payroll"),
        (f"/v1/reviews/{waiting.json()['review']}", "payroll"),
        (f"/v1/quarantine/{broken.json()['quarantine']}", "repair"),
    )
    for path, purpose in where:
        hidden = await boss.get(path)
        assert hidden.status_code == 200
        assert found_in(hidden.text) == []
        assert "personal:v1" not in hidden.text
        shown = await reader.get(path, params={"purpose": purpose})
        assert ADA["email"] in shown.text
        assert "personal:v1" not in shown.text
    assert found_in((await boss.get("/v1/quarantine")).text + (await boss.get("/v1/reviews")).text) == []


async def test_a_person_is_exported_held_and_erased(caller: MakeCaller) -> None:
    boss, officer = await caller("admin"), await caller("personal")
    await boss.post("/v1/decisions", json={"point": "raises.approve", "key": "k", "input": ADA})
    mine = {"subject": ADA["email"], "why": "asked by letter"}
    assert (await boss.post("/v1/subjects/export", json=mine)).status_code == 403
    exported = (await officer.post("/v1/subjects/export", json=mine)).json()
    assert [one["data"]["input"] for one in exported["records"]] == [ADA]
    assert (await officer.post("/v1/subjects/hold", json=mine)).status_code == 201
    refused = await officer.post("/v1/subjects/erase", json=mine)
    assert (refused.status_code, refused.json()["code"]) == (409, "state-conflict")
    assert (await officer.post("/v1/subjects/unhold", json=mine)).json() == {"lifted": 1}
    dry = await officer.post("/v1/subjects/erase", json={**mine, "dry_run": True})
    assert dry.json()["done"] is False
    assert (await officer.post("/v1/subjects/erase", json=mine)).json()["done"] is True
    shown = (await officer.post("/v1/subjects/show", json={"subject": ADA["email"]})).json()
    assert (shown["keys"], len(shown["erased"]), shown["records"]) == ([], 1, [{"kind": "decision", "records": 1}])
    assert (await officer.post("/v1/subjects/export", json=mine)).status_code == 409
    unknown = await officer.post("/v1/subjects/show", json={"subject": "nobody@example.org"})
    assert unknown.status_code == 404
