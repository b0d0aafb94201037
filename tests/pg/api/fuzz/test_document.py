"""Whatever the OpenAPI document lets one ask, the answer is one that it tells of, and no failure of ours."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[4]))
from tests.pg.api.conftest import MakeCaller, claims
from tests.pg.api.fuzz.schemathesis_run import Findings, run
from tests.pg.certifying import AUTONOMY, Office, certificate
from tests.pg.stage import DOSSIER, declared

from interlock.cases.case import Case
from interlock.cases.certified_places import find_place
from interlock.cases.registry import Registry, register
from interlock.config import Settings
from interlock.node import Node, open_node

RULES = Path(__file__).parents[1] / "claims" / "components" / "approve-claim@1.rules.json"
CONTRACT = Path(__file__).parents[1] / "claims" / "contracts" / "verdict@1.odcs.yaml"
FEATURES = """\
features:
  spend@1: {table: features, entity: input.customer, output: decimal, on_missing: refuse}
"""
SMALL = {"who": "ana", "total": "12.30"}
LARGE = {"who": "ana", "total": "250.00"}


Begin = Callable[..., Awaitable[Findings]]
OPERATIONS = (
    "GET /v1/cases/{case_id}",
    "GET /v1/reviews/{review_id}",
    "GET /v1/decisions/{decision_id}",
    "GET /v1/autonomy/{point}",
    "GET /v1/certificates/{certificate_id}",
    "GET /v1/rules/{name}/{version}",
    "POST /v1/autonomy/{point}/certify",
    "POST /v1/cloudevents/{target}",
    "POST /v1/exceptions/{exception_id}/resolve",
    "POST /v1/features/{feature}",
    "POST /v1/quarantine/repair",
    "POST /v1/quarantine/{quarantine_id}/discard",
    "POST /v1/reviews/{review_id}/resolve",
)
"""What requests that are right by the document get done: without them, the others would show little."""
ONLY_LONG = ("POST /v1/reviews/{review_id}/resolve",)
"""Of whose many optional fields one boundary in nine makes no whole verdict."""


async def spending(case: Case) -> str:
    """Nothing: its point is asked in line."""
    return case.key


async def careful(case: Case) -> str:
    """Nothing: its point is asked in line."""
    return case.key


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A process with three workflows, one of which has a feature, and one declares its autonomy."""
    point = '    features: [spend@1]\n    budget: {time: 10s}\n    review: ["input.spend >= 100"]\n'
    flow = declared(spending, tmp_path, dossier=DOSSIER + FEATURES, point=point)
    certain = declared(careful, tmp_path, point=AUTONOMY)
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with open_node(settings, registry=Registry([register(claims), flow, certain])) as node:
        yield node


@pytest.fixture
async def known(node: Node, caller: httpx.AsyncClient) -> dict[str, list[str]]:
    """What there is, so that requests get past the first look-up."""
    return await furnish(node, caller)


@pytest.fixture
def begin(url: str, known: dict[str, list[str]]) -> Begin:
    """A function that runs one phase with a key."""

    async def begin(client: httpx.AsyncClient, phase: str, examples: int = 1, every: int = 1) -> Findings:
        headers = {"Authorization": client.headers["authorization"]}
        return await asyncio.to_thread(
            run, url, headers, known, inputs=[SMALL, LARGE], phase=phase, examples=examples, every=every
        )

    return begin


@pytest.mark.parametrize(
    "every",
    [pytest.param(9, id="short"), pytest.param(1, id="long", marks=pytest.mark.long)],
)
async def test_every_boundary_of_the_document(make_caller: MakeCaller, begin: Begin, every: int) -> None:
    """The short form tries one boundary in nine, at every operation; the key may state a purpose."""
    found = await begin(await make_caller("admin", "personal", name="all"), "coverage", every=every)
    assert found.wrong == []
    assert found.answered.total() > 1000 / every
    for operation in OPERATIONS if every == 1 else (one for one in OPERATIONS if one not in ONLY_LONG):
        assert found.statuses(operation) & {200, 201, 202}, f"{operation} was never carried out"


async def test_random_requests_of_the_document(make_caller: MakeCaller, begin: Begin) -> None:
    found = await begin(await make_caller("admin", "personal", name="all"), "fuzzing", 2)
    assert found.wrong == []


async def test_nothing_is_told_to_who_may_nothing(make_caller: MakeCaller, begin: Begin) -> None:
    """A key's only scope is one that no operation of a tenant asks for."""
    found = await begin(await make_caller("operate", name="nobody"), "fuzzing", 1)
    assert found.wrong == []
    told = {(operation, status) for operation, status in found.answered if status not in {401, 403}}
    open_to_all = {"GET /health"}
    may_operate = {operation for operation, _ in told if "/stops" in operation}
    assert {operation for operation, _ in told} - may_operate <= open_to_all


