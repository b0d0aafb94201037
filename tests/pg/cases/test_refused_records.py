"""A record that is refused for a reason that nobody foresaw is told to a person; the case is not left as if it ran."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.connectors.till import Admin
from tests.pg.stage import Stage, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, undoable

from interlock.actions import action as action_rules
from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.money import Money
from interlock.oversight.exception import CaseException
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


async def pay(case: Case) -> str:
    """Pay ten euros."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=case.key)
    return "paid"


async def change_behind(admin: Admin, name: str) -> None:
    """Have somebody change the row of the action that is under way, as no part of Interlock does."""
    async with asyncio.timeout(10):
        change = "update action set state = 'in_doubt' where state = 'dispatching' and name = %s returning id"
        while not admin.execute(change, (name,)).fetchall():  # noqa: ASYNC110 - the table has no event for tests
            await asyncio.sleep(0.01)


async def retry(on: Stage, one: CaseException) -> None:
    node = on.node
    await resolve_exception(node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="seen")


@pytest.mark.parametrize("on_failure", ["exception", "undo"])
@pytest.mark.parametrize("answer", [None, FaultKind.DROP_AFTER])
async def test_a_record_that_does_not_fit_what_is_on_record_makes_an_exception(
    database_url: str,
    tmp_path: Path,
    admin: Admin,
    monkeypatch: pytest.MonkeyPatch,
    answer: FaultKind | None,
    on_failure: str,
) -> None:
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    slow = FaultRule(kind=FaultKind.SLOW, seconds=1, attempts=(1,))
    plan = FaultPlan(rules=(slow, *([FaultRule(kind=answer, attempts=(1,))] if answer else [])))
    flow = undoable(pay, tmp_path, more="on_failure: undo" if on_failure == "undo" else "")
    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
            case_id = await on.submit()
            await change_behind(admin, "pay")
            case = await on.until(case_id)
            assert (case.state, case.worker) == (CaseState.EXCEPTION, None)
            (one,) = await open_exceptions(on)
            assert one.kind == "record-refused"
            assert "a record was refused (state): action" in one.what
            await retry(on, one)
            assert (await on.until(case_id)).conclusion == "paid"
        assert story(provider, "k") == ["payment k"]


async def test_so_it_is_while_a_case_is_being_cancelled(
    database_url: str, tmp_path: Path, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    plan = FaultPlan(rules=(FaultRule(kind=FaultKind.SLOW, on=(Operation.REFUND,), seconds=1, attempts=(1,)),))

    async def waits(case: Case) -> str:
        await pay(case)
        await case.wait("a day", span=timedelta(days=1))
        return "over"

    with SimulatedProvider(tmp_path / "book", faults=plan) as provider:
        flow = undoable(waits, tmp_path, name="waits")
        async with stage(database_url, [flow], connectors=[refunding(provider.url)]) as on:
            case_id = await on.submit()
            await on.until(case_id, CaseState.WAITING)
            await cancel(on, case_id)
            await change_behind(admin, "refund")
            case = await on.until(case_id)
            assert case.state is CaseState.EXCEPTION
            (one,) = await open_exceptions(on)
            assert one.kind == "record-refused"
            await retry(on, one)
            assert (await on.until(case_id)).state is CaseState.CANCELLED
        assert story(provider, "k") == ["payment k", "refund k"]
