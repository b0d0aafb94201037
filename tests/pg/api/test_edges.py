from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Request, get

from interlock.api.app import create_app
from interlock.api.endpoint import Endpoint, endpoint_of
from interlock.api.keys import make_key
from interlock.api.problems import problem_of
from interlock.api.serve import serving
from interlock.db.database import connect_service
from interlock.errors import ConfigInvalid, DatabaseUnavailable, WorkFailed
from interlock.ledger.store import seal_once
from interlock.node import Node

SMALL = {"who": "ana", "total": "12.30"}
PROBLEM = "application/problem+json"
HEALTHY = {
    "status": "ok", "database": "ok", "workers": 1, "unusable": 0, "gaps": 0, "unsealed": 0, "unpublished": 0,
}  # fmt: skip


async def post(caller: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await caller.post("/v1/cases", content=content, headers={"Content-Type": "application/json", **headers})


async def test_bad_json_is_named_by_line_and_column(caller: httpx.AsyncClient) -> None:
    refused = await post(caller, b'{"workflow": "claims",\n "key": oops}')

    assert (refused.status_code, refused.headers["content-type"]) == (400, PROBLEM)
    assert (refused.json()["code"], refused.json()["where"]) == ("malformed-json", "line 2, column 9")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"null", b'"x"', b"1", b'{"key": "a", "key": "b"}'])
async def test_what_is_no_object_is_refused(caller: httpx.AsyncClient, content: bytes) -> None:
    refused = await post(caller, content)

    assert (refused.status_code, refused.headers["content-type"]) == (400, PROBLEM)


async def test_everything_that_is_wrong_with_a_body_is_named_at_once(caller: httpx.AsyncClient) -> None:
    refused = await post(caller, json.dumps({"workflw": "claims", "key": 17}).encode())
    wrong = {violation["where"]: violation for violation in refused.json()["violations"]}

    assert refused.status_code == 400
    assert set(wrong) == {"/workflw", "/workflow", "/key", "/input"}
    assert wrong["/workflw"]["todo"] == 'did you mean "workflow"?'
    assert wrong["/key"]["what"].startswith("17: ")
    assert wrong["/input"]["what"] == "is missing"


