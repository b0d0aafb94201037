"""What has no room is turned away at the door: a problem like any other, on a connection that goes on."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx
import pytest

from interlock.api import doorway
from interlock.api.app import create_app
from interlock.api.front import Front
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.node import Node

ASKED = {"point": "claims.approve", "key": "k1", "input": {"who": "ana", "total": "12.30"}}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def fill(front: Front) -> list[Any]:
    """Take every place."""
    return [front.admission.enter() for _ in range(front.admission.limit)]


async def key_of(node: Node) -> str:
    return await make_key(node.database, node.writer, node.tenant, name="boss", scopes=["admin"])


async def test_without_room_the_no_is_a_problem_as_everywhere_and_names_the_caller_s_trace(node: Node) -> None:
    front = create_app(node)
    tickets = fill(front)
    async with serving(front, "127.0.0.1", 0) as url, httpx.AsyncClient(base_url=url) as caller:
        caller.headers["Authorization"] = f"Bearer {await key_of(node)}"
        refused = await caller.post(
            "/v1/decisions", json=ASKED, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        )
        anew = await caller.post("/v1/decisions", json=ASKED)
        other = await caller.post("/v1/decisions?x=1", json=ASKED)  # not at the door: by the application
        for ticket in tickets:
            ticket.leave()
        accepted = await caller.post("/v1/decisions", json=ASKED)

    problem = refused.json()
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert (problem["code"], problem["status"], problem["trace"]) == ("overloaded", 503, TRACE)
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert anew.json()["trace"] == anew.headers["traceparent"].split("-")[1] != "0" * 32
    assert {**other.json(), "trace": ""} == {**problem, "trace": ""}
    assert set(other.headers) - {"date"} == set(refused.headers) - {"date"}
    assert accepted.status_code in (200, 202)


async def converse(url: str, *requests: bytes) -> bytes:
    """Send pieces one after the other on one connection; everything that comes back within a second."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    got = b""
    for request in requests:
        writer.write(request)
        await writer.drain()
        await asyncio.sleep(0.05)
    while True:
        try:
            part = await asyncio.wait_for(reader.read(65536), 1)
        except TimeoutError:
            break
        if not part:
            break
        got += part
    writer.close()
    return got


def request(path: str = "/v1/decisions", method: str = "POST", extra: str = "", body: bytes | None = None) -> bytes:
    content = json.dumps(ASKED).encode() if body is None else body
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{extra}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def test_the_connection_of_who_was_turned_away_goes_on(node: Node) -> None:
    """Requests on the heels of one another, a body that comes in pieces, one that is long: each has one answer."""
    front = create_app(node)
    fill(front)
    whole = request()
    long = request(body=b"x" * 300_000)
    async with serving(front, "127.0.0.1", 0) as url:
        got = await converse(url, whole + whole, whole[:150], whole[150:], long, request("/health", "GET", body=b""))

    assert got.count(b"HTTP/1.1 503 Service Unavailable") == 4
    assert got.count(b"HTTP/1.1") == 5
    assert b"HTTP/1.1 200" in got  # health is always answered


@pytest.mark.parametrize("extra", ["Connection: close\r\n", "Expect: 100-continue\r\n"])
async def test_a_connection_that_ends_or_whose_next_bytes_are_unsure_is_closed(node: Node, extra: str) -> None:
    front = create_app(node)
    fill(front)
    async with serving(front, "127.0.0.1", 0) as url:
        got = await converse(url, request(extra=extra), request())

    assert got.count(b"HTTP/1.1 503") == 1
    assert b"connection: close" in got


async def test_who_sends_slowly_takes_no_place(node: Node) -> None:
    front = create_app(node)
    key = await key_of(node)
    whole = request(extra=f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n")
    async with serving(front, "127.0.0.1", 0) as url:
        talk = asyncio.create_task(converse(url, whole[:-20], b"", b"", b"", whole[-20:]))
        await asyncio.sleep(0.12)
        taken = front.admission.under_way
        got = await talk

    assert taken == 0
    assert got.startswith(b"HTTP/1.1 20")


async def test_beyond_its_connections_a_process_says_so_and_closes_but_is_never_silent(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "MOST_CONNECTIONS", 3)
    async with serving(create_app(node), "127.0.0.1", 0) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
        await asyncio.sleep(0.05)
        got = await converse(url, request("/v1/cases", "GET", body=b""))
        health = await converse(url, request("/health", "GET", body=b""))
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.1)
        after = await converse(url, request("/v1/cases", "GET", body=b""))

    assert got.startswith(b"HTTP/1.1 503")
    assert b'"code":"overloaded"' in got
    assert b"retry-after: 1" in got
    assert b"connection: close" in got
    assert health.startswith(b"HTTP/1.1 200")
    assert after.startswith(b"HTTP/1.1 401")


async def test_with_too_many_requests_under_way_the_next_is_told_when_to_come_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "MOST_AT_ONCE", 0)
    async with serving(create_app(node), "127.0.0.1", 0) as url, httpx.AsyncClient(base_url=url) as caller:
        refused = await caller.get("/v1/cases")
        health = await caller.get("/health")

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    assert health.status_code == 200


async def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nagle's algorithm (RFC 896) would hold its body back for as long as a caller delays that: 40 ms on Linux."""
    at_once: list[int] = []
    made = doorway.Doorway.connection_made

    def connection_made(self: doorway.Doorway, transport: asyncio.Transport) -> None:
        at_once.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(doorway.Doorway, "connection_made", connection_made)
    async with httpx.AsyncClient(base_url=url) as caller:
        await caller.get("/health")
    assert at_once == [1]
