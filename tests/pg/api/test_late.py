"""A caller who says how long it waits is answered by then; what was begun goes on, once, and its key finds it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import psycopg
import pytest

from interlock.api.admission import Admission
from interlock.api.due import answered_by
from interlock.errors import DecisionLate, NotFound

BODY: dict[str, Any] = {"point": "claims.approve", "input": {"who": "ana", "total": "50.00"}}


async def test_while_the_commit_waits_its_caller_is_answered_and_nothing_is_lost(
    caller: httpx.AsyncClient, database_url: str
) -> None:
    await caller.post("/v1/decisions", json=BODY | {"key": "warm"})
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        admin.execute("lock table decision in exclusive mode")
        began = time.monotonic()
        late = await caller.post("/v1/decisions", json=BODY | {"key": "late", "within": "300ms"})
        assert time.monotonic() - began < 1.5
        patient = asyncio.create_task(caller.post("/v1/decisions", json=BODY | {"key": "patient"}))
        done, _ = await asyncio.wait([patient], timeout=1.5)  # longer than the point's own budget
        assert not done
        admin.rollback()
    assert (late.status_code, late.json()["code"], late.headers["retry-after"]) == (503, "late", "1")
    assert late.json()["detail"] == "the time that was stated is over; it may have been decided"
    assert late.json()["todo"] == "send it again with the same key: it takes effect once"
    assert (await patient).status_code == 200
    again = await caller.post("/v1/decisions", json=BODY | {"key": "late"})
    assert again.status_code == 200
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        row = admin.execute("select count(*), min(id::text) from decision where key = 'late'").fetchone()
    assert row == (1, again.json()["id"])


async def test_who_is_in_time_is_answered_as_ever(caller: httpx.AsyncClient) -> None:
    plain = await caller.post("/v1/decisions", json=BODY | {"key": "k"})
    bounded = await caller.post("/v1/decisions", json=BODY | {"key": "k", "within": "20s"})
    assert (bounded.status_code, bounded.json()) == (200, plain.json())
    broken = await caller.post("/v1/decisions", json=BODY | {"key": "b", "within": "20s", "input": {"who": "ana"}})
    assert (broken.status_code, broken.json()["code"]) == (422, "contract-violated")


async def test_what_goes_on_without_its_caller_keeps_its_place() -> None:
    """Else a slow disk, and callers who wait briefly, would pile up more than there is memory for."""
    admission, go = Admission(), asyncio.Event()
    ticket = admission.enter()
    assert ticket is not None
    with pytest.raises(DecisionLate):
        await answered_by(asyncio.get_running_loop().time() + 0.02, _wait(go), ticket)
    ticket.leave()
    assert admission.under_way == 1
    go.set()
    await asyncio.sleep(0.01)
    assert admission.under_way == 0


async def test_a_request_that_is_given_up_cuts_nothing_either() -> None:
    admission, go = Admission(), asyncio.Event()
    ticket = admission.enter()
    assert ticket is not None
    ended: list[bool] = []

    async def work() -> None:
        await go.wait()
        ended.append(True)

    asking = asyncio.create_task(answered_by(asyncio.get_running_loop().time() + 10, work(), ticket))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    ticket.leave()
    assert (admission.under_way, ended) == (1, [])
    go.set()
    await asyncio.sleep(0.01)
    assert (admission.under_way, ended) == (0, [True])


async def test_a_failure_of_the_work_is_its_caller_s_or_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = asyncio.get_running_loop().time

    async def fails(after_s: float, cause: Exception) -> None:
        await asyncio.sleep(after_s)
        raise cause

    with pytest.raises(NotFound):
        await answered_by(now() + 5, fails(0, NotFound("it is gone")))
    with pytest.raises(TimeoutError, match="its own"):
        await answered_by(now() + 5, fails(0, TimeoutError("its own")))
    with pytest.raises(DecisionLate):
        await answered_by(now() + 0.01, fails(0.05, NotFound("it is gone")))
    await asyncio.sleep(0.08)
    assert "came to nothing: it is gone" in caplog.text


async def _wait(go: asyncio.Event) -> None:
    await go.wait()
