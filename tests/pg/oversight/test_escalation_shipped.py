"""Escalation on the path that ships: a provider refuses payments, the workflow stops by itself, nothing goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import DOSSIER, Stage, declared, payments, settings_for, stage

from interlock import node as nodes
from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.cases.store import CaseState
from interlock.guards.stop_gate import Stop
from interlock.guards.stops import list_stops, resume
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

RULE = 'escalation: [{when: "failed actions >= 2 in 15m", do: stop}]\n'


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


async def pay(case: Case) -> str:
    """Pay what is asked for."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"


async def until_stopped(on: Stage) -> Stop:
    async with asyncio.timeout(20):
        while not (found := await list_stops(on.node.database, on.node.tenant)):  # noqa: ASYNC110 - the database does not tell
            await asyncio.sleep(0.02)
    return found[0]


async def test_a_workflow_whose_actions_fail_stops_by_itself_and_goes_on_when_a_person_resumes_it(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "ESCALATION_UPKEEP_S", 0.05)
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, key="*bad*", detail="account closed"),)))
    flow = declared(pay, tmp_path, dossier=DOSSIER + RULE)
    async with (
        stage(database_url, [flow], connectors=[payments(provider.url)]) as on,
        nodes.open_node(settings_for(database_url), registry=Registry([flow])),  # it measures, too
    ):
        assert (await on.until(await on.submit(key="good-1"))).state is CaseState.DONE
        assert (await on.until(await on.submit(key="bad-1"))).state is CaseState.EXCEPTION
        await asyncio.sleep(0.3)
        assert await list_stops(on.node.database, on.node.tenant) == []
        assert (await on.until(await on.submit(key="bad-2"))).state is CaseState.EXCEPTION
        stop = await until_stopped(on)
        assert (stop.scope, stop.who) == ("workflow:pay", "interlock")
        assert stop.why == "pay has failed actions >= 2 in 15m in its file, and it was 2"
        held = await on.until(waiting := await on.submit(key="good-2"), CaseState.WAITING)
        assert held.waiting_for is not None
        assert stop.why in held.waiting_for
        await resume(on.node.writer, on.node.tenant, stop.id, who="rosa", why="two accounts were closed; it is right")
        assert (await on.until(waiting)).state is CaseState.DONE
        await asyncio.sleep(0.3)
        assert await list_stops(on.node.database, on.node.tenant) == []  # whoever resumed is not stopped again
    assert sum("good-2" in entry.key for entry in provider.book()) == 1


async def test_what_cannot_be_measured_now_is_measured_later(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    admin: psycopg.Connection[tuple[Any, ...]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(nodes, "ESCALATION_UPKEEP_S", 0.05)
    flow = declared(pay, tmp_path, dossier=DOSSIER + RULE.replace("failed actions >= 2 in 15m", "open exceptions >= 1"))
    admin.execute("alter function measured(json) rename to measured_once")
    async with stage(database_url, [flow]) as on:
        assert (await on.until(await on.submit(key="no-connector"))).state is CaseState.EXCEPTION
        async with asyncio.timeout(20):
            while "tolerances have to wait" not in caplog.text:  # noqa: ASYNC110 - a log does not tell
                await asyncio.sleep(0.02)
        admin.execute("alter function measured_once(json) rename to measured")
        assert (await until_stopped(on)).why == "pay has open exceptions >= 1 in its file, and it was 1"
