"""Whatever is sent, the answer is a document or a problem, and never a failure of ours."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
near = st.fixed_dictionaries(
    {},
    optional={
        "workflow": st.just("claims") | values,
        "point": st.just("claims.approve") | values,
        "key": st.text(max_size=220) | values,
        "input": st.fixed_dictionaries({}, optional={"who": values, "total": st.just("1.00") | values}) | values,
        "exposure": st.text(max_size=70) | values,
        "other": values,
    },
)
SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        problem = msgspec.json.decode(answer.content)
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= set(problem)


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/decisions", "/v1/stops"])
async def test_random_json_never_fails(path: str, caller: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()

    @SETTINGS
    @given(near | values)
    def attempt(value: Any) -> None:
        sending = caller.post(path, content=as_json(value), headers={"Content-Type": "application/json"})
        check(asyncio.run_coroutine_threadsafe(sending, loop).result(30))

    await asyncio.to_thread(attempt)


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/cases/batch?workflow=claims"])
async def test_random_bytes_never_fail(path: str, caller: httpx.AsyncClient) -> None:
    loop = asyncio.get_running_loop()

    @SETTINGS
    @given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0d80 \n1eE-.', max_size=80).map(str.encode))
    def attempt(content: bytes) -> None:
        sending = caller.post(path, content=content)
        check(asyncio.run_coroutine_threadsafe(sending, loop).result(30))

    await asyncio.to_thread(attempt)


@SETTINGS
@given(header=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80))
async def test_random_headers_and_paths_never_fail(url: str, header: str) -> None:
    async with httpx.AsyncClient(base_url=url) as nobody:
        sent = {"Authorization": f"Bearer {header}", "traceparent": header, "Idempotency-Key": header}
        check(await nobody.get("/v1/cases", headers=sent, params={header: header}))
