"""Undoing goes on under every stop but one of its own action or connector."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import stage
from tests.pg.undoing import cancel, refunding, story, undoable

from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.guards.stops import resume, stop
from interlock.money import Money
from interlock.sim import FaultPlan, SimulatedProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        provider.set_faults(FaultPlan())
        yield provider


async def waits(case: Case) -> str:
    """Pay, and wait for a long time."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-a")
    await case.wait("the delivery", span=timedelta(days=1))
    return "delivered"


@pytest.mark.parametrize("scope", ["everything", "installation", "workflow:waits", "action:waits.pay"])
async def test_undoing_goes_on_while_the_rest_is_stopped(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, scope: str
) -> None:
    key = scope.replace(":", "-")
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key=key)
        await on.until(case_id, CaseState.WAITING)
        await stop(on.node.database, on.node.writer, on.node.tenant, scope=scope, who="rosa", why="audit")
        await cancel(on, case_id)
        await on.until(case_id, CaseState.CANCELLED)
    assert story(provider, key) == [f"payment {key}-a", f"refund {key}-a"]


@pytest.mark.parametrize(
    ("scope", "everywhere"),
    [("connector:payments", False), ("connector:payments", True), ("action:waits.refund", False)],
)
async def test_a_stop_of_its_own_action_or_connector_holds_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, scope: str, *, everywhere: bool
) -> None:
    key = f"{scope}-{everywhere}".replace(":", "-")
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[refunding(provider.url)]) as on:
        node = on.node
        case_id = await on.submit(key=key)
        await on.until(case_id, CaseState.WAITING)
        stopped = await stop(
            node.database, node.writer, node.tenant, scope=scope, who="rosa", why="audit", everywhere=everywhere
        )
        await cancel(on, case_id)
        give_up = time.monotonic() + 5
        while "was stopped by rosa: audit" not in ((await on.record(case_id)).case.waiting_for or ""):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)
        assert story(provider, key) == [f"payment {key}-a"]
        await resume(node.writer, node.tenant, stopped.id, who="rosa", why="fine", everywhere=everywhere)
        await on.until(case_id, CaseState.CANCELLED)
    assert story(provider, key) == [f"payment {key}-a", f"refund {key}-a"]
