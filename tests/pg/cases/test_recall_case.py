"""A case that is done is recalled: what it did is taken back once, by whatever worker carries its workflow."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, stage
from tests.pg.undoing import cancel, open_exceptions, refunding, story, undoable

from interlock.cases.cancel import Cancelling, recall_case
from interlock.cases.case import Case
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import STRANDED_CASES, CaseState
from interlock.errors import NotFound, Refused, StateConflict
from interlock.ledger.facts import FACTS_THAT_DIFFER
from interlock.ledger.reconcile import LAST, NIL, reconcile
from interlock.money import Money
from interlock.sim import FaultKind, FaultPlan, FaultRule, Operation, SimulatedProvider


async def pays(case: Case) -> str:
    """Pay twice, and say something that cannot be unsaid."""
    for name in ("a", "b"):
        await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-{name}")
    await case.act("tell", {"to": "Ana"}, key=f"{case.key}-told")
    return "paid"


async def waits(case: Case) -> str:
    """Pay, and wait."""
    await case.act("pay", {"to": "Ana", "amount": Money("10.00", "EUR")}, key=f"{case.key}-a")
    await case.wait("a day", span=timedelta(days=1))
    return "paid"


async def recall(on: Stage, case_id: UUID, *, why: str = "the scorer was wrong", of: UUID | None = None) -> Cancelling:
    node = on.node
    return await recall_case(node.database, node.writer, node.tenant, case_id, who="rosa", why=why, recall=of)


async def test_a_done_case_is_taken_back_the_latest_first_and_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id, of = await on.submit(key="done"), uuid4()
        await on.until(case_id, CaseState.DONE)
        before = await on.record(case_id)
        with pytest.raises(StateConflict, match="take-back") as ended:
            await cancel(on, case_id)
        assert "it is done: paid" in str(ended.value)
        said = await asyncio.gather(*(recall(on, case_id, of=of) for _ in range(3)))
        assert sorted(one.new for one in said) == [False, False, True]
        case = await on.until(case_id, CaseState.CANCELLED)
        assert (await recall(on, case_id, why="again")).why == "the scorer was wrong"
        record = await on.record(case_id)
        gaps = await differing(on)
    refunds = ["payment done-a", "payment done-b", "payment done-told", "refund done-b", "refund done-a"]
    assert story(provider, "done-") == refunds
    assert case.waiting_for == (
        "cancelled by rosa: the scorer was wrong; taken back: pay, pay; tell stays as it is: what was said is said"
    )
    assert record.steps == before.steps
    assert record.decisions == before.decisions
    kinds = [entry.kind for entry in record.entries]
    assert [kinds.count(one) for one in ("case.done", "case.cancel_wanted", "case.cancelled")] == [1, 1, 1]
    (wanted,) = (entry for entry in record.entries if entry.kind == "case.cancel_wanted")
    assert of.hex in wanted.body.decode().replace("-", "")
    assert not gaps


async def differing(on: Stage) -> list[object]:
    """What ledger and tables say differently."""
    found = (await reconcile(on.node.database, on.node.writer)).gaps
    async with on.node.database.tenant(on.node.tenant) as connection:
        asked = {"after": NIL, "until": LAST}
        return [*found, *await FACTS_THAT_DIFFER.all(connection, asked)]


async def test_a_waiting_case_is_recalled_as_it_is_cancelled(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(waits, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="waits")
        await on.until(case_id, CaseState.WAITING)
        assert (await recall(on, case_id)).new
        assert not (await cancel(on, case_id)).new
        await on.until(case_id, CaseState.CANCELLED)
        with pytest.raises(Refused, match="a reason is needed"):
            await recall(on, case_id, why=" ")
        with pytest.raises(NotFound):
            await recall(on, uuid4())
    assert story(provider, "waits-") == ["payment waits-a", "refund waits-a"]


async def test_a_case_ends_wherever_its_workflow_is_carried_whatever_code_it_was_done_by(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """Its own code is carried nowhere any more, and of it nothing has to run."""
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="old")
        await on.until(case_id, CaseState.DONE)

    async def changed(case: Case) -> str:
        raise AssertionError(case.key)

    later = undoable(changed, tmp_path, name="pays", version="2.0.0")
    other = undoable(waits, tmp_path)
    connectors = [refunding(provider.url)]
    async with stage(database_url, [other], connectors=connectors) as on:
        await recall(on, case_id)
        await asyncio.sleep(0.15)
        record = await on.record(case_id)
        assert (record.case.state, record.carried) == (CaseState.READY, False)
        async with on.node.database.installation() as connection:
            assert [(one.workflow, one.cases) for one in await STRANDED_CASES.all(connection)] == [("pays", 1)]
    async with stage(database_url, [later], connectors=connectors) as on:
        await on.until(case_id, CaseState.CANCELLED)
        async with on.node.database.installation() as connection:
            assert not await STRANDED_CASES.all(connection)
    refunds = ["payment old-a", "payment old-b", "payment old-told", "refund old-b", "refund old-a"]
    assert story(provider, "old-") == refunds


async def test_what_cannot_be_taken_back_is_for_a_person_and_goes_on_with_their_word(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    """A recalled case whose undo cannot be done is an exception of the highest priority, as with any end."""
    provider.set_faults(FaultPlan(rules=(FaultRule(kind=FaultKind.REJECT, on=(Operation.REFUND,)),)))
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="refused")
        await on.until(case_id, CaseState.DONE)
        await recall(on, case_id)
        await on.until(case_id, CaseState.EXCEPTION)
        (one,) = await open_exceptions(on)
        assert (one.kind, one.priority) == ("undo-failed", 0)
        assert not (await recall(on, case_id)).new
        provider.set_faults(FaultPlan())
        node = on.node
        await resolve_exception(node.database, node.writer, node.tenant, one.id, Way.RETRY, who="rosa", why="again")
        await on.until(case_id, CaseState.CANCELLED)


async def test_nobody_recalls_the_case_of_another_tenant(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [undoable(pays, tmp_path)], connectors=[refunding(provider.url)]) as on:
        case_id = await on.submit(key="theirs")
        await on.until(case_id, CaseState.DONE)
        with pytest.raises(NotFound):
            await recall_case(on.node.database, on.node.writer, uuid4(), case_id, who="eve", why="mine")
        assert (await on.record(case_id)).case.cancel_at is None
