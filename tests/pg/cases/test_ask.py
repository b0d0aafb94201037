"""A workflow asks a person how to go on: an exception of its own kind, answered singly or for all of a group."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import Stage, stage
from tests.pg.undoing import open_exceptions, undoable

from interlock.cases.case import Case
from interlock.cases.resolve import Member, Way, resolve_exception, resolve_group
from interlock.cases.store import CaseState
from interlock.errors import ContractViolated, Refused
from interlock.money import Money
from interlock.oversight.exception import grouped
from interlock.oversight.store import LIST_EXCEPTION_GROUPS

FILE = "exceptions: [{kind: no-order, owner: sales@example.com, answer: refund-request@1}]"
ANSWER = {"customer": "Bea", "amount": "7.00", "days_since_purchase": 1}


async def asks(case: Case) -> str:
    """Ask twice, so that the second question is met again by a replay of the first answer."""
    amount = Money(case.input["amount"], "EUR")
    first = await case.ask(
        "no-order", f"nobody knows the order of {case.input['customer']}", exposure=amount, group="a"
    )
    again = await case.ask("no-order", "and now?", group=first.value["customer"])
    return f"{first.value['customer']} by {first.by}, because {first.why}; {again.value['amount']}"


async def undeclared(case: Case) -> str:
    """Ask for what the file has no contract of."""
    return (await case.ask("no-such-kind", "what now?")).by


async def answer(on: Stage, which: UUID, value: object, *, way: Way = Way.ANSWER) -> UUID:
    node = on.node
    return await resolve_exception(
        node.database, node.writer, node.tenant, which, way, who="rosa", why="I called", value=value,
        registry=node.registry,
    )  # fmt: skip


async def answer_all(on: Stage, fingerprint: UUID, value: object) -> tuple[Member, ...]:
    node = on.node
    return await resolve_group(
        node.database, node.writer, node.tenant, fingerprint, Way.ANSWER, who="rosa", why="all alike", value=value,
        registry=node.registry,
    )  # fmt: skip


async def test_a_case_that_asks_goes_on_with_the_answer_that_keeps_the_contract(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [undoable(asks, tmp_path, more=FILE)]) as on:
        case_id = await on.submit(key="one", amount="20.00")
        await on.until(case_id, CaseState.EXCEPTION)
        (one,) = await open_exceptions(on)
        assert (one.kind, one.owner, str(one.exposure)) == ("no-order", "sales@example.com", "20.00 EUR")
        assert (one.ordinal, one.what) == (0, "nobody knows the order of Ana")
        with pytest.raises(ContractViolated, match="the answer breaks refund-request@1"):
            await answer(on, one.id, {"customer": "Bea"})
        with pytest.raises(Refused, match="the answer is a JSON object"):
            await answer(on, one.id, 7)
        with pytest.raises(Refused, match="nothing failed, the workflow asks a person") as refused:
            await answer(on, one.id, None, way=Way.RETRY)
        assert "say answer" in refused.value.todo
        await answer(on, one.id, ANSWER)
        await on.until(case_id, CaseState.EXCEPTION)
        (two,) = [found for found in await open_exceptions(on) if found.id != one.id]
        assert two.fingerprint != one.fingerprint
        await answer(on, two.id, ANSWER)
        case = await on.until(case_id, CaseState.DONE)
        record = await on.record(case_id)
    assert case.conclusion == "Bea by rosa, because I called; 7.00"
    told = [entry.kind for entry in record.entries]
    assert told.count("exception.opened") == told.count("exception.resolved") == told.count("step.pending") == 2


async def test_all_of_a_group_are_answered_by_one_word_and_the_money_in_them_is_told(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [undoable(asks, tmp_path, more=FILE)]) as on:
        cases = [await on.submit(key=f"k{n}", amount=f"{n}.00", customer=f"C{n}x") for n in (1, 2, 3)]
        await asyncio.gather(*(on.until(case, CaseState.EXCEPTION) for case in cases))
        node = on.node
        async with node.database.tenant(node.tenant) as connection:
            (group,) = grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": 10}))
        assert (group.members, [str(money) for money in group.exposures]) == (3, ["6.00 EUR"])
        with pytest.raises(ContractViolated, match="the answer breaks"):
            await answer_all(on, group.fingerprint, {})
        members = await answer_all(on, group.fingerprint, ANSWER)
        assert [member.refused for member in members] == [None] * 3
        async with node.database.tenant(node.tenant) as connection:
            await asyncio.gather(*(on.until(case, CaseState.EXCEPTION) for case in cases))
            (second,) = grouped(await LIST_EXCEPTION_GROUPS.all(connection, {"most": 10}))
    assert second.fingerprint != group.fingerprint


async def test_an_asking_case_that_is_abandoned_ends_and_an_undeclared_question_is_an_error_in_the_code(
    database_url: str, tmp_path: Path
) -> None:
    flows = [undoable(asks, tmp_path, more=FILE), undoable(undeclared, tmp_path, more=FILE)]
    async with stage(database_url, flows) as on:
        asked, wrong = await on.submit("asks", key="a"), await on.submit("undeclared", key="b")
        await asyncio.gather(on.until(asked, CaseState.EXCEPTION), on.until(wrong, CaseState.EXCEPTION))
        found = {one.kind: one for one in await open_exceptions(on)}
        assert "declares no exception 'no-such-kind' with an answer" in found["workflow-misuse"].what
        await answer(on, found["no-order"].id, None, way=Way.ABANDON)
        assert (await on.until(asked, CaseState.CANCELLED)).cancel_by == "rosa"
