"""Bytes that are no request, or not the one that they say they are, at the bare socket: refused, and no harm done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

BODY = json.dumps({"point": "claims.approve", "key": "k", "input": {"who": "ana", "total": "12.30"}}).encode()
PATIENCE_S = 20.0
WAITS_S = 1.0


async def exchange(url: str, sent: bytes, *, waits_s: float = WAITS_S) -> bytes:
    """Send bytes and read to the end; where the other side waits for more, there is none after a while."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    reading = asyncio.create_task(reader.read())
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(sent)
            await asyncio.wait((reading,), timeout=waits_s)
            if not reading.done():
                writer.write_eof()
            return await reading
    except ConnectionError:
        return b""
    finally:
        reading.cancel()
        writer.close()


def request(
    key: str, *headers: str, line: str = "POST /v1/decisions HTTP/1.1", body: bytes = BODY, length: str | None = None
) -> bytes:
    """A request as it stands on the wire."""
    given = [line, "Host: a", f"Authorization: {key}", "Connection: close", *headers]
    if length != "":
        given.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(given).encode("latin-1") + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    """The status of the first answer; 0: there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


LENGTHS = ["-1", "+5", "0x10", "1e3", "9" * 30, "9" * 5000, "\xb2", "5, 5", "5 ", "", "2200001", "99999999999", "1"]


async def test_a_length_that_is_none_or_not_that_of_the_body(caller: httpx.AsyncClient, url: str) -> None:
    await refuse(caller, url, {one: request(caller.headers["authorization"], length=one) for one in LENGTHS})


CHUNKED = [
    b"0\r\n\r\n",
    b"zz\r\n",
    b"-1\r\n\r\n",
    b"ffffffffffffffff\r\nabc",
    b"5\r\nab",
    b"5;" + b"x" * 100_000 + b"\r\nabcde\r\n0\r\n\r\n",
    b"1\r\n{\r\n" * 2000 + b"0\r\n\r\n",
    b"2\r\n{}\r\n0\r\nX-More: 1\r\n\r\n",
    b"%x\r\n" % 3_000_000 + b" " * 3_000_000 + b"\r\n0\r\n\r\n",
]


async def test_chunks_that_are_none(caller: httpx.AsyncClient, url: str) -> None:
    key = caller.headers["authorization"]
    sent = {one[:20]: request(key, "Transfer-Encoding: chunked", body=one, length="") for one in CHUNKED}
    await refuse(caller, url, sent)


async def test_a_body_in_chunks_is_a_body(caller: httpx.AsyncClient, url: str) -> None:
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    sent = request(caller.headers["authorization"], "Transfer-Encoding: chunked", body=body, length="")
    assert status(await exchange(url, sent)) == 200


HEADERS = [
    "Content-Type: \xff\xfe",
    "Content-Type: application/json; charset=\x85",
    "Content-Type: " + "a" * 5000,
    "Idempotency-Key: \xad\xff",
    "Idempotency-Key: " + "k" * 5000,
    'Idempotency-Key: "',
    "traceparent: 00-" + "0" * 32 + "-" + "0" * 16 + "-00",
    "traceparent: \xff" + "f" * 500,
    "Expect: 100-continue",
    "Expect: nonsense",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Authorization: Bearer x",
    "Content-Encoding: gzip",
    "X: " + "x" * 60_000,
]


async def test_headers_that_say_nothing(caller: httpx.AsyncClient, url: str) -> None:
    key = caller.headers["authorization"]
    for path in ("/v1/decisions", "/v1/cases"):
        sent = {one[:60]: request(key, one, line=f"POST {path} HTTP/1.1") for one in HEADERS}
        await refuse(caller, url, sent, also={100, 200, 201})


LINES = [
    "POST /v1/decisions HTTP/9.9",
    "POST /v1/decisions",
    "POST  /v1/decisions HTTP/1.1",
    "post /v1/decisions HTTP/1.1",
    "BREW /v1/decisions HTTP/1.1",
    "POST /v1/decisions\0 HTTP/1.1",
    "POST /v1/decisions%00 HTTP/1.1",
    "POST /v1/decisions/ HTTP/1.1",
    "POST //v1/decisions HTTP/1.1",
    "POST /v1/../v1/decisions HTTP/1.1",
    "POST http://other/v1/decisions HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT a:1 HTTP/1.1",
    "PRI * HTTP/2.0",
    "GET /" + "a" * 70_000 + " HTTP/1.1",
    "GET /v1/cases?" + "a=1&" * 5000 + " HTTP/1.1",
    "GET /v1/cases?workflow=%00 HTTP/1.1",
    "GET /v1/cases?workflow=%ff%fe HTTP/1.1",
    "GET /v1/cases?workflow=%ed%a0%80 HTTP/1.1",
    "GET /v1/cases?%00=1 HTTP/1.1",
    "GET /v1/cases?workflow=a;limit=3 HTTP/1.1",
    "GET /v1/cases?limit=%D9%A1 HTTP/1.1",
    "GET /v1/cases?limit=1e2 HTTP/1.1",
    "GET /v1/cases?limit=" + "9" * 5000 + " HTTP/1.1",
    "GET /v1/reviews?queue=%00 HTTP/1.1",
    "GET /v1/limits?workflow=%ED%A0%80 HTTP/1.1",
    "GET /v1/quarantine?since=%00 HTTP/1.1",
    "GET /v1/rules?name=%C2%85 HTTP/1.1",
    "GET /v1/rules/%00/1 HTTP/1.1",
    "GET /v1/rules/a%00b/1 HTTP/1.1",
    "GET /v1/rules/%ff/%fe HTTP/1.1",
    "GET /v1/rules/%ED%A0%80/1.1 HTTP/1.1",
    "GET /v1/rules/a/" + "1." * 3000 + "1 HTTP/1.1",
    "GET /v1/rules/a/" + "9" * 6000 + " HTTP/1.1",
    "GET /v1/contracts/a/%D9%A1 HTTP/1.1",
    "GET /v1/cases/%00 HTTP/1.1",
    "GET /v1/cases/" + "0" * 36 + " HTTP/1.1",
    "POST /v1/rules/%00/revert HTTP/1.1",
    "POST /v1/features/%00@1 HTTP/1.1",
    "POST /v1/features/a@" + "9" * 6000 + " HTTP/1.1",
    "POST /v1/cloudevents/%00 HTTP/1.1",
    "POST /v1/cloudevents/workflow:%00 HTTP/1.1",
    "POST /v1/exceptions/groups/%00 HTTP/1.1",
    "POST /v1/exceptions/groups/%ff HTTP/1.1",
    "POST /v1/cases/batch?workflow=%00 HTTP/1.1",
    "GET /openapi.json?%00 HTTP/1.1",
    "GET /health%2f..%2fv1/cases HTTP/1.1",
]


async def test_lines_that_ask_for_nothing(caller: httpx.AsyncClient, url: str) -> None:
    sent = {one[:60]: request(caller.headers["authorization"], line=one) for one in LINES}
    await refuse(caller, url, sent, also={200})


GARBAGE = [
    b"",
    b"\0" * 100,
    b"\r\n" * 1000,
    b"\x16\x03\x01\x02\x00\x01\x00",
    bytes(range(256)) * 40,
    b"GET",
    b"{}\n" * 50,
]


async def test_bytes_that_are_no_request(caller: httpx.AsyncClient, url: str) -> None:
    await refuse(caller, url, {one[:10]: one for one in GARBAGE})


async def test_two_ways_to_say_the_length_are_not_both_believed(caller: httpx.AsyncClient, url: str) -> None:
    """What a proxy takes for the end of a request must be it for us (RFC 9112, section 6.3)."""
    inner = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    body = b"0\r\n\r\n" + inner
    sent = request(caller.headers["authorization"], "Transfer-Encoding: chunked", body=body).replace(
        b"Connection: close\r\n", b""
    )
    answer = await exchange(url, sent)
    assert answer.count(b"HTTP/1.1 ") <= 1, answer[:600]


async def test_a_request_that_breaks_off(caller: httpx.AsyncClient, url: str) -> None:
    whole = request(caller.headers["authorization"])
    await refuse(caller, url, {cut: whole[:cut] for cut in (1, 40, 120, -20, -1)})


async def test_a_connection_is_of_use_after_each_refusal(caller: httpx.AsyncClient, url: str) -> None:
    """Refusals are answers: the next request on the same connection is answered, too."""
    bad = [b"", b"\0", b"[]", b"\xff\xfe", b'{"a":' * 2000, b'{"point": "a.b", "key": "\\ud800", "input": {}}', b"NaN"]
    sent = b"".join(
        request(caller.headers["authorization"], body=body).replace(b"Connection: close\r\n", b"") for body in bad
    )
    answer = await exchange(url, sent + request(caller.headers["authorization"]), waits_s=10)
    assert answer.count(b"HTTP/1.1 400 ") == len(bad), answer[:2000]
    assert answer.count(b"HTTP/1.1 200 ") == 1


async def refuse(caller: httpx.AsyncClient, url: str, sent: Mapping[Any, bytes], *, also: Collection[int] = ()) -> None:
    """See that each is refused, or cut off, by itself, and that the server is none the worse for any."""
    answers = await asyncio.gather(*(exchange(url, one) for one in sent.values()))
    for name, answer in zip(sent, answers, strict=True):
        found = status(answer)
        assert found in also or found == 0 or 400 <= found < 500, (name, answer[:400])
        await still_decides(caller)


async def still_decides(caller: httpx.AsyncClient) -> None:
    """The server answers as before."""
    decided = await caller.post("/v1/decisions", content=BODY, headers={"Content-Type": "application/json"})
    assert decided.status_code == 200, decided.text
