"""A recall takes back all that was decided before it, and keeps nothing waiting that can go on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.recalling import FILE, RULES, ask, body, carry, members, start
from tests.pg.stage import DOSSIER, REFUNDS, Stage, stage

from interlock.cases.case import Case
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.cases.workflow import Body, workflow
from interlock.errors import (
    ComponentFailed,
    ContractViolated,
    FeatureUnusable,
    InterlockError,
    KeyReused,
    LimitReached,
    Refused,
    StateConflict,
    WorkFailed,
)
from interlock.recall import duty
from interlock.recall.anew import CONTINUED, is_final
from interlock.recall.carry import Turn, carry_on
from interlock.recall.record import MemberState, RecallState
from interlock.recall.selector import Selector


def flow(folder: Path, name: str = "shop", does: Body = body) -> Registered:
    """The shop's workflow under another name, or with another body."""
    file = folder / f"{name}.workflow.yaml"
    text = FILE.format(dossier=DOSSIER, more="", components=f"{RULES}, person")
    file.write_text(text.replace("workflow: shop", f"workflow: {name}"))
    return register(workflow(name, version="1.0.0", file=file)(does), (REFUNDS,))


async def turns(on: Stage, recall: UUID, many: int) -> Turn:
    """So many turns; what the last one did."""
    node = on.node
    for _ in range(many - 1):
        await carry_on(node.database, node.recall_means, node.tenant, recall)
    return await carry_on(node.database, node.recall_means, node.tenant, recall)


async def is_anew(on: Stage, recall: UUID, member: UUID) -> bool:
    """Whether it is decided anew by now."""
    held = (await members(on, recall)).get(member)
    return held is not None and held.state is MemberState.ANEW


async def test_what_was_in_a_commit_when_gathering_came_by_is_recalled_and_looked_for_once(
    database_url: str, tmp_path: Path
) -> None:
    async with stage(database_url, [flow(tmp_path)], workers=0) as on:
        late, other = await ask(on, "late", "2000.00"), await ask(on, "other", "2000.00")
        options = "-c search_path=interlock"
        with psycopg.connect(database_url, autocommit=True, options=options) as slow:
            slow.execute("create temp table held as select * from decision where id = %s", (late.id,))
            slow.execute("delete from decision where id = %s", (late.id,))
            with slow.transaction():
                slow.execute("insert into decision select * from held")
                recall = await start(on, Selector(component=RULES))
                assert await turns(on, recall, 8) == Turn(RecallState.RUNNING, moved=False)
                assert set(await members(on, recall)) == {other.id}
        done = await carry(on, recall)
        assert (done.state, done.decisions, set(await members(on, recall))) == (
            RecallState.DONE, 2, {late.id, other.id}
        )  # fmt: skip


async def test_what_cannot_go_on_here_keeps_nothing_behind_it_waiting_and_goes_on_elsewhere(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.recall.carry.AT_A_TIME", 1)
    async with stage(database_url, [flow(tmp_path), flow(tmp_path, "zoo")], workers=0) as on:
        first = [await ask(on, f"k{number}", "2000.00") for number in range(2)]
        behind = await ask(on, "behind", "2000.00", point="zoo.approve")
        recall = await start(on, Selector(component=RULES), anew=True)
        async with stage(database_url, [flow(tmp_path, "zoo")], workers=0) as elsewhere:
            async with asyncio.timeout(10):
                while not await is_anew(on, recall, behind.id):
                    await turns(elsewhere, recall, 1)
            assert (await turns(elsewhere, recall, 12)).state is RecallState.RUNNING
        held = await members(on, recall)
        for one in first:
            assert (held[one.id].state, held[one.id].why) == (
                MemberState.ENDED, "no process that carries shop has come by"
            )  # fmt: skip
        await carry(on, recall)
        assert {one.state for one in (await members(on, recall)).values()} == {MemberState.ANEW}


@pytest.mark.parametrize(
    ("cause", "final"),
    [
        (Refused("the input is too large"), True),
        (ContractViolated("no", ()), True),
        (KeyReused("taken", holder="x"), True),
        (LimitReached("the budget of the day is spent"), False),
        (StateConflict("somebody was faster"), False),
        (FeatureUnusable("late", ()), False),
        (ComponentFailed("no answer"), False),
        (WorkFailed("no room"), False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_only_what_would_be_refused_again_is_left_for_good(cause: InterlockError, *, final: bool) -> None:
    assert is_final(cause) is final


async def in_parts(case: Case) -> str:
    """Decides a request in parts, a run each."""
    await case.decide("approve", case.input)
    left = case.input["days_since_purchase"]
    if left > 1:
        await case.continue_as({**case.input, "days_since_purchase": left - 1})
    return "done"


async def test_a_case_whose_first_input_is_gone_is_taken_back_and_left(database_url: str, tmp_path: Path) -> None:
    async with stage(database_url, [flow(tmp_path, does=in_parts)]) as on:
        case_id = await on.submit(key="parts")
        await on.until(case_id, CaseState.DONE)
        recall = await carry(on, await start(on, Selector(component=RULES), anew=True))
        held = (await members(on, recall.id))[case_id]
        assert (held.state, held.why) == (MemberState.LEFT, CONTINUED)
        assert (await on.record(case_id)).case.state is CaseState.CANCELLED


async def test_a_process_keeps_a_recall_to_itself_however_long_its_turn_takes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(database_url, [flow(tmp_path)], workers=0) as on:
        recall, node = await start(on, Selector(component=RULES)), on.node

        async def slow(*_: object) -> Turn:
            async with asyncio.timeout(5):
                begun = await until()
                while await until() == begun:  # noqa: ASYNC110 - it is renewed beside this
                    await asyncio.sleep(0.01)
            assert await duty.turn_alone(node.database, node.recall_means, node.tenant, recall) is None
            return Turn(RecallState.RUNNING, moved=True)

        async def until() -> object:
            async with node.database.tenant(node.tenant) as connection:
                found = await connection.execute("select held_until from recall")
                return await found.fetchone()

        monkeypatch.setattr(duty, "RENEW_S", 0.02)
        with monkeypatch.context() as patch:
            patch.setattr(duty, "carry_on", slow)
            assert await duty.turn_alone(node.database, node.recall_means, node.tenant, recall)
        assert await duty.turn_alone(node.database, node.recall_means, node.tenant, recall)  # it was let go
