"""Outside events over HTTP: once by key, checked, refused with every violation, found by the case's own key."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from .conftest import MakeCaller

LARGE = {"who": "cleo", "total": "250.00"}
SAID = {"approved": True, "reason": "within_policy"}


async def case_of(caller: httpx.AsyncClient, key: str = "large") -> str:
    body = {"workflow": "claims", "key": key, "input": LARGE}
    return (await caller.post("/v1/cases", json=body)).json()["id"]


def event(**changed: Any) -> dict[str, Any]:
    return {"name": "settled", "key": "e-1", "payload": SAID, **changed}


async def test_an_event_is_taken_in_once_and_seen_with_its_case(caller: httpx.AsyncClient) -> None:
    case = await case_of(caller)
    first = await caller.post(f"/v1/cases/{case}/events", json=event())
    again = await caller.post(f"/v1/cases/{case}/events", json=event())
    by_header = await caller.post(
        f"/v1/cases/{case}/events", json={"name": "settled", "payload": SAID}, headers={"Idempotency-Key": "e-1"}
    )
    by_case_key = await caller.post("/v1/events", json=event(workflow="claims", case_key="large"))
    assert [one.status_code for one in (first, again, by_header, by_case_key)] == [201, 200, 200, 200]
    assert {one.json()["id"] for one in (first, again, by_header, by_case_key)} == {first.json()["id"]}
    assert (first.json()["case"], first.headers["location"]) == (case, f"/v1/cases/{case}")
    (seen,) = (await caller.get(f"/v1/cases/{case}")).json()["events"]
    assert (seen["name"], seen["payload"], seen["sender"], seen["taken_at"]) == ("settled", SAID, "boss", None)


async def test_what_is_wrong_is_refused_by_its_kind(caller: httpx.AsyncClient) -> None:
    case = await case_of(caller)
    path = f"/v1/cases/{case}/events"
    broken = await caller.post(path, json=event(payload={"approved": "yes"}))
    assert (broken.status_code, broken.json()["code"]) == (422, "contract-violated")
    assert "/approved" in {one["where"] for one in broken.json()["violations"]}
    assert (await caller.post(path, json=event())).status_code == 201
    reused = await caller.post(path, json=event(payload={**SAID, "approved": False}))
    assert (reused.status_code, reused.json()["code"]) == (409, "key-reused")
    unknown = await caller.post(path, json=event(name="arrived", key="e-2"))
    assert (unknown.status_code, unknown.json()["todo"]) == (404, "it declares settled")
    assert (await caller.post(f"/v1/cases/{uuid4()}/events", json=event())).status_code == 404
    nobody = await caller.post("/v1/events", json=event(workflow="claims", case_key="nobody"))
    assert nobody.status_code == 404
    keyless = await caller.post(path, json={"name": "settled", "payload": SAID})
    assert keyless.status_code == 400


async def test_events_need_the_right_to_submit_and_stay_in_their_tenant(
    caller: httpx.AsyncClient, make_caller: MakeCaller
) -> None:
    case = await case_of(caller)
    reader, stranger = await make_caller("read"), await make_caller("admin", tenant="other")
    assert (await reader.post(f"/v1/cases/{case}/events", json=event())).status_code == 403
    assert (await stranger.post(f"/v1/cases/{case}/events", json=event())).status_code == 404
    theirs = await stranger.post("/v1/events", json=event(workflow="claims", case_key="large"))
    assert theirs.status_code == 404


@pytest.mark.parametrize("path", ["/v1/cases/summary", "/v1/cases/summary?workflow=claims"])
async def test_the_summary_tells_of_no_age_where_nothing_was_done(caller: httpx.AsyncClient, path: str) -> None:
    await case_of(caller)
    assert (await caller.get(path)).json()["ages"] == []