@pytest.mark.long
async def test_random_requests_of_the_document_for_long(caller: httpx.AsyncClient, begin: Begin) -> None:
    found = await begin(caller, "fuzzing", 400)
    assert found.wrong == []


async def test_what_a_body_does_not_have_is_said_to_be_refused(caller: httpx.AsyncClient) -> None:
    schemas = (await caller.get("/openapi.json")).json()["components"]["schemas"]
    bodies = {name for name in schemas if name.endswith("Body")}
    assert {name for name in bodies if schemas[name].get("additionalProperties") is not False} == {"CloudEventBody"}


@pytest.mark.parametrize("since", ["0", "0.5", "1e9", "NaN"])
async def test_a_number_is_no_moment(caller: httpx.AsyncClient, since: str) -> None:
    refused = await caller.get("/v1/quarantine", params={"since": since})
    assert (refused.status_code, refused.json()["violations"][0]["where"]) == (400, "?since")


async def furnish(node: Node, caller: httpx.AsyncClient) -> dict[str, list[str]]:
    """Have some of everything, and say what it is called."""

    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answered = await caller.post(path, json=body)
        assert answered.status_code < 500, answered.text
        return answered.json()

    async def case(key: str, value: Any) -> dict[str, Any]:
        return await post("/v1/cases", {"workflow": "claims", "key": key, "input": value})

    async def decision(key: str, value: Any) -> dict[str, Any]:
        return await post("/v1/decisions", {"point": "claims.approve", "key": key, "input": value})

    trouble = {**SMALL, "who": "trouble"}
    cases = [await case("small", SMALL), await case("large", LARGE)]
    cases += [await case(f"trouble-{number}", trouble) for number in range(3)]
    exceptions: list[dict[str, Any]] = []
    async with node.worker():
        for _ in range(400):
            exceptions = (await caller.get("/v1/exceptions")).json()["exceptions"]
            if len(exceptions) == 3:
                break
            await asyncio.sleep(0.025)
    decided = [await decision(f"d-{number}", LARGE) for number in range(4)]
    held = [(await decision(f"q-{number}", {"who": "ana"}))["quarantine"] for number in range(4)]
    held.append((await case("q", {"who": "ana"}))["quarantine"])
    stops = [await post("/v1/stops", {"scope": "agent:nobody", "why": "a drill"}) for _ in range(2)]
    await post("/v1/deadman", {"scope": "agent:robot", "every": "24h", "why": "a term"})
    document = json.loads(RULES.read_text("utf-8"))
    for version in ("1.1", "1.2"):
        document["interlock"] |= {"version": version}
        await post("/v1/rules", {"content": json.dumps(document), "why": "more"})
    await post("/v1/contracts", {"content": CONTRACT.read_text("utf-8"), "why": "more"})
    place = find_place(node.registry, node.tenant, "careful.approve")
    made = certificate(node.tenant, place.terms, [], workflow="careful")
    issued = await Office(node).issue(structs.replace(made, terms=place.terms.stated))
    return {
        "certificate_id": [str(issued)],
        "case_id": [one["id"] for one in cases],
        "review_id": [one["review"] for one in decided],
        "decision_id": [one["id"] for one in decided],
        "exception_id": [one["id"] for one in exceptions],
        "quarantine_id": held,
        "stop_id": [one["id"] for one in stops],
        "workflow": ["claims", "spending"],
        "point": ["careful.approve", "claims.approve", "claims.rare", "spending.approve", "approve"],
        "target": ["claims.approve", "claims.rare", "workflow:claims"],
        "scope": ["agent:nobody", "agent:robot", "point:claims.rare", "workflow:spending"],
        "name": ["approve-claim", "verdict", "settled"],
        "version": ["1", "1.0", "1.1", "1.2"],
        "to": ["1.1", "1.2"],
        "every": ["24h", "1s", "1000000h"],
        "span": ["8h", "1ms"],
        "wait": ["0s", "1ms"],
        "within": ["1s", "1us"],
        "since": ["7d", "2026-01-01T00:00:00Z"],
        "exposure": ["12.30 MYR", "1e5 MYR", "-1 MYR", "999999999999999999.99 MYR"],
        "feature": ["spend@1"],
        "entity": ["Ana"],
        "queue": ["claims", "tiny"],
        "case_key": ["small", "large"],
    }
