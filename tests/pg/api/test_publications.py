"""Publishing over HTTP: who may, what is refused with which words, what counts afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import MakeCaller

CLAIMS = Path(__file__).parent / "claims"
RULES = (CLAIMS / "components" / "approve-claim@1.rules.json").read_text("utf-8")
CONTRACT = (CLAIMS / "contracts" / "verdict@1.odcs.yaml").read_text("utf-8")


def rules(version: str, **header: Any) -> dict[str, str]:
    """The body that publishes the rules as another version."""
    document = json.loads(RULES)
    document["interlock"] |= {"version": version, **header}
    return {"content": json.dumps(document), "why": "as decided"}


async def test_only_who_may_publish_does(make_caller: MakeCaller) -> None:
    for scope in ("submit", "decide", "read", "review", "stop", "operate"):
        lacks = await make_caller(scope, name=f"with-{scope}")
        for path in ("/v1/rules", "/v1/contracts", "/v1/rules/approve-claim/revert"):
            refused = await lacks.post(path, json=rules("1.1"))
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "publish" in refused.json()["detail"]
    publisher = await make_caller("publish", name="publisher")
    assert (await publisher.post("/v1/rules", json=rules("1.1"))).status_code == 201
    assert (await publisher.get("/v1/decisions/00000000-0000-7000-8000-000000000000")).status_code == 403


async def test_a_published_version_decides_and_says_so(caller: httpx.AsyncClient) -> None:
    made = await caller.post("/v1/rules", json=rules("1.1"))
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/rules/approve-claim/1.1"
    told = made.json()
    assert (told["line"], told["author"], told["in_force"], told["new"]) == ("1", "boss", True, True)
    assert [one["point"] for one in told["fits"]] == ["claims.approve"]
    give_up = time.monotonic() + 1.0
    while True:
        key = f"k-{time.monotonic()}"
        body = {"point": "claims.approve", "key": key, "input": {"who": "ana", "total": "12.30"}}
        decided = (await caller.post("/v1/decisions", json=body)).json()
        full = (await caller.get(f"/v1/decisions/{decided['id']}")).json()
        if full["component"] == "rules:approve-claim@1.1":
            break
        assert time.monotonic() < give_up
        await asyncio.sleep(0.02)
    assert full["component_digest"] == told["digest"]
    assert full["attempts"][0]["component"] == "rules:approve-claim@1.1"
    assert full["evidence"]["fired"][0]["cells"]
    again = await caller.post("/v1/rules", json=rules("1.1"))
    assert (again.status_code, again.json()["new"]) == (200, False)
    other = await caller.post("/v1/rules", json=rules("1.1", description="other"))
    assert (other.status_code, other.json()["code"]) == (409, "state-conflict")


async def test_versions_are_listed_shown_and_reverted(caller: httpx.AsyncClient) -> None:
    for version in ("1", "1.1"):
        assert (await caller.post("/v1/rules", json=rules(version))).status_code == 201
    listed = (await caller.get("/v1/rules", params={"name": "approve-claim"})).json()["publications"]
    assert [(one["version"], one["in_force"]) for one in listed] == [("1", False), ("1.1", True)]
    shown = (await caller.get("/v1/rules/approve-claim/1")).json()
    assert (shown["version"], shown["content"]) == ("1.1", rules("1.1")["content"])
    back = await caller.post("/v1/rules/approve-claim/revert", json={"to": "1", "why": "it refused too many"})
    assert (back.status_code, back.json()["version"], back.json()["by"]) == (200, "1", "boss")
    assert (await caller.get("/v1/rules/approve-claim/1")).json()["version"] == "1"
    missing = await caller.post("/v1/rules/approve-claim/revert", json={"to": "1.7", "why": "w"})
    assert missing.status_code == 404
    assert (await caller.get("/v1/rules/approve-claim/3")).status_code == 404
    assert (await caller.get("/v1/rules", params={"name": "other"})).json() == {"publications": []}


async def test_another_tenant_sees_nothing_of_it(caller: httpx.AsyncClient, make_caller: MakeCaller) -> None:
    await caller.post("/v1/rules", json=rules("1.1"))
    stranger = await make_caller("admin", name="stranger", tenant="elsewhere")
    assert (await stranger.get("/v1/rules")).json() == {"publications": []}
    assert (await stranger.get("/v1/rules/approve-claim/1.1")).status_code == 404
    assert (await stranger.post("/v1/rules/approve-claim/revert", json={"to": "1.1", "why": "w"})).status_code == 404


async def test_rules_that_a_workflow_cannot_use_are_refused_with_every_reason(caller: httpx.AsyncClient) -> None:
    document = json.loads(RULES)
    header = document["interlock"]
    header["version"] = "1.1"
    header["inputs"]["mood"] = {"type": "string"}
    for example in header["examples"]:
        example["input"]["mood"] = "good"
    refused = await caller.post("/v1/rules", json={"content": json.dumps(document), "why": "w"})
    assert (refused.status_code, refused.json()["code"]) == (400, "rules-invalid")
    (violation,) = refused.json()["violations"]
    assert violation["where"] == "claims.approve"
    assert "has no field 'mood', which it needs" in violation["what"]
    assert (await caller.get("/v1/rules")).json() == {"publications": []}
    header["version"] = "2"
    document["interlock"] = header
    new_line = await caller.post("/v1/rules", json={"content": json.dumps(document), "why": "w"})
    assert (new_line.status_code, new_line.json()["fits"]) == (201, [])


async def test_an_incompatible_contract_is_refused_with_what_breaks_for_whom(caller: httpx.AsyncClient) -> None:
    assert (await caller.post("/v1/contracts", json={"content": CONTRACT, "why": "w"})).status_code == 201
    broken = CONTRACT.replace("version: 1.0.0", "version: 1.1.0").replace("required: true", "required: false", 1)
    refused = await caller.post("/v1/contracts", json={"content": broken, "why": "w"})
    assert (refused.status_code, refused.json()["code"]) == (400, "contract-invalid")
    assert {one["rule"] for one in refused.json()["violations"]} == {"breaks-consumers"}
    new_line = broken.replace("version: 1.1.0", "version: 2.0.0")
    made = await caller.post("/v1/contracts", json={"content": new_line, "why": "w"})
    assert made.status_code == 201
    assert [one["breaks"] for one in made.json()["breaks"]] == ["consumers"]
    listed = (await caller.get("/v1/contracts")).json()["publications"]
    assert [(one["version"], one["in_force"]) for one in listed] == [("1.0.0", True), ("2.0.0", True)]
    assert (await caller.get("/v1/contracts/verdict/2")).json()["content"] == new_line


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "\U0001f600", "{}" * 10, "[" * 100_000, "- a\n" * 10, "a: &a [*a]", "x" * 1_100_000],
    ids=range(10),
)
async def test_what_is_no_file_is_refused_in_words(caller: httpx.AsyncClient, content: str) -> None:
    for path in ("/v1/rules", "/v1/contracts"):
        refused = await caller.post(path, json={"content": content, "why": "w"})
        assert refused.status_code == 400, refused.text
        assert refused.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"content": "\\ud800", "why": "w"}', b'{"content": "a\\u0000", "why": "w"}', b'{"content": 1, "why": "w"}',
        b'{"content": "x"}', b'{"content": "x", "why": ""}', b'{"content": "x", "why": "w", "more": 1}', b"{",
        b'{"content": "{}", "why": "\\u0000"}', b'{"content": "{}", "why": "   "}',
    ],
    ids=range(9),
)  # fmt: skip
async def test_a_hostile_body_is_refused_in_words(caller: httpx.AsyncClient, body: bytes) -> None:
    refused = await caller.post("/v1/rules", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize("name", ["a%00b", "%F0%9F%98%80", "a" * 200, "%ff", "a b", "%2e%2e%2fetc"])
async def test_a_hostile_name_is_refused_in_words(caller: httpx.AsyncClient, name: str) -> None:
    for path in (f"/v1/rules/{name}/1", f"/v1/contracts/{name}/1", f"/v1/rules/approve-claim/{name}"):
        assert (await caller.get(path)).status_code in (400, 404)
    sent = await caller.post(f"/v1/rules/{name}/revert", json={"to": "1", "why": "w"})
    assert sent.status_code in (400, 404, 405)