async def test_a_body_that_is_too_large_is_refused(caller: httpx.AsyncClient) -> None:
    refused = await post(caller, b'{"workflow": "' + b"x" * 2_200_000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 100_000

    chunked = await caller.post("/v1/cases", content=chunks(), headers={"Content-Type": "application/json"})

    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")
    assert (chunked.status_code, chunked.json()["code"]) == (413, "too-large")


async def test_a_body_of_another_kind_is_refused(caller: httpx.AsyncClient) -> None:
    refused = await post(caller, b"{}", **{"Content-Type": "text/plain"})

    assert (refused.status_code, refused.headers["content-type"]) == (415, PROBLEM)


@pytest.mark.parametrize("path", ["/v1/nothing", "/", "/v1/cases/no-id", "/v1/cases/../../x", "/v1/cases/%00"])
async def test_a_path_that_does_not_exist_is_a_problem(caller: httpx.AsyncClient, path: str) -> None:
    refused = await caller.get(path)

    assert (refused.status_code, refused.headers["content-type"]) == (404, PROBLEM)
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert len(refused.headers["traceparent"]) == 55


async def test_a_method_that_does_not_exist_is_a_problem(caller: httpx.AsyncClient) -> None:
    refused = await caller.put("/v1/cases", json={})

    assert (refused.status_code, refused.headers["content-type"]) == (405, PROBLEM)
    assert refused.json()["code"] == "method-not-allowed"
    assert {"GET", "POST"} <= {method.strip() for method in refused.headers["allow"].split(",")}


async def test_answers_carry_headers_for_browsers_and_traces(caller: httpx.AsyncClient) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answered = await caller.get("/v1/cases", headers={"traceparent": parent})
    _, trace, span, flags = answered.headers["traceparent"].split("-")

    assert (trace, flags) == ("4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span != "00f067aa0ba902b7"
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answered.headers["x-frame-options"] == "DENY"
    assert "server" not in answered.headers
    refused = await caller.get("/v1/nothing", headers={"traceparent": parent})
    assert refused.json()["trace"] == trace


async def test_a_failure_of_ours_shows_nothing_but_its_trace(
    caller: httpx.AsyncClient, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise WorkFailed("relation secret_table: password=hunter2")

    monkeypatch.setattr(node.writer, "write", fail)
    with caplog.at_level(logging.ERROR, "interlock.api"):
        failed = await caller.post("/v1/cases", json={"workflow": "claims", "key": "k", "input": SMALL})

    assert (failed.status_code, failed.json()["code"]) == (500, "internal")
    assert "hunter2" not in failed.text
    assert failed.json()["trace"] in caplog.text
    assert "hunter2" in caplog.text


async def test_a_lost_database_is_said(caller: httpx.AsyncClient, node: Node, url: str) -> None:
    await node.database.__aexit__(None)
    failed = await caller.get("/v1/cases")
    async with httpx.AsyncClient(base_url=url) as nobody:
        health = await nobody.get("/health")

    assert (failed.status_code, failed.json()["code"]) == (503, "database-unavailable")
    assert "retry-after" in failed.headers
    down = dict(HEALTHY, status="down", database="down", workers=0)
    assert (health.status_code, health.json()) == (503, down)


def test_what_is_said_of_a_lost_database_names_no_address() -> None:
    problem = problem_of(DatabaseUnavailable("connection to /secret/path refused", todo="look at /secret"), "0" * 32)

    assert problem.status == 503
    assert b"secret" not in msgspec.json.encode(problem)


async def test_health_counts_the_workers_and_what_is_unsealed(node: Node, url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        without = await nobody.get("/health")
        async with node.worker(), await connect_service(node.url) as connection:
            await seal_once(connection)
            within = await nobody.get("/health")

    assert (without.status_code, without.json()["status"]) == (200, "degraded")
    assert (within.status_code, within.json()) == (200, HEALTHY)


async def test_a_slow_sender_is_cut_off(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(node).app
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            endpoint = endpoint_of(handler.opt)
            if isinstance(endpoint, Endpoint):
                monkeypatch.setitem(handler.opt, "endpoint", msgspec.structs.replace(endpoint, seconds=0.3))
    secret = await make_key(node.database, node.writer, node.tenant, name="slow", scopes=["submit"])
    async with serving(app, "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        head = f"POST /v1/cases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nContent-Length: 10\r\n\r\n{{"
        writer.write(head.encode())
        answered = await asyncio.wait_for(reader.read(5000), 10)
        writer.close()

    assert answered.startswith(b"HTTP/1.1 503")
    assert b"urn:interlock:problem:late" in answered


async def test_other_routes_may_stand_beside_the_api(node: Node) -> None:
    @get("/page")
    async def page(request: Request[Any, Any, Any]) -> str:
        return "hello"

    async with (
        serving(create_app(node, more=[page]), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url) as browser,
    ):
        assert (await browser.get("/page")).text == "hello"


async def test_a_taken_port_is_said(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigInvalid, match=f"127.0.0.1:{port} cannot be listened on"):
            async with serving(create_app(node), "127.0.0.1", port):
                pass


async def test_the_document_describes_every_operation(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        document = (await nobody.get("/openapi.json")).json()
    text = json.dumps(document)

    assert document["openapi"] == "3.1.0"
    submit = document["paths"]["/v1/cases"]["post"]
    assert submit["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/NewCaseBody"
    }
    assert set(submit["responses"]) == {
        "200",
        "201",
        "400",
        "401",
        "403",
        "404",
        "409",
        "413",
        "415",
        "422",
        "500",
        "503",
    }
    assert [one["name"] for one in document["paths"]["/v1/cases"]["get"]["parameters"]] == [
        "workflow",
        "state",
        "before",
        "limit",
    ]
    assert document["paths"]["/v1/cases/{case_id}"]["get"]["parameters"][0]["in"] == "path"
    names = {name for part in text.split('"#/components/schemas/')[1:] for name in [part.split('"')[0]]}
    assert names <= set(document["components"]["schemas"])
    properties = document["components"]["schemas"]["CaseDocument"]["properties"]
    assert properties["exposure"]["description"] == "The money in it."
