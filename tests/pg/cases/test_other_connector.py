"""The file in force names another connector than an action on record: it stays with the system that it was sent to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, declared, payments, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, undoable

from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.connector_settings import ConnectorSettings
from interlock.guards.stops import stop
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

TURNED_AWAY = FaultPlan(rules=(FaultRule(kind=FaultKind.RATE_LIMIT, retry_after=2, attempts=(1,)),))


async def pays(case: Case) -> str:
    """Pay ten euros."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    return "paid"


async def pays_and_waits(case: Case) -> str:
    """Pay ten euros, and wait for a person."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    await case.review("go on", {}, why="to wait here")
    return "paid"


@pytest.fixture
def first(tmp_path: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path / "first", keys_optional=True) as provider:
        yield provider


@pytest.fixture
def second(tmp_path: Path) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path / "second", keys_optional=True) as provider:
        yield provider


def bank(settings: ConnectorSettings) -> ConnectorSettings:
    return msgspec.structs.replace(settings, name="bank")


async def stop_connector(on: Stage, name: str) -> None:
    node = on.node
    await stop(node.database, node.writer, node.tenant, scope=f"connector:{name}", who="rosa", why="audit")


async def held_by(on: Stage, case_id: UUID, connector: str) -> None:
    """Wait until a case says that it waits for the stop of a connector."""
    told = ""
    for _ in range(500):
        told = (await on.until(case_id, CaseState.WAITING)).waiting_for or ""
        if f"connector:{connector}" in told:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the case waits for {told}")


async def test_a_doubt_is_settled_at_the_system_that_it_was_sent_to(
    database_url: str, tmp_path: Path, first: SimulatedProvider, second: SimulatedProvider
) -> None:
    """Paid at the first one, the answer lost; then the file names another one, which knows of nothing."""
    first.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER),)))
    blind = payments(first.url, honours_keys=False, can_look_up=False, max_request_life=timedelta(seconds=2))
    async with stage(database_url, [declared(pays, tmp_path, timeout="300ms")], connectors=[blind]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
    seeing = bank(payments(second.url, honours_keys=False, key_retention=timedelta(0)))
    flow = declared(pays, tmp_path, timeout="300ms", connector="bank")
    async with stage(database_url, [flow], connectors=[blind, seeing]) as on:
        case = await on.until(case_id)
    assert (case.state, (case.waiting_for or "").partition(":")[0]) == (CaseState.EXCEPTION, "action-in-doubt")
    assert [len(provider.book()) for provider in (first, second)] == [1, 0]


@pytest.mark.parametrize(("stopped", "paid"), [("bank", True), ("payments", False)])
async def test_what_is_on_record_is_held_by_a_stop_of_its_own_connector(
    database_url: str, tmp_path: Path, first: SimulatedProvider, second: SimulatedProvider, stopped: str, *, paid: bool
) -> None:
    first.set_faults(TURNED_AWAY)
    async with stage(database_url, [declared(pays, tmp_path)], connectors=[payments(first.url)]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
    flow = declared(pays, tmp_path, connector="bank")
    connectors = [payments(first.url), bank(payments(second.url))]
    async with stage(database_url, [flow], connectors=connectors, workers=0) as on:
        await stop_connector(on, stopped)
        await on.work()
        if paid:
            assert (await on.until(case_id)).conclusion == "paid"
        else:
            await held_by(on, case_id, stopped)
    assert [len(provider.book()) for provider in (first, second)] == [int(paid), 0]


async def test_without_its_connector_what_is_on_record_waits_for_a_person_and_goes_on_there(
    database_url: str, tmp_path: Path, first: SimulatedProvider, second: SimulatedProvider
) -> None:
    first.set_faults(TURNED_AWAY)
    async with stage(database_url, [declared(pays, tmp_path)], connectors=[payments(first.url)]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
    flow = declared(pays, tmp_path, connector="bank")
    async with stage(database_url, [flow], connectors=[bank(payments(second.url))]) as on:
        case = await on.until(case_id)
        assert case.waiting_for == "connector-missing: the settings have no connector 'payments', which pay needs"
        (one,) = await open_exceptions(on)
        assert one.action == (await on.record(case_id)).actions[0].id
    async with stage(database_url, [flow], connectors=[payments(first.url), bank(payments(second.url))]) as on:
        node = on.node
        await resolve_exception(
            node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="it is back"
        )
        assert (await on.until(case_id)).conclusion == "paid"
    assert [len(provider.book()) for provider in (first, second)] == [1, 0]


async def test_what_is_under_way_when_its_case_is_cancelled_is_settled_where_it_was_sent(
    database_url: str, tmp_path: Path, first: SimulatedProvider, second: SimulatedProvider
) -> None:
    """Paid at the first one, which cannot be reached for the answer; cancelled once the file names another one."""
    first.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER),)))
    blind = payments(first.url, honours_keys=False, can_look_up=False, max_request_life=timedelta(seconds=2))
    flow = declared(pays, tmp_path, timeout="300ms")
    async with stage(database_url, [flow], connectors=[blind]) as on:
        case_id = await on.submit()
        await on.until(case_id, CaseState.WAITING)
    seeing = bank(payments(second.url, honours_keys=False, key_retention=timedelta(0)))
    flow = declared(pays, tmp_path, timeout="300ms", connector="bank")
    async with stage(database_url, [flow], connectors=[blind, seeing], workers=0) as on:
        await cancel(on, case_id)
        await on.work()
        case = await on.until(case_id)
    assert (case.state, (case.waiting_for or "").partition(":")[0]) == (CaseState.EXCEPTION, "action-in-doubt")
    assert [len(provider.book()) for provider in (first, second)] == [1, 0]


@pytest.mark.parametrize("undo_connector", ["bank", "payments"])
async def test_what_was_done_is_taken_back_where_it_was_done(
    database_url: str, tmp_path: Path, first: SimulatedProvider, second: SimulatedProvider, undo_connector: str
) -> None:
    async with stage(database_url, [undoable(pays_and_waits, tmp_path)], connectors=[refunding(first.url)]) as on:
        case_id = await on.submit()
        await on.wait_for_reviews()
    flow = undoable(pays_and_waits, tmp_path, connector="bank", undo_connector=undo_connector)
    connectors = [refunding(first.url), bank(refunding(second.url))]
    async with stage(database_url, [flow], connectors=connectors) as on:
        await cancel(on, case_id)
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.state, [one.connector for one in record.actions]) == (CaseState.CANCELLED, ["payments", "payments"])
    assert (len(story(first, "k")), second.book()) == (2, ())


async def test_a_file_may_name_another_connector_for_the_undo(
    database_url: str, tmp_path: Path, first: SimulatedProvider
) -> None:
    """As where one connector pays and another one of the same system refunds."""
    flow = undoable(pays_and_waits, tmp_path, undo_connector="bank")
    async with stage(database_url, [flow], connectors=[refunding(first.url), bank(refunding(first.url))]) as on:
        case_id = await on.submit()
        await on.wait_for_reviews()
        await cancel(on, case_id)
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.state, [one.connector for one in record.actions]) == (CaseState.CANCELLED, ["payments", "bank"])
    assert len(story(first, "k")) == 2
