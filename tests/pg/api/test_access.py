from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.testing import AsyncTestClient

from interlock.api.app import create_app
from interlock.api.call import Call, check_caller
from interlock.api.keys import FIND_CALLER, LATELY_S, Caller, Callers, Scope, list_keys, make_key, revoke_key
from interlock.api.openapi import describe
from interlock.api.problems import answer_error
from interlock.errors import NotFound, Refused, StateConflict
from interlock.node import Node

MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]
LARGE = {"who": "ana", "total": "250.00"}
SOME_ID = "0190aaaa-0000-7000-8000-000000000000"


async def test_a_secret_is_stored_only_as_its_hash(node: Node, admin: psycopg.Connection[Any]) -> None:
    secret = await make_key(node.database, node.writer, node.tenant, name="ana", scopes=["read"])
    stored = admin.execute("select digest, api_key::text from api_key").fetchall()

    assert secret.startswith("ilk_")
    assert len(secret) == 47
    assert [digest for digest, _ in stored] == [hashlib.sha256(secret.encode()).digest()]
    assert secret not in stored[0][1]
    entries = admin.execute("select convert_from(body, 'UTF8') from ledger_entry where kind = 'key.made'").fetchall()
    assert len(entries) == 1
    assert secret not in entries[0][0]


async def test_one_key_in_force_bears_a_name(node: Node) -> None:
    made = await asyncio.gather(
        *(make_key(node.database, node.writer, node.tenant, name="ana", scopes=["read"]) for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in made) == ["StateConflict", "StateConflict", "str"]
    (key,) = await list_keys(node.database, node.tenant)
    await revoke_key(node.database, node.writer, node.tenant, key.id, who="boss")
    await make_key(node.database, node.writer, node.tenant, name="ana", scopes=["read", "submit"])
    assert [(one.revoked_at is None, one.scopes) for one in await list_keys(node.database, node.tenant)] == [
        (False, (Scope.READ,)),
        (True, (Scope.SUBMIT, Scope.READ)),
    ]
    with pytest.raises(StateConflict):
        await revoke_key(node.database, node.writer, node.tenant, key.id, who="boss")


@pytest.mark.parametrize(
    ("name", "scopes", "todo"),
    [("", ["read"], "letters"), ("a b", ["read"], "letters"), ("a", ["raed"], '"read"'), ("a", [], "submit")],
)
async def test_a_key_that_is_not_whole_is_refused(node: Node, name: str, scopes: list[str], todo: str) -> None:
    with pytest.raises(Refused) as refused:
        await make_key(node.database, node.writer, node.tenant, name=name, scopes=scopes)
    assert todo in refused.value.todo


async def test_a_revoked_key_is_refused_at_once(make_caller: MakeCaller, node: Node) -> None:
    ana = await make_caller("read", name="ana")
    assert (await ana.get("/v1/cases")).status_code == 200
    (key,) = await list_keys(node.database, node.tenant)
    other = await node.database.ensure_tenant("other")
    with pytest.raises(NotFound):
        await revoke_key(node.database, node.writer, other, key.id, who="boss")
    await revoke_key(node.database, node.writer, node.tenant, key.id, who="boss")
    refused = await ana.get("/v1/cases")

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/cases"])
async def test_a_key_that_is_revoked_while_its_body_arrives_does_nothing(
    make_caller: MakeCaller, node: Node, path: str
) -> None:
    ana = await make_caller("decide", "submit", name="ana")
    (key,) = await list_keys(node.database, node.tenant)

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"workflow": "claims", '
        await asyncio.sleep(0.1)
        await revoke_key(node.database, node.writer, node.tenant, key.id, who="boss")
        await asyncio.sleep(LATELY_S)
        yield b'"key": "k", "input": {"who": "ana", "total": "50.00"}}'

    refused = await ana.post(path, content=slowly(), headers={"Content-Type": "application/json"})

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_callers_of_one_moment_share_a_look_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    find = FIND_CALLER.one

    async def count(*arguments: Any) -> Caller | None:
        nonlocal looked
        looked += 1
        return await find(*arguments)

    monkeypatch.setattr(FIND_CALLER, "one", count)
    secret = await make_key(node.database, node.writer, node.tenant, name="ana", scopes=["read"])
    callers = Callers(node.database)
    found = await asyncio.gather(*(callers.find(secret) for _ in range(50)), callers.find("ilk_" + "a" * 43))

    assert [caller.name if caller else None for caller in found] == ["ana"] * 50 + [None]
    assert looked == 2


async def test_who_comes_during_a_look_up_waits_for_the_next(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, find = asyncio.Event(), asyncio.Event(), FIND_CALLER.one

    async def slow(*arguments: Any) -> Caller | None:
        caller = await find(*arguments)
        begun.set()
        await go_on.wait()
        return caller

    secret = await make_key(node.database, node.writer, node.tenant, name="ana", scopes=["read"])
    (key,) = await list_keys(node.database, node.tenant)
    callers = Callers(node.database)
    monkeypatch.setattr(FIND_CALLER, "one", slow)
    early = asyncio.create_task(callers.find(secret))
    await begun.wait()
    await revoke_key(node.database, node.writer, node.tenant, key.id, who="boss")
    late = asyncio.create_task(callers.find(secret))
    await asyncio.sleep(0)
    go_on.set()

    assert (await early) is not None
    assert (await late) is None


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer ilk_" + "a" * 43, "Bearer x'; select 1"])
async def test_nobody_gets_in_without_a_key(url: str, header: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        refused = await nobody.get("/v1/cases", headers={"Authorization": header} if header else {})

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


def operations(node: Node) -> list[tuple[str, str, list[str]]]:
    found: list[tuple[str, str, list[str]]] = []
    for path, methods in describe(create_app(node).app, "1")["paths"].items():
        for method, operation in methods.items():
            needs = [scope for one in operation.get("security", ()) for scope in one["key"]]
            found.append((method, path, needs))
    return found


async def test_every_operation_refuses_a_key_without_its_scope(make_caller: MakeCaller, node: Node) -> None:
    closed = [one for one in operations(node) if one[2]]
    assert len(closed) > 15
    for number, (method, path, needs) in enumerate(closed):
        others = [scope for scope in Scope if scope not in (*needs, Scope.ADMIN)]
        caller = await make_caller(*others, name=f"without.{number}")
        refused = await caller.request(method, fill(path))
        assert refused.status_code == 403, (method, path)
        assert " or ".join(needs) in refused.json()["detail"]


def fill(path: str) -> str:
    return "/".join(SOME_ID if part.startswith("{") else part for part in path.split("/"))


async def test_only_health_and_the_document_are_open(node: Node) -> None:
    assert [(method, path) for method, path, needs in operations(node) if not needs] == [
        ("get", "/health"),
        ("get", "/openapi.json"),
    ]


async def test_a_route_that_says_nothing_about_itself_is_closed(node: Node) -> None:
    @get("/silent")
    async def silent(request: Call) -> Response[bytes]:
        return Response(b"open")

    secret = await make_key(node.database, node.writer, node.tenant, name="boss", scopes=["admin"])
    app = Litestar(
        [silent],
        guards=[check_caller],
        request_class=Call,
        state=State({"node": node, "callers": Callers(node.database)}),
        exception_handlers={Exception: answer_error},
        openapi_config=None,
        logging_config=None,
    )
    async with AsyncTestClient(app) as client:
        refused = await client.get("/silent", headers={"Authorization": f"Bearer {secret}"})
    assert refused.status_code == 403


async def test_another_tenants_things_do_not_exist(make_caller: MakeCaller, caller: httpx.AsyncClient) -> None:
    thief = await make_caller("admin", name="boss", tenant="other")
    case = (await caller.post("/v1/cases", json={"workflow": "claims", "key": "k", "input": LARGE})).json()
    decided = (await caller.post("/v1/decisions", json={"point": "claims.approve", "key": "k", "input": LARGE})).json()
    held = (await caller.post("/v1/cases", json={"workflow": "claims", "key": "q", "input": {}})).json()
    stop = (await caller.post("/v1/stops", json={"scope": "everything", "why": "x"})).json()
    word = {"resolution": "approve", "reason_code": "x"}

    answers = [
        await thief.get(case["follow"]),
        await thief.get(decided["follow"]),
        await thief.get(f"/v1/reviews/{decided['review']}"),
        await thief.post(f"/v1/reviews/{decided['review']}/claim"),
        await thief.post(f"/v1/reviews/{decided['review']}/resolve", json=word),
        await thief.get(f"/v1/quarantine/{held['quarantine']}"),
        await thief.post(f"/v1/quarantine/{held['quarantine']}/release", json={"input": LARGE}),
        await thief.post(f"/v1/stops/{stop['id']}/resume", json={"why": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    lists = [(await thief.get(path)).json() for path in ("/v1/cases", "/v1/reviews", "/v1/quarantine", "/v1/stops")]
    assert [next(iter(found.values())) for found in lists] == [[], [], [], []]
    assert (await thief.get("/v1/cases/summary")).json() == {"counts": [], "ages": []}
    mine = await thief.post("/v1/cases", json={"workflow": "claims", "key": "k", "input": {**LARGE, "who": "ben"}})
    assert mine.status_code == 201, "keys of two tenants are two keys"
