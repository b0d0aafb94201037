from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from .conftest import MakeCaller

SMALL = {"who": "ana", "total": "12.30"}
LARGE = {"who": "ana", "total": "250.00"}


def question(key: str = "d-1", value: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"point": "claims.approve", "key": key, "input": value or SMALL, **more}


async def test_a_small_claim_is_decided_at_once(caller: httpx.AsyncClient) -> None:
    answered = await caller.post("/v1/decisions", json=question())
    got = answered.json()

    assert answered.status_code == 200
    assert (got["route"], got["settled"], got["output"]) == (
        "automatic",
        True,
        {"approved": True, "reason": "within_policy"},
    )
    assert got["confidence"] == 1.0
    assert got["reasons"][0]["code"] == "sure_enough"
    assert got["valid_until"].endswith("Z")
    whole = (await caller.get(got["follow"])).json()
    assert (whole["id"], whole["component"], whole["exposure"]) == (got["id"], "rules:approve-claim@1", "12.30 MYR")
    assert (whole["output"], whole["settled"], whole["input"]) == (got["output"], True, SMALL)


async def test_the_same_key_gives_the_same_decision(caller: httpx.AsyncClient) -> None:
    first, again = await asyncio.gather(*(caller.post("/v1/decisions", json=question()) for _ in range(2)))
    other = await caller.post("/v1/decisions", json=question(value=LARGE))

    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"], other.json()["holder"]) == (409, "key-reused", first.json()["id"])


async def test_a_large_claim_goes_to_a_person_and_can_be_followed(
    caller: httpx.AsyncClient, make_caller: MakeCaller
) -> None:
    sent = await caller.post("/v1/decisions", json=question(value=LARGE))
    got = sent.json()

    assert sent.status_code == 202
    assert (got["route"], got["settled"], got["output"]) == ("review", False, None)
    review = (await caller.get(f"/v1/reviews/{got['review']}")).json()
    assert (review["state"], review["decision"], review["exposure"]) == ("open", got["id"], "250.00 MYR")
    second = await make_caller("admin", name="second")
    resolved = await second.post(f"{review['follow']}/resolve", json={"resolution": "approve", "reason_code": "fine"})
    assert resolved.status_code == 200
    followed = (await caller.get(got["follow"])).json()
    assert (followed["settled"], followed["output"]["approved"], followed["resolved_by"]) == (True, True, "second")
    again = await caller.post("/v1/decisions", json=question(value=LARGE))
    assert (again.status_code, again.json()["output"]["approved"]) == (200, True)


async def test_no_output_holds_after_a_rejection(caller: httpx.AsyncClient) -> None:
    rejected = await caller.post("/v1/decisions", json=question(value={"who": "nobody", "total": "1.00"}))
    got = rejected.json()

    assert rejected.status_code == 200
    assert (got["route"], got["settled"], got["output"]) == ("reject", True, None)


async def test_a_stop_sends_the_decision_to_a_person(caller: httpx.AsyncClient) -> None:
    await caller.post("/v1/stops", json={"scope": "point:claims.approve", "why": "odd"})
    got = await caller.post("/v1/decisions", json=question())

    assert (got.status_code, got.json()["reasons"][0]["code"]) == (202, "stopped")


async def test_input_that_breaks_its_contract_is_kept_once(caller: httpx.AsyncClient) -> None:
    broken = question(value={"who": "ana", "total": "0"})
    refused = await caller.post("/v1/decisions", json=broken)
    again = await caller.post("/v1/decisions", json=broken)
    problem = refused.json()

    assert refused.status_code == 422
    assert [violation["where"] for violation in problem["violations"]] == ["/total"]
    assert again.json()["quarantine"] == problem["quarantine"]
    held = (await caller.get(f"/v1/quarantine/{problem['quarantine']}")).json()
    assert (held["case"], held["point"], held["data"]) == (None, "approve", {"who": "ana", "total": "0"})
    assert held["violations"] == problem["violations"]
    assert (await caller.post("/v1/decisions", json=question())).status_code == 200  # the key is still free


