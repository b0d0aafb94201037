"""A worker is cut off at every commit of ending a case: each payment is taken back once, whatever was written.

The cut is a process that never learns what became of its write: the unit is written or not, and nothing follows. The
case is then a dead worker's, and the next one ends it from the records alone.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.stage import Stage, settings_for, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, undoable

from interlock.actions.action import ActionState
from interlock.cases.cancel import recall_case
from interlock.cases.case import Case
from interlock.cases.record import CaseRecord
from interlock.cases.registry import Registered, Registry
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.money import Money
from interlock.node import open_node
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


async def pays(case: Case) -> str:
    """Pay twice, and wait."""
    for name in ("a", "b"):
        await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")
    await case.wait("a day", span=timedelta(days=1))
    return "paid"


class CutOff(Writer):
    """The real writer; after so many units it cuts the process off: written, or just before that."""

    left = -1
    lose = False

    async def write(self, unit: Unit) -> Refusal | None:
        """Write, and then, once, never come back to the caller."""
        self.left -= 1
        if self.left >= 0:
            return await super().write(unit)
        if not self.lose:
            await super().write(unit)
        await asyncio.Event().wait()
        raise AssertionError


async def pays_and_ends(case: Case) -> str:
    """Pay twice."""
    for name in ("a", "b"):
        await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")
    return "paid"


async def ended(on: Stage, key: str, state: CaseState = CaseState.WAITING) -> CaseRecord:
    case_id = await on.submit(key=key)
    await on.until(case_id, state)
    return await on.record(case_id)


async def cut_off_after(
    units: int, url: str, flow: Registered, connectors: dict[str, Any], record: CaseRecord, *, lose: bool
) -> bool:
    """Let a worker end a case, and cut it off after so many units; whether it was."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(settings_for(url, connectors), registry=Registry([flow])))
        node.writer.__class__ = CutOff  # the same writer with its connection; only its answers are kept back
        assert isinstance(node.writer, CutOff)
        node.writer.left, node.writer.lose = units, lose
        on = Stage(node, stack=stack)
        await on.work()
        while node.writer.left >= 0:
            case = (await on.record(record.case.id)).case
            if case.state in (CaseState.CANCELLED, CaseState.EXCEPTION):
                return False
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # what had begun beside it ends
    return True


FAULTS: dict[str, FaultPlan] = {
    "good": FaultPlan(),
    "lost answers": FaultPlan(rules=(FaultRule(kind=FaultKind.DROP_AFTER, attempts=(1,), on=(Operation.REFUND,)),)),
    "refused": FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, attempts=(1,), on=(Operation.REFUND,)),)),
}


@pytest.mark.parametrize("lose", [False, True], ids=["written", "not written"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_worker_cut_off_at_any_commit_of_an_end_takes_everything_back_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, fault: str, *, lose: bool
) -> None:
    flow, connector = undoable(pays, tmp_path), refunding(provider.url)
    connectors = {connector.name: connector}
    for units in range(40):
        key = f"{fault.replace(' ', '-')}-{lose}-{units}"
        provider.set_faults(FaultPlan())
        async with stage(database_url, [flow], connectors=[connector]) as on:
            record = await ended(on, key)
            await on.workers[0].__aexit__()
            await cancel(on, record.case.id)
        provider.set_faults(FAULTS[fault])
        cut = await cut_off_after(units, database_url, flow, connectors, record, lose=lose)
        async with stage(database_url, [flow], connectors=[connector]) as on:
            while (await on.until(record.case.id)).state is CaseState.EXCEPTION:
                (one,) = [one for one in await open_exceptions(on) if one.case_id == record.case.id]
                assert (one.kind, one.priority) == ("undo-failed", 0)
                node = on.node
                await resolve_exception(
                    node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="again"
                )
                provider.set_faults(FaultPlan())
                await asyncio.sleep(0.01)
            record = await on.record(record.case.id)
        assert record.case.state is CaseState.CANCELLED
        assert story(provider, f"{key}-") == [
            f"payment {key}-a", f"payment {key}-b", f"refund {key}-b", f"refund {key}-a"
        ]  # fmt: skip
        assert [(action.name, action.state) for action in record.actions] == [
            ("pay", ActionState.UNDONE), ("pay", ActionState.UNDONE), ("refund", ActionState.DONE),
            ("refund", ActionState.DONE),
        ]  # fmt: skip
        kinds = [entry.kind for entry in record.entries]
        counted = [kinds.count(kind) for kind in ("action.intended", "action.undone", "case.cancelled")]
        assert counted == [4, 2, 1]
        if not cut:
            assert units >= (2 if fault == "refused" else 5)  # the commits of an end that nothing interrupts
            return
    raise AssertionError("it was cut off to the end")


@pytest.mark.parametrize("lose", [False, True], ids=["written", "not written"])
async def test_a_case_that_was_done_is_taken_back_once_wherever_its_worker_is_cut_off(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, *, lose: bool
) -> None:
    """Also where the word itself is cut off: said again, it is the same word."""
    flow, connector = undoable(pays_and_ends, tmp_path), refunding(provider.url)
    for units in range(1, 40, 2):
        key = f"done-{lose}-{units}"
        async with stage(database_url, [flow], connectors=[connector]) as on:
            record = await ended(on, key, CaseState.DONE)
            await on.workers[0].__aexit__()
            writer = on.node.writer
            writer.__class__ = CutOff
            assert isinstance(writer, CutOff)
            writer.left, writer.lose = 0, lose
            word = partial(recall_case, on.node.database, writer, on.node.tenant, record.case.id, who="rosa")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(word(why="wrong"), 0.1)
            writer.left = 100
            assert (await word(why="wrong, again")).new is lose
        cut = await cut_off_after(units, database_url, flow, {connector.name: connector}, record, lose=lose)
        async with stage(database_url, [flow], connectors=[connector]) as on:
            await on.until(record.case.id, CaseState.CANCELLED)
            record = await on.record(record.case.id)
        assert story(provider, f"{key}-") == [
            f"payment {key}-a", f"payment {key}-b", f"refund {key}-b", f"refund {key}-a"
        ]  # fmt: skip
        kinds = [entry.kind for entry in record.entries]
        told = ("case.done", "case.cancel_wanted", "action.intended", "action.undone", "case.cancelled")
        assert [kinds.count(kind) for kind in told] == [1, 1, 4, 2, 1]
        if not cut:
            return
    raise AssertionError("it was cut off to the end")
