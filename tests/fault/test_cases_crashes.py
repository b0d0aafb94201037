"""A worker is cut off at every one of its commits: the journal comes out the same, and no effect comes twice."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.pg.stage import Stage, declared, payments, settings_for, stage

from interlock.cases.case import Case
from interlock.cases.journal import StepState
from interlock.cases.record import CaseRecord
from interlock.cases.registry import Registered, Registry
from interlock.cases.store import CaseState
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import Fenced
from interlock.money import Money
from interlock.node import open_node
from interlock.sim import SimulatedProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


async def turns(number: int) -> int:
    """Let others go first, a while."""
    for _ in range(random.randrange(4)):
        await asyncio.sleep(0)
    return number


async def whole(case: Case) -> str:
    """A bit of everything."""
    await case.now()
    chosen = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    assert chosen.output["approved"]

    async def branch(number: int) -> Any:
        before = await case.step("turn", turns, number)
        paid = await case.act(
            "pay", {"to": case.input["customer"], "amount": Money("1.00", "EUR")}, key=f"{case.key}-{number}"
        )
        return [before, paid["id"], await case.random()]

    paid = await case.gather(branch(0), branch(1))
    await case.wait("a moment", span=timedelta(milliseconds=30))
    one = await case.first("seen", f"{case.key}-a", f"{case.key}-b")
    assert one == case.id
    return f"paid {len(paid)}"


class CutOff(Writer):
    """The real writer; after so many units of workers it cuts the process off: written, or just before that."""

    left = -1
    lose = False

    async def write(self, unit: Unit) -> Refusal | None:
        """Write, and then never come back to the caller."""
        if self.left < 0:
            return await super().write(unit)
        self.left -= 1
        if self.left >= 0:
            return await super().write(unit)
        self.left = 0
        if not self.lose:
            self.lose = True
            await super().write(unit)
        await asyncio.Event().wait()
        raise AssertionError


def shape(record: CaseRecord) -> list[tuple[str, int, str, str, str]]:
    """The journal without times, ids and chance."""
    return sorted((s.scope, s.ordinal, s.kind.value, s.name, s.state.value) for s in record.steps)


async def cut_off_after(
    units: int, on: Stage, flow: Registered, connectors: dict[str, Any], key: str, *, lose: bool
) -> tuple[CaseRecord, bool]:
    """Run a case whose first worker is cut off after so many commits; then another worker finishes it."""
    settings = settings_for(on.node.url, connectors)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_node(settings, registry=Registry([flow])))
        writer = first.writer
        writer.__class__ = CutOff  # the same writer with its connection; only its answers are kept back
        assert isinstance(writer, CutOff)
        case_id = await on.submit(key=key)
        writer.left, writer.lose = units, lose
        worker = await Stage(first, stack=stack).work()
        while (case := (await on.record(case_id)).case).state is not CaseState.DONE and writer.left != 0:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.005)
        cut = case.state is not CaseState.DONE
        if cut:
            await asyncio.sleep(0.05)  # what had begun beside it ends
        del worker
    await on.work()
    await on.until(case_id)
    return await on.record(case_id), cut


@pytest.mark.parametrize("lose", [False, True], ids=["written", "not written"])
async def test_a_worker_cut_off_at_any_commit_changes_nothing(
    database_url: str, tmp_path: Path, provider: SimulatedProvider, *, lose: bool
) -> None:
    flow = declared(whole, tmp_path)
    connector = payments(provider.url)
    async with stage(database_url, [flow], connectors=[connector], workers=0) as on:
        await on.work()
        case_id = await on.submit(key=f"whole-{lose}")
        await on.until(case_id)
        model = await on.record(case_id)
        assert model.case.conclusion == "paid 2", model.case.waiting_for
        commits = 0
        await on.workers[0].__aexit__()
        for units in range(40):
            key = f"cut-{lose}-{units}"
            record, cut = await cut_off_after(units, on, flow, {"payments": connector}, key, lose=lose)
            assert record.case.conclusion == "paid 2", record.case.waiting_for
            assert shape(record) == shape(model)
            assert len(record.decisions) == 1
            assert [len([e for e in provider.book() if e.key.endswith(f"/{key}-{n}")]) for n in (0, 1)] == [1, 1]
            await on.workers[-1].__aexit__()
            commits = units
            if not cut:
                break
        else:
            raise AssertionError("it never ran through")
        assert commits >= 14


async def paying(case: Case) -> str:
    """Hold still, then pay."""
    await case.step("hold", hold)
    await case.act("pay", {"to": "Ana", "amount": Money("1.00", "EUR")}, key=case.key)
    return "paid"


held = asyncio.Event()
go_on = asyncio.Event()


async def hold() -> None:
    """Hold the first one that comes, until it is let go."""
    if not held.is_set():
        held.set()
        await go_on.wait()


async def test_a_worker_that_lost_its_case_can_write_nothing(
    database_url: str, tmp_path: Path, provider: SimulatedProvider
) -> None:
    held.clear()
    go_on.clear()
    refused: list[str] = []
    real = Writer.write

    async def watched(self: Writer, unit: Unit) -> Refusal | None:
        refusal = await real(self, unit)
        refused.extend([refusal.code] if refusal else [])
        return refusal

    async with stage(database_url, [declared(paying, tmp_path)], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="lost")
        async with asyncio.timeout(10):
            await held.wait()
        with psycopg.connect(database_url, autocommit=True, options="-c search_path=interlock") as admin:
            admin.execute("update worker set lease_until = now() - interval '1 second'")
        await on.work()
        assert (await on.until(case_id)).conclusion == "paid"
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Writer, "write", watched)
            go_on.set()
            async with asyncio.timeout(10):
                while not refused:  # noqa: ASYNC110 - there is no event
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        record = await on.record(case_id)
    assert refused == ["fenced"]
    assert record.case.fence == 2
    assert [entry.kind for entry in record.entries].count("case.done") == 1
    assert len([e for e in provider.book() if e.key.endswith("/lost")]) == 1
    assert all(step.state is StepState.DONE for step in record.steps)
    assert Fenced.code == "fenced"
