"""A broken entry waits in the one quarantine, and joins its statement once it is mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.pg.stage import Stage, stage

from interlock.cases.registry import register
from interlock.cases.release import Release
from interlock.cases.repair import Cause, list_held, patching, repair
from interlock.db.database import Database
from interlock.errors import ContractViolated, StateConflict
from interlock.ledger.reconcile import reconcile
from interlock.packs.reconciliation import quarantined
from interlock.packs.reconciliation.entry import Side, Statement
from interlock.packs.reconciliation.identity import with_identity
from interlock.packs.reconciliation.in_force import recall_statement
from interlock.packs.reconciliation.intake import Intake
from interlock.packs.reconciliation.store import StatementRow
from interlock.packs.reconciliation.workflow import reconciliation

from .handed import ACCOUNT, FIRST, Line, amounts, hand_in, statement_of, statements

MENDED = {
    "account": ACCOUNT, "currency": "EUR", "minor": 1000, "booked_on": str(FIRST), "value_on": str(FIRST),
    "memo": "rent", "counterparty": "", "counterparty_account": "", "reference": "", "bank_reference": "", "code": "",
    "reverses": False,
}  # fmt: skip


@pytest.fixture
async def on(database_url: str) -> AsyncIterator[Stage]:
    async with stage(database_url, [register(reconciliation)], workers=0) as found:
        yield found


def intake_of(on: Stage) -> Intake:
    return Intake(on.node.database, on.node.tenant, "bank", "tests")


def release_of(on: Stage) -> Release:
    return Release(on.node.tools.decider, on.node.writer, on.node.registry, on.node.tenant, "me")


async def test_a_broken_entry_waits_and_its_statement_goes_on(on: Stage) -> None:
    await hand_in(intake_of(on), statement_of(Line(5), Line(1000), number="1", made=0, count=3, broken=1))
    assert await amounts(on.node.database, on.node.tenant) == [5, 1000]
    (held,) = await list_held(release_of(on), Cause(workflow="reconciliation"), most=10)
    assert (held.contract, held.point, held.state, held.data) == ("entry@1", "", "held", b"2026-03-02,1O.00,broken 1")
    assert [(one.where, one.rule, one.todo) for one in held.broken] == [("line 3", "amount", "write digits")]
    await release_of(on).mended(held, MENDED)
    # what the rows hold and what the ledger tells are the same
    assert (await reconcile(on.node.database, on.node.writer)).gaps == ()


async def test_a_mended_entry_joins_its_statement_which_is_then_in_force(on: Stage) -> None:
    database, letting = on.node.database, release_of(on)
    given = statement_of(Line(5), Line(1000), number="1", made=0, opening=0, closing=2005, broken=1)
    (row,) = (await hand_in(intake_of(on), given)).statements
    assert (row.state, row.broken, await amounts(database, on.node.tenant)) == ("held", 1, [])
    (held,) = await list_held(letting, Cause(), most=10)
    for wrong, said in (
        ({"minor": "10.00"}, "minor"),
        ({"currency": "JPY"}, "currency"),
        ({"account": "1"}, "account"),
    ):
        with pytest.raises(ContractViolated) as raised:
            await letting.mended(held, MENDED | wrong)
        assert said in str(raised.value)
    released = await letting.mended(held, MENDED)
    assert (released.case, released.decision) == (None, None)
    # an entry that equals another one of its statement is one more
    assert await amounts(database, on.node.tenant) == [5, 1000, 1000]
    (row,) = await statements(database, on.node.tenant)
    assert (row.state, row.entries, row.broken, row.credit_minor) == ("in_force", 3, 0, 2005)
    assert b"balance" not in row.findings
    with pytest.raises(StateConflict):
        await letting.mended(held, MENDED)
    # the same statement without the fault states what is there
    await hand_in(intake_of(on), statement_of(Line(5), Line(1000), Line(1000), number="1", made=1))
    assert await amounts(database, on.node.tenant) == [5, 1000, 1000]


async def test_a_mended_entry_is_as_a_reader_would_have_it(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    in_loop: list[int] = []

    def identified(statement: Statement, side: Side) -> Any:
        if threading.current_thread() is threading.main_thread():
            in_loop.append(statement.entries.height)
        return with_identity(statement, side)

    monkeypatch.setattr(quarantined, "with_identity", identified)
    await hand_in(intake_of(on), statement_of(Line(5), number="1", made=0, broken=1))
    (held,) = await list_held(release_of(on), Cause(), most=10)
    with pytest.raises(ContractViolated, match="moves no money"):
        await release_of(on).mended(held, MENDED | {"minor": 0})
    await release_of(on).mended(held, MENDED | {"memo": " rent\n\tmarch "})
    await hand_in(intake_of(on), statement_of(Line(5), Line(1000, "rent march"), number="2", made=1))
    assert await amounts(on.node.database, on.node.tenant) == [5, 1000]
    assert in_loop == [1]  # of all the others it looks only at such as can be equal, however large the statement is


async def test_what_comes_broken_again_waits_once_and_stays_mended(on: Stage) -> None:
    database, letting = on.node.database, release_of(on)
    for made in range(3):
        await hand_in(intake_of(on), statement_of(Line(5), number="1", made=made, broken=1))
    (held,) = await list_held(letting, Cause(), most=10)
    await letting.mended(held, MENDED)
    assert await amounts(database, on.node.tenant) == [5, 1000]
    # told again later, with an entry that equals the mended one, and in another file
    again = statement_of(Line(5), Line(1000), number="1", made=9, opening=0, closing=2005, broken=1)
    for given in ((again,), (again, statement_of(Line(77), account="2"))):
        await hand_in(intake_of(on), *given)
    assert await amounts(database, on.node.tenant) == [5, 77, 1000, 1000]
    assert [one.state for one in await list_held(letting, Cause(), most=10) if one.state == "held"] == []
    latest = await recalled_latest(on)
    assert (latest.broken, latest.entries) == (0, 3)
    assert (await reconcile(database, on.node.writer)).gaps == ()


async def recalled_latest(on: Stage) -> StatementRow:
    """The statement that was made last, once it is recalled: what was before is in force, mended as well."""
    rows = await statements(on.node.database, on.node.tenant)
    latest = [one for one in rows if one.number == "1" and one.state == "in_force"]
    for one in latest:
        await recall_statement(on.node.database, on.node.tenant, one.id, who="me", why="x")
    assert await amounts(on.node.database, on.node.tenant) == [5, 77, 1000]
    return latest[0]


async def test_two_at_once_mend_an_entry_once(on: Stage) -> None:
    await hand_in(intake_of(on), statement_of(Line(5), broken=2))
    letting = release_of(on)
    done = await repair(letting, Cause(), patching([]), most=10, carry_out=True)
    assert (done.looked_at, done.fit, len(done.failed)) == (2, 0, 2)  # no JSON: each is written anew
    first, second = await list_held(letting, Cause(), most=10)
    results = await gathered(
        letting.mended(first, MENDED), letting.mended(first, MENDED), letting.mended(second, MENDED)
    )
    assert sorted(results) == ["Released", "Released", "StateConflict"]
    assert await amounts(on.node.database, on.node.tenant) == [5, 1000, 1000]


async def test_what_is_discarded_or_recalled_does_not_join(on: Stage, database: Database) -> None:
    taken = await hand_in(intake_of(on), statement_of(Line(5), broken=2))
    letting = release_of(on)
    first, second = await list_held(letting, Cause(), most=10)
    await letting.discard(first, "a line of dashes")
    with pytest.raises(StateConflict):
        await letting.mended(await letting.find(first.id), MENDED)
    await recall_statement(database, on.node.tenant, taken.statements[0].id, who="me", why="wrong company")
    with pytest.raises(StateConflict, match="recalled"):
        await letting.mended(second, MENDED)
    assert await amounts(database, on.node.tenant) == []


async def gathered(*work: Any) -> list[str]:
    """What each gave or raised, by its type."""
    return [type(one).__name__ for one in await asyncio.gather(*work, return_exceptions=True)]
