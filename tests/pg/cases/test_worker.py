"""A worker stops when it is told to, whatever comes at that moment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import declared, stage

from interlock.cases.case import Case
from interlock.cases.store import CLAIM_CASES, ClaimedCase
from interlock.cases.worker import Worker
from interlock.db.gates import HoldsCase
from interlock.db.work import Refusal, Unit
from interlock.db.writer import Writer
from interlock.errors import DatabaseUnavailable


async def nothing(case: Case) -> str:
    """Do nothing."""
    return f"did nothing about {case.key}"


@pytest.mark.parametrize("turns", range(5))
async def test_news_at_the_moment_of_stopping_do_not_keep_a_worker_going(
    database_url: str, tmp_path: Path, turns: int
) -> None:
    async with stage(database_url, [declared(nothing, tmp_path)]) as on:
        (worker,) = on.workers
        assert (await on.until(await on.submit())).conclusion == "did nothing about k"
        await asyncio.sleep(0.02)  # it waits for news now
        worker._news.set()  # pyright: ignore[reportPrivateUsage]
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await Worker.__aexit__(worker)


async def test_cases_whose_claim_was_answered_into_a_broken_wire_are_not_forgotten(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CLAIM_CASES.all
    lost: list[ClaimedCase] = []

    async def once_lost(connection: Any, parameters: Any) -> list[ClaimedCase]:
        claimed = await real(connection, parameters)
        if claimed and not lost:
            lost.extend(claimed)
            raise psycopg.OperationalError("the connection is lost")
        return claimed

    monkeypatch.setattr(CLAIM_CASES, "all", once_lost)
    async with stage(database_url, [declared(nothing, tmp_path)], workers=0) as on:
        node = on.node
        case_id = await on.submit()
        async with Worker(node.url, node.tools, node.registry, node.notifier, probe_s=0.1, poll_s=0.05) as worker:
            assert (await on.until(case_id)).conclusion == "did nothing about k"
            assert worker.number == 2
            again = await on.until(await on.submit(key="again"))
    assert [case.id for case in lost] == [case_id]
    assert again.fence == 1


async def decides(case: Case) -> str:
    """Decide, then go on."""
    decided = await case.decide("approve", case.input)
    return await case.step("reason", str, decided.output["reason"])


@pytest.mark.parametrize("lost", [1, 2])
async def test_after_a_lost_database_a_case_goes_on_from_what_is_recorded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """The database takes the unit and its answer never comes: the same worker runs the case again, by its journal."""
    real = Writer.write
    units: list[Unit] = []

    async def once_away(self: Writer, unit: Unit) -> Refusal | None:
        refusal = await real(self, unit)
        if any(isinstance(condition, HoldsCase) for condition in unit.conditions):
            units.append(unit)
        if len(units) == lost and units[-1] is unit:
            raise DatabaseUnavailable("the database has not answered; whether it wrote is unknown")
        return refusal

    monkeypatch.setattr(Writer, "write", once_away)
    async with stage(database_url, [declared(decides, tmp_path, point="")]) as on:
        (worker,) = on.workers
        number = worker.number
        case_id = await on.submit()
        case = await on.until(case_id)
        record = await on.record(case_id)
    assert (case.conclusion, case.fence, worker.number) == ("within_policy", 1, number)
    assert len(record.decisions) == 1
    assert len(units) == 2  # the decision; the step with the end: nothing twice
