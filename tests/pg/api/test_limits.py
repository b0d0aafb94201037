from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, settings_for

from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.node import Node, open_node

CASE = "01a1fd3b-b658-7fcd-8b95-0d895253d102"


async def refunds(case: Case) -> str:
    """Nothing runs here."""
    return case.key


@pytest.fixture
async def node(database_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A process that carries a workflow with limits."""
    flow = declared(refunds, tmp_path, limits="per_case: 50 EUR, per_day: 900 EUR")
    async with open_node(settings_for(database_url), registry=Registry([flow])) as node:
        with psycopg.connect(database_url, options="-c search_path=interlock -c timezone=Europe/Lisbon") as admin:
            admin.execute(
                "insert into guard_bucket (tenant, guard, currency, slot, used) "
                "select tenant, 'refunds.pay.per_day', 'EUR', to_char(now(), 'YYYY-MM-DD'), 1230 from tenant"
            )
        yield node


async def test_what_each_limit_holds_now_is_told_to_who_may_read_or_stop(
    make_caller: Callable[..., Awaitable[httpx.AsyncClient]],
) -> None:
    reader, stopper, submitter = [await make_caller(scope, name=scope) for scope in ("read", "stop", "submit")]
    found = await reader.get("/v1/limits", params={"workflow": "refunds"})
    (day,) = found.json()["limits"]
    assert day.pop("resets_at").endswith("Z")
    assert day == {
        "guard": "refunds.pay.per_day",
        "owner": "",
        "over": "day",
        "limit": "900.00 EUR",
        "used": "12.30 EUR",
        "reserved": "0.00 EUR",
        "left": "887.70 EUR",
    }
    assert (await stopper.get("/v1/limits")).json() == found.json()
    assert (await submitter.get("/v1/limits")).status_code == 403


async def test_a_case_shows_what_it_used_and_a_workflow_that_is_not_there_is_said(caller: httpx.AsyncClient) -> None:
    shown = (await caller.get("/v1/limits", params={"case": CASE})).json()["limits"]
    assert {one["guard"]: (one["owner"], one["left"]) for one in shown} == {
        "refunds.pay.per_case": (CASE, "50.00 EUR"),
        "refunds.pay.per_day": ("", "887.70 EUR"),
    }
    refused = await caller.get("/v1/limits", params={"workflow": "refund"})
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    assert (await caller.get("/v1/limits", params={"case": "none"})).status_code == 400
