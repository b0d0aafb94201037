"""An amount that no float can hold, from the request through contract, table, condition and record to the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from interlock.api.app import create_app
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.cases.case import Case
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import workflow
from interlock.config import Settings
from interlock.node import open_node

AMOUNT = "12345678901234567.89"


@workflow("levies", version="1", file="levies/levies.workflow.yaml")
async def levies(case: Case) -> str:
    """Assess one amount."""
    assessed = await case.decide("assess", case.input)
    return str(assessed.output["net"])


@pytest.fixture
async def assessor(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a process that knows the workflow."""
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with (
        open_node(settings, registry=Registry([register(levies)])) as node,
        serving(create_app(node), "127.0.0.1", 0) as url,
    ):
        tenant = await node.database.ensure_tenant("default")
        secret = await make_key(node.database, node.writer, tenant, name="boss", scopes=("admin",))
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=30) as client:
            yield client


async def assess(client: httpx.AsyncClient, total: str) -> tuple[dict[str, Any], dict[str, Any]]:
    body = {"point": "levies.assess", "key": total, "input": {"total": total}}
    answered = (await client.post("/v1/decisions", json=body)).json()
    return answered, (await client.get(f"/v1/decisions/{answered['id']}")).json()


async def test_every_digit_arrives_and_is_recorded(assessor: httpx.AsyncClient) -> None:
    answered, recorded = await assess(assessor, AMOUNT)
    output = {"total": AMOUNT, "fee": "740740734074074.07", "net": "11604938167160493.82", "band": "above"}
    assert (answered["route"], answered["output"]) == ("automatic", output)
    assert (recorded["input"], recorded["output"]) == ({"total": AMOUNT}, output)
    assert (recorded["exposure"], recorded["component"]) == (f"{AMOUNT} MYR", "rules:levy@1")
    (fired,) = recorded["evidence"]["fired"]
    assert (fired["table"], fired["row"], fired["note"]) == ("bands", 1, "From the threshold on.")
    assert fired["cells"] == {"Total": f">= {AMOUNT}", "Band": "'above'"}


async def test_a_cent_less_takes_the_other_row_and_a_cent_more_a_person(assessor: httpx.AsyncClient) -> None:
    less, recorded = await assess(assessor, "12345678901234567.88")
    assert (less["route"], less["output"]["band"]) == ("automatic", "below")
    assert recorded["evidence"]["fired"][0]["row"] == 2
    more, recorded = await assess(assessor, "12345678901234567.90")
    assert (more["route"], recorded["exposure"]) == ("review", "12345678901234567.90 MYR")
    told = " ".join(reason["what"] for reason in more["reasons"])
    assert "exposure > 12345678901234567.89 MYR" in told