async def test_intake_is_held_while_the_queue_is_full(caller: httpx.AsyncClient) -> None:
    first = await caller.post("/v1/decisions", json=question("r-1", point="claims.rare"))
    full = await caller.post("/v1/decisions", json=question("r-2", point="claims.rare"))

    assert first.status_code == 202
    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "queue-full", "30")


async def test_the_caller_may_say_what_is_at_stake(caller: httpx.AsyncClient) -> None:
    got = await caller.post("/v1/decisions", json=question("e-1", point="claims.rare", exposure="99.00 MYR"))

    assert (await caller.get(got.json()["follow"])).json()["exposure"] == "99.00 MYR"


@pytest.mark.parametrize("exposure", ["12", "12.345 MYR", "1e3 MYR", "-1.00 MYR", "12.30 XXX"])
async def test_an_amount_that_is_not_exact_is_refused(caller: httpx.AsyncClient, exposure: str) -> None:
    refused = await caller.post("/v1/decisions", json=question(exposure=exposure))

    assert (refused.status_code, refused.json()["code"], refused.json()["where"]) == (400, "money-invalid", "/exposure")


async def test_an_amount_as_a_number_is_refused(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/decisions", json=question(exposure=12.3))

    assert (refused.status_code, refused.json()["violations"][0]["where"]) == (400, "/exposure")


async def test_a_point_that_does_not_exist_is_not_found(caller: httpx.AsyncClient) -> None:
    refused = await caller.post("/v1/decisions", json=question(point="claims.aprove"))

    assert (refused.status_code, refused.json()["todo"]) == (404, 'did you mean "claims.approve"?')


async def test_what_the_file_says_is_at_stake_no_sender_says_otherwise(caller: httpx.AsyncClient) -> None:
    asked = {"point": "claims.approve", "key": "k", "input": {"who": "mallory", "total": "250.00"}}
    lied = await caller.post("/v1/decisions", json={**asked, "exposure": "0.01 MYR"})
    assert (lied.status_code, lied.json()["where"]) == (400, "/exposure")
    alike = await caller.post("/v1/decisions", json={**asked, "exposure": "250.00 MYR"})
    assert (alike.status_code, alike.json()["route"]) == (202, "review")
    other = await caller.post("/v1/decisions", json={**asked, "key": "o", "exposure": "250.00 EUR"})
    assert other.status_code == 400


async def test_a_decision_is_explained_to_three_readers(caller: httpx.AsyncClient) -> None:
    taken = (await caller.post("/v1/decisions", json=question("told", LARGE))).json()
    place = f"{taken['follow']}/explanation"
    texts = {reader: (await caller.get(f"{place}?for={reader}")).json() for reader in ("operator", "auditor", "person")}
    silent, foreign = await caller.get(place), await caller.get(f"{place}?for=person&language=fr")
    nobody = await caller.get("/v1/decisions/01a1fe8e-627a-7c1e-9233-000000000000/explanation")

    assert "What to do next" in texts["operator"]["text"]
    assert "it would have gone by itself" in texts["operator"]["text"]
    assert texts["auditor"]["evidence"]["entries"][0]["entry"] == taken["id"]
    assert silent.json()["reader"] == "auditor"
    assert texts["person"].keys() == {"reader", "language", "passages", "text"}
    assert taken["id"] not in texts["person"]["text"]
    assert (foreign.status_code, foreign.json()["violations"][0]["where"]) == (400, "?language")
    assert nobody.status_code == 404
    held = (await caller.post("/v1/decisions", json=question("held", {"who": "ana"}))).json()
    undecided = await caller.get(f"/v1/decisions/{held['quarantine']}/explanation")
    assert (undecided.status_code, "nothing was decided on its data" in undecided.json()["detail"]) == (404, True)
