"""A recall is cut off at every commit: what rests on it is taken back once and decided anew once, whatever was written.

The cut is a process that never learns what became of its write; the next one goes on from the rows.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.recalling import RULES, carry, members, shop, start
from tests.pg.stage import Stage, stage
from tests.pg.undoing import refunding, took_effect

from interlock.cases.store import CaseState
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.recall.carry import carry_on
from interlock.recall.record import MemberState, RecallState
from interlock.recall.selector import Selector
from interlock.recall.store import ADD_MEMBERS, MOVE_MEMBERS
from interlock.sim import FaultPlan, SimulatedProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        provider.set_faults(FaultPlan())
        yield provider


CARRYING: ContextVar[bool] = ContextVar("carrying", default=False)


class CutOff(Exception):
    """The process is no more."""


class Cutting:
    """Cuts the process off at one of its writes, as it comes to it: written, or just before.

    Args:
        left: How many writes it lives for.
        lose: Whether the last one is not written.
    """

    def __init__(self, left: int, *, lose: bool) -> None:
        self.left = left
        self.lose = lose

    async def through(self, write: Any) -> Any:
        """Write, unless the process is cut off; workers, in processes of their own, are not."""
        if not CARRYING.get():
            return await write()
        self.left -= 1
        if self.left > 0:
            return await write()
        if self.left == 0 and not self.lose:
            await write()
        raise CutOff


async def cut_off(on: Stage, recall: Any, cutting: Cutting, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Carry a recall out until it is cut off; whether it was."""
    node, real = on.node, on.node.writer
    CARRYING.set(True)

    class CutWriter(Writer):
        async def write(self, unit: Unit) -> Refusal | None:
            return await cutting.through(lambda: Writer.write(self, unit))

    with monkeypatch.context() as patch:
        patch.setattr(real, "__class__", CutWriter)
        for statement in (ADD_MEMBERS, MOVE_MEMBERS):
            plain = statement.run

            async def run(connection: Any, rows: Any, plain: Any = plain) -> int:
                return await cutting.through(lambda: plain(connection, rows))

            patch.setattr(statement, "run", run)
        while True:
            try:
                turn = await carry_on(node.database, node.recall_means, node.tenant, recall)
            except CutOff:
                return True
            if turn.state is not RecallState.RUNNING:
                return False
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("lose", [False, True], ids=["written", "not written"])
async def test_a_recall_cut_off_at_any_commit_takes_back_and_decides_anew_once(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch, *, lose: bool
) -> None:
    async with stage(database_url, [shop(tmp_path)], connectors=[refunding(provider.url)]) as on:
        for number in range(1, 40):
            key = f"cut-{lose}-{number}"
            case_id = await on.submit(key=key)
            case = await on.until(case_id, CaseState.DONE)
            selector = Selector(component=RULES, since=case.created_at)
            recall = await start(on, selector, why=f"wrong {number}", anew=True)
            cut = await cut_off(on, recall, Cutting(number, lose=lose), monkeypatch)
            done = await carry(on, recall)
            assert done.state is RecallState.DONE
            (member,) = (await members(on, recall)).values()
            assert (member.member, member.state) == (case_id, MemberState.ANEW)
            assert member.anew
            await on.until(member.anew, CaseState.DONE)
            entries = [str(entry.kind) for entry in took_effect(provider, f"{key}/")]
            assert (entries.count("payment"), entries.count("refund")) == (2, 1)
            if not cut:
                assert number > 5  # members, the end of the case, where it is, anew, where that is, the end
                return
    raise AssertionError("it was cut off to the end")
